#include "pipeline/graph/op_resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/ops.h"

// ---- attributes and shape -----------------------------------------------------------------------

static void parse(fv_attrs *a, void *attr) {
    static const char *const modes[] = {"nearest", "linear", "cubic", "bilinear", NULL};
    static const char *const coords[] = {
        "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
        "asymmetric", "tf_half_pixel_for_nn", "tf_crop_and_resize", NULL};
    static const char *const nearests[] = {"round_prefer_floor", "round_prefer_ceil", "floor",
                                           "ceil", NULL};
    static const char *const policies[] = {"stretch", "not_larger", "not_smaller", NULL};
    fv_resize_attr *p = attr;
    bool old = fv_attrs_variant(a) || fv_attrs_opset(a) < 11; // Upsample and Resize 10
    int mode = fv_attr_choice(a, "mode", FV_RESIZE_NEAREST, modes);
    p->mode = mode == 3 ? FV_RESIZE_LINEAR : mode;
    p->coord = fv_attr_choice(a, "coordinate_transformation_mode",
                              old ? FV_COORD_ASYMMETRIC : FV_COORD_HALF_PIXEL, coords);
    p->nearest =
        fv_attr_choice(a, "nearest_mode", old ? FV_FLOOR : FV_ROUND_PREFER_FLOOR, nearests);
    p->cubic_a = fv_attr_float(a, "cubic_coeff_a", -0.75f);
    p->exclude_outside = fv_attr_int(a, "exclude_outside", 0, 0, 1);
    p->antialias = fv_attr_int(a, "antialias", 0, 0, 1);
    p->extrapolation = fv_attr_float(a, "extrapolation_value", 0);
    p->policy = fv_attr_choice(a, "keep_aspect_ratio_policy", 0, policies);
    p->n_axes = fv_attr_ints(a, "axes", p->axes, FV_MAX_DIMS, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->n_file_scales = fv_attr_floats(a, "scales", p->file_scales, FV_MAX_DIMS);
    if (fv_attr_has(a, "height_scale")) { // Upsample 1
        p->n_file_scales = 4;
        p->file_scales[0] = p->file_scales[1] = 1;
        p->file_scales[2] = fv_attr_float(a, "height_scale", 1);
        p->file_scales[3] = fv_attr_float(a, "width_scale", 1);
    }
}

static bool solve_axes(const fv_call *c) {
    fv_resize_attr *p = c->attr;
    for (int i = 0; i < p->n_axes; i++)
        if (!fv_axis_solve(c, p->axes[i], c->in[0]->n_dims, &p->axes[i]))
            return false;
    for (int d = 0; !p->n_axes && d < c->in[0]->n_dims; d++)
        p->axes[d] = d;
    p->n_axes = p->n_axes ? p->n_axes : c->in[0]->n_dims;
    return true;
}

static bool solve_roi(const fv_call *c, int input) {
    fv_resize_attr *p = c->attr;
    float v[2 * FV_MAX_DIMS];
    int n = 0;
    for (int d = 0; d < FV_MAX_DIMS; d++)
        p->roi[0][d] = 0, p->roi[1][d] = 1;
    if (p->coord != FV_COORD_TF_CROP_AND_RESIZE || !input || !fv_call_has(c, input))
        return true;
    if (!fv_floats_get(c, input, v, 2 * FV_MAX_DIMS, &n))
        return false;
    for (int i = 0; n == 2 * p->n_axes && i < p->n_axes; i++)
        p->roi[0][p->axes[i]] = v[i], p->roi[1][p->axes[i]] = v[p->n_axes + i];
    return true;
}

static bool from_scales(const fv_call *c, const float *v, int n, int64_t dim[FV_MAX_DIMS]) {
    fv_resize_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    if (n != p->n_axes)
        return fv_fail(c->err, FV_BAD_INPUT, "it has %d scales for %d dimensions", n, p->n_axes);
    for (int i = 0; i < n; i++) {
        int d = p->axes[i];
        float roi = p->coord == FV_COORD_TF_CROP_AND_RESIZE ? p->roi[1][d] - p->roi[0][d] : 1;
        float size = floorf((float)x->dim[d] * roi * v[i]); // 10 * 2.3 is 23 in float only
        if (!(v[i] > 0) || !(size >= 0 && size < 0x1p40f))
            return fv_fail(c->err, FV_BAD_INPUT, "scale %d is %g", i, (double)v[i]);
        p->scale[d] = v[i];
        dim[d] = (int64_t)size;
    }
    return true;
}

static bool from_sizes(const fv_call *c, const int64_t *v, int n, int64_t dim[FV_MAX_DIMS]) {
    fv_resize_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    float fit = 0;
    if (n != p->n_axes)
        return fv_fail(c->err, FV_BAD_INPUT, "it has %d sizes for %d dimensions", n, p->n_axes);
    for (int i = 0; i < n; i++) {
        float s = x->dim[p->axes[i]] ? (float)v[i] / (float)x->dim[p->axes[i]] : 1;
        fit = i == 0 || (p->policy == 1 ? s < fit : s > fit) ? s : fit;
    }
    for (int i = 0; i < n; i++) {
        int d = p->axes[i];
        dim[d] = p->policy ? (int64_t)rintf(fit * (float)x->dim[d]) : v[i];
        p->scale[d] = p->policy ? fit : x->dim[d] ? (float)v[i] / (float)x->dim[d] : 1;
    }
    return true;
}

// Inputs: x, scales (10); x, roi, scales, sizes (11 and newer). Upsample: x, scales (9).
static bool resize_shape(const fv_call *c) {
    fv_resize_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    bool old = c->op->variant || c->opset < 11;
    int64_t sizes[FV_MAX_DIMS], dim[FV_MAX_DIMS];
    int n = p->n_file_scales, scales_in = old ? 1 : 2;
    memcpy(dim, x->dim, sizeof dim);
    for (int d = 0; d < FV_MAX_DIMS; d++)
        p->scale[d] = 1;
    if (!solve_axes(c) || !solve_roi(c, old ? 0 : 1))
        return false;
    if (!old && fv_call_has(c, 3) && fv_tensor_count(c->in[3])) {
        if (!fv_longs_get(c, 3, sizes, FV_MAX_DIMS, &n) || !from_sizes(c, sizes, n, dim))
            return false;
    } else if (fv_call_has(c, scales_in)) {
        if (!fv_floats_get(c, scales_in, p->file_scales, FV_MAX_DIMS, &n) ||
            !from_scales(c, p->file_scales, n, dim))
            return false;
    } else if (!from_scales(c, p->file_scales, n, dim)) {
        return false;
    }
    double mixed = 1;
    for (int d = 0; d < x->n_dims; d++)
        mixed *= (double)(x->dim[d] > dim[d] ? x->dim[d] : dim[d]);
    if (mixed > 0x1p31)
        return fv_fail(c->err, FV_BAD_INPUT, "its output is too large");
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim);
}

// ---- coordinates and weights --------------------------------------------------------------------

// The input coordinate of output index `o` along dimension `d`.
static float coordinate(const fv_resize_attr *a, int d, int64_t o, int64_t in_size,
                        int64_t out_size) {
    float i = (float)o, scale = a->scale[d], in = (float)in_size, out = (float)out_size;
    float start = a->roi[0][d], end = a->roi[1][d];
    switch (a->coord) {
    case FV_COORD_HALF_PIXEL: return (i + 0.5f) / scale - 0.5f;
    case FV_COORD_HALF_PIXEL_SYMMETRIC: {
        float adjustment = out / (scale * in), centre = in / 2;
        return centre * (1 - adjustment) + (i + 0.5f) / scale - 0.5f;
    }
    case FV_COORD_PYTORCH_HALF_PIXEL: return out > 1 ? (i + 0.5f) / scale - 0.5f : 0;
    case FV_COORD_ALIGN_CORNERS: return out > 1 ? i * (in - 1) / (out - 1) : 0;
    case FV_COORD_TF_HALF_PIXEL_FOR_NN: return (i + 0.5f) / scale;
    case FV_COORD_TF_CROP_AND_RESIZE:
        return out > 1 ? start * (in - 1) + i * (end - start) * (in - 1) / (out - 1)
                       : 0.5f * (start + end) * (in - 1);
    default: return i / scale;
    }
}

static int64_t nearest_index(fv_nearest how, float x) {
    switch (how) {
    case FV_ROUND_PREFER_FLOOR: return (int64_t)ceilf(x - 0.5f);
    case FV_ROUND_PREFER_CEIL: return (int64_t)floorf(x + 0.5f);
    case FV_FLOOR: return (int64_t)floorf(x);
    default: return (int64_t)ceilf(x);
    }
}

static float cubic(float a, float x) {
    x = fabsf(x);
    return x < 1   ? ((a + 2) * x - (a + 3)) * x * x + 1
           : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
                   : 0;
}

void fv_resize_taps_solve(const fv_resize_attr *p, int d, int64_t o, int64_t in, int64_t out,
                          fv_resize_taps *t) {
    float x = coordinate(p, d, o, in, out);
    t->outside = p->coord == FV_COORD_TF_CROP_AND_RESIZE && (x < 0 || x > (float)(in - 1));
    if (!(x > -0x1p30f && x < 0x1p30f))
        x = 0;
    if (p->mode == FV_RESIZE_NEAREST) {
        t->n = 1, t->weight[0] = 1;
        t->index[0] = nearest_index(p->nearest, x);
    } else {
        bool is_cubic = p->mode == FV_RESIZE_CUBIC;
        float narrow = p->antialias && p->scale[d] < 1 ? p->scale[d] : 1,
              radius = (is_cubic ? 2 : 1) / narrow, sum = 0;
        int64_t from = (int64_t)floorf(x - radius) + 1, to = (int64_t)ceilf(x + radius) - 1;
        if (narrow == 1)
            from = (int64_t)floorf(x) - is_cubic, to = (int64_t)floorf(x) + 1 + is_cubic;
        t->n = (int)(to - from + 1 < FV_RESIZE_MAX_TAPS ? to - from + 1 : FV_RESIZE_MAX_TAPS);
        for (int i = 0; i < t->n; i++) {
            float distance = ((float)(from + i) - x) * narrow, triangle = 1 - fabsf(distance);
            bool gone = p->exclude_outside && (from + i < 0 || from + i >= in);
            t->index[i] = from + i;
            t->weight[i] = gone           ? 0
                           : is_cubic     ? cubic(p->cubic_a, distance)
                           : triangle > 0 ? triangle
                                          : 0;
            sum += t->weight[i];
        }
        for (int i = 0; (p->exclude_outside || p->antialias) && sum != 0 && i < t->n; i++)
            t->weight[i] /= sum;
    }
    for (int i = 0; i < t->n; i++)
        t->index[i] = t->index[i] < 0 ? 0 : t->index[i] >= in ? in - 1 : t->index[i];
}

// ---- reference: one dimension after the other ---------------------------------------------------

// x [outer, in, inner] -> y [outer, out, inner]
static void resize_dim(const fv_call *c, int d, const float *x, float *y, const int64_t *dim,
                       uint8_t *outside) {
    const fv_resize_attr *p = c->attr;
    int64_t in = c->in[0]->dim[d], out = c->out[0]->dim[d], outer = 1, inner = 1;
    for (int k = 0; k < d; k++)
        outer *= dim[k];
    for (int k = d + 1; k < c->in[0]->n_dims; k++)
        inner *= dim[k];
    int64_t index[FV_RESIZE_MAX_TAPS];
    float weight[FV_RESIZE_MAX_TAPS];
    for (int64_t o = 0; o < out; o++) {
        fv_resize_taps t = {.index = index, .weight = weight};
        fv_resize_taps_solve(p, d, o, in, out, &t);
        outside[o] = t.outside;
        for (int64_t k = 0; k < outer; k++) {
            float *to = y + (k * out + o) * inner;
            memset(to, 0, sizeof *to * (size_t)inner);
            for (int i = 0; i < t.n; i++) {
                const float *from = x + (k * in + t.index[i]) * inner;
                for (int64_t j = 0; j < inner; j++)
                    to[j] += t.weight[i] * from[j];
            }
        }
    }
}

static void extrapolate(const fv_call *c, int d, const uint8_t *outside) {
    const fv_resize_attr *p = c->attr;
    const fv_tensor *y = c->out[0];
    int64_t inner = fv_dims_product(y, d + 1, y->n_dims), size = y->dim[d];
    for (int64_t i = 0; p->coord == FV_COORD_TF_CROP_AND_RESIZE && i < fv_tensor_count(y); i++)
        if (outside[i / inner % size])
            ((float *)y->data)[i] = p->extrapolation;
}

// Elements of the largest picture between input and output; fails when it is out of all proportion.
static int64_t largest_step(const fv_call *c) {
    fv_tensor t = *c->in[0];
    int64_t largest = fv_tensor_count(&t);
    for (int d = 0; d < t.n_dims; d++) {
        t.dim[d] = c->out[0]->dim[d];
        largest = fv_tensor_count(&t) > largest ? fv_tensor_count(&t) : largest;
    }
    return largest;
}

static bool changes(const fv_call *c, int d) {
    const fv_resize_attr *p = c->attr;
    return c->out[0]->dim[d] != c->in[0]->dim[d] || p->scale[d] != 1 ||
           p->coord == FV_COORD_TF_CROP_AND_RESIZE;
}

static void resize_dims(const fv_call *c, float *buffer[2], uint8_t *outside) {
    const fv_tensor *in = c->in[0], *out = c->out[0];
    int64_t dim[FV_MAX_DIMS], at = 0;
    int now = 0;
    memcpy(dim, in->dim, sizeof dim);
    fv_convert(buffer[0], FV_F32, in->data, in->dtype, (size_t)fv_tensor_count(in));
    for (int d = 0; d < in->n_dims; at += out->dim[d++]) {
        if (!changes(c, d))
            continue;
        resize_dim(c, d, buffer[now], buffer[!now], dim, outside + at);
        dim[d] = out->dim[d];
        now = !now;
    }
    fv_convert(out->data, out->dtype, buffer[now], FV_F32, (size_t)fv_tensor_count(out));
    at = 0;
    for (int d = 0; out->dtype == FV_F32 && d < in->n_dims; at += out->dim[d++])
        extrapolate(c, d, outside + at);
}

static bool resize_run(const fv_call *c) {
    const fv_tensor *in = c->in[0], *out = c->out[0];
    int64_t longest = 1;
    for (int d = 0; d < in->n_dims; d++)
        longest += out->dim[d];
    if (fv_tensor_count(in) == 0 || fv_tensor_count(out) == 0)
        return true;
    size_t room = sizeof(float) * (size_t)largest_step(c);
    float *buffer[2] = {malloc(room), malloc(room)};
    uint8_t *outside = calloc(1, (size_t)longest);
    bool ok = buffer[0] && buffer[1] && outside;
    if (ok)
        resize_dims(c, buffer, outside);
    free(buffer[0]);
    free(buffer[1]);
    free(outside);
    return ok || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double resize_work(const fv_call *c) {
    return 16.0 * (double)largest_step(c);
}

const fv_op fv_ops_resize[] = {
    {.name = "Resize", .min_in = 1, .max_in = 4, .max_out = 1, .types = FV_TYPES_NUMBER,
     .as_float = true, .mixed = true, .attr_size = sizeof(fv_resize_attr), .parse = parse,
     .shape = resize_shape, .run = resize_run, .work = resize_work},
    {.name = "Upsample", .min_in = 1, .max_in = 2, .max_out = 1, .types = FV_TYPES_NUMBER,
     .as_float = true, .mixed = true, .variant = 1, .attr_size = sizeof(fv_resize_attr),
     .parse = parse, .shape = resize_shape, .run = resize_run, .work = resize_work},
    {0},
};
