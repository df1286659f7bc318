#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/graph.h"
#include "pipeline/graph/ops.h"

// ---- one node -----------------------------------------------------------------------------------

static bool is_narrow(const fv_tensor *t) {
    return t && (t->dtype == FV_F16 || t->dtype == FV_F64);
}

static bool widen(fv_tensor *t, bool copy) {
    size_t n = (size_t)fv_tensor_count(t);
    float *data = malloc(n * sizeof *data + 1);
    if (data && copy)
        fv_convert(data, FV_F32, t->data, t->dtype, n);
    t->dtype = FV_F32;
    t->data = data;
    return data;
}

// Runs a float32 reference on float16 or float64: every such tensor is replaced by a float32 copy.
static bool run_as_float(const fv_call *c) {
    int n = c->n_in + c->n_out;
    fv_tensor *copy = calloc((size_t)n + 1, sizeof *copy);
    const fv_tensor **in = calloc((size_t)c->n_in + 1, sizeof *in);
    fv_tensor **out = calloc((size_t)c->n_out + 1, sizeof *out);
    bool ok = copy && in && out;
    for (int i = 0; ok && i < n; i++) {
        const fv_tensor *t = i < c->n_in ? c->in[i] : c->out[i - c->n_in];
        copy[i] = t ? *t : (fv_tensor){0};
        if (is_narrow(t))
            ok = widen(&copy[i], i < c->n_in);
        if (i < c->n_in)
            in[i] = t ? &copy[i] : NULL;
        else
            out[i - c->n_in] = t ? &copy[i] : NULL;
    }
    fv_call wide = *c;
    wide.in = in;
    wide.out = out;
    ok = ok ? c->op->run(&wide) : fv_fail(c->err, FV_MEMORY, "out of memory");
    for (int i = 0; copy && i < n; i++) {
        const fv_tensor *t = i < c->n_in ? c->in[i] : c->out[i - c->n_in];
        if (ok && i >= c->n_in && is_narrow(t))
            fv_convert(t->data, t->dtype, copy[i].data, FV_F32, (size_t)fv_tensor_count(t));
        if (is_narrow(t) && copy[i].data != t->data)
            free(copy[i].data);
    }
    free(copy);
    free(in);
    free(out);
    return ok;
}

bool fv_node_run(const fv_graph *g, const fv_node *n, const fv_tensor *const in[],
                 fv_tensor *const out[], fv_err *err) {
    fv_call c = {.op = n->op,
                 .opset = g->opset,
                 .attr = n->attr,
                 .n_in = n->n_in,
                 .n_out = n->n_out,
                 .in = in,
                 .out = out,
                 .err = err};
    bool narrow = false;
    for (int i = 0; i < n->n_in; i++)
        narrow |= is_narrow(in[i]);
    for (int i = 0; i < n->n_out; i++)
        narrow |= is_narrow(out[i]);
    bool ok = n->op->as_float && narrow ? run_as_float(&c) : n->op->run(&c);
    return ok || fv_fail_in(err, "node '%s' (%s)", n->name, n->op->name);
}

// ---- the graph ----------------------------------------------------------------------------------

// What a run knows of each tensor: its data, how many readers are left, whether the data is ours.
typedef struct {
    fv_tensor *tensor;
    int *readers;
    bool *owned;
    const fv_tensor **in;
    fv_tensor **out;
} state;

static void state_finish(const fv_graph *g, state *s) {
    for (int i = 0; s->owned && s->tensor && i < g->n_tensors; i++)
        if (s->owned[i])
            free(s->tensor[i].data);
    free(s->tensor);
    free(s->readers);
    free(s->owned);
    free(s->in);
    free(s->out);
}

static bool state_init(const fv_graph *g, state *s) {
    size_t n = (size_t)g->n_tensors + 1, widest = 1;
    for (int i = 0; i < g->n_nodes; i++) {
        widest = (size_t)g->node[i].n_in > widest ? (size_t)g->node[i].n_in : widest;
        widest = (size_t)g->node[i].n_out > widest ? (size_t)g->node[i].n_out : widest;
    }
    *s = (state){calloc(n, sizeof *s->tensor), calloc(n, sizeof *s->readers),
                 calloc(n, sizeof *s->owned), calloc(widest, sizeof *s->in),
                 calloc(widest, sizeof *s->out)};
    if (!s->tensor || !s->readers || !s->owned || !s->in || !s->out)
        return false;
    memcpy(s->tensor, g->tensor, sizeof *s->tensor * (size_t)g->n_tensors);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->node[i].n_in; k++)
            if (g->node[i].in[k] >= 0)
                s->readers[g->node[i].in[k]]++;
    return true;
}

static bool prepare_outputs(const fv_node *n, state *s, fv_err *err) {
    for (int k = 0; k < n->n_out; k++) {
        int t = n->out[k];
        s->out[k] = t < 0 ? NULL : &s->tensor[t];
        if (t < 0 || s->tensor[t].data)
            continue;
        s->tensor[t].data = calloc(1, fv_tensor_bytes(&s->tensor[t]) + 1);
        s->owned[t] = true;
        if (!s->tensor[t].data)
            return fv_fail(err, FV_MEMORY, "node '%s': out of memory (%zu bytes)", n->name,
                           fv_tensor_bytes(&s->tensor[t]));
    }
    return true;
}

static void release(state *s, int t) {
    if (!s->owned[t])
        return;
    free(s->tensor[t].data);
    s->tensor[t].data = NULL;
    s->owned[t] = false;
}

static void release_read(const fv_node *n, state *s) {
    for (int k = 0; k < n->n_in; k++)
        if (n->in[k] >= 0 && --s->readers[n->in[k]] == 0)
            release(s, n->in[k]);
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0 && s->readers[n->out[k]] == 0)
            release(s, n->out[k]);
}

static bool run_nodes(const fv_graph *g, state *s, fv_watch_fn watch, void *user, fv_err *err) {
    for (int i = 0; i < g->n_nodes; i++) {
        const fv_node *n = &g->node[i];
        for (int k = 0; k < n->n_in; k++)
            s->in[k] = n->in[k] < 0 ? NULL : &s->tensor[n->in[k]];
        if (!prepare_outputs(n, s, err) || !fv_node_run(g, n, s->in, s->out, err))
            return false;
        for (int k = 0; watch && k < n->n_out; k++)
            if (s->out[k])
                watch(user, n, s->out[k]);
        release_read(n, s);
    }
    return true;
}

// An output that is an input or a constant, or that is listed twice, has no node that writes it
// there.
static void copy_untouched(const fv_graph *g, const state *s, void *const out[]) {
    for (int i = 0; i < g->n_outputs; i++) {
        const fv_tensor *t = &s->tensor[g->output[i]];
        if (t->data && t->data != out[i])
            memcpy(out[i], t->data, fv_tensor_bytes(t));
    }
}

bool fv_graph_run_watched(const fv_graph *g, const void *const in[], void *const out[],
                          fv_watch_fn watch, void *user, fv_err *err) {
    state s;
    bool ok = state_init(g, &s) || fv_fail(err, FV_MEMORY, "out of memory");
    for (int i = 0; ok && i < g->n_inputs; i++)
        s.tensor[g->input[i]].data = (void *)in[i];
    for (int i = 0; ok && i < g->n_outputs; i++)
        if (!s.tensor[g->output[i]].data)
            s.tensor[g->output[i]].data = out[i];
    ok = ok && run_nodes(g, &s, watch, user, err);
    if (ok)
        copy_untouched(g, &s, out);
    state_finish(g, &s);
    return ok;
}

bool fv_graph_run(const fv_graph *g, const void *const in[], void *const out[], fv_err *err) {
    return fv_graph_run_watched(g, in, out, NULL, NULL, err);
}
