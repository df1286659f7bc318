#include "pipeline/infer/conv_row.h"

#include <math.h>
#include <stdio.h>

#include "shaders/act.h"

enum { MAX_KERNEL_X = 7, MAX_TAPS = 64, MAX_UNROLLED = 9, MAX_VECTORS = 576, MAX_GROUPS = 65535, PRODUCTS = 6, TILE = 4 };

const fv_conv_row fv_conv_rows[] = {
    {"tile 4x16", FV_CONV_TILE, 4, 16},
    {"tile 5x16", FV_CONV_TILE, 5, 16},
    {"tile 6x16", FV_CONV_TILE, 6, 16},
    {"tile 2x32", FV_CONV_TILE, 2, 32},
    {"tile 3x32", FV_CONV_TILE, 3, 32},
    {"tile 4x32", FV_CONV_TILE, 4, 32},
    {"tile 5x32", FV_CONV_TILE, 5, 32},
    {"tile 4x48", FV_CONV_TILE, 4, 48},
    {"picture 4x16", FV_CONV_PICTURE, 4, 16},
    {"picture 8x16", FV_CONV_PICTURE, 8, 16},
    {"fp16 4x16", FV_CONV_FP16, 4, 16},
    {"fp16 2x32", FV_CONV_FP16, 2, 32},
    {"winograd 4x16", FV_CONV_WINOGRAD, 4, 16},
    {"winograd 8x16", FV_CONV_WINOGRAD, 8, 16},
    {"winograd 4x32", FV_CONV_WINOGRAD, 4, 32},
    {"depthwise 2x2", FV_CONV_DEPTHWISE, 2, 2},
    {"depthwise 4x1", FV_CONV_DEPTHWISE, 4, 1},
    {"depthwise 4x2", FV_CONV_DEPTHWISE, 4, 2},
    {"depthwise 4x3", FV_CONV_DEPTHWISE, 4, 3},
    {"depthwise 4x4", FV_CONV_DEPTHWISE, 4, 4},
    {"depthwise 4x8", FV_CONV_DEPTHWISE, 4, 8},
    {"depthwise 6x3", FV_CONV_DEPTHWISE, 6, 3},
    {0},
};

static int ceil_div(int64_t a, int64_t b) {
    return (int)((a + b - 1) / b);
}

// ---- sizes -----------------------------------------------------------------------------------------

static bool flat(const fv_conv_shape *s) { // all pixels are one row
    return !s->depthwise && s->kernel_x * s->kernel_y * s->stride_x * s->stride_y == 1 && !s->pad_x && !s->pad_y &&
           s->in_w == s->out_w && s->in_h == s->out_h && !s->near_channels;
}

int fv_conv_row_block(const fv_conv_row *row, const fv_conv_shape *s) {
    int m = s->out_channels / s->groups, step = m % 8 ? 4 : 8;
    int blocks = ceil_div(m, row->y);
    return ceil_div(ceil_div(m, blocks), step) * step;
}

static int group_blocks(const fv_conv_row *row, const fv_conv_shape *s) {
    return ceil_div(s->out_channels / s->groups, fv_conv_row_block(row, s));
}

// Pixels of the input side by side that count as one of more channels, as they lie in memory. Winograd takes a stride
// along x so: what is left is a kernel of three columns without one.
static int folded(const fv_conv_row *row, const fv_conv_shape *s) {
    return row->kernel == FV_CONV_WINOGRAD ? s->stride_x : 1;
}

static int in_channels4(const fv_conv_row *row, const fv_conv_shape *s) {
    return folded(row, s) * ceil_div(s->in_channels / s->groups, 4);
}

// Lanes that have work: blocks of pixels.
static int64_t lanes(const fv_conv_row *row, const fv_conv_shape *s) {
    if (flat(s))
        return ceil_div((int64_t)s->n * s->out_w * s->out_h, row->x);
    int rows = row->kernel == FV_CONV_DEPTHWISE ? ceil_div(s->out_h, row->y) : s->out_h;
    return (int64_t)ceil_div(s->out_w, row->x) * rows * s->n;
}

uint32_t fv_conv_local(int64_t lanes, const fv_gpu_caps *caps) {
    return caps->subgroup * (!caps->cpu && lanes >= 8 * (int64_t)caps->subgroup ? 2 : 1);
}

static int local_size(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    return (int)fv_conv_local(lanes(row, s), caps);
}

static bool in_eights(const fv_conv_shape *s, const fv_gpu_caps *caps) {
    return caps->int64 && s->eights && !s->half && (s->depthwise || s->out_channels / s->groups % 8 == 0);
}

// Of four channels that a lane of the depthwise kernel has: two where stores cost most, if its code, so many products of
// vectors, does not become so long that the driver keeps megabytes of it.
static int vectors(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    int products = 2 * row->x * row->y * s->kernel_x * s->kernel_y;
    return in_eights(s, caps) && caps->cpu && products <= MAX_VECTORS ? 2 : 1;
}

static int work_x(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    return row->kernel == FV_CONV_DEPTHWISE ? ceil_div(s->in_channels, 4 * vectors(row, s, caps)) : group_blocks(row, s) * s->groups;
}

// ---- rows ------------------------------------------------------------------------------------------

// Its weights take twice the room: not for small pictures, whose weights come from afar for every frame.
static bool winograd_fits(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    bool folds = s->stride_x == 1 ||
                 (s->adjoining && s->groups == 1 && s->in_w % s->stride_x == 0 && s->pad_x % s->stride_x == 0);
    return s->kernel_x == 3 * s->stride_x && folds && s->dilation_x == 1 && !s->half &&
           lanes(row, s) >= 4 * (int64_t)caps->subgroup;
}

// Its code is as long as the kernel has taps.
static bool picture_fits(const fv_conv_shape *s) {
    int taps = s->kernel_x * s->kernel_y;
    return s->in_channels <= 4 && s->groups == 1 && taps > 1 && taps <= MAX_UNROLLED;
}

// Sums of float16 are wanted where float32 ones are not worth measuring: a CPU comes here when told to.
static bool arithmetic_fits(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    if (row->kernel == FV_CONV_FP16)
        return s->half == FV_HALF_COMPUTED;
    return (row->kernel != FV_CONV_TILE && row->kernel != FV_CONV_PICTURE) || s->half != FV_HALF_COMPUTED || !caps->cpu;
}

bool fv_conv_row_fits(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    bool lanes_fit = caps->shuffle && caps->subgroup >= 4 && caps->subgroup <= 64;
    if (!lanes_fit || s->depthwise != (row->kernel == FV_CONV_DEPTHWISE) || s->kernel_x > MAX_KERNEL_X ||
        s->stride_x > 4 || s->dilation_x > 4)
        return false;
    if (row->kernel == FV_CONV_DEPTHWISE && (s->kernel_y * s->kernel_x > MAX_TAPS || s->stride_y > 4 || s->dilation_y > 4))
        return false;
    if (!arithmetic_fits(row, s, caps) || (row->kernel == FV_CONV_WINOGRAD && !winograd_fits(row, s, caps)))
        return false;
    if (row->kernel == FV_CONV_PICTURE && !picture_fits(s))
        return false;
    if (s->groups > 1 && !s->depthwise && (s->in_channels / s->groups % 4 || s->out_channels / s->groups % 4))
        return false;
    return work_x(row, s, caps) <= MAX_GROUPS && lanes(row, s) / local_size(row, s, caps) < MAX_GROUPS;
}

static void fill_push(const fv_conv_row *row, const fv_conv_shape *s, fv_push_tile *push) {
    bool is_flat = flat(s);
    int fold = folded(row, s);
    *push = (fv_push_tile){
        .width = s->in_w / fold, .height = s->in_h, .out_width = s->out_w, .out_height = s->out_h,
        .in_channels4 = (uint32_t)in_channels4(row, s), .in_pitch4 = (uint32_t)fold, .rows = (uint32_t)(s->n * s->out_h),
        .kernel_height = s->kernel_y, .dilation_y = s->dilation_y, .pad_x = s->pad_x / fold, .pad_y = s->pad_y,
        .out_channels = (uint32_t)(s->out_channels / s->groups)};
    if (row->kernel == FV_CONV_DEPTHWISE) {
        push->in_channels4 = (uint32_t)ceil_div(s->in_channels, 4);
        push->out_channels = (uint32_t)s->out_channels;
    } else {
        push->group_blocks = (uint32_t)group_blocks(row, s);
    }
    if (is_flat) {
        push->width = push->out_width = s->n * s->out_w * s->out_h;
        push->height = push->out_height = 1;
        push->rows = 1;
    }
    if (s->near_channels) {
        push->near_channels4 = (uint32_t)s->near_channels / 4;
        push->in_channels4 -= push->near_channels4;
        push->kernel_height = 2; // turns of the kernel's loop
    } else if (s->n_parts) {
        push->kernel_height = s->n_parts;
    }
    push->blocks_x = (uint32_t)ceil_div(push->out_width, row->x);
}

// As float32, with wide stores, as float16; each for few activations and for any (shaders/act.h).
static const char *kernel_name(const fv_conv_row *row, const fv_conv_shape *s, bool wide) {
    static const char *const names[FV_N_CONV_KERNELS][3][2] = {
        [FV_CONV_TILE] = {{"conv_tile", "conv_tile_any"}, {"conv_tile_wide", "conv_tile_any_wide"},
                          {"conv_tile_half", "conv_tile_any_half"}},
        [FV_CONV_WINOGRAD] = {{"conv_winograd", "conv_winograd_any"}, {"conv_winograd_wide", "conv_winograd_any_wide"}},
        [FV_CONV_PICTURE] = {{"conv_picture", "conv_picture_any"}, {"conv_picture_wide", "conv_picture_any_wide"},
                             {"conv_picture_half", "conv_picture_any_half"}},
        [FV_CONV_FP16] = {[2] = {"conv_fp16", "conv_fp16_any"}},
        [FV_CONV_DEPTHWISE] = {{"conv_depthwise", "conv_depthwise_any"},
                               {"conv_depthwise_wide", "conv_depthwise_any_wide"},
                               {"conv_depthwise_half", "conv_depthwise_any_half"}}};
    return names[row->kernel][s->half ? 2 : wide][s->act > ACT_LAST_OF_FEW];
}

static fv_conv_dispatch tile_dispatch(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    int ob = fv_conv_row_block(row, s), m = s->out_channels / s->groups, c = s->in_channels / s->groups;
    int fold = folded(row, s);
    return (fv_conv_dispatch){
        .kernel = kernel_name(row, s, caps->int64),
        .n_spec = row->kernel == FV_CONV_PICTURE ? 15 : 14,
        .spec = {(uint32_t)local_size(row, s, caps), caps->subgroup, (uint32_t)row->x, (uint32_t)ob,
                 (uint32_t)(s->kernel_x / fold), (uint32_t)(s->stride_x / fold), (uint32_t)s->stride_y,
                 (uint32_t)s->dilation_x, s->act, s->residual, m % ob == 0, (uint32_t)(c < 4 ? c : 4),
                 s->n_parts ? 3 : s->near_channels ? s->near_first ? 1 : 2 : 0, in_eights(s, caps), (uint32_t)s->kernel_y}};
}

static fv_conv_dispatch depthwise_dispatch(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    return (fv_conv_dispatch){
        .kernel = kernel_name(row, s, caps->int64),
        .n_spec = 14,
        .spec = {(uint32_t)local_size(row, s, caps), caps->subgroup, (uint32_t)row->x, (uint32_t)row->y,
                 (uint32_t)s->kernel_x, (uint32_t)s->kernel_y, (uint32_t)s->stride_x, (uint32_t)s->stride_y,
                 (uint32_t)s->dilation_x, (uint32_t)s->dilation_y, s->act, s->residual, s->out_channels % 4 == 0,
                 vectors(row, s, caps) == 2}};
}

fv_conv_dispatch fv_conv_row_dispatch(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    fv_conv_dispatch d = row->kernel == FV_CONV_DEPTHWISE ? depthwise_dispatch(row, s, caps) : tile_dispatch(row, s, caps);
    fill_push(row, s, &d.push);
    d.groups[0] = (uint32_t)work_x(row, s, caps);
    d.groups[1] = (uint32_t)ceil_div(lanes(row, s), d.spec[0]);
    d.groups[2] = 1;
    return d;
}

// ---- cost ------------------------------------------------------------------------------------------

// Instructions of a CPU's vector unit, counted in what lavapipe compiles: a fetch gathers for all lanes,
// a shuffle broadcasts, a store goes lane by lane.
enum { FETCH = 90, STORE = 20, GROUP = 1500, REGISTERS = 32 };
static const double FP16_COST = 0.75; // cheaper, and near enough to have float32 sums measured beside it

// Instructions of one row of the kernel and four input channels, and how many vectors are fetched for it.
typedef struct {
    double products, spills, fetches;
} step_cost;

static step_cost tile_step(const fv_conv_row *row, const fv_conv_shape *s, double ob, double lanes_) {
    double span = (row->x - 1) * s->stride_x + (s->kernel_x - 1) * s->dilation_x + 1;
    span = span < row->x * s->kernel_x ? span : row->x * s->kernel_x;
    return (step_cost){.products = s->kernel_x * ob * 4 * (2 * row->x + 2), .spills = 2 * ob * row->x,
                       .fetches = span + s->kernel_x * ceil(ob / lanes_)};
}

static step_cost picture_step(const fv_conv_row *row, const fv_conv_shape *s, double ob, double lanes_) {
    double span = (row->x - 1) * s->stride_x + (s->kernel_x - 1) * s->dilation_x + 1;
    return (step_cost){.products = s->kernel_x * ob * s->in_channels * 2 * row->x,
                       .fetches = span + s->kernel_x * ceil(ob / lanes_)};
}

static step_cost winograd_step(const fv_conv_row *row, const fv_conv_shape *s, double ob, double lanes_) {
    double tiles = row->x / TILE, transform = 4 * 15, channels = s->in_channels < 4 ? s->in_channels : 4;
    return (step_cost){.products = PRODUCTS * ob * channels * (2 * tiles + 2) + tiles * transform,
                       .spills = 2 * ob * PRODUCTS * tiles, .fetches = row->x + 2 + ceil(PRODUCTS * ob / lanes_)};
}

static double tile_subgroup_cost(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    double ob = fv_conv_row_block(row, s), lanes_ = caps->subgroup;
    step_cost c = row->kernel == FV_CONV_WINOGRAD ? winograd_step(row, s, ob, lanes_)
                  : row->kernel == FV_CONV_PICTURE ? picture_step(row, s, ob, lanes_) : tile_step(row, s, ob, lanes_);
    double code = c.products + c.spills + c.fetches * 10;
    double step = (c.products + c.spills) * (code > 3500 ? 1.25 : 1) + c.fetches * FETCH;
    return step * s->kernel_y * in_channels4(row, s) + row->x * ob / 4 * lanes_ * STORE;
}

static double depthwise_subgroup_cost(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    double span_x = (row->x - 1) * s->stride_x + (s->kernel_x - 1) * s->dilation_x + 1;
    double span_y = (row->y - 1) * s->stride_y + (s->kernel_y - 1) * s->dilation_y + 1;
    double taps = s->kernel_x * s->kernel_y;
    return vectors(row, s, caps) * ((span_x * span_y + 2) * FETCH + taps * row->y * (8 + 8.0 * row->x) +
                               row->x * row->y * caps->subgroup * STORE);
}

double fv_conv_row_cost(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps) {
    double subgroup = row->kernel == FV_CONV_DEPTHWISE ? depthwise_subgroup_cost(row, s, caps)
                                                      : tile_subgroup_cost(row, s, caps);
    int local = local_size(row, s, caps);
    int64_t groups = (int64_t)ceil_div(lanes(row, s), local) * work_x(row, s, caps);
    groups = groups < 2 ? 2 : groups; // two cores at least
    double cost = (double)groups * (subgroup * local / (int)caps->subgroup + GROUP);
    return row->kernel == FV_CONV_FP16 ? FP16_COST * cost : cost;
}

const fv_conv_row *fv_conv_row_default(const fv_conv_shape *s, const fv_gpu_caps *caps) {
    const fv_conv_row *best = NULL;
    for (const fv_conv_row *row = fv_conv_rows; row->name; row++)
        if (fv_conv_row_fits(row, s, caps) &&
            (!best || fv_conv_row_cost(row, s, caps) < fv_conv_row_cost(best, s, caps)))
            best = row;
    return best;
}

// ---- weights ---------------------------------------------------------------------------------------

// Weights of a row of the kernel as they are stored, for each of the pixels that are one.
static int columns(const fv_conv_row *row, const fv_conv_shape *s) {
    return row->kernel == FV_CONV_WINOGRAD ? PRODUCTS : s->kernel_x;
}

// shaders/conv_winograd.comp has the other two transforms. The three columns are `apart`.
static float column(const fv_conv_row *row, const float *from, int apart, int x) {
    static const double filter[PRODUCTS][3] = {
        {1 / 4., 0, 0},            {-1 / 6., -1 / 6., -1 / 6.},  {-1 / 6., 1 / 6., -1 / 6.},
        {1 / 24., 1 / 12., 1 / 6.}, {1 / 24., -1 / 12., 1 / 6.}, {0, 0, 1}};
    if (row->kernel != FV_CONV_WINOGRAD)
        return from[x];
    const double *f = filter[x];
    return (float)(f[0] * (double)from[0] + f[1] * (double)from[apart] + f[2] * (double)from[2 * apart]);
}

size_t fv_conv_row_weights(const fv_conv_row *row, const fv_conv_shape *s) {
    size_t taps = (size_t)columns(row, s) * (size_t)s->kernel_y;
    if (row->kernel == FV_CONV_DEPTHWISE)
        return (size_t)ceil_div(s->in_channels, 4) * 4 * taps;
    size_t inputs = 4 * (size_t)in_channels4(row, s), outputs = (size_t)fv_conv_row_block(row, s);
    return (size_t)(group_blocks(row, s) * s->groups) * taps * inputs * outputs;
}

// [block][ky][pixel of those that are one][four inputs][column][output of the block] of four inputs.
static void pack_tile(const fv_conv_row *row, const fv_conv_shape *s, const float *from, float *to) {
    int ob = fv_conv_row_block(row, s), blocks = group_blocks(row, s), m = s->out_channels / s->groups;
    int c = s->in_channels / s->groups, fold = folded(row, s), c4 = in_channels4(row, s), n = columns(row, s);
    int ky_n = s->kernel_y;
    for (int o = 0; o < s->out_channels; o++) {
        size_t block = (size_t)(o / m * blocks + o % m / ob), lane = (size_t)(o % m % ob);
        for (int i = 0; i < c; i++)
            for (int ky = 0; ky < ky_n; ky++, from += s->kernel_x) {
                size_t line = (block * (size_t)ky_n + (size_t)ky) * (size_t)c4 + (size_t)(i / 4);
                for (int x = 0; x < fold * n; x++) {
                    size_t at = (line + (size_t)(x / n * (c4 / fold))) * (size_t)n + (size_t)(x % n);
                    to[(at * (size_t)ob + lane) * 4 + (size_t)(i % 4)] = column(row, from + x / n, fold, x % n);
                }
            }
    }
}

// [four channels][ky][kx] of four channels.
static void pack_depthwise(const fv_conv_shape *s, const float *from, float *to) {
    int taps = s->kernel_x * s->kernel_y;
    for (int c = 0; c < s->in_channels; c++)
        for (int t = 0; t < taps; t++)
            to[(c / 4 * taps + t) * 4 + c % 4] = from[c * taps + t];
}

void fv_conv_row_pack(const fv_conv_row *row, const fv_conv_shape *s, const float *from, float *to) {
    if (row->kernel == FV_CONV_DEPTHWISE)
        pack_depthwise(s, from, to);
    else
        pack_tile(row, s, from, to);
}

void fv_conv_shape_text(const fv_conv_shape *s, char *text, size_t size) {
    static const char *const half[] = {"", " half", " fp16"};
    int n = snprintf(text, size, "%s n%d %dx%d c%d g%d > %dx%d c%d k%dx%d s%dx%d d%dx%d p%dx%d a%u r%u e%d%s%s",
             s->depthwise ? "depthwise" : "dense", s->n, s->in_w, s->in_h, s->in_channels, s->groups, s->out_w,
             s->out_h, s->out_channels, s->kernel_x, s->kernel_y, s->stride_x, s->stride_y, s->dilation_x,
             s->dilation_y, s->pad_x, s->pad_y, s->act, s->residual, s->eights, half[s->half],
             s->adjoining ? " adjoining" : "");
    if (s->near_channels && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, " near %s%d", s->near_first ? "first " : "", s->near_channels);
}
