// What one network pixel sees of a line of samples; shared by the two preprocesses on the host.
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "pipeline/infer/preprocess.h"

// The samples from `first` on, at most `count`; outside the line the last one repeats.
typedef struct {
    int first, count, last;
    float from, to; // the part that is covered; from == to: between the two samples beside it
} fv_sight;

// `centre` in samples of a plane of full size, `scale` network pixels a sample of it, `n` samples in
// the line; `half_size`: the plane has half as many.
static inline fv_sight fv_sight_look(float centre, float scale, fv_filter filter, int n, bool half_size) {
    float c = half_size ? (centre + 0.5f) / 2 - 0.5f : centre;
    scale = half_size ? 2 * scale : scale;
    int taps = fv_taps(filter, scale);
    if (taps) {
        float from = c + 0.5f - 0.5f / scale;
        return (fv_sight){(int)floorf(from), taps, n - 1, from, c + 0.5f + 0.5f / scale};
    }
    c = fminf(fmaxf(c, 0), (float)(n - 1));
    return (fv_sight){(int)c, 2, n - 1, c, c};
}

// Sample k's part of the whole.
static inline float fv_sight_share(const fv_sight *s, int k) {
    float at = (float)(s->first + k);
    float part = s->from < s->to ? (fminf(s->to, at + 1) - fmaxf(s->from, at)) / (s->to - s->from)
                                 : 1 - fabsf(s->from - at);
    return fmaxf(part, 0);
}

static inline int fv_sight_place(const fv_sight *s, int k) {
    int at = s->first + k;
    return at < 0 ? 0 : at > s->last ? s->last : at;
}
