// Pooling windows, two-dimensional like convolutions (1-D has height 1).
#pragma once

typedef enum { FV_POOL_MAX, FV_POOL_AVERAGE, FV_POOL_LP } fv_pool_kind;

// MaxPool, AveragePool, LpPool and their Global forms, whose kernel is the whole plane.
// Solved after the load: auto_pad has become `pad`; with ceil_mode the output's shape says how many
// windows there are, the last of which may reach beyond the padding (those elements do not exist:
// neither maximum nor count sees them).
typedef struct {
    fv_pool_kind kind;
    int kernel[2], stride[2], dilation[2];
    int pad[4];            // top, left, bottom, right
    int count_include_pad; // AveragePool: divide by the window with its padding
    int p;                 // LpPool
    int column_major;      // MaxPool's second output counts down the columns
    // as the file says; of no use afterwards
    int global, ceil_mode, auto_pad;
} fv_pool_attr;
