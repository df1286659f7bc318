#include <stdlib.h>

#include "pipeline/infer/cost_scale.h"
#include "pipeline/infer/tune.h"
#include "tests/infer/compare.h"
#include "tests/test.h"

static const fv_conv_shape shape = {.n = 1, .in_channels = 16, .out_channels = 16, .groups = 1, .in_w = 20, .in_h = 20,
                                    .out_w = 20, .out_h = 20, .kernel_x = 3, .kernel_y = 3, .stride_x = 1, .stride_y = 1,
                                    .dilation_x = 1, .dilation_y = 1, .pad_x = 1, .pad_y = 1, .eights = true};

static fv_gpu *device(const char *cache) {
    fv_err err = {0};
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.validate = true, .cache_dir = cache}, &err);
    CHECK_OK(gpu != NULL, err);
    return gpu;
}

static const fv_conv_row *tune_once(fv_gpu *gpu) {
    fv_tuner *t = fv_tuner_create(gpu, 1);
    const fv_conv_row *row = fv_tune_conv(t, gpu, &shape);
    fv_tuner_destroy(&t);
    CHECK(t == NULL);
    return row;
}

static void winners_are_kept(void) {
    char path[640] = "", *old = getenv("FOVEA_TUNE") ? strdup(getenv("FOVEA_TUNE")) : NULL;
    unsetenv("FOVEA_TUNE");
    fv_gpu *gpu = device(fv_test_tmp("tune"));
    if (gpu && fv_gpu_cache_path(gpu, "tune", path, sizeof path)) {
        const fv_conv_row *row = tune_once(gpu);
        CHECK(row != NULL);
        char *text = fv_test_read(path), line[256];
        fv_conv_shape_text(&shape, line, sizeof line);
        CHECK_CONTAINS(text, "fovea-tune 6\n");
        CHECK_CONTAINS(text, line);
        CHECK_CONTAINS(text, row ? row->name : "?");
        free(text);
        CHECK(tune_once(gpu) == row);
        // What the file says is believed: another row that fits.
        const fv_conv_row *other = row && !strcmp(row->name, "tile 2x32") ? &fv_conv_rows[0] : NULL;
        for (const fv_conv_row *r = fv_conv_rows; r->name && !other; r++)
            other = strcmp(r->name, "tile 2x32") ? NULL : r;
        FILE *f = fopen(path, "w");
        fprintf(f, "fovea-tune 6\nnonsense\n%s = no such row, 1.0 ms\n%s = %s, 0.1 ms\n", line, line, other->name);
        fclose(f);
        CHECK(tune_once(gpu) == other);
        // Another version is not.
        f = fopen(path, "w");
        fprintf(f, "fovea-tune 0\n%s = %s, 0.1 ms\n", line, other->name);
        fclose(f);
        CHECK(tune_once(gpu) != NULL);
        text = fv_test_read(path);
        CHECK_CONTAINS(text, "fovea-tune 6\n");
        free(text);
    }
    fv_gpu_destroy(&gpu);
    if (old)
        setenv("FOVEA_TUNE", old, 1);
    free(old);
}

// A tuner that is asked often has little time for each shape; what it did not measure it keeps as well.
static void every_shape_is_kept(void) {
    char path[640] = "", first[256], second[256];
    char *old = getenv("FOVEA_TUNE") ? strdup(getenv("FOVEA_TUNE")) : NULL;
    fv_conv_shape other = shape;
    other.act = 1;
    unsetenv("FOVEA_TUNE");
    fv_gpu *gpu = device(fv_test_tmp("tune-all"));
    if (gpu && fv_gpu_cache_path(gpu, "tune", path, sizeof path)) {
        fv_tuner *t = fv_tuner_create(gpu, 10000000);
        CHECK(fv_tune_conv(t, gpu, &shape) != NULL);
        const fv_conv_row *row = fv_tune_conv(t, gpu, &other);
        CHECK(row == fv_conv_row_default(&other, fv_gpu_get_caps(gpu)));
        CHECK_EQUAL(fv_tuner_get_stats(t).n_measured, 1);
        CHECK_EQUAL(fv_tuner_get_stats(t).n_by_cost, 1);
        fv_tuner_destroy(&t);
        char *text = fv_test_read(path);
        fv_conv_shape_text(&shape, first, sizeof first);
        fv_conv_shape_text(&other, second, sizeof second);
        CHECK_CONTAINS(text, first);
        CHECK_CONTAINS(text, second);
        free(text);
        t = fv_tuner_create(gpu, 2);
        CHECK(fv_tune_conv(t, gpu, &shape) != NULL);
        CHECK(fv_tune_conv(t, gpu, &other) == row);
        CHECK_EQUAL(fv_tuner_get_stats(t).n_measured, 0);
        CHECK_EQUAL(fv_tuner_get_stats(t).n_by_cost, 0);
        CHECK(fv_tuner_get_stats(t).used_ms == 0);
        fv_tuner_destroy(&t);
    }
    fv_gpu_destroy(&gpu);
    if (old)
        setenv("FOVEA_TUNE", old, 1);
    free(old);
}

static void can_be_turned_off(void) {
    char *old = getenv("FOVEA_TUNE") ? strdup(getenv("FOVEA_TUNE")) : NULL;
    setenv("FOVEA_TUNE", "0", 1);
    fv_gpu *gpu = fv_compare_gpu();
    fv_tuner *t = gpu ? fv_tuner_create(gpu, 1) : NULL;
    CHECK(t == NULL);
    if (gpu)
        CHECK(fv_tune_conv(t, gpu, &shape) == fv_conv_row_default(&shape, fv_gpu_get_caps(gpu)));
    fv_tuner_destroy(&t);
    if (old)
        setenv("FOVEA_TUNE", old, 1);
    else
        unsetenv("FOVEA_TUNE");
    free(old);
}

// Winograd takes four times what the formula says beside the tile kernel, depthwise a third more: the former is far off.
static void costs_are_put_right(void) {
    fv_cost_scale s = {0};
    fv_cost_scale_learn(&s, FV_CONV_WINOGRAD, 1000, 8);
    CHECK(fv_cost_scale_knows(&s, FV_CONV_WINOGRAD) && !fv_cost_scale_knows(&s, FV_CONV_TILE));
    CHECK(fv_cost_scale_get(&s, FV_CONV_WINOGRAD) == 1); // nothing to compare it with
    fv_cost_scale_learn(&s, FV_CONV_TILE, 1000, 1);
    fv_cost_scale_learn(&s, FV_CONV_TILE, 500, 2);
    fv_cost_scale_learn(&s, FV_CONV_TILE, 0, 2);
    fv_cost_scale_learn(&s, FV_CONV_TILE, 500, 0);
    fv_cost_scale_learn(&s, FV_CONV_DEPTHWISE, 300, 0.8);
    CHECK_NEAR(fv_cost_scale_get(&s, FV_CONV_WINOGRAD), 4, 1e-9); // 8 to the geometric mean of 1 and 4
    CHECK(fv_cost_scale_get(&s, FV_CONV_DEPTHWISE) == 1);
    CHECK(fv_cost_scale_get(&s, FV_CONV_PICTURE) == 1);
    fv_cost_scale_learn(&s, FV_CONV_PICTURE, 1000, 0.5);
    CHECK_NEAR(fv_cost_scale_get(&s, FV_CONV_PICTURE), 0.25, 1e-9);
}

const fv_suite tune_suite = {"tune", (const fv_case[]){CASE(winners_are_kept), CASE(every_shape_is_kept),
                                                       CASE(can_be_turned_off), CASE(costs_are_put_right), {0}}};
