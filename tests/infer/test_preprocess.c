#include <stdlib.h>

#include "pipeline/infer/preprocess.h"
#include "pipeline/infer/preprocess_host.h"
#include "tests/test.h"

static const fv_input plain = {.width = 8, .height = 8, .scale = {1, 1, 1}};

static void one_to_one_is_the_picture(void) {
    uint8_t rgb[8 * 8 * 3];
    float out[3 * 64];
    for (int i = 0; i < 8 * 8 * 3; i++)
        rgb[i] = (uint8_t)(i * 7);
    fv_frame frame = {.format = FV_RGB, .width = 8, .height = 8, .stride = {24}, .plane = {rgb}};
    fv_preprocess_reference(&frame, 1, &plain, out);
    for (int i = 0; i < 64; i++)
        for (int c = 0; c < 3; c++)
            CHECK_NEAR(out[c * 64 + i], rgb[i * 3 + c], 1e-4);
    fv_input nhwc = plain;
    nhwc.nhwc = nhwc.bgr = true;
    nhwc.mean[0] = 10, nhwc.scale[2] = 0.5f;
    fv_preprocess_reference(&frame, 1, &nhwc, out);
    CHECK_NEAR(out[3 * 5 + 0], rgb[3 * 5 + 2] - 10.0, 1e-4);
    CHECK_NEAR(out[3 * 5 + 2], rgb[3 * 5 + 0] * 0.5, 1e-4);
}

// Colour bars at 75 %, BT.601 and BT.709 studio range, from the recommendations' own tables.
static void yuv_becomes_rgb(void) {
    const struct { fv_matrix matrix; uint8_t y, cb, cr; double r, g, b; } rows[] = {
        {FV_BT601, 235, 128, 128, 255, 255, 255}, {FV_BT601, 16, 128, 128, 0, 0, 0},
        {FV_BT601, 65, 100, 212, 191, 0, 0},      {FV_BT601, 112, 72, 58, 0, 191, 0},
        {FV_BT709, 51, 109, 212, 191, 0, 0},      {FV_BT709, 133, 63, 52, 0, 191, 0},
        {FV_BT709, 28, 212, 120, 0, 0, 191},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t y[64], c[32];
        float out[3 * 64];
        memset(y, rows[i].y, sizeof y);
        for (int k = 0; k < 16; k++)
            c[2 * k] = rows[i].cb, c[2 * k + 1] = rows[i].cr;
        fv_frame frame = {.format = FV_NV12, .width = 8, .height = 8, .stride = {8, 8}, .plane = {y, c},
                          .matrix = rows[i].matrix};
        fv_preprocess_reference(&frame, 1, &plain, out);
        CHECK_NEAR(out[20], rows[i].r, 1.6);
        CHECK_NEAR(out[64 + 20], rows[i].g, 1.6);
        CHECK_NEAR(out[128 + 20], rows[i].b, 1.6);
    }
}

static void letterbox_pads_around(void) {
    uint8_t gray[16 * 8];
    float out[3 * 64];
    memset(gray, 200, sizeof gray);
    fv_frame frame = {.format = FV_GRAY8, .width = 16, .height = 8, .stride = {16}, .plane = {gray}, .full_range = true};
    fv_input input = plain;
    input.fit = FV_FIT_LETTERBOX, input.pad = 114;
    fv_fit fit = fv_preprocess_reference(&frame, 1, &input, out);
    CHECK_NEAR(fit.scale_x, 0.5, 1e-6);
    CHECK_NEAR(fit.offset_y, 2, 1e-6);
    CHECK_NEAR(out[0], 114, 0);
    CHECK_NEAR(out[2 * 8], 200, 1e-4);
    CHECK_NEAR(out[5 * 8 + 7], 200, 1e-4);
    CHECK_NEAR(out[6 * 8], 114, 0);
}

// A ramp keeps its slope: half-pixel centres, so value(x) = 10 (2 x + 0.5) when halved.
static void a_ramp_stays_a_ramp(void) {
    uint8_t ramp[16 * 16];
    float out[3 * 64];
    for (int i = 0; i < 256; i++)
        ramp[i] = (uint8_t)(10 * (i % 16));
    fv_frame frame = {.format = FV_GRAY8, .width = 16, .height = 16, .stride = {16}, .plane = {ramp}, .full_range = true};
    fv_preprocess_reference(&frame, 1, &plain, out);
    for (int x = 0; x < 8; x++)
        CHECK_NEAR(out[8 * 3 + x], 10 * (2 * x + 0.5), 1e-3);
}

// Stripes of one pixel, three to a network pixel: each mean by hand, and no stripe is left out.
static void areas_are_means(void) {
    uint8_t stripes[24 * 24];
    float out[3 * 64];
    for (int i = 0; i < 24 * 24; i++)
        stripes[i] = i % 24 & 1 ? 240 : 0;
    fv_frame frame = {.format = FV_GRAY8, .width = 24, .height = 24, .stride = {24}, .plane = {stripes}, .full_range = true};
    fv_input input = plain;
    input.filter = FV_FILTER_AREA;
    fv_preprocess_reference(&frame, 1, &input, out);
    for (int x = 0; x < 8; x++)
        CHECK_NEAR(out[8 * 5 + x], x & 1 ? 160 : 80, 1e-3);
    frame.width = 22; // 2.75 pixels: 0 240 3/4 * 0; 1/4 * 0 240 0 1/2 * 240; 1/2 * 240 0 240 1/4 * 0
    fv_preprocess_reference(&frame, 1, &input, out);
    CHECK_NEAR(out[0], 240 / 2.75, 1e-3);
    CHECK_NEAR(out[1], 240 * 1.5 / 2.75, 1e-3);
    CHECK_NEAR(out[2], 240 * 1.5 / 2.75, 1e-3);
}

static void odd_and_tiny_pictures_work(void) {
    for (int w = 1; w <= 3; w++) {
        uint8_t y[9], u[4], v[4];
        float out[3 * 64];
        memset(y, 235, sizeof y), memset(u, 128, sizeof u), memset(v, 128, sizeof v);
        fv_frame frame = {.format = FV_I420, .width = w, .height = w, .stride = {3, 2, 2}, .plane = {y, u, v}};
        fv_preprocess_reference(&frame, 1, &plain, out);
        for (int i = 0; i < 192; i++)
            CHECK_NEAR(out[i], 255, 1e-3);
    }
}

// ---- the twin that is compiled for vectors ---------------------------------------------------------

enum { NET_WIDTH = 50, NET_HEIGHT = 34, MAX_BYTES = 130 * 90 * 4 };

// Index of channel c of a pixel.
static int number_at(fv_layout layout, int pixel, int c) {
    return layout == FV_LAYOUT_FOUR ? 4 * pixel + c : layout == FV_LAYOUT_PLANES ? c * NET_WIDTH * NET_HEIGHT + pixel : 3 * pixel + c;
}

static void meets_reference(fv_layout layout, fv_pixels format, int w, int h, const fv_input *input) {
    static uint8_t bytes[3][MAX_BYTES];
    static float expected[3 * NET_WIDTH * NET_HEIGHT], out[4 * NET_WIDTH * NET_HEIGHT];
    fv_frame f = {.format = format, .width = w, .height = h, .matrix = FV_BT709};
    for (int p = 0; p < 3; p++) {
        f.plane[p] = bytes[p];
        f.stride[p] = 4 * w + 3;
        for (int i = 0; i < MAX_BYTES; i++)
            bytes[p][i] = (uint8_t)((uint32_t)(i * (p + 1)) * 2654435761u >> 24);
    }
    fv_fit fit = fv_preprocess_reference(&f, 1, input, expected);
    fv_host_preprocess *fast = fv_host_preprocess_create(&f, &fit, input, layout);
    double worst = 0, fourth = 0;
    for (int round = 0; round < 2; round++) { // the second finds what the first left behind
        memset(out, 0x55, sizeof out);
        fv_host_preprocess_run(fast, &f, out);
    }
    for (int i = 0; i < NET_WIDTH * NET_HEIGHT; i++) {
        for (int c = 0; c < 3; c++) {
            double e = (double)expected[input->nhwc ? 3 * i + c : c * NET_WIDTH * NET_HEIGHT + i];
            worst = fmax(worst, fabs((double)out[number_at(layout, i, c)] - e));
        }
        fourth = layout == FV_LAYOUT_FOUR ? fmax(fourth, fabs((double)out[4 * i + 3])) : 0;
    }
    CHECK_NEAR(worst, 0, 1e-3);
    CHECK_NEAR(fourth, 0, 0);
    fv_host_preprocess_destroy(&fast);
}

static void the_host_is_fast_and_equal(void) {
    static const int sizes[][2] = {{50, 34}, {130, 89}, {129, 40}, {7, 61}, {1, 1}};
    for (int format = 0; format < FV_N_PIXELS; format++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (int k = 0; k < 3 * 2 * 2; k++) {
                fv_input input = {.width = NET_WIDTH, .height = NET_HEIGHT, .fit = (fv_fit_mode)(k % 3), .pad = 114, .bgr = k & 1,
                                  .filter = k / 6 ? FV_FILTER_AREA : FV_FILTER_BILINEAR, .mean = {10, 20, 30},
                                  .scale = {1, 0.5f, 0.25f}, .nhwc = k % 2};
                meets_reference((fv_layout)(k % 3), (fv_pixels)format, sizes[i][0], sizes[i][1], &input);
            }
}

const fv_suite preprocess_suite = {"preprocess", (const fv_case[]){
    CASE(one_to_one_is_the_picture), CASE(yuv_becomes_rgb), CASE(letterbox_pads_around), CASE(a_ramp_stays_a_ramp),
    CASE(areas_are_means),
    CASE(odd_and_tiny_pictures_work), CASE(the_host_is_fast_and_equal), {0}}};
