#include <string.h>

#include "pipeline/graph/ops.h"

bool fv_shape_set(const fv_call *c, int out, fv_dtype dtype, int n_dims, const int64_t *dim) {
    if (n_dims > FV_MAX_DIMS)
        return fv_fail(c->err, FV_UNSUPPORTED, "output %d has %d dimensions; supported are %d", out,
                       n_dims, FV_MAX_DIMS);
    if (out >= c->n_out || !c->out[out])
        return true;
    fv_tensor *t = c->out[out];
    t->dtype = dtype;
    t->n_dims = n_dims;
    for (int d = 0; d < n_dims; d++)
        t->dim[d] = dim[d];
    return true;
}

bool fv_shape_like(const fv_call *c, int out, const fv_tensor *t) {
    return fv_shape_set(c, out, t->dtype, t->n_dims, t->dim);
}

static bool broadcast_one(const fv_call *c, const fv_tensor *t, int n_dims,
                          int64_t dim[FV_MAX_DIMS]) {
    for (int d = 0; d < t->n_dims; d++) {
        int64_t *to = &dim[n_dims - t->n_dims + d], from = t->dim[d];
        if (*to == 1) {
            *to = from;
        } else if (from != 1 && from != *to) {
            char text[128];
            return fv_fail(c->err, FV_BAD_INPUT,
                           "shape %s of '%s' does not broadcast: %lld is not %lld",
                           fv_tensor_shape_text(t, text, sizeof text), t->name, (long long)from,
                           (long long)*to);
        }
    }
    return true;
}

bool fv_shape_broadcast(const fv_call *c, const fv_tensor *const *t, int n, int *n_dims,
                        int64_t dim[FV_MAX_DIMS]) {
    *n_dims = 0;
    for (int i = 0; i < n; i++)
        if (t[i] && t[i]->n_dims > *n_dims)
            *n_dims = t[i]->n_dims;
    for (int d = 0; d < *n_dims; d++)
        dim[d] = 1;
    for (int i = 0; i < n; i++)
        if (t[i] && !broadcast_one(c, t[i], *n_dims, dim))
            return false;
    return true;
}

bool fv_axis_solve(const fv_call *c, int64_t axis, int n, int *solved) {
    if (axis < -n || axis >= n)
        return fv_fail(c->err, FV_BAD_INPUT, "axis %lld does not exist in %d dimensions",
                       (long long)axis, n);
    *solved = (int)(axis < 0 ? axis + n : axis);
    return true;
}

static bool constant_get(const fv_call *c, int in, int max, int *n) {
    const fv_tensor *t = c->in[in];
    if (!t->data)
        return fv_fail(c->err, FV_UNSUPPORTED,
                       "input '%s' is computed at run time; a shape must not depend on it",
                       t->name);
    if (fv_tensor_count(t) > max)
        return fv_fail(c->err, FV_UNSUPPORTED, "input '%s' has %lld values; supported are %d",
                       t->name, (long long)fv_tensor_count(t), max);
    *n = (int)fv_tensor_count(t);
    return true;
}

bool fv_longs_get(const fv_call *c, int in, int64_t *v, int max, int *n) {
    if (!constant_get(c, in, max, n))
        return false;
    fv_convert(v, FV_I64, c->in[in]->data, c->in[in]->dtype, (size_t)*n);
    return true;
}

bool fv_floats_get(const fv_call *c, int in, float *v, int max, int *n) {
    if (!constant_get(c, in, max, n))
        return false;
    fv_convert(v, FV_F32, c->in[in]->data, c->in[in]->dtype, (size_t)*n);
    return true;
}

bool fv_call_has(const fv_call *c, int in) {
    return in < c->n_in && c->in[in];
}

int64_t fv_dims_product(const fv_tensor *t, int from, int to) {
    int64_t n = 1;
    for (int d = from; d < to; d++)
        n *= t->dim[d];
    return n;
}

void fv_strides_get(const fv_tensor *t, int64_t stride[FV_MAX_DIMS]) {
    int64_t n = 1;
    for (int d = t->n_dims - 1; d >= 0; d--) {
        stride[d] = n;
        n *= t->dim[d];
    }
}

void fv_strides_broadcast(const fv_tensor *t, int n_dims, const int64_t *dim,
                          int64_t stride[FV_MAX_DIMS]) {
    int64_t own[FV_MAX_DIMS];
    fv_strides_get(t, own);
    for (int d = 0; d < n_dims; d++) {
        int k = d - (n_dims - t->n_dims);
        stride[d] = k < 0 || (t->dim[k] == 1 && dim[d] != 1) ? 0 : own[k];
    }
}

static void copy_row(char *dst, int64_t dst_step, const char *src, int64_t src_step, int64_t n,
                     size_t size) {
    if (dst_step == 1 && src_step == 1) {
        memcpy(dst, src, (size_t)n * size);
        return;
    }
    int64_t ds = dst_step * (int64_t)size, ss = src_step * (int64_t)size;
    if (size == 4)
        for (int64_t i = 0; i < n; i++)
            memcpy(dst + i * ds, src + i * ss, 4);
    else
        for (int64_t i = 0; i < n; i++)
            memcpy(dst + i * ds, src + i * ss, size);
}

void fv_copy_strided(void *dst, const int64_t *dst_stride, const void *src,
                     const int64_t *src_stride, int n_dims, const int64_t *dim, size_t size) {
    int64_t at[FV_MAX_DIMS] = {0}, to = 0, from = 0;
    for (int d = 0; d < n_dims; d++)
        if (dim[d] == 0)
            return;
    int last = n_dims - 1;
    for (;;) {
        copy_row((char *)dst + to * (int64_t)size, last < 0 ? 1 : dst_stride[last],
                 (const char *)src + from * (int64_t)size, last < 0 ? 1 : src_stride[last],
                 last < 0 ? 1 : dim[last], size);
        int d = last - 1;
        for (; d >= 0; d--) {
            to += dst_stride[d], from += src_stride[d];
            if (++at[d] < dim[d])
                break;
            to -= at[d] * dst_stride[d], from -= at[d] * src_stride[d];
            at[d] = 0;
        }
        if (d < 0)
            return;
    }
}
