// Every case of libonnx-testdata that needs only ops of our table, on the C reference.
#include <stdlib.h>

#include "tests/onnx_cases.h"
#include "tests/test.h"

static bool reference(void *user, fv_graph *g, const void *const in[], void *const out[],
                      fv_err *err) {
    (void)user;
    return fv_graph_run(g, in, out, err);
}

static bool optimized(void *user, fv_graph *g, const void *const in[], void *const out[],
                      fv_err *err) {
    (void)user;
    return fv_graph_optimize(g, err) && fv_graph_run(g, in, out, err);
}

static void run(const char *set, fv_executor_fn executor, int at_least) {
    fv_cases_tally tally;
    if (!fv_cases_run(set, getenv("FOVEA_CASE"), executor, NULL, &tally)) {
        fv_test_skip("libonnx-testdata is not installed");
        return;
    }
    CHECK_EQUAL(tally.failed, 0);
    if (!getenv("FOVEA_CASE"))
        CHECK(tally.passed >= at_least);
}

static void node_cases(void) {
    run("node", reference, 600);
    fv_cases_print_skips();
}

static void node_cases_optimized(void) {
    run("node", optimized, 600);
}

static void pytorch_converted(void) {
    run("pytorch-converted", optimized, 1);
}

static void pytorch_operator(void) {
    run("pytorch-operator", optimized, 1);
}

static void simple(void) {
    run("simple", reference, 1);
}

const fv_suite conformance_suite = {
    "conformance",
    (const fv_case[]){CASE(node_cases),
                      CASE(node_cases_optimized),
                      CASE(pytorch_converted),
                      CASE(pytorch_operator),
                      CASE(simple),
                      {0}},
};
