#include "pipeline/infer/lower.h"

#include <math.h>
#include <stddef.h>

#include "pipeline/graph/op_math.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

// A BatchNormalization that no convolution took in is a depthwise one of 1 x 1.
static bool fits_batch(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    if (x->n_dims < 3 || (n->n_out > 1 && n->out[1] >= 0) || ((const fv_norm_attr *)n->attr)->training)
        return false;
    for (int i = 1; i < 5; i++)
        if (!fv_plan_tensor(p, n->in[i])->data || fv_plan_tensor(p, n->in[i])->dtype != FV_F32)
            return false;
    return true;
}

static void lower_batch(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const float *scale = fv_plan_tensor(p, n->in[1])->data, *bias = fv_plan_tensor(p, n->in[2])->data;
    const float *mean = fv_plan_tensor(p, n->in[3])->data, *variance = fv_plan_tensor(p, n->in[4])->data;
    const fv_view *view = fv_plan_pixels(p, n->in[0]);
    if (!view)
        return;
    fv_view from = *view, to = fv_plan_make_pixels(p, n->out[0]);
    fv_pixel_view in, out;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out);
    int64_t room = 4 * in.c4, at;
    float *w = fv_plan_weights(p, (size_t)(2 * room), &at);
    for (int64_t c = 0; c < in.c; c++) {
        w[c] = scale[c] / sqrtf(variance[c] + ((const fv_norm_attr *)n->attr)->epsilon);
        w[room + c] = bias[c] - mean[c] * w[c];
    }
    int pixels = (int)in.n_pixels;
    fv_push_conv_plain push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .out_at4 = (uint32_t)out.at4,
        .out_pitch4 = (uint32_t)out.pitch4, .weight_at4 = (uint32_t)(at / 4), .bias_at4 = (uint32_t)((at + room) / 4),
        .n_pixels = (uint32_t)out.n_pixels, .m = (uint32_t)in.c, .c4 = (uint32_t)in.c4,
        .win = {.in_w = pixels, .in_h = 1, .out_w = pixels, .out_h = 1, .kernel_x = 1, .kernel_y = 1,
                .stride_x = 1, .stride_y = 1, .dilation_x = 1, .dilation_y = 1}};
    fv_step *s = fv_plan_dispatch(p, n, "conv_dw_plain", (uint32_t[]){0, 0}, 2, &push, sizeof push,
                                  out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_conv_plain, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_conv_plain, out_at4), 16);
}

const fv_lowering fv_lower_norm_rows[] = {{"BatchNormalization", 0, fits_batch, lower_batch}, {0}};
