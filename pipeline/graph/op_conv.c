// Conv and ConvTranspose. Conv works on one output row at a time: the inputs under it are gathered
// into columns (tiles of TILE windows), then multiplied by ROWS output channels at once.
#include "pipeline/graph/op_conv.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/families.h"
#include "pipeline/graph/window.h"

enum { TILE = 8, ROWS = 4 };

static fv_window window_of(fv_conv_attr *p) {
    return (fv_window){p->kernel, p->stride, p->dilation, p->pad, p->auto_pad, 0};
}

void fv_conv_parse(fv_attrs *a, void *attr) {
    fv_conv_attr *p = attr;
    fv_window_parse(a, window_of(p), &p->auto_pad);
    p->group = fv_attr_int(a, "group", 1, 1, 1 << 20);
    int n = fv_attr_ints(a, "output_padding", p->out_pad, 2, 0, 1 << 16);
    if (n == 1)
        p->out_pad[1] = p->out_pad[0], p->out_pad[0] = 0;
    p->n_output_shape = fv_attr_ints(a, "output_shape", p->output_shape, 2, 1, 1 << 16);
    if (p->n_output_shape == 1)
        p->output_shape[1] = p->output_shape[0], p->output_shape[0] = 1;
}

// The kernel is that of the weights; `channels` is the dimension of the weights that counts
// outputs.
static bool check_weights(const fv_call *c, int weights, int64_t plane[2], int64_t in_channels) {
    fv_conv_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *w = c->in[weights];
    if (!fv_plane_get(c, x, plane))
        return false;
    if (w->n_dims != x->n_dims || x->dim[1] != in_channels || w->dim[0] % p->group ||
        x->dim[1] % p->group) {
        char xs[128], ws[128];
        return fv_fail(c->err, FV_BAD_INPUT, "weights of %s do not fit an input of %s in %d groups",
                       fv_tensor_shape_text(w, ws, sizeof ws),
                       fv_tensor_shape_text(x, xs, sizeof xs), p->group);
    }
    int64_t kernel[2];
    fv_plane_get(c, w, kernel);
    if (kernel[0] < 1 || kernel[1] < 1 || kernel[0] > 1 << 16 || kernel[1] > 1 << 16)
        return fv_fail(c->err, FV_BAD_INPUT, "its kernel is empty");
    p->kernel[0] = (int)kernel[0];
    p->kernel[1] = (int)kernel[1];
    return true;
}

static bool check_bias(const fv_call *c, int bias, int64_t channels) {
    if (fv_call_has(c, bias) && fv_tensor_count(c->in[bias]) != channels)
        return fv_fail(c->err, FV_BAD_INPUT, "its bias has %lld values, not %lld",
                       (long long)fv_tensor_count(c->in[bias]), (long long)channels);
    return true;
}

bool fv_conv_is_pointwise(const fv_conv_attr *a) {
    bool single = a->group == 1;
    for (int d = 0; d < 2; d++)
        single = single && a->kernel[d] == 1 && a->stride[d] == 1 && !a->pad[d] && !a->pad[d + 2];
    return single;
}

bool fv_conv_shape_at(const fv_call *c, int weights, int bias, fv_dtype dtype) {
    fv_conv_attr *p = c->attr;
    int64_t in[2], out[2];
    const fv_tensor *w = c->in[weights];
    return check_weights(c, weights, in, w->n_dims > 1 ? w->dim[1] * p->group : -1) &&
           check_bias(c, bias, w->dim[0]) && fv_window_solve(c, window_of(p), in, out) &&
           fv_plane_set(c, 0, c->in[0], dtype, w->dim[0], out);
}

static bool conv_shape(const fv_call *c) {
    if (c->in[1]->dtype != c->in[0]->dtype ||
        (fv_call_has(c, 2) && c->in[2]->dtype != c->in[0]->dtype))
        return fv_fail(c->err, FV_BAD_INPUT, "its weights are of another type than its input");
    return fv_conv_shape_at(c, 1, 2, c->in[0]->dtype);
}

// ---- Conv ---------------------------------------------------------------------------------------

typedef struct {
    const fv_conv_attr *a;
    int64_t channels, outputs;      // per group
    int64_t in_h, in_w, out_h, out_w;
    int64_t depth, tiles;           // values under a window, tiles of a row
    float *columns, *packed;        // [tiles][depth][TILE], [outputs / ROWS][depth][ROWS]
} conv;

// One row of windows: for each value under the window, TILE neighbours next to each other.
static void gather_row(const conv *k, const float *x, int64_t oy) {
    const fv_conv_attr *a = k->a;
    int64_t d = 0;
    for (int64_t ch = 0; ch < k->channels; ch++)
        for (int ky = 0; ky < a->kernel[0]; ky++) {
            int64_t y = oy * a->stride[0] - a->pad[0] + (int64_t)ky * a->dilation[0];
            const float *row = y >= 0 && y < k->in_h ? x + (ch * k->in_h + y) * k->in_w : NULL;
            for (int kx = 0; kx < a->kernel[1]; kx++, d++) {
                int64_t left = (int64_t)kx * a->dilation[1] - a->pad[1];
                for (int64_t ox = 0; ox < k->tiles * TILE; ox++) {
                    int64_t ix = ox * a->stride[1] + left;
                    bool inside = row && ox < k->out_w && ix >= 0 && ix < k->in_w;
                    k->columns[(ox / TILE * k->depth + d) * TILE + ox % TILE] =
                        inside ? row[ix] : 0;
                }
            }
        }
}

static void pack_weights(const conv *k, const float *w) {
    for (int64_t m = 0; m < (k->outputs + ROWS - 1) / ROWS * ROWS; m++)
        for (int64_t d = 0; d < k->depth; d++)
            k->packed[(m / ROWS * k->depth + d) * ROWS + m % ROWS] =
                m < k->outputs ? w[m * k->depth + d] : 0;
}

typedef float v4 __attribute__((vector_size(16), aligned(4)));

// ROWS output channels of TILE windows.
static void multiply(const float *restrict w, const float *restrict x, int64_t depth,
                     float out[ROWS][TILE]) {
    v4 s[ROWS][2] = {{{0}}};
    for (int64_t d = 0; d < depth; d++, w += ROWS, x += TILE) {
        v4 x0 = *(const v4 *)x, x1 = *(const v4 *)(x + 4);
        for (int m = 0; m < ROWS; m++) {
            s[m][0] += w[m] * x0;
            s[m][1] += w[m] * x1;
        }
    }
    memcpy(out, s, sizeof s);
}

static void multiply_row(const conv *k, const float *bias, float *out, int64_t oy) {
    float block[ROWS][TILE];
    for (int64_t t = 0; t < k->tiles; t++)
        for (int64_t m = 0; m < k->outputs; m += ROWS) {
            multiply(k->packed + m * k->depth, k->columns + t * k->depth * TILE, k->depth, block);
            for (int64_t r = 0; r < ROWS && m + r < k->outputs; r++) {
                float *to = out + ((m + r) * k->out_h + oy) * k->out_w + t * TILE;
                for (int64_t j = 0; j < TILE && t * TILE + j < k->out_w; j++)
                    to[j] = block[r][j] + (bias ? bias[m + r] : 0);
            }
        }
}

static void finish(const fv_call *c) {
    const fv_conv_attr *p = c->attr;
    float *y = c->out[0]->data;
    size_t n = (size_t)fv_tensor_count(c->out[0]);
    const float *r = p->residual ? c->in[3]->data : NULL;
    for (size_t i = 0; p->residual == FV_RESIDUAL_BEFORE && i < n; i++)
        y[i] += r[i];
    fv_activation_apply(&p->activation, y, n);
    for (size_t i = 0; p->residual == FV_RESIDUAL_AFTER && i < n; i++)
        y[i] += r[i];
}

static void conv_groups(const fv_call *c, const conv *k) {
    const float *x = c->in[0]->data, *w = c->in[1]->data,
                *bias = fv_call_has(c, 2) ? c->in[2]->data : NULL;
    float *y = c->out[0]->data;
    for (int64_t g = 0; g < k->a->group; g++) {
        pack_weights(k, w + g * k->outputs * k->depth);
        for (int64_t n = 0; n < c->in[0]->dim[0]; n++)
            for (int64_t oy = 0; oy < k->out_h; oy++) {
                gather_row(k, x + (n * k->a->group + g) * k->channels * k->in_h * k->in_w, oy);
                multiply_row(k, bias ? bias + g * k->outputs : NULL,
                             y + (n * k->a->group + g) * k->outputs * k->out_h * k->out_w, oy);
            }
    }
}

static bool conv_run(const fv_call *c) {
    const fv_conv_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    conv k = {.a = p, .channels = w->dim[1], .outputs = w->dim[0] / p->group};
    k.in_h = x->n_dims == 4 ? x->dim[2] : 1, k.in_w = x->dim[x->n_dims - 1];
    k.out_h = y->n_dims == 4 ? y->dim[2] : 1, k.out_w = y->dim[y->n_dims - 1];
    k.depth = k.channels * p->kernel[0] * p->kernel[1];
    k.tiles = (k.out_w + TILE - 1) / TILE;
    k.columns = malloc(sizeof(float) * (size_t)(k.tiles * k.depth) * TILE + 1);
    k.packed = malloc(sizeof(float) * (size_t)((k.outputs + ROWS - 1) / ROWS * k.depth) * ROWS + 1);
    bool ok = k.columns && k.packed;
    if (ok)
        conv_groups(c, &k);
    free(k.columns);
    free(k.packed);
    if (!ok)
        return fv_fail(c->err, FV_MEMORY, "out of memory");
    finish(c);
    return true;
}

double fv_conv_work_at(const fv_call *c, int weights) {
    return (double)fv_tensor_count(c->out[0]) *
           (double)fv_dims_product(c->in[weights], 1, c->in[weights]->n_dims);
}

static double conv_work(const fv_call *c) {
    return fv_conv_work_at(c, 1);
}

// ---- ConvTranspose ------------------------------------------------------------------------------

static bool transpose_shape(const fv_call *c) {
    fv_conv_attr *p = c->attr;
    const fv_tensor *w = c->in[1];
    int64_t in[2], out[2];
    if (!check_weights(c, 1, in, w->dim[0]) || !check_bias(c, 2, w->dim[1] * p->group))
        return false;
    for (int d = 0; d < 2; d++) {
        int64_t full = p->stride[d] * (in[d] - 1) + (int64_t)(p->kernel[d] - 1) * p->dilation[d] +
                       1 + p->out_pad[d];
        bool same = p->auto_pad == FV_AUTO_PAD_SAME_UPPER || p->auto_pad == FV_AUTO_PAD_SAME_LOWER;
        if (p->n_output_shape || same) {
            out[d] = p->n_output_shape ? p->output_shape[d] : in[d] * p->stride[d];
            int64_t total = full > out[d] ? full - out[d] : 0;
            int64_t begin = p->auto_pad == FV_AUTO_PAD_SAME_UPPER ? total / 2 : total - total / 2;
            p->pad[d] = (int)begin;
            p->pad[2 + d] = (int)(total - begin);
        } else {
            out[d] = full - p->pad[d] - p->pad[2 + d];
        }
        if (out[d] < 1)
            return fv_fail(c->err, FV_BAD_INPUT, "its output would be empty");
    }
    return fv_plane_set(c, 0, c->in[0], c->in[0]->dtype, w->dim[1] * p->group, out);
}

// Adds one input plane through one kernel to one output plane.
static void spread(const fv_conv_attr *p, const float *x, const int64_t in[2], const float *w,
                   float *y, const int64_t out[2]) {
    for (int ky = 0; ky < p->kernel[0]; ky++)
        for (int kx = 0; kx < p->kernel[1]; kx++)
            for (int64_t iy = 0; iy < in[0]; iy++) {
                int64_t oy = iy * p->stride[0] - p->pad[0] + (int64_t)ky * p->dilation[0];
                if (oy < 0 || oy >= out[0])
                    continue;
                for (int64_t ix = 0; ix < in[1]; ix++) {
                    int64_t ox = ix * p->stride[1] - p->pad[1] + (int64_t)kx * p->dilation[1];
                    if (ox >= 0 && ox < out[1])
                        y[oy * out[1] + ox] += x[iy * in[1] + ix] * w[ky * p->kernel[1] + kx];
                }
            }
}

static bool transpose_run(const fv_call *c) {
    const fv_conv_attr *p = c->attr;
    const fv_tensor *x = c->in[0], *w = c->in[1], *y = c->out[0];
    const float *bias = fv_call_has(c, 2) ? c->in[2]->data : NULL;
    int64_t in[2], out[2], ins = x->dim[1] / p->group, outs = w->dim[1];
    fv_plane_get(c, x, in);
    fv_plane_get(c, y, out);
    int64_t in_size = in[0] * in[1], out_size = out[0] * out[1],
            taps = (int64_t)p->kernel[0] * p->kernel[1];
    for (int64_t i = 0; i < x->dim[0] * p->group * outs; i++) { // batch, group, output channel
        int64_t g = i / outs % p->group, m = i % outs, n = i / outs / p->group;
        float *to = (float *)y->data + i * out_size;
        for (int64_t j = 0; j < out_size; j++)
            to[j] = bias ? bias[g * outs + m] : 0;
        for (int64_t ch = g * ins; ch < (g + 1) * ins; ch++)
            spread(p, (const float *)x->data + (n * x->dim[1] + ch) * in_size, in,
                   (const float *)w->data + (ch * outs + m) * taps, to, out);
    }
    finish(c);
    return true;
}

static double transpose_work(const fv_call *c) {
    return (double)fv_tensor_count(c->in[0]) *
           (double)fv_dims_product(c->in[1], 1, c->in[1]->n_dims);
}

const fv_op fv_ops_conv[] = {
    {.name = "Conv", .min_in = 2, .max_in = 4, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(fv_conv_attr), .parse = fv_conv_parse,
     .shape = conv_shape, .run = conv_run, .work = conv_work},
    {.name = "ConvTranspose", .min_in = 2, .max_in = 3, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(fv_conv_attr), .parse = fv_conv_parse,
     .shape = transpose_shape, .run = transpose_run, .work = transpose_work},
    {0},
};
