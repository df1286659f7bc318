#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "shaders/push.h"

enum { LOCAL = 64, SOFTMAX_DIMS = 4, FEW_VECTORS = 8 };

// ---- Softmax ---------------------------------------------------------------------------------------

static bool fits_softmax(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_softmax_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    return x->n_dims <= SOFTMAX_DIMS + 1 && x->n_dims > 0 && a->kind < 2 && (!a->flat || a->axis == x->n_dims - 1);
}

// Lines of whole vectors, one element after the other.
static bool in_vectors(const fv_view *v, int axis) {
    bool ok = v->at % 4 == 0 && v->stride[axis] == 1 && v->dim[axis] % 4 == 0 && v->space != FV_SPACE_UPLOAD;
    for (int d = 0; d < v->n_dims; d++)
        ok = ok && (d == axis || v->dim[d] == 1 || v->stride[d] % 4 == 0);
    return ok;
}

// The expected value behind it is a convolution (distribution focal loss, https://arxiv.org/abs/2006.04388).
static bool is_convolved(const fv_plan *p, const fv_node *n) {
    const fv_node *reader = fv_joint_reader(p, n);
    return reader && !strcmp(fv_node_op(reader), "Conv");
}

static void lower_softmax(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_softmax_attr *a = n->attr;
    const fv_view *any = fv_plan_any(p, n->in[0]);
    if (!any)
        return;
    bool lines = a->axis == 1 && in_vectors(any, 1) && is_convolved(p, n);
    bool pixels = (p->place[n->out[0]].natural_pixels || lines) && any->dim[1] % 4 == 0;
    fv_view from = *any, to = pixels ? fv_plan_make_pixels(p, n->out[0]) : fv_plan_make_dense(p, n->out[0]);
    fv_push_softmax push = {.in_at = (uint32_t)from.at, .out_at = (uint32_t)to.at, .n = (uint32_t)from.dim[a->axis],
                            .count = (uint32_t)(fv_view_count(&from) / from.dim[a->axis]),
                            .in_stride = (int32_t)from.stride[a->axis], .out_stride = (int32_t)to.stride[a->axis]};
    for (int d = from.n_dims - 1, k = SOFTMAX_DIMS - 1; k >= 0; d--) {
        if (d == a->axis)
            continue;
        push.dim[k] = d >= 0 ? (uint32_t)from.dim[d] : 1;
        push.in_dim_stride[k] = d >= 0 ? (int32_t)from.stride[d] : 0;
        push.out_dim_stride[k--] = d >= 0 ? (int32_t)to.stride[d] : 0;
    }
    bool vectors = in_vectors(&from, a->axis) && in_vectors(&to, a->axis);
    uint32_t spec[] = {from.space, a->kind == 1, vectors, vectors && push.n <= 4 * FEW_VECTORS ? push.n / 4 : 0};
    fv_step *s = fv_plan_dispatch(p, n, "softmax", spec, 4, &push, sizeof push, push.count, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_softmax, in_at), 4);
    fv_step_writes(s, &to, offsetof(fv_push_softmax, out_at), 4);
}

// ---- Reduce* ---------------------------------------------------------------------------------------

static bool fits_reduce(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return fv_plan_tensor(p, n->in[0])->n_dims <= FV_REDUCE_DIMS;
}

// Channels in fours, one beside the other, that are kept, and enough of them for all lanes of a workgroup.
static bool is_by_fours(const fv_view *v, uint32_t axes) {
    bool ok = v->n_dims > 1 && !(axes & 2) && v->space != FV_SPACE_UPLOAD && v->at % 4 == 0 && v->dim[1] % 4 == 0 &&
              v->stride[1] == 1;
    int64_t lanes = 1;
    for (int d = 0; d < v->n_dims; d++) {
        ok = ok && (d == 1 || v->dim[d] == 1 || v->stride[d] % 4 == 0);
        lanes *= axes >> d & 1 ? 1 : v->dim[d];
    }
    return ok && lanes >= 4 * LOCAL;
}

// The dimensions that are kept, channels that go by fours last so that lanes read one beside the other; then the others.
static int order_dims(const fv_view *v, uint32_t axes, bool fours, int order[FV_REDUCE_DIMS]) {
    int n = 0, n_kept;
    for (int d = 0; d < v->n_dims; d++)
        if (!(axes >> d & 1) && !(fours && d == 1))
            order[n++] = d;
    if (fours)
        order[n++] = 1;
    n_kept = n;
    for (int d = 0; d < v->n_dims; d++)
        if (axes >> d & 1)
            order[n++] = d;
    return n_kept;
}

static void lower_reduce(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_reduce_attr *a = n->attr;
    const fv_view *any = fv_plan_any(p, n->in[0]);
    if (!any)
        return;
    fv_view from = *any, to = fv_plan_make_dense(p, n->out[0]);
    fv_push_reduce push = {.in_at = (uint32_t)from.at, .out_at = (uint32_t)to.at, .count = 1, .n_reduced_elements = 1};
    bool fours = is_by_fours(&from, a->axes);
    int order[FV_REDUCE_DIMS], n_kept = order_dims(&from, a->axes, fours, order);
    int64_t out_stride[FV_MAX_DIMS], stride = 1;
    for (int d = from.n_dims - 1; d >= 0; d--) {
        out_stride[d] = stride;
        stride *= a->axes >> d & 1 ? 1 : from.dim[d];
    }
    for (int k = 0; k < from.n_dims; k++) {
        int d = order[k], by = fours && d == 1 ? 4 : 1;
        push.dim[k] = (uint32_t)(from.dim[d] / by);
        push.in_stride[k] = (int32_t)from.stride[d] * by;
        push.out_stride[k] = k < n_kept ? (int32_t)out_stride[d] * by : 0;
        *(k < n_kept ? &push.count : &push.n_reduced_elements) *= push.dim[k];
    }
    push.scale = 1.0f / (float)push.n_reduced_elements;
    push.channel_stride = fours ? (int32_t)out_stride[1] : 0;
    fv_step *s = fv_plan_dispatch(p, n, fours ? "reduce_vector" : "reduce",
                                  (uint32_t[]){a->kind, from.space, (uint32_t)n_kept, (uint32_t)from.n_dims}, 4, &push,
                                  sizeof push, push.count, LOCAL);
    fv_step_reads(s, &from, offsetof(fv_push_reduce, in_at), 4);
    fv_step_writes(s, &to, offsetof(fv_push_reduce, out_at), 4);
}

const fv_lowering fv_lower_reduce_rows[] = {
    {"Softmax", 0, fits_softmax, lower_softmax},
    {"LogSoftmax", 0, fits_softmax, lower_softmax},
    {"ReduceSum", 0, fits_reduce, lower_reduce},
    {"ReduceMean", 0, fits_reduce, lower_reduce},
    {"ReduceMax", 0, fits_reduce, lower_reduce},
    {"ReduceMin", 0, fits_reduce, lower_reduce},
    {"ReduceProd", 0, fits_reduce, lower_reduce},
    {"ReduceL1", 0, fits_reduce, lower_reduce},
    {"ReduceL2", 0, fits_reduce, lower_reduce},
    {"ReduceLogSum", 0, fits_reduce, lower_reduce},
    {"ReduceLogSumExp", 0, fits_reduce, lower_reduce},
    {"ReduceSumSquare", 0, fits_reduce, lower_reduce},
    {0},
};
