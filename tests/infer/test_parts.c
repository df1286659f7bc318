// Concatenations that are not made: their reader finds the parts where they are.
#include "tests/infer/compare.h"
#include "tests/test.h"

#define ROOTS(batch) {"Conv", batch "x8x7x9 c30x8x1x1 c30", "", 0}, {"Conv", "@0 c22x30x1x1 c22", "", 0}
#define SLICE(from, a, b) {"Slice", from " i[" a "] i[" b "] i[1]", "", 0}
#define CONCAT(in) {"Concat", in, "axis:i=1", 0}
enum { BROUGHT = 2 }; // two to bring an input in and to make it pixels; then come the convolutions

#define IN_PLACE(chain, n_convolutions) fv_compare_chain(chain, sizeof chain / sizeof *chain, BROUGHT + (n_convolutions) + 1)

static void by_a_pointwise_convolution(void) {
    const fv_one_node slices[] = {ROOTS("1"), SLICE("@0", "4", "30"), SLICE("@1", "8", "20"), SLICE("@0", "0", "4"),
                                  CONCAT("@2 @3 @1 @4"), {"Conv", "@ c50x64x1x1 c50", "", 0}, {"Relu", "@", "", 0}};
    const fv_one_node unaligned[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@ c16x52x1x1", "", 0}};
    const fv_one_node batch[] = {ROOTS("2"), CONCAT("@1 @0 @1"), {"Conv", "@ c100x74x1x1 c100", "", 0}};
    const fv_one_node row[] = {{"Conv", "1x8x31 c10x8x1", "", 0}, {"Conv", "@0 c9x10x1", "", 0}, CONCAT("@1 @0"),
                               {"Conv", "@ c7x19x1 c7", "", 0}};
    const fv_one_node residual[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@ c30x52x1x1", "", 0}, {"Add", "@0 @3", "", 0}};
    IN_PLACE(slices, 3);
    IN_PLACE(unaligned, 3);
    IN_PLACE(batch, 3);
    IN_PLACE(row, 3);
    IN_PLACE(residual, 3);
}

// The depthwise one and the 1 x 1 behind it are one step.
static void by_a_depthwise_convolution(void) {
    const fv_one_node plain[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@ c52x1x3x3 c52", "group:i=52 pads:ints=1,1,1,1", 0},
                                 {"Conv", "@ c60x52x1x1 c60", "", 0}};
    const fv_one_node strides[] = {ROOTS("2"), SLICE("@0", "12", "30"), SLICE("@1", "4", "8"), CONCAT("@2 @3 @1"),
                                   {"Conv", "@ c44x1x5x5", "group:i=44 pads:ints=2,2,2,2 strides:ints=2,2", 0},
                                   {"LeakyRelu", "@", "alpha:f=0.1", 0}, {"Conv", "@ c18x44x1x1", "", 0}};
    IN_PLACE(plain, 3);
    IN_PLACE(strides, 3);
}

// Copied: a kernel that reads one place (also with its pooling), two readers, another axis, a constant. Right all the same.
static void others_are_made(void) {
    const fv_one_node square[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@ c16x52x3x3", "", 0}};
    const fv_one_node strides[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@ c16x52x1x1", "strides:ints=2,2", 0}};
    const fv_one_node twice[] = {ROOTS("1"), CONCAT("@0 @1"), {"Conv", "@2 c16x52x1x1", "", 0}, {"Conv", "@2 c16x52x1x1", "", 0},
                                 {"Add", "@3 @4", "", 0}, {"MaxPool", "@2", "kernel_shape:ints=7,9", 0},
                                 {"Conv", "@ c16x52x1x1", "", 0}, {"Add", "@5 @", "", 0}};
    const fv_one_node below[] = {ROOTS("1"), {"Concat", "@0 @0", "axis:i=2", 0}, {"Conv", "@ c16x30x1x1", "", 0}};
    const fv_one_node constant[] = {ROOTS("1"), CONCAT("@0 c1x6x7x9"), {"Conv", "@ c16x36x1x1", "", 0}};
    const fv_one_node pooled[] = {{"Conv", "1x8x10x12 c3x8x1x1", "", 0}, {"Conv", "@0 c1x3x1x1", "", 0}, CONCAT("@0 @1"),
                                  {"Conv", "@ c24x4x1x1", "", 0}, {"MaxPool", "@", "kernel_shape:ints=2,2 strides:ints=2,2", 0}};
    fv_compare_chain(pooled, 5, 20);
    fv_compare_chain(square, 4, 20);
    fv_compare_chain(strides, 4, 20);
    fv_compare_chain(twice, 8, 20);
    fv_compare_chain(below, 4, 20);
    fv_compare_chain(constant, 4, 20);
}

const fv_suite parts_suite = {"parts", (const fv_case[]){
    CASE(by_a_pointwise_convolution), CASE(by_a_depthwise_convolution), CASE(others_are_made), {0}}};
