// RoiAlign and MaxRoiPool: pictures of one size from regions of a feature map (He et al., Mask R-CNN, arXiv 1703.06870,
// section 3; Girshick, Fast R-CNN, arXiv 1504.08083, section 2.1).
#include <math.h>

#include "pipeline/graph/ops.h"

typedef struct {
    int out[2];       // rows and columns of what is made of a region
    float scale;      // from a region's coordinates to the map's
    int sampling;     // points a bin along each side; 0: as many as it has pixels, rounded up
    int take_max;     // of the points, not their mean
    int half_pixel;   // pixel centres lie at halves
} roi_attr;

static void align_parse(fv_attrs *a, void *attr) {
    static const char *const modes[] = {"avg", "max", NULL}, *const places[] = {"output_half_pixel", "half_pixel", NULL};
    roi_attr *p = attr;
    p->out[0] = fv_attr_int(a, "output_height", 1, 1, 1 << 12);
    p->out[1] = fv_attr_int(a, "output_width", 1, 1, 1 << 12);
    p->scale = fv_attr_float(a, "spatial_scale", 1);
    p->sampling = fv_attr_int(a, "sampling_ratio", 0, 0, 1 << 8);
    p->take_max = fv_attr_choice(a, "mode", 0, modes);
    p->half_pixel = fv_attr_choice(a, "coordinate_transformation_mode", fv_attrs_opset(a) >= 16, places);
}

static void pool_parse(fv_attrs *a, void *attr) {
    roi_attr *p = attr;
    p->out[0] = p->out[1] = 1;
    fv_attr_ints(a, "pooled_shape", p->out, 2, 1, 1 << 12);
    p->scale = fv_attr_float(a, "spatial_scale", 1);
}

// `values`: of a region, [regions, values].
static bool roi_shape(const fv_call *c, int64_t values) {
    const roi_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *r = c->in[1];
    char shape[128];
    if (x->n_dims != 4 || x->dim[2] < 1 || x->dim[3] < 1)
        return fv_fail(c->err, FV_BAD_INPUT, "'%s' of %s is no feature map, [N,C,H,W]", x->name,
                       fv_tensor_shape_text(x, shape, sizeof shape));
    if (r->n_dims != 2 || r->dim[1] != values)
        return fv_fail(c->err, FV_BAD_INPUT, "'%s' of %s are no regions, [regions,%lld]", r->name,
                       fv_tensor_shape_text(r, shape, sizeof shape), (long long)values);
    if (c->n_in > 2 && fv_tensor_count(c->in[2]) != r->dim[0])
        return fv_fail(c->err, FV_BAD_INPUT, "'%s' has %lld values for %lld regions", c->in[2]->name,
                       (long long)fv_tensor_count(c->in[2]), (long long)r->dim[0]);
    return fv_shape_set(c, 0, x->dtype, 4, (int64_t[]){r->dim[0], x->dim[1], p->out[0], p->out[1]});
}

static bool picture_check(const fv_call *c, int64_t picture) {
    return (picture >= 0 && picture < c->in[0]->dim[0]) ||
           fv_fail(c->err, FV_BAD_INPUT, "a region is of picture %lld of %lld", (long long)picture,
                   (long long)c->in[0]->dim[0]);
}

// Index, at most `n`, of what may be far out or not a number.
static int64_t to_index(float v, int64_t n) {
    return v > 0 ? v < (float)n ? (int64_t)v : n : 0;
}

// ---- RoiAlign -----------------------------------------------------------------------------------

static bool align_shape(const fv_call *c) {
    return roi_shape(c, 4);
}

// One side of a region: where it begins, the length of a bin, and points in it.
typedef struct {
    float from, bin;
    int64_t points;
} side;

static side make_side(const roi_attr *p, float lo, float hi, int out, int64_t map) {
    float shift = p->half_pixel ? 0.5f : 0, length = hi * p->scale - lo * p->scale;
    if (!p->half_pixel && !(length >= 1))
        length = 1;
    side s = {lo * p->scale - shift, length / (float)out, p->sampling};
    if (!p->sampling) // beyond the map there is nothing to see
        s.points = to_index(ceilf(s.bin), map + 2);
    return s;
}

// Neighbours of a coordinate and the second one's share; false outside the map.
static bool neighbours(float v, int64_t n, int64_t at[2], float *share) {
    if (!(v >= -1 && v <= (float)n))
        return false;
    at[0] = to_index(v, n - 1);
    at[1] = at[0] + 1 < n ? at[0] + 1 : at[0];
    *share = v > (float)at[0] && at[1] > at[0] ? v - (float)at[0] : 0;
    return true;
}

// The largest is that of weighted neighbours, as the standard's text and ONNX Runtime have it.
static float bin(const roi_attr *p, const float *map, const int64_t size[2], const side s[2], int64_t oy, int64_t ox) {
    float sum = 0, best = -INFINITY;
    for (int64_t i = 0; i < s[0].points * s[1].points; i++) {
        int64_t at_y[2], at_x[2];
        float share_y, share_x, largest = 0, mean = 0;
        float y = s[0].from + s[0].bin * ((float)oy + ((float)(i / s[1].points) + 0.5f) / (float)s[0].points);
        float x = s[1].from + s[1].bin * ((float)ox + ((float)(i % s[1].points) + 0.5f) / (float)s[1].points);
        bool inside = neighbours(y, size[0], at_y, &share_y) && neighbours(x, size[1], at_x, &share_x);
        for (int k = 0; inside && k < 4; k++) {
            float weight = (k / 2 ? share_y : 1 - share_y) * (k % 2 ? share_x : 1 - share_x);
            float v = weight * map[at_y[k / 2] * size[1] + at_x[k % 2]];
            largest = k && largest > v ? largest : v;
            mean += v;
        }
        sum += mean;
        best = best > largest ? best : largest;
    }
    int64_t n = s[0].points * s[1].points;
    return !n ? 0 : p->take_max ? best : sum / (float)n;
}

static bool align_run(const fv_call *c) {
    const roi_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    int64_t bins = (int64_t)p->out[0] * p->out[1], plane = x->dim[2] * x->dim[3];
    float *to = y->data;
    for (int64_t r = 0; r < y->dim[0]; r++) {
        const float *region = (const float *)c->in[1]->data + 4 * r;
        int64_t picture = fv_element_get_long(c->in[2], r);
        if (!picture_check(c, picture))
            return false;
        const side s[] = {make_side(p, region[1], region[3], p->out[0], x->dim[2]),
                          make_side(p, region[0], region[2], p->out[1], x->dim[3])};
        for (int64_t ch = 0; ch < x->dim[1]; ch++)
            for (int64_t i = 0; i < bins; i++)
                *to++ = bin(p, (const float *)x->data + (picture * x->dim[1] + ch) * plane, &x->dim[2], s, i / p->out[1],
                            i % p->out[1]);
    }
    return true;
}

static double align_work(const fv_call *c) {
    const roi_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    double points = p->sampling ? (double)p->sampling * p->sampling : (double)((x->dim[2] + 2) * (x->dim[3] + 2));
    return 32 * points * (double)fv_tensor_count(c->out[0]);
}

// ---- MaxRoiPool ---------------------------------------------------------------------------------

static bool pool_shape(const fv_call *c) {
    return roi_shape(c, 5);
}

// Pixels of bin i along a side, [span[0], span[1]), both ends of the region included in it.
static void bin_span(const roi_attr *p, float lo, float hi, int out, int64_t i, int64_t n, int64_t span[2]) {
    float from = roundf(lo * p->scale), length = roundf(hi * p->scale) - from + 1;
    float each = (length > 1 ? length : 1) / (float)out;
    span[0] = to_index(from + floorf((float)i * each), n);
    span[1] = to_index(from + ceilf((float)(i + 1) * each), n);
}

static bool pool_run(const fv_call *c) {
    const roi_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    int64_t bins = (int64_t)p->out[0] * p->out[1], w = x->dim[3];
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        const float *region = (const float *)c->in[1]->data + i / bins / x->dim[1] * 5;
        int64_t picture = region[0] >= 0 ? to_index(region[0], x->dim[0]) : -1, rows[2], columns[2];
        if (!picture_check(c, picture))
            return false;
        bin_span(p, region[2], region[4], p->out[0], i % bins / p->out[1], x->dim[2], rows);
        bin_span(p, region[1], region[3], p->out[1], i % p->out[1], w, columns);
        const float *map = (const float *)x->data + (picture * x->dim[1] + i / bins % x->dim[1]) * x->dim[2] * w;
        float best = rows[0] < rows[1] && columns[0] < columns[1] ? -INFINITY : 0;
        for (int64_t v = rows[0]; v < rows[1]; v++)
            for (int64_t u = columns[0]; u < columns[1]; u++)
                best = map[v * w + u] > best ? map[v * w + u] : best;
        ((float *)y->data)[i] = best;
    }
    return true;
}

static double pool_work(const fv_call *c) {
    return 4.0 * (double)fv_tensor_count(c->out[0]) * (double)(c->in[0]->dim[2] * c->in[0]->dim[3]);
}

const fv_op fv_ops_roi[] = {
    {.name = "RoiAlign", .min_in = 3, .max_in = 3, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true, .mixed = true,
     .attr_size = sizeof(roi_attr), .parse = align_parse, .shape = align_shape, .run = align_run, .work = align_work},
    {.name = "MaxRoiPool", .min_in = 2, .max_in = 2, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true,
     .attr_size = sizeof(roi_attr), .parse = pool_parse, .shape = pool_shape, .run = pool_run, .work = pool_work},
    {0},
};
