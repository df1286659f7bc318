#include "pipeline/infer/lower.h"

#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

// ---- views: no step, or a single copy where strides cannot say it -----------------------------------

// The tensor is `view`, which lies in memory that another tensor made.
static void become(fv_plan *p, int tensor, const fv_view *view) {
    fv_plan_add_view(p, tensor, view);
}

static bool fits_reshape(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)p, (void)kind;
    return n->op->view && (n->n_out < 2 || n->out[1] < 0);
}

static void lower_reshape(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *t = fv_plan_tensor(p, n->out[0]), *x = fv_plan_tensor(p, n->in[0]);
    if (!fv_plan_any(p, n->in[0]))
        return;
    fv_view view;
    bool any = false;
    for (int i = 0; i < p->place[n->in[0]].n_views; i++)
        if (fv_view_reshape(&p->place[n->in[0]].view[i], t->n_dims, t->dim, &view)) {
            become(p, n->out[0], &view);
            any = true;
        }
    if (any)
        return;
    // Where the output is to be pixels, one copy does both: into the new memory under the old shape.
    fv_view from = *fv_plan_any(p, n->in[0]), into, pixels = fv_plan_scratch(p, t->n_dims, t->dim, t->n_dims == 4);
    if (p->place[n->out[0]].has_home)
        pixels = p->place[n->out[0]].home;
    bool zeros = pixels.padded && t->n_dims > 1 && t->dim[1] % 4;
    if (!zeros && fv_view_reshape(&pixels, x->n_dims, x->dim, &into)) {
        fv_plan_copy(p, n, &from, &into, "shuffle");
        become(p, n->out[0], &pixels);
        return;
    }
    const fv_view *dense = fv_plan_dense(p, n->in[0]);
    if (dense && fv_view_reshape(dense, t->n_dims, t->dim, &view))
        become(p, n->out[0], &view);
}

static bool fits_transpose(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)p, (void)n, (void)kind;
    return true;
}

static void lower_transpose(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_transpose_attr *a = n->attr;
    if (!fv_plan_any(p, n->in[0]))
        return;
    for (int i = 0; i < p->place[n->in[0]].n_views; i++) {
        fv_view view = fv_view_transpose(&p->place[n->in[0]].view[i], a->perm);
        become(p, n->out[0], &view);
    }
}

static void lower_slice(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_slice_attr *a = n->attr;
    const fv_tensor *t = fv_plan_tensor(p, n->out[0]);
    if (!fv_plan_any(p, n->in[0]))
        return;
    for (int i = 0; i < p->place[n->in[0]].n_views; i++) {
        fv_view view = p->place[n->in[0]].view[i];
        for (int d = 0; d < t->n_dims; d++)
            if (t->dim[d] != view.dim[d] || a->start[d] || a->step[d] != 1)
                view = fv_view_slice(&view, d, a->start[d], a->step[d], t->dim[d]);
        become(p, n->out[0], &view);
    }
}

static void lower_split(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    int axis = ((const fv_axis_attr *)n->attr)->axis;
    if (!fv_plan_any(p, n->in[0]))
        return;
    for (int i = 0; i < p->place[n->in[0]].n_views; i++) {
        int64_t start = 0;
        for (int k = 0; k < n->n_out; k++) {
            if (n->out[k] < 0)
                continue;
            int64_t length = fv_plan_tensor(p, n->out[k])->dim[axis];
            fv_view view = fv_view_slice(&p->place[n->in[0]].view[i], axis, start, 1, length);
            become(p, n->out[k], &view);
            start += length;
        }
    }
}

static bool fits_expand(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return fv_plan_tensor(p, n->out[0])->n_dims >= fv_plan_tensor(p, n->in[0])->n_dims;
}

static void lower_expand(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *t = fv_plan_tensor(p, n->out[0]);
    const fv_view *from = fv_plan_any(p, n->in[0]);
    if (!from)
        return;
    fv_view view = fv_view_broadcast(from, t->n_dims, t->dim);
    become(p, n->out[0], &view);
}

// ---- Gather with indices a + b i, which are a slice --------------------------------------------------

static int64_t index_at(const fv_tensor *t, int64_t i, int64_t size) {
    int64_t v = t->dtype == FV_I64 ? ((const int64_t *)t->data)[i] : ((const int32_t *)t->data)[i];
    return v < 0 ? v + size : v;
}

static bool fits_gather(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *t = fv_plan_tensor(p, n->in[1]);
    int axis = ((const fv_axis_attr *)n->attr)->axis;
    if (!t->data || (t->dtype != FV_I64 && t->dtype != FV_I32) || t->n_dims > 1)
        return false;
    int64_t count = fv_tensor_count(t), size = x->dim[axis];
    for (int64_t i = 2; i < count; i++)
        if (index_at(t, i, size) - index_at(t, i - 1, size) != index_at(t, 1, size) - index_at(t, 0, size))
            return false;
    return true;
}

static void lower_gather(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *t = fv_plan_tensor(p, n->in[1]);
    int axis = ((const fv_axis_attr *)n->attr)->axis;
    int64_t count = fv_tensor_count(t), first = index_at(t, 0, x->dim[axis]);
    int64_t step = count > 1 ? index_at(t, 1, x->dim[axis]) - first : 1;
    if (!fv_plan_any(p, n->in[0]))
        return;
    for (int i = 0; i < p->place[n->in[0]].n_views; i++) {
        fv_view view = fv_view_slice(&p->place[n->in[0]].view[i], axis, first, step, count);
        if (t->n_dims == 0) { // the dimension goes
            for (int d = axis; d + 1 < view.n_dims; d++)
                view.dim[d] = view.dim[d + 1], view.stride[d] = view.stride[d + 1];
            view.n_dims--;
            view.padded = false;
        }
        become(p, n->out[0], &view);
    }
}

// ---- Pad, Tile, DepthToSpace, SpaceToDepth -----------------------------------------------------------

static bool fits_pad(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_pad_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    for (int d = 0; d < x->n_dims; d++)
        if (a->begin[d] < 0 || a->end[d] < 0 || (d == 1 && (a->begin[d] || a->end[d])))
            return false;
    return a->mode == FV_PAD_CONSTANT;
}

static void lower_pad(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_pad_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    const fv_view *from = fv_plan_any(p, n->in[0]);
    if (!from)
        return;
    fv_view in = *from, to = x->n_dims == 4 ? fv_plan_make_pixels(p, n->out[0]) : fv_plan_make_dense(p, n->out[0]);
    fv_plan_fill(p, n, &to, (float)a->value);
    for (int d = 0; d < x->n_dims; d++)
        to = a->begin[d] || a->end[d] ? fv_view_slice(&to, d, a->begin[d], 1, x->dim[d]) : to;
    fv_plan_copy(p, n, &in, &to, "pad");
}

// Six dimensions in the order of `perm`, then the output's shape.
static void lower_blocks(fv_plan *p, const fv_node *n, uint32_t to_space) {
    const fv_block_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *t = fv_plan_tensor(p, n->out[0]);
    int64_t b = a->block, c = x->dim[1], h = x->dim[2], w = x->dim[3];
    const int64_t dims[3][6] = {{x->dim[0], c, h / b, b, w / b, b}, // SpaceToDepth
                                {x->dim[0], b, b, c / (b * b), h, w},
                                {x->dim[0], c / (b * b), b, b, h, w}};
    const int perms[3][6] = {{0, 3, 5, 1, 2, 4}, {0, 3, 4, 1, 5, 2}, {0, 1, 4, 2, 5, 3}};
    int form = !to_space ? 0 : a->crd ? 2 : 1;
    const fv_view *from = fv_plan_any(p, n->in[0]);
    fv_view split, pixels, into;
    if (!from)
        return;
    if (!fv_view_reshape(from, 6, dims[form], &split)) {
        from = fv_plan_dense(p, n->in[0]);
        if (!from || !fv_view_reshape(from, 6, dims[form], &split))
            return;
    }
    fv_view moved = fv_view_transpose(&split, perms[form]);
    moved.padded = false;
    pixels = t->dim[1] % 4 ? fv_plan_make_dense(p, n->out[0]) : fv_plan_make_pixels(p, n->out[0]);
    if (fv_view_reshape(&pixels, 6, moved.dim, &into))
        fv_plan_copy(p, n, &moved, &into, "blocks");
    else
        fv_plan_fail(p, FV_UNSUPPORTED, "node '%s': blocks of %d do not fit", n->name, a->block);
}

static bool fits_blocks(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return fv_plan_tensor(p, n->in[0])->n_dims == 4;
}

const fv_lowering fv_lower_shape_rows[] = {
    {"Reshape", 0, fits_reshape, lower_reshape},
    {"Flatten", 0, fits_reshape, lower_reshape},
    {"Squeeze", 0, fits_reshape, lower_reshape},
    {"Unsqueeze", 0, fits_reshape, lower_reshape},
    {"Identity", 0, fits_reshape, lower_reshape},
    {"Dropout", 0, fits_reshape, lower_reshape},
    {"Transpose", 0, fits_transpose, lower_transpose},
    {"Slice", 0, fits_transpose, lower_slice},
    {"Split", 0, fits_transpose, lower_split},
    {"Expand", 0, fits_expand, lower_expand},
    {"Gather", 0, fits_gather, lower_gather},
    {"Pad", 0, fits_pad, lower_pad},
    {"DepthToSpace", 1, fits_blocks, lower_blocks},
    {"SpaceToDepth", 0, fits_blocks, lower_blocks},
    {0},
};
