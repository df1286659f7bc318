#include <math.h>

#include "pipeline/vision/rules_priv.h"

static const int64_t window_ns = 1000000000, least_window_ns = 300000000, wrong_hold_ns = 300000000;
static const double rest_radius = 0.15, least_way = 0.25, speed_release = 0.9;

// ---- what lasts for one object ------------------------------------------------------------------

static void dwell(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    int64_t inside = w->now_ns - v->since_ns;
    fv_rules_last(w, s, FV_EVENT_DWELL, &v->dwell, g,
                  (fv_evidence){.is_so = s->rule->dwell_ns > 0 && inside >= s->rule->dwell_ns,
                                .count = -1,
                                .value = fv_rules_seconds(inside),
                                .before = v->origin,
                                .after = v->last});
    if (s->rule->dwell_ns > 0 && !v->dwell.on)
        fv_rules_say(w, g, s, "inside for %.2f s, `dwell` is %.2f s: not yet",
                     fv_rules_seconds(inside), fv_rules_seconds(s->rule->dwell_ns));
}

static void stopped(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    int64_t at_rest = w->now_ns - v->rest_ns;
    double way = hypot(v->last.x - v->rest.x, v->last.y - v->rest.y),
           most = rest_radius * (double)g->object.box.h;
    bool moved = way > most;
    fv_rules_last(w, s, FV_EVENT_STOPPED, &v->stopped, g,
                  (fv_evidence){.is_so = !moved && s->rule->stopped_ns > 0 &&
                                         at_rest >= s->rule->stopped_ns,
                                .count = -1,
                                .value = fv_rules_seconds(at_rest),
                                .before = v->rest,
                                .after = v->last});
    if (s->rule->stopped_ns > 0 && moved)
        fv_rules_say(w, g, s, "%.1f pixels from where it was at rest, %.1f at most are rest: moves",
                     way, most);
    else if (s->rule->stopped_ns > 0 && !v->stopped.on)
        fv_rules_say(w, g, s, "at rest for %.2f s, `stopped` is %.2f s: not yet",
                     fv_rules_seconds(at_rest), fv_rules_seconds(s->rule->stopped_ns));
    if (moved) {
        v->rest = v->last;
        v->rest_ns = w->now_ns;
    }
}

// The oldest position of the last second; false when it is too young to say anything.
static bool look_back(const fv_watch *w, const fv_guest *g, fv_box *box, double *dt_s) {
    int64_t oldest = w->now_ns - least_window_ns + 1;
    bool found = false;
    for (int i = 0; i < FV_HISTORY && i < g->n_past; i++)
        if (g->past[i].at_ns < oldest && w->now_ns - g->past[i].at_ns <= window_ns) {
            oldest = g->past[i].at_ns;
            *box = g->past[i].box;
            *dt_s = fv_rules_seconds(w->now_ns - oldest);
            found = true;
        }
    return found;
}

static void wrong_way(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_box before) {
    fv_point from = fv_geometry_anchor(before, s->rule->anchor);
    double x = v->last.x - from.x, y = v->last.y - from.y;
    if (!s->rule->has_heading)
        return;
    double most = s->rule->heading_tolerance > 0 ? (double)s->rule->heading_tolerance : 90;
    double way = hypot(x, y), least = least_way * (double)g->object.box.h;
    bool moved = way >= least;
    if (moved)
        v->off = fabs(remainder(atan2(y, x) * 180 / M_PI - (double)s->rule->heading, 360));
    bool wrong = moved ? v->off > most : v->wrong.on;
    if (!wrong)
        v->wrong_ns = w->now_ns;
    if (moved)
        fv_rules_say(w, g, s,
                     "goes %.0f degrees off the right way, %.0f are allowed, wrong for %.2f s",
                     v->off, most, fv_rules_seconds(w->now_ns - v->wrong_ns));
    else
        fv_rules_say(w, g, s, "moved %.1f pixels, less than %.1f say nothing of its way", way,
                     least);
    fv_rules_last(w, s, FV_EVENT_WRONG_WAY, &v->wrong, g,
                  (fv_evidence){.is_so = v->wrong.on ? wrong
                                                     : w->now_ns - v->wrong_ns >= wrong_hold_ns,
                                .count = -1,
                                .value = v->off,
                                .before = from,
                                .after = v->last});
}

static void speed(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_box before, double dt_s) {
    if (s->rule->speed_limit <= 0 || !w->has_ground)
        return;
    fv_point from = fv_geometry_anchor(before, FV_ANCHOR_BOTTOM),
             to = fv_geometry_anchor(g->object.box, FV_ANCHOR_BOTTOM),
             a = fv_geometry_project(w->ground, from), b = fv_geometry_project(w->ground, to);
    double now = hypot(b.x - a.x, b.y - a.y) / dt_s, limit = (double)s->rule->speed_limit;
    bool fast = v->speed.on ? now >= speed_release * limit : now > limit;
    fv_rules_say(w, g, s, "speed %.2f m/s, limit %.2f", now, limit);
    v->top_speed = v->speed.on ? fmax(v->top_speed, now) : now;
    fv_rules_last(w, s, FV_EVENT_SPEED, &v->speed, g,
                  (fv_evidence){.is_so = fast,
                                .count = -1,
                                .value = fast ? now : v->top_speed,
                                .before = from,
                                .after = to});
}

static void look_inside(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    fv_box before;
    double dt_s;
    dwell(w, s, g, v);
    stopped(w, s, g, v);
    if (!look_back(w, g, &before, &dt_s)) {
        v->wrong_ns = w->now_ns;
        return;
    }
    wrong_way(w, s, g, v, before);
    speed(w, s, g, v, before, dt_s);
}

void fv_rules_end_visit(fv_watch *w, fv_shape *s, fv_guest *g, fv_point before, fv_point after,
                        int64_t until_ns) {
    fv_visit *v = &g->visit[s->index];
    const struct {
        fv_event_kind kind;
        fv_lasting *l;
        double value;
    } ends[] = {
        {FV_EVENT_DWELL, &v->dwell, fv_rules_seconds(until_ns - v->since_ns)},
        {FV_EVENT_STOPPED, &v->stopped, fv_rules_seconds(until_ns - v->rest_ns)},
        {FV_EVENT_WRONG_WAY, &v->wrong, v->off},
        {FV_EVENT_SPEED, &v->speed, v->top_speed},
    };
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        fv_rules_last(w, s, ends[i].kind, ends[i].l, g,
                      (fv_evidence){false, -1, ends[i].value, before, after});
}

// ---- in and out ---------------------------------------------------------------------------------

static void come(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, fv_point before) {
    fv_visit *v = &g->visit[s->index];
    v->inside = true;
    v->since_ns = v->rest_ns = v->wrong_ns = w->now_ns;
    v->origin = v->rest = v->last;
    s->count->inside++;
    s->count->entered += kind == FV_EVENT_ENTER;
    fv_rules_say(w, g, s, "%s at %.1f,%.1f; inside now: %d", fv_event_rows[kind].name, v->last.x,
                 v->last.y, s->count->inside);
    if (!fv_rules_wants(s, kind))
        return;
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    fv_rules_put_points(e, before, v->last);
    e->count = s->count->inside;
}

static void go(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, fv_point before,
               fv_point after, int64_t until_ns) {
    fv_visit *v = &g->visit[s->index];
    fv_rules_end_visit(w, s, g, before, after, until_ns);
    v->inside = false;
    s->count->inside--;
    s->count->left += kind == FV_EVENT_LEAVE;
    fv_rules_say(w, g, s, "%s after %.2f s inside; inside now: %d", fv_event_rows[kind].name,
                 fv_rules_seconds(until_ns - v->since_ns), s->count->inside);
    if (!fv_rules_wants(s, kind))
        return;
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    fv_rules_put_points(e, before, after);
    e->count = s->count->inside;
    e->value = fv_rules_seconds(until_ns - v->since_ns);
}

void fv_rules_zone(fv_watch *w, fv_shape *s, fv_guest *g) {
    fv_visit *v = &g->visit[s->index];
    int n = s->rule->n_points;
    fv_point at = fv_geometry_anchor(g->object.box, s->rule->anchor);
    bool in = !n || fv_geometry_inside(s->point, n, at), first = !v->known;
    double distance = n ? fv_geometry_distance(s->point, n, true, at) : INFINITY;
    double needed = fmin(fv_rules_clearance(s, g), s->breadth / 2);
    v->known = true;
    v->last = at;
    if (first && in)
        come(w, s, g, FV_EVENT_APPEAR, fv_rules_nowhere);
    else if (!first && in != v->inside && distance >= needed) {
        if (in)
            come(w, s, g, FV_EVENT_ENTER, v->before);
        else
            go(w, s, g, FV_EVENT_LEAVE, v->before, at, w->now_ns);
    } else if (!n)
        fv_rules_say(w, g, s, "anchor %.1f,%.1f is inside, the zone is the whole picture", at.x,
                     at.y);
    else
        fv_rules_say(w, g, s,
                     "anchor %.1f,%.1f is %s, %.1f pixels from the border (%.1f needed to change "
                     "sides): stays %s",
                     at.x, at.y, in ? "inside" : "outside", distance, needed,
                     v->inside ? "inside" : "outside");
    if (in == v->inside)
        v->before = at;
    if (v->inside)
        look_inside(w, s, g, v);
}

void fv_rules_zone_gone(fv_watch *w, fv_shape *s, fv_guest *g, int64_t until_ns) {
    if (g->visit[s->index].inside)
        go(w, s, g, FV_EVENT_DISAPPEAR, g->visit[s->index].last, fv_rules_nowhere, until_ns);
}

// ---- the zone as a whole ------------------------------------------------------------------------

void fv_rules_zone_settle(fv_watch *w, fv_shape *s) {
    int inside = s->count->inside;
    if (inside != s->reported_inside && fv_rules_wants(s, FV_EVENT_COUNT))
        fv_rules_report(w, s, FV_EVENT_COUNT, FV_PHASE_MOMENT, FV_NO_EVENT, NULL)->count = inside;
    s->reported_inside = inside;
    bool crowded = s->rule->overcrowding > 0 && inside >= s->rule->overcrowding;
    fv_rules_hold(w, s, FV_EVENT_OVERCROWDING, &s->crowded, crowded, inside);
    fv_rules_hold(w, s, FV_EVENT_EMPTY, &s->empty, inside == 0, inside);
}
