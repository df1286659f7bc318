#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/graph/activation.h"
#include "pipeline/graph/ops.h"
#include "shaders/act.h"
#include "shaders/eltwise.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

_Static_assert(ACT_SILU == (int)FV_ACT_SILU && ACT_THRESHOLDED == (int)FV_ACT_THRESHOLDED &&
                   ACT_SOFTPLUS == (int)FV_ACT_SOFTPLUS && FV_N_ACTS == ACT_THRESHOLDED + 1,
               "shaders/act.h and graph/activation.h number the activations alike");

// What is computed: unary(binary(a, b)); b < 0 for unary functions.
typedef struct {
    const fv_node *node;
    uint32_t binary, unary;
    float alpha, beta;
    int a, b, out;
} work;

// ---- four channels at a time -----------------------------------------------------------------------

// How an operand runs along with the output's pixels: the same pixels, or repeated over some of them.
static bool vec4_operand(const fv_view *v, const fv_pixel_view *out, const fv_tensor *shape, fv_push_operand *o,
                         bool *splat) {
    int64_t stride[FV_MAX_DIMS], pixel = 0, run = 1, item = 0;
    fv_view b = fv_view_broadcast(v, shape->n_dims, shape->dim);
    int last = shape->n_dims - 1;
    if (v->space == FV_SPACE_UPLOAD || v->at % 4)
        return false;
    memcpy(stride, b.stride, sizeof stride);
    for (int d = last; d >= 2; d--) { // pixels of one image: one stride for all
        if (shape->dim[d] == 1)
            continue;
        if (run == 1)
            pixel = stride[d];
        else if (stride[d] != pixel * run)
            return false;
        run *= shape->dim[d];
    }
    if (shape->dim[0] > 1)
        item = stride[0] - pixel * run; // the pixel count goes on over images
    bool channels = shape->dim[1] > 1;
    *splat = channels && stride[1] == 0;
    bool padded = v->padded || shape->dim[1] % 4 == 0 || *splat || v->space == FV_SPACE_WEIGHTS;
    if ((channels && stride[1] != 0 && stride[1] != 1) || pixel % 4 || item % 4 || !padded || out->c != shape->dim[1])
        return false;
    *o = (fv_push_operand){(uint32_t)(v->at / 4), (int32_t)(pixel / 4), (int32_t)(item / 4), *splat ? 0 : 1};
    return true;
}

// Some view of the tensor that can be read four channels at a time.
static const fv_view *vec4_view(fv_plan *p, int tensor, const fv_pixel_view *out, const fv_tensor *shape,
                                fv_push_operand *o, bool *splat) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    if (!fv_plan_any(p, tensor))
        return NULL;
    for (int i = 0; i < p->place[tensor].n_views; i++)
        if (vec4_operand(&p->place[tensor].view[i], out, shape, o, splat))
            return &p->place[tensor].view[i];
    if (t->n_dims != shape->n_dims || memcmp(t->dim, shape->dim, (size_t)t->n_dims * sizeof *t->dim))
        return NULL;
    const fv_view *v = fv_plan_pixels(p, tensor);
    return v && vec4_operand(v, out, shape, o, splat) ? v : NULL;
}

static bool lower_pixels(fv_plan *p, const work *w) {
    const fv_tensor *t = fv_plan_tensor(p, w->out);
    fv_pixel_view out, probe = {.c = t->dim[1]};
    fv_push_eltwise4 push = {.alpha = w->alpha, .beta = w->beta};
    bool splat_a, splat_b = false;
    const fv_view *v = vec4_view(p, w->a, &probe, t, &push.a, &splat_a);
    if (!v)
        return false;
    fv_view a = *v, b = a;
    if (w->b >= 0) {
        v = vec4_view(p, w->b, &probe, t, &push.b, &splat_b);
        if (!v)
            return false;
        b = *v;
    }
    fv_view to = fv_plan_make_pixels(p, w->out);
    fv_view_as_pixels(&to, &out);
    push.out_at4 = (uint32_t)out.at4, push.out_pitch4 = (uint32_t)out.pitch4;
    push.n_pixels = (uint32_t)out.n_pixels, push.c4 = (uint32_t)out.c4, push.c = (uint32_t)out.c;
    push.item_pixels = (uint32_t)(out.h * out.w);
    uint32_t spec[] = {w->binary, w->unary, a.space, b.space, splat_a, splat_b, out.c % 4 != 0};
    fv_step *s = fv_plan_dispatch(p, w->node, "eltwise4", spec, 7, &push, sizeof push, out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &a, offsetof(fv_push_eltwise4, a.at4), 16);
    if (w->b >= 0)
        fv_step_reads(s, &b, offsetof(fv_push_eltwise4, b.at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_eltwise4, out_at4), 16);
    return true;
}

// ---- one at a time ---------------------------------------------------------------------------------

static void lower_any(fv_plan *p, const work *w) {
    const fv_tensor *t = fv_plan_tensor(p, w->out);
    const fv_view *va = fv_plan_any(p, w->a);
    if (!va)
        return;
    fv_view a = *va;
    const fv_view *vb = w->b >= 0 ? fv_plan_any(p, w->b) : va;
    if (!vb)
        return;
    fv_view b = *vb, to = fv_plan_make_dense(p, w->out);
    fv_view wide_a = fv_view_broadcast(&a, t->n_dims, t->dim);
    fv_view wide_b = w->b >= 0 ? fv_view_broadcast(&b, t->n_dims, t->dim) : wide_a;
    int64_t dim[FV_MAX_DIMS], stride[3][FV_MAX_DIMS];
    int n_dims = fv_views_collapse((const fv_view *[]){&wide_a, &wide_b, &to}, 3, NULL, dim, stride);
    if (n_dims > FV_ELTWISE_DIMS) {
        fv_plan_fail(p, FV_UNSUPPORTED, "node '%s': more than %d dimensions to broadcast", w->node->name, FV_ELTWISE_DIMS);
        return;
    }
    fv_push_eltwise1 push = {.a_at = (uint32_t)a.at, .b_at = (uint32_t)b.at, .out_at = (uint32_t)to.at,
                             .count = (uint32_t)fv_view_count(&to), .alpha = w->alpha, .beta = w->beta};
    for (int d = 0, shift = FV_ELTWISE_DIMS - n_dims; d < n_dims; d++) {
        push.dim[shift + d] = (uint32_t)dim[d];
        push.a_stride[shift + d] = (int32_t)stride[0][d];
        push.b_stride[shift + d] = (int32_t)stride[1][d];
        push.out_stride[shift + d] = (int32_t)stride[2][d];
    }
    uint32_t spec[] = {w->binary, w->unary, a.space, b.space, (uint32_t)n_dims};
    fv_step *s = fv_plan_dispatch(p, w->node, "eltwise1", spec, 5, &push, sizeof push, push.count, LOCAL);
    fv_step_reads(s, &a, offsetof(fv_push_eltwise1, a_at), 4);
    if (w->b >= 0)
        fv_step_reads(s, &b, offsetof(fv_push_eltwise1, b_at), 4);
    fv_step_writes(s, &to, offsetof(fv_push_eltwise1, out_at), 4);
}

static void lower_work(fv_plan *p, const work *w) {
    fv_pixel_view v;
    const fv_tensor *out = fv_plan_tensor(p, w->out);
    bool pixels = out->n_dims >= 3 && (fv_plan_has_pixels(p, w->a, &v) || (w->b >= 0 && fv_plan_has_pixels(p, w->b, &v)) ||
                                       (p->place[w->out].has_home && p->place[w->out].natural_pixels));
    if (!pixels || !lower_pixels(p, w))
        lower_any(p, w);
}

void fv_lower_unary(fv_plan *p, const fv_node *n, int in, int out, uint32_t unary, float alpha, float beta) {
    lower_work(p, &(work){n, BINARY_NONE, unary, alpha, beta, in, -1, out});
}

// ---- rows ------------------------------------------------------------------------------------------

static bool fits_rank(const fv_plan *p, const fv_node *n) {
    return fv_plan_tensor(p, n->out[0])->n_dims <= FV_ELTWISE_DIMS;
}

static bool fits_activation(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return n->attr && !((const fv_activation *)n->attr)->computed && fits_rank(p, n);
}

static void lower_activation(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_activation *a = n->attr;
    fv_lower_unary(p, n, n->in[0], n->out[0], a->kind, a->alpha, a->beta);
}

static bool fits_unary(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    return fits_rank(p, n);
}

static void lower_unary_row(fv_plan *p, const fv_node *n, uint32_t kind) {
    fv_lower_unary(p, n, n->in[0], n->out[0], kind, 1, 0);
}

// By NumPy's rules; PRelu also knows slopes per channel without trailing ones, which the host does.
static bool broadcasts(const fv_tensor *from, const fv_tensor *to) {
    for (int d = 1; d <= from->n_dims; d++)
        if (d > to->n_dims || (from->dim[from->n_dims - d] != 1 && from->dim[from->n_dims - d] != to->dim[to->n_dims - d]))
            return false;
    return true;
}

static bool fits_binary(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] < 0 || fv_plan_tensor(p, n->in[i])->dtype != FV_F32 ||
            !broadcasts(fv_plan_tensor(p, n->in[i]), fv_plan_tensor(p, n->out[0])))
            return false;
    return n->n_in == 2 && fits_rank(p, n);
}

static void lower_binary(fv_plan *p, const fv_node *n, uint32_t kind) {
    lower_work(p, &(work){n, kind, ACT_NONE, 0, 0, n->in[0], n->in[1], n->out[0]});
}

const fv_lowering fv_lower_eltwise_rows[] = {
    {"Relu", 0, fits_activation, lower_activation},
    {"LeakyRelu", 0, fits_activation, lower_activation},
    {"Clip", 0, fits_activation, lower_activation},
    {"Sigmoid", 0, fits_activation, lower_activation},
    {"Silu", 0, fits_activation, lower_activation},
    {"Swish", 0, fits_activation, lower_activation},
    {"HardSigmoid", 0, fits_activation, lower_activation},
    {"HardSwish", 0, fits_activation, lower_activation},
    {"Mish", 0, fits_activation, lower_activation},
    {"Tanh", 0, fits_activation, lower_activation},
    {"Elu", 0, fits_activation, lower_activation},
    {"Selu", 0, fits_activation, lower_activation},
    {"Celu", 0, fits_activation, lower_activation},
    {"Softplus", 0, fits_activation, lower_activation},
    {"Softsign", 0, fits_activation, lower_activation},
    {"Gelu", 0, fits_activation, lower_activation},
    {"ThresholdedRelu", 0, fits_activation, lower_activation},
    {"Exp", UNARY_EXP, fits_unary, lower_unary_row},
    {"Log", UNARY_LOG, fits_unary, lower_unary_row},
    {"Sqrt", UNARY_SQRT, fits_unary, lower_unary_row},
    {"Abs", UNARY_ABS, fits_unary, lower_unary_row},
    {"Neg", UNARY_NEG, fits_unary, lower_unary_row},
    {"Floor", UNARY_FLOOR, fits_unary, lower_unary_row},
    {"Ceil", UNARY_CEIL, fits_unary, lower_unary_row},
    {"Round", UNARY_ROUND, fits_unary, lower_unary_row},
    {"Reciprocal", UNARY_RECIPROCAL, fits_unary, lower_unary_row},
    {"Sin", UNARY_SIN, fits_unary, lower_unary_row},
    {"Cos", UNARY_COS, fits_unary, lower_unary_row},
    {"Erf", UNARY_ERF, fits_unary, lower_unary_row},
    {"Sign", UNARY_SIGN, fits_unary, lower_unary_row},
    {"Add", BINARY_ADD, fits_binary, lower_binary},
    {"Sub", BINARY_SUB, fits_binary, lower_binary},
    {"Mul", BINARY_MUL, fits_binary, lower_binary},
    {"Div", BINARY_DIV, fits_binary, lower_binary},
    {"Pow", BINARY_POW, fits_binary, lower_binary},
    {"Min", BINARY_MIN, fits_binary, lower_binary},
    {"Max", BINARY_MAX, fits_binary, lower_binary},
    {"Sum", BINARY_ADD, fits_binary, lower_binary},
    {"PRelu", BINARY_PRELU, fits_binary, lower_binary},
    {0},
};
