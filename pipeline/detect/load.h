// A detector's graph with its side inputs settled.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/graph/graph.h"

// Loads the file (not optimised). `width`, `height`: the picture, where the file leaves it open; 0:
// fv_graph_load's default. Inputs beside the picture that only say how large it is become constants,
// so that boxes come in the network's pixels: "scale_factor" (1, 1) and "im_shape" (height, width) of
// PaddleDetection, "orig_target_sizes" (width, height) of RT-DETR and D-FINE. A picture of bytes becomes one of
// floats (fv_graph_take_bytes).
fv_graph *fv_detect_load(const char *path, int width, int height, fv_err *err);
