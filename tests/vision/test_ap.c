#include "pipeline/vision/ap.h"

#include "tests/test.h"

static fv_object object(float x, float w, float score, int label) {
    return (fv_object){.box = {x, 0, w, 10}, .score = score, .label = label};
}

static fv_ap *one_picture(fv_object *truth, int n_truth, fv_object *found, int n_found) {
    fv_err err = {0};
    fv_ap *ap = fv_ap_create(3);
    CHECK_OK(fv_ap_add(ap, &(fv_objects){n_truth, n_truth, truth},
                       &(fv_objects){n_found, n_found, found}, &err),
             err);
    return ap;
}

static void perfect_and_empty(void) {
    fv_object truth[] = {object(0, 10, 0, 0), object(50, 10, 0, 2)};
    fv_object found[] = {object(0, 10, 0.3f, 0), object(50, 10, 0.9f, 2)};
    fv_ap *ap = one_picture(truth, 2, found, 2);
    fv_ap_class by_class[3], mean = fv_ap_result(ap, by_class);
    CHECK_NEAR(mean.ap50, 1, 1e-12);
    CHECK_NEAR(mean.ap, 1, 1e-12);
    CHECK(by_class[1].n_truth == 0 && by_class[1].ap50 == 0); // and is not in the mean
    fv_ap_destroy(&ap);
    ap = fv_ap_create(3);
    CHECK(fv_ap_result(ap, NULL).ap50 == 0);
    fv_ap_destroy(&ap);
    fv_ap_destroy(&ap);
}

// Two labels; found: hit 0.9, miss 0.8, hit 0.7. Precision 1 up to recall 0.5, then 2/3:
// 51 points of 1 and 50 of 2/3.
static void points_of_recall(void) {
    fv_object truth[] = {object(0, 10, 0, 0), object(50, 10, 0, 0)};
    fv_object found[] = {object(50, 10, 0.7f, 0), object(200, 10, 0.8f, 0), object(0, 10, 0.9f, 0)};
    fv_ap *ap = one_picture(truth, 2, found, 3);
    CHECK_NEAR(fv_ap_result(ap, NULL).ap50, (51 + 50 * 2.0 / 3) / 101, 1e-9);
    fv_ap_destroy(&ap);
}

static void a_label_is_matched_once_and_to_the_best(void) {
    fv_object truth[] = {object(0, 10, 0, 0)};
    fv_object found[] = {object(0, 10, 0.9f, 0), object(0, 10, 0.8f, 0)};
    fv_ap *ap = one_picture(truth, 1, found, 2);
    CHECK_NEAR(fv_ap_result(ap, NULL).ap50, 1, 1e-9);
    fv_ap_destroy(&ap);
    // the better one is of the other class: no match at all
    fv_object wrong[] = {object(0, 10, 0.9f, 1)};
    ap = one_picture(truth, 1, wrong, 1);
    CHECK(fv_ap_result(ap, NULL).ap50 == 0);
    fv_ap_destroy(&ap);
}

// IoU 0.82 counts at 0.5, 0.55 ... 0.8: 7 of the 10 thresholds.
static void stricter_overlaps(void) {
    fv_object truth[] = {object(0, 100, 0, 0)};
    fv_object found[] = {object(0, 82, 0.9f, 0)}; // IoU 0.82
    fv_ap *ap = one_picture(truth, 1, found, 1);
    fv_ap_class r = fv_ap_result(ap, NULL);
    CHECK_NEAR(r.ap50, 1, 1e-9);
    CHECK_NEAR(r.ap, 0.7, 1e-9);
    fv_ap_destroy(&ap);
}

static void pictures_do_not_mix(void) {
    fv_err err = {0};
    fv_object truth[] = {object(0, 10, 0, 0)}, found[] = {object(0, 10, 0.9f, 0)};
    fv_ap *ap = fv_ap_create(1);
    CHECK_OK(fv_ap_add(ap, &(fv_objects){1, 1, truth}, &(fv_objects){0, 0, NULL}, &err), err);
    CHECK_OK(fv_ap_add(ap, &(fv_objects){0, 0, NULL}, &(fv_objects){1, 1, found}, &err), err);
    CHECK(fv_ap_result(ap, NULL).ap50 == 0);
    truth[0].label = 4;
    CHECK_FAILS(fv_ap_add(ap, &(fv_objects){1, 1, truth}, &(fv_objects){0, 0, NULL}, &err), err,
                "class 4");
    fv_ap_destroy(&ap);
}

const fv_suite ap_suite = {"ap", (const fv_case[]){
    CASE(perfect_and_empty), CASE(points_of_recall),
    CASE(a_label_is_matched_once_and_to_the_best), CASE(stricter_overlaps),
    CASE(pictures_do_not_mix), {0}}};
