// Two convolutions of one tensor that differ in their weights alone become one, whose output a Split
// parts again: one step instead of two, and the tensor is read once.
#include <string.h>

#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

// The order of the two in what they make; NEITHER where a part would have to be copied.
typedef enum { NEITHER, AS_THEY_ARE, SWAPPED } order;

// Where a tensor is read as a part of a concatenation of channels.
typedef struct {
    const fv_node *concat; // NULL: nowhere
    int at;
} part;

static int64_t channels(const fv_passes *p, int t) {
    return p->g->tensor[t].n_dims > 1 ? p->g->tensor[t].dim[1] : 0;
}

static bool same_kind(const fv_conv_attr *a, const fv_conv_attr *b) {
    for (int d = 0; d < 2; d++)
        if (a->kernel[d] != b->kernel[d] || a->stride[d] != b->stride[d] || a->dilation[d] != b->dilation[d] ||
            a->pad[d] != b->pad[d] || a->pad[d + 2] != b->pad[d + 2])
            return false;
    return a->group == 1 && b->group == 1 && a->residual == FV_RESIDUAL_NONE && b->residual == FV_RESIDUAL_NONE &&
           a->activation.kind == b->activation.kind && a->activation.alpha == b->activation.alpha &&
           a->activation.beta == b->activation.beta;
}

static bool may_join(const fv_passes *p, const fv_node *n) {
    return fv_node_is(n, "Conv") && fv_pass_constant(p, n->in[1]) && !p->kept[n->out[0]] &&
           (n->n_in < 3 || n->in[2] < 0 || fv_pass_constant(p, n->in[2])) && channels(p, n->out[0]) % 4 == 0;
}

// Its readers take a part of something larger as it is; false where one of them might not.
static bool find_part(const fv_passes *p, const fv_node *n, part *found) {
    static const char *const readers[] = {"Conv", "Concat", "MaxPool", "AveragePool", "Resize"};
    int t = n->out[0], left = p->readers[t];
    *found = (part){0};
    for (const fv_node *r = n + 1; r < p->g->node + p->g->n_nodes && left > 0; r++)
        for (int k = 0; r->op && k < r->n_in; k++) {
            if (r->in[k] != t)
                continue;
            left--;
            bool known = false, joins = fv_node_is(r, "Concat");
            for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++)
                known = known || fv_node_is(r, readers[i]);
            if (!known || (joins && (found->concat || ((const fv_axis_attr *)r->attr)->axis != 1)))
                return false;
            if (joins)
                *found = (part){r, k};
        }
    return true;
}

// What is made has room of its own, at whose ends more may lie: infer/home.c.
static bool has_own_room(const fv_passes *p, const fv_node *concat) {
    int t = concat->out[0];
    if (p->kept[t] || channels(p, t) % 4)
        return false;
    for (const fv_node *r = concat + 1; r < p->g->node + p->g->n_nodes; r++)
        for (int k = 0; r->op && k < r->n_in; k++)
            if (r->in[k] == t && !fv_node_is(r, "Conv"))
                return false;
    return true;
}

static order choose(const fv_passes *p, const fv_node *a, const fv_node *b) {
    part of_a, of_b;
    if (!find_part(p, a, &of_a) || !find_part(p, b, &of_b))
        return NEITHER;
    if (!of_a.concat && !of_b.concat)
        return AS_THEY_ARE;
    if (of_a.concat == of_b.concat)
        return of_b.at == of_a.at + 1 ? AS_THEY_ARE : of_a.at == of_b.at + 1 ? SWAPPED : NEITHER;
    if ((of_a.concat && of_b.concat) || !has_own_room(p, of_a.concat ? of_a.concat : of_b.concat))
        return NEITHER;
    // the other part goes behind the last or before the first of those that are concatenated
    const part *in = of_a.concat ? &of_a : &of_b;
    bool a_first = in == &of_a;
    if (in->at == in->concat->n_in - 1)
        return a_first ? AS_THEY_ARE : SWAPPED;
    return in->at == 0 ? a_first ? SWAPPED : AS_THEY_ARE : NEITHER;
}

static const fv_node *find_twin(const fv_passes *p, const fv_node *n, order *how) {
    int left = p->readers[n->in[0]] - 1;
    if (!may_join(p, n))
        return NULL;
    for (const fv_node *b = n + 1; b < p->g->node + p->g->n_nodes && left > 0; b++) {
        if (!b->op || b->n_in < 1 || b->in[0] != n->in[0])
            continue;
        left--;
        if (may_join(p, b) && same_kind(n->attr, b->attr) && (*how = choose(p, n, b)) != NEITHER)
            return b;
    }
    return NULL;
}

// ---- joining ---------------------------------------------------------------------------------------

// The constants of two nodes, one behind the other along dimension 0; zeros where one has none.
static int join(fv_passes *p, const fv_node *const n[2], int input) {
    const fv_tensor *has = NULL;
    for (int i = 0; i < 2; i++)
        if (input < n[i]->n_in && n[i]->in[input] >= 0)
            has = &p->g->tensor[n[i]->in[input]];
    if (!has)
        return -1;
    fv_tensor t = *has;
    t.dim[0] = channels(p, n[0]->out[0]) + channels(p, n[1]->out[0]);
    t.data = fv_arena_alloc(p->g->arena, fv_tensor_bytes(&t) + 4);
    char *to = memset(t.data, 0, fv_tensor_bytes(&t));
    size_t each = fv_tensor_bytes(&t) / (size_t)t.dim[0];
    for (int i = 0; i < 2; i++) {
        size_t bytes = each * (size_t)channels(p, n[i]->out[0]);
        if (input < n[i]->n_in && n[i]->in[input] >= 0)
            memcpy(to, p->g->tensor[n[i]->in[input]].data, bytes);
        to += bytes;
    }
    return fv_pass_add_tensor(p, &t);
}

static int replace(fv_passes *p, const fv_node *n, fv_node *to) {
    order how = NEITHER;
    const fv_node *twin = p->tensor_room >= 3 ? find_twin(p, n, &how) : NULL;
    if (!twin)
        return 0;
    const fv_node *const both[2] = {how == SWAPPED ? twin : n, how == SWAPPED ? n : twin};
    fv_tensor t = p->g->tensor[n->out[0]];
    t.dim[1] = channels(p, n->out[0]) + channels(p, twin->out[0]);
    int whole = fv_pass_add_tensor(p, &t), in[] = {n->in[0], join(p, both, 1), join(p, both, 2)};
    to[0] = *n;
    to[0].n_in = 3;
    to[0].in = fv_arena_memdup(p->g->arena, in, sizeof in);
    to[0].out = fv_arena_memdup(p->g->arena, &whole, sizeof whole);
    fv_axis_attr halves = {.axis = 1, .n_parts = 2, .part = {channels(p, both[0]->out[0]), channels(p, both[1]->out[0])}};
    to[1] = fv_pass_make_node(p, n, "Split", whole, -1, &halves, sizeof halves);
    to[1].n_out = 2;
    to[1].out = fv_arena_memdup(p->g->arena, (int[]){both[0]->out[0], both[1]->out[0]}, 2 * sizeof(int));
    fv_pass_drop(&p->g->node[twin - p->g->node]);
    return 2;
}

int fv_pass_twins(fv_passes *p) {
    return fv_pass_replace(p, 2, replace);
}
