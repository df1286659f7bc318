#include "pipeline/infer/lower.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"
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

// ---- InstanceNormalization, GroupNormalization, LayerNormalization ---------------------------------

enum { LAYER = 1, RUN_DIMS = 5 };

// What a run is scaled by has as many values as the run, in its order.
static bool of_a_run(const fv_tensor *t, const fv_tensor *x, int axis) {
    int inner = x->n_dims - axis, outer = t->n_dims - inner;
    return outer >= 0 && fv_dims_product(t, 0, outer) == 1 &&
           !memcmp(t->dim + outer, x->dim + axis, (size_t)inner * sizeof *t->dim);
}

static bool fits_runs(const fv_plan *p, const fv_node *n, uint32_t kind) {
    for (int i = 1; i < n->n_in; i++) {
        const fv_tensor *t = n->in[i] >= 0 ? fv_plan_tensor(p, n->in[i]) : NULL;
        if (t && (!t->data || t->dtype != FV_F32 ||
                  (kind == LAYER && !of_a_run(t, fv_plan_tensor(p, n->in[0]), ((const fv_norm_attr *)n->attr)->axis))))
            return false;
    }
    return (n->n_out < 2 || n->out[1] < 0) && (n->n_out < 3 || n->out[2] < 0);
}

// The shape as runs (the first two dimensions) of elements (the last three), and the strides of scale.
static void run_shape(const fv_plan *p, const fv_node *n, uint32_t kind, int64_t dim[RUN_DIMS], int32_t scale[RUN_DIMS]) {
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    const fv_norm_attr *a = n->attr;
    int64_t n_scales = fv_tensor_count(fv_plan_tensor(p, n->in[1])), outer = 1, inner = 1;
    for (int d = 0; d < (kind == LAYER ? a->axis : 1); d++)
        outer *= x->dim[d];
    for (int d = kind == LAYER ? a->axis : 2; d < x->n_dims; d++)
        inner *= x->dim[d];
    int64_t groups = kind == LAYER ? 1 : a->groups, channels = kind == LAYER ? 1 : x->dim[1] / groups;
    memcpy(dim, (int64_t[]){outer, groups, 1, channels, inner}, RUN_DIMS * sizeof *dim);
    bool by_channel = kind != LAYER && n_scales == groups * channels;
    memcpy(scale, (int32_t[]){0, by_channel ? (int32_t)channels : 1, 0, by_channel, kind == LAYER},
           RUN_DIMS * sizeof *scale);
}

// Any view of the input that can be walked like that.
static bool find_runs(fv_plan *p, int tensor, const int64_t dim[RUN_DIMS], fv_view *view) {
    if (!fv_plan_any(p, tensor))
        return false;
    for (int i = 0; i < p->place[tensor].n_views; i++)
        if (fv_view_reshape(&p->place[tensor].view[i], RUN_DIMS, dim, view))
            return true;
    const fv_view *dense = fv_plan_dense(p, tensor);
    return dense && fv_view_reshape(dense, RUN_DIMS, dim, view);
}

static uint32_t bring(fv_plan *p, int tensor) {
    const fv_view *v = fv_plan_any(p, tensor);
    return v ? (uint32_t)v->at : 0;
}

static void lower_runs(fv_plan *p, const fv_node *n, uint32_t kind) {
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    int64_t dim[RUN_DIMS];
    fv_push_normalize push = {.epsilon = ((const fv_norm_attr *)n->attr)->epsilon};
    fv_pixel_view pixels;
    fv_view from, to_run;
    run_shape(p, n, kind, dim, push.scale_stride);
    bool is_pixels = kind != LAYER && x->dim[1] % 4 == 0 && fv_plan_has_pixels(p, n->in[0], &pixels);
    if (!find_runs(p, n->in[0], dim, &from))
        return;
    fv_view to = is_pixels ? fv_plan_make_pixels(p, n->out[0]) : fv_plan_make_dense(p, n->out[0]);
    if (!fv_view_reshape(&to, RUN_DIMS, dim, &to_run)) {
        fv_plan_fail(p, FV_GPU, "node '%s': its output cannot be walked in runs", n->name);
        return;
    }
    bool bias = n->n_in > 2 && n->in[2] >= 0;
    push.in_at = (uint32_t)from.at, push.out_at = (uint32_t)to.at;
    push.scale_at = bring(p, n->in[1]), push.bias_at = bias ? bring(p, n->in[2]) : 0;
    push.count = (uint32_t)(dim[0] * dim[1]), push.n = (uint32_t)(dim[2] * dim[3] * dim[4]);
    for (int d = 0; d < RUN_DIMS; d++) {
        push.dim[d] = (uint32_t)dim[d];
        push.in_stride[d] = (int32_t)from.stride[d], push.out_stride[d] = (int32_t)to_run.stride[d];
    }
    fv_step *s = fv_plan_dispatch(p, n, "normalize", (uint32_t[]){from.space, bias}, 2, &push, sizeof push,
                                  push.count, 1); // a workgroup each
    fv_step_reads(s, &from, offsetof(fv_push_normalize, in_at), 4);
    fv_step_writes(s, &to, offsetof(fv_push_normalize, out_at), 4);
}

const fv_lowering fv_lower_norm_rows[] = {
    {"BatchNormalization", 0, fits_batch, lower_batch},
    {"InstanceNormalization", 0, fits_runs, lower_runs},
    {"GroupNormalization", 0, fits_runs, lower_runs},
    {"LayerNormalization", LAYER, fits_runs, lower_runs},
    {0},
};
