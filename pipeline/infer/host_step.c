#include "pipeline/graph/ops.h"
#include "pipeline/infer/session.h"

static const fv_view *dense_view(const fv_plan *p, int tensor) {
    for (int i = 0; i < p->place[tensor].n_views; i++) {
        const fv_view *v = &p->place[tensor].view[i];
        if (v->space == FV_SPACE_ACTIVATIONS && fv_view_is_dense(v))
            return v;
    }
    return NULL;
}

static size_t byte_offset(const fv_plan *p, const fv_view *v) {
    return p->root[v->root].offset + (size_t)v->at * p->element;
}

// The tensor with its data where the host can reach it; `shadow` is set when that is a stand-in.
static fv_tensor *operand(fv_session *s, fv_slot *slot, int tensor, void **shadow, fv_view *view) {
    const fv_plan *p = s->plan;
    if (tensor < 0)
        return NULL;
    fv_tensor *t = fv_arena_memdup(s->arena, fv_plan_tensor(p, tensor), sizeof *t);
    const fv_view *v = dense_view(p, tensor);
    char *map = fv_gpu_buffer_map(slot->activations);
    if (t->data)
        return t;
    if (p->place[tensor].host_at != SIZE_MAX) {
        t->data = slot->host + p->place[tensor].host_at;
    } else if (v && map && !p->half) {
        t->data = map + byte_offset(p, v);
    } else {
        t->data = fv_arena_alloc(s->arena, fv_tensor_bytes(t) + fv_tensor_bytes(t) / 2 + 16); // float16 behind
        *shadow = v ? t->data : NULL;
        *view = v ? *v : (fv_view){0};
    }
    return t;
}

bool fv_host_steps_prepare(fv_session *s, fv_slot *slot, fv_err *err) {
    const fv_plan *p = s->plan;
    (void)err;
    for (int i = 0; i < p->n_segments; i++) {
        if (!p->segment[i].host)
            continue;
        const fv_node *n = p->step[p->segment[i].first].node;
        fv_host_step *h = &slot->host_step[i];
        h->in = FV_ARENA_NEW(s->arena, const fv_tensor *, n->n_in + 1);
        h->out = FV_ARENA_NEW(s->arena, fv_tensor *, n->n_out + 1);
        h->shadow_in = FV_ARENA_NEW(s->arena, void *, n->n_in + 1);
        h->shadow_out = FV_ARENA_NEW(s->arena, void *, n->n_out + 1);
        h->view_in = FV_ARENA_NEW(s->arena, fv_view, n->n_in + 1);
        h->view_out = FV_ARENA_NEW(s->arena, fv_view, n->n_out + 1);
        for (int k = 0; k < n->n_in; k++)
            h->in[k] = operand(s, slot, n->in[k], &h->shadow_in[k], &h->view_in[k]);
        for (int k = 0; k < n->n_out; k++)
            h->out[k] = operand(s, slot, n->out[k], &h->shadow_out[k], &h->view_out[k]);
    }
    return true;
}

// Between n elements of the device and their stand-in, which has room for as many float16 behind it.
static bool take(fv_session *s, fv_slot *slot, const fv_view *v, float *shadow, size_t n, fv_err *err) {
    const fv_plan *p = s->plan;
    void *to = p->half ? (void *)(shadow + n) : shadow;
    bool ok = fv_gpu_buffer_download(slot->activations, byte_offset(p, v), to, n * p->element, err);
    if (ok && p->half)
        fv_convert(shadow, FV_F32, to, FV_F16, n);
    return ok;
}

static bool give(fv_session *s, fv_slot *slot, const fv_view *v, float *shadow, size_t n, fv_err *err) {
    const fv_plan *p = s->plan;
    void *from = p->half ? (void *)(shadow + n) : shadow;
    if (p->half)
        fv_convert(from, FV_F16, shadow, FV_F32, n);
    return fv_gpu_buffer_upload(slot->activations, byte_offset(p, v), from, n * p->element, err);
}

bool fv_host_step_run(fv_session *s, fv_slot *slot, int segment, fv_err *err) {
    const fv_plan *p = s->plan;
    const fv_node *n = p->step[p->segment[segment].first].node;
    const fv_host_step *h = &slot->host_step[segment];
    for (int k = 0; k < n->n_in; k++)
        if (h->shadow_in[k] &&
            !take(s, slot, &h->view_in[k], h->shadow_in[k], (size_t)fv_tensor_count(h->in[k]), err))
            return false;
    if (!fv_node_run(p->graph, n, h->in, h->out, err))
        return false;
    for (int k = 0; k < n->n_out; k++)
        if (h->shadow_out[k] &&
            !give(s, slot, &h->view_out[k], h->shadow_out[k], (size_t)fv_tensor_count(h->out[k]), err))
            return false;
    return true;
}
