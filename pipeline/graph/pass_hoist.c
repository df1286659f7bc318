// Activations move up through ops that only move data, to the convolution that can apply them.
// Heads of the YOLO families end in Conv, Reshape, Transpose, Sigmoid.
#include "pipeline/graph/passes.h"

static fv_node *mover(const fv_passes *p, const fv_node *n) {
    static const char *const ops[] = {"Reshape", "Transpose", "Flatten", "Squeeze",
                                      "Unsqueeze", "DepthToSpace", "Slice"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        fv_node *m = fv_pass_sole(p, n, 0, ops[i]);
        if (m)
            return m;
    }
    return NULL;
}

// A convolution that has no activation so far is at the top of the movers.
static bool worth_it(const fv_passes *p, const fv_node *n) {
    const fv_node *top = mover(p, n);
    for (const fv_node *m = top; m; m = mover(p, m))
        top = m;
    const fv_node *conv = top ? fv_pass_sole(p, top, 0, "Conv") : NULL;
    const fv_conv_attr *a = conv ? conv->attr : NULL;
    return a && !a->activation.kind && !a->residual;
}

// x -> m -> t -> n -> y becomes x -> n -> t -> m -> y; t takes the shape of x.
static fv_node *swap(fv_passes *p, fv_node *m, fv_node *n) {
    const char *name = p->g->tensor[m->out[0]].name;
    fv_node moved = *m;
    int t = m->out[0], x = m->in[0], *out = n->out;
    p->g->tensor[t] = p->g->tensor[x];
    p->g->tensor[t].name = name;
    *m = *n;
    m->in = FV_ARENA_NEW(p->g->arena, int, m->n_in);
    for (int k = 0; k < m->n_in; k++)
        m->in[k] = n->in[k];
    m->in[0] = x;
    m->out = moved.out; // t
    *n = moved;
    n->in = FV_ARENA_NEW(p->g->arena, int, moved.n_in);
    for (int k = 0; k < moved.n_in; k++)
        n->in[k] = moved.in[k];
    n->in[0] = t;
    n->out = out;
    return m;
}

int fv_pass_hoist(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        if (!fv_pass_activation_of(n) || p->g->tensor[n->out[0]].dtype != FV_F32 || !worth_it(p, n))
            continue;
        for (fv_node *m = mover(p, n); m; m = mover(p, n)) {
            n = swap(p, m, n);
            changes++;
        }
    }
    return changes;
}
