// Resize (10 to 19), Upsample.
#pragma once

#include "pipeline/base/value.h"

typedef enum { FV_RESIZE_NEAREST, FV_RESIZE_LINEAR, FV_RESIZE_CUBIC } fv_resize_mode;
// Where the centre of output pixel i lies in the input; the names are those of the ONNX page.
typedef enum {
    FV_COORD_HALF_PIXEL,
    FV_COORD_HALF_PIXEL_SYMMETRIC,
    FV_COORD_PYTORCH_HALF_PIXEL,
    FV_COORD_ALIGN_CORNERS,
    FV_COORD_ASYMMETRIC,
    FV_COORD_TF_HALF_PIXEL_FOR_NN,
    FV_COORD_TF_CROP_AND_RESIZE
} fv_coord;
typedef enum { FV_ROUND_PREFER_FLOOR, FV_ROUND_PREFER_CEIL, FV_FLOOR, FV_CEIL } fv_nearest;

// Solved after the load: `scale` and `roi` hold one entry per dimension of the input.
typedef struct {
    fv_resize_mode mode;
    fv_coord coord;
    fv_nearest nearest;
    float cubic_a;
    int exclude_outside; // cubic, linear: weights outside the picture are 0, the others rescaled
    int antialias;           // linear, cubic: the filter is widened when shrinking
    float extrapolation;     // tf_crop_and_resize: value outside the input
    float scale[FV_MAX_DIMS]; // output size / input size as the file means it
    float roi[2][FV_MAX_DIMS]; // start, end as fractions; 0 and 1 without a roi
    // as the file says; of no use afterwards
    int policy, n_axes, axes[FV_MAX_DIMS], n_file_scales;
    float file_scales[FV_MAX_DIMS];
} fv_resize_attr;

// Of which inputs one output index along one dimension is made, and how much each counts; beyond the
// edges the outermost ones repeat. The arrays are the caller's, room for FV_RESIZE_MAX_TAPS.
enum { FV_RESIZE_MAX_TAPS = 4096 };
typedef struct {
    int n;
    bool outside; // tf_crop_and_resize: the extrapolation value stands here
    int64_t *index;
    float *weight;
} fv_resize_taps;
void fv_resize_taps_solve(const fv_resize_attr *a, int d, int64_t o, int64_t in, int64_t out, fv_resize_taps *t);
