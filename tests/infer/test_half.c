// float16 is taken where it is right, and the user is told where it is not.
#include <stdlib.h>

#include "pipeline/base/log.h"
#include "pipeline/infer/infer.h"
#include "tests/infer/compare.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

typedef struct {
    int n;
    char last[512];
} heard;

static void listen(void *user, fv_log_level level, const char *text) {
    heard *h = user;
    h->n += level == FV_LOG_WARN;
    snprintf(h->last, sizeof h->last, "%s", text);
}

// The plan of a chain, and how many warnings it took to make it.
static fv_plan *plan_of(const fv_one_node *nodes, int n, fv_precision precision, fv_graph **g, heard *h) {
    fv_err err = {0};
    size_t size;
    void *model = fv_one_node_model(nodes, n, 13, &size);
    *g = fv_graph_load_memory(model, size, NULL, &err);
    free(model);
    CHECK_OK(*g != NULL, err);
    *h = (heard){0};
    fv_log_set(FV_LOG_WARN, listen, h);
    const fv_plan_params params = {.precision = precision, .name = "made-up.onnx"};
    fv_plan *p = *g ? fv_plan_create(fv_compare_gpu(), *g, &params, &err) : NULL;
    fv_log_set(FV_LOG_WARN, NULL, NULL);
    CHECK_OK(p != NULL, err);
    return p;
}

static void check(const fv_one_node *nodes, int n, fv_precision precision, fv_half half, int n_warnings) {
    fv_graph *g;
    heard h;
    if (!fv_compare_gpu())
        return;
    fv_plan *p = plan_of(nodes, n, precision, &g, &h);
    fv_plan_stats s = p ? fv_plan_get_stats(p) : (fv_plan_stats){0};
    CHECK_EQUAL(s.half, half);
    CHECK_EQUAL(h.n, n_warnings);
    if (n_warnings) {
        CHECK_CONTAINS(h.last, "made-up.onnx: runs in float32: float16 is off by");
        CHECK_CONTAINS(h.last, "the bound is 0.05");
    }
    if (half)
        CHECK(s.half_error > 0 && s.half_error <= FV_FP16_BOUND);
    fv_plan_destroy(&p);
    fv_graph_destroy(&g);
}

static const fv_one_node fine[] = {{"Conv", "1x3x16x16 c8x3x3x3 c8", "pads:ints=1,1,1,1", 0}, {"Sigmoid", "@", "", 0}};
// Up to 1 times 300 times 300 is beyond 65504, what comes out is small again.
static const fv_one_node overflows[] = {{"Mul", "1x3x16x16 f[300]", "", 0}, {"Abs", "@", "", 0}, {"Mul", "@ f[300]", "", 0},
                                        {"Sqrt", "@", "", 0}, {"Mul", "@ f[0.001]", "", 0}};
// 4096 and a little more: the little is below what 11 bits tell.
static const fv_one_node cancels[] = {{"Add", "1x3x16x16 f[4096]", "", 0}, {"Abs", "@", "", 0}, {"Sub", "@ f[4096]", "", 0}};

// Sums of even and of odd channels reach 96000, their difference 160: float16 can store this, not add it.
static const fv_one_node large_sums[] = {{"Reshape", "f[3000,-3000,3000,-2990] i[1,4,1,1]", "", 0}, {"Tile", "@ i[1,32,1,1]", "", 0},
                                         {"Expand", "1x1x16x16 i[1,128,16,16]", "", 0}, {"Conv", "@ @1", "", 0}};

// Arithmetic of float16 where the device has it.
static fv_half most(void) {
    return fv_compare_gpu() && fv_gpu_get_caps(fv_compare_gpu())->fp16_arithmetic ? FV_HALF_COMPUTED : FV_HALF_STORED;
}

static void a_sound_model_runs_in_float16(void) {
    check(fine, 2, FV_PRECISION_FP16, most(), 0);
    check(fine, 2, FV_PRECISION_FP32, FV_HALF_NONE, 0);
}

static void sums_too_large_for_float16_are_float32(void) {
    check(large_sums, 4, FV_PRECISION_FP16, FV_HALF_STORED, 0);
}

static void a_model_that_is_off_falls_back_with_one_line(void) {
    check(overflows, 5, FV_PRECISION_FP16, FV_HALF_NONE, 1);
    check(cancels, 3, FV_PRECISION_FP16, FV_HALF_NONE, 1);
}

static void on_a_cpu_auto_is_float32(void) {
    if (fv_compare_gpu() && fv_gpu_get_caps(fv_compare_gpu())->cpu)
        check(fine, 2, FV_PRECISION_AUTO, FV_HALF_NONE, 0);
}

// The picture's three largest values lie close together: which comes first is not compared, they are.
static void an_order_is_checked_by_what_it_orders(void) {
    const fv_one_node ordered[] = {{"Conv", "1x3x16x16 c8x3x3x3 c8", "pads:ints=1,1,1,1", 0}, {"Reshape", "@ i[1,2048]", "", 0},
                                   {"Sigmoid", "@", "", 0}, {"TopK", "@ i[100]", "axis:i=1", 2}};
    check(ordered, 4, FV_PRECISION_FP16, most(), 0);
}

// What a float16 plan computes is near the reference, and not equal to it: it did store float16.
static void float16_is_what_memory_holds(void) {
    fv_err err = {0};
    size_t size;
    if (!fv_compare_gpu())
        return;
    void *model = fv_one_node_model(fine, 2, 13, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    double full = fv_compare_run(g, 1, 0, NULL), half = fv_compare_half(g, 1, 0, NULL);
    CHECK(full >= 0 && full < 1e-5 && half > 1e-5 && half < FV_HALF_LOSS);
    fv_graph_destroy(&g);
    free(model);
}

const fv_suite half_suite = {"half", (const fv_case[]){
    CASE(a_sound_model_runs_in_float16), CASE(sums_too_large_for_float16_are_float32), CASE(a_model_that_is_off_falls_back_with_one_line), CASE(on_a_cpu_auto_is_float32),
    CASE(an_order_is_checked_by_what_it_orders), CASE(float16_is_what_memory_holds), {0}}};
