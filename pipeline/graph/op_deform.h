// Deformable convolutions (Zhu et al., Deformable ConvNets v2, arXiv 1811.11168).
#pragma once

#include "pipeline/graph/op_conv.h"

// DeformConv: inputs x [N,C,H,W], weights [M,C/group,kh,kw], offset [N,2 G kh kw,h,w], bias [M] or absent, mask
// [N,G kh kw,h,w] or absent, G being offset_group; an offset is y, x of a point of the kernel.
// DeformColumns, which the passes make of it: x, offset, mask; gives [N,C kh kw,h,w], what lies under every window, its
// channels [group][ky][kx][channel of the group].
typedef struct {
    fv_conv_attr conv; // first: Conv's shape rule reads it
    int offset_group;  // parts of the channels that move together
} fv_deform_attr;
