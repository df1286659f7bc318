// Pictures of bytes as an input.
#include <string.h>

#include "pipeline/graph/graph.h"
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

enum { MOST_STEPS = 16 };

// The only node that reads tensor t; NULL where none does or several do.
static const fv_node *reader(const fv_graph *g, int t) {
    const fv_node *found = NULL;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] == t) {
                if (found)
                    return NULL;
                found = &g->node[i];
            }
    return found;
}

static bool is_one_of(const fv_node *n, const char *const *op) {
    while (*op && strcmp(n->op->name, *op))
        op++;
    return *op != NULL;
}

// All values of the constant at the other side of n lie in lo .. hi.
static bool constant_within(const fv_graph *g, const fv_node *n, int x, double lo, double hi) {
    if (n->n_in != 2)
        return false;
    const fv_tensor *c = &g->tensor[n->in[n->in[0] == x]];
    int64_t count = c->data ? fv_tensor_count(c) : 0;
    for (int64_t i = 0; i < count; i++)
        if (!(fv_element_get(c, i) >= lo && fv_element_get(c, i) <= hi))
            return false;
    return count > 0;
}

// The first arithmetic on the picture is made for values up to 255: x / 255, x * 0.0039, x / 58.4, x - 123.7,
// x - 127.5. Of pictures from 0 to 1 the subtracted means and the divisors are below 1.
static bool is_normalised_inside(const fv_graph *g, int t) {
    static const char *const moves[] = {"Cast", "Identity", "Transpose", "Reshape", "Squeeze", "Unsqueeze",
                                        "Slice", "Gather", NULL};
    const fv_node *n = reader(g, t);
    for (int step = 0; n && is_one_of(n, moves) && n->in[0] == t && step < MOST_STEPS; step++)
        n = reader(g, t = n->out[0]);
    if (!n)
        return false;
    return (!strcmp(n->op->name, "Mul") && constant_within(g, n, t, 1e-4, 0.05)) ||
           (!strcmp(n->op->name, "Div") && n->in[0] == t && constant_within(g, n, t, 20, 1000)) ||
           (!strcmp(n->op->name, "Sub") && n->in[0] == t && constant_within(g, n, t, 20, 255));
}

// The file's tensor of bytes is made of the input by a quantisation with scale 1: pass_quant.c knows what can
// be done with it in float32.
static void take_floats(fv_graph *g, int input) {
    int bytes = g->input[input], n = g->n_tensors;
    fv_tensor *tensor = FV_ARENA_NEW(g->arena, fv_tensor, n + 3);
    memcpy(tensor, g->tensor, sizeof *tensor * (size_t)n);
    float *one = fv_arena_alloc(g->data, sizeof *one);
    *one = 1;
    tensor[n] = tensor[bytes];
    tensor[n].dtype = FV_F32;
    tensor[n + 1] = (fv_tensor){.name = tensor[bytes].name, .dtype = FV_F32, .data = one};
    tensor[n + 2] = (fv_tensor){.name = tensor[bytes].name, .dtype = FV_U8,
                                .data = fv_arena_alloc(g->data, sizeof *one)};
    fv_node *node = FV_ARENA_NEW(g->arena, fv_node, g->n_nodes + 1);
    memcpy(node + 1, g->node, sizeof *node * (size_t)g->n_nodes);
    node[0] = (fv_node){.op = fv_op_find("QuantizeLinear"), .name = tensor[bytes].name, .n_in = 3, .n_out = 1};
    node[0].in = fv_arena_memdup(g->arena, (int[]){n, n + 1, n + 2}, 3 * sizeof(int));
    node[0].out = fv_arena_memdup(g->arena, &bytes, sizeof bytes);
    node[0].attr = fv_arena_memdup(g->arena, &(fv_quant_attr){.axis = -1, .dtype = FV_U8}, sizeof(fv_quant_attr));
    g->tensor = tensor;
    g->node = node;
    g->n_tensors += 3;
    g->n_nodes++;
    g->input[input] = n;
}

void fv_graph_take_bytes(fv_graph *g) {
    for (int i = 0; i < g->n_inputs; i++) {
        const fv_tensor *t = &g->tensor[g->input[i]];
        if (t->n_dims != 4)
            continue;
        if (t->dtype == FV_U8) {
            g->picture = FV_PICTURE_BYTES;
            take_floats(g, i);
        } else if (is_normalised_inside(g, g->input[i])) {
            g->picture = FV_PICTURE_TO_255;
        }
    }
}
