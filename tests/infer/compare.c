#include "tests/infer/compare.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/infer/plan.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

static fv_gpu *gpu;

fv_gpu *fv_compare_gpu(void) {
    fv_err err = {0};
    if (!gpu)
        gpu = fv_gpu_create(&(fv_gpu_params){.validate = true, .cache_dir = ""}, &err);
    CHECK_OK(gpu != NULL, err);
    return gpu;
}

void fv_compare_finish(void) {
    fv_gpu_destroy(&gpu);
}

static double element(const fv_tensor *t, const void *data, int64_t i) {
    switch (t->dtype) {
    case FV_F32: return (double)((const float *)data)[i];
    case FV_I64: return (double)((const int64_t *)data)[i];
    case FV_I32: return (double)((const int32_t *)data)[i];
    default: return (double)((const uint8_t *)data)[i];
    }
}

static double difference(const fv_tensor *a, const void *reference) {
    double largest = 0, most = 0;
    for (int64_t i = 0, n = fv_tensor_count(a); i < n; i++) {
        double x = element(a, a->data, i), y = element(a, reference, i);
        if (isnan(x) && isnan(y))
            continue;
        most = fabs(y) > most && isfinite(y) ? fabs(y) : most;
        double d = x == y ? 0 : fabs(x - y);
        largest = d <= largest ? largest : d; // NaN becomes the result
    }
    return most > 0 ? largest / most : largest;
}

static double run(const fv_plan *plan, const fv_graph *g, const void *const *in, void *const *out, fv_err *err) {
    fv_session *s = fv_session_create(plan, NULL, 2, err);
    double worst = -1;
    // Twice: the second run starts with the memory that the first has left.
    for (int round = 0; s && round < 2; round++) {
        fv_result r;
        worst = -1;
        if (!fv_session_push_tensors(s, in, NULL, err) || !fv_session_pull(s, &r, err))
            break;
        worst = 0;
        for (int i = 0; i < r.n; i++) {
            double d = difference(&r.tensor[i], out[i]);
            worst = d <= worst ? worst : d;
        }
    }
    fv_session_destroy(&s);
    return g && fv_gpu_check(gpu, err) ? worst : -1;
}

static double compare(const fv_graph *g, bool half, float scale, float shift, int *n_host_steps) {
    fv_err err = {0};
    unsigned seed = 1;
    double worst = -1;
    void *in[64] = {0}, *out[64] = {0};
    for (int i = 0; i < g->n_inputs; i++) {
        const fv_tensor *t = &g->tensor[g->input[i]];
        float *v = in[i] = calloc(1, fv_tensor_bytes(t) + 16);
        for (int64_t k = 0; t->dtype == FV_F32 && k < fv_tensor_count(t); k++)
            v[k] = fv_random(&seed) * scale + shift;
    }
    for (int i = 0; i < g->n_outputs; i++)
        out[i] = calloc(1, fv_tensor_bytes(&g->tensor[g->output[i]]) + 16);
    const fv_plan_params params = {.precision = FV_PRECISION_FP32};
    fv_plan *plan = fv_plan_make(fv_compare_gpu(), g, &params, half, &err);
    if (plan && fv_graph_run(g, (const void *const *)in, out, &err))
        worst = run(plan, g, (const void *const *)in, out, &err);
    if (plan && n_host_steps)
        *n_host_steps = fv_plan_get_stats(plan).n_host_steps;
    if (worst < 0)
        fprintf(stderr, "%s\n", err.text);
    fv_plan_destroy(&plan);
    for (int i = 0; i < 64; i++)
        free(in[i]);
    for (int i = 0; i < 64; i++)
        free(out[i]);
    return worst;
}

double fv_compare_run(const fv_graph *g, float scale, float shift, int *n_host_steps) {
    return compare(g, false, scale, shift, n_host_steps);
}

double fv_compare_half(const fv_graph *g, float scale, float shift, int *n_host_steps) {
    return compare(g, true, scale, shift, n_host_steps);
}

void fv_compare_chain(const fv_one_node *chain, int n, int n_dispatches_less_than) {
    fv_err err = {0};
    size_t size;
    int n_host = 0;
    if (!fv_compare_gpu())
        return;
    void *model = fv_one_node_model(chain, n, 13, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    CHECK_OK(g && fv_graph_optimize(g, &err), err);
    double worst = g ? fv_compare_run(g, 1, 0, &n_host) : -1;
    if (worst < 0 || worst > 1e-5)
        fprintf(stderr, "%s %s and on: %g\n", chain[0].op, chain[0].inputs, worst);
    CHECK(worst >= 0 && worst <= 1e-5);
    CHECK_EQUAL(n_host, 0);
    double half = g ? fv_compare_half(g, 1, 0, NULL) : -1;
    CHECK(half >= 0 && half <= FV_HALF_LOSS);
    fv_plan *plan = g ? fv_plan_create(fv_compare_gpu(), g, NULL, &err) : NULL;
    CHECK_OK(plan != NULL, err);
    int n_dispatches = plan ? fv_plan_get_stats(plan).n_dispatches : 0;
    n_dispatches += g && fv_gpu_get_caps(fv_compare_gpu())->cpu ? g->n_inputs : 0;
    if (n_dispatches >= n_dispatches_less_than)
        fv_plan_print(plan, stderr);
    CHECK(n_dispatches < n_dispatches_less_than);
    fv_plan_destroy(&plan);
    fv_graph_destroy(&g);
    free(model);
}
