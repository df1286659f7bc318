#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/infer/tune.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

bool fv_lower_conv_fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *w = fv_plan_tensor(p, n->in[1]);
    return w->data && (x->n_dims == 3 || x->n_dims == 4) &&
           (n->n_in < 3 || n->in[2] < 0 || fv_plan_tensor(p, n->in[2])->data);
}

// The operands of one convolution, looked up.
typedef struct {
    const fv_conv_attr *attr;
    const fv_tensor *weights;
    const fv_near *near; // NULL, or `in` and `half` are parts of the input
    const fv_parts *parts; // NULL, or they are the input and `in` is like the first
    fv_view in_view, half_view, out_view, add_view;
    fv_pixel_view in, half, out, add;
    fv_conv_shape shape;
} operands;

static bool depthwise(const operands *o) {
    return o->attr->group > 1 && o->attr->group == o->in.c && o->out.c == o->in.c;
}

// Groups that are no multiples of four on both sides become one group with zeros between.
static int kernel_groups(const operands *o) {
    int64_t g = o->attr->group;
    return o->in.c / g % 4 || o->out.c / g % 4 ? 1 : (int)g;
}

static void fill_shape(operands *o, fv_half half) {
    const fv_conv_attr *a = o->attr;
    bool dw = depthwise(o);
    o->shape = (fv_conv_shape){
        .n = (int)o->in.n, .in_channels = (int)(o->in.c + o->half.c), .out_channels = (int)o->out.c,
        .groups = dw ? a->group : kernel_groups(o), .in_w = (int)o->in.w, .in_h = (int)o->in.h,
        .out_w = (int)o->out.w, .out_h = (int)o->out.h, .kernel_x = a->kernel[1], .kernel_y = a->kernel[0],
        .stride_x = a->stride[1], .stride_y = a->stride[0], .dilation_x = a->dilation[1], .dilation_y = a->dilation[0],
        .pad_x = a->pad[1], .pad_y = a->pad[0], .act = a->activation.kind, .residual = a->residual, .depthwise = dw,
        .near_channels = (int)o->half.c, .near_first = o->near && o->near->half_first,
        .half = half, .adjoining = a->stride[1] > 1 && o->in.pitch4 == o->in.c4, .eights = fv_view_in_eights(&o->out),
        .n_parts = o->parts ? o->parts->n : 0};
    if (o->parts)
        o->shape.in_channels = (int)(4 * o->parts->c4);
}

static bool find_operands(fv_plan *p, const fv_node *n, operands *o) {
    o->attr = n->attr;
    o->weights = fv_plan_tensor(p, n->in[1]);
    o->near = p->place[n->in[0]].near;
    o->parts = fv_parts_of(p, n);
    const fv_view *half = o->near ? fv_plan_pixels(p, o->near->half) : NULL;
    if (half)
        o->half_view = *half;
    const fv_view *in = o->parts ? o->parts->view : fv_plan_pixels(p, o->near ? o->near->whole : n->in[0]);
    if (!in || (o->near && !half))
        return false;
    o->in_view = o->add_view = *in;
    if (o->attr->residual != FV_RESIDUAL_NONE) {
        const fv_view *add = fv_plan_pixels(p, n->in[3]);
        if (!add)
            return false;
        o->add_view = *add;
    }
    o->out_view = fv_plan_make_pixels(p, n->out[0]);
    fv_view_as_pixels(&o->in_view, &o->in);
    if (o->near)
        fv_view_as_pixels(&o->half_view, &o->half);
    fv_view_as_pixels(&o->add_view, &o->add);
    fv_view_as_pixels(&o->out_view, &o->out);
    fill_shape(o, p->half);
    return true;
}

static uint32_t pack_bias(fv_plan *p, const fv_node *n, int64_t channels) {
    int64_t at;
    float *bias = fv_plan_weights(p, (size_t)channels, &at);
    if (n->n_in > 2 && n->in[2] >= 0)
        memcpy(bias, fv_plan_tensor(p, n->in[2])->data, (size_t)channels * sizeof *bias);
    return (uint32_t)(at / 4);
}

static void connect(fv_step *s, const operands *o, size_t in_at, size_t out_at, size_t add_at) {
    if (o->parts)
        fv_parts_read(s, o->parts);
    else
        fv_step_reads(s, &o->in_view, in_at, 16);
    fv_step_writes(s, &o->out_view, out_at, 16);
    if (o->attr->residual != FV_RESIDUAL_NONE)
        fv_step_reads(s, &o->add_view, add_at, 16);
    if (o->near)
        fv_step_reads(s, &o->half_view, offsetof(fv_push_tile, near_at4), 16);
}

// ---- rows ------------------------------------------------------------------------------------------

// The weights with zeros where groups were joined, or between parts; free() it. NULL: as they are.
static float *join_groups(const operands *o) {
    if (o->parts)
        return fv_parts_spread(o->parts, o->weights->data, o->out.c, 1);
    int64_t groups = o->attr->group, m = o->out.c, c = o->in.c / groups;
    int64_t taps = (int64_t)o->shape.kernel_x * o->shape.kernel_y;
    if (o->shape.depthwise || o->shape.groups == groups)
        return NULL;
    float *joined = calloc((size_t)(m * o->in.c * taps), sizeof *joined);
    if (!joined)
        abort();
    for (int64_t k = 0; k < m; k++)
        memcpy(joined + (k * o->in.c + k / (m / groups) * c) * taps, (const float *)o->weights->data + k * c * taps,
               (size_t)(c * taps) * sizeof *joined);
    return joined;
}

static void lower_row(fv_plan *p, const fv_node *n, const operands *o, const fv_conv_row *row) {
    fv_conv_dispatch d = fv_conv_row_dispatch(row, &o->shape, fv_gpu_get_caps(p->gpu));
    int64_t at;
    float *joined = join_groups(o), *to = fv_plan_weights(p, fv_conv_row_weights(row, &o->shape), &at);
    fv_conv_row_pack(row, &o->shape, joined ? joined : o->weights->data, to);
    free(joined);
    d.push.weights_at4 = (uint32_t)(at / 4);
    d.push.bias_at4 = pack_bias(p, n, o->out.c);
    d.push.in_at4 = (uint32_t)o->in.at4, d.push.in_pitch4 *= (uint32_t)o->in.pitch4;
    d.push.out_at4 = (uint32_t)o->out.at4, d.push.out_pitch4 = (uint32_t)o->out.pitch4;
    d.push.parts_at4 = o->parts ? fv_parts_list(p, o->parts) : 0;
    d.push.near_at4 = (uint32_t)o->half.at4, d.push.near_pitch4 = (uint32_t)o->half.pitch4;
    d.push.residual_at4 = (uint32_t)o->add.at4, d.push.residual_pitch4 = (uint32_t)o->add.pitch4;
    d.push.alpha = o->attr->activation.alpha, d.push.beta = o->attr->activation.beta;
    fv_step *s = fv_plan_dispatch(p, n, d.kernel, d.spec, (int)d.n_spec, &d.push, sizeof d.push, 1, 1);
    memcpy(s->groups, d.groups, sizeof s->groups);
    s->kernel = d.kernel;
    connect(s, o, offsetof(fv_push_tile, in_at4), offsetof(fv_push_tile, out_at4), offsetof(fv_push_tile, residual_at4));
    s->note = row->name;
    s->macs = (double)fv_node_macs(p->graph, n);
}

// ---- plain -----------------------------------------------------------------------------------------

// [m4][ky][kx][c4][4 outputs] of four inputs.
static uint32_t pack_plain(fv_plan *p, const operands *o, const float *from, int64_t c) {
    int64_t m = o->out.c, taps = (int64_t)o->shape.kernel_x * o->shape.kernel_y, c4 = (c + 3) / 4, at;
    float *to = fv_plan_weights(p, (size_t)((m + 3) / 4 * taps * c4 * 16), &at);
    for (int64_t k = 0; k < m; k++)
        for (int64_t i = 0; i < c; i++)
            for (int64_t t = 0; t < taps; t++)
                to[(((k / 4 * taps + t) * c4 + i / 4) * 4 + k % 4) * 4 + i % 4] = from[(k * c + i) * taps + t];
    return (uint32_t)(at / 4);
}

// [c4][ky][kx] of four channels.
static uint32_t pack_plain_depthwise(fv_plan *p, const operands *o) {
    int64_t taps = (int64_t)o->shape.kernel_x * o->shape.kernel_y, channels = o->in.c, at;
    const float *from = o->weights->data;
    float *to = fv_plan_weights(p, (size_t)((channels + 3) / 4 * 4 * taps), &at);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t t = 0; t < taps; t++)
            to[(c / 4 * taps + t) * 4 + c % 4] = from[c * taps + t];
    return (uint32_t)(at / 4);
}

static fv_push_window make_window(const fv_conv_shape *s) {
    return (fv_push_window){
        .in_w = s->in_w, .in_h = s->in_h, .out_w = s->out_w, .out_h = s->out_h, .kernel_x = s->kernel_x,
        .kernel_y = s->kernel_y, .stride_x = s->stride_x, .stride_y = s->stride_y, .pad_x = s->pad_x,
        .pad_y = s->pad_y, .dilation_x = s->dilation_x, .dilation_y = s->dilation_y};
}

static void lower_plain(fv_plan *p, const fv_node *n, const operands *o) {
    const fv_conv_shape *s = &o->shape;
    int64_t c = s->in_channels / s->groups, m = s->out_channels / s->groups;
    fv_push_conv_plain push = {
        .in_at4 = (uint32_t)o->in.at4, .in_pitch4 = (uint32_t)o->in.pitch4, .out_at4 = (uint32_t)o->out.at4,
        .out_pitch4 = (uint32_t)o->out.pitch4, .add_at4 = (uint32_t)o->add.at4, .add_pitch4 = (uint32_t)o->add.pitch4,
        .n_pixels = (uint32_t)o->out.n_pixels, .m = (uint32_t)o->out.c,
        .c4 = (uint32_t)(s->depthwise ? o->in.c4 : (c + 3) / 4), .m4 = (uint32_t)(m + 3) / 4,
        .alpha = o->attr->activation.alpha, .beta = o->attr->activation.beta, .win = make_window(s)};
    float *joined = join_groups(o);
    push.weight_at4 = s->depthwise ? pack_plain_depthwise(p, o) : pack_plain(p, o, joined ? joined : o->weights->data, c);
    free(joined);
    push.bias_at4 = pack_bias(p, n, o->out.c);
    uint32_t spec[] = {s->act, s->residual};
    fv_step *step = fv_plan_dispatch(p, n, s->depthwise ? "conv_dw_plain" : "conv_plain", spec, 2, &push, sizeof push,
                                     o->out.n_pixels * o->out.c4, LOCAL);
    connect(step, o, offsetof(fv_push_conv_plain, in_at4), offsetof(fv_push_conv_plain, out_at4),
            offsetof(fv_push_conv_plain, add_at4));
    step->macs = (double)fv_node_macs(p->graph, n);
}

void fv_lower_conv(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    operands o = {0};
    if (!find_operands(p, n, &o))
        return;
    fv_conv_shape whole = o.shape; // measured as if the input were in one place
    whole.n_parts = 0;
    const fv_conv_row *row = fv_tune_conv(p->tuner, p->gpu, &whole);
    if (row)
        lower_row(p, n, &o, row);
    else
        lower_plain(p, n, &o);
}

const fv_lowering fv_lower_conv_rows[] = {{"Conv", 0, fv_lower_conv_fits, fv_lower_conv}, {0}};
