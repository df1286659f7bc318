// What a convolution does to its result before it writes it.
#include "pipeline/graph/passes.h"

const fv_activation *fv_pass_activation_of(const fv_node *n) {
    static const char *const ops[] = {
        "Relu",      "LeakyRelu", "Clip",     "Sigmoid",  "HardSigmoid",
        "HardSwish", "Swish",     "Mish",     "Tanh",     "Elu",
        "Selu",      "Celu",      "Softplus", "Softsign", "ThresholdedRelu",
        "Gelu"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (fv_node_is(n, ops[i]))
            return ((fv_activation *)n->attr)->computed ? NULL : n->attr;
    return NULL;
}

// A PRelu with one slope for all is a LeakyRelu.
static void simplify_prelu(fv_passes *p, fv_node *n) {
    float slope;
    if (fv_node_is(n, "PRelu") && fv_pass_scalar(p, n, 1, &slope) &&
        p->g->tensor[n->out[0]].dtype == FV_F32 &&
        p->g->tensor[n->in[1]].n_dims <= p->g->tensor[n->in[0]].n_dims)
        fv_pass_become(p, n, "LeakyRelu", n->in[0],
                       (fv_activation){FV_ACT_LEAKY_RELU, slope, 0, 0});
}

int fv_pass_activation(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        simplify_prelu(p, n);
        const fv_activation *a = fv_pass_activation_of(n);
        fv_node *conv = a ? fv_pass_sole(p, n, 0, "Conv") : NULL;
        fv_conv_attr *c = conv ? conv->attr : NULL;
        if (!c || c->activation.kind || c->residual == FV_RESIDUAL_AFTER ||
            p->g->tensor[n->out[0]].dtype != FV_F32)
            continue;
        c->activation = *a;
        fv_pass_merge(conv, n);
        changes++;
    }
    return changes;
}

static bool same_shape(const fv_passes *p, const fv_node *n) {
    const fv_tensor *a = &p->g->tensor[n->in[0]], *b = &p->g->tensor[n->in[1]];
    bool same = a->n_dims == b->n_dims;
    for (int d = 0; same && d < a->n_dims; d++)
        same = a->dim[d] == b->dim[d];
    return same;
}

static bool fuse_residual(fv_passes *p, fv_node *n, int k) {
    fv_node *conv = fv_pass_sole(p, n, k, "Conv");
    fv_conv_attr *c = conv ? conv->attr : NULL;
    if (!c || c->residual || p->g->tensor[n->out[0]].dtype != FV_F32)
        return false;
    int *in = FV_ARENA_NEW(p->g->arena, int, 4);
    for (int i = 0; i < 3; i++)
        in[i] = i < conv->n_in ? conv->in[i] : -1;
    in[3] = n->in[!k];
    conv->in = in;
    conv->n_in = 4;
    c->residual = c->activation.kind ? FV_RESIDUAL_AFTER : FV_RESIDUAL_BEFORE;
    fv_pass_merge(conv, n);
    return true;
}

int fv_pass_residual(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        if (!fv_node_is(n, "Add") || n->n_in != 2 || n->in[0] == n->in[1] || !same_shape(p, n))
            continue;
        if (p->g->tensor[n->in[0]].data || p->g->tensor[n->in[1]].data)
            continue;
        // the later of two convolutions takes the other as its residual
        int later = p->producer[n->in[1]] > p->producer[n->in[0]];
        if (fuse_residual(p, n, later) || fuse_residual(p, n, !later)) {
            p->producer[n->out[0]] = i;
            changes++;
        }
    }
    return changes;
}
