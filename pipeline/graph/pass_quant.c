// Quantised graphs in float32: whole numbers below 2^24 are exact there, so what lies between a
// quantisation and the float that is made of it again is carried as float32 and runs where floats run.
// First it is told which tensors of whole numbers every neighbour can carry so; then each op that makes
// or reads them becomes its float steps. What the graph takes or gives in whole numbers stays as it is.
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/passes.h"

enum { MOST_NODES = 20, MOST_TENSORS = 22 };

// ---- which tensors ------------------------------------------------------------------------------

// Ports of a product: x, w, zero points, scales, bias; 99: it has none.
typedef struct {
    int w, x_zero, w_zero, x_scale, w_scale, y_scale, y_zero, bias;
} ports;

// Ops that can carry whole numbers as floats. `consts`: bits of inputs that must be constant.
typedef struct quant_row {
    const char *op;
    unsigned consts;
    ports at;
    int (*make)(fv_passes *p, const fv_node *n, const struct quant_row *row, fv_node *to); // NULL: as it is
} quant_row;

static bool whole(const fv_tensor *t) {
    return !t->data && (t->dtype == FV_U8 || t->dtype == FV_I8 || t->dtype == FV_U16 || t->dtype == FV_I16 ||
                        t->dtype == FV_I32);
}

static int64_t length(const fv_passes *p, const fv_node *n, int k) {
    return k < n->n_in && n->in[k] >= 0 ? fv_tensor_count(&p->g->tensor[n->in[k]]) : 1;
}

static double value_at(const fv_passes *p, const fv_node *n, int k, int64_t i, double def) {
    return k < n->n_in && n->in[k] >= 0 ? fv_element_get(&p->g->tensor[n->in[k]], i) : def;
}

static bool node_fits(const fv_passes *p, const fv_node *n, const quant_row *row) {
    const fv_tensor *t = p->g->tensor;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0 && (row->consts >> k & 1) && !t[n->in[k]].data)
            return false;
    if (t[n->in[0]].data || !fv_tensor_count(&t[n->in[0]]) || n->out[0] < 0)
        return false;
    if (fv_node_is(n, "DynamicQuantizeLinear")) // its scale is not quite that of the op: see make_dynamic
        return n->n_out < 2 || n->out[1] < 0 || !p->kept[n->out[1]];
    bool linear = fv_node_is(n, "QuantizeLinear") || fv_node_is(n, "DequantizeLinear");
    if (linear && (t[n->in[1]].n_dims > 1 || ((const fv_quant_attr *)n->attr)->block))
        return false;
    if (fv_node_is(n, "QuantizeLinear"))
        return t[n->in[0]].dtype == FV_F32 && t[n->in[1]].dtype == FV_F32 && length(p, n, 2) == 1 &&
               t[n->out[0]].dtype != FV_I32;
    if (fv_node_is(n, "DequantizeLinear"))
        return t[n->in[1]].dtype == FV_F32 && length(p, n, 2) == 1;
    if (fv_node_is(n, "Cast"))
        return t[n->out[0]].dtype == FV_F32;
    if (fv_node_is(n, "MatMulInteger") || fv_node_is(n, "QLinearMatMul"))
        return t[n->in[row->at.w]].n_dims == 2;
    if (fv_node_is(n, "Concat"))
        for (int k = 0; k < n->n_in; k++)
            if (t[n->in[k]].data)
                return false;
    return true;
}

static int make_quantize(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to);
static int make_dequantize(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to);
static int make_dynamic(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to);
static int make_product(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to);

static const quant_row *row_of(const fv_node *n) {
    static const quant_row rows[] = {
        {"QuantizeLinear", 6, {0}, make_quantize},
        {"DequantizeLinear", 6, {0}, make_dequantize},
        {"DynamicQuantizeLinear", 0, {0}, make_dynamic},
        {"ConvInteger", 2 | 8, {1, 2, 3, 99, 99, 99, 99, 99}, make_product},
        {"MatMulInteger", 2 | 8, {1, 2, 3, 99, 99, 99, 99, 99}, make_product},
        {"QLinearConv", 0x1fe, {3, 2, 5, 1, 4, 6, 7, 8}, make_product},
        {"QLinearMatMul", 0xfe, {3, 2, 5, 1, 4, 6, 7, 99}, make_product},
        {"Cast", 0, {0}, NULL},       {"Identity", 0, {0}, NULL},  {"Reshape", 2, {0}, NULL},
        {"Transpose", 0, {0}, NULL},  {"Flatten", 0, {0}, NULL},   {"Squeeze", 2, {0}, NULL},
        {"Unsqueeze", 2, {0}, NULL},  {"Concat", 0, {0}, NULL},    {"Slice", 0x1e, {0}, NULL},
        {"Split", 2, {0}, NULL},      {"MaxPool", 0, {0}, NULL},   {"Gather", 2, {0}, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (fv_node_is(n, rows[i].op))
            return &rows[i];
    return NULL;
}

// All tensors of whole numbers of a node are carried.
static bool all_carried(const fv_passes *p, const fv_node *n, const bool *carried) {
    const fv_tensor *t = p->g->tensor;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0 && whole(&t[n->in[k]]) && !carried[n->in[k]])
            return false;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0 && whole(&t[n->out[k]]) && !carried[n->out[k]])
            return false;
    return true;
}

static bool uncarry(const fv_passes *p, const fv_node *n, bool *carried) {
    bool changed = false;
    for (int k = 0; k < n->n_in + n->n_out; k++) {
        int t = k < n->n_in ? n->in[k] : n->out[k - n->n_in];
        if (t >= 0 && whole(&p->g->tensor[t]) && carried[t])
            carried[t] = false, changed = true;
    }
    return changed;
}

static void settle(const fv_passes *p, bool *carried) {
    const fv_graph *g = p->g;
    for (int t = 0; t < g->n_tensors; t++)
        carried[t] = whole(&g->tensor[t]) && !p->kept[t] && p->producer[t] >= 0;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < g->n_nodes; i++) {
            const quant_row *row = row_of(&g->node[i]);
            if (!row || !node_fits(p, &g->node[i], row) || !all_carried(p, &g->node[i], carried))
                changed |= uncarry(p, &g->node[i], carried);
        }
    }
}

// ---- the float steps ----------------------------------------------------------------------------

typedef struct {
    fv_passes *p;
    const fv_node *n;
    fv_node *to;
    int k;
} maker;

// A node of x and y (-1: none) that makes `out`; -1: a new tensor like x.
static int add(maker *m, const char *op, int x, int y, int out, const void *attr, size_t size) {
    if (out < 0) {
        fv_tensor t = m->p->g->tensor[x];
        out = fv_pass_add_tensor(m->p, &t);
        m->p->g->tensor[out].data = NULL;
    }
    fv_node *made = &m->to[m->k++];
    *made = fv_pass_make_node(m->p, m->n, op, x, out, attr, size);
    if (y >= 0) {
        made->n_in = 2;
        made->in = fv_arena_memdup(m->p->g->arena, (int[]){x, y}, 2 * sizeof(int));
    }
    return out;
}

static int pair(maker *m, const char *op, int x, int y, int out) {
    return add(m, op, x, y, out, &(fv_pair_attr){.kind = fv_op_find(op)->variant, .axis = -1}, sizeof(fv_pair_attr));
}

static int act(maker *m, const char *op, fv_activation a, int x, int out) {
    return add(m, op, x, -1, out, &a, sizeof a);
}

static int scalar(maker *m, int named, float v) {
    int t = fv_pass_add_constant(m->p, named, 0, NULL);
    *(float *)m->p->g->tensor[t].data = v;
    return t;
}

// The values of a constant input along dimension `axis` of what has `n_dims`.
static int along(maker *m, int in, int axis, int n_dims) {
    int64_t dim[FV_MAX_DIMS] = {length(m->p, m->n, in)};
    int n = dim[0] == 1 ? 0 : n_dims - axis;
    for (int d = 1; d < n; d++)
        dim[d] = 1;
    int t = fv_pass_add_constant(m->p, m->n->in[in], n, dim);
    for (int64_t i = 0; i < dim[0]; i++)
        ((float *)m->p->g->tensor[t].data)[i] = (float)value_at(m->p, m->n, in, i, 0);
    return t;
}

// What is to be rounded to whole numbers of `dtype` with this zero point: t to `out`.
static void quantize(maker *m, int t, double zero, fv_dtype dtype, int out) {
    bool is_signed = dtype == FV_I8 || dtype == FV_I16;
    double span = dtype == FV_I8 || dtype == FV_U8 ? 256 : 65536, lo = is_signed ? -span / 2 : 0;
    fv_activation clip = {.kind = FV_ACT_CLIP, .alpha = (float)(lo - zero), .beta = (float)(lo + span - 1 - zero)};
    t = act(m, "Clip", clip, t, -1);
    t = add(m, "Round", t, -1, zero != 0 ? -1 : out, NULL, 0);
    if (zero != 0)
        pair(m, "Add", t, scalar(m, out, (float)zero), out);
}

static int make_quantize(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to) {
    (void)row;
    maker m = {.p = p, .n = n, .to = to};
    const fv_quant_attr *a = n->attr;
    int t = n->in[0];
    if (length(p, n, 1) != 1 || value_at(p, n, 1, 0, 1) != 1)
        t = pair(&m, "Div", t, along(&m, 1, a->axis, p->g->tensor[t].n_dims), -1);
    fv_dtype dtype = n->n_in > 2 && n->in[2] >= 0 ? p->g->tensor[n->in[2]].dtype : a->dtype;
    quantize(&m, t, value_at(p, n, 2, 0, 0), dtype, n->out[0]);
    return m.k;
}

static int make_dequantize(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to) {
    (void)row;
    maker m = {.p = p, .n = n, .to = to};
    const fv_quant_attr *a = n->attr;
    double zero = value_at(p, n, 2, 0, 0);
    int x = n->in[0];
    if (zero != 0)
        x = pair(&m, "Sub", x, scalar(&m, x, (float)zero), -1);
    pair(&m, "Mul", x, along(&m, 1, a->axis, p->g->tensor[n->in[0]].n_dims), n->out[0]);
    return m.k;
}

// The least or greatest of x, one dimension after the other, so that many lanes have work.
static int extreme(maker *m, const char *op, int x) {
    const fv_tensor like = m->p->g->tensor[x];
    fv_reduce_attr a = {.kind = (fv_reduce_kind)fv_op_find(op)->variant, .keep_dims = 1};
    for (int d = like.n_dims - 1; d > 0 && d >= like.n_dims - 2; d--) {
        a.axes = 1u << d;
        x = add(m, op, x, -1, -1, &a, sizeof a);
        m->p->g->tensor[x].dim[d] = 1;
    }
    a = (fv_reduce_attr){.kind = a.kind, .axes = (1u << like.n_dims) - 1};
    x = add(m, op, x, -1, -1, &a, sizeof a);
    m->p->g->tensor[x].n_dims = 0;
    return x;
}

// scale = (max(x, 0) - min(x, 0)) / 255; zero = round(-min(x, 0) / scale). Of a tensor of zeros the scale is
// next to nothing, not 1: all it is multiplied with is 0.
static int make_dynamic(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to) {
    (void)row;
    maker m = {.p = p, .n = n, .to = to};
    const fv_activation relu = {.kind = FV_ACT_RELU}, byte = {.kind = FV_ACT_CLIP, .alpha = 0, .beta = 255};
    int x = n->in[0], scale = n->n_out > 1 ? n->out[1] : -1, zero = n->n_out > 2 ? n->out[2] : -1;
    int above = act(&m, "Relu", relu, extreme(&m, "ReduceMax", x), -1);
    int below = act(&m, "Relu", relu, add(&m, "Neg", extreme(&m, "ReduceMin", x), -1, -1, NULL, 0), -1);
    int span = pair(&m, "Div", pair(&m, "Add", above, below, -1), scalar(&m, x, 255), -1);
    scale = pair(&m, "Max", span, scalar(&m, x, 1e-30f), scale);
    zero = act(&m, "Clip", byte, add(&m, "Round", pair(&m, "Div", below, scale, -1), -1, -1, NULL, 0), zero);
    int rounded = add(&m, "Round", pair(&m, "Div", x, scale, -1), -1, -1, NULL, 0);
    act(&m, "Clip", byte, pair(&m, "Add", rounded, zero, -1), n->out[0]);
    return m.k;
}

// w less its zero points, as float; `last`: one a column, else one a row.
static int weights(maker *m, const ports *at, bool last) {
    const fv_tensor *w = &m->p->g->tensor[m->n->in[at->w]];
    int64_t count = fv_tensor_count(w), inner = last ? 1 : fv_dims_product(w, 1, w->n_dims);
    int64_t zeros = length(m->p, m->n, at->w_zero);
    int made = fv_pass_add_constant(m->p, m->n->in[at->w], w->n_dims, w->dim);
    w = &m->p->g->tensor[m->n->in[at->w]];
    for (int64_t i = 0; i < count; i++)
        ((float *)m->p->g->tensor[made].data)[i] =
            (float)(fv_element_get(w, i) - value_at(m->p, m->n, at->w_zero, i / inner % zeros, 0));
    return made;
}

// x_scale w_scale / y_scale, one for all or one a channel.
static int factors(maker *m, const ports *at, int rank) {
    int64_t dim[FV_MAX_DIMS] = {length(m->p, m->n, at->w_scale)};
    for (int d = 1; d < rank; d++)
        dim[d] = 1;
    int made = fv_pass_add_constant(m->p, m->n->in[at->w_scale], dim[0] == 1 ? 0 : rank, dim);
    for (int64_t i = 0; i < dim[0]; i++)
        ((float *)m->p->g->tensor[made].data)[i] = (float)value_at(m->p, m->n, at->x_scale, 0, 1) *
                                                   (float)value_at(m->p, m->n, at->w_scale, i, 1) /
                                                   (float)value_at(m->p, m->n, at->y_scale, 0, 1);
    return made;
}

static int make_product(fv_passes *p, const fv_node *n, const quant_row *row, fv_node *to) {
    maker m = {.p = p, .n = n, .to = to};
    const ports *at = &row->at;
    bool conv = fv_node_is(n, "ConvInteger") || fv_node_is(n, "QLinearConv"), scaled = at->y_scale < n->n_in;
    int x = n->in[0], zero = at->x_zero < n->n_in ? n->in[at->x_zero] : -1;
    if (zero >= 0 && p->g->tensor[zero].data)
        zero = value_at(p, n, at->x_zero, 0, 0) != 0 ? scalar(&m, x, (float)value_at(p, n, at->x_zero, 0, 0)) : -1;
    if (zero >= 0)
        x = pair(&m, "Sub", x, zero, -1);
    const fv_tensor like = p->g->tensor[n->out[0]];
    int w = weights(&m, at, !conv), sum = n->out[0], rank = like.n_dims;
    if (scaled)
        sum = fv_pass_add_tensor(p, &like);
    add(&m, conv ? "Conv" : "MatMul", x, w, sum, conv ? n->attr : NULL, conv ? sizeof(fv_conv_attr) : 0);
    if (at->bias < n->n_in && n->in[at->bias] >= 0) {
        int bias = along(&m, at->bias, 0, 1);
        p->g->tensor[bias].n_dims = 1, p->g->tensor[bias].dim[0] = length(p, n, at->bias);
        fv_node *made = &m.to[m.k - 1];
        made->n_in = 3;
        made->in = fv_arena_memdup(p->g->arena, (int[]){x, w, bias}, 3 * sizeof(int));
    }
    if (!scaled)
        return m.k;
    int y = pair(&m, "Mul", sum, factors(&m, at, conv ? rank - 1 : 1), -1);
    quantize(&m, y, value_at(p, n, at->y_zero, 0, 0), p->g->tensor[n->in[at->y_zero]].dtype, n->out[0]);
    return m.k;
}

// ---- the pass -----------------------------------------------------------------------------------

// After the tensors that are carried have become float32: the ops that have none left of whole numbers.
static int replace(fv_passes *p, const fv_node *n, fv_node *to) {
    const quant_row *row = row_of(n);
    if (!row || !row->make || !node_fits(p, n, row))
        return 0;
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0 && whole(&p->g->tensor[n->in[k]]))
            return 0;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0 && whole(&p->g->tensor[n->out[k]]))
            return 0;
    return row->make(p, n, row, to);
}

static int count(const fv_graph *g) {
    int quantised = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        const quant_row *row = row_of(&g->node[i]);
        quantised += row && row->make;
    }
    return quantised;
}

int fv_pass_quant_room(const fv_graph *g) {
    return MOST_TENSORS * count(g);
}

int fv_pass_quant(fv_passes *p) {
    fv_graph *g = p->g;
    int room = fv_pass_quant_room(g), changes = 0;
    bool *carried = room && room <= p->tensor_room ? malloc((size_t)g->n_tensors + 1) : NULL;
    if (carried) {
        settle(p, carried);
        for (int t = 0; t < g->n_tensors; t++)
            if (carried[t])
                g->tensor[t].dtype = FV_F32;
        changes = fv_pass_replace(p, MOST_NODES, replace);
    }
    free(carried);
    return changes;
}
