#include "tests/vision/head_case.h"

static void unknown_outputs_show_the_card(void) {
    head_case c = case_begin("data", 224, 224);
    case_output(&c, "prob", "1x1000", 0);
    CHECK_FAILS(case_recognise(&c), c.err, "prob 1x1000");
    CHECK_CONTAINS(c.err.text, "head: {family: yolov8, classes: 80}");
    CHECK_CONTAINS(c.err.text, "nanodet-plus");
    CHECK_EQUAL(c.err.code, FV_UNSUPPORTED);
    case_end(&c);
}

static void inputs_that_are_no_picture(void) {
    head_case c = case_begin("data", 224, 224);
    case_output(&c, "output0", "1x84x1029", 0);
    c.in.dim[1] = 1;
    CHECK_FAILS(case_recognise(&c), c.err, "data is 1x1x224x224");
    c.in = (fv_tensor){.name = "text", .dtype = FV_I64, .n_dims = 2, .dim = {1, 77}};
    CHECK_FAILS(case_recognise(&c), c.err, "text is 1x77");
    case_end(&c);
}

static void nhwc_input_is_seen(void) {
    head_case c = case_begin("images", 0, 0);
    c.in.dim[1] = 320, c.in.dim[2] = 640, c.in.dim[3] = 3;
    case_output(&c, "output0", "1x84x4200", 0);
    CHECK_OK(case_recognise(&c), c.err);
    CHECK(c.input.nhwc && c.input.width == 640 && c.input.height == 320);
    case_end(&c);
}

static void cards_that_do_not_fit(void) {
    head_case c = case_begin("images", 640, 640);
    case_output(&c, "output0", "1x84x8400", 0);
    c.head = (fv_head){.family = "yolov9000"};
    CHECK_FAILS(case_recognise(&c), c.err, "unknown head family 'yolov9000'");
    c.head = (fv_head){.family = "nanodet"};
    CHECK_FAILS(case_recognise(&c), c.err, "are not those of head 'nanodet'");
    c.head = (fv_head){.family = "yolov8", .n_classes = 81};
    CHECK_FAILS(case_recognise(&c), c.err, "classes");
    c.head = (fv_head){.n_strides = 3, .stride = {8, 0, 32}};
    CHECK_FAILS(case_recognise(&c), c.err, "a stride of 0");
    c.head = (fv_head){.n_classes = 20};
    CHECK_OK(case_recognise(&c), c.err);
    CHECK_EQUAL(c.head.n_classes, 20);
    c.out[0].dim[1] = 20;
    CHECK_FAILS(fv_head_check(&c.head, &c.input, c.out, c.n_out, &c.err), c.err, "1x20x8400");
    case_end(&c);
}

static void preprocess_of_the_family(void) {
    head_case c = case_begin("images", 416, 416);
    case_output(&c, "output", "1x3549x85", 0);
    CHECK_OK(case_recognise(&c), c.err);
    CHECK(c.input.fit == FV_FIT_LETTERBOX_TOP_LEFT && c.input.bgr && c.input.pad == 114 &&
          c.input.scale[2] == 1);
    CHECK_CONTAINS(c.head.why, "output 1x3549x85");
    CHECK_EQUAL(c.head.stride[2], 32);
    case_end(&c);
}

static void the_best_are_kept_in_order(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "output0", "1x5x84", 0);
    for (int i = 0; i < 84; i++) {
        v[i] = v[84 + i] = 32;
        v[2 * 84 + i] = (float)(i + 1);
        v[3 * 84 + i] = 1;
        v[4 * 84 + i] = 0.5f + 0.001f * (float)((i * 37 % 84) / 2); // pairs of equal scores
    }
    v[2 * 84 + 11] = 0;                // no area
    v[4 * 84 + 12] = (float)NAN;
    v[1 * 84 + 13] = (float)INFINITY;
    fv_object room[10];
    fv_objects found = {.capacity = 10, .v = room};
    CHECK_OK(case_recognise(&c), c.err);
    CHECK_OK(
        fv_head_decode(&c.head, &c.input, c.out, 1, 0.25f, (fv_fit){1, 1, 0, 0}, &found, &c.err),
        c.err);
    CHECK_EQUAL(found.n, 10);
    for (int i = 1; i < found.n; i++) {
        CHECK(room[i].score <= room[i - 1].score);
        CHECK(room[i].score < room[i - 1].score ||
              room[i].box.w > room[i - 1].box.w); // ties: earlier cell first
    }
    found = (fv_objects){.v = room}; // no room at all
    CHECK_OK(
        fv_head_decode(&c.head, &c.input, c.out, 1, 0.25f, (fv_fit){1, 1, 0, 0}, &found, &c.err),
        c.err);
    CHECK_EQUAL(found.n, 0);
    case_end(&c);
}

static void the_threshold_is_included(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "output0", "1x5x84", 0);
    for (int k = 0; k < 4; k++)
        v[k * 84] = v[k * 84 + 1] = 16;
    v[4 * 84] = 0.5f, v[4 * 84 + 1] = 0.4999999f;
    fv_object room[4];
    fv_objects found = {.capacity = 4, .v = room};
    CHECK_OK(case_recognise(&c), c.err);
    CHECK_OK(
        fv_head_decode(&c.head, &c.input, c.out, 1, 0.5f, (fv_fit){1, 1, 0, 0}, &found, &c.err),
        c.err);
    CHECK_EQUAL(found.n, 1);
    case_end(&c);
}

static void families_have_a_sign(void) {
    const char *sign = NULL;
    int n = 0;
    for (; fv_head_family(n, &sign); n++)
        CHECK(strlen(sign) > 10);
    CHECK(n >= 25);
    CHECK(fv_head_family(-1, NULL) == NULL);
}

const fv_suite head_suite = {"head", (const fv_case[]){
    CASE(unknown_outputs_show_the_card), CASE(inputs_that_are_no_picture),
    CASE(nhwc_input_is_seen), CASE(cards_that_do_not_fit), CASE(preprocess_of_the_family),
    CASE(the_best_are_kept_in_order), CASE(the_threshold_is_included),
    CASE(families_have_a_sign), {0}}};
