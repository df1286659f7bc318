// Every case of libonnx-testdata that needs only ops of our table, on the device with validation on.
#include <stdlib.h>

#include "pipeline/infer/infer.h"
#include "tests/infer/compare.h"
#include "tests/onnx_cases.h"
#include "tests/test.h"

static int dispatches;

static bool on_device(void *user, fv_graph *g, const void *const in[], void *const out[], fv_err *err) {
    fv_gpu *gpu = user;
    fv_result r;
    fv_plan *plan = fv_graph_optimize(g, err) ? fv_plan_create(gpu, g, NULL, err) : NULL;
    fv_session *s = plan ? fv_session_create(plan, NULL, 1, err) : NULL;
    bool ok = s && fv_session_push_tensors(s, in, NULL, err) && fv_session_pull(s, &r, err) && fv_gpu_check(gpu, err);
    for (int i = 0; ok && i < r.n; i++)
        memcpy(out[i], r.tensor[i].data, fv_tensor_bytes(&r.tensor[i]));
    if (plan)
        dispatches += fv_plan_get_stats(plan).n_dispatches;
    fv_session_destroy(&s);
    fv_plan_destroy(&plan);
    return ok;
}

static void run(const char *set, int at_least) {
    fv_cases_tally tally;
    if (!fv_compare_gpu())
        return;
    dispatches = 0;
    if (!fv_cases_run(set, getenv("FOVEA_CASE"), on_device, fv_compare_gpu(), &tally)) {
        fv_test_skip("libonnx-testdata is not installed");
        return;
    }
    printf("     %s: %d dispatches\n", set, dispatches);
    CHECK_EQUAL(tally.failed, 0);
    if (!getenv("FOVEA_CASE"))
        CHECK(tally.passed >= at_least && dispatches >= tally.passed / 4);
}

static void node_cases(void) { run("node", 600); }
static void pytorch_converted(void) { run("pytorch-converted", 1); }
static void pytorch_operator(void) { run("pytorch-operator", 1); }
static void simple(void) { run("simple", 1); }

const fv_suite conformance_suite = {"conformance", (const fv_case[]){
    CASE(node_cases), CASE(pytorch_converted), CASE(pytorch_operator), CASE(simple), {0}}};
