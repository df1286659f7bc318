// DeformConv: a convolution whose windows' points are moved by offsets of their own and weighed by a mask
// (Zhu et al., Deformable ConvNets v2, arXiv 1811.11168).
#include <math.h>
#include <stdlib.h>

#include "pipeline/graph/families.h"
#include "pipeline/graph/op_conv.h"

enum { X, WEIGHTS, OFFSET, BIAS, MASK };

typedef struct {
    fv_conv_attr conv; // first: Conv's shape rule reads it
    int offset_group;  // parts of the channels that move together
} deform_attr;

static void parse(fv_attrs *a, void *attr) {
    fv_conv_parse(a, attr);
    ((deform_attr *)attr)->offset_group = fv_attr_int(a, "offset_group", 1, 1, 1 << 20);
}

// Offsets, two to a point (y, x), or the mask: for every output pixel.
static bool moved_check(const fv_call *c, int in, int each) {
    const deform_attr *p = c->attr;
    const fv_tensor *t = fv_call_has(c, in) ? c->in[in] : NULL, *y = c->out[0];
    int64_t points = (int64_t)p->offset_group * p->conv.kernel[0] * p->conv.kernel[1];
    if (!t || (t->n_dims == 4 && t->dim[0] == y->dim[0] && t->dim[1] == each * points && t->dim[2] == y->dim[2] &&
               t->dim[3] == y->dim[3]))
        return true;
    char shape[128];
    return fv_fail(c->err, FV_BAD_INPUT, "'%s' of %s does not fit: it needs %lld channels of %lld x %lld", t->name,
                   fv_tensor_shape_text(t, shape, sizeof shape), (long long)(each * points), (long long)y->dim[2],
                   (long long)y->dim[3]);
}

static bool deform_shape(const fv_call *c) {
    const deform_attr *p = c->attr;
    const fv_tensor *x = c->in[X];
    if (x->n_dims != 4)
        return fv_fail(c->err, FV_BAD_INPUT, "its input has %d dimensions, not 4", x->n_dims);
    return fv_conv_shape_at(c, WEIGHTS, BIAS, x->dtype) &&
           (x->dim[1] % p->offset_group == 0 ||
            fv_fail(c->err, FV_BAD_INPUT, "%lld channels do not divide into %d groups of offsets", (long long)x->dim[1],
                    p->offset_group)) &&
           moved_check(c, OFFSET, 2) && moved_check(c, MASK, 1);
}

// Between pixels; what lies outside the picture is 0.
static float sample(const float *plane, int64_t h, int64_t w, float y, float x) {
    if (!(y > -1 && y < (float)h && x > -1 && x < (float)w))
        return 0;
    float fy = floorf(y), fx = floorf(x), sum = 0;
    for (int j = 0; j < 2; j++)
        for (int i = 0; i < 2; i++) {
            int64_t iy = (int64_t)fy + j, ix = (int64_t)fx + i;
            if (iy >= 0 && iy < h && ix >= 0 && ix < w)
                sum += (1 - fabsf(y - (float)iy)) * (1 - fabsf(x - (float)ix)) * plane[iy * w + ix];
        }
    return sum;
}

// The values under the window of output pixel (oy, ox): [channels][ky][kx].
static void gather(const fv_call *c, int64_t n, int64_t oy, int64_t ox, float *column) {
    const deform_attr *p = c->attr;
    const fv_conv_attr *a = &p->conv;
    const fv_tensor *x = c->in[X], *y = c->out[0];
    const float *mask = fv_call_has(c, MASK) ? c->in[MASK]->data : NULL, *offset = c->in[OFFSET]->data;
    int64_t h = x->dim[2], w = x->dim[3], out = y->dim[2] * y->dim[3], at = oy * y->dim[3] + ox;
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1], moved_together = x->dim[1] / p->offset_group;
    int64_t top = oy * a->stride[0] - a->pad[0], left = ox * a->stride[1] - a->pad[1];
    for (int64_t ch = 0; ch < x->dim[1]; ch++)
        for (int64_t t = 0; t < taps; t++) {
            int64_t point = (n * p->offset_group + ch / moved_together) * taps + t;
            float py = (float)(top + t / a->kernel[1] * a->dilation[0]) + offset[2 * point * out + at];
            float px = (float)(left + t % a->kernel[1] * a->dilation[1]) + offset[(2 * point + 1) * out + at];
            float v = sample((const float *)x->data + (n * x->dim[1] + ch) * h * w, h, w, py, px);
            *column++ = mask ? v * mask[point * out + at] : v;
        }
}

static bool deform_run(const fv_call *c) {
    const deform_attr *p = c->attr;
    const fv_tensor *x = c->in[X], *w = c->in[WEIGHTS], *y = c->out[0];
    const float *bias = fv_call_has(c, BIAS) ? c->in[BIAS]->data : NULL;
    int64_t depth = fv_dims_product(w, 1, 4), outputs = y->dim[1], pixels = y->dim[2] * y->dim[3];
    float *column = malloc(sizeof *column * (size_t)(depth * p->conv.group) + 1);
    if (!column)
        return fv_fail(c->err, FV_MEMORY, "out of memory");
    for (int64_t i = 0; i < x->dim[0] * pixels; i++) {
        int64_t n = i / pixels, at = i % pixels;
        gather(c, n, at / y->dim[3], at % y->dim[3], column);
        for (int64_t m = 0; m < outputs; m++) {
            const float *from = column + m / (outputs / p->conv.group) * depth;
            const float *weights = (const float *)w->data + m * depth;
            float sum = bias ? bias[m] : 0;
            for (int64_t d = 0; d < depth; d++)
                sum += weights[d] * from[d];
            ((float *)y->data)[(n * outputs + m) * pixels + at] = sum;
        }
    }
    free(column);
    return true;
}

static double deform_work(const fv_call *c) {
    const fv_tensor *y = c->out[0];
    double samples = (double)(y->dim[0] * y->dim[2] * y->dim[3]) * (double)c->in[X]->dim[1] *
                     (double)fv_dims_product(c->in[WEIGHTS], 2, 4);
    return fv_conv_work_at(c, WEIGHTS) + 32 * samples;
}

const fv_op fv_ops_deform[] = {
    {.name = "DeformConv", .min_in = 3, .max_in = 5, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true,
     .attr_size = sizeof(deform_attr), .parse = parse, .shape = deform_shape, .run = deform_run, .work = deform_work},
    {0},
};
