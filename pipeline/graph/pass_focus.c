// The four pictures of half the size that every second row and column make, one behind the other as
// channels ("focus" of YOLOX and YOLOv5), and a convolution: that is a convolution of the picture itself
// with a kernel and a stride of twice the size.
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

enum { PARTS = 4, MAX_KERNEL = 3 };

// Where part k begins: follows Slice nodes back to the picture they take every second row and column of.
static bool trace(const fv_passes *p, int part, int *x, int start[2]) {
    const fv_tensor *y = &p->g->tensor[part];
    int64_t at[2] = {0, 0}, step[2] = {1, 1};
    for (; p->producer[part] >= 0 && fv_node_is(&p->g->node[p->producer[part]], "Slice");
         part = p->g->node[p->producer[part]].in[0]) {
        const fv_slice_attr *a = p->g->node[p->producer[part]].attr;
        for (int d = 0; d < 2; d++) {
            if (a->step[2 + d] < 1 || a->step[2 + d] > 2 / step[d])
                return false;
            at[d] = a->start[2 + d] + at[d] * a->step[2 + d];
            step[d] *= a->step[2 + d];
        }
    }
    const fv_tensor *t = &p->g->tensor[part];
    bool halves = t->n_dims == 4 && y->n_dims == 4 && t->dim[0] == y->dim[0] && t->dim[1] == y->dim[1] &&
                  t->dtype == FV_F32;
    for (int d = 0; d < 2; d++) {
        halves = halves && step[d] == 2 && (at[d] == 0 || at[d] == 1) && t->dim[2 + d] == 2 * y->dim[2 + d];
        start[d] = (int)at[d];
    }
    *x = part;
    return halves;
}

// Gives the picture and the parts' starts; false where n is no convolution of such parts.
static bool find(const fv_passes *p, const fv_node *n, int *x, int start[PARTS][2]) {
    const fv_conv_attr *a = n->attr;
    const fv_node *concat = fv_node_is(n, "Conv") && p->producer[n->in[0]] >= 0 ? &p->g->node[p->producer[n->in[0]]] : NULL;
    if (!concat || !fv_node_is(concat, "Concat") || concat->n_in != PARTS || p->tensor_room < 1 ||
        ((const fv_axis_attr *)concat->attr)->axis != 1 || !p->g->tensor[n->in[1]].data ||
        p->g->tensor[n->in[1]].dtype != FV_F32 || p->g->tensor[n->in[1]].n_dims != 4 || a->group != 1 ||
        a->stride[0] * a->stride[1] * a->dilation[0] * a->dilation[1] != 1 || a->kernel[0] > MAX_KERNEL ||
        a->kernel[1] > MAX_KERNEL)
        return false;
    for (int k = 0; k < PARTS; k++) {
        int of;
        if (!trace(p, concat->in[k], &of, start[k]) || (k && of != *x))
            return false;
        *x = of;
    }
    return true;
}

// [M][4 C][ky][kx] to [M][C][2 ky][2 kx].
static void spread_weights(const fv_tensor *from, int start[PARTS][2], float *to) {
    const float *w = from->data;
    int64_t c_n = from->dim[1] / PARTS, ky_n = from->dim[2], kx_n = from->dim[3];
    for (int64_t m = 0; m < from->dim[0]; m++)
        for (int64_t c = 0; c < from->dim[1]; c++)
            for (int64_t ky = 0; ky < ky_n; ky++)
                for (int64_t kx = 0; kx < kx_n; kx++) {
                    const int *at = start[c / c_n];
                    to[((m * c_n + c % c_n) * 2 * ky_n + 2 * ky + at[0]) * 2 * kx_n + 2 * kx + at[1]] += *w++;
                }
}

int fv_pass_focus(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        int x = -1, start[PARTS][2];
        if (!n->op || !find(p, n, &x, start))
            continue;
        fv_tensor t = p->g->tensor[n->in[1]];
        t.dim[1] /= PARTS, t.dim[2] *= 2, t.dim[3] *= 2;
        t.data = fv_arena_alloc(p->g->data, fv_tensor_bytes(&t));
        spread_weights(&p->g->tensor[n->in[1]], start, t.data);
        fv_conv_attr a = *(const fv_conv_attr *)n->attr;
        for (int d = 0; d < 2; d++)
            a.kernel[d] *= 2, a.stride[d] = 2, a.pad[d] *= 2, a.pad[d + 2] *= 2;
        n->attr = fv_arena_memdup(p->g->arena, &a, sizeof a);
        n->in = fv_arena_memdup(p->g->arena, n->in, (size_t)n->n_in * sizeof *n->in);
        n->in[0] = x;
        n->in[1] = fv_pass_add_tensor(p, &t);
        changes++;
    }
    return changes;
}
