#include "pipeline/infer/lower.h"

#include <stddef.h>

#include "pipeline/graph/op_resize.h"
#include "shaders/push.h"

enum { LOCAL = 64, MAX_TAPS = 64, EXACT_HALVES = 2048 }; // float16 knows all whole numbers up to 2^11

// Taps of one output position at most.
static int count_taps(const fv_resize_attr *a, int d, int64_t in, int64_t out) {
    int64_t index[FV_RESIZE_MAX_TAPS];
    float weight[FV_RESIZE_MAX_TAPS];
    int most = 1;
    for (int64_t o = 0; d >= 0 && o < out; o++) {
        fv_resize_taps t = {.index = index, .weight = weight};
        fv_resize_taps_solve(a, d, o, in, out, &t);
        most = t.n > most ? t.n : most;
    }
    return most;
}

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_resize_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *y = fv_plan_tensor(p, n->out[0]);
    for (int d = 2; d < x->n_dims && p->half; d++) // the table holds positions
        if (x->dim[d] > EXACT_HALVES)
            return false;
    for (int d = 2; d < x->n_dims && x->n_dims <= 4; d++)
        if (count_taps(a, d, x->dim[d], y->dim[d]) > MAX_TAPS)
            return false;
    return (x->n_dims == 3 || x->n_dims == 4) && x->dim[0] == y->dim[0] && x->dim[1] == y->dim[1] &&
           a->coord != FV_COORD_TF_CROP_AND_RESIZE;
}

// Pairs of input position and weight for every output position along dimension `d` (-1: of size 1).
static int64_t make_table(fv_plan *p, const fv_resize_attr *a, int d, int64_t in, int64_t out, int taps) {
    int64_t at, index[FV_RESIZE_MAX_TAPS] = {0};
    float weight[FV_RESIZE_MAX_TAPS], *table = fv_plan_weights(p, (size_t)(2 * taps * out), &at);
    for (int64_t o = 0; o < out; o++, table += 2 * taps) {
        fv_resize_taps t = {.n = 1, .index = index, .weight = weight};
        weight[0] = 1;
        if (d >= 0)
            fv_resize_taps_solve(a, d, o, in, out, &t);
        for (int i = 0; i < t.n; i++)
            table[2 * i] = (float)index[i], table[2 * i + 1] = weight[i];
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
    int last = from.n_dims - 1, row = last > 2 ? last - 1 : -1;
    int row_taps = count_taps(a, row, in.h, out.h), column_taps = count_taps(a, last, in.w, out.w);
    bool nearest = a->mode == FV_RESIZE_NEAREST, pairs = !nearest && row_taps <= 2 && column_taps <= 2;
    if (pairs)
        row_taps = column_taps = 2;
    fv_push_resize push = {
        .in_at4 = (uint32_t)in.at4, .in_pitch4 = (uint32_t)in.pitch4, .out_at4 = (uint32_t)out.at4,
        .out_pitch4 = (uint32_t)out.pitch4, .n_pixels = (uint32_t)out.n_pixels, .c4 = (uint32_t)out.c4,
        .in_w = (uint32_t)in.w, .in_h = (uint32_t)in.h, .out_w = (uint32_t)out.w, .out_h = (uint32_t)out.h,
        .row_taps = (uint32_t)row_taps, .column_taps = (uint32_t)column_taps};
    push.rows_at = (uint32_t)make_table(p, a, row, in.h, out.h, row_taps);
    push.columns_at = (uint32_t)make_table(p, a, last, in.w, out.w, column_taps);
    fv_step *s = fv_plan_dispatch(p, n, "resize", (uint32_t[]){nearest, pairs}, 2, &push, sizeof push,
                                  out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_resize, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_resize, out_at4), 16);
}

const fv_lowering fv_lower_resize_rows[] = {{"Resize", 0, fits, lower}, {"Upsample", 0, fits, lower}, {0}};
