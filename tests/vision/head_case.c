#include "tests/vision/head_case.h"

#include <stdlib.h>
#include <string.h>

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

// ---- candidates: what shaders/candidates.comp does, in C --------------------------------------------

static const float *element(const head_case *c, const fv_cell_matrix *m, int64_t i, int k) {
    return (const float *)c->out[m->output].data + m->at + i * m->cell + k * m->channel;
}

static float largest(const head_case *c, const fv_cell_matrix *m, int64_t i) {
    float best = -INFINITY;
    for (int k = 0; k < m->c; k++)
        best = fmaxf(best, *element(c, m, i, k));
    return best;
}

static bool is_candidate(const head_case *c, const fv_cell_part *part, int64_t i) {
    const fv_cell_matrix *m = part->matrix;
    float rival = m[FV_CELL_RIVALS].c ? largest(c, &m[FV_CELL_RIVALS], i) : 0;
    return largest(c, &m[FV_CELL_SCORES], i) - rival >= part->least_score &&
           (!m[FV_CELL_GATE].c || *element(c, &m[FV_CELL_GATE], i, 0) >= part->least_gate);
}

static void bring(const head_case *from, const fv_cell_part *part, int64_t i, head_case *to) {
    for (int r = 0; r < FV_CELL_MATRICES; r++)
        for (int k = 0; k < part->matrix[r].c; k++)
            *(float *)element(to, &part->matrix[r], i, k) = *element(from, &part->matrix[r], i, k);
}

// The outputs with nothing in them but candidates give the same objects.
static void check_candidates(head_case *c, float threshold, fv_fit fit, const fv_objects *expected) {
    fv_candidates some;
    fv_object room[50] = {0};
    fv_objects found = {.capacity = 50, .v = room};
    head_case rest = {0};
    uint32_t cell[1000], first = 0;
    int n = 0;
    for (; rest.n_out < c->n_out; rest.n_out++) {
        fv_tensor *t = &rest.out[rest.n_out];
        *t = c->out[rest.n_out];
        t->data = memset(malloc(fv_tensor_bytes(t)), 0xff, fv_tensor_bytes(t)); // NaN
    }
    CHECK_OK(fv_head_candidates(&c->head, &c->input, c->out, c->n_out, threshold, &some, &c->err), c->err);
    for (int p = 0; p < some.n; first += (uint32_t)some.part[p++].n)
        for (int64_t i = 0; i < some.part[p].n; i++)
            if (is_candidate(c, &some.part[p], i) && n < 1000) {
                bring(c, &some.part[p], i, &rest);
                cell[n++] = first + (uint32_t)i;
            }
    CHECK(n < 1000);
    CHECK_OK(fv_head_decode_candidates(&c->head, &c->input, rest.out, rest.n_out, cell, n, threshold, fit, &found,
                                       &c->err), c->err);
    CHECK_EQUAL(found.n, expected->n);
    CHECK(!memcmp(room, expected->v, (size_t)found.n * sizeof *room));
    case_end(&rest);
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
    check_candidates(c, threshold, fit, &found);
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
