#include "pipeline/detect/detect.h"

#include <pthread.h>
#include <stdlib.h>

#include "pipeline/detect/engine.h"
#include "pipeline/run/image.h"
#include "tests/test.h"

enum { ROOM = 100 };

typedef struct {
    fv_object v[ROOM];
    fv_objects objects;
} found;

static void begin(found *f) {
    f->objects = (fv_objects){.capacity = ROOM, .v = f->v};
}

// Detector and picture of a case; false (and the case skipped) where the material is missing.
static bool prepare(fv_detector **d, fv_detector_params params, const char *model,
                    fv_image *image) {
    fv_err err = {0};
    const char *picture = fv_test_shared("images/bus.jpg");
    params.model = fv_test_shared(model);
    if (!params.model || !picture)
        return false;
    *d = fv_detector_create(&params, &err);
    CHECK_OK(*d != NULL, err);
    CHECK_OK(fv_image_load(image, picture, &err), err);
    return *d && image->pixels;
}

static const char *write_card(const char *text) {
    static char path[1200];
    snprintf(path, sizeof path, "%s/m.yaml", fv_test_tmp("exclusive"));
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static void detect(fv_detector *d, const fv_frame *frame, found *f) {
    fv_err err = {0};
    begin(f);
    CHECK_OK(fv_detector_push(d, frame, 1, NULL, &err), err);
    CHECK_OK(fv_detector_pull(d, &f->objects, NULL, &err), err);
}

static void check_same(const fv_objects *a, const fv_objects *b, double pixels, double score) {
    CHECK_EQUAL(a->n, b->n);
    for (int i = 0; i < a->n && i < b->n; i++) {
        CHECK_EQUAL(a->v[i].label, b->v[i].label);
        CHECK_NEAR(a->v[i].score, b->v[i].score, score);
        CHECK_NEAR(a->v[i].box.x, b->v[i].box.x, pixels);
        CHECK_NEAR(a->v[i].box.y + a->v[i].box.h, b->v[i].box.y + b->v[i].box.h, pixels);
    }
}

static void device_as_the_reference(void) {
    fv_image image;
    fv_detector *gpu, *twin;
    if (!prepare(&gpu, (fv_detector_params){.threshold = 0.5f}, "models/FastestDet.onnx", &image))
        return;
    fv_image_finish(&image);
    prepare(&twin, (fv_detector_params){.threshold = 0.5f, .device = "reference"},
            "models/FastestDet.onnx", &image);
    found a, b;
    detect(gpu, &image.frame, &a);
    detect(twin, &image.frame, &b);
    CHECK(a.objects.n >= 4);
    check_same(&a.objects, &b.objects, 0.5, 2e-3);
    for (int i = 0; i < a.objects.n; i++) {
        const fv_object *o = &a.v[i];
        CHECK(o->state == FV_STATE_DETECTED && o->id == 0 && (!i || o->score <= a.v[i - 1].score));
        CHECK(o->box.x >= 0 && o->box.y >= 0 && o->box.x + o->box.w <= (float)image.width + 0.01f);
    }
    CHECK_CONTAINS(fv_detector_head(gpu), "fastestdet (");
    CHECK_EQUAL(fv_detector_labels(gpu)->n, 80);
    fv_detector_destroy(&gpu);
    fv_detector_destroy(&twin);
    fv_image_finish(&image);
}

// The card's exclusive classes: where the bus (COCO's 5) is, no person (0).
static void exclusive_classes_suppress_one_another(void) {
    static const char *const text[] = {"iou-threshold: 0.02\n", "iou-threshold: 0.02\nexclusive: [person, bus]\n",
                                       "exclusive: [person, buss]\n"};
    fv_image image;
    fv_detector *d = NULL;
    int overlaps[2] = {0};
    for (int k = 0; k < 2; k++) {
        const char *card = write_card(text[k]);
        if (!prepare(&d, (fv_detector_params){.threshold = 0.3f, .card = card}, "models/FastestDet.onnx", &image))
            return;
        found f;
        detect(d, &image.frame, &f);
        for (int i = 0; i < f.objects.n; i++)
            for (int j = 0; j < i; j++)
                overlaps[k] += f.v[i].label + f.v[j].label == 5 && fv_box_iou(f.v[i].box, f.v[j].box) > 0.02f;
        fv_detector_destroy(&d);
        fv_image_finish(&image);
    }
    CHECK(overlaps[0] > 0);
    CHECK_EQUAL(overlaps[1], 0);
    fv_err err = {0};
    fv_detector_params params = {.model = fv_test_shared("models/FastestDet.onnx"), .card = write_card(text[2])};
    CHECK_FAILS(fv_detector_create(&params, &err), err, "exclusive: the model has no class 'buss', did you mean 'bus'");
}

static void compare_half(const char *model, bool validate) {
    fv_image image;
    fv_detector *full, *half;
    fv_detector_params params = {.threshold = 0.4f, .validate = validate, .precision = FV_PRECISION_FP32};
    found a, b;
    if (!prepare(&full, params, model, &image))
        return;
    fv_image_finish(&image);
    params.precision = FV_PRECISION_FP16;
    prepare(&half, params, model, &image);
    detect(full, &image.frame, &a);
    detect(half, &image.frame, &b);
    CHECK(a.objects.n >= 4);
    check_same(&a.objects, &b.objects, 1, 5e-3);
    bool differ = false;
    for (int i = 0; i < a.objects.n && i < b.objects.n; i++)
        differ = differ || a.v[i].box.x != b.v[i].box.x;
    CHECK(differ); // it was float16
    fv_detector_destroy(&full);
    fv_detector_destroy(&half);
    fv_image_finish(&image);
}

static void float16_finds_the_same_boxes(void) {
    compare_half("models/FastestDet.onnx", true);
    compare_half("models/yolox_nano.onnx", false);
}

// With the validation layer on; what it says makes calls fail.
static void validation_is_silent(void) {
    fv_image image;
    fv_detector *d;
    found f;
    fv_detector_params params = {.threshold = 0.5f, .validate = true};
    if (!prepare(&d, params, "models/FastestDet.onnx", &image))
        return;
    detect(d, &image.frame, &f);
    image.frame.height /= 2; // another geometry: recorded again
    detect(d, &image.frame, &f);
    CHECK(f.objects.n >= 1);
    fv_detector_destroy(&d);
    fv_image_finish(&image);
}

static void slots_in_order(void) {
    fv_image image;
    fv_detector *d;
    fv_err err = {0};
    int marks[4];
    void *user;
    found f;
    if (!prepare(&d, (fv_detector_params){.threshold = 0.5f, .slots = 2}, "models/FastestDet.onnx",
                 &image))
        return;
    fv_frame half = image.frame; // the upper half: other boxes
    half.height /= 2;
    found whole, upper;
    detect(d, &image.frame, &whole);
    detect(d, &half, &upper);
    CHECK_OK(fv_detector_push(d, &image.frame, 1, &marks[0], &err), err);
    CHECK_OK(fv_detector_push(d, &half, 1, &marks[1], &err), err);
    CHECK_EQUAL(fv_detector_pending(d), 2);
    CHECK_FAILS(fv_detector_push(d, &half, 1, &marks[2], &err), err, "pull");
    for (int i = 0; i < 5; i++) {
        begin(&f);
        CHECK_OK(fv_detector_pull(d, &f.objects, &user, &err), err);
        CHECK(user == &marks[i % 2]);
        check_same(&f.objects, i % 2 ? &upper.objects : &whole.objects, 0, 0);
        CHECK_OK(fv_detector_push(d, i % 2 ? &half : &image.frame, 1, &marks[i % 2], &err), err);
    }
    fv_detector_destroy(&d); // with frames in flight
    fv_image_finish(&image);
}

static void classes_and_limits(void) {
    fv_image image;
    fv_detector *d;
    found f;
    if (!prepare(&d, (fv_detector_params){.threshold = 0.3f, .classes = "bus, 7"},
                 "models/FastestDet.onnx", &image))
        return;
    detect(d, &image.frame, &f);
    CHECK(f.objects.n >= 1);
    for (int i = 0; i < f.objects.n; i++)
        CHECK(f.v[i].label == 5 || f.v[i].label == 7);
    fv_detector_destroy(&d);
    fv_image_finish(&image);
    prepare(&d, (fv_detector_params){.threshold = 0.3f, .max_objects = 2}, "models/FastestDet.onnx",
            &image);
    detect(d, &image.frame, &f);
    CHECK_EQUAL(f.objects.n, 2);
    fv_detector_destroy(&d);
    fv_image_finish(&image);
}

static void one_engine_for_a_model(void) {
    fv_err err = {0};
    const char *model = fv_test_shared("models/FastestDet.onnx"),
               *other = fv_test_shared("models/version-RFB-320.onnx");
    if (!model || !other)
        return;
    const fv_engine *a = fv_engine_get(model, NULL, 0, 0, FV_PRECISION_AUTO, FV_READBACK_AUTO, false, &err),
                    *b = fv_engine_get(model, NULL, 0, 0, FV_PRECISION_AUTO, FV_READBACK_AUTO, false, &err);
    const fv_engine *c = fv_engine_get(other, NULL, 0, 0, FV_PRECISION_AUTO, FV_READBACK_AUTO, false, &err),
                    *r = fv_engine_get(model, "reference", 0, 0, FV_PRECISION_AUTO, FV_READBACK_AUTO, false, &err);
    CHECK(a && a == b && c && c != a && r && r != a);
    fv_input input = {.scale = {1, 1, 1}};
    CHECK(a && !a->plan);
    CHECK(a && fv_engine_prepare(a, &input, &err) && r && fv_engine_prepare(r, &input, &err));
    CHECK(a && a->plan && r && !r->plan);
    const fv_plan *plan = a ? a->plan : NULL;
    CHECK(a && fv_engine_prepare(a, &input, &err) && a->plan == plan); // made once
    fv_engine_put(&a);
    CHECK(a == NULL);
    fv_engine_put(&a);
    CHECK(b && b->graph->n_outputs == 1); // still there
    fv_engine_put(&b);
    fv_engine_put(&c);
    fv_engine_put(&r);
}

typedef struct {
    const fv_image *image;
    const char *model;
    found result;
    bool ok;
} worker;

static void *work(void *data) {
    worker *w = data;
    fv_err err = {0};
    for (int round = 0; round < 2; round++) {
        fv_detector *d =
            fv_detector_create(&(fv_detector_params){.model = w->model, .threshold = 0.5f}, &err);
        w->ok = d != NULL;
        for (int i = 0; i < 3 && w->ok; i++) {
            begin(&w->result);
            w->ok = fv_detector_push(d, &w->image->frame, 1, NULL, &err) &&
                    fv_detector_pull(d, &w->result.objects, NULL, &err);
        }
        fv_detector_destroy(&d);
    }
    return NULL;
}

static void threads_share_a_plan(void) {
    fv_image image;
    fv_detector *d;
    found alone;
    if (!prepare(&d, (fv_detector_params){.threshold = 0.5f}, "models/FastestDet.onnx", &image))
        return;
    detect(d, &image.frame, &alone);
    fv_detector_destroy(&d);
    worker w[3];
    pthread_t thread[3];
    for (int i = 0; i < 3; i++) {
        w[i] = (worker){.image = &image, .model = fv_test_shared("models/FastestDet.onnx")};
        pthread_create(&thread[i], NULL, work, &w[i]);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
        CHECK(w[i].ok);
        check_same(&w[i].result.objects, &alone.objects, 0, 0);
    }
    fv_image_finish(&image);
}

static void faces_with_landmarks(void) {
    fv_image image;
    fv_detector *d;
    fv_err err = {0};
    found f;
    const char *picture = fv_test_shared("images/zidane.jpg");
    if (!picture || !prepare(&d, (fv_detector_params){.threshold = 0.6f},
                             "models/yunet_n_320_320.onnx", &image))
        return;
    fv_image_finish(&image);
    CHECK_OK(fv_image_load(&image, picture, &err), err);
    detect(d, &image.frame, &f);
    CHECK(f.objects.n >= 2);
    for (int i = 0; i < f.objects.n; i++) {
        const fv_object *o = &f.v[i];
        CHECK_TEXT(fv_label_get(fv_detector_labels(d), o->label), "face");
        CHECK_EQUAL(o->n_keypoints, 5);
        CHECK(o->keypoint[0][0] < o->keypoint[1][0] &&
              o->keypoint[0][1] < o->keypoint[3][1]); // eyes; eye above mouth
    }
    fv_detector_destroy(&d);
    fv_image_finish(&image);
}

const fv_suite detector_suite = {"detector", (const fv_case[]){
    CASE(device_as_the_reference), CASE(exclusive_classes_suppress_one_another), CASE(float16_finds_the_same_boxes),
    CASE(validation_is_silent), CASE(slots_in_order),
    CASE(classes_and_limits), CASE(one_engine_for_a_model), CASE(threads_share_a_plan),
    CASE(faces_with_landmarks), {0}}};
