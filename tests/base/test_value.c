#include "pipeline/base/value.h"

#include "tests/test.h"

static void letterbox_and_its_place(void) {
    fv_input input = {.width = 416, .height = 416, .fit = FV_FIT_LETTERBOX_TOP_LEFT};
    fv_fit fit = fv_fit_compute(&input, 1280, 720, 1);
    CHECK_NEAR(fit.scale_x, 0.325, 1e-6);
    CHECK_NEAR(fit.scale_y, 234.0 / 720, 1e-6);
    CHECK(fit.offset_x == 0 && fit.offset_y == 0);
    input.fit = FV_FIT_LETTERBOX;
    CHECK_NEAR(fv_fit_compute(&input, 1280, 720, 1).offset_y, 91, 0);
    input.fit = FV_FIT_STRETCH;
    CHECK_NEAR(fv_fit_compute(&input, 1280, 720, 1).scale_y, 416.0 / 720, 1e-6);
}

static void letterbox_of_wide_pixels(void) {
    fv_input input = {.width = 100, .height = 100, .fit = FV_FIT_LETTERBOX};
    fv_fit fit = fv_fit_compute(&input, 100, 100, 2);
    CHECK_NEAR(fit.scale_x, 1, 1e-6);
    CHECK_NEAR(fit.scale_y, 0.5, 1e-6);
    CHECK_NEAR(fit.offset_y, 25, 0);
}

static void overlap_of_boxes(void) {
    fv_box a = {0, 0, 10, 10}, b = {5, 0, 10, 10}, far = {20, 20, 1, 1};
    CHECK_NEAR(fv_box_iou(a, a), 1, 0);
    CHECK_NEAR(fv_box_iou(a, b), 1.0 / 3, 1e-6);
    CHECK_NEAR(fv_box_iou(a, far), 0, 0);
    fv_box c = fv_box_clip((fv_box){-5, 2, 10, 10}, 8, 8);
    CHECK(c.x == 0 && c.y == 2 && c.w == 5 && c.h == 6);
}

static void ledger_balances_by_reason(void) {
    fv_ledger l = {.decoded = 10, .inferred = 4, .predicted = 3, .skipped = 1, .dropped = {[FV_DROP_QUEUE] = 2}};
    CHECK(fv_ledger_balances(&l));
    l.dropped[FV_DROP_DECODE]++;
    CHECK(!fv_ledger_balances(&l));
    CHECK_EQUAL(fv_ledger_dropped(&l), 3);
}

static void shapes_and_labels_as_text(void) {
    char text[64];
    fv_tensor t = {.dtype = FV_F32, .n_dims = 3, .dim = {1, 84, 8400}};
    CHECK_TEXT(fv_tensor_shape_text(&t, text, sizeof text), "1x84x8400");
    CHECK_EQUAL(fv_tensor_bytes(&t), 4 * 84 * 8400);
    CHECK_TEXT(fv_label_get(&(fv_labels){1, (const char *const[]){"car"}}, 0), "car");
    CHECK_TEXT(fv_label_get(NULL, 7), "class 7");
}

const fv_suite value_suite = {"value", (const fv_case[]){CASE(letterbox_and_its_place), CASE(letterbox_of_wide_pixels), CASE(overlap_of_boxes),
                                                         CASE(ledger_balances_by_reason), CASE(shapes_and_labels_as_text), {0}}};
