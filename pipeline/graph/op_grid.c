// GridSample: reads a picture at coordinates -1 .. 1.
#include "pipeline/graph/op_grid.h"

#include <math.h>

#include "pipeline/graph/ops.h"

static void parse(fv_attrs *a, void *attr) {
    static const char *const modes[] = {"bilinear", "nearest", "bicubic", "linear", "cubic", NULL};
    static const char *const paddings[] = {"zeros", "border", "reflection", NULL};
    fv_grid_attr *p = attr;
    int mode = fv_attr_choice(a, "mode", FV_GRID_BILINEAR, modes);
    p->mode = mode == 3 ? FV_GRID_BILINEAR : mode == 4 ? FV_GRID_BICUBIC : mode;
    p->padding = fv_attr_choice(a, "padding_mode", FV_GRID_ZEROS, paddings);
    p->align_corners = fv_attr_int(a, "align_corners", 0, 0, 1);
}

static bool grid_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0], *g = c->in[1];
    if (x->n_dims != 4 || g->n_dims != 4 || g->dim[3] != 2 || g->dim[0] != x->dim[0] ||
        g->dtype != x->dtype || x->dim[2] < 1 || x->dim[3] < 1)
        return fv_fail(c->err, FV_BAD_INPUT, "its grid does not fit its input");
    return fv_shape_set(c, 0, x->dtype, 4, (int64_t[]){x->dim[0], x->dim[1], g->dim[1], g->dim[2]});
}

// -1 .. 1 to pixels.
static float to_pixel(const fv_grid_attr *p, float v, int64_t n) {
    float x = p->align_corners ? (v + 1) / 2 * (float)(n - 1) : ((v + 1) * (float)n - 1) / 2;
    return x > -0x1p24f && x < 0x1p24f ? x : -0x1p24f;
}

static float reflect(float x, float lo, float hi) {
    float span = hi - lo;
    if (span <= 0)
        return lo;
    float t = fmodf(fabsf(x - lo), 2 * span);
    return t <= span ? lo + t : lo + 2 * span - t;
}

static float pad_coordinate(const fv_grid_attr *p, float x, int64_t n) {
    float lo = p->align_corners ? 0 : -0.5f,
          hi = p->align_corners ? (float)(n - 1) : (float)n - 0.5f;
    if (p->padding == FV_GRID_REFLECTION)
        x = reflect(x, lo, hi);
    if (p->padding != FV_GRID_ZEROS)
        x = x < 0 ? 0 : x > (float)(n - 1) ? (float)(n - 1) : x;
    return x;
}

static float pixel(const fv_grid_attr *p, const float *x, int64_t h, int64_t w, float fy, float fx) {
    fy = pad_coordinate(p, fy, h), fx = pad_coordinate(p, fx, w);
    int64_t iy = (int64_t)rintf(fy), ix = (int64_t)rintf(fx);
    return iy < 0 || iy >= h || ix < 0 || ix >= w ? 0 : x[iy * w + ix];
}

static float cubic(float x) {
    const float a = -0.75f;
    x = fabsf(x);
    return x < 1   ? ((a + 2) * x - (a + 3)) * x * x + 1
           : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
                   : 0;
}

// Weighted pixels around (y, x): 2 x 2 or 4 x 4.
static float blend(const fv_grid_attr *p, const float *v, int64_t h, int64_t w, float y, float x) {
    int reach = p->mode == FV_GRID_BICUBIC ? 2 : 1;
    float fy = floorf(y), fx = floorf(x), sum = 0;
    for (int j = 1 - reach; j <= reach; j++)
        for (int i = 1 - reach; i <= reach; i++) {
            float dy = y - (fy + (float)j), dx = x - (fx + (float)i);
            float wy = reach == 2 ? cubic(dy) : 1 - fabsf(dy),
                  wx = reach == 2 ? cubic(dx) : 1 - fabsf(dx);
            if (wy != 0 && wx != 0)
                sum += wy * wx * pixel(p, v, h, w, fy + (float)j, fx + (float)i);
        }
    return sum;
}

static bool grid_run(const fv_call *c) {
    const fv_grid_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *y = c->out[0];
    int64_t h = x->dim[2], w = x->dim[3], points = y->dim[2] * y->dim[3];
    for (int64_t i = 0; i < fv_tensor_count(y); i++) {
        const float *at =
            (const float *)c->in[1]->data + (i / points / x->dim[1] * points + i % points) * 2;
        const float *plane = (const float *)x->data + i / points * h * w;
        float fx = to_pixel(p, at[0], w), fy = to_pixel(p, at[1], h);
        if (p->mode != FV_GRID_BICUBIC)
            fx = pad_coordinate(p, fx, w), fy = pad_coordinate(p, fy, h);
        ((float *)y->data)[i] = p->mode == FV_GRID_NEAREST ? pixel(p, plane, h, w, rintf(fy), rintf(fx))
                                                   : blend(p, plane, h, w, fy, fx);
    }
    return true;
}

static double grid_work(const fv_call *c) {
    return 64.0 * (double)fv_tensor_count(c->out[0]);
}

const fv_op fv_ops_grid[] = {
    {.name = "GridSample", .min_in = 2, .max_in = 2, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(fv_grid_attr), .parse = parse, .shape = grid_shape,
     .run = grid_run, .work = grid_work},
    {0},
};
