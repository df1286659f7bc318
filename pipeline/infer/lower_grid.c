#include "pipeline/infer/lower.h"

#include <stddef.h>

#include "pipeline/graph/op_grid.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return fv_plan_tensor(p, n->in[0])->n_dims == 4 && fv_plan_tensor(p, n->in[1])->n_dims == 4;
}

static void lower(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_grid_attr *a = n->attr;
    const fv_view *picture = fv_plan_pixels(p, n->in[0]);
    if (!picture)
        return;
    fv_view from = *picture;
    const fv_view *any = fv_plan_any(p, n->in[1]);
    const fv_view *points = any && !fv_view_is_dense(any) ? fv_plan_dense(p, n->in[1]) : any;
    if (!points)
        return;
    fv_view grid = *points, to = fv_plan_make_pixels(p, n->out[0]);
    fv_pixel_view in, out;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out);
    fv_push_grid push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .in_w = (uint32_t)in.w, .in_h = (uint32_t)in.h,
        .out_at4 = (uint32_t)out.at4, .out_pitch4 = (uint32_t)out.pitch4, .grid_at = (uint32_t)grid.at,
        .n_points = (uint32_t)out.n_pixels, .points = (uint32_t)(out.h * out.w), .c4 = (uint32_t)out.c4};
    uint32_t spec[] = {(uint32_t)a->mode, (uint32_t)a->padding, (uint32_t)a->align_corners, grid.space};
    fv_step *s = fv_plan_dispatch(p, n, "grid", spec, 4, &push, sizeof push, out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_grid, in_at4), 16);
    fv_step_reads(s, &grid, offsetof(fv_push_grid, grid_at), 4);
    fv_step_writes(s, &to, offsetof(fv_push_grid, out_at4), 16);
}

const fv_lowering fv_lower_grid_rows[] = {{"GridSample", 0, fits, lower}, {0}};
