#include "pipeline/graph/ops.h"

#include <string.h>

// Each ends with {0} and lies in the file of its name.
extern const fv_op fv_ops_conv[], fv_ops_pool[], fv_ops_activation[], fv_ops_unary[],
    fv_ops_binary[], fv_ops_select[], fv_ops_view[], fv_ops_move[], fv_ops_resize[],
    fv_ops_matmul[], fv_ops_reduce[], fv_ops_softmax[], fv_ops_gather[], fv_ops_norm[],
    fv_ops_pad[], fv_ops_sort[], fv_ops_quant[], fv_ops_einsum[], fv_ops_grid[], fv_ops_matrix[],
    fv_ops_attention[], fv_ops_deform[], fv_ops_roi[];

static const fv_op *const families[] = {
    fv_ops_conv, fv_ops_pool, fv_ops_activation, fv_ops_unary, fv_ops_binary, fv_ops_select,
    fv_ops_view, fv_ops_move, fv_ops_resize, fv_ops_matmul, fv_ops_reduce, fv_ops_softmax,
    fv_ops_gather, fv_ops_norm, fv_ops_pad,
    fv_ops_sort, fv_ops_quant, fv_ops_einsum, fv_ops_grid, fv_ops_matrix,
    fv_ops_attention, fv_ops_deform, fv_ops_roi,
};
enum { N_FAMILIES = sizeof families / sizeof families[0] };

const fv_op *fv_op_at(int index) {
    for (int f = 0; f < N_FAMILIES; f++)
        for (const fv_op *op = families[f]; op->name; op++)
            if (index-- == 0)
                return op;
    return NULL;
}

const fv_op *fv_op_find(const char *name) {
    for (int f = 0; f < N_FAMILIES; f++)
        for (const fv_op *op = families[f]; op->name; op++)
            if (!strcmp(op->name, name))
                return op;
    return NULL;
}
