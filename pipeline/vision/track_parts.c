#include <math.h>

#include "pipeline/vision/track_priv.h"

static const float narrow_share = 0.5f, beside_share = 0.5f, level_share = 0.3f,
                   together_share = 1.25f;
static const double alike_sizes = 1;

static float middle(fv_box b) {
    return b.x + b.w / 2;
}

static float bottom(fv_box b) {
    return b.y + b.h;
}

static float shared(float a, float a_size, float b, float b_size) {
    return fmaxf(0, fminf(a + a_size, b + b_size) - fmaxf(a, b));
}

// Does something narrow stand in front of the two, between them?
static bool is_split(const fv_objects *d, fv_box a, fv_box b, float width) {
    for (int i = 0; i < d->n; i++) {
        fv_box o = d->v[i].box;
        bool between = (middle(o) > middle(a)) != (middle(o) > middle(b)),
             in_front = bottom(o) >= fmaxf(bottom(a), bottom(b));
        if (between && in_front && o.w < narrow_share * width &&
            shared(o.y, o.h, a.y, a.h) > beside_share * a.h)
            return true;
    }
    return false;
}

static bool is_level(fv_box a, fv_box b) {
    float most = level_share * a.h;
    return fabsf(a.y - b.y) < most && fabsf(bottom(a) - bottom(b)) < most;
}

static float together(fv_box a, fv_box b) {
    return fmaxf(a.x + a.w, b.x + b.w) - fminf(a.x, b.x);
}

uint64_t fv_track_find_whole(const fv_tracker *t, const fv_objects *d, int index) {
    fv_box part = d->v[index].box;
    uint64_t found = 0;
    float least = INFINITY;
    for (int i = 0; i < t->n; i++) {
        const fv_track *k = &t->tracks[i];
        if (!k->id || fv_track_label(k) != d->v[index].label)
            continue;
        fv_box now = fv_motion_box(&k->motion), seen = k->fresh ? d->v[k->seen.detection].box : now;
        float width = fmaxf(now.w, k->shape.w), both = together(part, seen);
        if (both >= least || both > together_share * width || !is_level(part, seen) ||
            !is_split(d, part, seen, width))
            continue;
        least = both;
        found = k->birth;
    }
    return found;
}

static bool move_alike(const fv_motion *a, const fv_motion *b) {
    return hypot(a->u.v - b->u.v, a->v.v - b->v.v) <= alike_sizes * sqrt(b->s.x);
}

static void join(fv_track *whole, fv_track *part) {
    part->id = whole->id;
    part->state = FV_STATE_CONFIRMED;
    part->shape.w = fmaxf(part->shape.w, whole->shape.w);
    part->shape.h = fmaxf(part->shape.h, whole->shape.h);
    whole->id = 0;
    whole->state = FV_STATE_TENTATIVE; // over: it was not found
}

void fv_track_join_parts(fv_tracker *t) {
    for (int i = 0; i < t->n; i++) {
        fv_track *part = &t->tracks[i];
        for (int j = 0; part->whole && part->fresh && j < t->n; j++) {
            fv_track *whole = &t->tracks[j];
            if (whole->birth != part->whole || whole->fresh ||
                !move_alike(&whole->motion, &part->motion))
                continue;
            join(whole, part);
            part->whole = 0;
        }
    }
}
