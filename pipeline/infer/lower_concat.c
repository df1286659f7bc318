#include "pipeline/infer/lower.h"

#include "pipeline/graph/op_shape.h"

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] < 0 || fv_plan_tensor(p, n->in[i])->dtype != FV_F32 ||
            fv_plan_tensor(p, n->in[i])->n_dims != fv_plan_tensor(p, n->out[0])->n_dims)
            return false;
    return true;
}

// Already there, because its producer was told (home.c)?
static bool is_at(const fv_plan *p, int tensor, const fv_view *part) {
    for (int i = 0; i < p->place[tensor].n_views; i++)
        if (fv_view_same(&p->place[tensor].view[i], part))
            return true;
    return false;
}

// Pixels when the output has a home in that layout; else channels innermost without padding where most
// parts are like that and a Transpose follows, else row-major.
static void lower(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    if (fv_parts_stay(p, n)) {
        fv_parts_find(p, n);
        return;
    }
    int axis = ((const fv_axis_attr *)n->attr)->axis, out = n->out[0];
    fv_view to = p->place[out].has_home ? p->place[out].home : fv_plan_make_dense(p, out);
    if (p->place[out].has_home)
        fv_plan_add_view(p, out, &to);
    int64_t start = 0;
    for (int i = 0; i < n->n_in; i++) {
        int64_t length = fv_plan_tensor(p, n->in[i])->dim[axis];
        fv_view part = fv_view_slice(&to, axis, start, 1, length);
        start += length;
        const fv_view *from = fv_plan_any(p, n->in[i]);
        if (!from)
            return;
        if (is_at(p, n->in[i], &part))
            continue;
        if (p->place[out].collected && from->space == FV_SPACE_ACTIVATIONS)
            fv_plan_collect(p, from, &part);
        else
            fv_plan_copy(p, n, from, &part, "concat");
    }
}

const fv_lowering fv_lower_concat_rows[] = {{"Concat", 0, fits, lower}, {0}};
