#include <limits.h>
#include <math.h>
#include <string.h>

#include "pipeline/graph/elementwise.h"
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

static void parse(fv_attrs *a, void *attr) {
    fv_norm_attr *p = attr;
    p->epsilon = fv_attr_float(a, "epsilon", 1e-5f);
    p->axis = fv_attr_int(a, "axis", -1, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->groups = fv_attr_int(a, "num_groups", 1, 1, 1 << 20);
    p->training = fv_attr_int(a, "training_mode", 0, 0, 1);
    p->size = fv_attr_int(a, "size", 1, 1, 1 << 16);
    p->alpha = fv_attr_float(a, "alpha", 1e-4f);
    p->beta = fv_attr_float(a, "beta", 0.75f);
    p->bias = fv_attr_float(a, "bias", 1);
}

static bool channels_check(const fv_call *c, int from, int to, int64_t n) {
    for (int k = from; k <= to; k++)
        if (fv_call_has(c, k) && fv_tensor_count(c->in[k]) != n)
            return fv_fail(c->err, FV_BAD_INPUT, "'%s' has %lld values, not %lld", c->in[k]->name,
                           (long long)fv_tensor_count(c->in[k]), (long long)n);
    return true;
}

static int64_t channels_of(const fv_tensor *x) {
    return x->n_dims > 1 ? x->dim[1] : 1;
}

// Mean and variance of n values, in double so that both passes are exact enough.
static void moments(const float *x, int64_t n, double *mean, double *variance) {
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n; i++)
        sum += (double)x[i];
    *mean = n ? sum / (double)n : 0;
    for (int64_t i = 0; i < n; i++)
        square += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    *variance = n ? square / (double)n : 0;
}

// ---- BatchNormalization -------------------------------------------------------------------------

static bool batch_shape(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    if (p->training)
        return fv_fail(c->err, FV_UNSUPPORTED,
                       "it is in training mode; export the model for inference");
    return channels_check(c, 1, 4, channels_of(c->in[0])) && fv_shape_like(c, 0, c->in[0]);
}

static bool batch_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    const float *scale = c->in[1]->data, *bias = c->in[2]->data, *mean = c->in[3]->data,
                *variance = c->in[4]->data;
    int64_t channels = channels_of(x), inner = x->n_dims > 2 ? fv_dims_product(x, 2, x->n_dims) : 1;
    for (int64_t i = 0; i < fv_tensor_count(x); i++) {
        int64_t ch = i / inner % channels;
        ((float *)c->out[0]->data)[i] =
            (((float *)x->data)[i] - mean[ch]) / sqrtf(variance[ch] + p->epsilon) * scale[ch] +
            bias[ch];
    }
    return true;
}

// ---- InstanceNormalization, GroupNormalization --------------------------------------------------

static bool group_shape(const fv_call *c) {
    fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    if (x->n_dims < 2)
        return fv_fail(c->err, FV_BAD_INPUT, "its input has %d dimensions", x->n_dims);
    if (c->op->variant == 0)
        p->groups = x->dim[1] <= INT_MAX ? (int)x->dim[1] : 0;
    if (p->groups < 1 || x->dim[1] % p->groups)
        return fv_fail(c->err, FV_BAD_INPUT, "%lld channels do not divide into %d groups",
                       (long long)x->dim[1], p->groups);
    int64_t n = c->op->variant && c->opset < 21
                    ? p->groups
                    : x->dim[1]; // GroupNormalization 18 scales by group
    return channels_check(c, 1, 2, n) && fv_shape_like(c, 0, x);
}

static bool group_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    const float *scale = c->in[1]->data, *bias = c->in[2]->data;
    int64_t inner = fv_dims_product(x, 2, x->n_dims), channels = x->dim[1],
            n = channels / p->groups * inner;
    if (!n) // of no channels there is no scale either
        return true;
    int64_t per_scale = inner * (channels / fv_tensor_count(c->in[1]));
    for (int64_t g = 0; g < x->dim[0] * p->groups; g++) {
        const float *from = (const float *)x->data + g * n;
        float *to = (float *)c->out[0]->data + g * n;
        double mean, variance;
        moments(from, n, &mean, &variance);
        for (int64_t i = 0; i < n; i++) {
            int64_t s = (g % p->groups * n + i) / per_scale;
            to[i] =
                (float)(((double)from[i] - mean) / sqrt(variance + (double)p->epsilon)) * scale[s] +
                bias[s];
        }
    }
    return true;
}

// ---- LayerNormalization, RMSNormalization -------------------------------------------------------------------------

FV_PAIR(times, float, float, x * y)
FV_PAIR(plus, float, float, x + y)

// Scale and bias are repeated into the shape of x, which stays as it is.
static bool repeated_check(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    for (int k = 1; k < c->n_in; k++) {
        int n_dims;
        int64_t dim[FV_MAX_DIMS];
        if (!fv_call_has(c, k))
            continue;
        if (!fv_shape_broadcast(c, (const fv_tensor *[]){x, c->in[k]}, 2, &n_dims, dim))
            return false;
        if (n_dims != x->n_dims || memcmp(dim, x->dim, (size_t)n_dims * sizeof *dim))
            return fv_fail(c->err, FV_BAD_INPUT, "'%s' is larger than what it scales", c->in[k]->name);
    }
    return true;
}

static void scale_and_shift(const fv_call *c) {
    fv_pairs_apply(times, FV_CLASS_FLOAT, false, c->out[0], c->in[1], c->out[0]);
    if (fv_call_has(c, 2))
        fv_pairs_apply(plus, FV_CLASS_FLOAT, false, c->out[0], c->in[2], c->out[0]);
}

static bool layer_shape(const fv_call *c) {
    fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t dim[FV_MAX_DIMS];
    if (!fv_axis_solve(c, p->axis, x->n_dims, &p->axis) || !repeated_check(c))
        return false;
    for (int d = 0; d < x->n_dims; d++)
        dim[d] = d < p->axis ? x->dim[d] : 1;
    return fv_shape_like(c, 0, x) && fv_shape_set(c, 1, FV_F32, x->n_dims, dim) &&
           fv_shape_set(c, 2, FV_F32, x->n_dims, dim);
}

static bool layer_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = fv_dims_product(x, p->axis, x->n_dims);
    for (int64_t o = 0; o < fv_dims_product(x, 0, p->axis); o++) {
        const float *from = (const float *)x->data + o * n;
        double mean, variance;
        moments(from, n, &mean, &variance);
        double inverse = 1 / sqrt(variance + (double)p->epsilon);
        for (int64_t i = 0; i < n; i++)
            ((float *)c->out[0]->data)[o * n + i] = (float)(((double)from[i] - mean) * inverse);
        if (c->n_out > 1 && c->out[1])
            ((float *)c->out[1]->data)[o] = (float)mean;
        if (c->n_out > 2 && c->out[2])
            ((float *)c->out[2]->data)[o] = (float)inverse;
    }
    scale_and_shift(c);
    return true;
}

// x / sqrt(mean(x^2) + epsilon) * scale
static bool rms_shape(const fv_call *c) {
    fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    return fv_axis_solve(c, p->axis, x->n_dims, &p->axis) && repeated_check(c) && fv_shape_like(c, 0, x);
}

static bool rms_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = fv_dims_product(x, p->axis, x->n_dims);
    for (int64_t o = 0; o < fv_dims_product(x, 0, p->axis); o++) {
        const float *from = (const float *)x->data + o * n;
        double square = 0;
        for (int64_t i = 0; i < n; i++)
            square += (double)from[i] * (double)from[i];
        double inverse = 1 / sqrt((n ? square / (double)n : 0) + (double)p->epsilon);
        for (int64_t i = 0; i < n; i++)
            ((float *)c->out[0]->data)[o * n + i] = (float)((double)from[i] * inverse);
    }
    scale_and_shift(c);
    return true;
}

// ---- LRN, LpNormalization -----------------------------------------------------------------------

static bool lrn_shape(const fv_call *c) {
    return c->in[0]->n_dims >= 2
               ? fv_shape_like(c, 0, c->in[0])
               : fv_fail(c->err, FV_BAD_INPUT, "its input has too few dimensions");
}

static bool lrn_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    const float *v = x->data;
    int64_t channels = x->dim[1], inner = fv_dims_product(x, 2, x->n_dims);
    for (int64_t i = 0; i < fv_tensor_count(x); i++) {
        int64_t ch = i / inner % channels, base = i - ch * inner;
        int64_t lo = ch - (p->size - 1) / 2, hi = ch + p->size / 2;
        double sum = 0;
        for (int64_t k = lo < 0 ? 0 : lo; k <= hi && k < channels; k++)
            sum += (double)v[base + k * inner] * (double)v[base + k * inner];
        ((float *)c->out[0]->data)[i] =
            v[i] / (float)pow((double)p->bias + (double)p->alpha / p->size * sum, (double)p->beta);
    }
    return true;
}

static double lrn_work(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    return (double)fv_tensor_count(c->in[0]) *
           (p->size < c->in[0]->dim[1] ? p->size : (double)c->in[0]->dim[1]);
}

static void lp_parse(fv_attrs *a, void *attr) {
    fv_norm_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", -1, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->size = fv_attr_int(a, "p", 2, 1, 2);
}

static bool lp_shape(const fv_call *c) {
    fv_norm_attr *p = c->attr;
    return fv_axis_solve(c, p->axis, c->in[0]->n_dims, &p->axis) && fv_shape_like(c, 0, c->in[0]);
}

static bool lp_run(const fv_call *c) {
    const fv_norm_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = x->dim[p->axis], inner = fv_dims_product(x, p->axis + 1, x->n_dims);
    for (int64_t i = 0; n && i < fv_tensor_count(x) / n; i++) {
        const float *v = (const float *)x->data + i / inner * n * inner + i % inner;
        float *to = (float *)c->out[0]->data + i / inner * n * inner + i % inner;
        double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += p->size == 1 ? fabs((double)v[k * inner])
                                : (double)v[k * inner] * (double)v[k * inner];
        double norm = p->size == 1 ? sum : sqrt(sum);
        for (int64_t k = 0; k < n; k++)
            to[k * inner] = norm > 0 ? (float)((double)v[k * inner] / norm) : 0;
    }
    return true;
}

#define NORM(name_, lo, hi, outs, variant_, parse_, shape_, run_, work_)                           \
    {.name = name_, .min_in = lo, .max_in = hi, .max_out = outs, .types = FV_TYPES_FLOAT,          \
     .as_float = true, .variant = variant_, .attr_size = sizeof(fv_norm_attr), .parse = parse_,    \
     .shape = shape_, .run = run_, .work = work_}

const fv_op fv_ops_norm[] = {
    NORM("BatchNormalization", 5, 5, 1, 0, parse, batch_shape, batch_run, NULL),
    NORM("InstanceNormalization", 3, 3, 1, 0, parse, group_shape, group_run, NULL),
    NORM("GroupNormalization", 3, 3, 1, 1, parse, group_shape, group_run, NULL),
    NORM("LayerNormalization", 2, 3, 3, 0, parse, layer_shape, layer_run, NULL),
    NORM("RMSNormalization", 2, 2, 1, 0, parse, rms_shape, rms_run, NULL),
    NORM("LRN", 1, 1, 1, 0, parse, lrn_shape, lrn_run, lrn_work),
    NORM("LpNormalization", 1, 1, 1, 0, lp_parse, lp_shape, lp_run, NULL),
    {0},
};
