#include "pipeline/graph/passes.h"

#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    fv_pass_fn run;
} rows[] = {
    {"drop identities", fv_pass_identity},
    {"carry the whole numbers of quantised graphs as floats", fv_pass_quant},
    {"fold pads into convolutions and pools", fv_pass_pad},
    {"fold batch normalisations and constant factors into convolutions", fv_pass_scale},
    {"make convolutions of every second row and column convolutions of the picture", fv_pass_focus},
    {"make transposed convolutions convolutions", fv_pass_transpose},
    {"make deformable convolutions columns and convolutions", fv_pass_deform},
    {"recognise layer normalisation", fv_pass_layer_norm},
    {"make products with constant matrices convolutions", fv_pass_matmul},
    {"recognise hard sigmoid", fv_pass_hard_sigmoid},
    {"recognise x f(x): SiLU, hard swish, Mish", fv_pass_gated},
    {"recognise GELU", fv_pass_gelu},
    {"move activations up to convolutions", fv_pass_hoist},
    {"fuse activations into convolutions", fv_pass_activation},
    {"fuse residual sums into convolutions", fv_pass_residual},
    {"drop nodes that nobody reads", fv_pass_dead},
};
// Once, when nothing is left to fuse.
static const fv_pass_fn last_rows[] = {fv_pass_twins, fv_pass_shuffle, fv_pass_dead};
enum { N_ROWS = sizeof rows / sizeof rows[0], N_LAST = sizeof last_rows / sizeof last_rows[0], MAX_ROUNDS = 6 };

// ---- tables -------------------------------------------------------------------------------------

static void tables_fill(fv_passes *p) {
    const fv_graph *g = p->g;
    for (int t = 0; t < g->n_tensors; t++)
        p->producer[t] = -1, p->readers[t] = 0, p->kept[t] = false, p->alias[t] = t;
    for (int i = 0; i < g->n_nodes; i++) {
        for (int k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] >= 0)
                p->readers[g->node[i].in[k]]++;
        for (int k = 0; k < g->node[i].n_out; k++)
            if (g->node[i].out[k] >= 0)
                p->producer[g->node[i].out[k]] = i;
    }
    for (int i = 0; i < g->n_inputs; i++)
        p->kept[g->input[i]] = true;
    for (int i = 0; i < g->n_outputs; i++)
        p->kept[g->output[i]] = true, p->readers[g->output[i]]++;
}

static int resolve(const fv_passes *p, int t) {
    while (t >= 0 && p->alias[t] != t)
        t = p->alias[t];
    return t;
}

static void sweep(fv_passes *p) {
    fv_graph *g = p->g;
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        if (!g->node[i].op)
            continue;
        g->node[n] = g->node[i];
        for (int k = 0; k < g->node[n].n_in; k++)
            g->node[n].in[k] = resolve(p, g->node[n].in[k]);
        for (int k = 0; k < g->node[n].n_out; k++)
            g->node[n].out[k] = resolve(p, g->node[n].out[k]);
        n++;
    }
    g->n_nodes = n;
}

static bool passes_init(fv_passes *p, fv_graph *g) {
    int room = 6 * g->n_nodes + 8 + fv_pass_quant_room(g);
    size_t n = (size_t)g->n_tensors + (size_t)room;
    *p = (fv_passes){.g = g,
                     .tensor_room = room,
                     .producer = malloc(n * sizeof(int)),
                     .readers = malloc(n * sizeof(int)),
                     .kept = malloc(n * sizeof(bool)),
                     .alias = malloc(n * sizeof(int))};
    if (!p->producer || !p->readers || !p->kept || !p->alias)
        return false;
    fv_tensor *tensor = FV_ARENA_NEW(g->arena, fv_tensor, n);
    if (g->n_tensors)
        memcpy(tensor, g->tensor, sizeof *tensor * (size_t)g->n_tensors);
    g->tensor = tensor;
    return true;
}

static void passes_finish(fv_passes *p) {
    free(p->producer);
    free(p->readers);
    free(p->kept);
    free(p->alias);
}

bool fv_graph_optimize(fv_graph *g, fv_err *err) {
    fv_passes p;
    bool ok = passes_init(&p, g) || fv_fail(err, FV_MEMORY, "out of memory");
    for (int round = 0, changes = 1; ok && changes && round < MAX_ROUNDS; round++) {
        changes = 0;
        for (int i = 0; i < N_ROWS; i++) {
            tables_fill(&p);
            changes += rows[i].run(&p);
            sweep(&p);
        }
    }
    for (int i = 0; ok && i < N_LAST; i++) {
        tables_fill(&p);
        last_rows[i](&p);
        sweep(&p);
    }
    passes_finish(&p);
    return ok;
}

// ---- asking -------------------------------------------------------------------------------------

bool fv_node_is(const fv_node *n, const char *op) {
    return n->op && !strcmp(n->op->name, op);
}

fv_node *fv_pass_sole(const fv_passes *p, const fv_node *n, int k, const char *op) {
    int t = k < n->n_in ? n->in[k] : -1;
    if (t < 0 || p->producer[t] < 0 || p->readers[t] != 1 || p->kept[t])
        return NULL;
    fv_node *made_by = &p->g->node[p->producer[t]];
    return fv_node_is(made_by, op) && made_by->n_out == 1 ? made_by : NULL;
}

fv_node *fv_pass_reader(const fv_passes *p, const fv_node *n, int t) {
    const fv_graph *g = p->g;
    if (p->readers[t] != 1 || p->kept[t])
        return NULL;
    for (fv_node *r = g->node + (n - g->node) + 1; r < g->node + g->n_nodes; r++)
        for (int k = 0; r->op && k < r->n_in; k++)
            if (r->in[k] == t)
                return r;
    return NULL;
}

bool fv_pass_scalar(const fv_passes *p, const fv_node *n, int k, float *value) {
    if (k >= n->n_in || n->in[k] < 0)
        return false;
    const fv_tensor *t = &p->g->tensor[n->in[k]];
    if (!t->data || t->dtype != FV_F32 || fv_tensor_count(t) != 1)
        return false;
    *value = *(const float *)t->data;
    return true;
}

bool fv_pass_constant(const fv_passes *p, int t) {
    return t >= 0 && p->g->tensor[t].data && p->g->tensor[t].dtype == FV_F32;
}

int fv_pass_scalar_side(const fv_passes *p, const fv_node *n, float *value) {
    for (int k = 0; k < 2; k++)
        if (n->n_in == 2 && fv_pass_scalar(p, n, k, value) &&
            p->g->tensor[n->in[!k]].n_dims >= p->g->tensor[n->in[k]].n_dims)
            return k;
    return -1;
}

// ---- changing -----------------------------------------------------------------------------------

void fv_pass_drop(fv_node *n) {
    n->op = NULL;
}

void fv_pass_become(fv_passes *p, fv_node *n, const char *op, int x, fv_activation activation) {
    n->op = fv_op_find(op);
    n->n_in = 1;
    n->in = FV_ARENA_NEW(p->g->arena, int, 1);
    n->in[0] = x;
    n->attr = fv_arena_memdup(p->g->arena, &activation, sizeof activation);
}

void fv_pass_merge(fv_node *early, fv_node *late) {
    int *out = late->out;
    *late = *early;
    late->out = out;
    fv_pass_drop(early);
}

int fv_pass_add_tensor(fv_passes *p, const fv_tensor *t) {
    if (p->tensor_room == 0)
        return -1;
    p->tensor_room--;
    int index = p->g->n_tensors++;
    p->g->tensor[index] = *t;
    p->producer[index] = -1, p->readers[index] = 1, p->kept[index] = false, p->alias[index] = index;
    return index;
}

int fv_pass_add_constant(fv_passes *p, int named, int n_dims, const int64_t *dim) {
    fv_tensor t = {.name = p->g->tensor[named].name, .dtype = FV_F32, .n_dims = n_dims};
    memcpy(t.dim, dim, (size_t)n_dims * sizeof *dim);
    t.data = fv_arena_alloc(p->g->data, fv_tensor_bytes(&t) + 4);
    return fv_pass_add_tensor(p, &t);
}

fv_node fv_pass_make_node(fv_passes *p, const fv_node *n, const char *op, int in, int out,
                          const void *attr, size_t size) {
    fv_node r = {.op = fv_op_find(op), .name = n->name, .n_in = 1, .n_out = 1};
    r.in = fv_arena_memdup(p->g->arena, &in, sizeof in);
    r.out = fv_arena_memdup(p->g->arena, &out, sizeof out);
    r.attr = fv_arena_memdup(p->g->arena, attr, size);
    return r;
}

int fv_pass_replace(fv_passes *p, int most,
                    int (*replace)(fv_passes *p, const fv_node *n, fv_node *to)) {
    fv_graph *g = p->g;
    int n = 0, changes = 0;
    fv_node *node = malloc(((size_t)g->n_nodes * (size_t)most + 1) * sizeof *node);
    for (int i = 0; node && i < g->n_nodes; i++) {
        int made = g->node[i].op ? replace(p, &g->node[i], node + n) : 0;
        changes += made > 0;
        if (!made && g->node[i].op)
            node[n++] = g->node[i];
        n += made;
    }
    if (changes) {
        g->node = fv_arena_memdup(g->arena, node, (size_t)n * sizeof *node);
        g->n_nodes = n;
    }
    free(node);
    return changes;
}
