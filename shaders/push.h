// Push constants of every kernel: the same text for GLSL and C, so that both sides always agree.
// At most 128 bytes each. Offsets count floats (`_at`) or vec4 (`_at4`) from the start of a block.
#ifndef FV_PUSH_H
#define FV_PUSH_H

#ifdef __STDC__
#include <sys/types.h> // uint
#endif

#define FV_COPY_DIMS 8
#define FV_ELTWISE_DIMS 6

// copy.comp: out[i] = in[i] over the last dimensions of FV_COPY_DIMS with their own strides (floats)
// on both sides. Positions from `valid` on along dimension `valid_dim` are written as `fill`.
struct fv_push_copy {
    uint in_at, out_at, count;
    uint valid_dim, valid;
    float fill;
    uint dim[FV_COPY_DIMS];
    int in_stride[FV_COPY_DIMS];
    int out_stride[FV_COPY_DIMS];
};

// copy4.comp: the same, four channels at a time; dimension `channel_dim` counts groups of four, `c`
// channels are valid. Strides in floats; those of the side that is vec4 are multiples of 4.
struct fv_push_copy4 {
    uint in_at, out_at, count;
    uint channel_dim, c;
    int in_c_stride, out_c_stride;
    uint dim[FV_COPY_DIMS];
    int in_stride[FV_COPY_DIMS];
    int out_stride[FV_COPY_DIMS];
};

// candidates.comp: the cells first .. first + n of `total`; their matrices in the activation block (floats from its
// start, steps from cell to cell and from channel to channel), by the roles of pipeline/base/candidates.h.
#define FV_CANDIDATE_MATRICES 6
struct fv_push_candidates {
    uint first, n, total;
    uint scratch_at, out_at;
    float least_score, least_gate;
    uint at[FV_CANDIDATE_MATRICES];
    int cell[FV_CANDIDATE_MATRICES];
    int channel[FV_CANDIDATE_MATRICES];
    uint c[FV_CANDIDATE_MATRICES];
};

// An operand of eltwise4.comp: index = at4 + pixel * pixel_stride4 + item * item_stride4 + c4 * c_stride4
// with item = pixel / item_pixels.
struct fv_push_operand {
    uint at4;
    int pixel_stride4, item_stride4, c_stride4;
};

// unzip.comp: channels 0, 2, 4, ... to one place and 1, 3, 5, ... to another, four each an invocation.
#define FV_UNZIP_DIMS 5
struct fv_push_unzip {
    uint in_at, even_at, odd_at, count;
    uint dim[FV_UNZIP_DIMS];
    int in_stride[FV_UNZIP_DIMS];
    int even_stride[FV_UNZIP_DIMS];
    int odd_stride[FV_UNZIP_DIMS];
};

#ifdef __STDC__
typedef struct fv_push_operand fv_push_operand;
#endif

// eltwise4.comp: pixels x c4 vectors; with c channels the rest of the last vector is zeroed.
struct fv_push_eltwise4 {
    uint out_at4, out_pitch4;
    uint n_pixels, c4, c, item_pixels;
    float alpha, beta; // of the unary function
    fv_push_operand a, b;
};

// eltwise1.comp: one element an invocation, any strides (floats).
struct fv_push_eltwise1 {
    uint a_at, b_at, out_at, count;
    float alpha, beta;
    uint dim[FV_ELTWISE_DIMS];
    int a_stride[FV_ELTWISE_DIMS];
    int b_stride[FV_ELTWISE_DIMS];
    int out_stride[FV_ELTWISE_DIMS];
};

// A window over pixels: output pixel (oy, ox) begins at input (oy * stride_y - pad_y, ...).
struct fv_push_window {
    int in_w, in_h, out_w, out_h; // pixels
    int kernel_x, kernel_y, stride_x, stride_y, pad_x, pad_y, dilation_x, dilation_y;
};

#ifdef __STDC__
typedef struct fv_push_window fv_push_window;
#endif

// conv_plain.comp: weights [m4][ky][kx][c4][4 outputs] of vec4 over inputs, then (bias_at4) [m4] biases.
// conv_dw_plain.comp: weights [c4][ky][kx] of vec4, bias [c4].
struct fv_push_conv_plain {
    uint in_at4, in_pitch4, out_at4, out_pitch4, add_at4, add_pitch4, weight_at4, bias_at4;
    uint n_pixels; // of the output, all images
    uint c4, m4;   // of one group
    uint m;        // outputs in all; the rest of the last vector is zeroed
    float alpha, beta;
    fv_push_window win;
};

// conv_separable.comp: a depthwise convolution and the 1 x 1 behind it.
struct fv_push_separable {
    uint in_at4, in_pitch4, channels4; // of the depthwise one
    int width, height;                 // of one input picture
    uint out_at4, out_pitch4, out_channels;
    int out_width, out_height;
    uint rows, blocks_x, blocks_y;     // rows of all pictures; blocks of P x PY output pixels in one
    uint depthwise_at4;                // [channels4][taps, then the bias] of vec4
    uint weights_at4, bias_at4;        // [block][channels4][OB outputs] of vec4 over inputs; [outputs]
    int pad_x, pad_y;
    uint residual_at4, residual_pitch4;
    float alpha, beta, depthwise_alpha, depthwise_beta; // of the activations
    uint parts_at4, n_parts;           // in the weight block: the parts of the input (lib/parts.glsl)
};

// conv_shuffle.comp: all pictures are one row of pixels.
struct fv_push_shuffle {
    uint in_at4, in_pitch4, n_pixels;
    uint channels4;                    // of the half that is convolved
    uint kept_at4, kept_pitch4;        // where the other half goes
    uint out_at4, out_pitch4, out_channels;
    uint weights_at4, bias_at4;        // as conv_tile.comp has them
    float alpha, beta;
};

// pool.comp
struct fv_push_pool {
    uint in_at4, in_pitch4, out_at4, out_pitch4, c4, count_pad;
    uint blocks_x, rows;  // blocks of P output pixels in a row; rows of all images
    int limit_x, limit_y; // average with padding: windows are counted up to here (padded size)
    float p;
    fv_push_window win;
};

// resize.comp: out = sum over taps of weight_y * weight_x * in. Tables in the weight block: for each
// output row (column) `taps` pairs of input row (column) and weight.
struct fv_push_resize {
    uint in_at4, in_pitch4, out_at4, out_pitch4, n_pixels, c4;
    uint in_w, in_h, out_w, out_h;
    uint rows_at, columns_at, row_taps, column_taps; // table offsets in floats
};

// softmax.comp: along n elements, for every (outer, inner) position; strides in floats.
struct fv_push_softmax {
    uint in_at, out_at, count, n;
    int in_stride, out_stride;
    uint dim[4];
    int in_dim_stride[4];
    int out_dim_stride[4];
};

// grid.comp: `points` places of each picture, n_points of all; the grid is x, y, x, y, ...
struct fv_push_grid {
    uint in_at4, in_pitch4, in_w, in_h, out_at4, out_pitch4;
    uint grid_at, n_points, points, c4; // grid_at: floats
};

// deform.comp: c4 vectors of four channels for each output pixel; offsets and masks are channels of their pictures.
struct fv_push_deform {
    uint in_at4, in_pitch4, offset_at4, offset_pitch4, mask_at4, mask_pitch4, out_at4, out_pitch4;
    uint n_pixels, c4, group_channels4, moved_channels4; // vectors of a group of the convolution, and of one that moves together
    fv_push_window win;
};

// normalize.comp: `count` runs of n elements. Dimensions 0 and 1 number the runs, 2 to 4 the elements of
// one; scale and bias have the same strides. All in floats.
struct fv_push_normalize {
    uint in_at, out_at, scale_at, bias_at, count, n;
    float epsilon;
    uint dim[5];
    int in_stride[5], out_stride[5], scale_stride[5];
};

// reduce.comp: over the last of up to FV_REDUCE_DIMS dimensions; strides in floats. channel_stride: of the output, from
// one of the four channels of an invocation to the next.
#define FV_REDUCE_DIMS 6
struct fv_push_reduce {
    uint in_at, out_at, count, n_reduced_elements;
    float scale;
    int channel_stride;
    uint dim[FV_REDUCE_DIMS];
    int in_stride[FV_REDUCE_DIMS];
    int out_stride[FV_REDUCE_DIMS];
};

// matmul.comp: out[i,j,m,n] = alpha * sum over k a[i,j,m,k] b[i,j,k,n] + beta * c[i,j,m,n]; strides in floats.
struct fv_push_matmul {
    uint a_at, b_at, c_at, out_at;
    uint batch0, batch1, m, n, k;
    int a_b0, a_b1, a_m, a_k;
    int b_b0, b_b1, b_k, b_n;
    int c_b0, c_b1, c_m, c_n;
    int out_b0, out_b1, out_m, out_n;
    float alpha, beta;
};

// matmul_tile.comp: rows of a and columns of b in vec4 along k; the result with any strides (floats).
struct fv_push_matmul_tile {
    uint a_at4, a_row4, a_b0, a_b1;
    uint b_at4, b_column4, b_b0, b_b1;
    uint out_at, out_b0, out_b1, out_m, out_n;
    uint batch1, m, n, k4;
};

#ifdef __STDC__
typedef struct fv_push_matmul_tile fv_push_matmul_tile;
typedef struct fv_push_candidates fv_push_candidates;
typedef struct fv_push_copy fv_push_copy;
typedef struct fv_push_copy4 fv_push_copy4;
typedef struct fv_push_unzip fv_push_unzip;
typedef struct fv_push_eltwise4 fv_push_eltwise4;
typedef struct fv_push_eltwise1 fv_push_eltwise1;
typedef struct fv_push_conv_plain fv_push_conv_plain;
typedef struct fv_push_pool fv_push_pool;
typedef struct fv_push_separable fv_push_separable;
typedef struct fv_push_shuffle fv_push_shuffle;
typedef struct fv_push_resize fv_push_resize;
typedef struct fv_push_softmax fv_push_softmax;
typedef struct fv_push_grid fv_push_grid;
typedef struct fv_push_deform fv_push_deform;
typedef struct fv_push_normalize fv_push_normalize;
typedef struct fv_push_reduce fv_push_reduce;
typedef struct fv_push_matmul fv_push_matmul;
#endif

#endif
