// Where the device is the CPU, outputs are put together by the host: a copy that a kernel makes lane by
// lane costs more there, and every dispatch a change of threads.
#include <string.h>

#include "pipeline/graph/ops.h"
#include "pipeline/infer/lower.h"

enum { BLOCK = 16 }; // floats of a cache line

static bool takes_part(const fv_plan *p, const fv_node *n) {
    const char *op = fv_node_op(n);
    return n->n_out == 1 && n->out[0] >= 0 && fv_lower_find(p, n) &&
           (n->op->view || !strcmp(op, "Concat") || !strcmp(op, "Transpose"));
}

// Backwards: a tensor is collected when only collected tensors, or the host, read it.
void fv_plan_find_collected(fv_plan *p) {
    const fv_graph *g = p->graph;
    if (!fv_plan_shares_memory(p))
        return;
    int *read = FV_ARENA_NEW(p->arena, int, g->n_tensors + 1);
    for (int i = 0; i < g->n_outputs; i++)
        read[g->output[i]]++;
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const fv_node *n = &g->node[i];
        if (!takes_part(p, n) || read[n->out[0]] != p->place[n->out[0]].n_uses)
            continue;
        p->place[n->out[0]].collected = true;
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] >= 0)
                read[n->in[k]]++;
    }
}

// The dimension of the smallest stride goes last.
static void move_last(fv_collect *c, int d, int last) {
    int64_t n = c->dim[d], from = c->from_stride[d], to = c->to_stride[d];
    for (; d < last; d++)
        c->dim[d] = c->dim[d + 1], c->from_stride[d] = c->from_stride[d + 1], c->to_stride[d] = c->to_stride[d + 1];
    c->dim[last] = n, c->from_stride[last] = from, c->to_stride[last] = to;
}

static int smallest(const int64_t *stride, int n) {
    int at = 0;
    for (int d = 1; d < n; d++)
        at = stride[d] < stride[at] ? d : at;
    return at;
}

void fv_plan_collect(fv_plan *p, const fv_view *from, const fv_view *to) {
    int64_t stride[2][FV_MAX_DIMS];
    fv_collect c = {.from_root = from->root, .to_root = to->root, .from_at = from->at, .to_at = to->at, .n_dims = 2};
    c.dim[0] = 1, c.from_stride[0] = c.to_stride[0] = 0; // at least two
    int n = fv_views_collapse((const fv_view *[]){from, to}, 2, NULL, c.dim + 1, stride);
    memcpy(c.from_stride + 1, stride[0], sizeof stride[0] - sizeof stride[0][0]);
    memcpy(c.to_stride + 1, stride[1], sizeof stride[1] - sizeof stride[1][0]);
    c.n_dims = n + 1;
    move_last(&c, 1 + smallest(c.to_stride + 1, n), c.n_dims - 1);
    if (n > 1)
        move_last(&c, 1 + smallest(c.from_stride + 1, n - 1), c.n_dims - 2);
    p->root[from->root].kept = p->root[to->root].kept = true;
    if (p->n_collects % BLOCK == 0) {
        fv_collect *more = FV_ARENA_NEW(p->arena, fv_collect, p->n_collects + BLOCK);
        if (p->n_collects)
            memcpy(more, p->collect, (size_t)p->n_collects * sizeof *more);
        p->collect = more;
    }
    p->collect[p->n_collects++] = c;
}

// The last two dimensions, a cache line's worth of the last at a time.
static void copy_plane(const fv_collect *c, const float *from, float *to) {
    int a = c->n_dims - 2, b = c->n_dims - 1;
    if (c->from_stride[b] == 1 && c->to_stride[b] == 1) {
        for (int64_t i = 0; i < c->dim[a]; i++)
            memcpy(to + i * c->to_stride[a], from + i * c->from_stride[a], (size_t)c->dim[b] * sizeof *to);
        return;
    }
    for (int64_t first = 0; first < c->dim[b]; first += BLOCK) {
        int64_t end = first + BLOCK < c->dim[b] ? first + BLOCK : c->dim[b];
        for (int64_t i = 0; i < c->dim[a]; i++)
            for (int64_t k = first; k < end; k++)
                to[i * c->to_stride[a] + k * c->to_stride[b]] = from[i * c->from_stride[a] + k * c->from_stride[b]];
    }
}

static void copy_from(const fv_collect *c, int d, const float *from, float *to) {
    if (d == c->n_dims - 2) {
        copy_plane(c, from, to);
        return;
    }
    for (int64_t i = 0; i < c->dim[d]; i++)
        copy_from(c, d + 1, from + i * c->from_stride[d], to + i * c->to_stride[d]);
}

void fv_plan_collect_run(const fv_plan *p, char *activations) {
    for (int i = 0; i < p->n_collects; i++) {
        const fv_collect *c = &p->collect[i];
        copy_from(c, 0, (const float *)(activations + p->root[c->from_root].offset) + c->from_at,
                  (float *)(activations + p->root[c->to_root].offset) + c->to_at);
    }
}
