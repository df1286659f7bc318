// Push constants of every kernel: the same text for GLSL and C, so that both sides always agree.
// At most 128 bytes each. Offsets count floats (`_at`) or vec4 (`_at4`) from the start of a block.
#ifndef FV_PUSH_H
#define FV_PUSH_H

#ifdef __STDC__
#include <stdint.h>
#include <sys/types.h> // uint
#define FV_PUSH_ARRAY(type, name, n) type name[n]
#else
#define FV_PUSH_ARRAY(type, name, n) type name[n]
#endif

#define FV_COPY_DIMS 6

// copy.comp: out[i] = in[i] over FV_COPY_DIMS dimensions with their own strides (floats) on both
// sides. Positions from `valid` on along dimension `valid_dim` are written as `fill`.
struct fv_push_copy {
    uint in_at, out_at, count;
    uint valid_dim, valid;
    float fill;
    FV_PUSH_ARRAY(uint, dim, FV_COPY_DIMS);
    FV_PUSH_ARRAY(int, in_stride, FV_COPY_DIMS);
    FV_PUSH_ARRAY(int, out_stride, FV_COPY_DIMS);
};

// conv.comp, depthwise.comp: NHWC activations with the channels padded to 4, everything in vec4.
// A pitch is the distance of two pixels; it is larger than the channels in a slice of a Concat.
// Kernels 1 x 1 with stride 1 see the picture as one row: width = out_width = all pixels.
struct fv_push_conv {
    uint in_at4, in_pitch4;
    int width, height;             // of one input picture
    uint in_channels4;             // per group; depthwise: all
    uint out_at4, out_pitch4;
    int out_width, out_height;
    uint rows;                     // out_height x pictures
    uint blocks_x;                 // blocks of P output pixels in a row
    uint weights_at4, bias_at4;    // packed by infer/lower_conv.c
    int kernel_height, dilation_y, pad_x, pad_y;
    uint group_blocks;             // output channel blocks per group
    uint out_channels4;            // per group; what lies beyond it in a block is not written
    uint residual_at4, residual_pitch4;
    float alpha, beta;             // of the activation
};

#endif
