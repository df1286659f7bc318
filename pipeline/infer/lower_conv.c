#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

static bool depthwise(const fv_conv_attr *a, const fv_tensor *x, const fv_tensor *y) {
    return a->group > 1 && a->group == x->dim[1] && y->dim[1] == x->dim[1];
}

bool fv_lower_conv_fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *w = fv_plan_tensor(p, n->in[1]);
    return w->data && (x->n_dims == 3 || x->n_dims == 4) &&
           (n->n_in < 3 || n->in[2] < 0 || fv_plan_tensor(p, n->in[2])->data);
}

static void pack_bias(fv_plan *p, const fv_node *n, int64_t m, fv_push_conv_plain *push) {
    int64_t at;
    float *bias = fv_plan_weights(p, (size_t)m, &at);
    if (n->n_in > 2 && n->in[2] >= 0)
        memcpy(bias, fv_plan_tensor(p, n->in[2])->data, (size_t)m * sizeof *bias);
    push->bias_at4 = (uint32_t)(at / 4);
}

// [c4][ky][kx] of four channels.
static void pack_depthwise(fv_plan *p, const fv_tensor *w, int64_t taps, fv_push_conv_plain *push) {
    int64_t at, channels = w->dim[0];
    const float *from = w->data;
    float *to = fv_plan_weights(p, (size_t)((channels + 3) / 4 * 4 * taps), &at);
    for (int64_t c = 0; c < channels; c++)
        for (int64_t t = 0; t < taps; t++)
            to[(c / 4 * taps + t) * 4 + c % 4] = from[c * taps + t];
    push->weight_at4 = (uint32_t)(at / 4);
}

// [m4][ky][kx][c4][4 outputs] of four inputs. Groups that are no multiples of four on both sides become
// one group with zeros between.
static int pack_dense(fv_plan *p, const fv_conv_attr *a, const fv_tensor *w, int64_t in_channels, int64_t taps,
                      fv_push_conv_plain *push) {
    int64_t m = w->dim[0], c = w->dim[1], per_group = m / a->group;
    bool split = a->group > 1 && c % 4 == 0 && per_group % 4 == 0;
    int64_t width = split ? c : in_channels, c4 = (width + 3) / 4, at;
    float *to = fv_plan_weights(p, (size_t)((m + 3) / 4 * taps * c4 * 16), &at);
    const float *from = w->data;
    for (int64_t o = 0; o < m; o++) {
        int64_t shift = split ? 0 : o / per_group * c;
        for (int64_t i = 0; i < c; i++)
            for (int64_t t = 0; t < taps; t++)
                to[(((o / 4 * taps + t) * c4 + (shift + i) / 4) * 4 + o % 4) * 4 + (shift + i) % 4] =
                    from[(o * c + i) * taps + t];
    }
    push->weight_at4 = (uint32_t)(at / 4);
    push->c4 = (uint32_t)c4;
    push->m4 = (uint32_t)((split ? per_group : m) + 3) / 4;
    return split ? a->group : 1;
}

static fv_push_window make_window(const fv_conv_attr *a, const fv_pixel_view *in, const fv_pixel_view *out) {
    return (fv_push_window){
        .in_w = (int)in->w, .in_h = (int)in->h, .out_w = (int)out->w, .out_h = (int)out->h,
        .kernel_x = a->kernel[1], .kernel_y = a->kernel[0], .stride_x = a->stride[1], .stride_y = a->stride[0],
        .pad_x = a->pad[1], .pad_y = a->pad[0], .dilation_x = a->dilation[1], .dilation_y = a->dilation[0]};
}

void fv_lower_conv(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_conv_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *w = fv_plan_tensor(p, n->in[1]);
    const fv_tensor *y = fv_plan_tensor(p, n->out[0]);
    const fv_view *in_view = fv_plan_pixels(p, n->in[0]);
    const fv_view *add_view = a->residual != FV_RESIDUAL_NONE ? fv_plan_pixels(p, n->in[3]) : NULL;
    if (!in_view || (a->residual != FV_RESIDUAL_NONE && !add_view))
        return;
    fv_view from = *in_view, add = add_view ? *add_view : from, to = fv_plan_make_pixels(p, n->out[0]);
    fv_pixel_view in, out, residual;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out), fv_view_as_pixels(&add, &residual);
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    fv_push_conv_plain push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .out_at4 = (uint32_t)out.at4,
        .out_pitch4 = (uint32_t)out.pitch4, .add_at4 = (uint32_t)residual.at4, .add_pitch4 = (uint32_t)residual.pitch4,
        .n_pixels = (uint32_t)out.n_pixels, .m = (uint32_t)y->dim[1], .c4 = (uint32_t)in.c4,
        .alpha = a->activation.alpha, .beta = a->activation.beta, .win = make_window(a, &in, &out)};
    bool dw = depthwise(a, x, y);
    if (dw)
        pack_depthwise(p, w, taps, &push);
    else
        pack_dense(p, a, w, x->dim[1], taps, &push);
    pack_bias(p, n, y->dim[1], &push);
    uint32_t spec[] = {a->activation.kind, a->residual};
    fv_step *s = fv_plan_dispatch(p, n, dw ? "conv_dw_plain" : "conv_plain", spec, 2, &push, sizeof push,
                                  out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_conv_plain, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_conv_plain, out_at4), 16);
    if (add_view)
        fv_step_reads(s, &add, offsetof(fv_push_conv_plain, add_at4), 16);
    s->macs = (double)fv_node_macs(p->graph, n);
}

const fv_lowering fv_lower_conv_rows[] = {{"Conv", 0, fv_lower_conv_fits, fv_lower_conv}, {0}};
