// Ops that look at regions of a feature map or at points that are moved; tests/tools/ops.sh compares more of them with
// ONNX Runtime.

#include "pipeline/graph/graph.h"
#include "tests/graph/build.h"
#include "tests/test.h"

enum { OPSET = 19 };

static const float map[] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33}; // 10 y + x

static build begin(void) {
    build b = {0};
    build_input(&b, "x", 1, 4, (const char *[]){"1", "1", "4", "4"});
    return b;
}

// The map is linear, so the mean of a region is the value at its middle.
static void regions_are_averaged(void) {
    build b = begin();
    const float boxes[] = {0.5f, 0.5f, 3.5f, 2.5f, 2, 2, 2, 2}; // x0 y0 x1 y1; in halves 0 .. 3 by 0 .. 2
    build_floats(&b, "boxes", 2, (int64_t[]){2, 4}, boxes);
    build_longs(&b, "pictures", 2, (int64_t[]){0, 0});
    build_node(&b, "RoiAlign", "x boxes pictures", "y", "output_width=3 sampling_ratio=2");
    build_check(&b, OPSET, map, (const float[]){10.5f, 11.5f, 12.5f, 16.5f, 16.5f, 16.5f}, 6);
}

static void regions_are_of_pictures_that_are_there(void) {
    build b = begin();
    fv_err err = {0};
    float y[1];
    build_floats(&b, "boxes", 2, (int64_t[]){1, 4}, map);
    build_longs(&b, "pictures", 1, (int64_t[]){1});
    build_node(&b, "RoiAlign", "x boxes pictures", "y", "");
    fv_graph *g = build_load(&b, OPSET, &err);
    CHECK_FAILS(g && fv_graph_run(g, (const void *[]){map}, (void *[]){y}, &err), err, "a region is of picture 1 of 1");
    fv_graph_destroy(&g);
    b = begin();
    build_node(&b, "MaxRoiPool", "x x", "y", "pooled_shape=1,1");
    CHECK_FAILS(build_load(&b, OPSET, &err), err, "'x' of 1x1x4x4 are no regions, [regions,5]");
    b = begin();
    build_floats(&b, "boxes", 2, (int64_t[]){1, 4}, map);
    build_longs(&b, "pictures", 2, (int64_t[]){0, 0});
    build_node(&b, "RoiAlign", "x boxes pictures", "y", "");
    CHECK_FAILS(build_load(&b, OPSET, &err), err, "'pictures' has 2 values for 1 regions");
}

static void regions_have_a_largest(void) {
    build b = begin();
    const float boxes[] = {0, 0, 2, 6, 4, /* at half the scale columns 0 .. 3, rows 1 .. 2 */ 0, 20, 20, 30, 30};
    build_floats(&b, "boxes", 2, (int64_t[]){2, 5}, boxes);
    build_node(&b, "MaxRoiPool", "x boxes", "y", "pooled_shape=2,2 spatial_scale=0.5");
    build_check(&b, OPSET, map, (const float[]){11, 13, 21, 23, 0, 0, 0, 0}, 8);
}

// One column to the right and half a row down, of three pixels weighed by half; nothing lies outside.
static void points_are_moved(void) {
    build b = begin();
    const float weights[] = {2}, bias[] = {1};
    float offset[2][16], mask[16], expected[16];
    for (int i = 0; i < 16; i++) {
        int y = i / 4, x = i % 4;
        offset[0][i] = 0.5f, offset[1][i] = 1, mask[i] = i < 3 ? 0.5f : 1;
        float upper = x < 3 ? map[i + 1] : 0, lower = x < 3 && y < 3 ? map[i + 5] : 0;
        expected[i] = 2 * mask[i] * (upper + lower) / 2 + 1;
    }
    build_floats(&b, "w", 4, (int64_t[]){1, 1, 1, 1}, weights);
    build_floats(&b, "offset", 4, (int64_t[]){1, 2, 4, 4}, offset[0]);
    build_floats(&b, "bias", 1, (int64_t[]){1}, bias);
    build_floats(&b, "mask", 4, (int64_t[]){1, 1, 4, 4}, mask);
    build_node(&b, "DeformConv", "x w offset bias mask", "y", "");
    build_check(&b, OPSET, map, expected, 16);
}

// -1.5 .. 1.5, no two neighbours alike.
static void spread(float *v, size_t n) {
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(i * 37 % 31) / 10 - 1.5f;
}

// Two groups of two channels that move differently, before and after they are taken apart.
static void moved_groups(void) {
    enum { CHANNELS = 4, PIXELS = 20, TAPS = 6, OUTPUTS = 6 };
    static const char *const shape[] = {"1", "4", "4", "5"};
    float x[CHANNELS * PIXELS], w[OUTPUTS * CHANNELS / 2 * TAPS], offset[2 * 2 * TAPS * PIXELS], y[2][OUTPUTS * PIXELS] = {0};
    fv_err err = {0};
    build b = {0};
    spread(x, sizeof x / sizeof *x);
    spread(w, sizeof w / sizeof *w);
    spread(offset, sizeof offset / sizeof *offset);
    build_input(&b, "x", 1, 4, shape);
    build_floats(&b, "w", 4, (int64_t[]){OUTPUTS, CHANNELS / 2, 2, 3}, w);
    build_floats(&b, "offset", 4, (int64_t[]){1, 2 * 2 * TAPS, 4, 5}, offset);
    build_node(&b, "DeformConv", "x w offset", "m", "group=2 offset_group=2 pads=1,1,0,1");
    build_node(&b, "Relu", "m", "y", "");
    fv_graph *g = build_load(&b, OPSET, &err);
    for (int optimised = 0; optimised < 2; optimised++) {
        CHECK_OK(g && fv_graph_run(g, (const void *[]){x}, (void *[]){y[optimised]}, &err), err);
        CHECK_OK(g && fv_graph_optimize(g, &err), err);
    }
    for (int i = 0; g && i < OUTPUTS * PIXELS; i++)
        CHECK_NEAR(y[0][i], y[1][i], 1e-5);
    CHECK(g && g->n_nodes == 2); // the points, and a convolution with its activation
    fv_graph_destroy(&g);
}

// 64 channels of nine points each for 600 x 600 pixels would take 790 MiB: one window after the other, then.
static void too_much_to_keep(void) {
    float w[64 * 9];
    fv_err err = {0};
    build b = {0};
    spread(w, sizeof w / sizeof *w);
    build_input(&b, "x", 1, 4, (const char *[]){"1", "64", "600", "600"});
    build_input(&b, "offset", 1, 4, (const char *[]){"1", "18", "600", "600"});
    build_floats(&b, "w", 4, (int64_t[]){1, 64, 3, 3}, w);
    build_node(&b, "DeformConv", "x w offset", "y", "pads=1,1,1,1");
    fv_graph *g = build_load(&b, OPSET, &err);
    CHECK_OK(g && fv_graph_optimize(g, &err), err);
    CHECK(g && g->n_nodes == 1);
    fv_graph_destroy(&g);
}

static void offsets_fit(void) {
    build b = begin();
    fv_err err = {0};
    build_floats(&b, "w", 4, (int64_t[]){1, 1, 1, 1}, map);
    build_node(&b, "DeformConv", "x w x", "y", "");
    CHECK_FAILS(build_load(&b, OPSET, &err), err, "node 'DeformConv_0' (DeformConv): 'x' of 1x1x4x4 does not fit: it needs 2 channels of 4 x 4");
    b = begin();
    build_floats(&b, "w", 4, (int64_t[]){1, 1, 1, 1}, map);
    build_node(&b, "DeformConv", "x w x", "y", "offset_group=2");
    CHECK_FAILS(build_load(&b, OPSET, &err), err, "1 channels do not divide into 2 groups of offsets");
    b = begin();
    build_node(&b, "DeformColumns", "x x", "y", "");
    CHECK_FAILS(build_load(&b, OPSET, &err), err, "(DeformColumns, opset 19): it is no op of files; write a DeformConv");
}

const fv_suite regions_suite = {"regions", (const fv_case[]){
    CASE(regions_are_averaged), CASE(regions_are_of_pictures_that_are_there), CASE(regions_have_a_largest),
    CASE(points_are_moved), CASE(moved_groups), CASE(too_much_to_keep), CASE(offsets_fit), {0}}};
