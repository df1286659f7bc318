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

// A picture of twice the network's size whose columns alternate between 100 and 101 gives it 100.5, which bytes round.
static double score_of(const char *folder, const char *kind, const char *device) {
    static uint8_t pixels[64 * 128 * 3];
    char path[700];
    fv_err err = {0};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)(100 + i / 3 % 2);
    fv_frame frame = {.format = FV_RGB, .width = 128, .height = 64, .stride = {384}, .plane = {pixels}};
    fv_object v[2] = {0};
    fv_objects found = {.capacity = 2, .v = v};
    snprintf(path, sizeof path, "%s/%s.onnx", folder, kind);
    fv_detector *d = fv_detector_create(&(fv_detector_params){.model = path, .device = device, .threshold = 0.1f}, &err);
    CHECK_OK(d && fv_detector_push(d, &frame, 1, NULL, &err) && fv_detector_pull(d, &found, NULL, &err), err);
    CHECK_EQUAL(found.n, 1);
    CHECK(v[0].label == 3 && v[0].box.x == 16 && v[0].box.w == 32);
    fv_detector_destroy(&d);
    return (double)v[0].score;
}

static bool write_pictures(const char *folder) {
    char command[1500];
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s", fv_test_source("tests/detect/pictures.py"), folder);
    if (!fv_test_shell(command, NULL, 0))
        return true;
    fv_test_skip("python3-onnx is not installed");
    return false;
}

static void pictures_of_every_kind(void) {
    static const struct { const char *kind; double value; } rows[] = {
        {"bytes", 100}, {"bytes-nhwc", 100}, {"inside", 100.5}, {"inside-nhwc", 100.5}, {"nhwc", 100.5}, {"half", 100.5},
    };
    const char *folder = fv_test_tmp("pictures");
    if (!write_pictures(folder))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        CHECK_NEAR(score_of(folder, rows[i].kind, NULL), rows[i].value / 255, 1e-6);
        CHECK_NEAR(score_of(folder, rows[i].kind, "reference"), rows[i].value / 255, 1e-6);
    }
}

// A card whose std is meant for floats would make all bytes 0 or 1.
static void bytes_are_not_normalised_twice(void) {
    const char *folder = fv_test_tmp("twice");
    char path[700], card[700];
    fv_err err = {0};
    if (!write_pictures(folder))
        return;
    snprintf(path, sizeof path, "%s/bytes.onnx", folder);
    snprintf(card, sizeof card, "%s/bytes.yaml", folder);
    FILE *f = fopen(card, "w");
    fputs("input: {std: 255}\n", f);
    fclose(f);
    CHECK_FAILS(fv_detector_create(&(fv_detector_params){.model = path}, &err), err, "bytes.onnx: the model takes bytes, 0 .. 255, and normalises them itself");
}

const fv_suite load_suite = {"load", (const fv_case[]){CASE(side_inputs_become_constants), CASE(pictures_of_every_kind),
                                                       CASE(bytes_are_not_normalised_twice), {0}}};
