#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

static bool same_shape(const fv_tensor *a, const fv_tensor *b) {
    bool same = a->n_dims == b->n_dims && a->dtype == b->dtype;
    for (int d = 0; same && d < a->n_dims; d++)
        same = a->dim[d] == b->dim[d];
    return same;
}

static bool slice_is_whole(const fv_node *n) {
    const fv_slice_attr *p = n->attr;
    for (int d = 0; d < FV_MAX_DIMS; d++)
        if (p->start[d] != 0 || p->step[d] != 1)
            return false;
    return true;
}

static bool pad_is_none(const fv_node *n) {
    const fv_pad_attr *p = n->attr;
    for (int d = 0; d < FV_MAX_DIMS; d++)
        if (p->begin[d] || p->end[d])
            return false;
    return true;
}

static bool perm_is_none(const fv_node *n) {
    const fv_transpose_attr *p = n->attr;
    for (int d = 0; d < p->n; d++)
        if (p->perm[d] != d)
            return false;
    return true;
}

static bool single_input(const fv_node *n) {
    return n->n_in == 1;
}

// Ops that change nothing when shape and dtype stay and, where there is a test, it holds.
static const struct {
    const char *op;
    bool (*test)(const fv_node *n);
} rows[] = {
    {"Identity", NULL},
    {"Dropout", NULL},
    {"Cast", NULL},
    {"CastLike", NULL},
    {"Reshape", NULL},
    {"Flatten", NULL},
    {"Squeeze", NULL},
    {"Unsqueeze", NULL},
    {"Expand", NULL},
    {"Tile", NULL},
    {"Slice", slice_is_whole},
    {"Pad", pad_is_none},
    {"Transpose", perm_is_none},
    {"Concat", single_input},
    {"Split", single_input},
    {"Sum", single_input},
    {"Max", single_input},
    {"Min", single_input},
    {"Mean", single_input},
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

static bool changes_nothing(const fv_passes *p, const fv_node *n) {
    for (int i = 0; i < N_ROWS; i++)
        if (fv_node_is(n, rows[i].op))
            return n->n_out == 1 && same_shape(&p->g->tensor[n->in[0]], &p->g->tensor[n->out[0]]) &&
                   (!rows[i].test || rows[i].test(n));
    return false;
}

int fv_pass_identity(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        if (!changes_nothing(p, n))
            continue;
        int in = n->in[0], out = n->out[0];
        while (p->alias[in] != in)
            in = p->alias[in];
        if (!p->kept[out])
            p->alias[out] = in;
        else if (!p->kept[in] &&
                 p->producer[in] >= 0) // the output keeps its tensor, its maker writes there
            p->alias[in] = out, p->producer[out] = p->producer[in];
        else
            continue;
        fv_pass_drop(n);
        changes++;
    }
    return changes;
}

int fv_pass_dead(fv_passes *p) {
    int changes = 0;
    for (int i = p->g->n_nodes - 1; i >= 0; i--) {
        fv_node *n = &p->g->node[i];
        bool read = false;
        for (int k = 0; k < n->n_out; k++)
            read |= n->out[k] >= 0 && p->readers[n->out[k]] > 0;
        if (read)
            continue;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] >= 0)
                p->readers[n->in[k]]--;
        fv_pass_drop(n);
        changes++;
    }
    return changes;
}
