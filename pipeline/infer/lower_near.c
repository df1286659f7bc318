// A picture of half the size, doubled (each pixel four times) and put beside another one, for a 1 x 1 convolution:
// neither is made, the convolution reads both where they are.
#include "pipeline/infer/lower.h"

#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/op_resize.h"
#include "pipeline/graph/op_shape.h"

enum { MAX_PIXELS = 1 << 18 }; // a row of conv_row.c fits in any case

static bool doubles(const fv_resize_attr *a, int d, int64_t in, int64_t out) {
    int64_t index[FV_RESIZE_MAX_TAPS];
    float weight[FV_RESIZE_MAX_TAPS];
    for (int64_t o = 0; o < out; o++) {
        fv_resize_taps t = {.index = index, .weight = weight};
        fv_resize_taps_solve(a, d, o, in, out, &t);
        if (t.n != 1 || t.outside || index[0] != o / 2)
            return false;
    }
    return out == 2 * in;
}

static bool is_doubling(const fv_plan *p, const fv_node *n) {
    if ((strcmp(fv_node_op(n), "Resize") && strcmp(fv_node_op(n), "Upsample")) || !fv_lower_find(p, n))
        return false;
    const fv_resize_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]), *y = fv_plan_tensor(p, n->out[0]);
    return x->n_dims == 4 && !x->data && a->mode == FV_RESIZE_NEAREST && x->dim[1] % 4 == 0 &&
           y->dim[0] * y->dim[2] * y->dim[3] <= MAX_PIXELS && doubles(a, 2, x->dim[2], y->dim[2]) &&
           doubles(a, 3, x->dim[3], y->dim[3]);
}

static bool is_pointwise(const fv_plan *p, const fv_node *n) {
    return !strcmp(fv_node_op(n), "Conv") && fv_lower_find(p, n) && fv_conv_is_pointwise(n->attr);
}

// The concatenation of two that reads a tensor, which nothing else does.
static const fv_node *sole_concat(const fv_plan *p, int tensor) {
    for (const fv_node *n = p->graph->node; n < p->graph->node + p->graph->n_nodes && p->place[tensor].n_uses == 1; n++)
        if (!strcmp(fv_node_op(n), "Concat") && n->n_in == 2 && (n->in[0] == tensor || n->in[1] == tensor))
            return fv_lower_find(p, n) && ((const fv_axis_attr *)n->attr)->axis == 1 ? n : NULL;
    return NULL;
}

static const fv_node *find(const fv_plan *p, const fv_node *n) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    if (!caps->shuffle || caps->subgroup < 4 || caps->subgroup > 64 || !is_doubling(p, n))
        return NULL;
    const fv_node *concat = sole_concat(p, n->out[0]), *conv = concat ? fv_joint_reader(p, concat) : NULL;
    if (!conv || !is_pointwise(p, conv))
        return NULL;
    const fv_tensor *beside = fv_plan_tensor(p, concat->in[concat->in[0] == n->out[0]]);
    return beside->dim[1] % 4 == 0 && !beside->data ? concat : NULL;
}

static void lower(fv_plan *p, const fv_node *resize, const fv_node *concat) {
    bool first = concat->in[0] == resize->out[0];
    fv_near *near = FV_ARENA_NEW(p->arena, fv_near, 1);
    *near = (fv_near){.half = resize->in[0], .whole = concat->in[first], .half_first = first};
    p->place[concat->out[0]].near = near;
}

const fv_joint fv_joint_near = {find, lower};

bool fv_near_is_read_in_place(const fv_plan *p, const fv_node *concat) {
    for (const fv_node *n = p->graph->node; n < concat; n++)
        if (n->n_out == 1 && (n->out[0] == concat->in[0] || n->out[0] == concat->in[1]) && find(p, n) == concat)
            return true;
    return false;
}
