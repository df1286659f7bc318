#include "pipeline/infer/plan.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "shaders/push.h"

enum { LOCAL = 64, MAX_GROUPS_X = 32768 };

bool fv_plan_fail(fv_plan *p, fv_code code, const char *format, ...) {
    if (p->err.code != FV_OK)
        return false;
    char text[sizeof p->err.text];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return fv_fail(&p->err, code, "%s", text);
}

static fv_step *add_step(fv_plan *p) {
    if (p->n_steps == p->steps_room) {
        p->steps_room = 2 * p->steps_room + 64;
        p->step = realloc(p->step, (size_t)p->steps_room * sizeof *p->step);
        if (!p->step)
            abort();
    }
    p->step[p->n_steps] = (fv_step){0};
    return &p->step[p->n_steps++];
}

void fv_groups(int64_t n_groups, uint32_t groups[3]) {
    groups[0] = (uint32_t)(n_groups < MAX_GROUPS_X ? n_groups : MAX_GROUPS_X);
    groups[1] = (uint32_t)((n_groups + groups[0] - 1) / groups[0]);
    groups[2] = 1;
}

// Kernels that are also there with 64-bit stores (STORE_WIDE in shaders/lib/bind.glsl).
static const char *widest(const fv_plan *p, const char *kernel) {
    static const char *const wide[][2] = {
        {"copy4", "copy4_wide"}, {"deform", "deform_wide"}, {"eltwise4", "eltwise4_wide"}, {"pool", "pool_wide"}, {"resize", "resize_wide"},
        {"unzip", "unzip_wide"}, {"matmul_tile", "matmul_tile_wide"},
        {"softmax", "softmax_wide"}, {"conv_separable", "conv_separable_wide"},
        {"conv_separable_any", "conv_separable_any_wide"},
        {"conv_pool", "conv_pool_wide"}, {"conv_pool_any", "conv_pool_any_wide"},
        {"conv_shuffle", "conv_shuffle_wide"}};
    for (size_t i = 0; i < sizeof wide / sizeof wide[0] && fv_gpu_get_caps(p->gpu)->int64; i++)
        if (!strcmp(kernel, wide[i][0]))
            return wide[i][1];
    return kernel;
}

fv_step *fv_plan_dispatch(fv_plan *p, const fv_node *node, const char *kernel, const uint32_t *spec, int n_spec,
                          const void *push, size_t push_bytes, int64_t invocations, int local) {
    fv_step *s = add_step(p);
    s->kernel = p->half ? fv_arena_printf(p->arena, "%s_half", kernel) : widest(p, kernel);
    s->node = node;
    s->n_spec = (uint32_t)n_spec;
    memcpy(s->spec, spec, (size_t)n_spec * sizeof *spec);
    s->n_words = (uint32_t)(push_bytes / 4);
    memcpy(s->push, push, push_bytes);
    fv_groups((invocations + local - 1) / local, s->groups);
    return s;
}

void fv_plan_host(fv_plan *p, const fv_node *node) {
    fv_step *s = add_step(p);
    s->node = node;
    s->note = "host";
}

static void touch(fv_step *s, const fv_view *v, size_t offset, uint32_t unit, bool written) {
    if (v->space == FV_SPACE_WEIGHTS || v->space == FV_SPACE_UPLOAD)
        return;
    fv_touch *t = &s->touch[s->n_touches++];
    *t = (fv_touch){.space = v->space, .root = v->root, .written = written};
    fv_view_extent(v, &t->lo, &t->hi);
    t->lo *= 4, t->hi *= 4;
    s->bytes += 4 * (double)fv_view_count(v);
    if (s->kernel && v->space == FV_SPACE_ACTIVATIONS)
        s->ref[s->n_refs++] = (fv_ref){(int)(offset / 4), v->root, unit};
}

void fv_step_reads(fv_step *s, const fv_view *v, size_t offset, uint32_t unit) {
    touch(s, v, offset, unit, false);
}

void fv_step_reads_listed(fv_step *s, const fv_view *v) {
    int refs = s->n_refs;
    touch(s, v, 0, 16, false);
    s->n_refs = refs;
}

void fv_step_writes(fv_step *s, const fv_view *v, size_t offset, uint32_t unit) {
    touch(s, v, offset, unit, true);
}

// ---- copies ----------------------------------------------------------------------------------------

// Channels can be moved four at a time on this side.
static bool is_vec4(const fv_view *v) {
    if (v->n_dims < 2 || v->at % 4 || v->stride[1] != 1 || v->space == FV_SPACE_UPLOAD || v->space == FV_SPACE_READBACK)
        return false;
    for (int d = 0; d < v->n_dims; d++)
        if (d != 1 && v->dim[d] != 1 && v->stride[d] % 4)
            return false;
    return true;
}

typedef struct {
    int n_dims;
    uint32_t dim[FV_COPY_DIMS];
    int32_t from[FV_COPY_DIMS], to[FV_COPY_DIMS];
} walk;

// Dimensions right-aligned as the shader wants them.
static walk make_walk(const fv_view *from, const fv_view *to, int *keep) {
    int64_t dim[FV_MAX_DIMS], stride[2][FV_MAX_DIMS];
    walk w = {.n_dims = fv_views_collapse((const fv_view *[]){from, to}, 2, keep, dim, stride)};
    int shift = FV_COPY_DIMS - w.n_dims;
    for (int d = 0; d < w.n_dims; d++) {
        w.dim[shift + d] = (uint32_t)dim[d];
        w.from[shift + d] = (int32_t)stride[0][d];
        w.to[shift + d] = (int32_t)stride[1][d];
    }
    if (keep)
        *keep += shift;
    return w;
}

// Moves dimension `d` to the front (slowest) or to the back, so that neighbouring invocations touch
// neighbouring memory.
static int move_dim(walk *w, int d, bool back) {
    int goal = back ? FV_COPY_DIMS - 1 : FV_COPY_DIMS - w->n_dims;
    int step = goal > d ? 1 : -1;
    for (; d != goal; d += step) {
        uint32_t n = w->dim[d];
        int32_t from = w->from[d], to = w->to[d];
        w->dim[d] = w->dim[d + step], w->from[d] = w->from[d + step], w->to[d] = w->to[d + step];
        w->dim[d + step] = n, w->from[d + step] = from, w->to[d + step] = to;
    }
    return goal;
}

static void copy4(fv_plan *p, const fv_node *node, const fv_view *from, const fv_view *to, const char *note) {
    bool in4 = is_vec4(from), out4 = is_vec4(to);
    fv_view f = *from, t = *to;
    int64_t c = f.dim[1], groups = (c + 3) / 4;
    f.dim[1] = t.dim[1] = groups;
    f.stride[1] *= 4, t.stride[1] *= 4;
    int channel = 1;
    walk w = make_walk(&f, &t, &channel);
    channel = move_dim(&w, channel, in4 && out4);
    fv_push_copy4 push = {.in_at = (uint32_t)from->at, .out_at = (uint32_t)to->at, .c = (uint32_t)c,
                          .count = (uint32_t)fv_view_count(&f), .channel_dim = (uint32_t)channel,
                          .in_c_stride = (int32_t)from->stride[1], .out_c_stride = (int32_t)to->stride[1]};
    memcpy(push.dim, w.dim, sizeof push.dim);
    memcpy(push.in_stride, w.from, sizeof push.in_stride);
    memcpy(push.out_stride, w.to, sizeof push.out_stride);
    fv_step *s = fv_plan_dispatch(p, node, "copy4", (uint32_t[]){from->space, to->space, (uint32_t)w.n_dims, in4, out4},
                                  5, &push, sizeof push, push.count, LOCAL);
    s->note = note;
    fv_step_reads(s, from, offsetof(fv_push_copy4, in_at), 4);
    fv_step_writes(s, to, offsetof(fv_push_copy4, out_at), 4);
}

static void copy1(fv_plan *p, const fv_node *node, const fv_view *from, const fv_view *to, const char *note,
                  const float *fill) {
    walk w = make_walk(from, to, NULL);
    fv_push_copy push = {.in_at = (uint32_t)from->at, .out_at = (uint32_t)to->at, .count = (uint32_t)fv_view_count(to),
                         .fill = fill ? *fill : 0, .valid_dim = FV_COPY_DIMS - 1};
    memcpy(push.dim, w.dim, sizeof push.dim);
    memcpy(push.in_stride, w.from, sizeof push.in_stride);
    memcpy(push.out_stride, w.to, sizeof push.out_stride);
    fv_step *s = fv_plan_dispatch(p, node, "copy", (uint32_t[]){from->space, to->space, (uint32_t)w.n_dims, fill != NULL},
                                  4, &push, sizeof push, push.count, LOCAL);
    s->note = note;
    if (!fill)
        fv_step_reads(s, from, offsetof(fv_push_copy, in_at), 4);
    fv_step_writes(s, to, offsetof(fv_push_copy, out_at), 4);
}

void fv_plan_copy(fv_plan *p, const fv_node *node, const fv_view *from, const fv_view *to, const char *note) {
    // A padded target needs its zeros; else four at a time where one side allows it.
    bool zeros = to->padded && to->n_dims > 1 && to->dim[1] % 4 && is_vec4(to);
    bool whole = from->n_dims > 1 && from->dim[1] % 4 == 0;
    bool safe = zeros || whole || !is_vec4(to); // else the last vec4 would overwrite a neighbour
    if (from->n_dims > 1 && safe && (is_vec4(from) || is_vec4(to)))
        copy4(p, node, from, to, note);
    else
        copy1(p, node, from, to, note, NULL);
}

void fv_plan_fill(fv_plan *p, const fv_node *node, const fv_view *to, float value) {
    fv_view all = *to;
    if (to->padded && to->dim[1] % 4) { // the zeros behind the channels too
        all.dim[1] = (to->dim[1] + 3) / 4 * 4;
        copy1(p, node, &all, &all, "fill", &(float){0});
    }
    all.dim[1] = to->dim[1];
    if (value != 0 || !to->padded || to->dim[1] % 4 == 0)
        copy1(p, node, &all, &all, "fill", &value);
}
