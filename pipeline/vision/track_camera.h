// A camera that moves moves everything: when most objects were found off their predicted places in
// the same direction, what was not found has gone that way too.
//
//     a pair for every object that was found:  how far off its place, and how its rate changed
//     shift = medians, per axis, when there are 5 pairs or more and four of five have its sign
//
// No pixels are looked at. Standing cameras are left alone: there errors have both signs.
// Thread-safety: belongs to one thread at a time.
#pragma once

#include <stdbool.h>

#include "pipeline/vision/kalman.h"

// `{0}` is empty. Arrays grow to the largest number of pairs, then nothing is allocated.
typedef struct {
    int n;
    float *v[4]; // off in x, y; change of the rate in x, y
    int capacity[4];
} fv_track_camera;

// `before`: predicted for this frame; `after`: updated by `detected`.
void fv_track_camera_add(fv_track_camera *c, const fv_motion *before, const fv_motion *after,
                         fv_box detected);

// Pixels and pixels a second, 0 on an axis without agreement. Clears the pairs.
typedef struct {
    double x, y, rate_x, rate_y;
} fv_track_shift;
fv_track_shift fv_track_camera_take(fv_track_camera *c);

void fv_track_camera_finish(fv_track_camera *c);
