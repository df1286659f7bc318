#include "pipeline/vision/track_camera.h"

#include <stdlib.h>

#include "pipeline/vision/grow.h"

enum { LEAST_PAIRS = 5, OUTLIERS = 5 }; // one of five may disagree

void fv_track_camera_add(fv_track_camera *c, const fv_motion *before, const fv_motion *after,
                         fv_box detected) {
    const double values[4] = {(double)detected.x + (double)detected.w / 2 - before->u.x,
                              (double)detected.y + (double)detected.h / 2 - before->v.x,
                              after->u.v - before->u.v, after->v.v - before->v.v};
    for (int i = 0; i < 4; i++) {
        FV_GROW(c->v[i], c->capacity[i], c->n + 1);
        c->v[i][c->n] = (float)values[i];
    }
    c->n++;
}

static void sort(float *v, int n) { // Shell 1959
    for (int gap = n / 2; gap > 0; gap /= 2)
        for (int i = gap; i < n; i++) {
            float x = v[i];
            int k = i;
            for (; k >= gap && v[k - gap] > x; k -= gap)
                v[k] = v[k - gap];
            v[k] = x;
        }
}

// The median of sorted values; 0 when they disagree about the sign.
static double agreed(const float *v, int n) {
    int low = n / OUTLIERS, high = n - 1 - low;
    return v[low] > 0 || v[high] < 0 ? (double)v[n / 2] : 0;
}

fv_track_shift fv_track_camera_take(fv_track_camera *c) {
    double shift[4] = {0};
    for (int i = 0; i < 4 && c->n >= LEAST_PAIRS; i++) {
        sort(c->v[i], c->n);
        shift[i] = agreed(c->v[i], c->n);
    }
    c->n = 0;
    return (fv_track_shift){shift[0], shift[1], shift[2], shift[3]};
}

void fv_track_camera_finish(fv_track_camera *c) {
    for (int i = 0; i < 4; i++)
        free(c->v[i]);
    *c = (fv_track_camera){0};
}
