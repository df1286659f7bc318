// Activations move up through ops that only move data, to the convolution that can apply them.
// Heads of the YOLO families end in Conv, Reshape, Transpose, Sigmoid, later ones in Conv, Reshape, Concat, Sigmoid.
#include "pipeline/graph/passes.h"

enum { MAX_PARTS = 8 };

static fv_node *mover(const fv_passes *p, const fv_node *n, int input) {
    static const char *const ops[] = {"Reshape", "Transpose", "Flatten", "Squeeze",
                                      "Unsqueeze", "DepthToSpace", "Slice"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        fv_node *m = fv_pass_sole(p, n, input, ops[i]);
        if (m)
            return m;
    }
    return NULL;
}

// A convolution that has no activation so far is at the top of the movers above an input of n.
static bool worth_it(const fv_passes *p, const fv_node *n, int input) {
    const fv_node *top = mover(p, n, input);
    for (const fv_node *m = top; m; m = mover(p, m, 0))
        top = m;
    const fv_node *conv = top ? fv_pass_sole(p, top, 0, "Conv") : NULL;
    const fv_conv_attr *a = conv ? conv->attr : NULL;
    return a && !a->activation.kind && !a->residual;
}

static bool can_move(const fv_passes *p, const fv_node *n) {
    return fv_pass_activation_of(n) && p->g->tensor[n->out[0]].dtype == FV_F32;
}

// A concatenation and its activation become an activation of each part and their concatenation.
static int part_activation(fv_passes *p, const fv_node *n, fv_node *to) {
    fv_node *activation = fv_node_is(n, "Concat") ? fv_pass_reader(p, n, n->out[0]) : NULL;
    bool ok = activation && can_move(p, activation) && activation->in[0] == n->out[0] &&
              n->n_in <= MAX_PARTS && p->tensor_room >= n->n_in;
    for (int k = 0; ok && k < n->n_in; k++)
        ok = worth_it(p, n, k);
    if (!ok)
        return 0;
    fv_node *concat = &to[n->n_in];
    *concat = *n;
    concat->in = FV_ARENA_NEW(p->g->arena, int, n->n_in);
    concat->out = activation->out;
    for (int k = 0; k < n->n_in; k++) {
        concat->in[k] = fv_pass_add_tensor(p, &p->g->tensor[n->in[k]]);
        to[k] = *activation;
        to[k].in = fv_arena_memdup(p->g->arena, activation->in, (size_t)activation->n_in * sizeof(int));
        to[k].in[0] = n->in[k];
        to[k].out = fv_arena_memdup(p->g->arena, &concat->in[k], sizeof(int));
    }
    fv_pass_drop(activation);
    return n->n_in + 1;
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
    int changes = fv_pass_replace(p, MAX_PARTS + 1, part_activation);
    if (changes)
        return changes; // what is known of the nodes is out of date
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        if (!can_move(p, n) || !worth_it(p, n, 0))
            continue;
        for (fv_node *m = mover(p, n, 0); m; m = mover(p, n, 0)) {
            n = swap(p, m, n);
            changes++;
        }
    }
    return changes;
}
