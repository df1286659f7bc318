// Ops whose output is the data of the input under another shape.
#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

static bool copy_run(const fv_call *c) {
    memcpy(c->out[0]->data, c->in[0]->data, fv_tensor_bytes(c->in[0]));
    return true;
}

static void parse(fv_attrs *a, void *attr) {
    fv_view_attr *p = attr;
    p->n_axes = fv_attr_longs(a, fv_attr_has(a, "axes") ? "axes" : "shape", p->axes, FV_MAX_DIMS);
    p->axis = fv_attr_int(a, "axis", 1, -FV_MAX_DIMS, FV_MAX_DIMS);
    p->allow_zero = fv_attr_int(a, "allowzero", 0, 0, 1);
}

// The list is the second input since opset 13 (Reshape: 5), an attribute before.
static bool axes_get(const fv_call *c) {
    fv_view_attr *p = c->attr;
    return !fv_call_has(c, 1) || fv_longs_get(c, 1, p->axes, FV_MAX_DIMS, &p->n_axes);
}

static bool reshape_shape(const fv_call *c) {
    fv_view_attr *p = c->attr;
    int64_t count = fv_tensor_count(c->in[0]), known = 1;
    int open = -1;
    if (!axes_get(c))
        return false;
    for (int d = 0; d < p->n_axes; d++) {
        int64_t *v = &p->axes[d];
        if (*v == 0 && !p->allow_zero && d < c->in[0]->n_dims)
            *v = c->in[0]->dim[d];
        if (*v < -1 || (*v == -1 && open >= 0))
            return fv_fail(c->err, FV_BAD_INPUT, "its new shape is malformed");
        if (*v == -1)
            open = d;
        else if (*v && known > INT64_MAX / *v)
            return fv_fail(c->err, FV_BAD_INPUT, "its new shape is too large");
        else
            known *= *v;
    }
    if (open >= 0)
        p->axes[open] = known ? count / known : 0;
    if (open >= 0 && known)
        known *= p->axes[open];
    if (known != count && !(open >= 0 && count == 0)) {
        char text[128];
        return fv_fail(c->err, FV_BAD_INPUT,
                       "its input %s of %s has %lld values; the new shape has %lld", c->in[0]->name,
                       fv_tensor_shape_text(c->in[0], text, sizeof text), (long long)count,
                       (long long)known);
    }
    return fv_shape_set(c, 0, c->in[0]->dtype, p->n_axes, p->axes);
}

static bool flatten_shape(const fv_call *c) {
    const fv_view_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int axis = p->axis < 0 ? p->axis + x->n_dims : p->axis;
    if (axis < 0 || axis > x->n_dims)
        return fv_fail(c->err, FV_BAD_INPUT, "axis %d does not exist in %d dimensions", p->axis,
                       x->n_dims);
    return fv_shape_set(
        c, 0, x->dtype, 2,
        (int64_t[]){fv_dims_product(x, 0, axis), fv_dims_product(x, axis, x->n_dims)});
}

// The listed axes as bits of a tensor of rank n.
static bool axes_mask(const fv_call *c, int n, unsigned *mask) {
    const fv_view_attr *p = c->attr;
    *mask = 0;
    for (int i = 0; i < p->n_axes; i++) {
        int axis;
        if (!fv_axis_solve(c, p->axes[i], n, &axis))
            return false;
        if (*mask >> axis & 1)
            return fv_fail(c->err, FV_BAD_INPUT, "axis %d is listed twice", axis);
        *mask |= 1u << axis;
    }
    return true;
}

static bool squeeze_shape(const fv_call *c) {
    const fv_view_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    unsigned mask;
    int64_t dim[FV_MAX_DIMS];
    int n = 0;
    if (!axes_get(c) || !axes_mask(c, x->n_dims, &mask))
        return false;
    for (int d = 0; d < x->n_dims; d++) {
        bool drop = p->n_axes ? mask >> d & 1 : x->dim[d] == 1;
        if (drop && x->dim[d] != 1)
            return fv_fail(c->err, FV_BAD_INPUT, "dimension %d is %lld, not 1", d,
                           (long long)x->dim[d]);
        if (!drop)
            dim[n++] = x->dim[d];
    }
    return fv_shape_set(c, 0, x->dtype, n, dim);
}

static bool unsqueeze_shape(const fv_call *c) {
    const fv_view_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    unsigned mask;
    int64_t dim[2 * FV_MAX_DIMS];
    if (!axes_get(c) || !axes_mask(c, x->n_dims + p->n_axes, &mask))
        return false;
    for (int d = 0, from = 0; d < x->n_dims + p->n_axes; d++)
        dim[d] = mask >> d & 1 ? 1 : x->dim[from++];
    return fv_shape_set(c, 0, x->dtype, x->n_dims + p->n_axes, dim);
}

// ---- Dropout ------------------------------------------------------------------------------------

// Whether optional input `in` is, or may be, something else than zero.
static bool may_be_set(const fv_call *c, int in) {
    return fv_call_has(c, in) && fv_tensor_count(c->in[in]) &&
           (!c->in[in]->data || fv_element_get(c->in[in], 0) != 0);
}

static bool dropout_shape(const fv_call *c) {
    if (may_be_set(c, 2) && (!fv_call_has(c, 1) || may_be_set(c, 1)))
        return fv_fail(c->err, FV_UNSUPPORTED,
                       "it is in training mode; export the model for inference");
    return fv_shape_like(c, 0, c->in[0]) &&
           fv_shape_set(c, 1, c->opset < 10 ? c->in[0]->dtype : FV_BOOL, c->in[0]->n_dims,
                        c->in[0]->dim);
}

static bool dropout_run(const fv_call *c) {
    if (c->out[0])
        copy_run(c);
    double one = 1;
    for (int64_t i = 0; c->n_out > 1 && c->out[1] && i < fv_tensor_count(c->out[1]); i++)
        fv_convert((char *)c->out[1]->data + (size_t)i * fv_dtype_size(c->out[1]->dtype),
                   c->out[1]->dtype, &one, FV_F64, 1);
    return true;
}

#define VIEW(name_, ins, shape_)                                                                   \
    {.name = name_, .min_in = 1, .max_in = ins, .max_out = 1, .types = FV_TYPES_ALL, .view = true, \
     .attr_size = sizeof(fv_view_attr), .parse = parse, .shape = shape_, .run = copy_run}

const fv_op fv_ops_view[] = {
    VIEW("Reshape", 2, reshape_shape),
    VIEW("Flatten", 1, flatten_shape),
    VIEW("Squeeze", 2, squeeze_shape),
    VIEW("Unsqueeze", 2, unsqueeze_shape),
    {.name = "Identity", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_ALL,
     .view = true, .run = copy_run},
    {.name = "Dropout", .min_in = 1, .max_in = 3, .max_out = 2, .types = FV_TYPES_FLOAT,
     .view = true, .shape = dropout_shape, .run = dropout_run},
    {0},
};
