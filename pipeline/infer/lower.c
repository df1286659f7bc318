#include "pipeline/infer/lower.h"

#include <string.h>

static const fv_lowering *const families[] = {
    fv_lower_conv_rows, fv_lower_pool_rows, fv_lower_resize_rows, fv_lower_eltwise_rows, fv_lower_shape_rows,
    fv_lower_concat_rows, fv_lower_matmul_rows, fv_lower_reduce_rows, fv_lower_norm_rows, fv_lower_grid_rows,
    fv_lower_deform_rows,
};

bool fv_lower_is_float(const fv_plan *p, const fv_node *n) {
    for (int i = 0; i < n->n_in; i++) {
        if (n->in[i] < 0)
            continue;
        const fv_tensor *t = fv_plan_tensor(p, n->in[i]);
        if (!t->data && (t->dtype != FV_F32 || fv_tensor_count(t) == 0))
            return false;
    }
    for (int i = 0; i < n->n_out; i++) {
        if (n->out[i] < 0)
            continue;
        const fv_tensor *t = fv_plan_tensor(p, n->out[i]);
        if (t->dtype != FV_F32 || fv_tensor_count(t) == 0)
            return false;
    }
    return n->n_in > 0 && n->n_out > 0 && n->in[0] >= 0 && n->out[0] >= 0 &&
           fv_plan_tensor(p, n->in[0])->dtype == FV_F32;
}

const fv_lowering *fv_lower_find(const fv_plan *p, const fv_node *n) {
    const char *op = fv_node_op(n);
    if (!fv_lower_is_float(p, n))
        return NULL;
    for (size_t f = 0; f < sizeof families / sizeof families[0]; f++)
        for (const fv_lowering *row = families[f]; row->op; row++)
            if (!strcmp(row->op, op) && row->fits(p, n, row->kind))
                return row;
    return NULL;
}

const fv_node *fv_joint_reader(const fv_plan *p, const fv_node *n) {
    if (p->place[n->out[0]].n_uses != 1)
        return NULL;
    for (const fv_node *b = n + 1; b < p->graph->node + p->graph->n_nodes; b++)
        if (b->n_in > 0 && b->in[0] == n->out[0])
            return b;
    return NULL;
}
