#include "pipeline/vision/rules.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "pipeline/vision/grow.h"
#include "pipeline/vision/rules_priv.h"

static const int64_t history_step_ns = 40000000;

// ---- set-up -------------------------------------------------------------------------------------

static unsigned default_events(fv_rule_kind kind) {
    unsigned bits = 0;
    for (int i = 0; i < FV_N_EVENTS; i++)
        if (fv_event_rows[i].by_default && fv_event_rows[i].kinds >> kind & 1)
            bits |= FV_EVENT_BIT(i);
    return bits;
}

static bool check_events(const fv_rule *r, fv_err *err) {
    const struct {
        fv_event_kind kind;
        bool given;
        const char *setting;
    } needs[] = {{FV_EVENT_DWELL, r->dwell_ns > 0, "dwell"},
                 {FV_EVENT_OVERCROWDING, r->overcrowding > 0, "overcrowding"},
                 {FV_EVENT_STOPPED, r->stopped_ns > 0, "stopped"},
                 {FV_EVENT_WRONG_WAY, r->has_heading, "heading"},
                 {FV_EVENT_SPEED, r->speed_limit > 0, "speed"}};
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if (r->events & FV_EVENT_BIT(needs[i].kind) && !needs[i].given)
            return fv_fail(err, FV_BAD_INPUT, "rule %s: the event '%s' needs the setting '%s'",
                           r->name, fv_event_rows[needs[i].kind].name, needs[i].setting);
    for (int i = 0; i < FV_N_EVENTS; i++)
        if (r->events & FV_EVENT_BIT(i) && !(fv_event_rows[i].kinds >> r->kind & 1))
            return fv_fail(err, FV_BAD_INPUT, "rule %s: a %s has no event '%s'", r->name,
                           fv_rule_kind_names[r->kind], fv_event_rows[i].name);
    return true;
}

static bool check_classes(const fv_rule *r, const fv_labels *labels, fv_err *err) {
    for (int i = 0; labels && i < r->n_classes; i++) {
        bool found = false;
        for (int k = 0; k < labels->n && !found; k++)
            found = !strcmp(labels->v[k], r->classes[i]);
        if (!found)
            return fv_fail(err, FV_BAD_INPUT, "rule %s: the model has no class '%s'", r->name,
                           r->classes[i]);
    }
    return true;
}

static bool check_rule(const fv_watch *w, const fv_rule *r, fv_err *err) {
    int least = r->kind == FV_RULE_LINE ? 2 : r->kind == FV_RULE_ZONE && r->n_points ? 3 : 0;
    if (r->n_points < least)
        return fv_fail(err, FV_BAD_INPUT, "rule %s: a %s needs at least %d points", r->name,
                       fv_rule_kind_names[r->kind], least);
    if (r->speed_limit > 0 && !w->rules->calibration)
        return fv_fail(err, FV_BAD_INPUT,
                       "rule %s: 'speed' needs a calibration: four points of the picture and where "
                       "they lie on the ground",
                       r->name);
    return check_events(r, err) && check_classes(r, w->labels, err);
}

static void shape_init(fv_watch *w, int i) {
    const fv_rule *r = &w->rules->v[i];
    w->shapes[i] = (fv_shape){
        .rule = r,
        .count = &w->counts[i],
        .index = i,
        .events = r->events ? r->events : default_events(r->kind),
        .point = FV_ARENA_NEW(w->arena, fv_point, r->n_points + 1),
        .crowded.since_ns = FV_TIME_NONE,
        .empty.since_ns = FV_TIME_NONE,
        .held.since_ns = FV_TIME_NONE,
        .hold_ns = r->hold_ns,
    };
}

fv_watch *fv_watch_create(const fv_rules *rules, const fv_labels *labels, fv_err *err) {
    fv_arena *arena = fv_arena_create();
    fv_watch *w = FV_ARENA_NEW(arena, fv_watch, 1);
    *w = (fv_watch){.arena = arena,
                    .rules = rules,
                    .labels = labels,
                    .forget_ns = rules->forget_ns > 0 ? rules->forget_ns : FV_RULE_FORGET_NS,
                    .shapes = FV_ARENA_NEW(arena, fv_shape, rules->n + 1),
                    .counts = FV_ARENA_NEW(arena, fv_rule_count, rules->n + 1)};
    bool ok = true;
    for (int i = 0; i < rules->n; i++)
        shape_init(w, i);
    for (int i = 0; ok && i < rules->n; i++)
        ok = check_rule(w, &rules->v[i], err) &&
             (rules->v[i].kind != FV_RULE_WHEN || fv_rules_when_compile(w, &w->shapes[i], err));
    if (!ok)
        fv_watch_destroy(&w);
    return w;
}

void fv_watch_destroy(fv_watch **w) {
    if (!*w)
        return;
    free((*w)->guests);
    free((*w)->spare);
    free((*w)->pending);
    fv_arena *arena = (*w)->arena;
    *w = NULL;
    fv_arena_destroy(&arena);
}

void fv_watch_follow(fv_watch *w, const fv_watch *before) {
    w->last_event = before->last_event;
}

const fv_rule_count *fv_watch_counts(const fv_watch *w) {
    return w->counts;
}

void fv_watch_explain(fv_watch *w, uint64_t id, void (*say)(void *user, const char *text),
                      void *user) {
    w->explained = id;
    w->say = say;
    w->user = user;
}

// ---- for the rules ------------------------------------------------------------------------------

const fv_point fv_rules_nowhere = {NAN, NAN};

double fv_rules_seconds(int64_t ns) {
    return (double)ns * 1e-9;
}

void fv_rules_put_points(fv_event *e, fv_point before, fv_point after) {
    e->before[0] = (float)before.x, e->before[1] = (float)before.y;
    e->after[0] = (float)after.x, e->after[1] = (float)after.y;
}

bool fv_rules_wants(const fv_shape *s, fv_event_kind kind) {
    return s->events & FV_EVENT_BIT(kind);
}

bool fv_rules_matches(const fv_watch *w, const fv_rule *rule, int label) {
    for (int i = 0; i < rule->n_classes; i++)
        if (!strcmp(rule->classes[i], fv_label_get(w->labels_now, label)))
            return true;
    return !rule->n_classes;
}

double fv_rules_clearance(const fv_shape *s, const fv_guest *g) {
    return (double)s->rule->hysteresis * (double)g->object.box.h;
}

void fv_rules_say(const fv_watch *w, const fv_guest *g, const fv_shape *s, const char *format,
                  ...) {
    if (!w->say || g->id != w->explained)
        return;
    char text[512];
    int n = snprintf(text, sizeof text,
                     "frame %llu, %.3f s, %s %s: ", (unsigned long long)w->now.frame,
                     (double)w->now_ns * 1e-9, fv_rule_kind_names[s->rule->kind], s->rule->name);
    n = n < (int)sizeof text ? n : (int)sizeof text - 1;
    va_list args;
    va_start(args, format);
    vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    w->say(w->user, text);
}

void fv_rules_moment(const fv_watch *w, const fv_shape *s, fv_event_kind kind, const fv_guest *g,
                     fv_event *e) {
    *e = (fv_event){.event = fv_event_rows[kind].name,
                    .rule = s->rule->name,
                    .has_object = g,
                    .before = {NAN, NAN},
                    .after = {NAN, NAN},
                    .count = -1,
                    .value = (double)NAN,
                    .frame = w->now.frame,
                    .pts_ns = w->now.pts_ns,
                    .utc_ns = w->now.utc_ns};
    if (g)
        e->object = g->object;
}

fv_event *fv_rules_report(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_phase phase,
                          uint64_t id, const fv_guest *g) {
    FV_GROW(w->pending, w->pending_capacity, w->n_pending + 1);
    fv_event *e = &w->pending[w->n_pending++];
    fv_rules_moment(w, s, kind, g, e);
    e->id = id ? id : ++w->last_event;
    e->phase = phase;
    return e;
}

// ---- the picture's size -------------------------------------------------------------------------

static void scale_point(fv_point *p, double x, double y) {
    p->x *= x;
    p->y *= y;
}

static void scale_box(fv_box *b, double x, double y) {
    *b = (fv_box){(float)((double)b->x * x), (float)((double)b->y * y), (float)((double)b->w * x),
                  (float)((double)b->h * y)};
}

static void scale_event(fv_event *e, double x, double y) {
    scale_box(&e->object.box, x, y);
    for (int i = 0; i < 2; i++) {
        double by = i ? y : x;
        e->before[i] = (float)((double)e->before[i] * by);
        e->after[i] = (float)((double)e->after[i] * by);
    }
}

static void scale_guest(const fv_watch *w, fv_guest *g, double x, double y) {
    scale_box(&g->object.box, x, y);
    for (int i = 0; i < FV_HISTORY; i++)
        scale_box(&g->past[i].box, x, y);
    for (int i = 0; i < w->rules->n; i++) {
        fv_visit *v = &g->visit[i];
        scale_point(&v->last, x, y);
        scale_point(&v->before, x, y);
        scale_point(&v->rest, x, y);
        scale_point(&v->origin, x, y);
        scale_event(&v->crossing, x, y);
    }
}

static void place_shapes(fv_watch *w) {
    double first[2] = {w->first_width, w->first_height}, now[2] = {w->width, w->height};
    for (int i = 0; i < w->rules->n; i++) {
        fv_shape *s = &w->shapes[i];
        const fv_rule *r = s->rule;
        for (int k = 0; k < r->n_points; k++)
            s->point[k] = (fv_point){
                (double)r->point[k][0] * (r->relative ? now[0] : now[0] / first[0]),
                (double)r->point[k][1] * (r->relative ? now[1] : now[1] / first[1])};
        s->breadth = r->n_points ? fv_geometry_breadth(s->point, r->n_points) : INFINITY;
    }
    const fv_calibration *c = w->rules->calibration;
    fv_point picture[4], ground[4];
    for (int i = 0; c && i < 4; i++) {
        picture[i] = (fv_point){
            (double)c->picture[i][0] * (c->relative ? now[0] : now[0] / first[0]),
            (double)c->picture[i][1] * (c->relative ? now[1] : now[1] / first[1])};
        ground[i] = (fv_point){(double)c->ground[i][0], (double)c->ground[i][1]};
    }
    w->has_ground = c && fv_geometry_ground(picture, ground, w->ground);
}

static void take_size(fv_watch *w, int width, int height) {
    width = width > 0 ? width : 1;
    height = height > 0 ? height : 1;
    if (width == w->width && height == w->height)
        return;
    for (int i = 0; i < w->n_guests; i++)
        scale_guest(w, w->guests[i], (double)width / w->width, (double)height / w->height);
    if (!w->width)
        w->first_width = width, w->first_height = height;
    w->width = width;
    w->height = height;
    place_shapes(w);
}

// ---- objects ------------------------------------------------------------------------------------

// Records keep their objects in order, so the next one is mostly the one after the last.
static fv_guest *find_guest(fv_watch *w, uint64_t id) {
    for (int k = 0; k < w->n_guests; k++) {
        int i = (w->hint + k) % w->n_guests;
        if (w->guests[i]->id == id) {
            w->hint = i + 1;
            return w->guests[i];
        }
    }
    return NULL;
}

static fv_guest *new_guest(fv_watch *w, uint64_t id) {
    FV_GROW(w->guests, w->guests_capacity, w->n_guests + 1);
    fv_guest *g;
    if (w->n_spare)
        g = w->spare[--w->n_spare];
    else {
        g = FV_ARENA_NEW(w->arena, fv_guest, 1);
        g->visit = FV_ARENA_NEW(w->arena, fv_visit, w->rules->n + 1);
    }
    fv_visit *visit = g->visit;
    memset(visit, 0, sizeof *visit * (size_t)w->rules->n);
    *g = (fv_guest){.id = id, .visit = visit};
    return w->guests[w->n_guests++] = g;
}

static void visit_rules(fv_watch *w, fv_guest *g) {
    for (int i = 0; i < w->rules->n; i++) {
        const fv_rule *r = &w->rules->v[i];
        if (r->kind != FV_RULE_WHEN && !fv_rules_matches(w, r, g->object.label))
            fv_rules_say(w, g, &w->shapes[i], "its class %s is not asked for",
                         fv_label_get(w->labels_now, g->object.label));
        else if (r->kind == FV_RULE_LINE)
            fv_rules_line(w, &w->shapes[i], g);
        else if (r->kind == FV_RULE_ZONE)
            fv_rules_zone(w, &w->shapes[i], g);
    }
}

// The zones that count its class see it, wherever it is.
static void be_seen(const fv_watch *w, fv_guest *g, int label) {
    for (int i = 0; i < w->rules->n; i++)
        if (w->rules->v[i].kind == FV_RULE_ZONE && fv_rules_matches(w, &w->rules->v[i], label))
            g->visit[i].seen_ns = w->now_ns;
}

static void take_object(fv_watch *w, const fv_object *o) {
    fv_guest *g = find_guest(w, o->id);
    if (!g && o->predicted)
        return;
    if (!g)
        g = new_guest(w, o->id);
    g->seen_ns = w->now_ns;
    be_seen(w, g, o->label);
    if (o->predicted) {
        for (int i = 0; i < w->rules->n; i++)
            fv_rules_say(w, g, &w->shapes[i],
                         "its position is predicted: rules wait for the next detection");
        return;
    }
    g->object = *o;
    g->object.box = fv_box_round(o->box);
    visit_rules(w, g);
    int newest = (g->n_past + FV_HISTORY - 1) % FV_HISTORY;
    if (!g->n_past || w->now_ns - g->past[newest].at_ns >= history_step_ns) {
        g->past[g->n_past % FV_HISTORY].at_ns = w->now_ns;
        g->past[g->n_past % FV_HISTORY].box = g->object.box;
        g->n_past = g->n_past + 1 < 2 * FV_HISTORY ? g->n_past + 1 : FV_HISTORY;
    }
}

// It is there, but of another class.
static void forget_visits(fv_watch *w, fv_guest *g) {
    for (int k = 0; k < w->rules->n; k++) {
        fv_visit *v = &g->visit[k];
        if (w->rules->v[k].kind != FV_RULE_ZONE || !v->known ||
            w->now_ns - v->seen_ns <= w->forget_ns)
            continue;
        fv_rules_zone_gone(w, &w->shapes[k], g, v->seen_ns);
        *v = (fv_visit){0};
    }
}

static void forget(fv_watch *w) {
    int n = 0;
    for (int i = 0; i < w->n_guests; i++) {
        fv_guest *g = w->guests[i];
        if (w->now_ns - g->seen_ns <= w->forget_ns) {
            forget_visits(w, g);
            w->guests[n++] = g;
            continue;
        }
        for (int k = 0; k < w->rules->n; k++)
            if (w->rules->v[k].kind == FV_RULE_ZONE)
                fv_rules_zone_gone(w, &w->shapes[k], g, g->visit[k].seen_ns);
            else if (w->rules->v[k].kind == FV_RULE_LINE)
                fv_rules_line_gone(w, &w->shapes[k], g);
        FV_GROW(w->spare, w->spare_capacity, w->n_spare + 1);
        w->spare[w->n_spare++] = g;
    }
    w->n_guests = n;
}

// ---- frames -------------------------------------------------------------------------------------

static int hand_out(fv_watch *w, fv_event *events, int max) {
    int n = w->n_pending - w->handed < max ? w->n_pending - w->handed : max;
    if (n > 0)
        memcpy(events, w->pending + w->handed, sizeof *events * (size_t)n);
    w->handed += n;
    if (w->handed == w->n_pending)
        w->handed = w->n_pending = 0;
    return n;
}

int fv_watch_update(fv_watch *w, const fv_record *record, fv_event *events, int max) {
    int64_t now = record->pts_ns == FV_TIME_NONE
                      ? (int64_t)(record->frame * UINT64_C(1000000000) / 30)
                      : record->pts_ns;
    w->now = *record;
    w->now.objects = (fv_objects){0};
    w->now_ns = now > w->now_ns ? now : w->now_ns;
    w->labels_now = record->labels ? record->labels : w->labels;
    take_size(w, record->width, record->height);
    w->hint = 0;
    for (int i = 0; i < record->objects.n; i++)
        if (record->objects.v[i].id)
            take_object(w, &record->objects.v[i]);
    forget(w);
    for (int i = 0; i < w->rules->n; i++)
        if (w->rules->v[i].kind == FV_RULE_ZONE)
            fv_rules_zone_settle(w, &w->shapes[i]);
    for (int i = 0; i < w->rules->n; i++)
        if (w->rules->v[i].kind == FV_RULE_WHEN)
            fv_rules_when(w, &w->shapes[i]);
    return hand_out(w, events, max);
}

int fv_watch_finish(fv_watch *w, fv_event *events, int max) {
    for (int i = 0; i < w->rules->n; i++) {
        fv_shape *s = &w->shapes[i];
        int64_t inside = s->count->inside;
        for (int k = 0; k < w->n_guests; k++) {
            fv_visit *v = &w->guests[k]->visit[i];
            if (v->inside)
                fv_rules_end_visit(w, s, w->guests[k], v->last, fv_rules_nowhere, w->now_ns);
            fv_rules_line_gone(w, s, w->guests[k]);
        }
        fv_rules_hold(w, s, FV_EVENT_OVERCROWDING, &s->crowded, false, inside);
        fv_rules_hold(w, s, FV_EVENT_EMPTY, &s->empty, false, inside);
        fv_rules_hold(w, s, FV_EVENT_WHEN, &s->held, false, s->held.event.count);
    }
    return hand_out(w, events, max);
}
