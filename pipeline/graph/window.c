#include "pipeline/graph/window.h"

enum { MAX_EXTENT = 1 << 16 };

static void parse_pair(fv_attrs *a, const char *name, int v[2], int def) {
    int n = fv_attr_ints(a, name, v, 2, 1, MAX_EXTENT);
    if (n == 0)
        v[0] = v[1] = def;
    if (n == 1)
        v[1] = v[0], v[0] = 1;
}

static void parse_pads(fv_attrs *a, int pad[4]) {
    int n = fv_attr_ints(a, "pads", pad, 4, 0, MAX_EXTENT);
    if (n == 2) {
        pad[3] = pad[1], pad[1] = pad[0];
        pad[0] = pad[2] = 0;
    } else if (n == 0) {
        pad[0] = pad[1] = pad[2] = pad[3] = 0;
    } else if (n != 4) {
        fv_attr_refuse(a, "attribute 'pads' has %d values", n);
    }
}

void fv_window_parse(fv_attrs *a, fv_window w, int *auto_pad) {
    static const char *const kinds[] = {"NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID", NULL};
    parse_pair(a, "kernel_shape", w.kernel, 0);
    parse_pair(a, "strides", w.stride, 1);
    parse_pair(a, "dilations", w.dilation, 1);
    parse_pads(a, w.pad);
    *auto_pad = fv_attr_choice(a, "auto_pad", FV_AUTO_PAD_NOTSET, kinds);
}

static void solve_same(fv_window w, int d, int64_t in, int64_t extent) {
    int64_t out = (in + w.stride[d] - 1) / w.stride[d],
            total = (out - 1) * w.stride[d] + extent - in;
    if (total < 0)
        total = 0;
    int64_t begin = w.auto_pad == FV_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
    w.pad[d] = (int)begin;
    w.pad[2 + d] = (int)(total - begin);
}

bool fv_window_solve(const fv_call *c, fv_window w, const int64_t in[2], int64_t out[2]) {
    for (int d = 0; d < 2; d++) {
        int64_t extent = (int64_t)(w.kernel[d] - 1) * w.dilation[d] + 1;
        if (w.kernel[d] < 1)
            return fv_fail(c->err, FV_BAD_INPUT, "it has no kernel size");
        if (w.auto_pad == FV_AUTO_PAD_SAME_UPPER || w.auto_pad == FV_AUTO_PAD_SAME_LOWER)
            solve_same(w, d, in[d], extent);
        if (w.auto_pad == FV_AUTO_PAD_VALID)
            w.pad[d] = w.pad[2 + d] = 0;
        int64_t room = in[d] + w.pad[d] + w.pad[2 + d] - extent;
        if (room < 0)
            return fv_fail(c->err, FV_BAD_INPUT,
                           "its window of %lld is larger than the input of %lld with padding",
                           (long long)extent, (long long)(in[d] + w.pad[d] + w.pad[2 + d]));
        out[d] = room / w.stride[d] + 1;
        if (w.ceil_mode && room % w.stride[d] && out[d] * w.stride[d] < in[d] + w.pad[d])
            out[d]++;
    }
    return true;
}

bool fv_plane_get(const fv_call *c, const fv_tensor *t, int64_t plane[2]) {
    if (t->n_dims != 3 && t->n_dims != 4) {
        char text[128];
        return fv_fail(c->err, FV_UNSUPPORTED,
                       "'%s' has the shape %s; supported are 1-D and 2-D windows", t->name,
                       fv_tensor_shape_text(t, text, sizeof text));
    }
    plane[0] = t->n_dims == 4 ? t->dim[2] : 1;
    plane[1] = t->dim[t->n_dims - 1];
    return true;
}

bool fv_plane_set(const fv_call *c, int out, const fv_tensor *like, fv_dtype dtype,
                  int64_t channels, const int64_t plane[2]) {
    int64_t dim[4] = {like->dim[0], channels, plane[0], plane[1]};
    if (like->n_dims == 3)
        dim[2] = plane[1];
    return fv_shape_set(c, out, dtype, like->n_dims, dim);
}
