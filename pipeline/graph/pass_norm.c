// (x - mean) / sqrt(mean of (x - mean)^2 + epsilon) * scale + bias, as exporters before opset 17 write it,
// becomes one LayerNormalization.
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/passes.h"

typedef struct {
    fv_node *sub, *mean, *pow, *variance, *add, *root;
    float epsilon;
    int axis;      // first dimension that is normalised
    int64_t inner; // values of one run
} pattern;

static fv_node *producer(const fv_passes *p, int tensor) {
    return tensor >= 0 && p->producer[tensor] >= 0 ? &p->g->node[p->producer[tensor]] : NULL;
}

// A mean over the last dimensions, which stay with size 1: the first of them, or -1.
static int trailing_mean(const fv_passes *p, const fv_node *n) {
    const fv_reduce_attr *a = n->attr;
    int dims = p->g->tensor[n->in[0]].n_dims, axis = dims;
    while (axis > 0 && (a->axes >> (axis - 1) & 1))
        axis--;
    bool others = axis > 0 && (a->axes & ((1u << axis) - 1));
    return axis < dims && !others && a->keep_dims ? axis : -1;
}

static bool is_square(const fv_passes *p, const fv_node *n, int of) {
    float exponent;
    if (fv_node_is(n, "Mul"))
        return n->in[0] == of && n->in[1] == of;
    return n->in[0] == of && fv_pass_scalar(p, n, 1, &exponent) && exponent == 2;
}

static bool find_parts(const fv_passes *p, const fv_node *n, pattern *f) {
    f->sub = fv_node_is(n, "Div") && n->n_in == 2 ? producer(p, n->in[0]) : NULL;
    f->root = f->sub && fv_node_is(f->sub, "Sub") ? fv_pass_sole(p, n, 1, "Sqrt") : NULL;
    f->add = f->root ? fv_pass_sole(p, f->root, 0, "Add") : NULL;
    int eps = f->add ? fv_pass_scalar_side(p, f->add, &f->epsilon) : -1;
    f->variance = eps >= 0 ? fv_pass_sole(p, f->add, !eps, "ReduceMean") : NULL;
    f->pow = f->variance ? fv_pass_sole(p, f->variance, 0, "Pow") : NULL;
    if (f->variance && !f->pow)
        f->pow = fv_pass_sole(p, f->variance, 0, "Mul");
    f->mean = f->pow ? fv_pass_sole(p, f->sub, 1, "ReduceMean") : NULL;
    return f->mean && is_square(p, f->pow, f->sub->out[0]) && f->mean->in[0] == f->sub->in[0];
}

static bool find(const fv_passes *p, const fv_node *n, pattern *f) {
    if (!find_parts(p, n, f))
        return false;
    int difference = f->sub->out[0], uses = fv_node_is(f->pow, "Mul") ? 3 : 2;
    const fv_tensor *x = &p->g->tensor[f->sub->in[0]];
    f->axis = trailing_mean(p, f->mean);
    f->inner = f->axis >= 0 ? fv_dims_product(x, f->axis, x->n_dims) : 0;
    return f->axis > 0 && f->inner > 0 && f->axis == trailing_mean(p, f->variance) && x->dtype == FV_F32 &&
           p->readers[difference] == uses && !p->kept[difference] && p->tensor_room >= 2;
}

// A constant with one value for each place in a run, or -1.
static int per_place(const fv_passes *p, const fv_node *n, int other_than, const fv_tensor *x, const pattern *f) {
    int c = n->n_in == 2 ? n->in[n->in[0] == other_than] : -1;
    if (!fv_pass_constant(p, c))
        return -1;
    const fv_tensor *t = &p->g->tensor[c];
    bool fits = fv_tensor_count(t) == f->inner && t->n_dims <= x->n_dims;
    for (int d = 1; fits && d <= t->n_dims; d++)
        fits = t->dim[t->n_dims - d] == (d <= x->n_dims - f->axis ? x->dim[x->n_dims - d] : 1);
    return fits ? c : -1;
}

// Of the node behind that multiplies or adds a constant: takes it over.
static int take(fv_passes *p, fv_node *n, const char *op, const pattern *f) {
    fv_node *next = fv_pass_reader(p, n, n->out[0]);
    const fv_tensor *x = &p->g->tensor[f->sub->in[0]];
    int c = next && fv_node_is(next, op) && ((fv_pair_attr *)next->attr)->axis < 0
                ? per_place(p, next, n->out[0], x, f) : -1;
    if (c < 0)
        return -1;
    n->out = next->out;
    fv_pass_drop(next);
    return c;
}

static int ones(fv_passes *p, int named, int64_t n) {
    int t = fv_pass_add_constant(p, named, 1, &n);
    for (int64_t i = 0; i < n; i++)
        ((float *)p->g->tensor[t].data)[i] = 1;
    return t;
}

int fv_pass_layer_norm(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        pattern f;
        if (!n->op || !find(p, n, &f))
            continue;
        int scale = take(p, n, "Mul", &f), bias = take(p, n, "Add", &f);
        fv_norm_attr attr = {.epsilon = f.epsilon, .axis = f.axis, .groups = 1};
        n->op = fv_op_find("LayerNormalization");
        scale = scale < 0 ? ones(p, n->out[0], f.inner) : scale;
        n->in = fv_arena_memdup(p->g->arena, (int[]){f.sub->in[0], scale, bias}, 3 * sizeof(int));
        n->n_in = bias < 0 ? 2 : 3;
        n->attr = fv_arena_memdup(p->g->arena, &attr, sizeof attr);
        fv_node *const parts[] = {f.sub, f.mean, f.pow, f.variance, f.add, f.root};
        for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++)
            fv_pass_drop(parts[k]);
        changes++;
    }
    return changes;
}
