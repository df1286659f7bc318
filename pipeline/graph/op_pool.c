#include "pipeline/graph/op_pool.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "pipeline/graph/window.h"

enum { GLOBAL = 16 }; // added to the kind of a Global op

static fv_window window_of(fv_pool_attr *p) {
    return (fv_window){p->kernel, p->stride, p->dilation, p->pad, p->auto_pad, p->ceil_mode};
}

static void parse(fv_attrs *a, void *attr) {
    fv_pool_attr *p = attr;
    p->kind = fv_attrs_variant(a) % GLOBAL;
    p->global = fv_attrs_variant(a) >= GLOBAL;
    p->p = fv_attr_int(a, "p", 2, 1, 64);
    fv_window_parse(a, window_of(p), &p->auto_pad);
    p->ceil_mode = fv_attr_int(a, "ceil_mode", 0, 0, 1);
    p->count_include_pad = fv_attr_int(a, "count_include_pad", 0, 0, 1);
    p->column_major = fv_attr_int(a, "storage_order", 0, 0, 1);
}

// A global pool of any rank is one of a single row.
static bool global_shape(const fv_call *c) {
    fv_pool_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    if (x->n_dims < 3)
        return fv_fail(c->err, FV_BAD_INPUT, "its input has only %d dimensions", x->n_dims);
    int64_t dim[FV_MAX_DIMS] = {x->dim[0], x->dim[1], 1, 1, 1, 1, 1, 1},
            n = fv_dims_product(x, 2, x->n_dims);
    int64_t height = x->n_dims == 4 ? x->dim[2] : 1, width = x->n_dims == 4 ? x->dim[3] : n;
    if (n < 1 || height > 1 << 24 || width > 1 << 24)
        return fv_fail(c->err, FV_UNSUPPORTED, "its input has %lld values a channel", (long long)n);
    p->kernel[0] = (int)height, p->kernel[1] = (int)width;
    for (int d = 0; d < 2; d++)
        p->stride[d] = p->dilation[d] = 1, p->pad[d] = p->pad[2 + d] = 0;
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

static bool pool_shape(const fv_call *c) {
    fv_pool_attr *p = c->attr;
    int64_t in[2], out[2];
    if (p->global)
        return global_shape(c);
    if (!fv_plane_get(c, c->in[0], in) || !fv_window_solve(c, window_of(p), in, out))
        return false;
    if (p->kind == FV_POOL_MAX && !fv_plane_set(c, 1, c->in[0], FV_I64, c->in[0]->dim[1], out))
        return false;
    return fv_plane_set(c, 0, c->in[0], c->in[0]->dtype, c->in[0]->dim[1], out);
}

// The window of one output value, clipped to the input.
typedef struct {
    const fv_pool_attr *p;
    const float *x;
    int64_t h, w, y0, x0;
} view;

static float pool_max(const view *v, int64_t *at) {
    float best = -INFINITY;
    *at = -1;
    for (int ky = 0; ky < v->p->kernel[0]; ky++)
        for (int kx = 0; kx < v->p->kernel[1]; kx++) {
            int64_t y = v->y0 + (int64_t)ky * v->p->dilation[0],
                    x = v->x0 + (int64_t)kx * v->p->dilation[1];
            if (y < 0 || y >= v->h || x < 0 || x >= v->w)
                continue;
            float value = v->x[y * v->w + x];
            if (*at < 0 || value > best)
                best = value, *at = v->p->column_major ? x * v->h + y : y * v->w + x;
        }
    return best;
}

static float pool_sum(const view *v, int64_t *n) {
    const fv_pool_attr *p = v->p;
    double sum = 0;
    *n = 0;
    for (int ky = 0; ky < p->kernel[0]; ky++)
        for (int kx = 0; kx < p->kernel[1]; kx++) {
            int64_t y = v->y0 + (int64_t)ky * p->dilation[0],
                    x = v->x0 + (int64_t)kx * p->dilation[1];
            bool inside = y >= 0 && y < v->h && x >= 0 && x < v->w;
            *n += inside || (p->count_include_pad && y < v->h + p->pad[2] && x < v->w + p->pad[3]);
            if (inside)
                sum += p->kind == FV_POOL_LP ? pow(fabs(v->x[y * v->w + x]), p->p)
                                             : (double)v->x[y * v->w + x];
        }
    return (float)(p->kind == FV_POOL_LP ? pow(sum, 1.0 / p->p) : *n ? sum / (double)*n : 0);
}

static void pool_plane(view v, int64_t base, float *out, int64_t *index, int64_t out_h,
                       int64_t out_w) {
    for (int64_t oy = 0; oy < out_h; oy++)
        for (int64_t ox = 0; ox < out_w; ox++) {
            int64_t at;
            v.y0 = oy * v.p->stride[0] - v.p->pad[0];
            v.x0 = ox * v.p->stride[1] - v.p->pad[1];
            out[oy * out_w + ox] = v.p->kind == FV_POOL_MAX ? pool_max(&v, &at) : pool_sum(&v, &at);
            if (index)
                index[oy * out_w + ox] = base + at;
        }
}

static void pool_planes(const fv_call *c, const float *x, float *y) {
    const fv_pool_attr *p = c->attr;
    const fv_tensor *in = c->in[0], *out = c->out[0];
    int64_t h = p->global ? p->kernel[0] : in->n_dims == 4 ? in->dim[2] : 1;
    int64_t w = p->global ? p->kernel[1] : in->dim[in->n_dims - 1];
    int64_t out_h = p->global          ? 1
                    : out->n_dims == 4 ? out->dim[2]
                                       : 1,
            out_w = p->global ? 1 : out->dim[out->n_dims - 1];
    int64_t *index = c->n_out > 1 && c->out[1] ? c->out[1]->data : NULL;
    for (int64_t i = 0; i < in->dim[0] * in->dim[1]; i++)
        pool_plane((view){.p = p, .x = x + i * h * w, .h = h, .w = w}, i * h * w,
                   y + i * out_h * out_w, index ? index + i * out_h * out_w : NULL, out_h, out_w);
}

// Bytes (MaxPool of int8 and uint8) are pooled as floats.
static bool pool_run(const fv_call *c) {
    const fv_tensor *in = c->in[0], *out = c->out[0];
    if (in->dtype == FV_F32) {
        pool_planes(c, in->data, out->data);
        return true;
    }
    size_t n = (size_t)fv_tensor_count(in), m = (size_t)fv_tensor_count(out);
    float *x = malloc(n * sizeof *x + 1), *y = malloc(m * sizeof *y + 1);
    if (x && y) {
        fv_convert(x, FV_F32, in->data, in->dtype, n);
        pool_planes(c, x, y);
        fv_convert(out->data, out->dtype, y, FV_F32, m);
    }
    bool ok = x && y;
    free(x);
    free(y);
    return ok || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double pool_work(const fv_call *c) {
    const fv_pool_attr *p = c->attr;
    return (double)fv_tensor_count(c->out[0]) * p->kernel[0] * p->kernel[1];
}

#define POOL(name_, kind, types_, outs)                                                            \
    {.name = name_, .min_in = 1, .max_in = 1, .max_out = outs, .types = types_, .as_float = true,  \
     .variant = kind, .attr_size = sizeof(fv_pool_attr), .parse = parse, .shape = pool_shape,      \
     .run = pool_run, .work = pool_work}

const fv_op fv_ops_pool[] = {
    POOL("MaxPool", FV_POOL_MAX, FV_TYPES_FLOAT | FV_TYPES_BYTE, 2),
    POOL("AveragePool", FV_POOL_AVERAGE, FV_TYPES_FLOAT, 1),
    POOL("LpPool", FV_POOL_LP, FV_TYPES_FLOAT, 1),
    POOL("GlobalMaxPool", FV_POOL_MAX + GLOBAL, FV_TYPES_FLOAT, 1),
    POOL("GlobalAveragePool", FV_POOL_AVERAGE + GLOBAL, FV_TYPES_FLOAT, 1),
    POOL("GlobalLpPool", FV_POOL_LP + GLOBAL, FV_TYPES_FLOAT, 1),
    {0},
};
