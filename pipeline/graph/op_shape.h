// Ops that move data. Axes are never negative after the load, lists have one entry per dimension.
// Reshape, Flatten, Squeeze, Unsqueeze, Identity, Dropout: the output is the input's data under
// another shape; they have no attributes that matter after the load (`fv_op.view` is true).
#pragma once

#include "pipeline/base/value.h"

typedef struct { // Reshape, Flatten, Squeeze, Unsqueeze: as the file says
    int n_axes, axis, allow_zero;
    int64_t axes[FV_MAX_DIMS];
} fv_view_attr;

typedef struct { // Concat; Split, whose parts are as long as its outputs say
    int axis;
    int n_parts; // Split, as the file says
    int64_t part[64];
} fv_axis_attr;

typedef struct { // output dimension i is input dimension perm[i]
    int n, perm[FV_MAX_DIMS];
} fv_transpose_attr;

typedef struct { // output index o is input index start + o * step; step may be negative
    int64_t start[FV_MAX_DIMS], step[FV_MAX_DIMS];
    int n; // opset < 10, as the file says
    int64_t file_starts[FV_MAX_DIMS], file_ends[FV_MAX_DIMS], file_axes[FV_MAX_DIMS];
} fv_slice_attr;

typedef enum { FV_PAD_CONSTANT, FV_PAD_REFLECT, FV_PAD_EDGE, FV_PAD_WRAP } fv_pad_mode;
typedef struct { // elements added (or, negative, removed) at the beginning and the end
    fv_pad_mode mode;
    int64_t begin[FV_MAX_DIMS], end[FV_MAX_DIMS];
    double value; // of FV_PAD_CONSTANT
    int n_file;   // opset < 11, as the file says
} fv_pad_attr;

// What fills the room that NonZero and NonMaxSuppression of computed tensors leave over. Gather in all its forms
// gives zeros for it and for what index arithmetic makes of it, Scatter leaves it out.
#define FV_INDEX_NONE (-((int64_t)1 << 30))

typedef struct { // DepthToSpace, SpaceToDepth
    int block;
    int crd; // DepthToSpace: column-row-depth order
} fv_block_attr;
