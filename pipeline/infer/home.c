// Which tensors are pixels by nature, and who writes straight into whose memory.
#include "pipeline/infer/plan.h"

#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"
#include "pipeline/infer/lower.h"

static bool is(const fv_node *n, const char *op) {
    return !strcmp(fv_node_op(n), op);
}

static bool keeps_channels(const fv_tensor *a, const fv_tensor *b) {
    return a->n_dims >= 2 && b->n_dims >= 2 && a->dim[0] == b->dim[0] && a->dim[1] == b->dim[1];
}

// Forwards: convolutions and their kind make pixels, most others keep what comes in.
static bool makes_pixels(const fv_plan *p, const fv_node *n) {
    static const char *const makers[] = {"Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool",
                                         "GlobalAveragePool", "GlobalLpPool"};
    const fv_lowering *row = fv_lower_find(p, n);
    const fv_tensor *out = fv_plan_tensor(p, n->out[0]);
    if (!row || out->n_dims < 3)
        return false;
    for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++)
        if (is(n, makers[i]))
            return true;
    if (n->op->view)
        return p->place[n->in[0]].natural_pixels && keeps_channels(fv_plan_tensor(p, n->in[0]), out);
    if (is(n, "Transpose") || is(n, "Gather") || is(n, "MatMul"))
        return false;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] >= 0 && p->place[n->in[i]].natural_pixels)
            return true;
    return false;
}

// A tensor that may be asked to be born elsewhere: a node's float output without a home so far.
static bool may_move(const fv_plan *p, int tensor) {
    const fv_place *place = &p->place[tensor];
    return !place->has_home && !fv_plan_tensor(p, tensor)->data && fv_plan_tensor(p, tensor)->dtype == FV_F32;
}

static void set_home(fv_plan *p, int tensor, const fv_view *view) {
    fv_pixel_view pixels;
    bool fits = p->place[tensor].natural_pixels ? fv_view_as_pixels(view, &pixels) : fv_view_is_dense(view);
    if (!may_move(p, tensor) || (!fits && !p->place[tensor].collected))
        return;
    p->place[tensor].has_home = true;
    p->place[tensor].home = *view;
}

static bool is_output(const fv_plan *p, int tensor) {
    for (int i = 0; i < p->graph->n_outputs; i++)
        if (p->graph->output[i] == tensor)
            return true;
    return false;
}

// What the host alone reads is row-major from the start.
static void house_output(fv_plan *p, int tensor) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    fv_place *place = &p->place[tensor];
    if (!place->collected || place->has_home)
        return;
    place->home = fv_plan_scratch(p, t->n_dims, t->dim, false);
    place->has_home = true;
}

// ---- room at the ends of a concatenation -----------------------------------------------------------

// What a Split of two parts makes may reach over the end of a concatenation: one part is the concatenation's
// first or last, the other lies beside it.
static const fv_node *reaches_out(const fv_plan *p, int tensor, int part) {
    for (const fv_node *n = p->graph->node; n < p->graph->node + p->graph->n_nodes; n++)
        if (is(n, "Split") && n->n_out == 2 && n->out[part] == tensor && n->out[!part] >= 0)
            return ((const fv_axis_attr *)n->attr)->axis == 1 && !p->place[n->out[!part]].has_home &&
                           p->place[n->in[0]].natural_pixels && may_move(p, n->in[0]) &&
                           fv_plan_tensor(p, tensor)->dim[1] % 4 == 0 && fv_plan_tensor(p, n->out[!part])->dim[1] % 4 == 0
                       ? n
                       : NULL;
    return NULL;
}

static void make_concat_home(fv_plan *p, const fv_node *n) {
    fv_place *place = &p->place[n->out[0]];
    fv_tensor t = *fv_plan_tensor(p, n->out[0]);
    bool wide = place->natural_pixels && ((const fv_axis_attr *)n->attr)->axis == 1 && t.dim[1] % 4 == 0;
    const fv_node *front = wide ? reaches_out(p, n->in[0], 1) : NULL;
    const fv_node *back = wide ? reaches_out(p, n->in[n->n_in - 1], 0) : NULL;
    int64_t channels = t.dim[1], before = front ? fv_plan_tensor(p, front->out[0])->dim[1] : 0;
    if (wide)
        t.dim[1] += before + (back ? fv_plan_tensor(p, back->out[1])->dim[1] : 0);
    fv_view all = fv_plan_scratch(p, t.n_dims, t.dim, place->natural_pixels);
    place->home = wide ? fv_view_slice(&all, 1, before, 1, channels) : all;
    place->has_home = true;
    for (int i = 0; i < 2; i++) {
        const fv_node *split = i ? back : front;
        if (!split || !may_move(p, split->in[0]))
            continue;
        int64_t c = fv_plan_tensor(p, split->in[0])->dim[1];
        fv_view whole = fv_view_slice(&all, 1, i ? t.dim[1] - c : 0, 1, c);
        set_home(p, split->in[0], &whole);
    }
}

// ---- backwards -------------------------------------------------------------------------------------

// The parts of a concatenation are asked to be born in their places.
static void house_concat(fv_plan *p, const fv_node *n) {
    int out = n->out[0], axis = ((const fv_axis_attr *)n->attr)->axis;
    fv_place *place = &p->place[out];
    if (place->n_uses == 1 && is_output(p, out)) // read by the host alone, row-major
        place->natural_pixels = false;
    if (!place->has_home)
        make_concat_home(p, n);
    int64_t start = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t length = fv_plan_tensor(p, n->in[i])->dim[axis];
        fv_view part = fv_view_slice(&place->home, axis, start, 1, length);
        set_home(p, n->in[i], &part);
        start += length;
    }
}

// All parts of a split that go, in order, to one place: the split tensor itself is born there.
static void house_split(fv_plan *p, const fv_node *n) {
    int axis = ((const fv_axis_attr *)n->attr)->axis;
    const fv_tensor *t = fv_plan_tensor(p, n->in[0]);
    const fv_view *first = &p->place[n->out[0]].home;
    int64_t start = 0;
    for (int i = 0; i < n->n_out; i++) {
        const fv_place *part = &p->place[n->out[i]];
        fv_view expected = fv_view_slice(first, axis, start, 1, fv_plan_tensor(p, n->out[i])->dim[axis]);
        if (!part->has_home || !fv_view_same(&expected, &part->home))
            return;
        start += expected.dim[axis];
    }
    fv_view whole = *first;
    whole.dim[axis] = t->dim[axis];
    whole.padded = p->place[n->out[n->n_out - 1]].home.padded;
    set_home(p, n->in[0], &whole);
}

static void house_view(fv_plan *p, const fv_node *n) {
    const fv_tensor *t = fv_plan_tensor(p, n->in[0]);
    fv_view view;
    if (p->place[n->out[0]].has_home && fv_view_reshape(&p->place[n->out[0]].home, t->n_dims, t->dim, &view))
        set_home(p, n->in[0], &view);
}

static void house_transpose(fv_plan *p, const fv_node *n) {
    const int *perm = ((const fv_transpose_attr *)n->attr)->perm;
    const fv_place *out = &p->place[n->out[0]];
    int back[FV_MAX_DIMS];
    if (!out->collected || !out->has_home)
        return;
    for (int d = 0; d < out->home.n_dims; d++)
        back[perm[d]] = d;
    fv_view view = fv_view_transpose(&out->home, back);
    set_home(p, n->in[0], &view);
}

void fv_plan_assign_homes(fv_plan *p) {
    for (int i = 0; i < p->graph->n_inputs; i++) { // pictures; import.c says so too
        const fv_tensor *t = fv_plan_tensor(p, p->graph->input[i]);
        p->place[p->graph->input[i]].natural_pixels = t->n_dims == 4 && t->dim[1] <= 4;
    }
    for (int i = 0; i < p->graph->n_nodes; i++) {
        const fv_node *n = &p->graph->node[i];
        bool pixels = n->n_out && n->out[0] >= 0 && makes_pixels(p, n);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] >= 0)
                p->place[n->out[k]].natural_pixels = pixels;
    }
    for (int i = 0; i < p->graph->n_outputs; i++)
        house_output(p, p->graph->output[i]);
    for (int i = p->graph->n_nodes - 1; i >= 0; i--) {
        const fv_node *n = &p->graph->node[i];
        if (!fv_lower_find(p, n))
            continue;
        bool stays = is(n, "Concat") && fv_parts_stay(p, n);
        p->lists = p->lists || stays;
        if (stays || (is(n, "Concat") && fv_near_is_read_in_place(p, n)))
            continue;
        if (is(n, "Concat"))
            house_concat(p, n);
        else if (is(n, "Split"))
            house_split(p, n);
        else if (is(n, "Transpose"))
            house_transpose(p, n);
        else if (n->op->view)
            house_view(p, n);
    }
}
