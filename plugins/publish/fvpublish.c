// fvpublish: what is known of each frame, and the events, as messages. The video passes untouched.
//
//     gst-launch-1.0 ... ! fvdetect ! fvtrack ! fvpublish to=out.jsonl ! fakesink
//     gst-launch-1.0 ... ! fvpublish what=events to=mqtt://broker/fovea ! fakesink
//
// Formats are rows of pipeline/desc/format.c, targets of target.c.
#include "pipeline/desc/format.h"
#include "plugins/elements.h"
#include "plugins/publish/target.h"

static const char *const what_names[] = {"all", "frames", "events", NULL};
static const unsigned what_masks[] = {FV_WHAT_ALL, FV_WHAT_FRAMES, FV_WHAT_EVENTS};

typedef struct {
    fv_target_params target;
    int format, what;
} params;

static const fv_option options[] = {
    FV_OPTION_CHOICE(params, format, "format", fv_format_names, fv_format_helps, FV_FORMAT_FOVEA,
                     "whose form the records have"),
    FV_OPTION_ENUM(params, what, "what", what_names, 0, "frames, events or all"),
    {0},
};

typedef struct {
    fv_target *target;
    fv_formatter *formatter;
    uint64_t frames, events;
} state;

static void take(void *user, const fv_message *message) {
    fv_target_add(((state *)user)->target, message);
}

// What is lost counts as a failure of this output; an outage that ends is news.
static void tell(void *user, bool grave, const fv_err *err) {
    GstElement *element = user;
    if (grave)
        fv_element_warning(element, err);
    else
        fv_element_info(element, err);
}

static bool start(fv_element *e, fv_err *err) {
    const params *p = e->params;
    state *s = e->state;
    if (!fv_format_check((fv_format)p->format, what_masks[p->what], p->target.append, err))
        return false;
    fv_target_setup setup = {GST_OBJECT_NAME(e), &fv_format_rows[p->format], tell, e};
    fv_target *target = fv_target_create(&p->target, &setup, err);
    s->formatter = fv_formatter_create((fv_format)p->format, what_masks[p->what], take, s);
    g_mutex_lock(&e->lock);
    s->target = target;
    g_mutex_unlock(&e->lock);
    return target;
}

static void stop(fv_element *e) {
    state *s = e->state;
    fv_formatter_destroy(&s->formatter);
    g_mutex_lock(&e->lock);
    fv_target *target = s->target;
    s->target = NULL;
    g_mutex_unlock(&e->lock);
    fv_target_destroy(&target);
}

static bool caps(fv_element *e, fv_err *err) {
    (void)err;
    fv_formatter_set_rate(((state *)e->state)->formatter, e->info.fps_n, e->info.fps_d);
    return true;
}

static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)err;
    state *s = e->state;
    const fv_frame_meta *meta = fv_meta_get(buffer);
    fv_formatter_frame(s->formatter, record, meta->events, meta->n_events);
    g_mutex_lock(&e->lock);
    s->frames++;
    s->events += (uint64_t)meta->n_events;
    g_mutex_unlock(&e->lock);
    return true;
}

// Events that come after the last frame (what lasted ends with the stream): see fvevents.
static void sink_event(fv_element *e, GstEvent *event) {
    state *s = e->state;
    const GstStructure *late = GST_EVENT_TYPE(event) == GST_EVENT_CUSTOM_DOWNSTREAM
                                   ? gst_event_get_structure(event)
                                   : NULL;
    GstBuffer *carrier = NULL;
    if (!late || !gst_structure_has_name(late, "fovea-events") ||
        !gst_structure_get(late, "meta", GST_TYPE_BUFFER, &carrier, NULL))
        return;
    const fv_frame_meta *m = fv_meta_get(carrier);
    fv_record record = {.stream = m->stream,
                        .frame = m->frame,
                        .pts_ns = FV_TIME_NONE,
                        .utc_ns = m->utc_ns,
                        .utc_source = m->utc_source,
                        .width = m->width,
                        .height = m->height,
                        .labels = m->labels ? &m->labels->labels : NULL};
    fv_formatter_events(s->formatter, &record, m->events, m->n_events);
    g_mutex_lock(&e->lock);
    s->events += (uint64_t)m->n_events;
    g_mutex_unlock(&e->lock);
    gst_buffer_unref(carrier);
}

static void finish(fv_element *e) {
    state *s = e->state;
    fv_formatter_finish(s->formatter);
    fv_target_finish(s->target);
}

static void flush(fv_element *e) {
    fv_formatter_finish(((state *)e->state)->formatter);
}

static GstStructure *stats(fv_element *e) {
    const state *s = e->state;
    fv_target_counts c = {0};
    if (s->target)
        c = fv_target_count(s->target);
    return gst_structure_new("fvpublish-stats", "frames", G_TYPE_UINT64, s->frames, "events",
                             G_TYPE_UINT64, s->events, "lines", G_TYPE_UINT64, c.lines, "bytes",
                             G_TYPE_UINT64, c.bytes, "lost", G_TYPE_UINT64, c.lost, "lost-events",
                             G_TYPE_UINT64, c.lost_events, "errors", G_TYPE_UINT64, c.errors,
                             "waiting", G_TYPE_UINT64, c.waiting, NULL);
}

const fv_element_row fv_publish_element = {
    .name = "fvpublish",
    .type_name = "FvPublish",
    .long_name = "Fovea publisher",
    .klass = "Filter/Metadata/Video",
    .description =
        "Writes or sends what is known of each frame, and the events, in a format of one's choice; "
        "the video passes untouched",
    .options = {{fv_target_options, offsetof(params, target)}, {options, 0}},
    .params_size = sizeof(params),
    .state_size = sizeof(state),
    .start = start,
    .stop = stop,
    .caps = caps,
    .frame = frame,
    .flush = flush,
    .finish = finish,
    .sink_event = sink_event,
    .stats = stats,
};
