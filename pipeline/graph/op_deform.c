#include "pipeline/graph/op_deform.h"

#include <math.h>
#include <stdlib.h>

#include "pipeline/graph/families.h"

enum { X, WEIGHTS, OFFSET, BIAS, MASK };

static void parse(fv_attrs *a, void *attr) {
    fv_conv_parse(a, attr);
    ((fv_deform_attr *)attr)->offset_group = fv_attr_int(a, "offset_group", 1, 1, 1 << 20);
}

// Offsets, two to a point (y, x), or the mask: for every output pixel.
static bool moved_check(const fv_call *c, int in, int each) {
    const fv_deform_attr *p = c->attr;
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
    const fv_deform_attr *p = c->attr;
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

typedef struct {
    const fv_deform_attr *attr;
    const fv_tensor *x, *offset, *mask; // mask: may be NULL
    int64_t out_h, out_w;
} windows;

static windows make_windows(const fv_call *c, int offset, int mask) {
    const fv_tensor *y = c->out[0];
    return (windows){c->attr, c->in[0], c->in[offset], fv_call_has(c, mask) ? c->in[mask] : NULL, y->dim[2], y->dim[3]};
}

// The values under the window of output pixel `at` of picture n: [group][ky][kx][channel of the group]; `apart` floats lie
// between one and the next.
static void gather(const windows *s, int64_t n, int64_t at, float *to, int64_t apart) {
    const fv_conv_attr *a = &s->attr->conv;
    const float *offset = s->offset->data, *mask = s->mask ? s->mask->data : NULL;
    int64_t h = s->x->dim[2], w = s->x->dim[3], out = s->out_h * s->out_w, channels = s->x->dim[1];
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1], per_group = channels / a->group;
    int64_t top = at / s->out_w * a->stride[0] - a->pad[0], left = at % s->out_w * a->stride[1] - a->pad[1];
    for (int64_t i = 0; i < channels * taps; i++, to += apart) {
        int64_t t = i / per_group % taps, ch = i / per_group / taps * per_group + i % per_group;
        int64_t point = (n * s->attr->offset_group + ch / (channels / s->attr->offset_group)) * taps + t;
        float y = (float)(top + t / a->kernel[1] * a->dilation[0]) + offset[2 * point * out + at];
        float x = (float)(left + t % a->kernel[1] * a->dilation[1]) + offset[(2 * point + 1) * out + at];
        float v = sample((const float *)s->x->data + (n * channels + ch) * h * w, h, w, y, x);
        *to = mask ? v * mask[point * out + at] : v;
    }
}

static bool deform_run(const fv_call *c) {
    const windows s = make_windows(c, OFFSET, MASK);
    const float *bias = fv_call_has(c, BIAS) ? c->in[BIAS]->data : NULL, *w = c->in[WEIGHTS]->data;
    int64_t group = s.attr->conv.group, channels = c->in[WEIGHTS]->dim[1], taps = fv_dims_product(c->in[WEIGHTS], 2, 4);
    int64_t outputs = c->out[0]->dim[1], pixels = s.out_h * s.out_w;
    float *column = malloc(sizeof *column * (size_t)(channels * group * taps) + 1);
    if (!column)
        return fv_fail(c->err, FV_MEMORY, "out of memory");
    for (int64_t i = 0; i < s.x->dim[0] * pixels; i++) {
        gather(&s, i / pixels, i % pixels, column, 1);
        for (int64_t m = 0; m < outputs; m++) {
            const float *from = column + m / (outputs / group) * channels * taps;
            float sum = bias ? bias[m] : 0;
            for (int64_t d = 0; d < channels * taps; d++)
                sum += w[(m * channels + d % channels) * taps + d / channels] * from[d];
            ((float *)c->out[0]->data)[(i / pixels * outputs + m) * pixels + i % pixels] = sum;
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

// ---- DeformColumns ------------------------------------------------------------------------------

static bool columns_shape(const fv_call *c) {
    return fv_fail(c->err, FV_UNSUPPORTED, "it is no op of files; write a DeformConv");
}

static bool columns_run(const fv_call *c) {
    const windows s = make_windows(c, 1, 2);
    int64_t pixels = s.out_h * s.out_w;
    for (int64_t i = 0; i < s.x->dim[0] * pixels; i++)
        gather(&s, i / pixels, i % pixels,
               (float *)c->out[0]->data + i / pixels * c->out[0]->dim[1] * pixels + i % pixels, pixels);
    return true;
}

static double columns_work(const fv_call *c) {
    return 32.0 * (double)fv_tensor_count(c->out[0]);
}

const fv_op fv_ops_deform[] = {
    {.name = "DeformConv", .min_in = 3, .max_in = 5, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true,
     .attr_size = sizeof(fv_deform_attr), .parse = parse, .shape = deform_shape, .run = deform_run, .work = deform_work},
    {.name = "DeformColumns", .min_in = 2, .max_in = 3, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true,
     .attr_size = sizeof(fv_deform_attr), .parse = parse, .shape = columns_shape, .run = columns_run, .work = columns_work},
    {0},
};
