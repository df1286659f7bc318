// Small ops around masks and positions: OneHot, CumSum, Trilu, EyeLike, Compress.
#include <string.h>

#include "pipeline/graph/ops.h"

typedef struct {
    int axis, exclusive, reverse, upper, has_axis;
    int64_t k;
    fv_dtype dtype;
} matrix_attr;

static void parse(fv_attrs *a, void *attr) {
    matrix_attr *p = attr;
    p->has_axis = fv_attr_has(a, "axis");
    p->axis = fv_attr_int(a, "axis", -1, -FV_MAX_DIMS, FV_MAX_DIMS);
    p->exclusive = fv_attr_int(a, "exclusive", 0, 0, 1);
    p->reverse = fv_attr_int(a, "reverse", 0, 0, 1);
    p->upper = fv_attr_int(a, "upper", 1, 0, 1);
    p->k = fv_attr_int(a, "k", 0, -(1 << 30), 1 << 30);
    p->dtype = fv_attr_has(a, "dtype") ? fv_attr_dtype(a, "dtype", FV_F32) : FV_N_DTYPES;
}

static void put(const fv_tensor *t, int64_t i, double v) {
    fv_convert((char *)t->data + (size_t)i * fv_dtype_size(t->dtype), t->dtype, &v, FV_F64, 1);
}

static void copy(const fv_tensor *dst, int64_t to, const fv_tensor *src, int64_t from, int64_t n) {
    size_t size = fv_dtype_size(dst->dtype);
    if (n)
        memcpy((char *)dst->data + (size_t)to * size, (const char *)src->data + (size_t)from * size,
               (size_t)n * size);
}

// ---- OneHot -------------------------------------------------------------------------------------

static bool one_hot_shape(const fv_call *c) {
    matrix_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t depth, dim[2 * FV_MAX_DIMS];
    int n;
    if (!fv_longs_get(c, 1, &depth, 1, &n) || !fv_axis_solve(c, p->axis, x->n_dims + 1, &p->axis))
        return false;
    if (n != 1 || depth < 1 || fv_tensor_count(c->in[2]) != 2)
        return fv_fail(c->err, FV_BAD_INPUT, "its depth or values are malformed");
    for (int d = 0; d <= x->n_dims; d++)
        dim[d] = d == p->axis ? depth : x->dim[d - (d > p->axis)];
    return fv_shape_set(c, 0, c->in[2]->dtype, x->n_dims + 1, dim);
}

static bool one_hot_run(const fv_call *c) {
    const matrix_attr *p = c->attr;
    const fv_tensor *y = c->out[0];
    int64_t inner = fv_dims_product(y, p->axis + 1, y->n_dims), depth = y->dim[p->axis];
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t index = fv_element_get_long(c->in[0], i / inner / depth * inner + i % inner);
        copy(y, i, c->in[2], (index < 0 ? index + depth : index) == i / inner % depth, 1);
    }
    return true;
}

// ---- CumSum -------------------------------------------------------------------------------------

static bool cumsum_shape(const fv_call *c) {
    matrix_attr *p = c->attr;
    int64_t axis;
    int n;
    if (!fv_longs_get(c, 1, &axis, 1, &n) || n != 1)
        return c->err->code ? false : fv_fail(c->err, FV_BAD_INPUT, "its axis is no scalar");
    return fv_axis_solve(c, axis, c->in[0]->n_dims, &p->axis) && fv_shape_like(c, 0, c->in[0]);
}

static bool cumsum_run(const fv_call *c) {
    const matrix_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = x->dim[p->axis], step = fv_dims_product(x, p->axis + 1, x->n_dims);
    for (int64_t i = 0; n && i < fv_tensor_count(x) / n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) {
            int64_t at = i / step * n * step + i % step + (p->reverse ? n - 1 - j : j) * step;
            double v = fv_element_get(x, at);
            put(c->out[0], at, p->exclusive ? sum : sum + v);
            sum += v;
        }
    }
    return true;
}

// ---- Trilu, EyeLike -----------------------------------------------------------------------------

static bool trilu_shape(const fv_call *c) {
    matrix_attr *p = c->attr;
    int n = 1;
    if (c->in[0]->n_dims < 2)
        return fv_fail(c->err, FV_BAD_INPUT, "its input is no matrix");
    return (!fv_call_has(c, 1) || (fv_longs_get(c, 1, &p->k, 1, &n) && n == 1)) &&
           fv_shape_like(c, 0, c->in[0]);
}

static bool trilu_run(const fv_call *c) {
    const matrix_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t h = x->dim[x->n_dims - 2], w = x->dim[x->n_dims - 1];
    int64_t k = p->k < -h - w ? -h - w : p->k > h + w ? h + w : p->k;
    memset(c->out[0]->data, 0, fv_tensor_bytes(x));
    for (int64_t i = 0; i < fv_tensor_count(x); i++) {
        int64_t distance = i % w - i / w % h;
        if (p->upper ? distance >= k : distance <= k)
            copy(c->out[0], i, x, i, 1);
    }
    return true;
}

static bool eye_shape(const fv_call *c) {
    const matrix_attr *p = c->attr;
    if (c->in[0]->n_dims != 2)
        return fv_fail(c->err, FV_BAD_INPUT, "its input is no matrix");
    return fv_shape_set(c, 0, p->dtype == FV_N_DTYPES ? c->in[0]->dtype : p->dtype, 2,
                        c->in[0]->dim);
}

static bool eye_run(const fv_call *c) {
    const matrix_attr *p = c->attr;
    const fv_tensor *y = c->out[0];
    for (int64_t i = 0; i < fv_tensor_count(y); i++)
        put(y, i, i % y->dim[1] - i / y->dim[1] == p->k);
    return true;
}

// ---- Compress -----------------------------------------------------------------------------------

static bool compress_shape(const fv_call *c) {
    matrix_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *condition = c->in[1];
    int64_t dim[FV_MAX_DIMS] = {fv_tensor_count(x)}, n = 0;
    if (!condition->data)
        return fv_fail(c->err, FV_UNSUPPORTED,
                       "input '%s' is computed at run time; a shape must not depend on it",
                       condition->name);
    if (p->has_axis && !fv_axis_solve(c, p->axis, x->n_dims, &p->axis))
        return false;
    int at = p->has_axis ? p->axis : 0;
    if (p->has_axis)
        memcpy(dim, x->dim, sizeof dim);
    for (int64_t i = 0; i < fv_tensor_count(condition); i++)
        n += fv_element_get(condition, i) != 0 && i < dim[at];
    dim[at] = n;
    return fv_shape_set(c, 0, x->dtype, p->has_axis ? x->n_dims : 1, dim);
}

static bool compress_run(const fv_call *c) {
    const matrix_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = p->has_axis ? x->dim[p->axis] : fv_tensor_count(x);
    int64_t inner = p->has_axis ? fv_dims_product(x, p->axis + 1, x->n_dims) : 1, to = 0;
    for (int64_t o = 0; n && inner && o < fv_tensor_count(x) / n / inner; o++)
        for (int64_t i = 0; i < n && i < fv_tensor_count(c->in[1]); i++)
            if (fv_element_get(c->in[1], i) != 0) {
                copy(c->out[0], to, x, (o * n + i) * inner, inner);
                to += inner;
            }
    return true;
}

#define ROW(name_, lo, hi, types_, shape_, run_)                                                   \
    {.name = name_, .min_in = lo, .max_in = hi, .max_out = 1, .types = types_,                     \
     .attr_size = sizeof(matrix_attr), .parse = parse, .shape = shape_, .run = run_}

const fv_op fv_ops_matrix[] = {
    ROW("OneHot", 3, 3, FV_TYPES_NUMBER, one_hot_shape, one_hot_run),
    ROW("CumSum", 2, 2, FV_TYPES_NUMBER, cumsum_shape, cumsum_run),
    ROW("Trilu", 1, 2, FV_TYPES_ALL, trilu_shape, trilu_run),
    ROW("EyeLike", 1, 1, FV_TYPES_ALL, eye_shape, eye_run),
    ROW("Compress", 2, 2, FV_TYPES_ALL, compress_shape, compress_run),
    {0},
};
