// Reduce* and ArgMax/ArgMin.
#include <math.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

static void parse(fv_attrs *a, void *attr) {
    fv_reduce_attr *p = attr;
    p->kind = fv_attrs_variant(a);
    p->keep_dims = fv_attr_int(a, "keepdims", 1, 0, 1);
    p->noop_with_empty_axes = fv_attr_int(a, "noop_with_empty_axes", 0, 0, 1);
    p->n_axes = fv_attr_longs(a, "axes", p->file_axes, FV_MAX_DIMS);
}

static bool set_reduced(const fv_call *c, uint32_t axes, bool keep, fv_dtype dtype) {
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    int n = 0;
    for (int d = 0; d < x->n_dims; d++)
        if (!(axes >> d & 1) || keep)
            dim[n++] = axes >> d & 1 ? 1 : x->dim[d];
    return fv_shape_set(c, 0, dtype, n, dim);
}

static bool reduce_shape(const fv_call *c) {
    fv_reduce_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    if (fv_call_has(c, 1) && !fv_longs_get(c, 1, p->file_axes, FV_MAX_DIMS, &p->n_axes))
        return false;
    p->axes = p->n_axes == 0 && !p->noop_with_empty_axes ? (1u << x->n_dims) - 1 : 0;
    for (int i = 0; i < p->n_axes; i++) {
        int axis;
        if (!fv_axis_solve(c, p->file_axes[i], x->n_dims, &axis))
            return false;
        p->axes |= 1u << axis;
    }
    return set_reduced(c, p->axes, p->keep_dims, x->dtype);
}

// What is gathered over the reduced elements; LogSumExp needs the maximum first.
typedef struct {
    double sum, extreme;
    int64_t n;
} tally;

static void tally_add(fv_reduce_kind kind, tally *t, double v, double maximum) {
    bool first = t->n++ == 0;
    switch (kind) {
    case FV_REDUCE_MAX: t->extreme = first || v > t->extreme || v != v ? v : t->extreme; break;
    case FV_REDUCE_MIN: t->extreme = first || v < t->extreme || v != v ? v : t->extreme; break;
    case FV_REDUCE_PROD: t->sum = first ? v : t->sum * v; break;
    case FV_REDUCE_L1: t->sum += fabs(v); break;
    case FV_REDUCE_L2: case FV_REDUCE_SUM_SQUARE: t->sum += v * v; break;
    case FV_REDUCE_LOG_SUM_EXP: t->sum += exp(v - maximum); break;
    default: t->sum += v; break;
    }
}

static double tally_end(fv_reduce_kind kind, const tally *t, double maximum) {
    switch (kind) {
    case FV_REDUCE_MEAN: return t->n ? t->sum / (double)t->n : 0;
    case FV_REDUCE_MAX: return t->n ? t->extreme : -INFINITY;
    case FV_REDUCE_MIN: return t->n ? t->extreme : INFINITY;
    case FV_REDUCE_PROD: return t->n ? t->sum : 1;
    case FV_REDUCE_L2: return sqrt(t->sum);
    case FV_REDUCE_LOG_SUM: return log(t->sum);
    case FV_REDUCE_LOG_SUM_EXP: return maximum + log(t->sum);
    default: return t->sum;
    }
}

// Loops over the reduced dimensions from element `from` on.
typedef struct {
    int n;
    int64_t dim[FV_MAX_DIMS], stride[FV_MAX_DIMS];
} nest;

static double nest_fold(const nest *k, const fv_tensor *x, int64_t from, fv_reduce_kind kind,
                        double maximum) {
    int64_t at[FV_MAX_DIMS] = {0}, total = 1;
    tally t = {0};
    for (int d = 0; d < k->n; d++)
        total *= k->dim[d];
    for (int64_t i = 0; i < total; i++) {
        tally_add(kind, &t,
                  x->dtype == FV_F32 ? (double)((float *)x->data)[from] : fv_element_get(x, from),
                  maximum);
        for (int d = k->n - 1; d >= 0; d--) {
            from += k->stride[d];
            if (++at[d] < k->dim[d])
                break;
            from -= at[d] * k->stride[d];
            at[d] = 0;
        }
    }
    return tally_end(kind, &t, maximum);
}

static void nests_of(const fv_tensor *x, uint32_t axes, nest *inner, nest *outer) {
    int64_t stride[FV_MAX_DIMS];
    fv_strides_get(x, stride);
    *inner = *outer = (nest){0};
    for (int d = 0; d < x->n_dims; d++) {
        nest *k = axes >> d & 1 ? inner : outer;
        k->dim[k->n] = x->dim[d];
        k->stride[k->n++] = stride[d];
    }
}

static int64_t nest_at(const nest *k, int64_t i) {
    int64_t at = 0;
    for (int d = k->n - 1; d >= 0; d--) {
        at += i % k->dim[d] * k->stride[d];
        i /= k->dim[d];
    }
    return at;
}

static bool reduce_run(const fv_call *c) {
    const fv_reduce_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    nest inner, outer;
    nests_of(x, p->axes, &inner, &outer);
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t from = nest_at(&outer, i);
        double m =
            p->kind == FV_REDUCE_LOG_SUM_EXP ? nest_fold(&inner, x, from, FV_REDUCE_MAX, 0) : 0;
        double v = nest_fold(&inner, x, from, p->kind, m == -INFINITY || m == INFINITY ? 0 : m);
        fv_convert((char *)y->data + (size_t)i * fv_dtype_size(y->dtype), y->dtype, &v, FV_F64, 1);
    }
    return true;
}

// ---- ArgMax, ArgMin -----------------------------------------------------------------------------

static void arg_parse(fv_attrs *a, void *attr) {
    fv_arg_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", 0, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->keep_dims = fv_attr_int(a, "keepdims", 1, 0, 1);
    p->select_last = fv_attr_int(a, "select_last_index", 0, 0, 1);
    p->largest = !fv_attrs_variant(a);
}

static bool arg_shape(const fv_call *c) {
    fv_arg_attr *p = c->attr;
    return fv_axis_solve(c, p->axis, c->in[0]->n_dims, &p->axis) &&
           set_reduced(c, 1u << p->axis, p->keep_dims, FV_I64);
}

static bool arg_run(const fv_call *c) {
    const fv_arg_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    nest inner, outer;
    nests_of(x, 1u << p->axis, &inner, &outer);
    for (int64_t i = 0; i < fv_tensor_count(c->out[0]); i++) {
        int64_t from = nest_at(&outer, i), best = 0;
        double top = 0;
        for (int64_t j = 0; j < inner.dim[0]; j++) {
            double v = fv_element_get(x, from + j * inner.stride[0]);
            bool better = p->largest ? v > top : v < top;
            if (j == 0 || better || (p->select_last && v == top))
                top = v, best = j;
        }
        ((int64_t *)c->out[0]->data)[i] = best;
    }
    return true;
}

#define REDUCE(name_, kind)                                                                        \
    {.name = name_, .min_in = 1, .max_in = 2, .max_out = 1, .types = FV_TYPES_ALL,                 \
     .variant = kind, .attr_size = sizeof(fv_reduce_attr), .parse = parse, .shape = reduce_shape,  \
     .run = reduce_run}
#define ARG(name_, kind)                                                                           \
    {.name = name_, .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_NUMBER,              \
     .variant = kind, .attr_size = sizeof(fv_arg_attr), .parse = arg_parse, .shape = arg_shape,    \
     .run = arg_run}

const fv_op fv_ops_reduce[] = {
    REDUCE("ReduceSum", FV_REDUCE_SUM),
    REDUCE("ReduceMean", FV_REDUCE_MEAN),
    REDUCE("ReduceMax", FV_REDUCE_MAX),
    REDUCE("ReduceMin", FV_REDUCE_MIN),
    REDUCE("ReduceProd", FV_REDUCE_PROD),
    REDUCE("ReduceL1", FV_REDUCE_L1),
    REDUCE("ReduceL2", FV_REDUCE_L2),
    REDUCE("ReduceLogSum", FV_REDUCE_LOG_SUM),
    REDUCE("ReduceLogSumExp", FV_REDUCE_LOG_SUM_EXP),
    REDUCE("ReduceSumSquare", FV_REDUCE_SUM_SQUARE),
    ARG("ArgMax", 0),
    ARG("ArgMin", 1),
    {0},
};
