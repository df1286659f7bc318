// Every op with a kernel against its plain-C reference, over shapes that hit the corners: channels that
// are no multiple of four, rank 3, several pictures, odd sizes, broadcasting.
#include <stdlib.h>

#include "pipeline/infer/infer.h"
#include "tests/infer/compare.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

typedef struct {
    const char *op, *inputs, *attrs;
    int n_out;
    float shift; // of the inputs' -1..1, for logarithms and roots
} row;

// `loss`: what float16 may be off by.
static void compare_rows(const row *rows, size_t n, double loss) {
    if (!fv_compare_gpu())
        return;
    for (size_t i = 0; i < n; i++) {
        fv_err err = {0};
        size_t size;
        int n_host = 0;
        void *model = fv_one_node_model(&(fv_one_node){rows[i].op, rows[i].inputs, rows[i].attrs, rows[i].n_out}, 1, 13, &size);
        fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
        CHECK_OK(g != NULL, err);
        double worst = g ? fv_compare_run(g, 1, rows[i].shift, &n_host) : -1;
        double half = g ? fv_compare_half(g, 1, rows[i].shift, NULL) : -1;
        if (worst < 0 || worst > 1e-5 || n_host)
            fprintf(stderr, "%s %s %s: %g, %d host steps\n", rows[i].op, rows[i].inputs, rows[i].attrs ? rows[i].attrs : "",
                    worst, n_host);
        if (half < 0 || half > loss)
            fprintf(stderr, "%s %s %s: float16 off by %g\n", rows[i].op, rows[i].inputs, rows[i].attrs ? rows[i].attrs : "", half);
        CHECK(worst >= 0 && worst <= 1e-5);
        CHECK(half >= 0 && half <= loss);
        CHECK_EQUAL(n_host, 0);
        fv_graph_destroy(&g);
        free(model);
    }
}

#define COMPARE(rows) compare_rows(rows, sizeof(rows) / sizeof((rows)[0]), FV_HALF_LOSS)

static void convolutions(void) {
    const row rows[] = {
        {"Conv", "1x8x9x7 c16x8x3x3 c16", "pads:ints=1,1,1,1", 0, 0},
        {"Conv", "1x3x11x13 c5x3x3x3 c5", "pads:ints=0,1,2,1 strides:ints=2,2", 0, 0},
        {"Conv", "2x6x8x8 c7x6x1x1", "", 0, 0},
        {"Conv", "1x12x7x5 c12x1x3x3 c12", "group:i=12 pads:ints=1,1,1,1", 0, 0},
        {"Conv", "1x10x9x9 c10x1x5x5", "group:i=10 pads:ints=2,2,2,2 strides:ints=2,2", 0, 0},
        {"Conv", "1x16x6x6 c8x8x3x3", "group:i=2 pads:ints=1,1,1,1", 0, 0},
        {"Conv", "1x6x6x6 c9x2x3x3 c9", "group:i=3", 0, 0},
        {"Conv", "1x4x12x12 c8x4x3x3", "dilations:ints=2,3 pads:ints=2,3,2,3", 0, 0},
        {"Conv", "1x6x20 c4x6x3 c4", "pads:ints=1,1 strides:ints=2", 0, 0},
        {"Conv", "1x20x3x3 c24x20x3x3", "auto_pad:s=SAME_UPPER strides:ints=2,2", 0, 0},
        {"Conv", "1x64x40x40 c64x64x3x3 c64", "pads:ints=1,1,1,1", 0, 0},
        {"Conv", "1x48x22x22 c96x48x1x1 c96", "", 0, 0},
        {"Conv", "1x4x1x1 c4x1x1x1", "group:i=4", 0, 0},
    };
    COMPARE(rows);
}

static void pooling(void) {
    const row rows[] = {
        {"MaxPool", "1x6x9x9", "kernel_shape:ints=3,3 strides:ints=2,2 pads:ints=1,1,1,1", 0, 0},
        {"MaxPool", "1x6x8x7", "kernel_shape:ints=2,2 strides:ints=2,2 ceil_mode:i=1", 0, 0},
        {"MaxPool", "2x5x13x13", "kernel_shape:ints=5,5 pads:ints=2,2,2,2", 0, 0},
        {"AveragePool", "1x6x9x9", "kernel_shape:ints=3,3 strides:ints=2,2 pads:ints=1,1,1,1", 0, 0},
        {"AveragePool", "1x6x9x9", "kernel_shape:ints=3,3 pads:ints=1,1,1,1 count_include_pad:i=1", 0, 0},
        {"AveragePool", "1x4x8x7", "kernel_shape:ints=2,2 strides:ints=2,2 ceil_mode:i=1 count_include_pad:i=1", 0, 0},
        {"GlobalAveragePool", "2x7x5x6", "", 0, 0},
        {"GlobalMaxPool", "1x3x4x4", "", 0, 0},
        {"MaxPool", "1x6x15", "kernel_shape:ints=3 strides:ints=2", 0, 0},
    };
    COMPARE(rows);
}

static void resizing(void) {
    const row rows[] = {
        {"Resize", "1x6x5x7 - f[1,1,2,2]", "mode:s=nearest coordinate_transformation_mode:s=asymmetric nearest_mode:s=floor", 0, 0},
        {"Resize", "1x6x5x7 - f[1,1,2,2]", "mode:s=nearest", 0, 0},
        {"Resize", "1x6x5x7 - f[1,1,2.5,1.5]", "mode:s=linear", 0, 0},
        {"Resize", "1x3x8x8 - - i[1,3,5,11]", "mode:s=linear coordinate_transformation_mode:s=align_corners", 0, 0},
        {"Resize", "2x4x4x4 - f[1,1,0.5,0.5]", "mode:s=linear coordinate_transformation_mode:s=pytorch_half_pixel", 0, 0},
        {"Resize", "1x6x9x7 - f[1,1,2,2.5]", "mode:s=cubic", 0, 0},
        {"Resize", "1x3x8x9 - - i[1,3,5,11]", "mode:s=cubic coordinate_transformation_mode:s=align_corners exclude_outside:i=1", 0, 0},
        {"Resize", "2x4x12x12 - f[1,1,0.4,0.5]", "mode:s=linear antialias:i=1", 0, 0},
        {"Resize", "1x5x20 - f[1,1,0.3]", "mode:s=cubic antialias:i=1", 0, 0},
    };
    COMPARE(rows);
}

// A coordinate of float16 is off by up to 2^-12 of half the picture, a pixel next to another by up to 2.
static void grid_samples(void) {
    const row rows[] = {
        {"GridSample", "2x6x7x9 2x4x5x2", "", 0, 0}, {"GridSample", "1x4x7x9 c1x4x5x2", "align_corners:i=1", 0, 0},
        {"GridSample", "1x3x5x6 1x8x3x2", "mode:s=nearest padding_mode:s=border", 0, 0.6f},
        {"GridSample", "1x8x5x6 1x8x3x2", "mode:s=bicubic padding_mode:s=reflection", 0, 0.4f},
        {"GridSample", "1x5x5x6 1x4x4x2", "mode:s=bicubic align_corners:i=1", 0, 0.3f},
    };
    compare_rows(rows, sizeof rows / sizeof rows[0], 5e-3);
}

static void unary_functions(void) {
    const row rows[] = {
        {"Relu", "1x6x3x5", "", 0, 0}, {"LeakyRelu", "2x3x4", "alpha:f=0.1", 0, 0}, {"Sigmoid", "1x7x3x5", "", 0, 0},
        {"HardSigmoid", "1x7x3x5", "", 0, 0}, {"Tanh", "3x50", "", 0, 0}, {"Elu", "3x50", "alpha:f=0.7", 0, 0},
        {"Selu", "3x50", "", 0, 0}, {"Celu", "3x50", "alpha:f=2", 0, 0}, {"Softplus", "3x50", "", 0, 0},
        {"Softsign", "3x50", "", 0, 0}, {"ThresholdedRelu", "3x50", "alpha:f=0.2", 0, 0},
        {"Clip", "3x50 f[-0.5] f[0.3]", "", 0, 0}, {"Exp", "3x50", "", 0, 0}, {"Log", "3x50", "", 0, 1.5f},
        {"Sqrt", "3x50", "", 0, 1}, {"Abs", "3x50", "", 0, 0}, {"Neg", "3x50", "", 0, 0}, {"Floor", "3x50", "", 0, 0},
        {"Ceil", "3x50", "", 0, 0}, {"Round", "3x50", "", 0, 0}, {"Reciprocal", "3x50", "", 0, 2},
        {"Sin", "3x50", "", 0, 0}, {"Cos", "3x50", "", 0, 0}, {"Erf", "3x50", "", 0, 0}, {"Sign", "3x50", "", 0, 0},
    };
    COMPARE(rows);
}

static void binary_functions(void) {
    const row rows[] = {
        {"Add", "1x6x3x5 1x6x3x5", "", 0, 0}, {"Sub", "1x6x3x5 1x6x1x1", "", 0, 0}, {"Mul", "1x6x3x5 c6x1x1", "", 0, 0},
        {"Div", "2x6x3x5 c1", "", 0, 3}, {"Pow", "4x5 f[2]", "", 0, 0}, {"Pow", "4x5 c4x5", "", 0, 1.5f},
        {"Min", "4x5 5", "", 0, 0}, {"Max", "3x1x5 4x1", "", 0, 0}, {"PRelu", "1x7x4x4 c7x1x1", "", 0, 0},
        {"Mul", "2x6x4x4 2x1x4x4", "", 0, 0}, {"Add", "1x5x4x4 4", "", 0, 0}, {"Add", "1x2x3x4x5x6 4x1x1", "", 0, 0},
        {"Sum", "3x4 3x4", "", 0, 0}, {"Mul", "2x8x5x5 2x8x1x1", "", 0, 0},
    };
    COMPARE(rows);
}

static void shapes(void) {
    const row rows[] = {
        {"Reshape", "2x6x4 i[4,12]", "", 0, 0}, {"Transpose", "2x3x4x5", "perm:ints=0,2,3,1", 0, 0},
        {"Transpose", "3x4", "", 0, 0}, {"Slice", "4x9x7 i[1,8] i[4,-9] i[0,1] i[1,-3]", "", 0, 0},
        {"Split", "2x10x3 i[3,7]", "axis:i=1", 2, 0}, {"Concat", "1x3x4x4 1x6x4x4 1x8x4x4", "axis:i=1", 0, 0},
        {"Concat", "2x3 2x4", "axis:i=1", 0, 0}, {"Concat", "2x3x5 4x3x5", "axis:i=0", 0, 0},
        {"Expand", "3x1 i[2,3,4]", "", 0, 0}, {"Gather", "3x8x2 i[1,3,5]", "axis:i=1", 0, 0},
        {"Pad", "1x5x4x6 i[0,0,1,2,0,0,3,0] f[0.5]", "", 0, 0}, {"Pad", "3x4 i[1,0,2,0]", "", 0, 0},
        {"DepthToSpace", "1x8x3x4", "blocksize:i=2", 0, 0}, {"DepthToSpace", "1x16x3x4", "blocksize:i=2 mode:s=CRD", 0, 0},
        {"SpaceToDepth", "1x3x4x6", "blocksize:i=2", 0, 0}, {"Flatten", "2x3x4x5", "axis:i=2", 0, 0},
        {"Squeeze", "1x3x1x5 i[0,2]", "", 0, 0}, {"Unsqueeze", "3x5 i[1]", "", 0, 0},
    };
    COMPARE(rows);
}

static void products_and_reductions(void) {
    const row rows[] = {
        {"MatMul", "7x9 9x5", "", 0, 0}, {"MatMul", "2x3x7x9 3x9x5", "", 0, 0}, {"MatMul", "4x6 c6", "", 0, 0},
        {"MatMul", "6 6x4", "", 0, 0}, {"Gemm", "5x6 c6x4 c4", "alpha:f=0.5 beta:f=2", 0, 0},
        {"Gemm", "6x5 c4x6 c5x1", "transA:i=1 transB:i=1", 0, 0},
        {"Softmax", "2x5x7", "axis:i=1", 0, 0}, {"Softmax", "1x16x4x9", "axis:i=1", 0, 0},
        {"LogSoftmax", "3x9", "axis:i=-1", 0, 0}, {"Softmax", "2x5x64", "axis:i=-1", 0, 0}, {"LogSoftmax", "7x20", "axis:i=1", 0, 0}, {"ReduceMean", "2x3x4x5", "axes:ints=2,3", 0, 0},
        {"ReduceMax", "2x3x4", "axes:ints=1 keepdims:i=0", 0, 0}, {"ReduceSum", "2x3x4 i[0,2]", "", 0, 0},
        {"ReduceL2", "3x8", "axes:ints=1", 0, 0}, {"ReduceLogSumExp", "3x8", "axes:ints=1", 0, 0},
        {"ReduceMin", "3x8", "", 0, 0}, {"BatchNormalization", "2x6x5x4 c6 c6 c6 f[1,2,3,4,5,6]", "", 0, 0},
        {"ReduceProd", "3x4", "axes:ints=0", 0, 0},
        // channels by fours, one to three dimensions reduced
        {"ReduceMax", "1x4x70x9", "axes:ints=3", 0, 0}, {"ReduceMin", "2x4x9x70", "axes:ints=2 keepdims:i=0", 0, 0},
        {"ReduceLogSumExp", "1x4x80x5", "axes:ints=3", 0, 0}, {"ReduceMean", "3x4x9x30", "axes:ints=0", 0, 0},
        {"ReduceL2", "5x4x70x3", "axes:ints=0,3", 0, 0}, {"ReduceSum", "300x4x3x2", "axes:ints=2,3", 0, 0},
    };
    COMPARE(rows);
}

static void normalisations(void) {
    const row rows[] = {
        {"InstanceNormalization", "2x8x7x5 c8 c8", "", 0, 0}, {"InstanceNormalization", "1x3x33x21 c3 c3", "epsilon:f=0.1", 0, 3},
        {"InstanceNormalization", "2x5x9 c5 c5", "", 0, 0}, {"LayerNormalization", "2x7x40 c40 c40", "", 0, 0},
        {"LayerNormalization", "3x4x5x6 c5x6", "axis:i=2", 0, 2}, {"LayerNormalization", "300x1 c1 c1", "", 0, 0},
        {"GroupNormalization", "2x12x5x6 c3 c3", "num_groups:i=3", 0, 0}, // 18: a scale a group
    };
    COMPARE(rows);
}

// Products of what is computed: in tiles, with copies where lines do not lie along k.
static void computed_products(void) {
    const row rows[] = {
        {"MatMul", "2x3x17x24 2x3x24x20", "", 0, 0}, {"MatMul", "2x9x16 1x16x11", "", 0, 0},
        {"MatMul", "1x4x33x8 8x36", "", 0, 0}, {"MatMul", "90x40 40x70", "", 0, 0}, {"MatMul", "3x1x12x16 4x16x9", "", 0, 0},
    };
    COMPARE(rows);
    const fv_one_node attention[] = {{"Conv", "1x8x6x10 c16x8x1x1", "", 0}, {"Reshape", "@ i[1,2,8,60]", "", 0},
                                     {"Transpose", "@", "perm:ints=0,1,3,2", 0}, {"MatMul", "@ 1x2x8x60", "", 0},
                                     {"Softmax", "@", "axis:i=-1", 0}, {"MatMul", "@ 1x2x60x12", "", 0}};
    fv_compare_chain(attention, 6, 12);
}

// More operands than a dispatch may have.
static void the_host_takes_many_inputs(void) {
    fv_err err = {0};
    size_t size;
    int n_host = 0;
    char inputs[80 * 8];
    static const int counts[] = {30, 70}; // 70 are too many
    for (int k = 0; k < 2 && fv_compare_gpu(); k++) {
        inputs[0] = 0;
        for (int i = 0; i < counts[k]; i++)
            strcat(inputs, i ? " 1x2x3" : "1x2x3");
        void *model = fv_one_node_model(&(fv_one_node){"Mean", inputs, "", 0}, 1, 13, &size);
        fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
        CHECK_OK(g != NULL, err);
        if (!k) {
            CHECK_NEAR(fv_compare_run(g, 1, 0, &n_host), 0, 1e-6);
            CHECK_EQUAL(n_host, 1);
        } else {
            CHECK_FAILS(fv_plan_create(fv_compare_gpu(), g, NULL, &err), err, "71 inputs and outputs");
        }
        fv_graph_destroy(&g);
        free(model);
    }
}

static void check_one_host_step(const fv_one_node *chain, int n) {
    fv_err err = {0};
    size_t size;
    int n_host = 0;
    if (!fv_compare_gpu())
        return;
    void *model = fv_one_node_model(chain, n, 14, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    CHECK_OK(g != NULL, err);
    if (g) {
        double worst = fv_compare_run(g, 1, 0, &n_host);
        CHECK(worst >= 0 && worst <= 1e-5);
        CHECK_EQUAL(n_host, 1);
        double half = fv_compare_half(g, 1, 0, &n_host); // converted on the way
        CHECK(half >= 0 && half <= FV_HALF_LOSS && n_host == 1);
    }
    fv_graph_destroy(&g);
    free(model);
}

// Ops without a kernel run on the host in the middle of a plan.
static void the_host_helps_out(void) {
    const fv_one_node between[] = {{"Conv", "1x3x6x6 c8x3x3x3", "pads:ints=1,1,1,1", 0},
                                   {"Hardmax", "@", "axis:i=1", 0},
                                   {"Conv", "@ c4x8x1x1", "", 0}};
    const fv_one_node one_scale[] = {{"LayerNormalization", "3x4x5x6 c1 c5x1", "axis:i=2", 0}};
    const fv_one_node scale_of_rows[] = {{"LayerNormalization", "5x5 c5x1 c5", "", 0}}; // five values, but not a row's
    const fv_one_node scale_of_columns[] = {{"LayerNormalization", "4x5 c1x5 c4x5", "axis:i=0", 0}};
    check_one_host_step(between, 3);
    check_one_host_step(one_scale, 1);
    check_one_host_step(scale_of_rows, 1);
    check_one_host_step(scale_of_columns, 1);
}

const fv_suite ops_suite = {"ops", (const fv_case[]){
    CASE(convolutions), CASE(pooling), CASE(resizing), CASE(grid_samples), CASE(unary_functions), CASE(binary_functions),
    CASE(shapes), CASE(products_and_reductions), CASE(normalisations), CASE(computed_products), CASE(the_host_helps_out),
    CASE(the_host_takes_many_inputs), {0}}};
