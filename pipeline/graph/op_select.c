// Ops that make tensors (Constant, Shape, Range, ...) or choose elements (Where).
#include <string.h>

#include "pipeline/graph/ops.h"

typedef struct {
    fv_tensor value;
    int start, end;
} make_attr;

// ---- Constant, ConstantOfShape ------------------------------------------------------------------

static void value_parse(fv_attrs *a, void *attr) {
    make_attr *p = attr;
    float zero = 0;
    if (!fv_attr_tensor(a, "value", &p->value)) {
        if (fv_attrs_variant(a) == 0)
            fv_attr_refuse(a, "it has no value that is a tensor of numbers");
        p->value = (fv_tensor){.dtype = FV_F32, .n_dims = 1, .dim = {1}};
        p->value.data = fv_attr_memdup(a, &zero, sizeof zero);
    }
}

static bool constant_shape(const fv_call *c) {
    return fv_shape_like(c, 0, &((make_attr *)c->attr)->value);
}

static bool constant_run(const fv_call *c) {
    const make_attr *p = c->attr;
    memcpy(c->out[0]->data, p->value.data, fv_tensor_bytes(&p->value));
    return true;
}

static bool filled_shape(const fv_call *c) {
    const make_attr *p = c->attr;
    int64_t dim[FV_MAX_DIMS];
    int n;
    if (fv_tensor_count(&p->value) != 1)
        return fv_fail(c->err, FV_BAD_INPUT, "its value is no single number");
    return fv_longs_get(c, 0, dim, FV_MAX_DIMS, &n) && fv_shape_set(c, 0, p->value.dtype, n, dim);
}

static bool filled_run(const fv_call *c) {
    const make_attr *p = c->attr;
    size_t size = fv_dtype_size(p->value.dtype);
    for (int64_t i = 0; i < fv_tensor_count(c->out[0]); i++)
        memcpy((char *)c->out[0]->data + (size_t)i * size, p->value.data, size);
    return true;
}

// ---- Shape, Size --------------------------------------------------------------------------------

static void shape_parse(fv_attrs *a, void *attr) {
    make_attr *p = attr;
    p->start = fv_attr_int(a, "start", 0, -1000, 1000);
    p->end = fv_attr_int(a, "end", FV_MAX_DIMS, -1000, 1000);
}

static int bounded(int v, int n) {
    v = v < 0 ? v + n : v;
    return v < 0 ? 0 : v > n ? n : v;
}

static bool shape_shape(const fv_call *c) {
    make_attr *p = c->attr;
    p->start = bounded(p->start, c->in[0]->n_dims);
    p->end = bounded(p->end, c->in[0]->n_dims);
    return fv_shape_set(c, 0, FV_I64, 1, (int64_t[]){p->end > p->start ? p->end - p->start : 0});
}

static bool shape_run(const fv_call *c) {
    const make_attr *p = c->attr;
    for (int d = p->start; d < p->end; d++)
        ((int64_t *)c->out[0]->data)[d - p->start] = c->in[0]->dim[d];
    return true;
}

static bool size_shape(const fv_call *c) {
    return fv_shape_set(c, 0, FV_I64, 0, NULL);
}

static bool size_run(const fv_call *c) {
    *(int64_t *)c->out[0]->data = fv_tensor_count(c->in[0]);
    return true;
}

// ---- Range --------------------------------------------------------------------------------------

static bool range_shape(const fv_call *c) {
    double v[3];
    for (int k = 0; k < 3; k++) {
        if (!c->in[k]->data)
            return fv_fail(c->err, FV_UNSUPPORTED,
                           "input '%s' is computed at run time; a shape must not depend on it",
                           c->in[k]->name);
        if (fv_tensor_count(c->in[k]) != 1)
            return fv_fail(c->err, FV_BAD_INPUT, "input '%s' is no scalar", c->in[k]->name);
        v[k] = fv_element_get(c->in[k], 0);
    }
    double n = v[2] != 0 ? (v[1] - v[0]) / v[2] : 0;
    if (!(n < 0x1p40))
        return fv_fail(c->err, FV_BAD_INPUT, "it is too long");
    int64_t whole = (int64_t)(n > 0 ? n : 0);
    return fv_shape_set(c, 0, c->in[0]->dtype, 1, (int64_t[]){whole + ((double)whole < n)});
}

static bool range_run(const fv_call *c) {
    const fv_tensor *y = c->out[0];
    double start = fv_element_get(c->in[0], 0), step = fv_element_get(c->in[2], 0);
    for (int64_t i = 0; i < y->dim[0]; i++) {
        double v = start + (double)i * step;
        fv_convert((char *)y->data + (size_t)i * fv_dtype_size(y->dtype), y->dtype, &v, FV_F64, 1);
    }
    return true;
}

// ---- Where --------------------------------------------------------------------------------------

static bool where_shape(const fv_call *c) {
    int n;
    int64_t dim[FV_MAX_DIMS];
    if (c->in[1]->dtype != c->in[2]->dtype)
        return fv_fail(c->err, FV_BAD_INPUT, "its inputs are of types %s and %s",
                       fv_dtype_name(c->in[1]->dtype), fv_dtype_name(c->in[2]->dtype));
    return fv_shape_broadcast(c, c->in, 3, &n, dim) && fv_shape_set(c, 0, c->in[1]->dtype, n, dim);
}

static bool where_run(const fv_call *c) {
    const fv_tensor *y = c->out[0];
    int64_t stride[3][FV_MAX_DIMS], at[FV_MAX_DIMS] = {0};
    size_t size = fv_dtype_size(y->dtype);
    for (int k = 0; k < 3; k++)
        fv_strides_broadcast(c->in[k], y->n_dims, y->dim, stride[k]);
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t from[3] = {0};
        for (int k = 0; k < 3; k++)
            for (int d = 0; d < y->n_dims; d++)
                from[k] += at[d] * stride[k][d];
        int which = ((uint8_t *)c->in[0]->data)[from[0]] ? 1 : 2;
        memcpy((char *)y->data + (size_t)i * size,
               (char *)c->in[which]->data + (size_t)from[which] * size, size);
        for (int d = y->n_dims - 1; d >= 0 && ++at[d] == y->dim[d]; d--)
            at[d] = 0;
    }
    return true;
}

const fv_op fv_ops_select[] = {
    {.name = "Constant", .max_out = 1, .types = FV_TYPES_ALL, .attr_size = sizeof(make_attr),
     .parse = value_parse, .shape = constant_shape, .run = constant_run},
    {.name = "ConstantOfShape", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPE(FV_I64),
     .variant = 1, .attr_size = sizeof(make_attr), .parse = value_parse, .shape = filled_shape,
     .run = filled_run},
    {.name = "Shape", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_ALL,
     .attr_size = sizeof(make_attr), .of_shape = true, .parse = shape_parse, .shape = shape_shape,
     .run = shape_run},
    {.name = "Size", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_ALL,
     .of_shape = true, .shape = size_shape, .run = size_run},
    {.name = "Range", .min_in = 3, .max_in = 3, .max_out = 1, .types = FV_TYPES_NUMBER,
     .shape = range_shape, .run = range_run},
    {.name = "Where", .min_in = 3, .max_in = 3, .max_out = 1, .types = FV_TYPE(FV_BOOL),
     .shape = where_shape, .run = where_run},
    {0},
};
