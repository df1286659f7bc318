#include "pipeline/detect/load.h"

#include <stdlib.h>

#include "pipeline/detect/detect.h"
#include "tests/test.h"

// A white picture of twice the network's size: RT-DETR's lists, labels in int64, an input for sizes.
static void side_inputs_become_constants(void) {
    char path[600], command[1500];
    fv_err err = {0};
    snprintf(path, sizeof path, "%s/two.onnx", fv_test_tmp("two"));
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s",
             fv_test_source("tests/detect/two_inputs.py"), path);
    if (fv_test_shell(command, NULL, 0)) {
        fv_test_skip("python3-onnx is not installed");
        return;
    }
    uint8_t *white = malloc(128 * 64 * 3);
    memset(white, 255, 128 * 64 * 3);
    fv_frame frame = {.format = FV_RGB, .width = 128, .height = 64, .stride = {384}, .plane = {white}};
    static const char *const devices[] = {NULL, "reference"};
    for (int i = 0; i < 2; i++) {
        fv_object v[4];
        fv_objects found = {.capacity = 4, .v = v};
        fv_detector *d = fv_detector_create(
            &(fv_detector_params){.model = path, .device = devices[i], .threshold = 0.4f}, &err);
        CHECK_OK(d != NULL, err);
        if (!d)
            break;
        CHECK_CONTAINS(fv_detector_head(d), "corner-lists (");
        CHECK_OK(fv_detector_push(d, &frame, 1, NULL, &err), err);
        CHECK_OK(fv_detector_pull(d, &found, NULL, &err), err);
        CHECK_EQUAL(found.n, 2);
        CHECK(v[0].label == 7 && v[1].label == 2);
        CHECK_NEAR(v[0].score, 0.875, 1e-5);
        CHECK(v[0].box.x == 64 && v[0].box.y == 32 && v[0].box.w == 64 && v[0].box.h == 32);
        CHECK(v[1].box.x == 0 && v[1].box.w == 64 && v[1].box.h == 16);
        fv_detector_destroy(&d);
    }
    free(white);
}

const fv_suite load_suite = {"load", (const fv_case[]){CASE(side_inputs_become_constants), {0}}};
