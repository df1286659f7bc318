#include "tests/graph/hostile.h"

#include <stdlib.h>

#include "pipeline/graph/graph.h"

enum { MAX_BYTES = 256 << 20, RUN_BYTES = 4 << 20, RUN_MACS = 1 << 20, MAX_PORTS = 16 };

static int is_small(const fv_graph *g) {
    size_t bytes = 0;
    for (int i = 0; i < g->n_tensors && bytes < RUN_BYTES; i++)
        bytes += g->tensor[i].n_dims >= 0 ? fv_tensor_bytes(&g->tensor[i]) : 0;
    return bytes < RUN_BYTES && fv_graph_macs(g) < RUN_MACS && g->n_inputs <= MAX_PORTS &&
           g->n_outputs <= MAX_PORTS;
}

static void run(const fv_graph *g) {
    void *in[MAX_PORTS] = {0}, *out[MAX_PORTS] = {0};
    for (int i = 0; i < g->n_inputs; i++)
        in[i] = calloc(1, fv_tensor_bytes(&g->tensor[g->input[i]]) + 1);
    for (int i = 0; i < g->n_outputs; i++)
        out[i] = calloc(1, fv_tensor_bytes(&g->tensor[g->output[i]]) + 1);
    fv_err err = {0};
    fv_graph_run(g, (const void *const *)in, out, &err);
    for (int i = 0; i < MAX_PORTS; i++) {
        free(in[i]);
        free(out[i]);
    }
}

int hostile_try(const uint8_t *data, size_t size) {
    fv_err err = {0};
    fv_graph_params params = {.default_size = 64, .max_bytes = MAX_BYTES};
    fv_graph *g = fv_graph_load_memory(data, size, &params, &err);
    if (!g)
        return 0;
    if (is_small(g))
        run(g);
    fv_graph_take_bytes(g);
    if (fv_graph_optimize(g, &err) && is_small(g))
        run(g);
    fv_graph_destroy(&g);
    return 1;
}
