#include "pipeline/vision/nms.h"

#include "tests/test.h"

static fv_object object(float x, float score, int label) {
    return (fv_object){.box = {x, 0, 10, 10}, .score = score, .label = label};
}

static void overlaps_of_a_class_go(void) {
    fv_object v[] = {object(0, 0.5f, 1), object(1, 0.9f, 1), object(2, 0.7f, 2),
                     object(30, 0.1f, 1)};
    fv_objects o = {4, 4, v};
    fv_nms(&o, 0.5f, NULL, 0);
    CHECK_EQUAL(o.n, 3);
    CHECK(v[0].score == 0.9f && v[1].label == 2 && v[2].box.x == 30);
}

static void exclusive_classes_share_no_place(void) {
    fv_object v[] = {object(0, 0.9f, 1), object(1, 0.8f, 2), object(2, 0.7f, 3), object(1, 0.6f, 9)};
    fv_objects o = {4, 4, v};
    const bool exclusive[] = {false, true, true, false};
    fv_nms(&o, 0.5f, exclusive, 4);
    CHECK_EQUAL(o.n, 3); // 2 falls to 1; 3 may lie on 1, and so may a class beyond the list
    CHECK(v[0].label == 1 && v[1].label == 3 && v[2].label == 9);
}

static void limit_itself_is_kept(void) {
    fv_object v[] = {object(0, 0.9f, 0), object(5, 0.8f, 0)}; // IoU 1/3
    float iou = fv_box_iou(v[0].box, v[1].box);
    fv_objects o = {2, 2, v};
    fv_nms(&o, iou, NULL, 0);
    CHECK_EQUAL(o.n, 2);
    fv_nms(&o, nextafterf(iou, 0), NULL, 0);
    CHECK_EQUAL(o.n, 1);
}

static void ties_keep_the_earlier(void) {
    fv_object v[] = {object(0, 0.5f, 0), object(1, 0.5f, 0), object(2, 0.5f, 0)};
    fv_objects o = {3, 3, v};
    fv_nms(&o, 0.3f, NULL, 0);
    CHECK_EQUAL(o.n, 1);
    CHECK(v[0].box.x == 0);
}

static void only_kept_boxes_suppress(void) {
    fv_object v[] = {object(0, 0.9f, 0), object(4, 0.8f, 0),
                     object(8, 0.7f, 0)}; // 1 falls to 0, so 2 stays
    fv_objects o = {3, 3, v};
    fv_nms(&o, 0.4f, NULL, 0);
    CHECK_EQUAL(o.n, 2);
    CHECK(v[1].box.x == 8);
    o.n = 0;
    fv_nms(&o, 0.4f, NULL, 0);
    CHECK_EQUAL(o.n, 0);
}

const fv_suite nms_suite = {"nms", (const fv_case[]){
    CASE(overlaps_of_a_class_go), CASE(exclusive_classes_share_no_place), CASE(limit_itself_is_kept), CASE(ties_keep_the_earlier),
    CASE(only_kept_boxes_suppress), {0}}};
