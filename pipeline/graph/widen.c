// float16 files run in float32: half precision is how they are stored, not what they are owed.
#include "pipeline/graph/onnx.h"
#include "pipeline/graph/op_math.h"

#include <string.h>

static void widen_tensor(fv_graph *g, fv_tensor *t) {
    size_t n = (size_t)fv_tensor_count(t);
    const void *half = t->data;
    t->dtype = FV_F32;
    if (!half)
        return;
    t->data = fv_arena_alloc(g->data, fv_tensor_bytes(t) + 1);
    fv_convert(t->data, FV_F32, half, FV_F16, n);
}

// Makers of float16 that were too costly to fold keep their dtype in attributes: such a graph
// stays.
static bool has_maker(const fv_graph *g) {
    static const char *const makers[] = {"Constant", "ConstantOfShape", "EyeLike"};
    for (int i = 0; i < g->n_nodes; i++)
        for (size_t m = 0; m < sizeof makers / sizeof makers[0]; m++)
            if (!strcmp(g->node[i].op->name, makers[m]))
                return true;
    return false;
}

void fv_graph_widen(fv_graph *g) {
    if (has_maker(g))
        return;
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensor[i].dtype == FV_F16 && g->tensor[i].n_dims >= 0)
            widen_tensor(g, &g->tensor[i]);
    for (int i = 0; i < g->n_nodes; i++) {
        fv_cast_attr *cast = g->node[i].attr;
        if (!strcmp(g->node[i].op->name, "Cast") && cast->to == FV_F16)
            cast->to = FV_F32;
    }
}
