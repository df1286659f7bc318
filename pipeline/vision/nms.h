// One box an object.
#pragma once

#include "pipeline/base/value.h"

// Greedy non-maximum suppression by class: sorts by score, keeps a box unless a better kept one of its
// class overlaps by more than `iou` (0..1). Classes below `n` with exclusive[class] count as one: where
// there is a car there is no truck. Ties keep the earlier. In place, allocates nothing. Sorted input (as
// fv_head_decode gives) is the fast case.
void fv_nms(fv_objects *objects, float iou, const bool *exclusive, int n);
