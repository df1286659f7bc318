#include "pipeline/infer/lower.h"

#include <math.h>
#include <stddef.h>

#include "pipeline/graph/op_resize.h"
#include "shaders/push.h"

enum { LOCAL = 64, EXACT_HALVES = 2048 }; // float16 knows all whole numbers up to 2^11

// Nearest and linear without the rarer options; the host does the others.
static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_resize_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *y = fv_plan_tensor(p, n->out[0]);
    for (int d = 2; d < x->n_dims && p->half; d++) // the table holds positions
        if (x->dim[d] > EXACT_HALVES)
            return false;
    return (x->n_dims == 3 || x->n_dims == 4) && x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1] &&
           a->mode != FV_RESIZE_CUBIC && !a->antialias && !a->exclude_outside && a->coord != FV_COORD_TF_CROP_AND_RESIZE;
}

static int64_t nearest(fv_nearest rule, float x) {
    switch (rule) {
    case FV_ROUND_PREFER_FLOOR: return (int64_t)ceilf(x - 0.5f);
    case FV_ROUND_PREFER_CEIL: return (int64_t)floorf(x + 0.5f);
    case FV_FLOOR: return (int64_t)floorf(x);
    case FV_CEIL: return (int64_t)ceilf(x);
    }
    return 0;
}

static float clamped(int64_t i, int64_t size) {
    return (float)(i < 0 ? 0 : i >= size ? size - 1 : i);
}

// Pairs of input position and weight for every output position along dimension `d` (-1: of size 1).
static int64_t make_table(fv_plan *p, const fv_resize_attr *a, int d, int64_t in, int64_t out, int taps) {
    int64_t at;
    float *table = fv_plan_weights(p, (size_t)(2 * taps * out), &at);
    for (int64_t o = 0; o < out; o++, table += 2 * taps) {
        float x = d < 0 ? 0 : fv_resize_coord(a, d, o, in, out), low = floorf(x);
        if (taps == 1) {
            table[0] = clamped(nearest(a->nearest, x), in), table[1] = 1;
            continue;
        }
        table[0] = clamped((int64_t)low, in), table[1] = 1 - (x - low);
        table[2] = clamped((int64_t)low + 1, in), table[3] = x - low;
    }
    return at;
}

static void lower(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_resize_attr *a = n->attr;
    const fv_view *view = fv_plan_pixels(p, n->in[0]);
    if (!view)
        return;
    fv_view from = *view, to = fv_plan_make_pixels(p, n->out[0]);
    fv_pixel_view in, out;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out);
    int taps = a->mode == FV_RESIZE_NEAREST ? 1 : 2, last = from.n_dims - 1;
    fv_push_resize push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .out_at4 = (uint32_t)out.at4,
        .out_pitch4 = (uint32_t)out.pitch4, .n_pixels = (uint32_t)out.n_pixels, .c4 = (uint32_t)out.c4,
        .in_w = (uint32_t)in.w, .in_h = (uint32_t)in.h, .out_w = (uint32_t)out.w, .out_h = (uint32_t)out.h,
        .row_taps = (uint32_t)taps, .column_taps = (uint32_t)taps};
    push.rows_at = (uint32_t)make_table(p, a, last > 2 ? last - 1 : -1, in.h, out.h, taps);
    push.columns_at = (uint32_t)make_table(p, a, last, in.w, out.w, taps);
    fv_step *s = fv_plan_dispatch(p, n, "resize", (uint32_t[]){taps == 1}, 1, &push, sizeof push,
                                  out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_resize, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_resize, out_at4), 16);
}

const fv_lowering fv_lower_resize_rows[] = {{"Resize", 0, fits, lower}, {"Upsample", 0, fits, lower}, {0}};
