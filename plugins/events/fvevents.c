// fvevents: what happens to tracks at lines and zones, by config/rules/README.md.
//
//     gst-launch-1.0 -m ... ! fvdetect ! fvtrack ! fvevents rules=gate.yaml ! fvoverlay ! ...
//
// `rules` is a file, or the YAML itself (what fv_rules_load takes). Set while playing, the new
// rules hold from the next frame on or, when they have a mistake, a warning says so and the old
// ones stay. What lasted by the old rules ends, as it does at a seek; event ids go on.
//
// Each event goes into the frame's metadata (fv_frame_meta.events) and on the bus, as an element
// message `fovea-event`; plugins/README.md has its fields, and a test holds them to it.
//
// Downstream go the sticky event `fovea-rules, rules=(string)`, once and after each change, so that
// fvoverlay draws the same lines; and with the ends of what lasted, before EOS and before the first
// frame after a seek or with other rules, `fovea-events, meta=(GstBuffer)`: an empty buffer whose
// fv_frame_meta has the events.
#include <math.h>

#include "pipeline/desc/rules.h"
#include "pipeline/vision/heatmap.h"
#include "pipeline/vision/rules.h"
#include "plugins/elements.h"

enum { BATCH = 64 };

typedef struct {
    const char *rules, *report;
} params;

static const fv_option options[] = {
    FV_OPTION_STRING(params, rules, "rules", NULL,
                     "YAML file of lines, zones and conditions, or the YAML itself"),
    FV_OPTION_STRING(
        params, report, "report", NULL,
        "folder for heat maps and counts per minute (CSV, PNG), written at the end; unset: none"),
    {0},
};

typedef struct {
    fv_arena *arena; // of the rules
    const fv_rules *rules;
    fv_watch *watch;
    const char *source; // what is loaded; interned
    bool announced;
    uint64_t events;
    fv_record last; // without objects
    fv_meta_labels *labels;
    fv_heatmap *heatmap; // NULL: no report, or written
    GstBuffer *ends;     // of what lasted, to be sent on; NULL: none
} state;

// ---- out ----------------------------------------------------------------------------------------

static void set_number(GstStructure *s, const char *name, double value) {
    if (!isnan(value))
        gst_structure_set(s, name, G_TYPE_DOUBLE, value, NULL);
}

static void set_object(GstStructure *s, const fv_object *o, const fv_labels *labels) {
    gst_structure_set(s, "object-id", G_TYPE_UINT64, o->id, "label", G_TYPE_STRING,
                      fv_label_get(labels, o->label), "score", G_TYPE_DOUBLE, (double)o->score, "x",
                      G_TYPE_DOUBLE, (double)o->box.x, "y", G_TYPE_DOUBLE, (double)o->box.y,
                      "width", G_TYPE_DOUBLE, (double)o->box.w, "height", G_TYPE_DOUBLE,
                      (double)o->box.h, NULL);
}

static GstStructure *structure_of(const fv_record *r, const fv_event *v) {
    GstStructure *s = gst_structure_new(
        "fovea-event", "stream", G_TYPE_STRING, r->stream, "frame", G_TYPE_UINT64, v->frame, "pts",
        G_TYPE_UINT64, v->pts_ns == FV_TIME_NONE ? GST_CLOCK_TIME_NONE : (guint64)v->pts_ns, "id",
        G_TYPE_UINT64, v->id, "event", G_TYPE_STRING, v->event, "phase", G_TYPE_STRING,
        fv_phase_names[v->phase], "rule", G_TYPE_STRING, v->rule, NULL);
    if (v->utc_ns != FV_TIME_NONE)
        gst_structure_set(s, "utc", G_TYPE_INT64, v->utc_ns, NULL);
    if (v->direction)
        gst_structure_set(s, "direction", G_TYPE_STRING, v->direction, NULL);
    if (v->has_object)
        set_object(s, &v->object, r->labels);
    set_number(s, "before-x", (double)v->before[0]);
    set_number(s, "before-y", (double)v->before[1]);
    set_number(s, "after-x", (double)v->after[0]);
    set_number(s, "after-y", (double)v->after[1]);
    if (v->count >= 0)
        gst_structure_set(s, "count", G_TYPE_INT64, v->count, NULL);
    set_number(s, "value", v->value);
    return s;
}

static void hand_out(fv_element *e, fv_frame_meta *meta, const fv_record *record,
                     const fv_event *events, int n) {
    for (int i = 0; i < n; i++) {
        fv_meta_add_event(meta, &events[i]);
        gst_element_post_message(
            GST_ELEMENT(e),
            gst_message_new_element(GST_OBJECT(e), structure_of(record, &events[i])));
    }
}

// No frame can carry it any more: what lasts ends, and crossings that nothing took back count.
static void collect_ends(fv_element *e) {
    state *s = e->state;
    fv_event events[BATCH];
    s->last.labels = s->labels ? &s->labels->labels : NULL;
    for (int n; s->watch && (n = fv_watch_finish(s->watch, events, BATCH)) > 0;) {
        fv_frame_meta *meta = s->ends ? fv_meta_get(s->ends) : NULL;
        if (!meta) {
            s->ends = gst_buffer_new();
            meta = fv_meta_add(s->ends, s->last.stream, s->last.frame, s->last.width,
                               s->last.height);
            meta->utc_ns = s->last.utc_ns;
            meta->utc_source = s->last.utc_source;
            fv_meta_set_labels(meta, s->labels);
        }
        hand_out(e, meta, &s->last, events, n);
        if (s->heatmap)
            fv_heatmap_add_events(s->heatmap, events, n);
        g_mutex_lock(&e->lock);
        s->events += (uint64_t)n;
        g_mutex_unlock(&e->lock);
    }
}

static void send_ends(fv_element *e) {
    state *s = e->state;
    if (!s->ends)
        return;
    GstStructure *late = gst_structure_new("fovea-events", "meta", GST_TYPE_BUFFER, s->ends, NULL);
    gst_pad_push_event(e->base.srcpad, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM, late));
    gst_clear_buffer(&s->ends);
}

// ---- rules --------------------------------------------------------------------------------------

static void drop_rules(fv_arena **arena, fv_watch **watch) {
    fv_watch_destroy(watch);
    fv_arena_destroy(arena);
}

// A class that the model does not know is worth a warning, as soon as the model is known.
static void check_classes(fv_element *e) {
    fv_err err = {0};
    const state *s = e->state;
    fv_watch *trial = s->labels ? fv_watch_create(s->rules, &s->labels->labels, &err) : NULL;
    if (s->labels && !trial)
        fv_element_warning(GST_ELEMENT(e), &err);
    fv_watch_destroy(&trial);
}

// What lasts by the watch of before ends; `arena` has the rules of the new one.
static void replace(fv_element *e, fv_arena *arena, const fv_rules *rules, fv_watch *watch) {
    state *s = e->state;
    if (s->watch) {
        collect_ends(e);
        fv_watch_follow(watch, s->watch);
    }
    g_mutex_lock(&e->lock);
    fv_arena *old_arena = s->arena == arena ? NULL : s->arena;
    fv_watch *old_watch = s->watch;
    s->arena = arena, s->rules = rules, s->watch = watch;
    g_mutex_unlock(&e->lock);
    drop_rules(&old_arena, &old_watch);
}

// The old rules stay on failure. They hold no labels: the model is known with the first frame only.
static bool load(fv_element *e, fv_err *err) {
    state *s = e->state;
    const char *source = ((const params *)e->params)->rules;
    if (!source || !*source)
        return fv_fail(err, FV_BAD_INPUT,
                       "fvevents: `rules` is not set; give a YAML file with lines and zones, or "
                       "the YAML itself");
    fv_arena *arena = fv_arena_create();
    fv_rules *rules = FV_ARENA_NEW(arena, fv_rules, 1);
    fv_watch *watch = fv_rules_load(rules, arena, source, err) ? fv_watch_create(rules, NULL, err)
                                                               : NULL;
    if (!watch) {
        drop_rules(&arena, &watch);
        return false;
    }
    replace(e, arena, rules, watch);
    s->source = source, s->announced = false;
    check_classes(e);
    return true;
}

static bool start(fv_element *e, fv_err *err) {
    const char *folder = ((const params *)e->params)->report;
    if (folder && *folder)
        ((state *)e->state)->heatmap = fv_heatmap_create();
    return load(e, err);
}

static void write_report(fv_element *e) {
    state *s = e->state;
    fv_err err = {0};
    if (s->heatmap && !fv_heatmap_write(s->heatmap, ((const params *)e->params)->report, &err))
        fv_element_warning(GST_ELEMENT(e), &err);
    fv_heatmap_destroy(&s->heatmap);
}

static bool changed(fv_element *e, fv_err *err) {
    (void)err;
    fv_err problem = {0};
    const char *source = ((const params *)e->params)->rules;
    if (source != ((state *)e->state)->source && !load(e, &problem))
        fv_element_warning(GST_ELEMENT(e), &problem);
    return true;
}

static void stop(fv_element *e) {
    state *s = e->state;
    write_report(e);
    g_mutex_lock(&e->lock); // others ask for `stats`
    drop_rules(&s->arena, &s->watch);
    g_mutex_unlock(&e->lock);
    gst_clear_buffer(&s->ends);
    fv_meta_labels_unref(s->labels);
    s->labels = NULL;
}

// ---- frames -------------------------------------------------------------------------------------

static void announce(fv_element *e) {
    state *s = e->state;
    if (s->announced)
        return;
    GstStructure *rules = gst_structure_new("fovea-rules", "rules", G_TYPE_STRING, s->source, NULL);
    gst_pad_push_event(e->base.srcpad,
                       gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY, rules));
    s->announced = true;
}

static void remember(fv_element *e, const fv_frame_meta *meta, const fv_record *record) {
    state *s = e->state;
    s->last = *record;
    s->last.objects = (fv_objects){0};
    if (s->labels == meta->labels)
        return;
    fv_meta_labels_unref(s->labels);
    s->labels = fv_meta_labels_ref(meta->labels);
    check_classes(e);
}

static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)err;
    state *s = e->state;
    fv_frame_meta *meta = fv_meta_get(buffer);
    fv_event events[BATCH];
    send_ends(e);
    announce(e);
    remember(e, meta, record);
    g_mutex_lock(&e->lock);
    int n = fv_watch_update(s->watch, record, events, BATCH);
    s->events += (uint64_t)n;
    g_mutex_unlock(&e->lock);
    hand_out(e, meta, record, events, n);
    fv_meta_set_counts(meta, fv_watch_counts(s->watch), s->rules->n);
    if (s->heatmap)
        fv_heatmap_add(s->heatmap, record, events, n);
    return true;
}

static void finish(fv_element *e) {
    collect_ends(e);
    write_report(e);
    send_ends(e);
}

// After a seek nothing of before is true any more; totals begin anew.
static void flush(fv_element *e) {
    state *s = e->state;
    fv_err err = {0};
    fv_watch *watch = fv_watch_create(s->rules, NULL, &err);
    if (watch)
        replace(e, s->arena, s->rules, watch);
    else
        fv_element_warning(GST_ELEMENT(e), &err);
}

static void set_count(GstStructure *out, const char *rule, const char *what, uint64_t n) {
    char *name = g_strdup_printf("%s.%s", rule, what);
    gst_structure_set(out, name, G_TYPE_UINT64, n, NULL);
    g_free(name);
}

// events=(uint64), and per line NAME.DIRECTION, per zone NAME.inside, NAME.entered, NAME.left.
static GstStructure *stats(fv_element *e) {
    const state *s = e->state;
    GstStructure *out = gst_structure_new("fvevents-stats", "events", G_TYPE_UINT64, s->events,
                                          NULL);
    const fv_rule_count *c = s->watch ? fv_watch_counts(s->watch) : NULL;
    for (int i = 0; c && i < s->rules->n; i++) {
        const fv_rule *r = &s->rules->v[i];
        for (int d = 0; d < 2 && r->kind == FV_RULE_LINE; d++)
            set_count(out, r->name, r->direction_names[d], c[i].crossed[d]);
        if (r->kind != FV_RULE_ZONE)
            continue;
        set_count(out, r->name, "inside", (uint64_t)c[i].inside);
        set_count(out, r->name, "entered", c[i].entered);
        set_count(out, r->name, "left", c[i].left);
    }
    return out;
}

const fv_element_row fv_events_element = {
    .name = "fvevents",
    .type_name = "FvEvents",
    .long_name = "Fovea events",
    .klass = "Filter/Analyzer/Video",
    .description =
        "Lines, zones and conditions over tracked objects: events into the metadata and on the bus",
    .options = {{options, 0}},
    .params_size = sizeof(params),
    .state_size = sizeof(state),
    .start = start,
    .stop = stop,
    .changed = changed,
    .frame = frame,
    .flush = flush,
    .finish = finish,
    .stats = stats,
};
