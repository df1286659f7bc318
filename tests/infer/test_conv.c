// Every row of conv_row.c against a plain convolution, and the choice among rows.
#include <math.h>
#include <stdlib.h>

#include "pipeline/graph/ops.h"
#include "pipeline/infer/conv_row.h"
#include "shaders/act.h"
#include "tests/infer/compare.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

enum { IN_AT4 = 8, IN_SLACK4 = 3, OUT_SLACK4 = 2 };

// Everything in memory as the kernels see it: in, the part of half the size, residual and out in one block of vec4.
typedef struct {
    fv_conv_shape s;
    int in_pitch, out_pitch; // floats from pixel to pixel: parts of something larger
    size_t in_at, near_at, residual_at, out_at, n;
    float *block, *weights, *bias;
} problem;

static int up4(int v) {
    return (v + 3) / 4 * 4;
}

// Rounded to float16 where that is what memory holds, so that the rest is left to the arithmetic.
static float drawn(const fv_conv_shape *s, unsigned *seed) {
    float v = fv_random(seed);
    return s->half ? fv_half_to_float(fv_float_to_half(v)) : v;
}

static problem make(const fv_conv_shape *s, unsigned seed) {
    problem p = {.s = *s};
    p.in_pitch = up4(s->in_channels) + (s->adjoining ? 0 : 4 * IN_SLACK4);
    p.out_pitch = up4(s->out_channels) + 4 * OUT_SLACK4;
    size_t in_pixels = (size_t)(s->n * s->in_w * s->in_h), out_pixels = (size_t)(s->n * s->out_w * s->out_h);
    p.in_at = 4 * IN_AT4;
    p.near_at = p.in_at + in_pixels * (size_t)p.in_pitch;
    p.residual_at = p.near_at + in_pixels / 4 * (size_t)p.in_pitch;
    p.out_at = p.residual_at + (out_pixels * (size_t)p.out_pitch + 7) / 8 * 8;
    p.out_at = (p.out_at + 7) / 8 * 8;
    p.n = p.out_at + out_pixels * (size_t)p.out_pitch + 64;
    p.block = calloc(p.n, sizeof *p.block);
    size_t taps = (size_t)(s->kernel_x * s->kernel_y), per_group = (size_t)(s->in_channels / s->groups);
    p.weights = calloc((size_t)s->out_channels * per_group * taps, sizeof *p.weights);
    p.bias = calloc((size_t)s->out_channels, sizeof *p.bias);
    for (size_t i = 0; i < in_pixels + in_pixels / 4; i++)
        for (int c = 0; c < s->in_channels; c++)
            p.block[p.in_at + i * (size_t)p.in_pitch + (size_t)c] = drawn(s, &seed);
    for (size_t i = 0; i < out_pixels; i++)
        for (int c = 0; c < s->out_channels; c++)
            p.block[p.residual_at + i * (size_t)p.out_pitch + (size_t)c] = drawn(s, &seed);
    for (size_t i = 0; i < (size_t)s->out_channels * per_group * taps; i++)
        p.weights[i] = drawn(s, &seed);
    for (int i = 0; i < s->out_channels; i++)
        p.bias[i] = drawn(s, &seed);
    return p;
}

static void finish(problem *p) {
    free(p->block), free(p->weights), free(p->bias);
}

static double activate(uint32_t act, double v) {
    return act == ACT_RELU ? fmax(v, 0) : act == ACT_SILU ? v / (1 + exp(-v)) : v;
}

// Channel c of a pixel, which lies in the whole picture or in that of half the size.
static const float *input(const problem *p, const float *whole, const float *near, int c) {
    const fv_conv_shape *s = &p->s;
    int n = s->near_channels, rest = s->in_channels - n;
    if (s->near_first)
        return c < n ? near + c : whole + c - n;
    return c < rest ? whole + c : near + c - rest;
}

static double plain(const problem *p, int image, int oy, int ox, int o) {
    const fv_conv_shape *s = &p->s;
    int c_n = s->in_channels / s->groups, first = o / (s->out_channels / s->groups) * c_n;
    double sum = (double)p->bias[o];
    for (int ky = 0; ky < s->kernel_y; ky++)
        for (int kx = 0; kx < s->kernel_x; kx++) {
            int y = oy * s->stride_y - s->pad_y + ky * s->dilation_y, x = ox * s->stride_x - s->pad_x + kx * s->dilation_x;
            if (y < 0 || y >= s->in_h || x < 0 || x >= s->in_w)
                continue;
            const float *from = p->block + p->in_at + ((size_t)(image * s->in_h + y) * (size_t)s->in_w + (size_t)x) * (size_t)p->in_pitch;
            const float *near = p->block + p->near_at + (size_t)((image * s->in_h / 2 + y / 2) * s->in_w / 2 + x / 2) * (size_t)p->in_pitch;
            for (int c = 0; c < c_n; c++)
                sum += (double)*input(p, from, near, first + c) *
                       (double)p->weights[((o * c_n + c) * s->kernel_y + ky) * s->kernel_x + kx];
        }
    size_t pixel = (size_t)((image * s->out_h + oy) * s->out_w + ox);
    double add = (double)p->block[p->residual_at + pixel * (size_t)p->out_pitch + (size_t)o];
    return s->residual == 1 ? activate(s->act, sum + add) : activate(s->act, sum) + (s->residual == 2 ? add : 0);
}

// Largest difference from plain(); 1e9 where something else was written over.
static double compare(const problem *p, const float *got) {
    const fv_conv_shape *s = &p->s;
    double worst = 0;
    for (int image = 0; image < s->n; image++)
        for (int y = 0; y < s->out_h; y++)
            for (int x = 0; x < s->out_w; x++) {
                const float *pixel = got + p->out_at + (size_t)((image * s->out_h + y) * s->out_w + x) * (size_t)p->out_pitch;
                for (int c = 0; c < p->out_pitch; c++) {
                    double wanted = c < s->out_channels ? plain(p, image, y, x, c) : 0;
                    worst = fmax(worst, fabs(wanted - (double)pixel[c]));
                }
            }
    return memcmp(p->block, got, p->out_at * sizeof *got) ? 1e9 : worst;
}

// A block as the kernels see it: float32, or float16 made of it.
static bool upload(fv_gpu_buffer *block, const float *v, size_t n, bool half, fv_err *err) {
    uint16_t *narrow = calloc(n, sizeof *narrow);
    fv_convert(narrow, FV_F16, v, FV_F32, n);
    bool ok = half ? fv_gpu_buffer_upload(block, 0, narrow, 2 * n, err) : fv_gpu_buffer_upload(block, 0, v, 4 * n, err);
    free(narrow);
    return ok;
}

static bool download(fv_gpu_buffer *block, float *v, size_t n, bool half, fv_err *err) {
    uint16_t *narrow = calloc(n, sizeof *narrow);
    bool ok = half ? fv_gpu_buffer_download(block, 0, narrow, 2 * n, err) : fv_gpu_buffer_download(block, 0, v, 4 * n, err);
    if (half)
        fv_convert(v, FV_F32, narrow, FV_F16, n);
    free(narrow);
    return ok;
}

static double run(const problem *p, const fv_conv_row *row) {
    bool half = p->s.half;
    fv_gpu *gpu = fv_compare_gpu();
    fv_err err = {0};
    uint64_t ticket;
    size_t n_weights = fv_conv_row_weights(row, &p->s), n_bias = (size_t)up4(p->s.out_channels);
    float *packed = calloc(n_weights + n_bias, sizeof *packed), *got = calloc(p->n, sizeof *got);
    fv_conv_row_pack(row, &p->s, p->weights, packed);
    memcpy(packed + n_weights, p->bias, (size_t)p->s.out_channels * sizeof *packed);
    fv_gpu_buffer *block = fv_gpu_buffer_create(gpu, p->n * 4, FV_GPU_DEVICE, &err);
    fv_gpu_buffer *weights = fv_gpu_buffer_create(gpu, (n_weights + n_bias) * 4, FV_GPU_WEIGHTS, &err);
    fv_conv_dispatch d = fv_conv_row_dispatch(row, &p->s, fv_gpu_get_caps(gpu));
    d.push.in_at4 = (uint32_t)(p->in_at / 4), d.push.in_pitch4 *= (uint32_t)(p->in_pitch / 4);
    d.push.out_at4 = (uint32_t)(p->out_at / 4), d.push.out_pitch4 = d.push.residual_pitch4 = (uint32_t)(p->out_pitch / 4);
    d.push.near_at4 = (uint32_t)(p->near_at / 4), d.push.near_pitch4 = d.push.in_pitch4;
    d.push.residual_at4 = (uint32_t)(p->residual_at / 4);
    d.push.bias_at4 = (uint32_t)(n_weights / 4), d.push.alpha = 1;
    fv_gpu_kernel *kernel = fv_gpu_kernel_get(gpu, d.kernel, d.spec, d.n_spec, &err);
    fv_gpu_program *program = fv_gpu_program_begin(gpu, &(fv_gpu_blocks){.activations = block, .weights = weights, .half = half}, &err);
    fv_gpu_program_add(program, kernel, NULL, 0, &d.push, sizeof d.push, d.groups);
    bool ok = fv_gpu_program_end(program, &err) && upload(block, p->block, p->n, half, &err) &&
              upload(weights, packed, n_weights + n_bias, half, &err) &&
              fv_gpu_program_submit(program, &ticket, &err) && fv_gpu_wait(gpu, ticket, UINT64_MAX, &err) &&
              download(block, got, p->n, half, &err);
    CHECK_OK(ok, err);
    double worst = ok ? compare(p, got) : 1e9;
    fv_gpu_program_destroy(&program);
    fv_gpu_buffer_destroy(&block);
    fv_gpu_buffer_destroy(&weights);
    free(packed), free(got);
    return worst;
}

static fv_conv_shape square(int c, int m, int size, int kernel, int stride) {
    int out = (size + 2 * (kernel / 2) - kernel) / stride + 1;
    return (fv_conv_shape){.n = 1, .in_channels = c, .out_channels = m, .groups = 1, .in_w = size, .in_h = size,
                           .out_w = out, .out_h = out, .kernel_x = kernel, .kernel_y = kernel, .stride_x = stride,
                           .stride_y = stride, .dilation_x = 1, .dilation_y = 1, .pad_x = kernel / 2,
                           .pad_y = kernel / 2, .eights = m % 8 == 0};
}

// Half an ulp of float16 results up to 32 is 2^-7; sums lose that at random with every pair of channels.
static double bound_of(const fv_conv_row *row, const fv_conv_shape *s) {
    double pairs = s->kernel_x * s->kernel_y * (s->in_channels / s->groups + 3) / 4 * 2;
    return row->kernel == FV_CONV_FP16 ? 0x1p-7 * (1 + sqrt(pairs)) : s->half ? 0x1p-7 : 2e-4;
}

// In all kinds of float16 too.
static void check_rows(const fv_conv_shape *s, int every) {
    if (!fv_compare_gpu())
        return;
    fv_conv_shape half = *s;
    half.half = s->half + 1;
    if (half.half < FV_HALF_COMPUTED || (half.half == FV_HALF_COMPUTED && fv_gpu_get_caps(fv_compare_gpu())->fp16_arithmetic))
        check_rows(&half, half.half == FV_HALF_COMPUTED ? every / 2 : 2 * every);
    const fv_gpu_caps *caps = fv_gpu_get_caps(fv_compare_gpu());
    char text[160];
    fv_conv_shape_text(s, text, sizeof text);
    problem p = make(s, 7);
    int n = 0, k = 0;
    for (const fv_conv_row *row = fv_conv_rows; row->name; row++) {
        if (!fv_conv_row_fits(row, s, caps) || k++ % every)
            continue;
        n++;
        double worst = run(&p, row);
        const double bound = bound_of(row, s);
        if (worst > bound)
            fprintf(stderr, "%s with %s: off by %g, the bound is %g\n", text, row->name, worst, bound);
        CHECK(worst <= bound);
    }
    CHECK(n > 0);
    finish(&p);
}

static void every_row_is_a_convolution(void) {
    fv_conv_shape s = square(12, 40, 11, 3, 1);
    s.act = ACT_SILU, s.residual = 2;
    check_rows(&s, 1);
}

static void every_row_for_larger_pictures(void) {
    fv_conv_shape s = square(6, 24, 27, 3, 1), rows = square(8, 10, 30, 3, 1);
    s.act = ACT_SILU, s.residual = 1, s.n = 3;
    rows.stride_y = 2, rows.out_h = 15, rows.kernel_y = 1, rows.pad_y = 0, rows.groups = 2, rows.out_channels = 16, rows.n = 4;
    check_rows(&s, 1);
    check_rows(&rows, 1);
}

static void pixels_are_one_row_when_the_kernel_is_1x1(void) {
    fv_conv_shape s = square(20, 24, 9, 1, 1);
    s.n = 2;
    s.act = ACT_RELU, s.residual = 1;
    check_rows(&s, 1);
}

static void a_part_may_be_of_half_the_size(void) {
    fv_conv_shape s = square(20, 24, 14, 1, 1);
    s.n = 2, s.act = ACT_RELU, s.residual = 1;
    for (int first = 0; first < 2; first++) {
        s.near_channels = first ? 12 : 4, s.near_first = first;
        check_rows(&s, 1);
    }
}

static void pictures(void) {
    fv_conv_shape colour = square(3, 40, 21, 3, 2), grey = square(1, 10, 14, 3, 1), four = square(4, 16, 13, 3, 1);
    colour.act = ACT_SILU, colour.residual = 2;
    grey.n = 3, grey.kernel_y = 2, grey.pad_y = 1, grey.out_h = 15;
    four.dilation_x = four.dilation_y = four.pad_x = four.pad_y = 2, four.act = ACT_RELU;
    check_rows(&colour, 1);
    check_rows(&grey, 1);
    check_rows(&four, 1);
}

static void a_stride_may_go_into_the_channels(void) {
    fv_conv_shape focus = square(3, 24, 40, 6, 2), many = square(8, 16, 36, 6, 2);
    focus.pad_x = focus.pad_y = 2, focus.out_w = focus.out_h = 20, focus.adjoining = true, focus.act = ACT_SILU, focus.n = 2;
    many.pad_x = many.pad_y = 0, many.out_w = many.out_h = 16, many.adjoining = true, many.stride_y = 1, many.out_h = 31;
    check_rows(&focus, 1);
    check_rows(&many, 1);
    const fv_conv_shape apart = square(3, 24, 40, 6, 2); // padded by three, and with room between its pixels
    for (const fv_conv_row *row = fv_conv_rows; row->name && fv_compare_gpu(); row++)
        CHECK(row->kernel != FV_CONV_WINOGRAD || (fv_conv_row_fits(row, &focus, fv_gpu_get_caps(fv_compare_gpu())) &&
                                                  !fv_conv_row_fits(row, &apart, fv_gpu_get_caps(fv_compare_gpu()))));
}

static void odd_shapes(void) {
    fv_conv_shape channels = square(3, 10, 13, 3, 2), wide = square(5, 16, 17, 7, 2), dilated = square(8, 16, 15, 3, 1);
    fv_conv_shape flat = square(6, 7, 12, 3, 1), even = square(4, 16, 12, 6, 2), single = square(4, 1, 5, 1, 1);
    dilated.dilation_x = 2, dilated.dilation_y = 3, dilated.pad_x = 2, dilated.pad_y = 3;
    flat.kernel_y = 1, flat.pad_y = 0, flat.n = 3;
    even.pad_x = even.pad_y = 2, even.out_w = even.out_h = 6;
    check_rows(&channels, 3);
    check_rows(&wide, 4);
    check_rows(&dilated, 3);
    check_rows(&flat, 3);
    check_rows(&even, 4);
    check_rows(&single, 3);
}

static void groups(void) {
    fv_conv_shape s = square(16, 24, 10, 3, 1);
    s.groups = 2;
    check_rows(&s, 2);
    fv_conv_shape odd = square(6, 6, 10, 3, 1);
    odd.groups = 2; // three channels a group: not for a row
    for (const fv_conv_row *row = fv_conv_rows; row->name && fv_compare_gpu(); row++)
        CHECK(!fv_conv_row_fits(row, &odd, fv_gpu_get_caps(fv_compare_gpu())));
}

static void depthwise(void) {
    fv_conv_shape three = square(10, 10, 13, 3, 1), five = square(24, 24, 12, 5, 1), strided = square(16, 16, 15, 3, 2);
    three.groups = 10, three.depthwise = true, three.residual = 1, three.act = ACT_SILU, three.n = 2;
    five.groups = 24, five.depthwise = true, five.act = ACT_RELU;
    strided.groups = 16, strided.depthwise = true, strided.dilation_x = 2, strided.pad_x = 2;
    check_rows(&three, 1);
    check_rows(&five, 2);
    check_rows(&strided, 1);
}

static void the_default_row_wastes_little(void) {
    if (!fv_compare_gpu())
        return;
    const fv_gpu_caps *caps = fv_gpu_get_caps(fv_compare_gpu());
    const fv_conv_shape shapes[] = {square(64, 64, 80, 3, 1), square(64, 80, 40, 1, 1), square(3, 24, 352, 3, 2)};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        const fv_conv_row *best = fv_conv_row_default(&shapes[i], caps);
        CHECK(best && best->kernel != FV_CONV_DEPTHWISE);
        for (const fv_conv_row *row = fv_conv_rows; best && row->name; row++)
            if (fv_conv_row_fits(row, &shapes[i], caps))
                CHECK(fv_conv_row_cost(best, &shapes[i], caps) <= fv_conv_row_cost(row, &shapes[i], caps));
    }
    fv_conv_shape huge = square(8, 8, 32, 3, 1);
    huge.kernel_x = 9;
    CHECK(!fv_conv_row_default(&huge, caps));
}

const fv_suite conv_suite = {"conv", (const fv_case[]){
    CASE(every_row_is_a_convolution), CASE(every_row_for_larger_pictures),
    CASE(pixels_are_one_row_when_the_kernel_is_1x1), CASE(a_part_may_be_of_half_the_size), CASE(pictures),
    CASE(a_stride_may_go_into_the_channels), CASE(odd_shapes),
    CASE(groups), CASE(depthwise), CASE(the_default_row_wastes_little), {0}}};
