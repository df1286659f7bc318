#include "tests/vision/head_case.h"

#include <stdlib.h>

head_case case_begin(const char *input_name, int w, int h) {
    return (head_case){
        .in = {.name = input_name, .dtype = FV_F32, .n_dims = 4, .dim = {1, 3, h, w}}};
}

float *case_output(head_case *c, const char *name, const char *shape, float value) {
    fv_tensor *t = &c->out[c->n_out++];
    *t = (fv_tensor){.name = name, .dtype = FV_F32};
    for (char *end; *shape; shape = *end ? end + 1 : end)
        t->dim[t->n_dims++] = strtol(shape, &end, 10);
    int64_t n = fv_tensor_count(t);
    float *v = malloc((size_t)n * sizeof *v);
    for (int64_t i = 0; i < n; i++)
        v[i] = value;
    return t->data = v;
}

bool case_recognise(head_case *c) {
    return fv_head_recognise(&c->in, 1, c->out, c->n_out, &c->head, &c->input, &c->err);
}

fv_object case_expect(head_case *c, const char *family, int classes, float threshold, int label,
                      float score, float x0, float y0, float x1, float y1) {
    fv_object room[50] = {0};
    fv_objects found = {.capacity = 50, .v = room};
    fv_fit fit = {0.5f, 0.5f, 4, 6};
    CHECK_OK(case_recognise(c), c->err);
    CHECK_TEXT(c->head.family, family);
    CHECK_EQUAL(c->head.n_classes, classes);
    CHECK_OK(fv_head_check(&c->head, &c->input, c->out, c->n_out, &c->err), c->err);
    CHECK_OK(fv_head_decode(&c->head, &c->input, c->out, c->n_out, threshold, fit, &found, &c->err),
             c->err);
    CHECK_EQUAL(found.n, 1);
    fv_object o = room[0];
    CHECK_EQUAL(o.label, label);
    CHECK_EQUAL(o.detection, -1);
    CHECK_NEAR(o.score, score, 1e-5);
    CHECK_NEAR(o.box.x, (x0 - 4) * 2, 2e-3);
    CHECK_NEAR(o.box.y, (y0 - 6) * 2, 2e-3);
    CHECK_NEAR(o.box.w, (x1 - x0) * 2, 2e-3);
    CHECK_NEAR(o.box.h, (y1 - y0) * 2, 2e-3);
    case_end(c);
    return o;
}

void case_end(head_case *c) {
    for (int i = 0; i < c->n_out; i++)
        free(c->out[i].data);
    c->n_out = 0;
}

float logit(float p) {
    return logf(p / (1 - p));
}
