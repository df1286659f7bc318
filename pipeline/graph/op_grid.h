// GridSample.
#pragma once

typedef enum { FV_GRID_BILINEAR, FV_GRID_NEAREST, FV_GRID_BICUBIC } fv_grid_mode;
typedef enum { FV_GRID_ZEROS, FV_GRID_BORDER, FV_GRID_REFLECTION } fv_grid_padding; // outside the picture

// Inputs: picture [N,C,H,W], grid [N,h,w,2] of x and y.
typedef struct {
    int mode, padding;
    int align_corners; // -1 and 1 are the centres of the outermost pixels, not their outer edges
} fv_grid_attr;
