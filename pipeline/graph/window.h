// Sliding windows in two dimensions, shared by convolutions and pools: index 0 is height, 1 width.
#pragma once

#include "pipeline/graph/ops.h"

typedef enum {
    FV_AUTO_PAD_NOTSET,
    FV_AUTO_PAD_SAME_UPPER,
    FV_AUTO_PAD_SAME_LOWER,
    FV_AUTO_PAD_VALID
} fv_auto_pad;

// Borrowed from a conv or pool attribute struct.
typedef struct {
    int *kernel, *stride, *dilation, *pad;
    int auto_pad, ceil_mode;
} fv_window;

// Reads kernel_shape, strides, dilations, pads and auto_pad; one value means a 1-D window (height
// 1).
void fv_window_parse(fv_attrs *a, fv_window w, int *auto_pad);
// Solves auto_pad and gives the number of windows for an input of in[0] x in[1].
bool fv_window_solve(const fv_call *c, fv_window w, const int64_t in[2], int64_t out[2]);
// Rows and columns of a [N,C,W] or [N,C,H,W] tensor; fails on other ranks.
bool fv_plane_get(const fv_call *c, const fv_tensor *t, int64_t plane[2]);
// Sets output `out` to [n, channels, plane], without the height where `like` has none.
bool fv_plane_set(const fv_call *c, int out, const fv_tensor *like, fv_dtype dtype,
                  int64_t channels, const int64_t plane[2]);
