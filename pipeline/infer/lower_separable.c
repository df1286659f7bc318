#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/infer/conv_row.h"
#include "shaders/act.h"
#include "shaders/push.h"

// In cycles of a CPU for four channels of a pixel: one more turn of the depthwise kernel costs about a cycle
// a tap, the tensor between the two that is not written and read again saves BETWEEN. A step saves STEP.
enum { MAX_TAPS = 25, MAX_BLOCK = 64, SQUARE_BLOCK = 48, BETWEEN = 12, STEP = 320000 };

static bool is_conv(const fv_node *n) {
    return !strcmp(fv_node_op(n), "Conv");
}

static int64_t blocks_of(int64_t channels) {
    return (channels + MAX_BLOCK - 1) / MAX_BLOCK;
}

// Output channels of a block: equal blocks, for which the depthwise kernel is done again.
static int64_t block_of(int64_t channels) {
    int64_t blocks = blocks_of(channels);
    return ((channels + blocks - 1) / blocks + 3) / 4 * 4;
}

static bool is_depthwise(const fv_plan *p, const fv_node *n) {
    const fv_conv_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *y = fv_plan_tensor(p, n->out[0]);
    return a->group > 1 && a->group == x->dim[1] && a->group == y->dim[1] && a->dilation[0] == 1 &&
           a->dilation[1] == 1 && a->stride[0] == a->stride[1] && a->residual == FV_RESIDUAL_NONE &&
           a->kernel[0] * a->kernel[1] <= MAX_TAPS && a->kernel[0] * a->kernel[1] > 1;
}

static bool pays(const fv_plan *p, const fv_node *dw, const fv_node *pw) {
    const fv_conv_attr *a = dw->attr;
    int64_t again = blocks_of(fv_plan_tensor(p, pw->out[0])->dim[1]) - 1;
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    return fv_tensor_count(fv_plan_tensor(p, dw->out[0])) / 4 * (taps * again - BETWEEN) <= STEP;
}

static const fv_node *find(const fv_plan *p, const fv_node *n) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    const fv_node *b = is_conv(n) && caps->shuffle && caps->subgroup >= 4 && is_depthwise(p, n) ? fv_joint_reader(p, n) : NULL;
    return b && is_conv(b) && fv_lower_find(p, b) && fv_conv_is_pointwise(b->attr) && pays(p, n, b) ? b : NULL;
}

// A constant [rows][channels][size] of a node, in whole vec4 for each of the input's parts; free() it. NULL: it has none.
static float *arrange(const fv_plan *p, const fv_node *n, int input, const fv_parts *parts, int64_t rows, int64_t size) {
    const fv_tensor *t = input < n->n_in && n->in[input] >= 0 ? fv_plan_tensor(p, n->in[input]) : NULL;
    float *own = t && !parts ? malloc(fv_tensor_bytes(t)) : NULL;
    if (t && parts)
        return fv_parts_spread(parts, t->data, rows, size);
    if (t && !own)
        abort();
    return t ? memcpy(own, t->data, fv_tensor_bytes(t)) : NULL;
}

// [c4][taps, bias] of four channels.
static uint32_t pack_depthwise(fv_plan *p, const fv_node *n, const fv_parts *parts, int64_t channels, int64_t taps) {
    int64_t at;
    float *to = fv_plan_weights(p, (size_t)((channels + 3) / 4 * 4 * (taps + 1)), &at);
    float *from = arrange(p, n, 1, parts, 1, taps), *bias = arrange(p, n, 2, parts, 1, 1);
    for (int64_t c = 0; c < channels; c++) {
        float *place = to + c / 4 * 4 * (taps + 1) + c % 4;
        for (int64_t t = 0; t < taps; t++)
            place[4 * t] = from[c * taps + t];
        place[4 * taps] = bias ? bias[c] : 0;
    }
    free(from);
    free(bias);
    return (uint32_t)(at / 4);
}

// [block][c4][block's outputs] of four inputs.
static uint32_t pack_pointwise(fv_plan *p, const fv_node *n, const fv_parts *parts, int64_t m, int64_t channels,
                               int64_t block) {
    int64_t at, c4 = (channels + 3) / 4;
    float *to = fv_plan_weights(p, (size_t)((m + block - 1) / block * block * c4 * 4), &at);
    float *from = arrange(p, n, 1, parts, m, 1);
    for (int64_t o = 0; o < m; o++)
        for (int64_t c = 0; c < channels; c++)
            to[((o / block * c4 + c / 4) * block + o % block) * 4 + c % 4] = from[o * channels + c];
    free(from);
    return (uint32_t)(at / 4);
}

static uint32_t pack_bias(fv_plan *p, const fv_node *n, int64_t m) {
    int64_t at;
    float *to = fv_plan_weights(p, (size_t)m, &at);
    if (n->n_in > 2 && n->in[2] >= 0)
        memcpy(to, fv_plan_tensor(p, n->in[2])->data, (size_t)m * sizeof *to);
    return (uint32_t)(at / 4);
}

static void lower(fv_plan *p, const fv_node *dw, const fv_node *pw) {
    const fv_conv_attr *a = dw->attr, *b = pw->attr;
    const fv_parts *parts = fv_parts_of(p, dw);
    const fv_view *in_view = parts ? parts->view : fv_plan_pixels(p, dw->in[0]);
    fv_view from = in_view ? *in_view : (fv_view){0};
    const fv_view *add_view = b->residual != FV_RESIDUAL_NONE ? fv_plan_pixels(p, pw->in[3]) : in_view;
    if (!in_view || !add_view)
        return;
    fv_view add = *add_view, to = fv_plan_make_pixels(p, pw->out[0]);
    fv_pixel_view in, out, residual;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out), fv_view_as_pixels(&add, &residual);
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    uint32_t lanes = caps->subgroup, block = (uint32_t)block_of(out.c);
    uint32_t x = 2, y = block > SQUARE_BLOCK ? 1 : 2; // more pixels by more channels would not fit a CPU's registers
    fv_push_separable push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .channels4 = (uint32_t)(parts ? parts->c4 : in.c4),
        .width = (int)in.w, .height = (int)in.h, .out_at4 = (uint32_t)out.at4, .out_pitch4 = (uint32_t)out.pitch4,
        .out_channels = (uint32_t)out.c, .out_width = (int)out.w, .out_height = (int)out.h,
        .rows = (uint32_t)(out.n * out.h), .blocks_x = ((uint32_t)out.w + x - 1) / x,
        .blocks_y = ((uint32_t)out.h + y - 1) / y,
        .pad_x = a->pad[1], .pad_y = a->pad[0], .residual_at4 = (uint32_t)residual.at4,
        .residual_pitch4 = (uint32_t)residual.pitch4, .alpha = b->activation.alpha, .beta = b->activation.beta,
        .depthwise_alpha = a->activation.alpha, .depthwise_beta = a->activation.beta, .n_parts = parts ? (uint32_t)parts->n : 0};
    int64_t channels = parts ? 4 * parts->c4 : in.c;
    push.depthwise_at4 = pack_depthwise(p, dw, parts, channels, (int64_t)a->kernel[0] * a->kernel[1]);
    push.weights_at4 = pack_pointwise(p, pw, parts, out.c, channels, block);
    push.parts_at4 = parts ? fv_parts_list(p, parts) : 0;
    push.bias_at4 = pack_bias(p, pw, out.c);
    uint32_t pieces = (uint32_t)out.n * push.blocks_y * push.blocks_x;
    uint32_t local = fv_conv_local(pieces, caps);
    uint32_t spec[] = {local, lanes, x, block, (uint32_t)a->kernel[1], (uint32_t)a->kernel[0],
                       (uint32_t)a->stride[0], b->activation.kind, b->residual, a->activation.kind, y,
                       out.c % block == 0, caps->int64 && fv_view_in_eights(&out) && block % 8 == 0,
                       parts != NULL};
    bool few = b->activation.kind <= ACT_LAST_OF_FEW && a->activation.kind <= ACT_LAST_OF_FEW;
    fv_step *s = fv_plan_dispatch(p, pw, few ? "conv_separable" : "conv_separable_any", spec, 14, &push, sizeof push, 1, 1);
    s->groups[0] = ((uint32_t)out.c + block - 1) / block;
    s->groups[1] = (pieces + local - 1) / local;
    s->note = "depthwise + 1x1";
    if (parts)
        fv_parts_read(s, parts);
    else
        fv_step_reads(s, &from, offsetof(fv_push_separable, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_separable, out_at4), 16);
    if (b->residual != FV_RESIDUAL_NONE)
        fv_step_reads(s, &add, offsetof(fv_push_separable, residual_at4), 16);
    s->macs = (double)(fv_node_macs(p->graph, dw) + fv_node_macs(p->graph, pw));
}

const fv_joint fv_joint_separable = {find, lower};
