// Each pass: how many nodes are left, and that the numbers stay.
#include <stdlib.h>

#include "pipeline/graph/graph.h"
#include "pipeline/graph/op_conv.h"
#include "tests/graph/build.h"
#include "tests/test.h"

enum { N = 2 * 5 * 5 };

static void fill(float *v, int n) {
    for (int i = 0; i < n; i++)
        v[i] = (float)((i * 37 + 11) % 101) / 50 - 1;
}

// Input x 1x2x5x5, weights w 2x2x3x3 and c (one value a channel) are there for all.
static fv_graph *make(void (*nodes)(build *b), fv_err *err) {
    build b = {0};
    float w[36], c[2] = {0.5f, -1.5f};
    size_t size;
    fill(w, 36);
    build_floats(&b, "w", 4, (int64_t[]){2, 2, 3, 3}, w);
    build_floats(&b, "m", 2, (int64_t[]){5, 5}, w);
    build_floats(&b, "five", 1, (int64_t[]){5}, w + 25);
    build_floats(&b, "one4", 4, (int64_t[]){2, 2, 1, 1}, w);
    build_floats(&b, "c5", 1, (int64_t[]){5}, w + 10);
    build_floats(&b, "two", 0, NULL, (float[]){2});
    build_floats(&b, "g", 4, (int64_t[]){2, 1, 3, 4}, w);
    build_floats(&b, "c", 1, (int64_t[]){2}, c);
    build_floats(&b, "c3", 3, (int64_t[]){2, 1, 1}, c);
    build_floats(&b, "v", 1, (int64_t[]){2}, (float[]){2, 0.25f});
    build_floats(&b, "three", 0, NULL, (float[]){3});
    build_floats(&b, "six", 0, NULL, (float[]){6});
    build_floats(&b, "zero", 0, NULL, (float[]){0});
    build_floats(&b, "half", 0, NULL, (float[]){0.5f});
    build_floats(&b, "one", 0, NULL, (float[]){1});
    build_floats(&b, "step", 0, NULL, (float[]){0.03f});
    build_floats(&b, "fine", 1, (int64_t[]){2}, (float[]){0.01f, 0.02f});
    build_floats(&b, "root", 0, NULL, (float[]){1.41421354f});
    build_input(&b, "x", 1, 4, (const char *[]){"1", "2", "5", "5"});
    nodes(&b);
    build_output(&b, "y");
    uint8_t *file = build_finish(&b, 13, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, err);
    free(file);
    return g;
}

// Optimises to `left` nodes, the last a Conv with this activation and residual, and compares.
static void check(void (*nodes)(build *b), int left, fv_act act, fv_residual residual) {
    fv_err err = {0};
    float x[N], before[N] = {0}, after[N] = {0};
    fv_graph *g = make(nodes, &err);
    CHECK_OK(g, err);
    if (!g)
        return;
    fill(x, N);
    CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void *[]){before}, &err), err);
    CHECK_OK(fv_graph_optimize(g, &err), err);
    CHECK_EQUAL(g->n_nodes, left);
    CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void *[]){after}, &err), err);
    for (int i = 0; i < N; i++)
        CHECK_NEAR(after[i], before[i], 1e-5);
    const fv_node *last = &g->node[g->n_nodes - 1];
    CHECK_TEXT(g->tensor[g->output[0]].name, "y");
    if (!strcmp(fv_node_op(last), "Conv")) {
        CHECK_EQUAL(((fv_conv_attr *)last->attr)->activation.kind, act);
        CHECK_EQUAL(((fv_conv_attr *)last->attr)->residual, residual);
    }
    fv_graph_destroy(&g);
}

#define CONV(in, out) build_node(b, "Conv", in " w", out, "pads=1,1,1,1")
// What quantize_dynamic of ONNX Runtime writes. Constants of whole numbers are folded at the load.
static void quantised_dynamic(build *b) {
    build_node(b, "DynamicQuantizeLinear", "x", "q scale zero", "");
    build_node(b, "QuantizeLinear", "w step", "wq", "");
    build_node(b, "ConvInteger", "q wq zero", "sum", "pads=1,1,1,1");
    build_node(b, "Cast", "sum", "f", "to=1");
    build_node(b, "Mul", "scale half", "s", "");
    build_node(b, "Mul", "f s", "y", "");
}

static void quantised_product(build *b) {
    build_node(b, "DynamicQuantizeLinear", "x", "q scale zero", "");
    build_node(b, "QuantizeLinear", "m step", "wq", "");
    build_node(b, "QuantizeLinear", "three one", "three_q", "");
    build_node(b, "MatMulInteger", "q wq zero three_q", "sum", "");
    build_node(b, "Cast", "sum", "f", "to=1");
    build_node(b, "Mul", "f scale", "y", "");
}

// Static: QLinearConv, the padding being the zero point; behind it a pool of whole numbers.
static void quantised_static(build *b) {
    build_node(b, "QuantizeLinear", "three one", "three_q", "");
    build_node(b, "QuantizeLinear", "zero one", "zero_q", "");
    build_node(b, "QuantizeLinear", "w fine", "wq", "axis=0");
    build_node(b, "QuantizeLinear", "x step three_q", "q", "");
    build_node(b, "QLinearConv", "q step three_q wq fine zero_q step three_q", "r", "pads=1,1,1,1");
    build_node(b, "MaxPool", "r", "p", "kernel_shape=3,3 pads=1,1,1,1");
    build_node(b, "DequantizeLinear", "p step three_q", "y", "");
}

// Rows of five.
static void linear(build *b) {
    build_node(b, "MatMul", "x m", "a", "");
    build_node(b, "Add", "five a", "d", "");
    build_node(b, "Relu", "d", "y", "");
}

static void linear_gemm(build *b) {
    build_node(b, "Flatten", "x", "f", "axis=3");
    build_node(b, "Gemm", "f m five", "y", "transB=1 alpha=0.5 beta=2.0");
}

static void linear_needed_twice(build *b) { // before the sum as well
    build_node(b, "MatMul", "x m", "a", "");
    build_node(b, "Add", "five a", "d", "");
    build_node(b, "Mul", "a d", "y", "");
}

#define NORM(x, eps)                                      \
    build_node(b, "ReduceMean", x, "e", "axes=-1,");       \
    build_node(b, "Sub", x " e", "s", "");                \
    build_node(b, "Pow", "s two", "q", "");               \
    build_node(b, "ReduceMean", "q", "v1", "axes=-1,");    \
    build_node(b, "Add", "v1 " eps, "v2", "");            \
    build_node(b, "Sqrt", "v2", "v3", "");                \
    build_node(b, "Div", "s v3", "n", "")

static void layer_norm(build *b) {
    NORM("x", "half");
    build_node(b, "Mul", "five n", "l", "");
    build_node(b, "Add", "l c5", "y", "");
}

static void layer_norm_bare(build *b) {
    NORM("x", "half");
    build_node(b, "Mul", "n three", "y", "");
}

static void layer_norm_needed(build *b) { // the difference is used once more
    NORM("x", "half");
    build_node(b, "Mul", "n s", "y", "");
}

// Outputs of 5 x 5 each: kernel 3 with stride 2 from 3 x 3 pooled ones, cut at the edges.
#define SMALL "x", "p", "kernel_shape=3,3"
static void transposed(build *b) {
    build_node(b, "MaxPool", SMALL);
    build_node(b, "ConvTranspose", "p w c", "y", "strides=2,2 pads=1,1,1,1");
}

static void transposed_in_groups(build *b) {
    build_node(b, "MaxPool", SMALL);
    build_node(b, "ConvTranspose", "p g", "y", "group=2 strides=2,2 pads=1,1,1,2");
}

static void transposed_wide(build *b) { // nothing but zeros between: stays
    build_node(b, "MaxPool", "x", "p", "kernel_shape=4,4 strides=4,4");
    build_node(b, "ConvTranspose", "p one4", "y", "strides=7,7 output_padding=4,4");
}

static void transposed_stride_1(build *b) {
    build_node(b, "ConvTranspose", "x w", "a", "pads=1,1,1,1");
    build_node(b, "BatchNormalization", "a c v c v", "d", "");
    build_node(b, "Relu", "d", "y", "");
}

static void transposed_with_norm(build *b) {
    build_node(b, "MaxPool", SMALL);
    build_node(b, "ConvTranspose", "p w c", "a", "strides=2,2 pads=1,1,1,1");
    build_node(b, "BatchNormalization", "a c v c v", "d", "");
    build_node(b, "Relu", "d", "y", "");
}

// Every second row and column of a 10 x 10 picture, the way YOLOX is exported: rows first, then columns.
static void focus(build *b) {
    static const char *const rows[] = {"a", "d", "a", "d"}, *const columns[] = {"e", "f", "g", "h"};
    float w[144];
    fill(w, 144);
    build_floats(b, "w8", 4, (int64_t[]){2, 8, 3, 3}, w);
    build_longs(b, "zero_i", 1, (int64_t[]){0});
    build_longs(b, "one_i", 1, (int64_t[]){1});
    build_longs(b, "far", 1, (int64_t[]){1000});
    build_longs(b, "two", 1, (int64_t[]){2});
    build_longs(b, "three_i", 1, (int64_t[]){3});
    build_node(b, "Concat", "x x", "x2", "axis=2");
    build_node(b, "Concat", "x2 x2", "x4", "axis=3");
    build_node(b, "Slice", "x4 zero_i far two two", "a", "");
    build_node(b, "Slice", "x4 one_i far two two", "d", "");
    for (int i = 0; i < 4; i++) {
        char inputs[64];
        snprintf(inputs, sizeof inputs, "%s %s far three_i two", rows[i], i < 2 ? "zero_i" : "one_i");
        build_node(b, "Slice", inputs, columns[i], "");
    }
    build_node(b, "Concat", "e f g h", "s", "axis=1");
    build_node(b, "Conv", "s w8 c", "r", "pads=1,1,1,1");
    build_node(b, "Relu", "r", "y", "");
}

static void batch_norm(build *b) {
    CONV("x", "a");
    build_node(b, "BatchNormalization", "a c v c v", "d", "");
    build_node(b, "Relu", "d", "y", "");
}

static void factors(build *b) {
    CONV("x", "a");
    build_node(b, "Mul", "a c3", "d", "");
    build_node(b, "Add", "three d", "e", "");
    build_node(b, "Div", "e six", "f", "");
    build_node(b, "Sub", "f c3", "y", "");
}

static void silu(build *b) {
    CONV("x", "a");
    build_node(b, "Sigmoid", "a", "s", "");
    build_node(b, "Mul", "a s", "y", "");
}

static void hard_swish(build *b) {
    CONV("x", "a");
    build_node(b, "Add", "a three", "p", "");
    build_node(b, "Clip", "p zero six", "q", "");
    build_node(b, "Mul", "a q", "m", "");
    build_node(b, "Div", "m six", "y", "");
}

static void hard_swish_late(build *b) {
    CONV("x", "a");
    build_node(b, "Add", "a three", "p", "");
    build_node(b, "Clip", "p zero six", "q", "");
    build_node(b, "Div", "q six", "m", "");
    build_node(b, "Mul", "a m", "y", "");
}

static void mish(build *b) {
    CONV("x", "a");
    build_node(b, "Softplus", "a", "p", "");
    build_node(b, "Tanh", "p", "t", "");
    build_node(b, "Mul", "a t", "y", "");
}

static void gelu(build *b) {
    CONV("x", "a");
    build_node(b, "Div", "a root", "d", "");
    build_node(b, "Erf", "d", "e", "");
    build_node(b, "Add", "e one", "p", "");
    build_node(b, "Mul", "a p", "m", "");
    build_node(b, "Mul", "m half", "y", "");
}

static void residual_before(build *b) {
    CONV("x", "a");
    build_node(b, "Add", "a x", "s", "");
    build_node(b, "LeakyRelu", "s", "y", "alpha=0.1");
}

static void residual_after(build *b) {
    CONV("x", "a");
    build_node(b, "Relu", "a", "r", "");
    build_node(b, "Add", "x r", "y", "");
}

static void two_convolutions(build *b) {
    CONV("x", "a");
    CONV("a", "d");
    build_node(b, "Add", "d a", "y", "");
}

static void identities(build *b) {
    build_node(b, "Identity", "x", "i", "");
    CONV("i", "a");
    build_node(b, "Cast", "a", "k", "to=1");
    build_node(b, "Dropout", "k", "y", "");
}

static void shared_weights(build *b) { // folding one must not change the other
    CONV("x", "a");
    CONV("x", "d");
    build_node(b, "Mul", "a c3", "e", "");
    build_node(b, "Add", "d e", "y", "");
}

static void two_readers(build *b) { // the value before the activation is needed: nothing to fuse
    CONV("x", "a");
    build_node(b, "Relu", "a", "r", "");
    build_node(b, "Mul", "a r", "y", "");
}

static void padding(build *b) {
    build_longs(b, "pads", 8, (int64_t[]){0, 0, 1, 1, 0, 0, 1, 1});
    build_node(b, "Pad", "x pads", "p", "");
    build_node(b, "Conv", "p w", "y", "");
}

static void into_convolutions(void) {
    check(batch_norm, 1, FV_ACT_RELU, FV_RESIDUAL_NONE);
    check(factors, 1, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(padding, 1, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(identities, 1, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(shared_weights, 2, FV_ACT_NONE, FV_RESIDUAL_BEFORE);
}

// MaxPool, Conv, DepthToSpace, Slice.
static void transposed_convolutions(void) {
    check(transposed, 4, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(transposed_in_groups, 4, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(transposed_wide, 2, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(transposed_stride_1, 1, FV_ACT_RELU, FV_RESIDUAL_NONE);
    check(transposed_with_norm, 4, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

static void focused(void) {
    check(focus, 3, FV_ACT_RELU, FV_RESIDUAL_NONE); // two that make the picture, Conv
}

// Reshape, Transpose, Conv, Transpose, Reshape.
static void products_with_constants(void) {
    check(linear, 5, FV_ACT_RELU, FV_RESIDUAL_NONE);
    check(linear_gemm, 6, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(linear_needed_twice, 7, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

static void quantised_graphs(void) {
    check(quantised_dynamic, 23, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(quantised_product, 26, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(quantised_static, 11, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

// Of zeros alone the scale is 1, as an output of the graph too.
static void the_scale_of_zeros(void) {
    fv_err err = {0};
    build b = {0};
    size_t size;
    float x[4] = {0}, d, scale[2] = {0};
    build_input(&b, "x", 1, 2, (const char *[]){"1", "4"});
    build_node(&b, "DynamicQuantizeLinear", "x", "q scale zero", "");
    build_raw(&b, "w", 3, 2, (int64_t[]){4, 1}, "1234", 4);
    build_node(&b, "MatMulInteger", "q w zero", "sum", "");
    build_node(&b, "Cast", "sum", "d", "to=1");
    build_output(&b, "d");
    build_output(&b, "scale");
    uint8_t *file = build_finish(&b, 13, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, &err);
    for (int optimised = 0; optimised < 2; optimised++) {
        CHECK_OK(g && fv_graph_run(g, (const void *[]){x}, (void *[]){&d, &scale[optimised]}, &err), err);
        CHECK_OK(g && fv_graph_optimize(g, &err), err);
    }
    CHECK(scale[0] == 1 && scale[1] == 1);
    fv_graph_destroy(&g);
    free(file);
}

static void layer_norms(void) {
    check(layer_norm, 1, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(layer_norm_bare, 2, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(layer_norm_needed, 8, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

static void activations(void) {
    check(silu, 1, FV_ACT_SILU, FV_RESIDUAL_NONE);
    check(hard_swish, 1, FV_ACT_HARD_SWISH, FV_RESIDUAL_NONE);
    check(hard_swish_late, 1, FV_ACT_HARD_SWISH, FV_RESIDUAL_NONE);
    check(mish, 1, FV_ACT_MISH, FV_RESIDUAL_NONE);
    check(gelu, 1, FV_ACT_GELU, FV_RESIDUAL_NONE);
    check(two_readers, 3, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

// Twins: convolutions of x that differ in their weights.
#define TWIN(name, out)                                        \
    build_node(b, "Conv", "x " name, out "c", "pads=1,1,1,1"); \
    build_node(b, "Relu", out "c", out, "")

static void twin_weights(build *b) {
    float w[4 * 2 * 9];
    fill(w, 72);
    build_floats(b, "t1", 4, (int64_t[]){4, 2, 3, 3}, w);
    for (int i = 0; i < 72; i++)
        w[i] = 0.5f - w[i] * w[i];
    build_floats(b, "t2", 4, (int64_t[]){4, 2, 3, 3}, w);
    build_floats(b, "b4", 1, (int64_t[]){4}, w + 3);
    build_floats(b, "j4", 4, (int64_t[]){2, 4, 1, 1}, w + 5);
    build_floats(b, "j8", 4, (int64_t[]){2, 8, 1, 1}, w + 7);
    build_floats(b, "j12", 4, (int64_t[]){2, 12, 1, 1}, w + 9);
}

static void twins_swapped(build *b) { // one of them without a bias
    twin_weights(b);
    TWIN("t1", "a");
    TWIN("t2 b4", "d");
    build_node(b, "Concat", "d a", "all", "axis=1");
    build_node(b, "Conv", "all j8", "y", "");
}

static void twins_alone(build *b) {
    twin_weights(b);
    TWIN("t1 b4", "a");
    TWIN("t2", "d");
    build_node(b, "Conv", "a j4", "e", "");
    build_node(b, "Conv", "d j4", "f", "");
    build_node(b, "Add", "e f", "y", "");
}

static void twins_one_at_the_end(build *b) { // the other lies behind
    twin_weights(b);
    TWIN("t1 b4", "a");
    TWIN("t2", "d");
    build_node(b, "MaxPool", "a", "m", "kernel_shape=3,3 pads=1,1,1,1");
    build_node(b, "Concat", "m d", "all", "axis=1");
    build_node(b, "Conv", "all j8", "y", "");
}

static void twins_one_in_the_middle(build *b) { // would have to be copied
    twin_weights(b);
    TWIN("t1 b4", "a");
    TWIN("t2", "d");
    build_node(b, "MaxPool", "a", "m", "kernel_shape=3,3 pads=1,1,1,1");
    build_node(b, "AveragePool", "a", "n", "kernel_shape=3,3 pads=1,1,1,1");
    build_node(b, "Concat", "m d n", "all", "axis=1");
    build_node(b, "Conv", "all j12", "y", "");
}

static void twins_unlike(build *b) { // another activation
    twin_weights(b);
    TWIN("t1 b4", "a");
    build_node(b, "Conv", "x t2", "d", "pads=1,1,1,1");
    build_node(b, "Concat", "a d", "all", "axis=1");
    build_node(b, "Conv", "all j8", "y", "");
}

static void twins(void) {
    check(twins_swapped, 4, FV_ACT_NONE, FV_RESIDUAL_NONE); // Conv, Split, Concat, Conv
    check(twins_alone, 4, FV_ACT_NONE, FV_RESIDUAL_BEFORE);
    check(twins_one_at_the_end, 5, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(twins_one_in_the_middle, 6, FV_ACT_NONE, FV_RESIDUAL_NONE);
    check(twins_unlike, 4, FV_ACT_NONE, FV_RESIDUAL_NONE);
}

static void residuals(void) {
    check(residual_before, 1, FV_ACT_LEAKY_RELU, FV_RESIDUAL_BEFORE);
    check(residual_after, 1, FV_ACT_RELU, FV_RESIDUAL_AFTER);
    check(two_convolutions, 2, FV_ACT_NONE, FV_RESIDUAL_BEFORE);
}

// Real detectors: the optimised graph gives what the graph as loaded gives.
static void detectors_stay_the_same(void) {
    static const char *const paths[] = {"models/FastestDet.onnx", "models/yunet_n_320_320.onnx",
                                        "models/nanodet_m_320.onnx", "models/version-RFB-320.onnx",
                                        "models/yolo-fastest-1.1.onnx"};
    for (size_t m = 0; m < sizeof paths / sizeof paths[0]; m++) {
        fv_err err = {0};
        const char *path = fv_test_shared(paths[m]);
        fv_graph *g =
            path ? fv_graph_load(path, &(fv_graph_params){.default_size = 320}, &err) : NULL;
        if (!path)
            return;
        CHECK_OK(g, err);
        if (!g)
            continue;
        int nodes = g->n_nodes;
        float *x = malloc(fv_tensor_bytes(&g->tensor[g->input[0]])), *y[2][16];
        fill(x, (int)fv_tensor_count(&g->tensor[g->input[0]]));
        for (int i = 0; i < 2 * g->n_outputs; i++)
            y[i % 2][i / 2] = calloc(1, fv_tensor_bytes(&g->tensor[g->output[i / 2]]));
        CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void **)y[0], &err), err);
        CHECK_OK(fv_graph_optimize(g, &err), err);
        CHECK(g->n_nodes < nodes);
        CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void **)y[1], &err), err);
        for (int i = 0; i < g->n_outputs; i++) {
            double largest = 0, off = 0;
            for (int64_t k = 0; k < fv_tensor_count(&g->tensor[g->output[i]]); k++) {
                largest = fmax(largest, fabs((double)y[0][i][k]));
                off = fmax(off, fabs((double)y[0][i][k] - (double)y[1][i][k]));
            }
            CHECK_NEAR(off / largest, 0, 1e-4);
            free(y[0][i]);
            free(y[1][i]);
        }
        free(x);
        fv_graph_destroy(&g);
    }
}

const fv_suite passes_suite = {
    "passes",
    (const fv_case[]){CASE(into_convolutions),
                      CASE(transposed_convolutions),
                      CASE(focused),
                      CASE(products_with_constants),
                      CASE(layer_norms),
                      CASE(quantised_graphs),
                      CASE(the_scale_of_zeros),
                      CASE(activations),
                      CASE(residuals),
                      CASE(twins),
                      CASE(detectors_stay_the_same),
                      {0}},
};
