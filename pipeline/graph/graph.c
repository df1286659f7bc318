#include "pipeline/graph/graph.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/ops.h"

const char *fv_graph_metadata(const fv_graph *g, const char *key) {
    for (int i = 0; i < g->n_metadata; i++)
        if (!strcmp(g->metadata[i][0], key))
            return g->metadata[i][1];
    return NULL;
}

const char *fv_node_op(const fv_node *n) {
    return n->op->name;
}

static bool starts(const char *text, const char *with) {
    return !strncmp(text, with, strlen(with));
}

int64_t fv_node_macs(const fv_graph *g, const fv_node *n) {
    const char *op = n->op->name;
    const fv_tensor *out = &g->tensor[n->out[0]];
    if (!strcmp(op, "Attention")) { // both products: a number a key for each of the query's and the result's
        const fv_tensor *q = &g->tensor[n->in[0]], *k = &g->tensor[n->in[1]];
        return (fv_tensor_count(q) + fv_tensor_count(out)) * k->dim[k->n_dims - 2];
    }
    if (!strcmp(op, "ConvTranspose"))
        return fv_tensor_count(&g->tensor[n->in[0]]) *
               fv_dims_product(&g->tensor[n->in[1]], 1, g->tensor[n->in[1]].n_dims);
    if (!strcmp(op, "QLinearConv"))
        return fv_tensor_count(out) *
               fv_dims_product(&g->tensor[n->in[3]], 1, g->tensor[n->in[3]].n_dims);
    if (starts(op, "Conv") || !strcmp(op, "DeformConv"))
        return fv_tensor_count(out) *
               fv_dims_product(&g->tensor[n->in[1]], 1, g->tensor[n->in[1]].n_dims);
    if (starts(op, "MatMul") || starts(op, "QLinearMatMul") || starts(op, "Gemm")) {
        const fv_tensor *a = &g->tensor[n->in[0]];
        int64_t k = a->n_dims ? a->dim[a->n_dims - 1] : 1;
        if (starts(op, "Gemm")) // transposed or not: elements of A over the rows of the output
            k = out->dim[0] ? fv_tensor_count(a) / out->dim[0] : 0;
        return fv_tensor_count(out) * k;
    }
    return 0;
}

int64_t fv_graph_macs(const fv_graph *g) {
    int64_t n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += fv_node_macs(g, &g->node[i]);
    return n;
}

size_t fv_graph_constant_bytes(const fv_graph *g) {
    bool *used = calloc((size_t)g->n_tensors + 1, sizeof *used);
    size_t bytes = 0;
    for (int i = 0; used && i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] >= 0)
                used[g->node[i].in[k]] = true;
    for (int i = 0; used && i < g->n_outputs; i++)
        used[g->output[i]] = true;
    for (int i = 0; used && i < g->n_tensors; i++)
        bytes += used[i] && g->tensor[i].data ? fv_tensor_bytes(&g->tensor[i]) : 0;
    free(used);
    return bytes;
}

static void print_tensor(const fv_tensor *t, FILE *out) {
    char shape[128];
    fprintf(out, " %s%s", t->data ? "=" : "", fv_tensor_shape_text(t, shape, sizeof shape));
    if (t->dtype != FV_F32)
        fprintf(out, ":%s", fv_dtype_name(t->dtype));
}

static void print_fused(const fv_node *n, FILE *out) {
    const fv_conv_attr *a = n->attr;
    if (strcmp(n->op->name, "Conv"))
        return;
    if (a->residual)
        fprintf(out, " +residual%s", a->residual == FV_RESIDUAL_AFTER ? " (after)" : "");
    if (a->activation.kind)
        fprintf(out, " +%s", fv_act_name(a->activation.kind));
}

void fv_graph_print(const fv_graph *g, FILE *out) {
    for (int i = 0; i < g->n_nodes; i++) {
        const fv_node *n = &g->node[i];
        fprintf(out, "%-16s %-32s", n->op->name, n->name);
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] >= 0)
                print_tensor(&g->tensor[n->in[k]], out);
        fputs(" ->", out);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] >= 0)
                print_tensor(&g->tensor[n->out[k]], out);
        print_fused(n, out);
        fputc('\n', out);
    }
}

void fv_graph_drop_constants(fv_graph *g, const bool *keep) {
    for (int i = 0; i < g->n_tensors; i++) {
        fv_tensor *t = &g->tensor[i];
        t->data = keep[i] && t->data ? fv_arena_memdup(g->arena, t->data, fv_tensor_bytes(t)) : NULL;
    }
    fv_arena_destroy(&g->data);
}

void fv_graph_destroy(fv_graph **g) {
    if (!g || !*g)
        return;
    fv_arena *a = (*g)->arena; // holds the graph itself
    fv_arena_destroy(&(*g)->data);
    *g = NULL;
    fv_arena_destroy(&a);
}
