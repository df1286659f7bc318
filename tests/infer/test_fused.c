// Several nodes as one step, or without one: what the passes and the plan make of chains, against the reference and by the
// number of dispatches.
#include <stdlib.h>

#include "pipeline/infer/infer.h"
#include "tests/infer/compare.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

// Behind a convolution these are pixels.
static void normalised_pixels(void) {
    const fv_one_node rows[][3] = {
        {{"Conv", "1x8x9x11 c16x8x3x3 c16", "", 0}, {"InstanceNormalization", "@ c16 c16", "", 0}, {"Conv", "@ c4x16x1x1", "", 0}},
        {{"Conv", "2x8x9x11 c12x8x3x3 c12", "", 0}, {"GroupNormalization", "@ c2 c2", "num_groups:i=2", 0}, {"Conv", "@ c4x12x1x1", "", 0}},
        {{"Conv", "1x8x9x11 c6x8x3x3 c6", "", 0}, {"InstanceNormalization", "@ c6 c6", "", 0}, {"Conv", "@ c4x6x1x1", "", 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fv_compare_chain(rows[i], 3, i < 2 ? 7 : 8); // six channels are no whole vectors: a copy more
}

// From a quantisation to the float made of it again nothing is left for the host. In float32: float16 rounds to
// another whole number now and then.
static void quantised_chains(void) {
    const fv_one_node rows[] = {{"Relu", "1x8x9x11", "", 0}, {"QuantizeLinear", "@ f:0.03125", "", 0},
                                {"MaxPool", "@", "kernel_shape:ints=3,3", 0}, {"DequantizeLinear", "@ f:0.03125", "", 0},
                                {"Conv", "@ c4x8x1x1", "", 0}};
    fv_err err = {0};
    size_t size;
    int n_host = 1;
    if (!fv_compare_gpu())
        return;
    void *model = fv_one_node_model(rows, 5, 13, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    CHECK_OK(g && fv_graph_optimize(g, &err), err);
    double worst = g ? fv_compare_run(g, 1, 0, &n_host) : -1;
    CHECK(worst >= 0 && worst <= 1e-5);
    CHECK_EQUAL(n_host, 0);
    fv_graph_destroy(&g);
    free(model);
}

// Depthwise and 1 x 1 become one step: two to bring the input in, convolution, output.
static void separable_convolutions(void) {
    const fv_one_node rows[][4] = {
        {{"Conv", "1x8x9x11 c8x1x3x3 c8", "group:i=8 pads:ints=1,1,1,1", 0}, {"Conv", "@ c16x8x1x1 c16", "", 0}},
        {{"Conv", "2x6x13x7 c6x1x5x5 c6", "group:i=6 pads:ints=2,2,2,2 strides:ints=2,2", 0}, {"Conv", "@ c7x6x1x1", "", 0}},
        {{"Conv", "1x48x11x11 c48x1x3x3 c48", "group:i=48 pads:ints=1,1,1,1", 0}, {"Conv", "@ c100x48x1x1 c100", "", 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fv_compare_chain(rows[i], 2, 5);
    const fv_one_node active[] = {{"Conv", "1x20x6x6 c20x1x3x3 c20", "group:i=20 pads:ints=1,1,1,1", 0}, {"Relu", "@", "", 0},
                                  {"Conv", "@ c48x20x1x1 c48", "", 0}, {"HardSwish", "@", "", 0}};
    fv_compare_chain(active, 4, 5);
}

// A convolution of a picture and its pooling become one step: one to bring the input in, the two, output.
static void pooled_convolutions(void) {
    const struct {
        const char *inputs, *conv, *pool;
        int less_than;
    } rows[] = {
        {"1x3x33x47 c24x3x3x3 c24", "pads:ints=1,1,1,1 strides:ints=2,2", "kernel_shape:ints=3,3 pads:ints=1,1,1,1 strides:ints=2,2", 3},
        {"2x3x96x70 c30x3x3x3 c30", "pads:ints=1,1,1,1 strides:ints=2,2", "kernel_shape:ints=3,3 strides:ints=2,2 ceil_mode:i=1", 3},
        {"1x3x41x38 c16x3x3x3", "pads:ints=1,1,1,1", "kernel_shape:ints=2,2 strides:ints=2,2", 3},
        {"1x1x20x90 c6x1x2x3 c6", "strides:ints=1,2", "kernel_shape:ints=2,2 strides:ints=2,2 pads:ints=1,0,0,1", 3},
        {"1x4x64x64 c40x4x3x3 c40", "", "kernel_shape:ints=3,3 strides:ints=2,2 pads:ints=0,1,1,0", 3},
        // These stay two: the pooling's windows overlap by more than one, the input has many channels.
        {"1x3x33x47 c24x3x3x3 c24", "strides:ints=2,2", "kernel_shape:ints=3,3 pads:ints=1,1,1,1", 4},
        {"1x8x33x47 c24x8x3x3 c24", "strides:ints=2,2", "kernel_shape:ints=3,3 strides:ints=2,2", 5},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const fv_one_node pair[] = {{"Conv", rows[i].inputs, rows[i].conv, 0}, {"MaxPool", "@", rows[i].pool, 0}};
        const fv_one_node active[] = {pair[0], {"Softplus", "@", "", 0}, pair[1]};
        const fv_one_node silu[] = {pair[0], {"Sigmoid", "@", "", 0}, {"Mul", "@0 @1", "", 0}, {"MaxPool", "@2", rows[i].pool, 0}};
        fv_compare_chain(pair, 2, rows[i].less_than);
        fv_compare_chain(active, 3, rows[i].less_than);
        fv_compare_chain(silu, 4, rows[i].less_than);
    }
}

// Two convolutions of one tensor are one step and its halves are where their readers want them: two to bring
// the input in, one before the two, the two, what follows them (pools, the last convolution), output.
static void twin_convolutions(void) {
#define TWINS(m1, m2)                                                                                    \
    {"Conv", "2x8x9x11 c8x8x1x1", "", 0}, {"Conv", "@0 c" m1 "x8x3x3 c" m1, "pads:ints=1,1,1,1", 0},     \
        {"Conv", "@0 c" m2 "x8x3x3", "pads:ints=1,1,1,1", 0}
#define POOL(in) {"MaxPool", in, "kernel_shape:ints=3,3 pads:ints=1,1,1,1", 0}
    const fv_one_node beside[] = {TWINS("12", "20"), {"Concat", "@1 @2", "axis:i=1", 0}, {"Conv", "@ c8x32x1x1", "", 0}};
    const fv_one_node swapped[] = {TWINS("8", "16"), {"Concat", "@2 @1", "axis:i=1", 0}, {"Conv", "@ c8x24x1x1", "", 0}};
    const fv_one_node last[] = {TWINS("16", "8"), POOL("@1"), {"Concat", "@ @2", "axis:i=1", 0}, {"Conv", "@ c8x24x1x1", "", 0}};
    const fv_one_node first[] = {TWINS("4", "8"), POOL("@2"), {"Concat", "@1 @", "axis:i=1", 0}, {"Conv", "@ c8x12x1x1", "", 0}};
    const fv_one_node alone[] = {TWINS("8", "12"), {"Conv", "@1 c12x8x1x1", "", 0}, {"Conv", "@2 c12x12x1x1", "", 0},
                                 {"Add", "@3 @4", "", 0}};
    const fv_one_node in_the_middle[] = {TWINS("8", "12"), POOL("@1"), POOL("@2"), {"Concat", "@3 @1 @4", "axis:i=1", 0},
                                         {"Conv", "@ c8x28x1x1", "", 0}};
    fv_compare_chain(beside, 5, 6);
    fv_compare_chain(swapped, 5, 6);
    fv_compare_chain(last, 6, 7);
    fv_compare_chain(first, 6, 7);
    fv_compare_chain(alone, 6, 7);
    fv_compare_chain(in_the_middle, 7, 9);
}

// A doubled picture, another one beside it and a 1 x 1 of both are one step: four to bring the two in, the one.
static void doubled_pictures_are_read_in_place(void) {
#define NEAREST "mode:s=nearest coordinate_transformation_mode:s=asymmetric nearest_mode:s=floor"
#define RESIZE {"Resize", "2x8x5x7 - f[1,1,2,2]", NEAREST, 0}
    const fv_one_node first[] = {RESIZE, {"Concat", "@ 2x12x10x14", "axis:i=1", 0}, {"Conv", "@ c20x20x1x1 c20", "", 0}};
    const fv_one_node last[] = {{"Resize", "1x4x9x11 - f[1,1,2,2]", "mode:s=nearest", 0}, {"Concat", "1x8x18x22 @", "axis:i=1", 0},
                                {"Conv", "@ c70x12x1x1 c70", "", 0}, {"Relu", "@", "", 0}};
    fv_compare_chain(first, 3, 6);
    fv_compare_chain(last, 4, 6);
    // Not these: other pictures, other readers, a third part.
    const fv_one_node linear[] = {{"Resize", "1x8x5x7 - f[1,1,2,2]", "mode:s=linear", 0}, {"Concat", "@ 1x4x10x14", "axis:i=1", 0},
                                  {"Conv", "@ c8x12x1x1", "", 0}};
    const fv_one_node tall[] = {{"Resize", "1x8x5x7 - f[1,1,4,2]", NEAREST, 0}, {"Concat", "@ 1x4x20x14", "axis:i=1", 0},
                                {"Conv", "@ c8x12x1x1", "", 0}};
    const fv_one_node ceil[] = {{"Resize", "1x8x5x7 - f[1,1,2,2]", "mode:s=nearest coordinate_transformation_mode:s=asymmetric nearest_mode:s=ceil", 0},
                                {"Concat", "@ 1x4x10x14", "axis:i=1", 0}, {"Conv", "@ c8x12x1x1", "", 0}};
    const fv_one_node square[] = {RESIZE, {"Concat", "@ 2x4x10x14", "axis:i=1", 0}, {"Conv", "@ c8x12x3x3", "", 0}};
    const fv_one_node twice[] = {RESIZE, {"Concat", "@ 2x8x10x14", "axis:i=1", 0}, {"Conv", "@ c8x16x1x1", "", 0},
                                 {"Add", "@0 @2", "", 0}};
    const fv_one_node with_itself[] = {RESIZE, {"Concat", "@ @", "axis:i=1", 0}, {"Conv", "@ c8x16x1x1", "", 0}};
    const fv_one_node three[] = {RESIZE, {"Concat", "@ 2x4x10x14 2x4x10x14", "axis:i=1", 0}, {"Conv", "@ c8x16x1x1", "", 0}};
    const fv_one_node of_two[] = {RESIZE, {"Concat", "@ 2x4x10x14", "axis:i=1", 0}, {"Conv", "@1 c12x12x1x1", "", 0},
                                  {"MaxPool", "@1", "kernel_shape:ints=2,2", 0}, {"GlobalMaxPool", "@", "", 0}, {"Add", "@2 @", "", 0}};
    const fv_one_node odd[] = {{"Resize", "1x6x5x7 - f[1,1,2,2]", NEAREST, 0}, {"Concat", "@ 1x4x10x14", "axis:i=1", 0},
                               {"Conv", "@ c8x10x1x1", "", 0}};
    fv_compare_chain(linear, 3, 9);
    fv_compare_chain(tall, 3, 9);
    fv_compare_chain(ceil, 3, 9);
    fv_compare_chain(square, 3, 9);
    fv_compare_chain(twice, 4, 11);
    fv_compare_chain(with_itself, 3, 9);
    fv_compare_chain(three, 3, 11);
    fv_compare_chain(of_two, 6, 14);
    fv_compare_chain(odd, 3, 9);
}

// Convolutions whose outputs are spread: two to bring the input in and to read it, convolution, blocks, output.
static void transposed_convolutions(void) {
    const fv_one_node rows[] = {
        {"ConvTranspose", "1x16x9x7 c16x8x2x2 c8", "strides:ints=2,2", 0},
        {"ConvTranspose", "2x8x6x5 c8x12x4x4 c12", "strides:ints=2,2 pads:ints=1,1,1,1", 0},
        {"ConvTranspose", "1x6x5x5 c6x5x3x3", "strides:ints=2,2 pads:ints=1,1,1,1 output_padding:ints=1,1", 0},
        {"ConvTranspose", "1x8x4x6 c8x1x4x4", "group:i=8 strides:ints=2,2 pads:ints=1,1,1,1", 0},
        {"ConvTranspose", "1x3x4x4 c3x4x5x5 c4", "strides:ints=3,3 pads:ints=0,1,2,1", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fv_compare_chain(&rows[i], 1, 7);
}

// What lies under the windows, and a 1 x 1: at most three to bring inputs in, the two; inputs count once more.
static void deformable_convolutions(void) {
    const fv_one_node rows[] = {
        {"DeformConv", "1x8x9x7 c6x8x3x3 1x18x9x7 c6 1x9x9x7", "pads:ints=1,1,1,1", 0},
        {"DeformConv", "2x16x8x9 c8x8x3x2 2x24x4x5", "group:i=2 offset_group:i=2 strides:ints=2,2 pads:ints=1,1,1,1", 0},
        {"DeformConv", "1x12x9x9 c4x12x3x3 c1x54x5x5 c4 c1x27x5x5", "offset_group:i=3 dilations:ints=2,2", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fv_compare_chain(&rows[i], 1, 9); // three copies, two kernels
}

// One convolution, without a copy where the rows are whole vectors.
static void products_with_constants(void) {
    const fv_one_node rows[][3] = {
        {{"MatMul", "1x40x24 c24x36", "", 0}, {"Add", "@ c36", "", 0}, {"Relu", "@", "", 0}},
        {{"MatMul", "2x7x9 c9x5", "", 0}, {"Add", "@ c1", "", 0}, {"Sigmoid", "@", "", 0}},
        {{"MatMul", "2x3x4x8 c8x12", "", 0}, {"Relu", "@", "", 0}, {"MatMul", "@ c12x16", "", 0}},
        {{"Gemm", "6x12 c20x12 c20", "transB:i=1 alpha:f=0.5", 0}, {"Relu", "@", "", 0}, {"Gemm", "@ c20x3", "", 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fv_compare_chain(rows[i], 3, i == 0 ? 3 : 7);
}

// Concatenations are born in place, splits are views, the halves of a shuffle are taken in one step.
static void shuffles_and_views(void) {
    const fv_one_node shuffle[] = {{"Conv", "1x8x6x10 c16x8x1x1", "", 0}, {"Reshape", "@ i[8,2,60]", "", 0},
                                   {"Transpose", "@", "perm:ints=1,0,2", 0}, {"Reshape", "@ i[2,8,6,10]", "", 0},
                                   {"Conv", "@ c4x8x3x3", "pads:ints=1,1,1,1", 0}};
    fv_compare_chain(shuffle, 5, 7);
    // A unit of ShuffleNet: one half stays, the other is convolved; shuffle and 1 x 1 are one step.
    for (int odd = 0; odd < 2; odd++) {
        const char *kept = odd ? "@3 i[0] i[1] i[0]" : "@3 i[1] i[2] i[0]";
        const char *convolved = odd ? "@3 i[1] i[2] i[0]" : "@3 i[0] i[1] i[0]";
        const fv_one_node unit[] = {{"Conv", "1x8x6x11 c16x8x1x1", "", 0}, {"Reshape", "@ i[8,2,66]", "", 0},
                                    {"Transpose", "@", "perm:ints=1,0,2", 0}, {"Reshape", "@ i[2,8,6,11]", "", 0},
                                    {"Slice", kept, "", 0}, {"Slice", convolved, "", 0},
                                    {"Conv", "@ c50x8x1x1 c50", "", 0}, {"LeakyRelu", "@", "alpha:f=0.1", 0},
                                    {"Conv", "@ c12x50x3x3", "pads:ints=1,1,1,1", 0}, {"Concat", "@4 @", "axis:i=1", 0},
                                    {"Conv", "@ c4x20x3x3", "pads:ints=1,1,1,1", 0}};
        fv_compare_chain(unit, 11, 7);
    }
    const fv_one_node flat[] = {{"Conv", "1x8x6x10 c12x8x1x1", "", 0}, {"Reshape", "@ i[1,12,60]", "", 0},
                                {"Transpose", "@", "perm:ints=0,2,1", 0}, {"Softmax", "@", "axis:i=2", 0}};
    fv_compare_chain(flat, 4, 5);
}

// The distances of a box as YOLOv8's head has them: lines of channels go to a convolution as they are. Two to bring the
// input in, convolution, softmax, convolution.
static void expected_values(void) {
#define DISTANCES(op, bins)                                                                                          \
    {"Conv", "1x8x6x7 c" bins "x8x1x1", "", 0}, {"Reshape", "@ i[1,4,-1,42]", "", 0}, {"Transpose", "@", "perm:ints=0,2,1,3", 0}, \
        {op, "@", "axis:i=1", 0}
    const fv_one_node few[] = {DISTANCES("Softmax", "64"), {"Conv", "@ c1x16x1x1", "", 0}};
    const fv_one_node logarithm[] = {DISTANCES("LogSoftmax", "32"), {"Conv", "@ c1x8x1x1", "", 0}};
    const fv_one_node many[] = {DISTANCES("Softmax", "160"), {"Conv", "@ c1x40x1x1", "", 0}};
    fv_compare_chain(few, 5, 6);
    fv_compare_chain(logarithm, 5, 6);
    fv_compare_chain(many, 5, 6);
}

// Behind a concatenation of what convolutions give, an activation is theirs: two to bring the input in, three convolutions.
static void scores_of_two_scales(void) {
    const fv_one_node sigmoid[] = {{"Conv", "1x8x6x7 c16x8x1x1", "", 0}, {"Conv", "@0 c12x16x1x1 c12", "", 0},
                                   {"Conv", "@0 c12x16x3x3", "", 0}, {"Reshape", "@1 i[1,12,-1]", "", 0},
                                   {"Reshape", "@2 i[1,12,-1]", "", 0}, {"Concat", "@3 @4", "axis:i=2", 0},
                                   {"Sigmoid", "@", "", 0}};
    const fv_one_node not_all[] = {sigmoid[0], sigmoid[1], {"MaxPool", "@0", "kernel_shape:ints=2,2", 0},
                                   {"Reshape", "@1 i[1,12,-1]", "", 0}, {"Reshape", "@2 i[1,12,-1]", "", 0}, sigmoid[5],
                                   sigmoid[6]};
    const fv_one_node needed[] = {sigmoid[0], sigmoid[1], sigmoid[2], sigmoid[3], sigmoid[4], sigmoid[5], sigmoid[6],
                                  {"Mul", "@5 @6", "", 0}, {"Sub", "@ @5", "", 0}};
    fv_compare_chain(sigmoid, 7, 6);
    fv_compare_chain(not_all, 7, 12);
    fv_compare_chain(needed, 9, 12);
}

// `fovea bench` sets a layer's time against these: what it reads and writes, without what lies between two halves of it.
static void layers_tell_their_bytes(void) {
    const fv_one_node chain[] = {{"Conv", "1x8x9x11 c8x1x5x5 c8", "group:i=8 pads:ints=2,2,2,2", 0},
                                 {"MaxPool", "@", "kernel_shape:ints=2,2", 0},
                                 {"Conv", "@ c8x1x3x3 c8", "group:i=8 pads:ints=1,1,1,1", 0}, {"Conv", "@ c16x8x1x1", "", 0}};
    const struct {
        const char *op, *row;
        double floats;
    } expected[] = {{"Conv", "depthwise ", 8 * 99 + 8 * 99}, {"MaxPool", "pool", 8 * 99 + 8 * 80},
                    {"Conv", "depthwise + 1x1", 8 * 80 + 16 * 80}};
    fv_err err = {0};
    size_t size;
    if (!fv_compare_gpu())
        return;
    void *model = fv_one_node_model(chain, 4, 13, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    fv_plan *plan = g ? fv_plan_create(fv_compare_gpu(), g, NULL, &err) : NULL;
    CHECK_OK(plan != NULL, err);
    fv_plan_layer v[16];
    int n = plan ? fv_plan_layers(plan, v, 16) : 0, at = 0;
    CHECK(n <= 16);
    for (int i = 0; i < n && at < 3; i++)
        if (!strcmp(v[i].op, expected[at].op) && !strncmp(v[i].row, expected[at].row, strlen(expected[at].row)))
            CHECK_NEAR(v[i].bytes, 4 * expected[at++].floats, 0.5);
    CHECK_EQUAL(at, 3);
    fv_plan_destroy(&plan);
    fv_graph_destroy(&g);
    free(model);
}

// What only the host reads costs no step on a CPU: two bring the input in, the convolution; the host does
// the rest.
static void outputs_are_collected(void) {
    int more = fv_compare_gpu() && !fv_gpu_get_caps(fv_compare_gpu())->cpu ? 3 : 0; // copies
    const fv_one_node cells[] = {{"Conv", "2x8x6x10 c13x8x1x1", "", 0}, {"Reshape", "@ i[2,13,60]", "", 0},
                                 {"Transpose", "@", "perm:ints=0,2,1", 0}};
    fv_compare_chain(cells, 3, 4 + more);
    const fv_one_node twice[] = {{"Conv", "1x8x5x7 c5x8x1x1", "", 0}, {"Concat", "@ @ c1x2x5x7", "axis:i=1", 0},
                                 {"Reshape", "@ i[1,12,35]", "", 0}, {"Transpose", "@", "perm:ints=2,0,1", 0},
                                 {"Concat", "@ @", "axis:i=0", 0}};
    fv_compare_chain(twice, 5, 5 + more);
    const fv_one_node backwards[] = {{"Conv", "1x8x6x20 c6x8x1x1", "", 0},
                                     {"Slice", "@ i[-1] i[-100] i[3] i[-2]", "", 0}, {"Transpose", "@", "perm:ints=3,2,1,0", 0}};
    fv_compare_chain(backwards, 3, 4 + more);
}

const fv_suite fused_suite = {"fused", (const fv_case[]){
    CASE(normalised_pixels), CASE(quantised_chains), CASE(separable_convolutions), CASE(pooled_convolutions),
    CASE(twin_convolutions), CASE(doubled_pictures_are_read_in_place), CASE(transposed_convolutions),
    CASE(deformable_convolutions), CASE(products_with_constants), CASE(shuffles_and_views), CASE(expected_values),
    CASE(scores_of_two_scales), CASE(layers_tell_their_bytes), CASE(outputs_are_collected), {0}}};
