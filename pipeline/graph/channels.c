#include "pipeline/graph/channels.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_shape.h"

// Of all sources: their numbers are exact as float32. Of all maps together: a hostile file may name any number.
enum { MAX_CHANNELS = 1 << 20, MAX_ENTRIES = 1 << 22 };

static int64_t product(const fv_tensor *t, int from, int to) {
    int64_t n = 1;
    for (int d = from; d < to; d++)
        n *= t->dim[d];
    return n;
}

static int64_t pixels_of(const fv_passes *p, const fv_channels *c, int t) {
    return product(&p->g->tensor[t], c->map[t].n_lead, p->g->tensor[t].n_dims);
}

// ---- sources ---------------------------------------------------------------------------------------

static void begin_source(fv_channels *c, const fv_passes *p, int t) {
    const fv_tensor *x = &p->g->tensor[t];
    bool fits = x->dtype == FV_F32 && !x->data && (x->n_dims == 3 || x->n_dims == 4) && x->dim[0] == 1 &&
                product(x, 2, x->n_dims) > 1 && x->dim[1] > 0 && x->dim[1] <= MAX_CHANNELS - c->n_channels;
    if (!fits || c->map[t].n)
        return;
    int n = (int)x->dim[1];
    if (c->n_channels + n + 1 > c->room) {
        c->room = 2 * (c->n_channels + n + 1);
        c->channel = realloc(c->channel, (size_t)c->room * sizeof *c->channel);
        if (!c->channel)
            abort();
    }
    c->channel[c->n_channels++] = (fv_channel){t, -1}; // so that numbers of two sources never follow each other
    c->map[t] = (fv_channel_map){.n = n, .n_lead = 2, .id = FV_ARENA_NEW(c->arena, int, n), .source = true};
    for (int i = 0; i < n; i++) {
        c->map[t].id[i] = c->n_channels;
        c->channel[c->n_channels++] = (fv_channel){t, i};
    }
}

// ---- movers ----------------------------------------------------------------------------------------

static bool along_axis(const fv_passes *p, const fv_node *n, int lead) {
    (void)p;
    return ((const fv_axis_attr *)n->attr)->axis < lead;
}

static bool by_constants(const fv_passes *p, const fv_node *n, int lead) {
    return along_axis(p, n, lead) && p->g->tensor[n->in[1]].data;
}

static bool transposes(const fv_passes *p, const fv_node *n, int lead) {
    const fv_transpose_attr *a = n->attr;
    for (int d = lead; d < p->g->tensor[n->in[0]].n_dims; d++)
        if (a->perm[d] != d)
            return false;
    return true;
}

static bool slices(const fv_passes *p, const fv_node *n, int lead) {
    const fv_slice_attr *a = n->attr;
    const fv_tensor *x = &p->g->tensor[n->in[0]], *y = &p->g->tensor[n->out[0]];
    for (int d = lead; d < x->n_dims; d++)
        if (a->start[d] || a->step[d] != 1 || x->dim[d] != y->dim[d])
            return false;
    return true;
}

// Ops that move elements whole; `fits`: not across the pixels. `all`: every input is moved, not the first alone.
static const struct {
    const char *op;
    bool (*fits)(const fv_passes *p, const fv_node *n, int lead);
    bool all;
} movers[] = {{"Concat", along_axis, true}, {"Split", along_axis, false}, {"Gather", by_constants, false},
              {"Transpose", transposes, false}, {"Slice", slices, false}};

static bool is_mover(const fv_passes *p, const fv_node *n, int lead, int *n_moved) {
    *n_moved = 1;
    if (n->op->view && n->n_out == 1)
        return true;
    for (size_t i = 0; i < sizeof movers / sizeof movers[0]; i++)
        if (fv_node_is(n, movers[i].op)) {
            *n_moved = movers[i].all ? n->n_in : 1;
            return movers[i].fits(p, n, lead);
        }
    return false;
}

// How many dimensions stand before the pixels; -1: some are in between.
static int find_lead(const fv_tensor *t, int64_t pixels) {
    for (int d = t->n_dims; d >= 0; d--)
        if (product(t, d, t->n_dims) >= pixels)
            return product(t, d, t->n_dims) == pixels ? d : -1;
    return -1;
}

// The tensor with one pixel.
static fv_tensor shrink(const fv_tensor *t, int lead, float *data) {
    fv_tensor s = *t;
    for (int d = lead; d < s.n_dims; d++)
        s.dim[d] = 1;
    s.dtype = FV_F32;
    s.data = data;
    return s;
}

// The op's reference moves the channels' numbers.
static void move(fv_channels *c, const fv_passes *p, const fv_node *n, int n_moved) {
    const fv_graph *g = p->g;
    int64_t pixels = pixels_of(p, c, n->in[0]);
    fv_tensor *small = FV_ARENA_NEW(c->arena, fv_tensor, n->n_in + n->n_out);
    const fv_tensor **in = FV_ARENA_NEW(c->arena, const fv_tensor *, n->n_in);
    fv_tensor **out = FV_ARENA_NEW(c->arena, fv_tensor *, n->n_out);
    for (int k = 0; k < n->n_in; k++) {
        in[k] = n->in[k] < 0 ? NULL : k < n_moved ? &small[k] : &g->tensor[n->in[k]];
        if (k >= n_moved)
            continue;
        const fv_channel_map *m = &c->map[n->in[k]];
        float *data = FV_ARENA_NEW(c->arena, float, m->n);
        for (int i = 0; i < m->n; i++)
            data[i] = (float)m->id[i];
        small[k] = shrink(&g->tensor[n->in[k]], m->n_lead, data);
    }
    for (int k = 0; k < n->n_out; k++) {
        const fv_tensor *t = n->out[k] < 0 ? NULL : &g->tensor[n->out[k]];
        int lead = t ? find_lead(t, pixels) : -1;
        if (lead < 0 || product(t, 0, lead) > MAX_ENTRIES - c->n_entries)
            return;
        c->n_entries += (int)product(t, 0, lead);
        out[k] = &small[n->n_in + k];
        *out[k] = shrink(t, lead, FV_ARENA_NEW(c->arena, float, product(t, 0, lead) + 1));
    }
    fv_err err = {0};
    if (!fv_node_run(g, n, in, out, &err))
        return;
    for (int k = 0; k < n->n_out; k++) {
        int lead = find_lead(&g->tensor[n->out[k]], pixels), count = (int)product(&g->tensor[n->out[k]], 0, lead);
        fv_channel_map m = {.n = count, .n_lead = lead, .id = FV_ARENA_NEW(c->arena, int, count + 1)};
        for (int i = 0; i < count; i++)
            m.id[i] = (int)((const float *)out[k]->data)[i];
        c->map[n->out[k]] = m;
    }
}

static void follow(fv_channels *c, const fv_passes *p, const fv_node *n) {
    int n_moved, lead = n->n_in && n->in[0] >= 0 ? c->map[n->in[0]].n_lead : 0;
    if (!lead || !is_mover(p, n, lead, &n_moved))
        return;
    for (int k = 0; k < n_moved; k++)
        if (n->in[k] < 0 || c->map[n->in[k]].n_lead != lead || pixels_of(p, c, n->in[k]) != pixels_of(p, c, n->in[0]))
            return;
    move(c, p, n, n_moved);
}

void fv_channels_find(fv_channels *c, const fv_passes *p) {
    *c = (fv_channels){.n_tensors = p->g->n_tensors, .arena = fv_arena_create()};
    c->map = FV_ARENA_NEW(c->arena, fv_channel_map, c->n_tensors);
    for (int i = 0; i < p->g->n_inputs; i++)
        begin_source(c, p, p->g->input[i]);
    for (int i = 0; i < p->g->n_nodes; i++) {
        const fv_node *n = &p->g->node[i];
        if (!n->op)
            continue;
        follow(c, p, n);
        for (int k = 0; k < n->n_out; k++)
            if (n->out[k] >= 0)
                begin_source(c, p, n->out[k]);
    }
}

void fv_channels_finish(fv_channels *c) {
    free(c->channel);
    fv_arena_destroy(&c->arena);
}

bool fv_channels_moved_by(const fv_channels *c, const fv_node *n) {
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] < 0 || !c->map[n->out[k]].n || c->map[n->out[k]].source)
            return false;
    return n->n_out > 0;
}
