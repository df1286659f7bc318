// Convolutions. Everything is two-dimensional: a 1-D convolution is one of height 1.
#pragma once

#include <stdbool.h>

#include "pipeline/graph/activation.h"

// When a fused residual is added: y = act(conv + r) or y = act(conv) + r.
typedef enum { FV_RESIDUAL_NONE, FV_RESIDUAL_BEFORE, FV_RESIDUAL_AFTER } fv_residual;

// Attributes of Conv and ConvTranspose; of ConvInteger and QLinearConv as well, without the fused
// parts. Solved after the load: auto_pad has become `pad`, `kernel` is that of the weights.
// Inputs of Conv: x [N,C,H,W] (or [N,C,L]), weights [M,C/group,kh,kw], bias [M] or absent (-1), and
// with a residual one more, of the output's shape. Index 0 is height, 1 width.
typedef struct {
    int kernel[2], stride[2], dilation[2];
    int pad[4];                // top, left, bottom, right; may be negative in files, never here
    int group;
    int out_pad[2];            // ConvTranspose only: rows and columns added below and right
    fv_activation activation;  // fused by the passes; kind FV_ACT_NONE in a graph as loaded
    fv_residual residual;      // the residual is input 3
    // as the file says, before they are solved; of no use afterwards
    int auto_pad;
    int n_output_shape, output_shape[2];
} fv_conv_attr;

// Dense, 1 x 1, no stride, no padding: a product of every pixel's channels with a matrix.
bool fv_conv_is_pointwise(const fv_conv_attr *a);
