#include "pipeline/infer/lower.h"

#include <stddef.h>

#include "pipeline/graph/op_math.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

// Operands as views with the axes [batch0, batch1, rows, columns].
typedef struct {
    fv_view a, b, c, out;
    bool add;
    float alpha, beta;
} product;

static void emit(fv_plan *p, const fv_node *n, const product *m) {
    const int64_t *a = m->a.stride, *b = m->b.stride, *c = m->c.stride, *o = m->out.stride, *dim = m->out.dim;
    fv_push_matmul push = {
        .a_at = (uint32_t)m->a.at, .b_at = (uint32_t)m->b.at, .c_at = (uint32_t)m->c.at, .out_at = (uint32_t)m->out.at,
        .batch0 = (uint32_t)dim[0], .batch1 = (uint32_t)dim[1], .m = (uint32_t)dim[2], .n = (uint32_t)dim[3],
        .k = (uint32_t)m->a.dim[3],
        .a_b0 = (int32_t)a[0], .a_b1 = (int32_t)a[1], .a_m = (int32_t)a[2], .a_k = (int32_t)a[3],
        .b_b0 = (int32_t)b[0], .b_b1 = (int32_t)b[1], .b_k = (int32_t)b[2], .b_n = (int32_t)b[3],
        .c_b0 = (int32_t)c[0], .c_b1 = (int32_t)c[1], .c_m = (int32_t)c[2], .c_n = (int32_t)c[3],
        .out_b0 = (int32_t)o[0], .out_b1 = (int32_t)o[1], .out_m = (int32_t)o[2], .out_n = (int32_t)o[3],
        .alpha = m->alpha, .beta = m->beta};
    uint32_t spec[] = {m->a.space, m->b.space, m->c.space, m->add};
    fv_step *s = fv_plan_dispatch(p, n, "matmul", spec, 4, &push, sizeof push, fv_view_count(&m->out), LOCAL);
    fv_step_reads(s, &m->a, offsetof(fv_push_matmul, a_at), 4);
    fv_step_reads(s, &m->b, offsetof(fv_push_matmul, b_at), 4);
    if (m->add)
        fv_step_reads(s, &m->c, offsetof(fv_push_matmul, c_at), 4);
    fv_step_writes(s, &m->out, offsetof(fv_push_matmul, out_at), 4);
    s->macs = (double)fv_node_macs(p->graph, n);
}

// ---- in tiles --------------------------------------------------------------------------------------

// Below this the copies that a tile may need, and its whole subgroup, do not pay.
enum { MIN_K = 8, MIN_SIDE = 8, ROWS = 4, COLUMNS = 16, MAX_Z = 65535 };

static bool tiles_fit(const fv_plan *p, const product *m) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    int64_t k = m->a.dim[3], batch = m->out.dim[0] * m->out.dim[1];
    return caps->shuffle && caps->subgroup >= 4 && caps->subgroup <= 64 && !m->add && m->alpha == 1 && k % 4 == 0 &&
           k >= MIN_K && m->out.dim[2] >= MIN_SIDE && m->out.dim[3] >= MIN_SIDE && batch <= MAX_Z;
}

// An operand [batch0, batch1, lines, k] whose lines are vectors; copied where they are not.
static fv_view lines(fv_plan *p, const fv_node *n, const fv_view *v) {
    bool ready = v->space == FV_SPACE_ACTIVATIONS && v->at % 4 == 0 && v->stride[3] == 1;
    for (int d = 0; d < 3; d++)
        ready = ready && (v->dim[d] == 1 || v->stride[d] % 4 == 0);
    if (ready)
        return *v;
    fv_view made = fv_plan_scratch(p, 4, v->dim, false);
    fv_plan_copy(p, n, v, &made, "to rows");
    return made;
}

static uint32_t batch_stride(const fv_view *v, int d) {
    return v->dim[d] > 1 ? (uint32_t)(v->stride[d] / 4) : 0;
}

static void emit_tiles(fv_plan *p, const fv_node *n, const product *m) {
    fv_view b_lines = fv_view_transpose(&m->b, (int[]){0, 1, 3, 2});
    fv_view a = lines(p, n, &m->a), b = lines(p, n, &b_lines);
    const int64_t *o = m->out.stride, *dim = m->out.dim;
    uint32_t lanes = fv_gpu_get_caps(p->gpu)->subgroup;
    fv_push_matmul_tile push = {
        .a_at4 = (uint32_t)(a.at / 4), .a_row4 = (uint32_t)(a.stride[2] / 4), .a_b0 = batch_stride(&a, 0),
        .a_b1 = batch_stride(&a, 1), .b_at4 = (uint32_t)(b.at / 4), .b_column4 = (uint32_t)(b.stride[2] / 4),
        .b_b0 = batch_stride(&b, 0), .b_b1 = batch_stride(&b, 1), .out_at = (uint32_t)m->out.at,
        .out_b0 = (uint32_t)o[0], .out_b1 = (uint32_t)o[1], .out_m = (uint32_t)o[2], .out_n = (uint32_t)o[3],
        .batch1 = (uint32_t)dim[1], .m = (uint32_t)dim[2], .n = (uint32_t)dim[3], .k4 = (uint32_t)(a.dim[3] / 4)};
    bool vectors = o[3] == 1 && dim[3] % 4 == 0 && m->out.at % 4 == 0;
    uint32_t spec[] = {lanes, lanes, ROWS, COLUMNS, vectors};
    fv_step *s = fv_plan_dispatch(p, n, "matmul_tile", spec, 5, &push, sizeof push, 1, 1);
    s->groups[0] = (uint32_t)((dim[3] + COLUMNS - 1) / COLUMNS);
    s->groups[1] = (uint32_t)((dim[2] + ROWS * lanes - 1) / (ROWS * lanes));
    s->groups[2] = (uint32_t)(dim[0] * dim[1]);
    fv_step_reads(s, &a, offsetof(fv_push_matmul_tile, a_at4), 16);
    fv_step_reads(s, &b, offsetof(fv_push_matmul_tile, b_at4), 16);
    fv_step_writes(s, &m->out, offsetof(fv_push_matmul_tile, out_at), 4);
    s->macs = (double)fv_node_macs(p->graph, n);
}

// ---- rows ------------------------------------------------------------------------------------------

// To rank 4 with ones in front (or, `behind`, a one at the end for vectors on the right side).
static fv_view rank4(fv_view v, bool behind) {
    if (behind && v.n_dims == 1) {
        v.dim[1] = 1, v.stride[1] = 0;
        v.n_dims = 2;
    }
    fv_view r = v;
    r.n_dims = 4;
    r.padded = false;
    for (int d = 0; d < 4; d++) {
        int old = d - (4 - v.n_dims);
        r.dim[d] = old >= 0 ? v.dim[old] : 1;
        r.stride[d] = old >= 0 && v.dim[old] > 1 ? v.stride[old] : 0;
    }
    return r;
}

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && (fv_plan_tensor(p, n->in[i])->dtype != FV_F32 || fv_plan_tensor(p, n->in[i])->n_dims > 4))
            return false;
    return fv_plan_tensor(p, n->out[0])->n_dims <= 4;
}

static void lower_matmul(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_view *va = fv_plan_any(p, n->in[0]);
    if (!va)
        return;
    fv_view a = *va;
    const fv_view *vb = fv_plan_any(p, n->in[1]);
    if (!vb)
        return;
    fv_view b = *vb, out = fv_plan_make_dense(p, n->out[0]);
    product m = {.a = rank4(a, false), .b = rank4(b, true), .alpha = 1};
    int64_t dim[4] = {0, 0, m.a.dim[2], m.b.dim[3]};
    for (int d = 0; d < 2; d++)
        dim[d] = m.a.dim[d] > m.b.dim[d] ? m.a.dim[d] : m.b.dim[d];
    m.out = fv_view_dense(out.space, out.root, out.at, 4, dim);
    m.c = m.out;
    (tiles_fit(p, &m) ? emit_tiles : emit)(p, n, &m);
}

static void lower_gemm(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_gemm_attr *g = n->attr;
    bool add = n->n_in > 2 && n->in[2] >= 0;
    for (int i = 0; i < (add ? 3 : 2); i++)
        if (!fv_plan_any(p, n->in[i]))
            return;
    fv_view a = *fv_plan_any(p, n->in[0]), b = *fv_plan_any(p, n->in[1]), out = fv_plan_make_dense(p, n->out[0]);
    if (g->trans_a)
        a = fv_view_transpose(&a, (int[]){1, 0});
    if (g->trans_b)
        b = fv_view_transpose(&b, (int[]){1, 0});
    product m = {.a = rank4(a, false), .b = rank4(b, false), .out = rank4(out, false), .add = add,
                 .alpha = g->alpha, .beta = g->beta};
    m.c = add ? fv_view_broadcast(fv_plan_any(p, n->in[2]), 4, m.out.dim) : m.out;
    emit(p, n, &m);
}

const fv_lowering fv_lower_matmul_rows[] = {{"MatMul", 0, fits, lower_matmul}, {"Gemm", 0, fits, lower_gemm}, {0}};
