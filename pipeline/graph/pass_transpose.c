// A transposed convolution becomes a convolution with one output for each place within a stride, and
// these are put side by side. With t = o + pad, output o is the sum over j of x[t / s - j] w[t % s + s j].
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

#include <math.h>
#include <string.h>

// One of the two directions.
typedef struct {
    int taps;        // of the convolution
    int begin, end;  // padding
    int64_t n, skip; // outputs of the convolution; what is cut off at the beginning after the spreading
} direction;

static bool solve(const fv_conv_attr *a, int d, int64_t in, int64_t out, direction *r) {
    int64_t s = a->stride[d], pad = a->pad[d], first = pad / s, last = (out - 1 + pad) / s;
    r->taps = (a->kernel[d] + (int)s - 1) / (int)s;
    r->n = last - first + 1;
    r->skip = pad - first * s;
    int64_t begin = r->taps - 1 - first, end = r->n - in + r->taps - 1 - begin;
    r->begin = (int)begin, r->end = (int)end;
    return begin >= 0 && end >= 0 && begin < 1 << 16 && end < 1 << 16;
}

// Weights that are mostly zeros are no gain: a stride far beyond the kernel, or many groups, which the
// kernels may have to join.
static bool pays(const fv_conv_attr *a, const fv_tensor *w, const direction r[2]) {
    enum { MORE = 4, JOINED = 1 << 20 };
    double s = a->stride[0], taps = (double)a->kernel[0] * a->kernel[1];
    double outs = s * s * (double)w->dim[1] * a->group;
    return s * s * r[0].taps * r[1].taps <= MORE * taps && (a->group == 1 || (double)w->dim[0] * outs <= JOINED);
}

static bool fits(const fv_passes *p, const fv_node *n, direction r[2]) {
    const fv_conv_attr *a = n->attr;
    if (!fv_node_is(n, "ConvTranspose") || !fv_pass_constant(p, n->in[1]) || p->tensor_room < 6 ||
        (n->n_in > 2 && n->in[2] >= 0 && !fv_pass_constant(p, n->in[2])))
        return false;
    const fv_tensor *x = &p->g->tensor[n->in[0]], *y = &p->g->tensor[n->out[0]];
    return x->n_dims == 4 && x->dtype == FV_F32 && fv_tensor_count(x) > 0 && fv_tensor_count(y) > 0 &&
           a->stride[0] == a->stride[1] && a->dilation[0] == 1 && a->dilation[1] == 1 &&
           solve(a, 0, x->dim[2], y->dim[2], &r[0]) && solve(a, 1, x->dim[3], y->dim[3], &r[1]) &&
           pays(a, &p->g->tensor[n->in[1]], r);
}

// Number of an output channel: places of one after the other, or (with groups, so that these stay
// together) all places of a channel.
static int64_t channel(const fv_conv_attr *a, int64_t m, int64_t m_n, int py, int px) {
    int64_t s = a->stride[0], place = py * s + px;
    return a->group == 1 ? place * m_n + m : m * s * s + place;
}

// Weights [C][M / group][ky][kx] to [M s s][C / group][taps][taps], the last taps first.
static void spread_weights(const fv_conv_attr *a, const fv_tensor *from, const direction r[2], float *to) {
    int64_t c_n = from->dim[0] / a->group, m_g = from->dim[1], m_n = m_g * a->group;
    int s = a->stride[0];
    for (int64_t c = 0; c < from->dim[0]; c++)
        for (int64_t m = 0; m < m_g; m++)
            for (int ky = 0; ky < a->kernel[0]; ky++)
                for (int kx = 0; kx < a->kernel[1]; kx++) {
                    int64_t o = channel(a, c / c_n * m_g + m, m_n, ky % s, kx % s);
                    int jy = r[0].taps - 1 - ky / s, jx = r[1].taps - 1 - kx / s;
                    to[((o * c_n + c % c_n) * r[0].taps + jy) * r[1].taps + jx] =
                        ((const float *)from->data)[((c * m_g + m) * a->kernel[0] + ky) * a->kernel[1] + kx];
                }
}

static int add_like(fv_passes *p, int like, int64_t c, int64_t h, int64_t w) {
    fv_tensor t = p->g->tensor[like];
    t.dim[1] = c, t.dim[2] = h, t.dim[3] = w;
    return fv_pass_add_tensor(p, &t);
}

// The convolution in place of n, whose output is tensor `out`.
static fv_node make_conv(fv_passes *p, const fv_node *n, const direction r[2], int out) {
    const fv_conv_attr *a = n->attr;
    const fv_tensor *w = &p->g->tensor[n->in[1]];
    int64_t m = w->dim[1] * a->group, places = (int64_t)a->stride[0] * a->stride[0];
    int weights = fv_pass_add_constant(p, n->in[1], 4, (int64_t[]){m * places, w->dim[0] / a->group, r[0].taps, r[1].taps});
    int bias = fv_pass_add_constant(p, n->in[1], 1, (int64_t[]){m * places});
    spread_weights(a, w, r, p->g->tensor[weights].data);
    const float *b = n->n_in > 2 && n->in[2] >= 0 ? p->g->tensor[n->in[2]].data : NULL;
    for (int64_t i = 0; b && i < m * places; i++) {
        int place = (int)(i % places), side = a->stride[0];
        int64_t o = channel(a, i / places, m, place / side, place % side);
        ((float *)p->g->tensor[bias].data)[o] = b[i / places];
    }
    fv_conv_attr conv = {.kernel = {r[0].taps, r[1].taps}, .stride = {1, 1}, .dilation = {1, 1}, .group = a->group,
                         .pad = {r[0].begin, r[1].begin, r[0].end, r[1].end}};
    fv_node made = fv_pass_make_node(p, n, "Conv", n->in[0], out, &conv, sizeof conv);
    made.n_in = 3;
    made.in = fv_arena_memdup(p->g->arena, (int[]){n->in[0], weights, bias}, 3 * sizeof(int));
    return made;
}

static int replace(fv_passes *p, const fv_node *n, fv_node *to) {
    const fv_conv_attr *a = n->attr;
    direction r[2];
    if (!fits(p, n, r))
        return 0;
    int y = n->out[0], k = 0, s = a->stride[0];
    int64_t m = p->g->tensor[y].dim[1], h = p->g->tensor[y].dim[2], w = p->g->tensor[y].dim[3];
    bool cut = r[0].skip || r[1].skip || r[0].n * s != h || r[1].n * s != w;
    int spread = cut ? add_like(p, y, m, r[0].n * s, r[1].n * s) : y;
    int places = s > 1 ? add_like(p, y, m * s * s, r[0].n, r[1].n) : spread;
    to[k++] = make_conv(p, n, r, places);
    if (s > 1)
        to[k++] = fv_pass_make_node(p, n, "DepthToSpace", places, spread, &(fv_block_attr){.block = s, .crd = a->group > 1},
                            sizeof(fv_block_attr));
    fv_slice_attr slice = {.start = {0, 0, r[0].skip, r[1].skip}, .step = {1, 1, 1, 1}};
    if (cut)
        to[k++] = fv_pass_make_node(p, n, "Slice", spread, y, &slice, sizeof slice);
    return k;
}

// ---- a BatchNormalization behind it ----------------------------------------------------------------

static int own_copy(fv_passes *p, int tensor) {
    fv_tensor t = p->g->tensor[tensor];
    t.data = fv_arena_memdup(p->g->data, t.data, fv_tensor_bytes(&t));
    return fv_pass_add_tensor(p, &t);
}

// Weights and bias take its factors in.
static bool fold_norm(fv_passes *p, fv_node *n) {
    fv_node *t = fv_node_is(n, "BatchNormalization") ? fv_pass_sole(p, n, 0, "ConvTranspose") : NULL;
    bool ok = t && p->tensor_room >= 6 && fv_pass_constant(p, t->in[1]) && (t->n_in < 3 || fv_pass_constant(p, t->in[2]));
    for (int k = 1; ok && k < 5; k++)
        ok = fv_pass_constant(p, n->in[k]);
    if (!ok)
        return false;
    const fv_conv_attr *a = t->attr;
    const float *v[5];
    for (int k = 1; k < 5; k++)
        v[k] = p->g->tensor[n->in[k]].data;
    int64_t outs = p->g->tensor[t->in[1]].dim[1], m_n = outs * a->group, c_n = p->g->tensor[t->in[1]].dim[0] / a->group;
    int64_t taps = (int64_t)a->kernel[0] * a->kernel[1];
    int weights = own_copy(p, t->in[1]), bias = fv_pass_add_constant(p, t->in[1], 1, &m_n);
    float *w = p->g->tensor[weights].data, *b = p->g->tensor[bias].data;
    for (int64_t m = 0; m < m_n; m++) {
        float scale = v[1][m] / sqrtf(v[4][m] + ((const fv_norm_attr *)n->attr)->epsilon);
        b[m] = v[2][m] + ((t->n_in > 2 ? ((const float *)p->g->tensor[t->in[2]].data)[m] : 0) - v[3][m]) * scale;
        for (int64_t c = m / outs * c_n; c < (m / outs + 1) * c_n; c++)
            for (int64_t i = 0; i < taps; i++)
                w[(c * outs + m % outs) * taps + i] *= scale;
    }
    t->in = fv_arena_memdup(p->g->arena, (int[]){t->in[0], weights, bias}, 3 * sizeof(int));
    t->n_in = 3;
    fv_pass_merge(t, n);
    return true;
}

int fv_pass_transpose(fv_passes *p) {
    int folded = 0;
    for (int i = 0; i < p->g->n_nodes; i++)
        folded += p->g->node[i].op && fold_norm(p, &p->g->node[i]);
    if (folded)
        return folded; // the rest in the next round, with tables made anew
    return fv_pass_replace(p, 3, replace);
}
