#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

static void parse(fv_attrs *a, void *attr) {
    static const char *const modes[] = {"constant", "reflect", "edge", "wrap", NULL};
    fv_pad_attr *p = attr;
    int64_t v[2 * FV_MAX_DIMS];
    p->mode = fv_attr_choice(a, "mode", FV_PAD_CONSTANT, modes);
    p->value = (double)fv_attr_float(a, "value", 0);
    p->n_file = fv_attr_longs(a, fv_attr_has(a, "pads") ? "pads" : "paddings", v, 2 * FV_MAX_DIMS);
    for (int i = 0; i < p->n_file / 2; i++)
        p->begin[i] = v[i], p->end[i] = v[p->n_file / 2 + i];
}

// Opset 11 and newer: x, pads, value, axes.
static bool pads_get(const fv_call *c) {
    fv_pad_attr *p = c->attr;
    int64_t v[2 * FV_MAX_DIMS], axes[FV_MAX_DIMS] = {0, 1, 2, 3, 4, 5, 6, 7};
    int n, n_axes = c->in[0]->n_dims;
    if (c->n_in < 2)
        return p->n_file == 2 * c->in[0]->n_dims ||
               fv_fail(c->err, FV_BAD_INPUT, "its pads do not fit its input");
    if (!c->in[1] || !fv_longs_get(c, 1, v, 2 * FV_MAX_DIMS, &n))
        return c->err->code ? false : fv_fail(c->err, FV_BAD_INPUT, "it has no pads");
    if (fv_call_has(c, 3) && !fv_longs_get(c, 3, axes, FV_MAX_DIMS, &n_axes))
        return false;
    if (n != 2 * n_axes)
        return fv_fail(c->err, FV_BAD_INPUT, "it has %d pads for %d dimensions", n, n_axes);
    for (int i = 0; i < n_axes; i++) {
        int d;
        if (!fv_axis_solve(c, axes[i], c->in[0]->n_dims, &d))
            return false;
        p->begin[d] = v[i];
        p->end[d] = v[n_axes + i];
    }
    return true;
}

static bool pad_shape(const fv_call *c) {
    fv_pad_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    if (!pads_get(c))
        return false;
    if (fv_call_has(c, 2) && fv_tensor_count(c->in[2])) {
        if (!c->in[2]->data)
            return fv_fail(c->err, FV_UNSUPPORTED, "its value is computed at run time");
        p->value = fv_element_get(c->in[2], 0);
    }
    for (int d = 0; d < x->n_dims; d++) {
        int64_t most = p->mode == FV_PAD_REFLECT ? x->dim[d] - 1
                       : p->mode == FV_PAD_WRAP  ? x->dim[d]
                                                 : 1 << 30;
        if (p->begin[d] > most || p->end[d] > most || p->begin[d] < -x->dim[d] ||
            p->end[d] < -x->dim[d] || x->dim[d] + p->begin[d] + p->end[d] < 0 ||
            (p->mode == FV_PAD_EDGE && x->dim[d] == 0))
            return fv_fail(c->err, FV_BAD_INPUT,
                           "pads %lld and %lld do not fit dimension %d of %lld",
                           (long long)p->begin[d], (long long)p->end[d], d, (long long)x->dim[d]);
        dim[d] = x->dim[d] + p->begin[d] + p->end[d];
    }
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

// The input index that output index `o` shows, -1 for the constant.
static int64_t source(const fv_pad_attr *p, int d, int64_t o, int64_t n) {
    int64_t i = o - p->begin[d];
    if (i >= 0 && i < n)
        return i;
    switch (p->mode) {
    case FV_PAD_REFLECT: return i < 0 ? -i : 2 * (n - 1) - i;
    case FV_PAD_EDGE: return i < 0 ? 0 : n - 1;
    case FV_PAD_WRAP: return i < 0 ? i + n : i - n;
    default: return -1;
    }
}

static bool pad_run(const fv_call *c) {
    const fv_pad_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    size_t size = fv_dtype_size(x->dtype);
    int64_t stride[FV_MAX_DIMS], at[FV_MAX_DIMS] = {0};
    uint64_t value = 0;
    fv_convert(&value, y->dtype, &p->value, FV_F64, 1);
    fv_strides_get(x, stride);
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t from = 0;
        for (int d = 0; d < y->n_dims && from >= 0; d++) {
            int64_t s = source(p, d, at[d], x->dim[d]);
            from = s < 0 ? -1 : from + s * stride[d];
        }
        memcpy((char *)y->data + (size_t)i * size,
               from < 0 ? (const char *)&value : (const char *)x->data + (size_t)from * size, size);
        for (int d = y->n_dims - 1; d >= 0 && ++at[d] == y->dim[d]; d--)
            at[d] = 0;
    }
    return true;
}

const fv_op fv_ops_pad[] = {
    {.name = "Pad", .min_in = 1, .max_in = 4, .max_out = 1, .types = FV_TYPES_ALL,
     .attr_size = sizeof(fv_pad_attr), .parse = parse, .shape = pad_shape, .run = pad_run},
    {0},
};
