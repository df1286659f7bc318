#include <math.h>
#include <string.h>

#include "plugins/common/draw_priv.h"

// The trail of a track; a new one takes a free place or that of the track not seen for the longest.
static fv_trail *trail_of(fv_drawer *d, uint64_t id) {
    fv_trail *oldest = d->trails;
    for (fv_trail *t = d->trails; t < d->trails + FV_MAX_TRAILS; t++) {
        if (t->id == id)
            return t;
        if (!t->id || (oldest->id && t->last_ns < oldest->last_ns))
            oldest = t;
    }
    *oldest = (fv_trail){.id = id};
    return oldest;
}

static void drop_first(fv_trail *t, int n) {
    t->n -= n;
    memmove(t->point, t->point + n, (size_t)t->n * sizeof t->point[0]);
    memmove(t->at_ns, t->at_ns + n, (size_t)t->n * sizeof t->at_ns[0]);
}

// A new point where the track has moved by a third of a letter, else the last one follows it.
static void add_point(fv_drawer *d, fv_trail *t, float x, float y) {
    float step = 5 * d->unit;
    bool stays = t->n >= 2 && hypotf(t->point[t->n - 2][0] - x, t->point[t->n - 2][1] - y) < step;
    if (!stays && t->n == FV_TRAIL_POINTS)
        drop_first(t, 1);
    int i = stays ? t->n - 1 : t->n++;
    t->point[i][0] = x, t->point[i][1] = y;
    t->at_ns[i] = d->now_ns;
}

void fv_trails_update(fv_drawer *d, const fv_record *record) {
    for (int i = 0; i < record->objects.n; i++) {
        const fv_object *o = &record->objects.v[i];
        if (!o->id || o->state != FV_STATE_CONFIRMED)
            continue;
        fv_trail *t = trail_of(d, o->id);
        t->last_ns = d->now_ns;
        t->label = o->label;
        add_point(d, t, o->box.x + o->box.w / 2, o->box.y + o->box.h);
    }
}

// 1 while the track is seen; it dies away when the track has gone.
static float presence(const fv_drawer *d, const fv_trail *t) {
    static const float DIES_IN_NS = 5e8f;
    float left = 1 - (float)(d->now_ns - t->last_ns) / DIES_IN_NS;
    return left < 0 ? 0 : left;
}

// From nothing at its oldest point to full at a dot where the track stands; dark below, so that it
// is seen on its own colour too.
static void draw_trail(fv_drawer *d, const fv_trail *t) {
    bool by_id = d->style.colour_by == FV_COLOUR_BY_ID;
    fv_colour c = fv_palette_get(by_id ? t->id * 7 : (uint64_t)(t->label < 0 ? 0 : t->label),
                                 d->style.opacity * presence(d, t)),
              shade = {0, 0, 0, (uint8_t)(c.a * 2 / 5)};
    const float(*p)[2] = (const float(*)[2])t->point;
    float line = fmaxf(2, 3.2f * d->unit), edge = fmaxf(0.8f, d->unit);
    fv_canvas_polyline(&d->canvas, p, t->n, false, line + 2 * edge, 0, shade);
    fv_canvas_polyline(&d->canvas, p, t->n, false, line, 0, c);
    fv_canvas_disc(&d->canvas, p[t->n - 1][0], p[t->n - 1][1], line + edge, shade);
    fv_canvas_disc(&d->canvas, p[t->n - 1][0], p[t->n - 1][1], line, c);
}

void fv_trails_draw(fv_drawer *d) {
    for (fv_trail *t = d->trails; t < d->trails + FV_MAX_TRAILS; t++) {
        if (!t->id)
            continue;
        int old = 0;
        while (old < t->n && d->now_ns - t->at_ns[old] > d->style.trail_ns)
            old++;
        drop_first(t, old);
        if (!t->n) {
            t->id = 0;
            continue;
        }
        draw_trail(d, t);
    }
}
