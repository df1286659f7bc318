// Quantised ops. Whole numbers are multiplied exactly; scales are float32.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/families.h"
#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

static double saturate(double v, fv_dtype dtype) {
    double lo = dtype == FV_U8 || dtype == FV_U16 ? 0
                : dtype == FV_I8                  ? -128
                : dtype == FV_I16                 ? -32768
                                                  : -0x1p31;
    double hi = dtype == FV_U8    ? 255
                : dtype == FV_I8  ? 127
                : dtype == FV_U16 ? 65535
                : dtype == FV_I16 ? 32767
                                  : 0x1p31 - 1;
    return v != v ? 0 : v < lo ? lo : v > hi ? hi : v;
}

static void put(const fv_tensor *t, int64_t i, double v) {
    fv_convert((char *)t->data + (size_t)i * fv_dtype_size(t->dtype), t->dtype, &v, FV_F64, 1);
}

// Value i of an optional scale or zero point that has one element or one a channel.
static double of_channel(const fv_call *c, int in, int64_t i, double def) {
    if (!fv_call_has(c, in))
        return def;
    return fv_element_get(c->in[in], fv_tensor_count(c->in[in]) == 1 ? 0 : i);
}

static bool check_channels(const fv_call *c, int in, int64_t n) {
    if (fv_call_has(c, in) && fv_tensor_count(c->in[in]) != 1 && fv_tensor_count(c->in[in]) != n)
        return fv_fail(c->err, FV_BAD_INPUT, "'%s' has %lld values, not 1 or %lld", c->in[in]->name,
                       (long long)fv_tensor_count(c->in[in]), (long long)n);
    return true;
}

// ---- QuantizeLinear, DequantizeLinear -----------------------------------------------------------

static void axis_parse(fv_attrs *a, void *attr) {
    fv_quant_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", 1, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->block = fv_attr_int(a, "block_size", 0, 0, 1 << 30);
    p->dtype = fv_attr_long(a, "output_dtype", 0) ? fv_attr_dtype(a, "output_dtype", FV_U8) : FV_U8;
}

// A scale for each block along the axis: shaped as the input, but there.
static bool blocks_check(const fv_call *c) {
    const fv_quant_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    for (int k = 1; k < 3 && fv_call_has(c, k); k++) {
        const fv_tensor *t = c->in[k];
        bool fits = t->n_dims == x->n_dims;
        for (int d = 0; fits && d < x->n_dims; d++)
            fits = t->dim[d] == (d == p->axis ? (x->dim[d] + p->block - 1) / p->block : x->dim[d]);
        if (!fits)
            return fv_fail(c->err, FV_BAD_INPUT, "'%s' does not fit blocks of %lld", t->name, (long long)p->block);
    }
    return true;
}

static bool linear_shape(const fv_call *c) {
    fv_quant_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    bool all = fv_tensor_count(c->in[1]) == 1 && !p->block;
    if (!all && !fv_axis_solve(c, p->axis, x->n_dims, &p->axis))
        return false;
    if (all)
        p->axis = -1;
    int64_t n = all ? 1 : x->dim[p->axis];
    fv_dtype dtype = c->op->variant ? c->in[1]->dtype : fv_call_has(c, 2) ? c->in[2]->dtype : p->dtype;
    return (p->block ? blocks_check(c) : check_channels(c, 1, n) && check_channels(c, 2, n)) &&
           fv_shape_set(c, 0, dtype, x->n_dims, x->dim);
}

static bool linear_run(const fv_call *c) {
    const fv_quant_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    int64_t inner = p->axis < 0 ? 1 : fv_dims_product(x, p->axis + 1, x->n_dims),
            n = p->axis < 0 ? 1 : x->dim[p->axis];
    int64_t blocks = p->block ? (n + p->block - 1) / p->block : 0;
    for (int64_t i = 0; i < fv_tensor_count(x); i++) {
        int64_t ch = i / inner % n;
        if (p->block)
            ch = (i / inner / n * blocks + ch / p->block) * inner + i % inner;
        double v = fv_element_get(x, i), scale = of_channel(c, 1, ch, 1),
               zero = of_channel(c, 2, ch, 0);
        put(y, i,
            c->op->variant ? (v - zero) * scale
                           : saturate(rint((double)((float)v / (float)scale)) + zero, y->dtype));
    }
    return true;
}

static bool dynamic_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    return fv_shape_set(c, 0, FV_U8, x->n_dims, x->dim) && fv_shape_set(c, 1, FV_F32, 0, NULL) &&
           fv_shape_set(c, 2, FV_U8, 0, NULL);
}

static bool dynamic_run(const fv_call *c) {
    const float *x = c->in[0]->data;
    int64_t n = fv_tensor_count(c->in[0]);
    float lo = 0, hi = 0;
    for (int64_t i = 0; i < n; i++) {
        lo = x[i] < lo ? x[i] : lo;
        hi = x[i] > hi ? x[i] : hi;
    }
    float scale = hi > lo ? (hi - lo) / 255 : 1;
    double zero = saturate(rint((double)(-lo / scale)), FV_U8);
    for (int64_t i = 0; i < n && c->out[0]; i++)
        put(c->out[0], i, saturate(rint((double)(x[i] / scale)) + zero, FV_U8));
    if (c->n_out > 1 && c->out[1])
        put(c->out[1], 0, (double)scale);
    if (c->n_out > 2 && c->out[2])
        put(c->out[2], 0, zero);
    return true;
}

// ---- ConvInteger, QLinearConv -------------------------------------------------------------------

// Where the inputs of both forms are.
typedef struct {
    int w, x_zero, w_zero, bias;
    int x_scale, w_scale, y_scale, y_zero;
} ports;
static const ports conv_integer = {1, 2, 3, 99, 99, 99, 99, 99}, q_conv = {3, 2, 5, 8, 1, 4, 6, 7},
                   matmul_integer = {1, 2, 3, 99, 99, 99, 99, 99},
                   q_matmul = {3, 2, 5, 99, 1, 4, 6, 7};

static bool scalars_check(const fv_call *c, const ports *p, int64_t channels) {
    const int single[] = {p->x_zero, p->x_scale, p->y_scale, p->y_zero};
    for (int i = 0; i < 4; i++)
        if (!check_channels(c, single[i], 1))
            return false;
    return check_channels(c, p->w_zero, channels) && check_channels(c, p->w_scale, channels);
}

static bool conv_shape(const fv_call *c) {
    const ports *p = c->op->variant ? &q_conv : &conv_integer;
    fv_dtype dtype = c->op->variant ? c->in[7]->dtype : FV_I32;
    return fv_conv_shape_at(c, p->w, p->bias, dtype) && scalars_check(c, p, c->in[p->w]->dim[0]);
}

// The accumulator becomes the result: scaled and rounded in the quantised form.
static double requantize(const fv_call *c, const ports *p, int64_t sum, int64_t channel,
                         fv_dtype dtype) {
    if (dtype == FV_I32)
        return (double)(int32_t)sum;
    float scale = (float)of_channel(c, p->x_scale, 0, 1) *
                  (float)of_channel(c, p->w_scale, channel, 1) /
                  (float)of_channel(c, p->y_scale, 0, 1);
    return saturate(rint((double)((float)sum * scale)) + of_channel(c, p->y_zero, 0, 0), dtype);
}

static int64_t *longs_of(const fv_tensor *t) {
    size_t n = (size_t)fv_tensor_count(t);
    int64_t *v = malloc(n * sizeof *v + 1);
    if (v)
        fv_convert(v, FV_I64, t->data, t->dtype, n);
    return v;
}

// The sum of one window.
static int64_t window_sum(const fv_conv_attr *a, const int64_t *x, const int64_t *w,
                          int64_t channels, const int64_t in[2], int64_t y0, int64_t x0,
                          int64_t x_zero, int64_t w_zero) {
    int64_t sum = 0;
    for (int64_t ch = 0; ch < channels; ch++)
        for (int ky = 0; ky < a->kernel[0]; ky++)
            for (int kx = 0; kx < a->kernel[1]; kx++, w++) {
                int64_t iy = y0 + (int64_t)ky * a->dilation[0],
                        ix = x0 + (int64_t)kx * a->dilation[1];
                if (iy >= 0 && iy < in[0] && ix >= 0 && ix < in[1])
                    sum += (x[(ch * in[0] + iy) * in[1] + ix] - x_zero) * (*w - w_zero);
            }
    return sum;
}

static void conv_all(const fv_call *c, const ports *p, const int64_t *xs, const int64_t *ws) {
    const fv_conv_attr *a = c->attr;
    const fv_tensor *x = c->in[0], *w = c->in[p->w], *y = c->out[0];
    int64_t channels = w->dim[1], outs = w->dim[0], taps = channels * a->kernel[0] * a->kernel[1];
    int64_t in[] = {x->n_dims == 4 ? x->dim[2] : 1, x->dim[x->n_dims - 1]};
    int64_t out[] = {y->n_dims == 4 ? y->dim[2] : 1, y->dim[y->n_dims - 1]};
    int64_t x_zero = (int64_t)of_channel(c, p->x_zero, 0, 0);
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        int64_t ox = i % out[1], oy = i / out[1] % out[0], m = i / out[1] / out[0] % outs,
                n = i / out[1] / out[0] / outs;
        int64_t group = m / (outs / a->group),
                first = (n * x->dim[1] + group * channels) * in[0] * in[1];
        int64_t sum = window_sum(a, xs + first, ws + m * taps, channels, in,
                                 oy * a->stride[0] - a->pad[0], ox * a->stride[1] - a->pad[1],
                                 x_zero, (int64_t)of_channel(c, p->w_zero, m, 0));
        if (fv_call_has(c, p->bias))
            sum += fv_element_get_long(c->in[p->bias], m);
        put(y, i, requantize(c, p, sum, m, y->dtype));
    }
}

static bool conv_run(const fv_call *c) {
    const ports *p = c->op->variant ? &q_conv : &conv_integer;
    int64_t *x = longs_of(c->in[0]), *w = longs_of(c->in[p->w]);
    bool ok = x && w;
    if (ok)
        conv_all(c, p, x, w);
    free(x);
    free(w);
    return ok || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double conv_work(const fv_call *c) {
    return 4 * fv_conv_work_at(c, c->op->variant ? q_conv.w : conv_integer.w);
}

// ---- MatMulInteger, QLinearMatMul ---------------------------------------------------------------

static bool matmul_shape(const fv_call *c) {
    const ports *p = c->op->variant ? &q_matmul : &matmul_integer;
    const fv_tensor *b = c->in[p->w];
    return fv_matmul_shape_at(c, 0, p->w, c->op->variant ? c->in[7]->dtype : FV_I32) &&
           scalars_check(c, p, b->n_dims ? b->dim[b->n_dims - 1] : 1);
}

typedef struct {
    const fv_call *c;
    const ports *p;
    const int64_t *a, *b;
} product;

static void matmul_one(void *user, const int64_t at[3], const int64_t mkn[3]) {
    const product *k = user;
    int64_t a_zero = (int64_t)of_channel(k->c, k->p->x_zero, 0, 0);
    for (int64_t i = 0; i < mkn[0] * mkn[2]; i++) {
        int64_t row = i / mkn[2], column = i % mkn[2], sum = 0;
        int64_t b_zero = (int64_t)of_channel(k->c, k->p->w_zero, column, 0);
        for (int64_t j = 0; j < mkn[1]; j++)
            sum += (k->a[at[0] + row * mkn[1] + j] - a_zero) *
                   (k->b[at[1] + j * mkn[2] + column] - b_zero);
        put(k->c->out[0], at[2] + i, requantize(k->c, k->p, sum, column, k->c->out[0]->dtype));
    }
}

static bool matmul_run(const fv_call *c) {
    const ports *p = c->op->variant ? &q_matmul : &matmul_integer;
    int64_t *a = longs_of(c->in[0]), *b = longs_of(c->in[p->w]);
    bool ok = a && b && fv_matmul_each(c, 0, p->w, matmul_one, &(product){c, p, a, b});
    free(a);
    free(b);
    return ok || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double matmul_work(const fv_call *c) {
    const fv_tensor *a = c->in[0];
    return 4.0 * (double)fv_tensor_count(c->out[0]) *
           (double)(a->n_dims ? a->dim[a->n_dims - 1] : 1);
}

enum { QUANTISED = FV_TYPES_BYTE | FV_TYPE(FV_I16) | FV_TYPE(FV_U16) | FV_TYPE(FV_I32) };

const fv_op fv_ops_quant[] = {
    {.name = "QuantizeLinear", .min_in = 2, .max_in = 3, .max_out = 1,
     .types = FV_TYPES_FLOAT | FV_TYPE(FV_I32), .attr_size = sizeof(fv_quant_attr),
     .parse = axis_parse, .shape = linear_shape, .run = linear_run},
    {.name = "DequantizeLinear", .min_in = 2, .max_in = 3, .max_out = 1, .types = QUANTISED,
     .variant = 1, .attr_size = sizeof(fv_quant_attr), .parse = axis_parse, .shape = linear_shape,
     .run = linear_run},
    {.name = "DynamicQuantizeLinear", .min_in = 1, .max_in = 1, .max_out = 3,
     .types = FV_TYPE(FV_F32), .shape = dynamic_shape, .run = dynamic_run},
    {.name = "ConvInteger", .min_in = 2, .max_in = 4, .max_out = 1, .types = FV_TYPES_BYTE,
     .attr_size = sizeof(fv_conv_attr), .parse = fv_conv_parse, .shape = conv_shape,
     .run = conv_run, .work = conv_work},
    {.name = "QLinearConv", .min_in = 8, .max_in = 9, .max_out = 1, .types = FV_TYPES_BYTE,
     .variant = 1, .attr_size = sizeof(fv_conv_attr), .parse = fv_conv_parse, .shape = conv_shape,
     .run = conv_run, .work = conv_work},
    {.name = "MatMulInteger", .min_in = 2, .max_in = 4, .max_out = 1, .types = FV_TYPES_BYTE,
     .shape = matmul_shape, .run = matmul_run, .work = matmul_work},
    {.name = "QLinearMatMul", .min_in = 8, .max_in = 8, .max_out = 1, .types = FV_TYPES_BYTE,
     .variant = 1, .shape = matmul_shape, .run = matmul_run, .work = matmul_work},
    {0},
};
