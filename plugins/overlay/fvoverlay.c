// fvoverlay: what the metadata says, drawn into the picture (plugins/common/draw).
//
//     gst-launch-1.0 v4l2src ! fvdetect ! fvtrack ! fvoverlay trails=true ! autovideosink
//
// Lines and zones are those of the fvevents before it, which announces them by the sticky event
// `fovea-rules`.
#include "pipeline/desc/rules.h"
#include "plugins/common/draw.h"
#include "plugins/common/frame.h"
#include "plugins/elements.h"

typedef struct {
    fv_drawer *drawer;
    fv_arena *arena; // of the rules
} state;

static bool start(fv_element *e, fv_err *err) {
    state *s = e->state;
    s->drawer = fv_drawer_create(e->params, err);
    return s->drawer != NULL;
}

static void set_rules(state *s, const char *source) {
    fv_arena *arena = fv_arena_create(), *old = s->arena;
    fv_rules *rules = FV_ARENA_NEW(arena, fv_rules, 1);
    fv_err err = {0};
    if (!fv_rules_load(rules, arena, source, &err)) { // fvevents has said what is wrong
        fv_arena_destroy(&arena);
        return;
    }
    fv_drawer_set_rules(s->drawer, rules);
    s->arena = arena;
    fv_arena_destroy(&old);
}

static void sink_event(fv_element *e, GstEvent *event) {
    const GstStructure *s = GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM_STICKY
                                ? gst_event_get_structure(event)
                                : NULL;
    const char *source = s && gst_structure_has_name(s, "fovea-rules")
                             ? gst_structure_get_string(s, "rules")
                             : NULL;
    if (source)
        set_rules(e->state, source);
}

static bool changed(fv_element *e, fv_err *err) {
    (void)err;
    fv_drawer_set_style(((state *)e->state)->drawer, e->params);
    return true;
}

static void stop(fv_element *e) {
    state *s = e->state;
    fv_drawer_destroy(&s->drawer);
    fv_arena_destroy(&s->arena);
}

static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    fv_drawer *drawer = ((state *)e->state)->drawer;
    const fv_frame_meta *m = fv_meta_get(buffer);
    fv_mapped mapped;
    if (!fv_frame_map(&mapped, &e->info, buffer, GST_MAP_READWRITE, err))
        return false;
    fv_drawer_set_counts(drawer, m->counts, m->n_counts);
    fv_drawer_draw(drawer, &mapped.frame, record, m->events, m->n_events);
    fv_frame_unmap(&mapped);
    return true;
}

static void flush(fv_element *e) {
    fv_drawer_reset(((state *)e->state)->drawer);
}

const fv_element_row fv_overlay_element = {
    .name = "fvoverlay",
    .type_name = "FvOverlay",
    .long_name = "Fovea overlay",
    .klass = "Filter/Effect/Analyzer/Visualization/Video",
    .description = "Draws boxes, labels, trails, lines, zones and counts into the picture, and "
                   "hides what must not be seen",
    .options = {{fv_draw_options, 0}},
    .params_size = sizeof(fv_draw_style),
    .state_size = sizeof(state),
    .writes_pixels = true,
    .start = start,
    .changed = changed,
    .stop = stop,
    .frame = frame,
    .flush = flush,
    .sink_event = sink_event,
};
