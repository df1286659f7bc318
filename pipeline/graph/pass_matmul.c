// A product with a constant matrix becomes a convolution of 1 x 1: rows are pixels, columns channels.
// Transposes around it bring the channels to dimension 1; in memory nothing moves.
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

#include <string.h>

// y = x W + b with `rows` x `in` values of x and `out` columns of W.
typedef struct {
    int64_t batch, rows, in, out;
    bool transposed; // W is [out][in]
    float alpha, beta;
    int x, w, b, y;  // tensors; b -1: none
} product;

// One value a column, or one for all.
static bool is_bias(const fv_passes *p, int t, int64_t columns) {
    const fv_tensor *b = t >= 0 ? &p->g->tensor[t] : NULL;
    return fv_pass_constant(p, t) && (fv_tensor_count(b) == 1 || (fv_tensor_count(b) == columns && b->n_dims > 0 &&
                                                                  b->dim[b->n_dims - 1] == columns));
}

// A sum behind a product is its bias.
static void take_sum(fv_passes *p, const fv_node *n, product *m) {
    fv_node *sum = fv_pass_reader(p, n, m->y);
    if (!sum || !fv_node_is(sum, "Add") || sum->n_in != 2 || ((fv_pair_attr *)sum->attr)->axis >= 0)
        return;
    int other = sum->in[sum->in[0] == m->y];
    if (!is_bias(p, other, m->out) || p->g->tensor[other].n_dims > p->g->tensor[m->y].n_dims)
        return;
    m->b = other;
    m->y = sum->out[0];
    fv_pass_drop(sum);
}

static bool find(fv_passes *p, const fv_node *n, product *m) {
    bool gemm = fv_node_is(n, "Gemm");
    const fv_gemm_attr *a = gemm ? n->attr : NULL;
    if ((!gemm && !fv_node_is(n, "MatMul")) || (a && a->trans_a) || fv_pass_constant(p, n->in[0]) ||
        !fv_pass_constant(p, n->in[1]) || p->tensor_room < 6)
        return false;
    const fv_tensor *x = &p->g->tensor[n->in[0]], *w = &p->g->tensor[n->in[1]];
    if (x->dtype != FV_F32 || x->n_dims < 2 || w->n_dims != 2 || !fv_tensor_count(x) || !fv_tensor_count(w))
        return false;
    bool transposed = a && a->trans_b;
    *m = (product){.batch = x->n_dims == 3 ? x->dim[0] : 1, .in = x->dim[x->n_dims - 1], .out = w->dim[!transposed],
                   .transposed = transposed, .alpha = a ? a->alpha : 1, .beta = a ? a->beta : 1, .x = n->in[0],
                   .w = n->in[1], .b = gemm && n->n_in > 2 ? n->in[2] : -1, .y = n->out[0]};
    m->rows = fv_tensor_count(x) / m->in / m->batch;
    if (m->b >= 0 && !is_bias(p, m->b, m->out))
        return false;
    if (!gemm)
        take_sum(p, n, m);
    return true;
}

static int add_like(fv_passes *p, int like, int64_t a, int64_t b, int64_t c) {
    fv_tensor t = p->g->tensor[like];
    t.n_dims = 3;
    memcpy(t.dim, (int64_t[]){a, b, c}, 3 * sizeof *t.dim);
    return fv_pass_add_tensor(p, &t);
}

static fv_node make_conv(fv_passes *p, const fv_node *n, const product *m, int in, int out) {
    int weights = fv_pass_add_constant(p, m->w, 3, (int64_t[]){m->out, m->in, 1});
    int bias = fv_pass_add_constant(p, m->b >= 0 ? m->b : m->w, 1, &m->out);
    const float *from = p->g->tensor[m->w].data, *b = m->b >= 0 ? p->g->tensor[m->b].data : NULL;
    float *to = p->g->tensor[weights].data, *to_bias = p->g->tensor[bias].data;
    bool single = b && fv_tensor_count(&p->g->tensor[m->b]) == 1;
    for (int64_t o = 0; o < m->out; o++) {
        for (int64_t i = 0; i < m->in; i++)
            to[o * m->in + i] = m->alpha * from[m->transposed ? o * m->in + i : i * m->out + o];
        to_bias[o] = b ? m->beta * b[single ? 0 : o] : 0;
    }
    fv_conv_attr conv = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .group = 1};
    fv_node made = fv_pass_make_node(p, n, "Conv", in, out, &conv, sizeof conv);
    made.n_in = 3;
    made.in = fv_arena_memdup(p->g->arena, (int[]){in, weights, bias}, 3 * sizeof(int));
    return made;
}

// Reshape, Transpose, Conv, Transpose, Reshape; the outer ones not for rank 3.
static int replace(fv_passes *p, const fv_node *n, fv_node *to) {
    product m;
    int k = 0;
    if (!find(p, n, &m))
        return 0;
    bool flat = p->g->tensor[m.x].n_dims != 3;
    fv_transpose_attr swap = {.n = 3, .perm = {0, 2, 1}};
    int x = flat ? add_like(p, m.x, m.batch, m.rows, m.in) : m.x, y = flat ? add_like(p, m.y, m.batch, m.rows, m.out) : m.y;
    int in = add_like(p, m.x, m.batch, m.in, m.rows), out = add_like(p, m.y, m.batch, m.out, m.rows);
    if (flat)
        to[k++] = fv_pass_make_node(p, n, "Reshape", m.x, x, &(fv_view_attr){0}, sizeof(fv_view_attr));
    to[k++] = fv_pass_make_node(p, n, "Transpose", x, in, &swap, sizeof swap);
    to[k++] = make_conv(p, n, &m, in, out);
    to[k++] = fv_pass_make_node(p, n, "Transpose", out, y, &swap, sizeof swap);
    if (flat)
        to[k++] = fv_pass_make_node(p, n, "Reshape", y, m.y, &(fv_view_attr){0}, sizeof(fv_view_attr));
    return k;
}

int fv_pass_matmul(fv_passes *p) {
    return fv_pass_replace(p, 5, replace);
}
