// Channel shuffles disappear into the weights of the convolutions around them. A 1 x 1 convolution takes its input channels
// from where they were computed, whatever Concat, Split and Transpose lie between; a depthwise one before it, too. What
// computes them does so in the order in which they are needed. Networks of ShuffleNet's kind (https://arxiv.org/abs/1807.11164).
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/channels.h"
#include "pipeline/graph/op_shape.h"

// MAX_RUNS: infer/parts.c reads so many places. MAX_READERS: bits of a set. MAX_CHANNELS: of one reader.
enum { BLOCK = 4, MAX_RUNS = 12, MAX_READERS = 64, MAX_CHANNELS = 4096, NODES_OF_READER = MAX_RUNS + 2 };
// Channels that are read, to those that are needed: nanodet_m gains a third of its time at 1.21. FastestDet would gain
// nothing at 1.25, nor if the pooling and the resize behind its stages could read elsewhere (infer/pair.c has its shuffles).
static const double MOST_MORE = 1.22;

// A convolution that may read elsewhere; `depthwise` is in front of the 1 x 1 `node`, or NULL.
typedef struct {
    const fv_node *node, *depthwise;
    bool left; // as it is
} reader;

// Channels from .. from + n - 1 of a source.
typedef struct {
    int source, from, n;
} run;

typedef struct {
    fv_passes *p;
    fv_channels channels;
    int *now;          // of every channel: its place in its source
    bool *free;        // of every tensor: only readers, and movers to nothing else, read it
    reader reader[MAX_READERS];
    int n_readers;
} shuffle;

static const fv_node *first_of(const reader *r) {
    return r->depthwise ? r->depthwise : r->node;
}

static const fv_channel_map *map_of(const shuffle *s, const reader *r) {
    return &s->channels.map[first_of(r)->in[0]];
}

// ---- who may read elsewhere ------------------------------------------------------------------------

static bool has_constants(const fv_passes *p, const fv_node *n) {
    return fv_node_is(n, "Conv") && fv_pass_constant(p, n->in[1]) &&
           (n->n_in < 3 || n->in[2] < 0 || fv_pass_constant(p, n->in[2]));
}

static bool is_pointwise(const fv_passes *p, const fv_node *n) {
    return has_constants(p, n) && fv_conv_is_pointwise(n->attr);
}

static bool is_depthwise(const fv_passes *p, const fv_node *n) {
    const fv_conv_attr *a = n->attr;
    return has_constants(p, n) && a->group > 1 && a->group == p->g->tensor[n->in[0]].dim[1] &&
           a->group == p->g->tensor[n->out[0]].dim[1] && a->residual == FV_RESIDUAL_NONE;
}

// Whole blocks, one run behind the other: infer/home.c lets them be born in their places, if nobody else wants them in
// another; sources whose channels end within a block are read in place by one reader.
static bool is_in_order(const shuffle *s, const reader *r) {
    const fv_channel_map *m = map_of(s, r);
    bool alone = s->p->readers[first_of(r)->in[0]] == 1;
    for (int i = 0, n; i < m->n; i += n) {
        for (n = 1; i + n < m->n && m->id[i + n] == m->id[i] + n;)
            n++;
        bool whole = n == s->channels.map[s->channels.channel[m->id[i]].tensor].n;
        if (s->channels.channel[m->id[i]].channel % BLOCK || (n % BLOCK && i + n < m->n && !(whole && alone)))
            return false;
    }
    return true;
}

static bool has_twice(const fv_channel_map *m) {
    for (int i = 0; i < m->n; i++)
        for (int k = 0; k < i; k++)
            if (m->id[i] == m->id[k])
                return true;
    return false;
}

// All of it lies over the same pixels.
static bool is_level(const shuffle *s, const reader *r) {
    const fv_tensor *x = &s->p->g->tensor[first_of(r)->in[0]];
    const fv_channel_map *m = map_of(s, r);
    if (m->n != x->dim[1] || m->n > MAX_CHANNELS || m->source)
        return false;
    for (int i = 0; i < m->n; i++) {
        const fv_tensor *t = &s->p->g->tensor[s->channels.channel[m->id[i]].tensor];
        if (t->n_dims != x->n_dims || memcmp(t->dim + 2, x->dim + 2, (size_t)(x->n_dims - 2) * sizeof *x->dim))
            return false;
    }
    return !(r->depthwise && has_twice(m));
}

static void find_readers(shuffle *s) {
    const fv_passes *p = s->p;
    for (int i = 0; i < p->g->n_nodes && s->n_readers < MAX_READERS; i++) {
        const fv_node *n = &p->g->node[i];
        reader r = {.node = n};
        if (n->op && is_depthwise(p, n))
            r = (reader){.node = fv_pass_reader(p, n, n->out[0]), .depthwise = n};
        if (r.node && r.node->op && is_pointwise(p, r.node) && r.node->in[0] == (r.depthwise ? n->out[0] : n->in[0]) &&
            map_of(s, &r)->n && is_level(s, &r) && !is_in_order(s, &r))
            s->reader[s->n_readers++] = r;
    }
}

static bool is_reader_of(const shuffle *s, const fv_node *n, int input) {
    for (int i = 0; i < s->n_readers; i++)
        if (!s->reader[i].left && first_of(&s->reader[i]) == n)
            return input == 0;
    return false;
}

// From the outputs to the inputs.
static void find_free(shuffle *s) {
    const fv_passes *p = s->p;
    for (int t = 0; t < s->channels.n_tensors; t++)
        s->free[t] = !p->kept[t];
    for (int i = p->g->n_nodes - 1; i >= 0; i--) {
        const fv_node *n = &p->g->node[i];
        if (!n->op)
            continue;
        bool leads_on = fv_channels_moved_by(&s->channels, n);
        for (int k = 0; k < n->n_out && leads_on; k++)
            leads_on = s->free[n->out[k]];
        for (int k = 0; k < n->n_in; k++)
            if (n->in[k] >= 0 && !leads_on && !is_reader_of(s, n, k))
                s->free[n->in[k]] = false;
    }
}

// Nothing between the sources and tensor t is needed by others.
static bool is_clear(const shuffle *s, int t) {
    const fv_passes *p = s->p;
    if (s->channels.map[t].source || !s->channels.map[t].n)
        return true;
    const fv_node *n = &p->g->node[p->producer[t]];
    bool clear = s->free[t];
    for (int k = 0; k < n->n_in && clear; k++)
        clear = n->in[k] < 0 || is_clear(s, n->in[k]);
    return clear;
}

// ---- what a reader reads ---------------------------------------------------------------------------

static int by_number(const void *a, const void *b) {
    const int64_t *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

// The runs of whole blocks that hold its channels, source after source; how many, or -1: too many.
static int find_runs(const shuffle *s, const reader *r, run runs[MAX_RUNS]) {
    const fv_channel_map *m = map_of(s, r);
    int64_t *block = malloc((size_t)m->n * sizeof *block); // a source and a block of it
    int n_runs = block ? 0 : -1;
    for (int i = 0; i < m->n && block; i++)
        block[i] = (int64_t)s->channels.channel[m->id[i]].tensor << 32 | s->now[m->id[i]] / BLOCK;
    if (block)
        qsort(block, (size_t)m->n, sizeof *block, by_number);
    for (int i = 0; i < m->n && n_runs >= 0; i++) {
        int t = (int)(block[i] >> 32), from = (int)(block[i] & UINT32_MAX) * BLOCK, n = s->channels.map[t].n - from;
        n = n < BLOCK ? n : BLOCK;
        run *last = n_runs ? &runs[n_runs - 1] : NULL;
        if (last && last->source == t && from < last->from + last->n)
            continue;
        if (last && last->source == t && from == last->from + last->n)
            last->n += n;
        else if (n_runs < MAX_RUNS)
            runs[n_runs++] = (run){t, from, n};
        else
            n_runs = -1;
    }
    free(block);
    return n_runs;
}

static int count_channels(const run *runs, int n_runs) {
    int n = 0;
    for (int i = 0; i < n_runs; i++)
        n += runs[i].n;
    return n;
}

// Blocks that all readers read of all sources.
static int count_blocks(const shuffle *s) {
    int n = 0;
    run runs[MAX_RUNS];
    for (int i = 0; i < s->n_readers; i++) {
        int n_runs = s->reader[i].left ? 0 : find_runs(s, &s->reader[i], runs);
        for (int k = 0; k < n_runs; k++)
            n += (runs[k].n + BLOCK - 1) / BLOCK;
        n += n_runs < 0 ? map_of(s, &s->reader[i])->n : 0;
    }
    return n;
}

// ---- the order of what is computed -----------------------------------------------------------------

static bool can_be_ordered(const shuffle *s, int t) {
    const fv_passes *p = s->p;
    const fv_node *n = p->producer[t] >= 0 ? &p->g->node[p->producer[t]] : NULL;
    return s->channels.map[t].source && s->free[t] && n && has_constants(p, n) &&
           ((const fv_conv_attr *)n->attr)->group == 1 && ((const fv_conv_attr *)n->attr)->residual == FV_RESIDUAL_NONE;
}

// A channel of a source and the set of its readers.
typedef struct {
    int id;
    uint64_t set;
} use;

// Those of the first reader first.
static int by_readers(const void *a, const void *b) {
    const use *x = a, *y = b;
    uint64_t differs = x->set ^ y->set;
    if (!differs)
        return x->id < y->id ? -1 : x->id > y->id;
    return x->set & (differs & -differs) ? -1 : 1;
}

static void order_source(shuffle *s, const uint64_t *set, int t) {
    const fv_channel_map *m = &s->channels.map[t];
    use *uses = malloc((size_t)m->n * sizeof *uses);
    for (int i = 0; i < m->n && uses; i++)
        uses[i] = (use){m->id[i], set[m->id[i]]};
    if (uses)
        qsort(uses, (size_t)m->n, sizeof *uses, by_readers);
    for (int i = 0; i < m->n && uses; i++)
        s->now[uses[i].id] = i;
    free(uses);
}

static void order_as_is(shuffle *s) {
    for (int i = 0; i < s->channels.n_channels; i++)
        s->now[i] = s->channels.channel[i].channel;
}

// Where that makes fewer blocks to read.
static void order_all(shuffle *s) {
    order_as_is(s);
    int blocks = count_blocks(s);
    uint64_t *set = calloc((size_t)s->channels.n_channels + 1, sizeof *set);
    for (int i = 0; i < s->n_readers && set; i++) {
        const fv_channel_map *m = map_of(s, &s->reader[i]);
        for (int k = 0; k < m->n && !s->reader[i].left; k++)
            set[m->id[k]] |= (uint64_t)1 << i;
    }
    for (int t = 0; t < s->channels.n_tensors && set; t++)
        if (can_be_ordered(s, t))
            order_source(s, set, t);
    free(set);
    if (count_blocks(s) >= blocks)
        order_as_is(s);
}

// ---- rewriting -------------------------------------------------------------------------------------

// A constant of the same shape but `channels` along `axis`, whose old channel i is channel to[i] or more of them
// together; -1: no room.
static int rearrange(fv_passes *p, int constant, int axis, int channels, const int *to) {
    const fv_tensor *from = &p->g->tensor[constant];
    int64_t dim[FV_MAX_DIMS], outer = 1, inner = 1, n = from->dim[axis];
    memcpy(dim, from->dim, sizeof dim);
    dim[axis] = channels;
    for (int d = 0; d < from->n_dims; d++)
        *(d < axis ? &outer : &inner) *= d == axis ? 1 : from->dim[d];
    int made = fv_pass_add_constant(p, constant, from->n_dims, dim);
    const float *x = p->g->tensor[constant].data;
    float *y = p->g->tensor[made].data;
    for (int64_t o = 0; o < outer; o++)
        for (int64_t c = 0; c < n; c++)
            for (int64_t i = 0; i < inner; i++)
                y[(o * channels + to[c]) * inner + i] += x[(o * n + c) * inner + i];
    return made;
}

static void set_input(fv_passes *p, fv_node *n, int k, int t) {
    n->in = fv_arena_memdup(p->g->arena, n->in, (size_t)n->n_in * sizeof *n->in);
    n->in[k] = t;
}

static void compute_in_order(shuffle *s, int t) {
    fv_node *n = &s->p->g->node[s->p->producer[t]];
    const fv_channel_map *m = &s->channels.map[t];
    int *to = FV_ARENA_NEW(s->channels.arena, int, m->n);
    bool same = true;
    for (int i = 0; i < m->n; i++) {
        to[i] = s->now[m->id[i]];
        same = same && to[i] == i;
    }
    for (int k = 1; k < 3 && k < n->n_in && !same; k++)
        if (n->in[k] >= 0)
            set_input(s->p, n, k, rearrange(s->p, n->in[k], 0, m->n, to));
}

static int like(fv_passes *p, int t, int channels) {
    fv_tensor made = p->g->tensor[t];
    made.dim[1] = channels;
    return fv_pass_add_tensor(p, &made);
}

// Where the reader's channel i is in the runs.
static void find_places(const shuffle *s, const reader *r, const run *runs, int n_runs, int *to) {
    const fv_channel_map *m = map_of(s, r);
    for (int i = 0; i < m->n; i++) {
        int t = s->channels.channel[m->id[i]].tensor, now = s->now[m->id[i]];
        for (int k = 0, at = 0; k < n_runs; at += runs[k++].n)
            if (runs[k].source == t && now >= runs[k].from && now < runs[k].from + runs[k].n)
                to[i] = at + now - runs[k].from;
    }
}

// The nodes that bring the runs together; gives the tensor.
static int bring(fv_passes *p, const fv_node *n, const run *runs, int n_runs, fv_node *to, int *n_made) {
    int part[MAX_RUNS];
    for (int k = 0; k < n_runs; k++) {
        fv_slice_attr slice = {.start = {0, runs[k].from}};
        for (int d = 0; d < FV_MAX_DIMS; d++)
            slice.step[d] = 1;
        bool whole = runs[k].n == p->g->tensor[runs[k].source].dim[1];
        part[k] = whole ? runs[k].source : like(p, runs[k].source, runs[k].n);
        if (!whole)
            to[(*n_made)++] = fv_pass_make_node(p, n, "Slice", runs[k].source, part[k], &slice, sizeof slice);
    }
    if (n_runs == 1)
        return part[0];
    int all = like(p, runs[0].source, count_channels(runs, n_runs));
    fv_node *concat = &to[(*n_made)++];
    *concat = fv_pass_make_node(p, n, "Concat", part[0], all, &(fv_axis_attr){.axis = 1}, sizeof(fv_axis_attr));
    concat->n_in = n_runs;
    concat->in = fv_arena_memdup(p->g->arena, part, (size_t)n_runs * sizeof *part);
    return all;
}

// `n`, the reader's first node, becomes these.
static int rewrite(shuffle *s, const reader *r, const fv_node *n, fv_node *to) {
    fv_passes *p = s->p;
    run runs[MAX_RUNS];
    int n_runs = find_runs(s, r, runs), channels = count_channels(runs, n_runs), made = 0;
    int *place = FV_ARENA_NEW(s->channels.arena, int, map_of(s, r)->n);
    find_places(s, r, runs, n_runs, place);
    int x = bring(p, n, runs, n_runs, to, &made);
    fv_node *conv = &to[made++];
    *conv = *n;
    set_input(p, conv, 0, x);
    if (!r->depthwise) {
        set_input(p, conv, 1, rearrange(p, n->in[1], 1, channels, place));
        return made;
    }
    fv_conv_attr attr = *(const fv_conv_attr *)n->attr;
    attr.group = channels;
    conv->attr = fv_arena_memdup(p->g->arena, &attr, sizeof attr);
    for (int k = 1; k < 3 && k < n->n_in; k++)
        if (n->in[k] >= 0)
            set_input(p, conv, k, rearrange(p, n->in[k], 0, channels, place));
    p->g->tensor[n->out[0]].dim[1] = channels;
    fv_node *behind = &p->g->node[r->node - p->g->node];
    set_input(p, behind, 1, rearrange(p, behind->in[1], 1, channels, place));
    return made;
}

static int rewrite_all(shuffle *s) {
    fv_graph *g = s->p->g;
    fv_node *node = malloc(((size_t)g->n_nodes * NODES_OF_READER + 1) * sizeof *node);
    int n = 0;
    if (!node)
        return 0;
    for (int t = 0; t < s->channels.n_tensors; t++)
        if (s->channels.map[t].source && can_be_ordered(s, t))
            compute_in_order(s, t);
    for (int i = 0; i < g->n_nodes; i++) {
        const reader *r = NULL;
        for (int k = 0; k < s->n_readers; k++)
            if (!s->reader[k].left && first_of(&s->reader[k]) == &g->node[i])
                r = &s->reader[k];
        if (r)
            n += rewrite(s, r, &g->node[i], node + n);
        else if (g->node[i].op)
            node[n++] = g->node[i];
    }
    g->node = fv_arena_memdup(g->arena, node, (size_t)n * sizeof *node);
    g->n_nodes = n;
    free(node);
    return s->n_readers;
}

// Leaves alone who would gain nothing; until all that are left agree.
static int choose(shuffle *s) {
    run runs[MAX_RUNS];
    int n = 0;
    for (bool again = true; again;) {
        again = false;
        n = 0;
        find_free(s);
        for (int i = 0; i < s->n_readers; i++) {
            reader *r = &s->reader[i];
            if (!r->left && !is_clear(s, first_of(r)->in[0]))
                r->left = again = true;
        }
        if (again)
            continue;
        order_all(s);
        for (int i = 0; i < s->n_readers; i++) {
            reader *r = &s->reader[i];
            int n_runs = r->left ? 0 : find_runs(s, r, runs);
            if (n_runs < 0 || count_channels(runs, n_runs) > MOST_MORE * map_of(s, r)->n)
                r->left = again = true;
            n += !r->left;
        }
    }
    return n;
}

int fv_pass_shuffle(fv_passes *p) {
    shuffle s = {.p = p};
    int changes = 0;
    fv_channels_find(&s.channels, p);
    s.now = FV_ARENA_NEW(s.channels.arena, int, s.channels.n_channels + 1);
    s.free = FV_ARENA_NEW(s.channels.arena, bool, s.channels.n_tensors + 1);
    find_readers(&s);
    int n = choose(&s), n_ordered = 0;
    for (int t = 0; t < s.channels.n_tensors; t++)
        n_ordered += can_be_ordered(&s, t);
    if (n && p->tensor_room >= 2 * n_ordered + n * (MAX_RUNS + 4)) // two constants; slices, their concatenation, three constants
        changes = rewrite_all(&s);
    fv_channels_finish(&s.channels);
    return changes;
}
