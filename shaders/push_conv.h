// Push constants of the convolution kernels and of the preprocess kernel; see push.h.
#ifndef FV_PUSH_CONV_H
#define FV_PUSH_CONV_H

#ifdef __STDC__
#include <sys/types.h> // uint
#endif

// conv_tile.comp, conv_depthwise.comp: activations in the pixels layout, everything in vec4.
// A pitch is the distance of two pixels; it is larger than the channels in a slice of a Concat.
// Kernels 1 x 1 with stride 1 see all pictures as one row: width = out_width = all pixels.
struct fv_push_tile {
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
    uint out_channels;             // per group; vec4 beyond it are not written, the rest of the last is 0
    uint residual_at4, residual_pitch4;
    float alpha, beta;             // of the activation
    uint near_at4, near_pitch4, near_channels4; // of the part that is a picture of half the size; in_channels4: the rest
    uint parts_at4;                // in the weight block: the parts of the input (lib/parts.glsl); kernel_height: how many
};

// conv_pool.comp: a convolution, what it gives ("between"), and the maximum pooling behind it.
struct fv_push_conv_pool {
    uint in_at4, in_pitch4;
    int width, height;             // of one input picture
    int pad_x, pad_y;
    int between_width, between_height, pool_pad_x, pool_pad_y;
    uint out_at4, out_pitch4, out_channels;
    int out_width, out_height;
    uint pictures, blocks_x, blocks_y; // blocks of P x PY pooled pixels in one picture
    uint weights_at4, bias_at4;    // as conv_tile.comp has them
    float alpha, beta;             // of the activation
};

// preprocess.comp. Bytes count from the start of the upload block.
struct fv_push_preprocess {
    uint plane_at[3], stride[3];
    int width, height;             // of the picture
    int out_width, out_height;
    int x0, y0, x1, y1;            // fv_window: the part of the output that shows the picture
    float scale_x, scale_y, offset_x, offset_y; // fv_fit
    float y_scale, y_add, cr_r, cb_g, cr_g, cb_b; // fv_color: y = Y * y_scale + y_add, c scaled
    float mean[3], gain[3];        // in the order of the network's channels
    float pad;
    uint out_at;                   // floats
};

#ifdef __STDC__
typedef struct fv_push_tile fv_push_tile;
typedef struct fv_push_conv_pool fv_push_conv_pool;
typedef struct fv_push_preprocess fv_push_preprocess;
#endif

#endif
