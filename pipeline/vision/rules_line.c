#include "pipeline/vision/rules_priv.h"

static void cross(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_point at) {
    int direction = v->net > 0 ? 0 : 1;
    const char *name = s->rule->direction_names[direction];
    if (v->counted[direction] && !s->rule->repeat) {
        fv_rules_say(w, g, s,
                     "crossed %s again: not counted, it was counted in this direction before "
                     "(repeat: false)",
                     name);
        return;
    }
    v->counted[direction] = true;
    s->count->crossed[direction]++;
    fv_rules_say(w, g, s, "crossed %s from %.1f,%.1f to %.1f,%.1f: counted, number %llu", name,
                 v->before.x, v->before.y, at.x, at.y,
                 (unsigned long long)s->count->crossed[direction]);
    if (!fv_rules_wants(w, s, FV_EVENT_CROSS))
        return;
    fv_event *e = fv_rules_report(w, s, FV_EVENT_CROSS, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    e->direction = name;
    e->before[0] = (float)v->before.x, e->before[1] = (float)v->before.y;
    e->after[0] = (float)at.x, e->after[1] = (float)at.y;
    e->count = (int64_t)s->count->crossed[direction];
}

void fv_rules_line(fv_watch *w, fv_shape *s, fv_guest *g) {
    fv_visit *v = &g->visit[s->index];
    fv_point at = fv_geometry_anchor(g->object.box, s->rule->anchor);
    double distance = fv_geometry_distance(s->point, s->rule->n_points, false, at),
           needed = fv_rules_clearance(s, g);
    int crossed = v->known ? fv_geometry_crossings(s->point, s->rule->n_points, v->last, at) : 0;
    v->net += crossed;
    v->last = at;
    v->known = true;
    if (distance < needed) {
        fv_rules_say(w, g, s,
                     "anchor %.1f,%.1f is %.1f pixels from the line and must be %.1f away to be on "
                     "a side; crossings since it was: %d",
                     at.x, at.y, distance, needed, v->net);
        return;
    }
    if (v->net && v->clear)
        cross(w, s, g, v, at);
    else if (v->net)
        fv_rules_say(w, g, s,
                     "came from the line itself: not counted, it had never been clear of it");
    else
        fv_rules_say(
            w, g, s,
            "anchor %.1f,%.1f is clear of the line by %.1f pixels, on the side where it was", at.x,
            at.y, distance);
    v->net = 0;
    v->clear = true;
    v->before = at;
}
