#include <math.h>

#include "pipeline/vision/rules_priv.h"

static const int64_t window_ns = 1000000000, least_window_ns = 300000000, wrong_hold_ns = 300000000;
static const double rest_radius = 0.15, least_way = 0.25, speed_release = 0.9;

static double seconds(int64_t ns) {
    return (double)ns * 1e-9;
}

static void put_points(fv_event *e, fv_point before, fv_point after) {
    e->before[0] = (float)before.x, e->before[1] = (float)before.y;
    e->after[0] = (float)after.x, e->after[1] = (float)after.y;
}

static const fv_point nowhere = {NAN, NAN};

// ---- what lasts for one object ------------------------------------------------------------------

static void begin(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, uint64_t *id,
                  double value) {
    fv_rules_say(w, g, s, "%s: start", fv_event_rows[kind].name);
    if (!fv_rules_wants(w, s, kind))
        return;
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_START, FV_NO_EVENT, g);
    *id = e->id;
    e->value = value;
    put_points(e, nowhere, g->visit[s->index].last);
}

static void end(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, uint64_t *id,
                double value) {
    if (!*id)
        return;
    fv_rules_say(w, g, s, "%s: end", fv_event_rows[kind].name);
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_END, *id, g);
    e->value = value;
    put_points(e, g->visit[s->index].last, nowhere);
    *id = FV_NO_EVENT;
}

static void dwell(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    int64_t inside = w->now_ns - v->since_ns,
            passed = s->rule->dwell_ns > 0 ? inside / s->rule->dwell_ns : 0;
    if (passed <= v->dwelled)
        return;
    if (!v->dwelled)
        begin(w, s, g, FV_EVENT_DWELL, &v->dwell_id, seconds(inside));
    else if (v->dwell_id) {
        fv_event *e = fv_rules_report(w, s, FV_EVENT_DWELL, FV_PHASE_UPDATE, v->dwell_id, g);
        e->value = seconds(inside);
        put_points(e, nowhere, v->last);
    }
    v->dwelled = passed;
}

static void stopped(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v) {
    if (hypot(v->last.x - v->rest.x, v->last.y - v->rest.y) >
        rest_radius * (double)g->object.box.h) {
        end(w, s, g, FV_EVENT_STOPPED, &v->stopped_id, seconds(w->now_ns - v->rest_ns));
        v->rest = v->last;
        v->rest_ns = w->now_ns;
    } else if (s->rule->stopped_ns > 0 && !v->stopped_id &&
               w->now_ns - v->rest_ns >= s->rule->stopped_ns)
        begin(w, s, g, FV_EVENT_STOPPED, &v->stopped_id, seconds(w->now_ns - v->rest_ns));
}

// The oldest position of the last second; false when it is too young to say anything.
static bool look_back(const fv_watch *w, const fv_guest *g, fv_box *box, double *dt_s) {
    int64_t oldest = w->now_ns - least_window_ns + 1;
    bool found = false;
    for (int i = 0; i < FV_HISTORY && i < g->n_past; i++)
        if (g->past[i].at_ns < oldest && w->now_ns - g->past[i].at_ns <= window_ns) {
            oldest = g->past[i].at_ns;
            *box = g->past[i].box;
            *dt_s = seconds(w->now_ns - oldest);
            found = true;
        }
    return found;
}

static void wrong_way(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_box before) {
    fv_point from = fv_geometry_anchor(before, s->rule->anchor);
    double x = v->last.x - from.x, y = v->last.y - from.y;
    if (!s->rule->has_heading || hypot(x, y) < least_way * (double)g->object.box.h) {
        v->wrong_ns = w->now_ns;
        return;
    }
    double off = fabs(remainder(atan2(y, x) * 180 / M_PI - (double)s->rule->heading, 360));
    bool wrong = off > (s->rule->heading_tolerance > 0 ? (double)s->rule->heading_tolerance : 90);
    if (!wrong)
        v->wrong_ns = w->now_ns;
    if (!v->wrong_id && w->now_ns - v->wrong_ns >= wrong_hold_ns)
        begin(w, s, g, FV_EVENT_WRONG_WAY, &v->wrong_id, off);
    else if (!wrong)
        end(w, s, g, FV_EVENT_WRONG_WAY, &v->wrong_id, off);
}

static void speed(fv_watch *w, fv_shape *s, fv_guest *g, fv_visit *v, fv_box before, double dt_s) {
    if (s->rule->speed_limit <= 0 || !w->has_ground)
        return;
    fv_point a = fv_geometry_project(w->ground, fv_geometry_anchor(before, FV_ANCHOR_BOTTOM));
    fv_point b = fv_geometry_project(w->ground,
                                     fv_geometry_anchor(g->object.box, FV_ANCHOR_BOTTOM));
    double now = hypot(b.x - a.x, b.y - a.y) / dt_s, limit = (double)s->rule->speed_limit;
    fv_rules_say(w, g, s, "speed %.2f m/s, limit %.2f", now, limit);
    if (v->speed_id)
        v->top_speed = fmax(v->top_speed, now);
    if (!v->speed_id && now > limit) {
        v->top_speed = now;
        begin(w, s, g, FV_EVENT_SPEED, &v->speed_id, now);
    } else if (now < speed_release * limit)
        end(w, s, g, FV_EVENT_SPEED, &v->speed_id, v->top_speed);
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

void fv_rules_end_visit(fv_watch *w, fv_shape *s, fv_guest *g, int64_t until_ns) {
    fv_visit *v = &g->visit[s->index];
    end(w, s, g, FV_EVENT_DWELL, &v->dwell_id, seconds(until_ns - v->since_ns));
    end(w, s, g, FV_EVENT_STOPPED, &v->stopped_id, seconds(until_ns - v->rest_ns));
    end(w, s, g, FV_EVENT_WRONG_WAY, &v->wrong_id, NAN);
    end(w, s, g, FV_EVENT_SPEED, &v->speed_id, v->top_speed);
}

// ---- in and out ---------------------------------------------------------------------------------

static void come(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, fv_point before) {
    fv_visit *v = &g->visit[s->index];
    v->inside = true;
    v->since_ns = v->rest_ns = v->wrong_ns = w->now_ns;
    v->rest = v->last;
    v->dwelled = 0;
    s->count->inside++;
    s->count->entered += kind == FV_EVENT_ENTER;
    fv_rules_say(w, g, s, "%s at %.1f,%.1f; inside now: %d", fv_event_rows[kind].name, v->last.x,
                 v->last.y, s->count->inside);
    if (!fv_rules_wants(w, s, kind))
        return;
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    put_points(e, before, v->last);
    e->count = s->count->inside;
}

static void go(fv_watch *w, fv_shape *s, fv_guest *g, fv_event_kind kind, fv_point before,
               fv_point after, int64_t until_ns) {
    fv_visit *v = &g->visit[s->index];
    fv_rules_end_visit(w, s, g, until_ns);
    v->inside = false;
    s->count->inside--;
    s->count->left += kind == FV_EVENT_LEAVE;
    fv_rules_say(w, g, s, "%s after %.2f s inside; inside now: %d", fv_event_rows[kind].name,
                 seconds(until_ns - v->since_ns), s->count->inside);
    if (!fv_rules_wants(w, s, kind))
        return;
    fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_MOMENT, FV_NO_EVENT, g);
    put_points(e, before, after);
    e->count = s->count->inside;
    e->value = seconds(until_ns - v->since_ns);
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
        come(w, s, g, FV_EVENT_APPEAR, nowhere);
    else if (!first && in != v->inside && distance >= needed) {
        if (in)
            come(w, s, g, FV_EVENT_ENTER, v->before);
        else
            go(w, s, g, FV_EVENT_LEAVE, v->before, at, w->now_ns);
    } else
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

void fv_rules_zone_gone(fv_watch *w, fv_shape *s, fv_guest *g) {
    if (g->visit[s->index].inside)
        go(w, s, g, FV_EVENT_DISAPPEAR, g->visit[s->index].last, nowhere, g->seen_ns);
}

// ---- the zone as a whole ------------------------------------------------------------------------

// A state of the zone that has to hold for a while before it is an event. Returns true when it is
// one now and was one before.
static bool hold(fv_watch *w, fv_shape *s, fv_event_kind kind, bool is_so, int64_t *since,
                 uint64_t *id) {
    if (!is_so) {
        if (*id)
            fv_rules_report(w, s, kind, FV_PHASE_END, *id, NULL)->count = s->count->inside;
        *id = FV_NO_EVENT;
        *since = FV_TIME_NONE;
        return false;
    }
    if (*since == FV_TIME_NONE)
        *since = w->now_ns;
    if (*id)
        return true;
    if (w->now_ns - *since >= s->hold_ns && fv_rules_wants(w, s, kind)) {
        fv_event *e = fv_rules_report(w, s, kind, FV_PHASE_START, FV_NO_EVENT, NULL);
        *id = e->id;
        e->count = s->count->inside;
    }
    return false;
}

void fv_rules_zone_settle(fv_watch *w, fv_shape *s) {
    int inside = s->count->inside;
    if (inside != s->reported_inside && fv_rules_wants(w, s, FV_EVENT_COUNT))
        fv_rules_report(w, s, FV_EVENT_COUNT, FV_PHASE_MOMENT, FV_NO_EVENT, NULL)->count = inside;
    s->reported_inside = inside;
    bool crowded = s->rule->overcrowding > 0 && inside >= s->rule->overcrowding;
    if (hold(w, s, FV_EVENT_OVERCROWDING, crowded, &s->crowded_since, &s->crowded_id) &&
        inside != s->crowded_count)
        fv_rules_report(w, s, FV_EVENT_OVERCROWDING, FV_PHASE_UPDATE, s->crowded_id, NULL)
            ->count = inside;
    s->crowded_count = inside;
    hold(w, s, FV_EVENT_EMPTY, inside == 0, &s->empty_since, &s->empty_id);
}
