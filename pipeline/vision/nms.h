// One box an object.
#pragma once

#include "pipeline/base/value.h"

// Greedy non-maximum suppression by class (or over all classes): sorts by score, keeps a box unless
// a better kept one of its class overlaps by more than `iou` (0..1). Ties keep the earlier. In
// place, allocates nothing. Sorted input (as fv_head_decode gives) is the fast case.
void fv_nms(fv_objects *objects, float iou, bool class_agnostic);
