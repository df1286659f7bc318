// Ops that move elements whole: any dtype, by strides.
#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

// ---- Transpose ----------------------------------------------------------------------------------

static void transpose_parse(fv_attrs *a, void *attr) {
    fv_transpose_attr *p = attr;
    p->n = fv_attr_ints(a, "perm", p->perm, FV_MAX_DIMS, 0, FV_MAX_DIMS - 1);
}

static bool transpose_shape(const fv_call *c) {
    fv_transpose_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    unsigned seen = 0;
    if (p->n == 0)
        for (p->n = 0; p->n < x->n_dims; p->n++)
            p->perm[p->n] = x->n_dims - 1 - p->n;
    for (int d = 0; d < p->n; d++)
        seen |= 1u << p->perm[d];
    if (p->n != x->n_dims || seen != (1u << x->n_dims) - 1)
        return fv_fail(c->err, FV_BAD_INPUT, "attribute 'perm' is no permutation of %d dimensions",
                       x->n_dims);
    for (int d = 0; d < p->n; d++)
        dim[d] = x->dim[p->perm[d]];
    return fv_shape_set(c, 0, x->dtype, p->n, dim);
}

static bool transpose_run(const fv_call *c) {
    const fv_transpose_attr *p = c->attr;
    int64_t from[FV_MAX_DIMS], src[FV_MAX_DIMS], dst[FV_MAX_DIMS];
    fv_strides_get(c->in[0], from);
    fv_strides_get(c->out[0], dst);
    for (int d = 0; d < p->n; d++)
        src[d] = from[p->perm[d]];
    fv_copy_strided(c->out[0]->data, dst, c->in[0]->data, src, p->n, c->out[0]->dim,
                    fv_dtype_size(c->in[0]->dtype));
    return true;
}

// ---- Concat, Split ------------------------------------------------------------------------------

static void axis_parse(fv_attrs *a, void *attr) {
    fv_axis_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", fv_attrs_variant(a), -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->n_parts = fv_attr_longs(a, "split", p->part, 64);
}

static bool concat_shape(const fv_call *c) {
    fv_axis_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    if (!fv_axis_solve(c, p->axis, x->n_dims, &p->axis))
        return false;
    memcpy(dim, x->dim, sizeof dim);
    for (int k = 1; k < c->n_in; k++) {
        const fv_tensor *t = c->in[k];
        bool fits = t && t->n_dims == x->n_dims && t->dtype == x->dtype;
        for (int d = 0; fits && d < x->n_dims; d++)
            fits = d == p->axis || t->dim[d] == x->dim[d];
        if (!fits || t->dim[p->axis] > INT64_MAX / 2 - dim[p->axis])
            return fv_fail(c->err, FV_BAD_INPUT, "input %d does not fit the others", k);
        dim[p->axis] += t->dim[p->axis];
    }
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

// Copies between a slab of `whole` that starts at `at` along the axis, and all of `part`.
static void slab(const fv_tensor *whole, const fv_tensor *part, int axis, int64_t at,
                 bool to_whole) {
    size_t size = fv_dtype_size(whole->dtype),
           inner = (size_t)fv_dims_product(whole, axis + 1, whole->n_dims) * size;
    size_t step = (size_t)whole->dim[axis] * inner, run = (size_t)part->dim[axis] * inner;
    for (int64_t o = 0; run && o < fv_dims_product(whole, 0, axis); o++) {
        char *w = (char *)whole->data + (size_t)o * step + (size_t)at * inner,
             *q = (char *)part->data + (size_t)o * run;
        memcpy(to_whole ? w : q, to_whole ? q : w, run);
    }
}

static bool concat_run(const fv_call *c) {
    const fv_axis_attr *p = c->attr;
    for (int64_t k = 0, at = 0; k < c->n_in; at += c->in[k++]->dim[p->axis])
        slab(c->out[0], c->in[k], p->axis, at, true);
    return true;
}

static bool split_parts(const fv_call *c, int64_t total) {
    fv_axis_attr *p = c->attr;
    if (fv_call_has(c, 1) && !fv_longs_get(c, 1, p->part, 64, &p->n_parts))
        return false;
    if (!p->n_parts && c->n_out > 64)
        return fv_fail(c->err, FV_UNSUPPORTED, "it has %d outputs; supported are 64", c->n_out);
    for (int64_t k = 0, each = (total + c->n_out - 1) / c->n_out; !p->n_parts && k < c->n_out; k++)
        p->part[k] = total - k * each < each ? (total > k * each ? total - k * each : 0) : each;
    p->n_parts = p->n_parts ? p->n_parts : c->n_out;
    int64_t sum = 0;
    for (int k = 0; k < p->n_parts; k++) {
        if (p->part[k] < 0 || p->part[k] > total - sum)
            return fv_fail(c->err, FV_BAD_INPUT, "its parts do not add up to %lld",
                           (long long)total);
        sum += p->part[k];
    }
    return (p->n_parts >= c->n_out && sum == total) ||
           fv_fail(c->err, FV_BAD_INPUT, "its parts do not add up to %lld", (long long)total);
}

static bool split_shape(const fv_call *c) {
    fv_axis_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    if (!fv_axis_solve(c, p->axis, x->n_dims, &p->axis) || !split_parts(c, x->dim[p->axis]))
        return false;
    memcpy(dim, x->dim, sizeof dim);
    for (int k = 0; k < c->n_out; k++) {
        dim[p->axis] = p->part[k];
        fv_shape_set(c, k, x->dtype, x->n_dims, dim);
    }
    return true;
}

static bool split_run(const fv_call *c) {
    const fv_axis_attr *p = c->attr;
    for (int64_t k = 0, at = 0; k < c->n_out; at += p->part[k++])
        if (c->out[k])
            slab(c->in[0], c->out[k], p->axis, at, false);
    return true;
}

// ---- Slice --------------------------------------------------------------------------------------

static void slice_parse(fv_attrs *a, void *attr) {
    fv_slice_attr *p = attr;
    p->n = fv_attr_longs(a, "starts", p->file_starts, FV_MAX_DIMS);
    int n_ends = fv_attr_longs(a, "ends", p->file_ends, FV_MAX_DIMS);
    int n_axes = fv_attr_longs(a, "axes", p->file_axes, FV_MAX_DIMS);
    for (int i = 0; !n_axes && i < FV_MAX_DIMS; i++)
        p->file_axes[i] = i;
    if (n_ends != p->n || (n_axes && n_axes != p->n))
        fv_attr_refuse(a, "attributes 'starts', 'ends' and 'axes' have different lengths");
}

static bool slice_inputs(const fv_call *c, int64_t *step) {
    fv_slice_attr *p = c->attr;
    int n_ends = p->n, n_axes = p->n, n_steps = p->n;
    if (c->n_in > 1) {
        if (c->n_in < 3 || !c->in[1] || !c->in[2])
            return fv_fail(c->err, FV_BAD_INPUT, "it has no starts and ends");
        if (!fv_longs_get(c, 1, p->file_starts, FV_MAX_DIMS, &p->n) ||
            !fv_longs_get(c, 2, p->file_ends, FV_MAX_DIMS, &n_ends))
            return false;
        n_axes = n_steps = p->n;
        if (fv_call_has(c, 3) && !fv_longs_get(c, 3, p->file_axes, FV_MAX_DIMS, &n_axes))
            return false;
        if (fv_call_has(c, 4) && !fv_longs_get(c, 4, step, FV_MAX_DIMS, &n_steps))
            return false;
    }
    if (n_ends != p->n || n_axes != p->n || n_steps != p->n)
        return fv_fail(c->err, FV_BAD_INPUT,
                       "its starts, ends, axes and steps have different lengths");
    return true;
}

static int64_t clamp(int64_t v, int64_t lo, int64_t hi) {
    return v < lo ? lo : v > hi ? hi : v;
}

// Elements that start:end:step takes of n; `start` becomes an index.
static int64_t slice_count(int64_t *start, int64_t end, int64_t step, int64_t n) {
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? n : n - 1;
    *start = clamp(*start < 0 ? *start + n : *start, step > 0 ? 0 : (n ? 0 : -1), hi);
    end = clamp(end < 0 ? (end < -n ? -1 : end + n) : end, lo, hi);
    if (step > 0)
        return end > *start ? (end - *start - 1) / step + 1 : 0;
    return *start > end ? (*start - end - 1) / -step + 1 : 0;
}

static bool slice_shape(const fv_call *c) {
    fv_slice_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS], step[FV_MAX_DIMS] = {1, 1, 1, 1, 1, 1, 1, 1};
    if (!slice_inputs(c, step))
        return false;
    memcpy(dim, x->dim, sizeof dim);
    for (int d = 0; d < FV_MAX_DIMS; d++)
        p->start[d] = 0, p->step[d] = 1;
    for (int i = 0; i < p->n; i++) {
        int axis;
        if (!fv_axis_solve(c, p->file_axes[i], x->n_dims, &axis))
            return false;
        if (step[i] == 0 || step[i] < -INT32_MAX)
            return fv_fail(c->err, FV_BAD_INPUT, "a step is %lld", (long long)step[i]);
        p->start[axis] = p->file_starts[i];
        p->step[axis] = step[i] > INT32_MAX ? INT32_MAX : step[i];
        dim[axis] = slice_count(&p->start[axis], p->file_ends[i], p->step[axis], x->dim[axis]);
    }
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

static bool slice_run(const fv_call *c) {
    const fv_slice_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t src[FV_MAX_DIMS], dst[FV_MAX_DIMS], at = 0;
    if (fv_tensor_count(c->out[0]) == 0)
        return true;
    fv_strides_get(x, src);
    fv_strides_get(c->out[0], dst);
    for (int d = 0; d < x->n_dims; d++) {
        at += p->start[d] * src[d];
        src[d] *= p->step[d];
    }
    size_t size = fv_dtype_size(x->dtype);
    fv_copy_strided(c->out[0]->data, dst, (const char *)x->data + (size_t)at * size, src, x->n_dims,
                    c->out[0]->dim, size);
    return true;
}

// ---- Expand, Tile -------------------------------------------------------------------------------

static bool expand_shape(const fv_call *c) {
    fv_tensor want = {.name = "shape"};
    int n_dims;
    int64_t dim[FV_MAX_DIMS];
    if (!fv_longs_get(c, 1, want.dim, FV_MAX_DIMS, &want.n_dims))
        return false;
    return fv_shape_broadcast(c, (const fv_tensor *[]){c->in[0], &want}, 2, &n_dims, dim) &&
           fv_shape_set(c, 0, c->in[0]->dtype, n_dims, dim);
}

static bool expand_run(const fv_call *c) {
    const fv_tensor *y = c->out[0];
    int64_t src[FV_MAX_DIMS], dst[FV_MAX_DIMS];
    fv_strides_broadcast(c->in[0], y->n_dims, y->dim, src);
    fv_strides_get(y, dst);
    fv_copy_strided(y->data, dst, c->in[0]->data, src, y->n_dims, y->dim, fv_dtype_size(y->dtype));
    return true;
}

static bool tile_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    int64_t repeat[FV_MAX_DIMS], dim[FV_MAX_DIMS];
    int n;
    if (c->opset < 6) // Tile of opset 1 takes a number and an axis
        return fv_fail(c->err, FV_UNSUPPORTED, "opset %lld is too old for it", (long long)c->opset);
    if (!fv_longs_get(c, 1, repeat, FV_MAX_DIMS, &n))
        return false;
    for (int d = 0; d < x->n_dims; d++) {
        if (n != x->n_dims || repeat[d] < 0 || (repeat[d] && x->dim[d] > INT32_MAX / repeat[d]))
            return fv_fail(c->err, FV_BAD_INPUT, "its repeats do not fit");
        dim[d] = x->dim[d] * repeat[d];
    }
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

static bool tile_run(const fv_call *c) {
    const fv_tensor *x = c->in[0], *y = c->out[0];
    size_t size = fv_dtype_size(x->dtype);
    int64_t src[FV_MAX_DIMS], at[FV_MAX_DIMS] = {0};
    fv_strides_get(x, src);
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t from = 0;
        for (int d = 0; d < x->n_dims; d++)
            from += at[d] % x->dim[d] * src[d];
        memcpy((char *)y->data + (size_t)i * size, (const char *)x->data + (size_t)from * size,
               size);
        for (int d = x->n_dims - 1; d >= 0 && ++at[d] == y->dim[d]; d--)
            at[d] = 0;
    }
    return true;
}

// ---- DepthToSpace, SpaceToDepth -----------------------------------------------------------------

static void block_parse(fv_attrs *a, void *attr) {
    static const char *const modes[] = {"DCR", "CRD", NULL};
    fv_block_attr *p = attr;
    p->block = fv_attr_int(a, "blocksize", 1, 1, 1 << 12);
    p->crd = fv_attr_choice(a, "mode", 0, modes);
}

static bool to_space_shape(const fv_call *c) {
    const fv_block_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t b = p->block;
    if (x->n_dims != 4 || x->dim[1] % (b * b))
        return fv_fail(c->err, FV_BAD_INPUT, "its input does not divide into blocks of %lld",
                       (long long)b);
    return fv_shape_set(c, 0, x->dtype, 4,
                        (int64_t[]){x->dim[0], x->dim[1] / (b * b), x->dim[2] * b, x->dim[3] * b});
}

static bool to_depth_shape(const fv_call *c) {
    const fv_block_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t b = p->block;
    if (x->n_dims != 4 || x->dim[2] % b || x->dim[3] % b)
        return fv_fail(c->err, FV_BAD_INPUT, "its input does not divide into blocks of %lld",
                       (long long)b);
    return fv_shape_set(c, 0, x->dtype, 4,
                        (int64_t[]){x->dim[0], x->dim[1] * b * b, x->dim[2] / b, x->dim[3] / b});
}

// The six dimensions (n, channel, y, block row, x, block column) in both layouts.
static bool block_run(const fv_call *c) {
    const fv_block_attr *p = c->attr;
    bool to_space = c->op->variant == 0;
    const fv_tensor *deep = to_space ? c->in[0] : c->out[0],
                    *wide = to_space ? c->out[0] : c->in[0];
    int64_t b = p->block, n = wide->dim[0], ch = wide->dim[1], h = deep->dim[2], w = deep->dim[3];
    int64_t dim[] = {n, ch, h, b, w, b};
    int64_t in_wide[] = {ch * h * w * b * b, h * w * b * b, w * b * b, w * b, b, 1};
    int64_t plane = h * w, of_ch = p->crd ? plane * b * b : plane,
            of_row = p->crd ? plane * b : plane * ch * b, of_column = p->crd ? plane : plane * ch;
    int64_t in_deep[] = {ch * h * w * b * b, of_ch, w, of_row, 1, of_column};
    fv_copy_strided(c->out[0]->data, to_space ? in_wide : in_deep, c->in[0]->data,
                    to_space ? in_deep : in_wide, 6, dim, fv_dtype_size(deep->dtype));
    return true;
}

#define MOVE(name_, lo, hi, outs, variant_, attr, parse_, shape_, run_)                            \
    {.name = name_, .min_in = lo, .max_in = hi, .max_out = outs, .types = FV_TYPES_ALL,            \
     .variant = variant_, .attr_size = sizeof(attr), .parse = parse_, .shape = shape_,             \
     .run = run_}

const fv_op fv_ops_move[] = {
    MOVE("Transpose", 1, 1, 1, 0, fv_transpose_attr, transpose_parse, transpose_shape,
         transpose_run),
    MOVE("Concat", 1, 1 << 16, 1, 1, fv_axis_attr, axis_parse, concat_shape, concat_run),
    MOVE("Split", 1, 2, 1 << 10, 0, fv_axis_attr, axis_parse, split_shape, split_run),
    MOVE("Slice", 1, 5, 1, 0, fv_slice_attr, slice_parse, slice_shape, slice_run),
    MOVE("Expand", 2, 2, 1, 0, char, NULL, expand_shape, expand_run),
    MOVE("Tile", 2, 2, 1, 0, char, NULL, tile_shape, tile_run),
    MOVE("DepthToSpace", 1, 1, 1, 0, fv_block_attr, block_parse, to_space_shape, block_run),
    MOVE("SpaceToDepth", 1, 1, 1, 1, fv_block_attr, block_parse, to_depth_shape, block_run),
    {0},
};
