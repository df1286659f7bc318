#include "pipeline/vision/rules_priv.h"

static const char *direction_name(const fv_shape *s, int way) {
    return s->rule->direction_names[way > 0 ? 0 : 1];
}

// What was pending is a crossing for good.
static void count(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    int direction = v->pending > 0 ? 0 : 1;
    const char *name = direction_name(s, v->pending);
    v->pending = 0;
    if (v->counted[direction] && !s->rule->repeat) {
        fv_rules_say(w, g, s,
                     "crossed %s again: not counted, it was counted in this direction before "
                     "(repeat: false)",
                     name);
        return;
    }
    v->counted[direction] = true;
    s->count->crossed[direction]++;
    fv_rules_say(w, g, s,
                 "crossed %s from %.1f,%.1f to %.1f,%.1f in frame %llu: counted, number %llu", name,
                 (double)v->crossing.before[0], (double)v->crossing.before[1],
                 (double)v->crossing.after[0], (double)v->crossing.after[1],
                 (unsigned long long)v->crossing.frame,
                 (unsigned long long)s->count->crossed[direction]);
    if (!fv_rules_wants(s, FV_EVENT_CROSS))
        return;
    fv_event *e = fv_rules_report(w, s, FV_EVENT_CROSS, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    uint64_t id = e->id;
    *e = v->crossing;
    e->id = id;
    e->count = (int64_t)s->count->crossed[direction];
}

// It came clear of the line on the other side.
static void cross(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, int way, fv_point at) {
    if (v->pending == -way) {
        fv_rules_say(w, g, s, "back after %.2f s, sooner than `settle` (%.2f s): not counted",
                     fv_rules_seconds(w->now_ns - v->crossed_ns),
                     fv_rules_seconds(s->rule->settle_ns));
        v->pending = 0;
        return;
    }
    if (v->pending)
        count(w, s, g, v);
    v->pending = way;
    v->crossed_ns = w->now_ns;
    fv_rules_moment(w, s, FV_EVENT_CROSS, g, &v->crossing);
    v->crossing.direction = direction_name(s, way);
    fv_rules_put_points(&v->crossing, v->before, at);
    if (s->rule->settle_ns > 0)
        fv_rules_say(w, g, s, "over it, %s: counts unless it is taken back within %.2f s",
                     v->crossing.direction, fv_rules_seconds(s->rule->settle_ns));
}

static void look(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_point at) {
    double distance = fv_geometry_distance(s->point, s->rule->n_points, false, at),
           needed = fv_rules_clearance(s, g);
    if (distance < needed) {
        fv_rules_say(w, g, s,
                     "anchor %.1f,%.1f is %.1f pixels from the line and must be %.1f away to be on "
                     "a side; crossings since it was: %d",
                     at.x, at.y, distance, needed, v->net);
        return;
    }
    if (v->net && v->clear)
        cross(w, s, g, v, v->net > 0 ? 1 : -1, at);
    else if (v->net)
        fv_rules_say(w, g, s,
                     "came from the line itself: not counted, it had never been clear of it");
    else
        fv_rules_say(w, g, s, "anchor %.1f,%.1f is clear of the line by %.1f pixels, %s", at.x,
                     at.y, distance,
                     v->clear ? "on the side where it was" : "this is the side where it begins");
    v->net = 0;
    v->clear = true;
    v->before = at;
}

void fv_rules_line(fv_watch *w, fv_shape *s, fv_guest *g) {
    fv_visit *v = &g->visit[s->index];
    fv_point at = fv_geometry_anchor(g->object.box, s->rule->anchor);
    if (v->known)
        v->net += fv_geometry_crossings(s->point, s->rule->n_points, v->last, at);
    v->last = at;
    v->known = true;
    look(w, s, g, v, at);
    if (v->pending && w->now_ns - v->crossed_ns >= s->rule->settle_ns)
        count(w, s, g, v);
}

void fv_rules_line_gone(fv_watch *w, fv_shape *s, fv_guest *g) {
    fv_visit *v = &g->visit[s->index];
    if (v->pending)
        count(w, s, g, v);
    else if (v->net)
        fv_rules_say(w, g, s, "has gone before it was clear of the line: not counted");
}
