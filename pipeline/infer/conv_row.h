// Private to pipeline/infer: the kernels for one convolution, as rows. A row is a kernel with its tile
// sizes; which one is fastest depends on the device and on the shape (tune.h). Knows no plan.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/gpu/gpu.h"
#include "pipeline/infer/infer.h"
#include "shaders/push_conv.h"

// A convolution over pixels (view.h). Groups whose channels are no multiples of four on both sides must
// have been made one group with zeros between; depthwise: groups == in_channels == out_channels.
typedef struct {
    int n, in_channels, out_channels, groups; // channels of all groups together
    int in_w, in_h, out_w, out_h;
    int kernel_x, kernel_y, stride_x, stride_y, dilation_x, dilation_y, pad_x, pad_y;
    uint32_t act, residual;                   // numbers of shaders/act.h, fv_residual
    bool depthwise;
    bool adjoining; // there is a stride along x, and nothing lies between the input's pixels: their pitch is their channels
    bool eights; // the output's place and pitch are multiples of eight channels
    int near_channels; // 1 x 1, one group: of in_channels so many, a multiple of four, come from a picture of half the
    bool near_first;   // size, each of its pixels counting for two by two; they are the first or the last ones
    int n_parts;       // 1 x 1, one group: the input lies in so many places, each in whole vec4; 0: in one
    fv_half half;
} fv_conv_shape;

typedef enum {
    FV_CONV_TILE, FV_CONV_PICTURE, FV_CONV_FP16, FV_CONV_WINOGRAD, FV_CONV_DEPTHWISE, FV_N_CONV_KERNELS
} fv_conv_kernel;

// `x` pixels by up to `y` channels a lane. Depthwise: `x` by `y` pixels a lane.
typedef struct {
    const char *name;
    fv_conv_kernel kernel;
    int x, y;
} fv_conv_row;
extern const fv_conv_row fv_conv_rows[]; // ends with a NULL name

// What a dispatch needs. The caller fills the places and pitches of `push`, alpha and beta; in_pitch4 it multiplies with
// what is there, the pixels side by side that the kernel takes for one.
typedef struct {
    const char *kernel;
    uint32_t n_spec, spec[16];
    fv_push_tile push;
    uint32_t groups[3];
} fv_conv_dispatch;

// Whether the row's kernel can do it at all. Where no row fits, conv_plain.comp does it.
bool fv_conv_row_fits(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps);
fv_conv_dispatch fv_conv_row_dispatch(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps);

// Invocations of a workgroup: two subgroups, which saves half of what a workgroup costs; one where there is
// little work. On CPUs always one: a second kernel for the few large layers costs megabytes and is no faster.
uint32_t fv_conv_local(int64_t lanes, const fv_gpu_caps *caps);

// Cost by a formula, in instructions that a CPU would issue; for a choice without a measurement, and to
// leave out of a measurement what cannot win.
double fv_conv_row_cost(const fv_conv_row *row, const fv_conv_shape *s, const fv_gpu_caps *caps);
// The row of the lowest cost; NULL where none fits.
const fv_conv_row *fv_conv_row_default(const fv_conv_shape *s, const fv_gpu_caps *caps);

// Output channels of a block of a tile row: blocks are equal, in fours or, so that they are stored by eights, in eights.
int fv_conv_row_block(const fv_conv_row *row, const fv_conv_shape *s);

// Floats that the weights take, and the weights [out][in per group][ky][kx] in the kernel's order.
// `to` is zeroed.
size_t fv_conv_row_weights(const fv_conv_row *row, const fv_conv_shape *s);
void fv_conv_row_pack(const fv_conv_row *row, const fv_conv_shape *s, const float *from, float *to);

// One line, the same for equal shapes: the key of the tuner's cache.
void fv_conv_shape_text(const fv_conv_shape *s, char *text, size_t size);
