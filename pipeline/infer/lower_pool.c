#include "pipeline/infer/lower.h"

#include <stddef.h>

#include "pipeline/graph/op_pool.h"
#include "shaders/push.h"

// Up to MAX_UNROLLED columns an invocation computes PIXELS pixels.
enum { LOCAL = 64, PIXELS = 4, MAX_UNROLLED = 13 };

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    return (x->n_dims == 3 || x->n_dims == 4) && (n->n_out < 2 || n->out[1] < 0);
}

static void lower(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_pool_attr *a = n->attr;
    const fv_view *view = fv_plan_pixels(p, n->in[0]);
    if (!view)
        return;
    fv_view from = *view, to = fv_plan_make_pixels(p, n->out[0]);
    fv_pixel_view in, out;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out);
    fv_push_pool push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .out_at4 = (uint32_t)out.at4,
        .out_pitch4 = (uint32_t)out.pitch4, .c4 = (uint32_t)out.c4, .rows = (uint32_t)(out.n * out.h),
        .count_pad = (uint32_t)a->count_include_pad, .p = (float)a->p,
        .limit_x = (int)in.w + a->pad[3], .limit_y = (int)in.h + a->pad[2],
        .win = {.in_w = (int)in.w, .in_h = (int)in.h, .out_w = (int)out.w, .out_h = (int)out.h,
                .kernel_x = a->kernel[1], .kernel_y = a->kernel[0], .stride_x = a->stride[1], .stride_y = a->stride[0],
                .pad_x = a->pad[1], .pad_y = a->pad[0], .dilation_x = a->dilation[1], .dilation_y = a->dilation[0]}};
    bool wide = a->kernel[1] <= MAX_UNROLLED && out.w > 1;
    uint32_t pixels = wide ? PIXELS : 1;
    push.blocks_x = ((uint32_t)out.w + pixels - 1) / pixels;
    uint32_t spec[] = {a->kind, pixels, wide ? (uint32_t)a->kernel[1] : 0, (uint32_t)a->stride[1],
                       (uint32_t)a->dilation[1]};
    fv_step *s = fv_plan_dispatch(p, n, "pool", spec, 5, &push, sizeof push,
                                  (int64_t)push.blocks_x * push.rows * push.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_pool, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_pool, out_at4), 16);
}

const fv_lowering fv_lower_pool_rows[] = {
    {"MaxPool", 0, fits, lower}, {"AveragePool", 0, fits, lower}, {"LpPool", 0, fits, lower},
    {"GlobalMaxPool", 0, fits, lower}, {"GlobalAveragePool", 0, fits, lower}, {"GlobalLpPool", 0, fits, lower}, {0}};
