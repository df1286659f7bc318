#include <math.h>

#include "pipeline/vision/track_priv.h"

enum { MOMENTUM_FRAMES = 3 };
static const float vote_memory = 0.95f;
static const double weak_blur = 5;

static void vote(fv_track *k, int label, float score) {
    int weakest = 0, own = -1;
    for (int i = 0; i < FV_TRACK_VOTES; i++) {
        k->vote[i].weight *= vote_memory;
        if (k->vote[i].weight > 0 && k->vote[i].label == label)
            own = i;
        if (k->vote[i].weight < k->vote[weakest].weight)
            weakest = i;
    }
    if (own < 0)
        k->vote[own = weakest].label = label, k->vote[own].weight = 0;
    k->vote[own].weight += fmaxf(score, 1e-6f);
}

int fv_track_label(const fv_track *k) {
    int best = 0;
    for (int i = 1; i < FV_TRACK_VOTES; i++)
        if (k->vote[i].weight > k->vote[best].weight)
            best = i;
    return k->vote[best].label;
}

// The detection that momentum is measured from: the oldest of the last three frames, else the last
// one there is.
static const fv_box *origin(const fv_track *k, int tick, const fv_box *last) {
    const fv_track_sight *found = NULL;
    for (int i = 0; i < FV_TRACK_PAST; i++) {
        const fv_track_sight *s = &k->past[i];
        if (s->tick && s->tick >= tick - MOMENTUM_FRAMES && (!found || s->tick < found->tick))
            found = s;
    }
    return found ? &found->box : last;
}

// A unit vector; 0 0 for none.
static void direction(const fv_box *from, const fv_box *to, float out[2]) {
    float x = to->x + to->w / 2 - from->x - from->w / 2,
          y = to->y + to->h / 2 - from->y - from->h / 2, length = sqrtf(x * x + y * y);
    out[0] = length > 0 ? x / length : 0;
    out[1] = length > 0 ? y / length : 0;
}

// Observation-centric re-update: from the state at the last detection along a straight line to the
// new one, in as many equal steps as there were updates.
static void reupdate(fv_tracker *t, fv_track *k, fv_box from) {
    int steps = k->misses + 1;
    double dt = (double)(t->now_ns - k->seen_ns) * 1e-9 / steps;
    fv_box to = k->seen.box;
    k->motion = k->saved;
    for (int i = 1; i < steps; i++) {
        float a = (float)i / (float)steps;
        fv_motion_predict(&k->motion, dt);
        fv_motion_update(&k->motion,
                         (fv_box){from.x + a * (to.x - from.x), from.y + a * (to.y - from.y),
                                  from.w + a * (to.w - from.w), from.h + a * (to.h - from.h)},
                         1);
    }
    fv_motion_predict(&k->motion, dt);
}

static void measure(fv_tracker *t, fv_track *k, const fv_objects *d, int index) {
    fv_box seen = d->v[index].box;
    k->cut = fv_track_shape_cut(seen, t->picture);
    k->seen = d->v[index];
    k->seen.box = fv_track_shape_complete(&k->shape, seen, k->cut);
    fv_track_shape_learn(&k->shape, seen, k->cut, (float)(t->now_ns - k->seen_ns) * 1e-9f);
}

void fv_track_see(fv_tracker *t, fv_track *k, const fv_objects *d, int index, bool again) {
    fv_box last = k->seen.box;
    measure(t, k, d, index);
    if (k->hits && k->misses && again)
        reupdate(t, k, last);
    if (k->hits) {
        direction(origin(k, t->tick, &last), &k->seen.box, k->direction);
        fv_motion_update(&k->motion, k->seen.box,
                         d->v[index].score < t->high_score ? weak_blur : 1);
    }
    k->past[k->hits % FV_TRACK_PAST] = (fv_track_sight){k->seen.box, t->tick};
    k->saved = k->motion;
    k->seen.detection = index;
    k->seen_ns = t->now_ns;
    k->hits++;
    k->misses = 0;
    k->fresh = true;
    vote(k, d->v[index].label, d->v[index].score);
}

float fv_track_agreement(const fv_tracker *t, const fv_track *k, fv_box box) {
    float to[2];
    direction(origin(k, t->tick, &k->seen.box), &box, to);
    float cosine = fmaxf(-1, fminf(1, k->direction[0] * to[0] + k->direction[1] * to[1]));
    return (float)(M_PI_2 - (double)acosf(cosine)) / (float)M_PI;
}
