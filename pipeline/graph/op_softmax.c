#include <math.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

enum { SOFTMAX, LOG_SOFTMAX, HARDMAX };

static void parse(fv_attrs *a, void *attr) {
    fv_softmax_attr *p = attr;
    p->kind = fv_attrs_variant(a);
    p->flat = fv_attrs_opset(a) < 13;
    p->axis = fv_attr_int(a, "axis", p->flat ? 1 : -1, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
}

static bool softmax_shape(const fv_call *c) {
    fv_softmax_attr *p = c->attr;
    return fv_axis_solve(c, p->axis, c->in[0]->n_dims, &p->axis) && fv_shape_like(c, 0, c->in[0]);
}

static void line(int kind, const float *x, float *y, int64_t n, int64_t step) {
    float top = x[0], sum = 0;
    int64_t best = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i * step] > top)
            top = x[i * step], best = i;
    for (int64_t i = 0; kind != HARDMAX && i < n; i++)
        sum += expf(x[i * step] - top);
    for (int64_t i = 0; i < n; i++) {
        float v = x[i * step] - top;
        y[i * step] = kind == HARDMAX   ? (i == best)
                      : kind == SOFTMAX ? expf(v) / sum
                                        : v - logf(sum);
    }
}

static bool softmax_run(const fv_call *c) {
    const fv_softmax_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t step = p->flat ? 1 : fv_dims_product(x, p->axis + 1, x->n_dims);
    int64_t n = p->flat ? fv_dims_product(x, p->axis, x->n_dims) : x->dim[p->axis];
    if (n == 0)
        return true;
    for (int64_t i = 0; i < fv_tensor_count(x) / n; i++) {
        int64_t at = i / step * n * step + i % step;
        line(p->kind, (const float *)x->data + at, (float *)c->out[0]->data + at, n, step);
    }
    return true;
}

#define SOFTMAX_ROW(name_, kind)                                                                   \
    {.name = name_, .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_FLOAT,               \
     .as_float = true, .variant = kind, .attr_size = sizeof(fv_softmax_attr), .parse = parse,      \
     .shape = softmax_shape, .run = softmax_run}

const fv_op fv_ops_softmax[] = {
    SOFTMAX_ROW("Softmax", SOFTMAX),
    SOFTMAX_ROW("LogSoftmax", LOG_SOFTMAX),
    SOFTMAX_ROW("Hardmax", HARDMAX),
    {0},
};
