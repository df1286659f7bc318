#include "pipeline/infer/plan.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/base/log.h"
#include "pipeline/graph/ops.h"
#include "pipeline/infer/lower.h"
#include "pipeline/infer/tune.h"

static size_t align16(size_t n) {
    return (n + 15) / 16 * 16;
}

// ---- outputs ---------------------------------------------------------------------------------------

static void place_host_tensors(fv_plan *p) {
    for (int i = 0; i < p->graph->n_tensors; i++) {
        const fv_tensor *t = fv_plan_tensor(p, i);
        p->place[i].host_at = SIZE_MAX;
        if (t->data || t->dtype == FV_F32)
            continue;
        p->place[i].host_at = p->host_bytes;
        p->host_bytes += align16(fv_tensor_bytes(t) + 16);
    }
}

bool fv_plan_shares_memory(const fv_plan *p) {
    return fv_gpu_get_caps(p->gpu)->cpu && !p->half && !p->params.candidates;
}

static void place_output(fv_plan *p, int tensor, fv_output *o) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    if (t->data || fv_tensor_count(t) == 0) {
        o->place = FV_OUTPUT_CONSTANT;
        return;
    }
    if (t->dtype != FV_F32) {
        o->place = FV_OUTPUT_HOST;
        return;
    }
    const fv_place *place = &p->place[tensor];
    for (int i = 0; i < place->n_views && fv_plan_shares_memory(p); i++) {
        if (place->view[i].space == FV_SPACE_ACTIVATIONS && fv_view_is_dense(&place->view[i])) {
            *o = (fv_output){.place = FV_OUTPUT_ACTIVATIONS, .view = place->view[i]};
            p->root[place->view[i].root].kept = true;
            return;
        }
    }
    const fv_view *made = place->n_views ? &place->view[0] : NULL;
    if (made && made->space == FV_SPACE_ACTIVATIONS && fv_plan_shares_memory(p)) {
        *o = (fv_output){.place = FV_OUTPUT_ACTIVATIONS, .view = fv_plan_scratch(p, t->n_dims, t->dim, false)};
        fv_plan_collect(p, made, &o->view);
        return;
    }
    *o = (fv_output){.place = FV_OUTPUT_READBACK, .exported = p->params.candidates,
                     .view = fv_view_dense(FV_SPACE_READBACK, 0, (int64_t)p->readback_bytes / 4, t->n_dims, t->dim)};
    p->readback_bytes += align16(fv_tensor_bytes(t));
    const fv_view *from = o->exported ? fv_plan_dense(p, tensor) : fv_plan_any(p, tensor);
    if (from && !o->exported)
        fv_plan_copy(p, NULL, from, &o->view, "output");
    if (from && o->exported) {
        o->source = *from;
        p->root[from->root].kept = true;
    }
}

static void place_outputs(fv_plan *p) {
    for (int i = 0; i < p->graph->n_outputs && p->err.code == FV_OK; i++)
        place_output(p, p->graph->output[i], &p->output[i]);
    for (int i = 0; i < p->graph->n_outputs && p->err.code == FV_OK; i++)
        if (p->output[i].exported) {
            fv_plan_copy(p, NULL, &p->output[i].source, &p->output[i].view, "output");
            p->n_exports++;
        }
}

// ---- nodes -----------------------------------------------------------------------------------------

// It is brought to the device and back, not a constant and not of another type.
static bool is_carried(const fv_plan *p, int tensor) {
    const fv_tensor *t = tensor < 0 ? NULL : fv_plan_tensor(p, tensor);
    return t && t->dtype == FV_F32 && !t->data && fv_tensor_count(t) > 0;
}

static void lower_on_host(fv_plan *p, const fv_node *n) {
    fv_view views[FV_STEP_MAX_TOUCHES];
    int n_in = 0, n_views = 0, n_carried = 0;
    for (int i = 0; i < n->n_in + n->n_out; i++)
        n_carried += is_carried(p, i < n->n_in ? n->in[i] : n->out[i - n->n_in]);
    if (n_carried > FV_STEP_MAX_TOUCHES) {
        fv_plan_fail(p, FV_UNSUPPORTED, "node '%s' (%s): %d inputs and outputs, at most %d are possible; split the node",
                     n->name, fv_node_op(n), n_carried, FV_STEP_MAX_TOUCHES);
        return;
    }
    for (int i = 0; i < n->n_in; i++) {
        const fv_view *v = is_carried(p, n->in[i]) ? fv_plan_dense(p, n->in[i]) : NULL;
        if (v)
            views[n_views++] = *v;
    }
    n_in = n_views;
    for (int i = 0; i < n->n_out; i++)
        if (is_carried(p, n->out[i]))
            views[n_views++] = fv_plan_make_dense(p, n->out[i]);
    fv_plan_host(p, n);
    fv_step *s = &p->step[p->n_steps - 1];
    for (int i = 0; i < n_views; i++)
        (i < n_in ? fv_step_reads : fv_step_writes)(s, &views[i], 0, 4);
}

// What node i is done together with.
typedef struct {
    const fv_joint *joint;
    const fv_node *first;
} partner;

static const fv_node *find_second(const fv_plan *p, const fv_node *first, const fv_joint **joint) {
    static const fv_joint *const joints[] = {&fv_joint_separable, &fv_joint_conv_pool, &fv_joint_near};
    for (size_t i = 0; i < sizeof joints / sizeof joints[0]; i++) {
        const fv_node *second = joints[i]->find(p, first);
        *joint = joints[i];
        if (second)
            return second;
    }
    return NULL;
}

static bool is_first_of_two(const fv_plan *p, const fv_node *n, partner *of) {
    const fv_joint *joint;
    const fv_node *second = find_second(p, n, &joint);
    if (second)
        of[second - p->graph->node] = (partner){joint, n};
    return second != NULL;
}

static int is_conv(const fv_node *n) {
    return !strcmp(fv_node_op(n), "Conv");
}

// Convolutions for which the tuner is asked.
static int count_single_convs(const fv_plan *p) {
    int n = 0;
    for (const fv_node *node = p->graph->node; node < p->graph->node + p->graph->n_nodes; node++) {
        const fv_joint *joint;
        const fv_node *second = is_conv(node) ? find_second(p, node, &joint) : NULL;
        n += second ? -is_conv(second) : is_conv(node);
    }
    return n;
}

static void lower_nodes(fv_plan *p) {
    partner *of = FV_ARENA_NEW(p->arena, partner, p->graph->n_nodes + 1);
    for (int i = 0; i < p->graph->n_nodes && p->err.code == FV_OK; i++) {
        const fv_node *n = &p->graph->node[i];
        const fv_lowering *row = fv_lower_find(p, n);
        if (of[i].joint)
            of[i].joint->lower(p, of[i].first, n);
        else if (!row)
            lower_on_host(p, n);
        else if (!is_first_of_two(p, n, of))
            row->lower(p, n, row->kind);
    }
}

// ---- resolving -------------------------------------------------------------------------------------

static void resolve_offsets(fv_plan *p) {
    for (int i = 0; i < p->n_steps; i++)
        for (int r = 0; r < p->step[i].n_refs && p->step[i].kernel; r++) {
            const fv_ref *ref = &p->step[i].ref[r];
            p->step[i].push[ref->word] += (uint32_t)(p->root[ref->root].offset / (ref->unit / 4 * p->element));
        }
    fv_parts_resolve(p);
    for (int i = 0; i < p->n_steps && p->half; i++)
        for (int t = 0; t < p->step[i].n_touches; t++)
            if (p->step[i].touch[t].space == FV_SPACE_ACTIVATIONS) {
                p->step[i].touch[t].lo /= 2;
                p->step[i].touch[t].hi /= 2;
            }
}

// Imports are a segment of their own beginning: a pushed frame leaves them out. Exports are the last segment, and
// the one before it is no host step.
static void make_segments(fv_plan *p) {
    p->segment = FV_ARENA_NEW(p->arena, fv_segment, p->n_steps + 3);
    int first = p->n_import, end = p->n_steps - p->n_exports;
    for (int i = p->n_import; i <= end; i++) {
        if (i < end && p->step[i].kernel)
            continue;
        if (i > first || !p->n_segments || (i == end && p->n_exports))
            p->segment[p->n_segments++] = (fv_segment){first, i, false};
        if (i < end)
            p->segment[p->n_segments++] = (fv_segment){i, i + 1, true};
        first = i + 1;
    }
    if (p->n_exports)
        p->segment[p->n_segments++] = (fv_segment){end, p->n_steps, false};
}

static bool upload_weights(fv_plan *p, fv_err *err) {
    size_t bytes = p->n_weights * p->element;
    uint16_t *half = p->half ? malloc(bytes + 1) : NULL;
    if (p->half && !half)
        return fv_fail(err, FV_MEMORY, "out of memory for %zu MiB of weights", bytes >> 20);
    if (half)
        fv_convert(half, FV_F16, p->weights, FV_F32, p->n_weights);
    p->weight_buffer = fv_gpu_buffer_create(p->gpu, bytes + 256, FV_GPU_WEIGHTS, err);
    bool ok = p->weight_buffer && fv_gpu_buffer_upload(p->weight_buffer, 0, half ? (void *)half : p->weights, bytes, err);
    free(half);
    free(p->weights);
    p->weights = NULL;
    return ok;
}

static bool build(fv_plan *p, fv_err *err) {
    p->place = FV_ARENA_NEW(p->arena, fv_place, p->graph->n_tensors + 1);
    p->output = FV_ARENA_NEW(p->arena, fv_output, p->graph->n_outputs + 1);
    for (int i = 0; i < p->graph->n_nodes; i++)
        for (int k = 0; k < p->graph->node[i].n_in; k++)
            if (p->graph->node[i].in[k] >= 0)
                p->place[p->graph->node[i].in[k]].n_uses++;
    for (int i = 0; i < p->graph->n_outputs; i++)
        p->place[p->graph->output[i]].n_uses++;
    place_host_tensors(p);
    fv_plan_find_collected(p);
    fv_plan_assign_homes(p);
    fv_plan_place_inputs(p);
    if (p->params.tune)
        p->tuner = fv_tuner_create(p->gpu, count_single_convs(p));
    lower_nodes(p);
    place_outputs(p);
    if (p->err.code != FV_OK) {
        if (err)
            *err = p->err;
        return false;
    }
    fv_plan_pair_copies(p);
    if (!fv_plan_place_roots(p, err))
        return false;
    resolve_offsets(p);
    make_segments(p);
    bool ok = fv_plan_make_pipelines(p, err);
    fv_tuner_destroy(&p->tuner);
    return ok && upload_weights(p, err);
}

fv_plan *fv_plan_make(fv_gpu *gpu, const fv_graph *g, const fv_plan_params *params, fv_half half, fv_err *err) {
    fv_plan *p = calloc(1, sizeof *p);
    if (!p) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    p->gpu = gpu;
    p->graph = g;
    p->half = half;
    p->element = half ? 2 : 4;
    p->frame_root = -1;
    p->arena = fv_arena_create();
    p->n_barriers = FV_ARENA_NEW(p->arena, int, 1);
    if (params)
        p->params = *params;
    if (!build(p, err))
        fv_plan_destroy(&p);
    else
        fv_log(FV_LOG_DEBUG, "plan: %d steps, %zu KiB activations, %zu KiB weights", p->n_steps,
               p->activation_bytes >> 10, (p->n_weights * p->element) >> 10);
    return p;
}

void fv_plan_take_weights(const fv_plan *p, fv_graph *g) {
    bool *keep = calloc((size_t)g->n_tensors + 1, sizeof *keep);
    for (int i = 0; keep && i < g->n_outputs; i++)
        keep[g->output[i]] = true;
    for (int i = 0; keep && i < p->n_steps; i++)
        for (int k = 0; !p->step[i].kernel && k < p->step[i].node->n_in; k++)
            if (p->step[i].node->in[k] >= 0)
                keep[p->step[i].node->in[k]] = true;
    if (keep)
        fv_graph_drop_constants(g, keep);
    free(keep);
}

fv_plan_stats fv_plan_get_stats(const fv_plan *p) {
    fv_plan_stats s = {.half = p->half, .half_error = p->half_error, .weight_bytes = p->n_weights * p->element,
                       .activation_bytes = p->activation_bytes, .n_barriers = *p->n_barriers};
    for (int i = 0; i < p->n_steps; i++)
        *(p->step[i].kernel ? &s.n_dispatches : &s.n_host_steps) += 1;
    return s;
}

void fv_plan_destroy(fv_plan **plan) {
    fv_plan *p = *plan;
    *plan = NULL;
    if (!p)
        return;
    fv_tuner_destroy(&p->tuner);
    for (int i = 0; i < p->n_steps; i++)
        fv_gpu_kernel_put(p->gpu, p->step[i].pipeline);
    fv_gpu_buffer_destroy(&p->weight_buffer);
    free(p->weights);
    free(p->weight_ref);
    free(p->step);
    free(p->root);
    fv_arena_destroy(&p->arena);
    free(p);
}
