// Only candidates come back from the device, and the objects are those of the whole outputs, bit for bit.
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/engine.h"
#include "pipeline/detect/model.h"
#include "pipeline/run/image.h"
#include "tests/test.h"

enum { ROOM = 8192 };

static const char *const models[] = {
    "models/FastestDet.onnx",      "models/nanodet_m_320.onnx",    "models/yolox_nano.onnx",
    "models/yolov8n_640.onnx",     "models/yolov5n_640.onnx",      "models/yunet_n_320_320.onnx",
    "models/yolo-fastest-1.1.onnx", "models/version-RFB-320.onnx", NULL /* street */};
enum { N_MODELS = sizeof models / sizeof models[0] };

static const char *path_of(int i) {
    return models[i] ? fv_test_shared(models[i]) : fv_test_source("models/street.onnx");
}

typedef struct {
    fv_model model;
    const fv_engine *engine;
    fv_session *session[2]; // candidates, whole
    fv_image image;
    fv_objects found[2];
    fv_err err;
} bench;

static bool set_up(bench *b, const char *path, fv_precision precision) {
    memset(b, 0, sizeof *b);
    const char *picture = fv_test_shared("images/bus.jpg");
    if (!path || !picture)
        return false;
    bool ok = fv_image_load(&b->image, picture, &b->err) && fv_model_begin(&b->model, path, NULL, &b->err);
    const fv_card *card = &b->model.card;
    b->engine = !ok ? NULL
                    : fv_engine_get(b->model.path, NULL, card->has_size ? card->input.width : 0,
                                    card->has_size ? card->input.height : 0, precision, FV_READBACK_CANDIDATES,
                                    true, &b->err);
    ok = b->engine && fv_model_settle(&b->model, b->engine->graph, NULL, &b->err) &&
         fv_engine_prepare(b->engine, &b->model.input, &b->err);
    CHECK_OK(ok, b->err);
    for (int i = 0; i < 2; i++)
        b->found[i] = (fv_objects){.capacity = ROOM, .v = calloc(ROOM, sizeof(fv_object))};
    return ok;
}

static bool open_sessions(bench *b, float threshold) {
    fv_candidates c;
    const fv_model *m = &b->model;
    bool ok = fv_head_candidates(&m->head, &m->input, m->out, m->n_outputs, threshold, &c, &b->err);
    for (int i = 0; i < 2 && ok; i++)
        ok = (b->session[i] = fv_session_create_picking(b->engine->plan, &m->input, i ? NULL : &c, 1, &b->err));
    CHECK_OK(ok, b->err);
    return ok;
}

static void close_sessions(bench *b) {
    for (int i = 0; i < 2; i++)
        if (b->session[i])
            fv_session_destroy(&b->session[i]);
}

static void tear_down(bench *b) {
    close_sessions(b);
    fv_engine_put(&b->engine);
    fv_model_finish(&b->model);
    fv_image_finish(&b->image);
    free(b->found[0].v);
    free(b->found[1].v);
}

static bool run(bench *b, int i, float threshold, fv_result *r) {
    fv_model *m = &b->model;
    bool ok = fv_session_push(b->session[i], &b->image.frame, 1, NULL, &b->err) &&
              fv_session_pull(b->session[i], r, &b->err);
    for (int k = 0; ok && k < r->n; k++)
        m->out[k].data = r->tensor[k].data;
    ok = ok && fv_head_decode_candidates(&m->head, &m->input, m->out, m->n_outputs, r->candidate, r->n_candidates,
                                         threshold, r->fit, &b->found[i], &b->err);
    for (int k = 0; k < m->n_outputs; k++)
        m->out[k].data = NULL;
    CHECK_OK(ok, b->err);
    return ok;
}

static int64_t count_cells(const bench *b) {
    fv_candidates c;
    int64_t n = 0;
    CHECK(fv_head_candidates(&b->model.head, &b->model.input, b->model.out, b->model.n_outputs, 0.5f, &c, NULL));
    for (int i = 0; i < c.n; i++)
        n += c.part[i].n;
    return n;
}

static void same_objects(const bench *b) {
    const fv_objects *x = &b->found[0], *y = &b->found[1];
    CHECK_EQUAL(x->n, y->n);
    for (int i = 0; i < x->n && i < y->n; i++)
        CHECK(!memcmp(&x->v[i], &y->v[i], sizeof x->v[i]));
}

static void compare_at(bench *b, const char *name, float threshold, bool can_be_many) {
    fv_result r[2];
    int64_t cells = count_cells(b);
    if (open_sessions(b, threshold) && run(b, 0, threshold, &r[0]) && run(b, 1, threshold, &r[1])) {
        same_objects(b);
        CHECK(!r[1].candidate);
        CHECK(can_be_many || (r[0].candidate && r[0].n_candidates < cells / 2));
        CHECK(!r[0].candidate || r[0].n_candidates >= b->found[0].n);
        printf("     %s, threshold %.2f: %d objects, %d of %d cells brought back\n", name, (double)threshold,
               b->found[0].n, r[0].candidate ? r[0].n_candidates : (int)cells, (int)cells);
    }
    close_sessions(b);
}

static void compare(const char *path, fv_precision precision) {
    bench b;
    if (set_up(&b, path, precision)) {
        const char *name = strrchr(path, '/') + 1;
        compare_at(&b, name, 0.6f, false);
        compare_at(&b, name, 0.3f, false);
        compare_at(&b, name, 0.001f, true);
    }
    tear_down(&b);
}

static void objects_are_those_of_the_whole_outputs(void) {
    for (int i = 0; i < N_MODELS; i++)
        compare(path_of(i), FV_PRECISION_FP32);
}

static void of_float16_too(void) {
    compare(path_of(0), FV_PRECISION_FP16);
}

static void a_detector_gives_the_same(void) {
    static const fv_readback ways[] = {FV_READBACK_CANDIDATES, FV_READBACK_WHOLE};
    fv_object v[2][100];
    fv_objects found[2] = {{.capacity = 100, .v = v[0]}, {.capacity = 100, .v = v[1]}};
    fv_image image;
    fv_err err = {0};
    const char *model = path_of(2), *picture = fv_test_shared("images/bus.jpg");
    if (!model || !picture)
        return;
    CHECK_OK(fv_image_load(&image, picture, &err), err);
    for (int i = 0; i < 2; i++) {
        fv_detector *d = fv_detector_create(&(fv_detector_params){.model = model, .readback = ways[i]}, &err);
        CHECK_OK(d && fv_detector_push(d, &image.frame, 1, NULL, &err) && fv_detector_pull(d, &found[i], NULL, &err), err);
        fv_detector_destroy(&d);
    }
    CHECK(found[0].n > 3);
    CHECK_EQUAL(found[0].n, found[1].n);
    for (int i = 0; i < found[0].n && i < found[1].n; i++)
        CHECK(!memcmp(&v[0][i], &v[1][i], sizeof v[0][i]));
    fv_image_finish(&image);
}

static const fv_case cases[] = {CASE(objects_are_those_of_the_whole_outputs), CASE(of_float16_too),
                                CASE(a_detector_gives_the_same), {0}};
const fv_suite candidates_suite = {"candidates", cases};
