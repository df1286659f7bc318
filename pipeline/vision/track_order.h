// Detections from left to right, so that a track looks only at those that can overlap it.
// Thread-safety: functions of their arguments.
#pragma once

#include "pipeline/base/value.h"

// Fills `order` (d->n) with indices by box.x, equal ones by index; returns the largest width.
// Heap sort: nothing is allocated, and the same order on every system.
float fv_track_order(const fv_objects *d, int *order);

// The first place in `order` whose box begins at `x` or right of it; d->n when there is none.
int fv_track_order_find(const fv_objects *d, const int *order, float x);
