// Gather and Scatter in all their forms. Indices may be computed at run time; one that is out of
// range is an error of the run.
#include <string.h>

#include "pipeline/graph/elementwise.h"
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

typedef struct {
    int axis, batch_dims, reduction;
} gather_attr;

enum {
    SCATTER_SET, SCATTER_ADD, SCATTER_MUL, SCATTER_MAX, SCATTER_MIN
};

static void parse(fv_attrs *a, void *attr) {
    static const char *const reductions[] = {"none", "add", "mul", "max", "min", NULL};
    gather_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", 0, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->batch_dims = fv_attr_int(a, "batch_dims", 0, 0, FV_MAX_DIMS - 1);
    p->reduction = fv_attr_choice(a, "reduction", SCATTER_SET, reductions);
}

static bool is_index(const fv_call *c, int in) {
    fv_dtype t = c->in[in]->dtype;
    return t == FV_I64 || t == FV_I32 ||
           fv_fail(c->err, FV_BAD_INPUT, "its indices are of type %s", fv_dtype_name(t));
}

enum { NONE = -1 };

// Index i of a tensor of indices into a dimension of n, counted from the end when negative; NONE for what
// FV_INDEX_NONE has become.
static bool index_get(const fv_call *c, const fv_tensor *t, int64_t i, int64_t n, int64_t *index) {
    int64_t v = t->dtype == FV_I64 ? ((int64_t *)t->data)[i] : ((int32_t *)t->data)[i];
    *index = v < 0 ? v + n : v;
    if (*index < 0 && v <= FV_INDEX_NONE / 2)
        *index = NONE;
    else if (*index < 0 || *index >= n)
        return fv_fail(c->err, FV_BAD_INPUT, "index %lld is out of range of %lld", (long long)v,
                       (long long)n);
    return true;
}

// `from` NONE: zeros.
static void move(const fv_tensor *dst, int64_t to, const fv_tensor *src, int64_t from, int64_t n) {
    size_t size = fv_dtype_size(dst->dtype);
    if (from == NONE && n)
        memset((char *)dst->data + (size_t)to * size, 0, (size_t)n * size);
    else if (n)
        memcpy((char *)dst->data + (size_t)to * size, (const char *)src->data + (size_t)from * size,
               (size_t)n * size);
}

// ---- Gather -------------------------------------------------------------------------------------

static bool gather_shape(const fv_call *c) {
    gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t dim[2 * FV_MAX_DIMS];
    int n = 0;
    if (!is_index(c, 1) || !fv_axis_solve(c, p->axis, x->n_dims, &p->axis))
        return false;
    for (int d = 0; d < p->axis; d++)
        dim[n++] = x->dim[d];
    for (int d = 0; d < index->n_dims; d++)
        dim[n++] = index->dim[d];
    for (int d = p->axis + 1; d < x->n_dims; d++)
        dim[n++] = x->dim[d];
    return fv_shape_set(c, 0, x->dtype, n, dim);
}

static bool gather_run(const fv_call *c) {
    const gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t inner = fv_dims_product(x, p->axis + 1, x->n_dims), n = x->dim[p->axis],
            count = fv_tensor_count(c->in[1]);
    for (int64_t o = 0; o < fv_dims_product(x, 0, p->axis); o++)
        for (int64_t i = 0; i < count; i++) {
            int64_t index;
            if (!index_get(c, c->in[1], i, n, &index))
                return false;
            move(c->out[0], (o * count + i) * inner, x, index == NONE ? NONE : (o * n + index) * inner, inner);
        }
    return true;
}

// ---- GatherElements, ScatterElements ------------------------------------------------------------

static bool elements_check(const fv_call *c) {
    gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *index = c->in[1];
    if (!is_index(c, 1) || !fv_axis_solve(c, p->axis, x->n_dims, &p->axis))
        return false;
    bool fits = index->n_dims == x->n_dims;
    for (int d = 0; fits && d < x->n_dims; d++)
        fits = d == p->axis || index->dim[d] <= x->dim[d];
    return fits || fv_fail(c->err, FV_BAD_INPUT, "its indices do not fit its input");
}

static bool elements_shape(const fv_call *c) {
    return elements_check(c) &&
           fv_shape_set(c, 0, c->in[0]->dtype, c->in[1]->n_dims, c->in[1]->dim);
}

// Element of x that position i of the indices means, or NONE.
static bool element_at(const fv_call *c, int64_t i, int64_t *at) {
    const gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t stride[FV_MAX_DIMS], rest = i, v;
    fv_strides_get(x, stride);
    if (!index_get(c, index, i, x->dim[p->axis], &v))
        return false;
    *at = v == NONE ? NONE : v * stride[p->axis];
    for (int d = x->n_dims - 1; v != NONE && d >= 0; rest /= index->dim[d--])
        *at += d == p->axis ? 0 : rest % index->dim[d] * stride[d];
    return true;
}

static bool elements_run(const fv_call *c) {
    for (int64_t i = 0, from; i < fv_tensor_count(c->in[1]); i++) {
        if (!element_at(c, i, &from))
            return false;
        move(c->out[0], i, c->in[0], from, 1);
    }
    return true;
}

// ---- GatherND -----------------------------------------------------------------------------------

static bool nd_shape(const fv_call *c) {
    const gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int b = p->batch_dims, n = 0;
    int64_t dim[2 * FV_MAX_DIMS], k = index->n_dims ? index->dim[index->n_dims - 1] : 0;
    bool fits =
        is_index(c, 1) && x->n_dims > b && index->n_dims > b && k >= 1 && k <= x->n_dims - b;
    for (int d = 0; fits && d < b; d++)
        fits = x->dim[d] == index->dim[d];
    if (!fits)
        return c->err->code ? false
                            : fv_fail(c->err, FV_BAD_INPUT, "its indices do not fit its input");
    for (int d = 0; d < index->n_dims - 1; d++)
        dim[n++] = index->dim[d];
    for (int d = b + (int)k; d < x->n_dims; d++)
        dim[n++] = x->dim[d];
    return fv_shape_set(c, 0, x->dtype, n, dim);
}

// First element of the slice of x that tuple i of the indices means, or NONE; `b` leading dimensions
// are shared.
static bool tuple_at(const fv_call *c, int64_t i, int b, int64_t *at) {
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t stride[FV_MAX_DIMS], k = index->dim[index->n_dims - 1], v;
    int64_t each = fv_dims_product(index, b, index->n_dims - 1);
    fv_strides_get(x, stride);
    *at = b ? i / each * stride[b - 1] : 0;
    bool none = false;
    for (int64_t j = 0; j < k; j++) {
        if (!index_get(c, index, i * k + j, x->dim[b + j], &v))
            return false;
        none |= v == NONE;
        *at += v * stride[b + j];
    }
    if (none)
        *at = NONE;
    return true;
}

static bool nd_run(const fv_call *c) {
    const gather_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t k = index->dim[index->n_dims - 1], n = fv_dims_product(index, 0, index->n_dims - 1);
    int64_t inner = fv_dims_product(x, p->batch_dims + (int)k, x->n_dims);
    for (int64_t i = 0, from; i < n; i++) {
        if (!tuple_at(c, i, p->batch_dims, &from))
            return false;
        move(c->out[0], i * inner, x, from, inner);
    }
    return true;
}

// ---- Scatter ------------------------------------------------------------------------------------

FV_PAIR(add_f, float, float, x + y) FV_PAIR(add_d, double, double, x + y)
FV_PAIR(add_l, int64_t, int64_t, (uint64_t)x + (uint64_t)y)
FV_PAIR(add_u, uint64_t, uint64_t, x + y)
FV_PAIR(mul_f, float, float, x * y) FV_PAIR(mul_d, double, double, x * y)
FV_PAIR(mul_l, int64_t, int64_t, (uint64_t)x * (uint64_t)y)
FV_PAIR(mul_u, uint64_t, uint64_t, x * y)
FV_PAIR(max_f, float, float, x > y ? x : y) FV_PAIR(max_d, double, double, x > y ? x : y)
FV_PAIR(max_l, int64_t, int64_t, x > y ? x : y) FV_PAIR(max_u, uint64_t, uint64_t, x > y ? x : y)
FV_PAIR(min_f, float, float, x < y ? x : y) FV_PAIR(min_d, double, double, x < y ? x : y)
FV_PAIR(min_l, int64_t, int64_t, x < y ? x : y) FV_PAIR(min_u, uint64_t, uint64_t, x < y ? x : y)

// n elements of the updates onto the output.
static void update(const fv_call *c, int64_t to, int64_t from, int64_t n) {
    static const fv_pair_fn f[][FV_N_CLASSES] = {
        [SCATTER_ADD] = {add_f, add_d, add_l, add_u}, [SCATTER_MUL] = {mul_f, mul_d, mul_l, mul_u},
        [SCATTER_MAX] = {max_f, max_d, max_l, max_u}, [SCATTER_MIN] = {min_f, min_d, min_l, min_u},
    };
    const gather_attr *p = c->attr;
    fv_tensor y = *c->out[0], u = *c->in[2];
    if (p->reduction == SCATTER_SET) {
        move(&y, to, &u, from, n);
        return;
    }
    size_t size = fv_dtype_size(y.dtype);
    y.data = (char *)y.data + (size_t)to * size, u.data = (char *)u.data + (size_t)from * size;
    y.n_dims = u.n_dims = 1, y.dim[0] = u.dim[0] = n;
    fv_class class = fv_class_of(y.dtype);
    fv_pairs_apply(f[p->reduction][class], class, false, &y, &u, &y);
}

static bool scatter_check(const fv_call *c) {
    return c->in[2]->dtype == c->in[0]->dtype ||
           fv_fail(c->err, FV_BAD_INPUT, "its updates are of another type than its input");
}

static bool scatter_shape(const fv_call *c) {
    if (!elements_check(c) || !scatter_check(c))
        return false;
    bool fits = c->in[2]->n_dims == c->in[1]->n_dims;
    for (int d = 0; fits && d < c->in[1]->n_dims; d++)
        fits = c->in[1]->dim[d] == c->in[2]->dim[d];
    return fits ? fv_shape_like(c, 0, c->in[0])
                : fv_fail(c->err, FV_BAD_INPUT, "its updates do not fit its indices");
}

static bool scatter_run(const fv_call *c) {
    move(c->out[0], 0, c->in[0], 0, fv_tensor_count(c->in[0]));
    for (int64_t i = 0, to; i < fv_tensor_count(c->in[1]); i++) {
        if (!element_at(c, i, &to))
            return false;
        if (to != NONE)
            update(c, to, i, 1);
    }
    return true;
}

static bool scatter_nd_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t k = index->n_dims ? index->dim[index->n_dims - 1] : 0;
    bool fits = is_index(c, 1) && scatter_check(c) && k >= 1 && k <= x->n_dims;
    if (fits)
        fits = fv_tensor_count(c->in[2]) ==
               fv_dims_product(index, 0, index->n_dims - 1) * fv_dims_product(x, (int)k, x->n_dims);
    if (!fits)
        return c->err->code ? false
                            : fv_fail(c->err, FV_BAD_INPUT, "its updates do not fit its indices");
    return fv_shape_like(c, 0, x);
}

static bool scatter_nd_run(const fv_call *c) {
    const fv_tensor *x = c->in[0], *index = c->in[1];
    int64_t k = index->dim[index->n_dims - 1], inner = fv_dims_product(x, (int)k, x->n_dims);
    move(c->out[0], 0, x, 0, fv_tensor_count(x));
    for (int64_t i = 0, to; i < fv_dims_product(index, 0, index->n_dims - 1); i++) {
        if (!tuple_at(c, i, 0, &to))
            return false;
        if (to != NONE)
            update(c, to, i * inner, inner);
    }
    return true;
}

#define GATHER(name_, ins, shape_, run_)                                                           \
    {.name = name_, .min_in = ins, .max_in = ins, .max_out = 1, .types = FV_TYPES_ALL,             \
     .attr_size = sizeof(gather_attr), .parse = parse, .shape = shape_, .run = run_}

const fv_op fv_ops_gather[] = {
    GATHER("Gather", 2, gather_shape, gather_run),
    GATHER("GatherElements", 2, elements_shape, elements_run),
    GATHER("GatherND", 2, nd_shape, nd_run),
    GATHER("ScatterElements", 3, scatter_shape, scatter_run),
    GATHER("Scatter", 3, scatter_shape, scatter_run),
    GATHER("ScatterND", 3, scatter_nd_shape, scatter_nd_run),
    {0},
};
