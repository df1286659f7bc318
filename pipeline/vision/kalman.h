// The motion of a box: the state of SORT (Bewley et al. 2016, eq. 1), [u, v, s, r, du, dv, ds]:
// centre, area, and the ratio width / height, which has no rate. Constant velocity between
// detections, as Kalman's 1960 paper filters it.
//
// F couples only a value with its own rate, H picks values, and all noise is diagonal; so the 7 x 7
// filter is exactly three filters of two states and one of one. That is how it is stored and
// computed.
//
// Noise. Everything scales with the box's size L = sqrt(w * h), so that near and far objects, and
// 480p and 2160p, are treated alike. Time is in seconds, so that the frame rate may vary and frames
// may be missing:
//
//     measurement            u, v: (0.05 L)^2          s: (0.1 L^2)^2           r: (0.1 r)^2
//     process, per second    u, v: (0.05 L)^2 * 30     s: (0.1 L^2)^2 * 3       r: (0.1 r)^2 * 3
//     of the rate            u, v: (0.2 L/s)^2 * 30    s: (0.1 L^2/s)^2 * 30
//     at birth               u, v, s, r: the measurement's; rates: (2 L/s)^2, (1 L^2/s)^2
//
// Thread-safety: values; no shared state.
#pragma once

#include "pipeline/base/value.h"

// A value, its rate per second, and their covariance.
typedef struct {
    double x, v, pxx, pxv, pvv;
} fv_kalman;

void fv_kalman_init(fv_kalman *k, double x, double var_x, double var_v);
// `q_x`, `q_v`: variance that a second adds to the value and to the rate.
void fv_kalman_predict(fv_kalman *k, double dt_s, double q_x, double q_v);
void fv_kalman_update(fv_kalman *k, double z, double var_z);

typedef struct {
    fv_kalman u, v, s, r;
} fv_motion;

void fv_motion_init(fv_motion *m, fv_box box); // empty boxes are taken as 1 x 1 pixel
void fv_motion_predict(
    fv_motion *m, double dt_s); // an area never shrinks below a pixel: its rate is dropped instead
// `blur`: how many times the standard deviations above `measured` has; 1: those above.
void fv_motion_update(fv_motion *m, fv_box measured, double blur);
// The picture has become `x` times as wide and `y` times as high.
void fv_motion_scale(fv_motion *m, double x, double y);
fv_box fv_motion_box(const fv_motion *m);
