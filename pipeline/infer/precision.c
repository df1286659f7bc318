#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/log.h"
#include "pipeline/infer/plan.h"

enum { MAX_CHECKED = 64 };
static const double SMALLEST = 0.01; // a channel smaller than this is compared with this

static const char *name_of(const fv_graph *g, const fv_plan_params *params) {
    return params->name ? params->name : g->name ? g->name : "the model";
}

// ---- what is compared ------------------------------------------------------------------------------

static bool orders(const fv_node *n) {
    static const char *const ops[] = {"TopK", "NonMaxSuppression", "ArgMax", "ArgMin"};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(fv_node_op(n), ops[i]))
            return true;
    return false;
}

static void add_output(const fv_graph *from, fv_graph *g, int tensor) {
    const fv_tensor *t = &from->tensor[tensor];
    bool there = t->dtype != FV_F32 || t->data || g->n_outputs == MAX_CHECKED;
    for (int i = 0; i < g->n_outputs && !there; i++)
        there = g->output[i] == tensor;
    if (!there)
        g->output[g->n_outputs++] = tensor;
}

// The same graph with other outputs: what is ordered instead of what an order decides on.
static fv_graph checked_graph(const fv_graph *g, int outputs[MAX_CHECKED]) {
    bool *by_order = calloc((size_t)g->n_tensors + 1, sizeof *by_order);
    fv_graph checked = *g;
    checked.output = outputs;
    checked.n_outputs = 0;
    for (int i = 0; by_order && i < g->n_nodes; i++) {
        const fv_node *n = &g->node[i];
        bool after = false;
        for (int k = 0; k < n->n_in; k++)
            after = after || (n->in[k] >= 0 && by_order[n->in[k]]);
        for (int k = 0; k < n->n_in && orders(n) && !after; k++)
            if (n->in[k] >= 0)
                add_output(g, &checked, n->in[k]);
        for (int k = 0; k < n->n_out && (after || orders(n)); k++)
            if (n->out[k] >= 0)
                by_order[n->out[k]] = true;
    }
    for (int i = 0; by_order && i < g->n_outputs; i++)
        if (!by_order[g->output[i]])
            add_output(g, &checked, g->output[i]);
    free(by_order);
    return checked;
}

static bool same_outputs(const fv_graph *a, const fv_graph *b) {
    return a->n_outputs == b->n_outputs && !memcmp(a->output, b->output, (size_t)a->n_outputs * sizeof *a->output);
}

// ---- the fixed input -------------------------------------------------------------------------------

// A pixel of 0..255: a slope, squares of several sizes and some noise.
static float drawn(int64_t x, int64_t y, int64_t c, int64_t w, int64_t h) {
    float slope = 120 * ((float)x / (float)w + (float)y / (float)h) / 2;
    float squares = ((x / 48 + y / 32 + c) & 1 ? 60.0f : 0) + ((x / 9 + y / 11) % 3 ? 0 : 45.0f);
    uint32_t hash = (uint32_t)((y * w + x) * 3 + c) * 2654435761u;
    return slope + squares + (float)(hash >> 27);
}

static void *draw(const fv_tensor *t, const fv_input *input, fv_arena *arena) {
    float *v = fv_arena_alloc(arena, fv_tensor_bytes(t) + 16);
    bool last = t->n_dims == 4 && t->dim[3] == 3 && t->dim[1] != 3;
    const int64_t *d = t->dim;
    int64_t c_n = t->n_dims == 4 ? d[last ? 3 : 1] : 1, h = t->n_dims == 4 ? d[last ? 1 : 2] : 1;
    int64_t w = t->n_dims == 4 ? d[last ? 2 : 3] : fv_tensor_count(t);
    for (int64_t i = 0; t->dtype == FV_F32 && i < fv_tensor_count(t); i++) {
        int64_t c = last ? i % c_n : i / (w * h) % c_n, pixel = last ? i / c_n % (w * h) : i % (w * h);
        float p = drawn(pixel % w, pixel / w, c, w, h);
        v[i] = input && c_n == 3 ? (p - input->mean[c]) * input->scale[c] : p / 255;
    }
    return v;
}

// ---- the check -------------------------------------------------------------------------------------

// The dimension that tells channels apart: the second of pictures, the smaller one of lists.
static int channel_dim(const fv_tensor *t) {
    return t->n_dims == 3 && t->dim[2] < t->dim[1] ? 2 : 1;
}

static double ratio(double of_difference, double of_ref, int64_t n) {
    double d = sqrt(of_difference / (double)n), ref = sqrt(of_ref / (double)n);
    return d / (ref > SMALLEST ? ref : SMALLEST);
}

// The largest ratio of the channels; not a number where float16 gave that alone.
static double difference(const fv_tensor *a, const fv_tensor *ref, fv_arena *arena) {
    int dim = channel_dim(ref);
    int64_t count = fv_tensor_count(ref), channels = ref->n_dims > dim ? ref->dim[dim] : 1, inner = 1;
    for (int d = dim + 1; d < ref->n_dims; d++)
        inner *= ref->dim[d];
    double *sum = FV_ARENA_NEW(arena, double, 2 * channels + 1), largest = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = (double)((const float *)a->data)[i], y = (double)((const float *)ref->data)[i];
        double *s = sum + 2 * (i / inner % channels);
        s[0] += x == y || (isnan(x) && isnan(y)) ? 0 : (x - y) * (x - y);
        s[1] += isfinite(y) ? y * y : 0;
    }
    for (int64_t c = 0; c < channels && count; c++) {
        double r = ratio(sum[2 * c], sum[2 * c + 1], count / channels);
        largest = r <= largest ? largest : r; // not a number stays
        if (isnan(largest))
            break;
    }
    return largest;
}

static bool pull_once(const fv_plan *p, const void *const *in, fv_session **s, fv_result *r, fv_err *err) {
    *s = fv_session_create(p, NULL, 1, err);
    return *s && fv_session_push_tensors(*s, in, NULL, err) && fv_session_pull(*s, r, err);
}

// The largest error of the outputs; infinite where nothing could be compared.
static bool measure(const fv_plan *half, const fv_plan *full, const fv_plan_params *params, double *error, fv_err *err) {
    const fv_graph *g = full->graph;
    fv_arena *arena = fv_arena_create();
    const void **in = FV_ARENA_NEW(arena, const void *, g->n_inputs + 1);
    for (int i = 0; i < g->n_inputs; i++)
        in[i] = draw(&g->tensor[g->input[i]], params->input, arena);
    fv_session *a = NULL, *b = NULL;
    fv_result of_half, of_full;
    bool ok = pull_once(half, in, &a, &of_half, err) && pull_once(full, in, &b, &of_full, err);
    *error = g->n_outputs ? 0 : (double)INFINITY;
    for (int i = 0; ok && i < g->n_outputs && !isnan(*error); i++) {
        double d = difference(&of_half.tensor[i], &of_full.tensor[i], arena);
        *error = d <= *error ? *error : d;
    }
    fv_session_destroy(&a);
    fv_session_destroy(&b);
    fv_arena_destroy(&arena);
    return ok;
}

// A plan of this kind of float16 that has passed, or NULL with the reason in `why`.
static fv_plan *checked_half(fv_gpu *gpu, const fv_graph *g, const fv_plan_params *params, fv_half kind, fv_err *why) {
    int outputs[MAX_CHECKED];
    double error = 0;
    fv_graph checked = checked_graph(g, outputs);
    const fv_plan_params quick = {.precision = FV_PRECISION_FP32};
    fv_plan *full = fv_plan_make(gpu, &checked, &quick, FV_HALF_NONE, why), *half = NULL;
    bool same = same_outputs(g, &checked);
    if (full)
        half = same ? fv_plan_make(gpu, g, params, kind, why) : fv_plan_make(gpu, &checked, &quick, kind, why);
    bool ok = half && measure(half, full, params, &error, why);
    if (ok && !(error <= FV_FP16_BOUND))
        ok = fv_fail(why, FV_UNSUPPORTED, "float16 is off by %.2g, the bound is %g", error,
                     FV_FP16_BOUND);
    if (!ok || !same)
        fv_plan_destroy(&half);
    fv_plan_destroy(&full);
    if (ok && !same)
        half = fv_plan_make(gpu, g, params, kind, why);
    if (half)
        half->half_error = error;
    return half;
}

fv_plan *fv_plan_create(fv_gpu *gpu, const fv_graph *g, const fv_plan_params *params, fv_err *err) {
    static const fv_plan_params plain = {.precision = FV_PRECISION_FP32};
    static const char *const kinds[] = {[FV_HALF_STORED] = "in memory", [FV_HALF_COMPUTED] = "in memory and arithmetic"};
    const fv_gpu_caps *caps = fv_gpu_get_caps(gpu);
    params = params ? params : &plain;
    bool forced = params->precision == FV_PRECISION_FP16;
    if (!forced && (params->precision == FV_PRECISION_FP32 || caps->cpu || !caps->fp16_storage))
        return fv_plan_make(gpu, g, params, FV_HALF_NONE, err);
    fv_err why = {0};
    fv_plan *half = NULL;
    if (!caps->fp16_storage)
        fv_fail(&why, FV_UNSUPPORTED, "%s does not store float16", caps->name);
    for (int kind = caps->fp16_arithmetic ? FV_HALF_COMPUTED : FV_HALF_STORED; caps->fp16_storage && kind && !half; kind--)
        half = checked_half(gpu, g, params, (fv_half)kind, &why);
    if (half) {
        fv_log(FV_LOG_INFO, "%s: float16 %s, off by %.2g (bound %g)", name_of(g, params), kinds[half->half],
               half->half_error, FV_FP16_BOUND);
        return half;
    }
    fv_log(FV_LOG_WARN, "%s: runs in float32: %s", name_of(g, params), why.text);
    return fv_plan_make(gpu, g, params, FV_HALF_NONE, err);
}
