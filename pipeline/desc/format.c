#include "pipeline/desc/format.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

#define XML_ROOT                                                                                   \
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"                                                   \
    "<tt:MetadataStream xmlns:tt=\"http://www.onvif.org/ver10/schema\""                            \
    " xmlns:wsnt=\"http://docs.oasis-open.org/wsn/b-2\""                                           \
    " xmlns:tns1=\"http://www.onvif.org/ver10/topics\">"
#define BARE .open = "", .between = "", .close = ""
#define JSON_LINES .extension = ".jsonl", .mime = "application/json", BARE

const fv_format_row fv_format_rows[FV_N_FORMATS] = {
    [FV_FORMAT_FOVEA] = {.name = "fovea",
                         JSON_LINES,
                         .says = FV_WHAT_ALL,
                         .frame = fv_fovea_frame,
                         .events = fv_fovea_events},
    [FV_FORMAT_DLSTREAMER] = {.name = "dlstreamer",
                              JSON_LINES,
                              .says = FV_WHAT_ALL,
                              .frame = fv_dlstreamer_frame,
                              .events = fv_dlstreamer_frame},
    [FV_FORMAT_DEEPSTREAM] = {.name = "deepstream-minimal",
                              JSON_LINES,
                              .says = FV_WHAT_ALL,
                              .frame = fv_deepstream_frame,
                              .events = fv_deepstream_events},
    [FV_FORMAT_SAVANT] = {.name = "savant",
                          JSON_LINES,
                          .says = FV_WHAT_ALL,
                          .state_size = sizeof(fv_savant_state),
                          .frame = fv_savant_frame,
                          .events = fv_savant_frame,
                          .finish = fv_savant_finish},
    [FV_FORMAT_FRIGATE] = {.name = "frigate",
                           JSON_LINES,
                           .says = FV_WHAT_ALL,
                           .needs_tracks = true,
                           .own_topics = true,
                           .keeps_zones = true,
                           .state_size = sizeof(fv_frigate_state),
                           .frame = fv_frigate_frame,
                           .events = fv_frigate_events,
                           .finish = fv_frigate_finish,
                           .clear = fv_frigate_clear},
    [FV_FORMAT_ONVIF] = {.name = "onvif",
                         .extension = ".xml",
                         .mime = "application/xml",
                         .open = XML_ROOT,
                         .between = "",
                         .close = "</tt:MetadataStream>",
                         .says = FV_WHAT_ALL,
                         .state_size = sizeof(fv_onvif_state),
                         .frame = fv_onvif_frame,
                         .events = fv_onvif_events,
                         .finish = fv_onvif_clear,
                         .clear = fv_onvif_clear},
    [FV_FORMAT_MOT] = {.name = "mot",
                       .extension = ".txt",
                       .mime = "text/csv",
                       BARE,
                       .says = FV_WHAT_FRAMES,
                       .needs_tracks = true,
                       .frame = fv_mot_frame_rows},
    [FV_FORMAT_COCO] = {.name = "coco",
                        .extension = ".json",
                        .mime = "application/json",
                        .open = "[",
                        .between = ",",
                        .close = "]",
                        .says = FV_WHAT_FRAMES,
                        .frame = fv_coco_frame},
};

const char *const fv_format_names[FV_N_FORMATS + 1] = {
    [FV_FORMAT_FOVEA] = "fovea",
    [FV_FORMAT_DLSTREAMER] = "dlstreamer",
    [FV_FORMAT_DEEPSTREAM] = "deepstream-minimal",
    [FV_FORMAT_SAVANT] = "savant",
    [FV_FORMAT_FRIGATE] = "frigate",
    [FV_FORMAT_ONVIF] = "onvif",
    [FV_FORMAT_MOT] = "mot",
    [FV_FORMAT_COCO] = "coco",
};

const char *const fv_format_helps[FV_N_FORMATS + 1] = {
    [FV_FORMAT_FOVEA] = "JSON Lines of frames and events, schema fovea/1",
    [FV_FORMAT_DLSTREAMER] = "JSON Lines as DL Streamer's gvametaconvert writes them",
    [FV_FORMAT_DEEPSTREAM] = "JSON Lines in DeepStream's minimal schema (nvmsgconv)",
    [FV_FORMAT_SAVANT] = "JSON Lines as Savant's metadata sink writes them",
    [FV_FORMAT_FRIGATE] = "Frigate's MQTT topics: events, and counts per camera and zone",
    [FV_FORMAT_ONVIF] = "an ONVIF metadata stream (XML): scene description and events",
    [FV_FORMAT_MOT] = "tracks as a MOTChallenge result, ten columns; no events",
    [FV_FORMAT_COCO] = "boxes as COCO results, one JSON list; no events",
};

bool fv_format_check(fv_format format, unsigned what, bool append, fv_err *err) {
    const fv_format_row *row = &fv_format_rows[format];
    if (!(what & row->says))
        return fv_fail(err, FV_BAD_INPUT,
                       "format %s has no place for events, so nothing would be written; "
                       "leave `what` away, or choose another format",
                       row->name);
    return !append || !*row->close ||
           fv_fail(err, FV_BAD_INPUT,
                   "a file of format %s is closed at its end and cannot be appended to; "
                   "leave `append` away",
                   row->name);
}

// ---- a formatter --------------------------------------------------------------------------------

fv_formatter *fv_formatter_create(fv_format format, unsigned what, fv_message_take *take,
                                  void *user) {
    const fv_format_row *row = &fv_format_rows[format];
    fv_formatter *f = calloc(1, sizeof *f);
    *f = (fv_formatter){.row = row, .what = what, .take = take, .user = user, .rate_d = 1};
    f->state = calloc(1, row->state_size + 1);
    return f;
}

void fv_formatter_set_rate(fv_formatter *f, int numerator, int denominator) {
    bool known = numerator > 0 && denominator > 0;
    f->rate_n = known ? numerator : 0;
    f->rate_d = known ? denominator : 1;
}

void fv_formatter_frame(fv_formatter *f, const fv_record *record, const fv_event *events, int n) {
    f->late = 0;
    f->row->frame(f, record, events, f->what & FV_WHAT_EVENTS || f->row->keeps_zones ? n : 0);
}

void fv_formatter_events(fv_formatter *f, const fv_record *record, const fv_event *events, int n) {
    bool wanted = f->what & FV_WHAT_EVENTS || f->row->keeps_zones;
    if (!wanted || !f->row->events || !n)
        return;
    fv_record late = *record;
    late.objects = (fv_objects){0};
    late.pts_ns = events[0].pts_ns;
    late.utc_ns = events[0].utc_ns;
    f->late++;
    f->row->events(f, &late, events, n);
}

void fv_formatter_finish(fv_formatter *f) {
    if (f->row->finish)
        f->row->finish(f);
}

void fv_formatter_destroy(fv_formatter **f) {
    if (!f || !*f)
        return;
    if ((*f)->row->clear)
        (*f)->row->clear(*f);
    free((*f)->state);
    free(*f);
    *f = NULL;
}

// ---- a document ---------------------------------------------------------------------------------

void fv_document_begin(fv_document *d) {
    if (*d->row->open)
        fprintf(d->out, "%s\n", d->row->open);
}

void fv_document_add(void *document, const fv_message *m) {
    fv_document *d = document;
    fprintf(d->out, "%s%s\n", d->begun ? d->row->between : "", m->line);
    d->begun = true;
}

void fv_document_end(fv_document *d) {
    if (*d->row->close)
        fprintf(d->out, "%s\n", d->row->close);
}

// ---- for the rows -------------------------------------------------------------------------------

void fv_format_level(const char *name, char *level, size_t size) {
    snprintf(level, size, "%s", name && *name ? name : "stream");
    for (char *p = level; *p; p++)
        if (strchr("/+#", *p) || (unsigned char)*p < ' ')
            *p = '_';
}

void fv_formatter_say(fv_formatter *f, const char *stream, fv_message m, char *body) {
    char level[FV_LEVEL_BYTES], topic[2 * FV_LEVEL_BYTES], id[2 * FV_LEVEL_BYTES];
    bool own = f->row->own_topics;
    if (!body)
        return;
    fv_format_level(stream, level, sizeof level);
    snprintf(topic, sizeof topic, "%s%s%s", own ? "" : level, own ? "" : "/", m.topic);
    snprintf(id, sizeof id, "%s/%s", level, m.id);
    m.topic = topic, m.id = id;
    m.key = stream && *stream ? stream : level;
    m.body = m.line = body, m.size = m.line_size = strlen(body);
    char *line = own ? fv_json_topic_line(topic, body) : NULL;
    if (line)
        m.line = line, m.line_size = strlen(line);
    f->take(f->user, &m);
    free(line);
    free(body);
}

int64_t fv_format_time(int64_t utc_ns, int64_t pts_ns) {
    return utc_ns != FV_TIME_NONE ? utc_ns : pts_ns != FV_TIME_NONE ? pts_ns : 0;
}

char *fv_format_event_id(const fv_event *e, char *text, size_t size) {
    snprintf(text, size, "event/%" PRIu64 "/%s/%" PRIu64, e->id, fv_phase_names[e->phase],
             e->frame);
    return text;
}

char *fv_format_frame_id(const fv_formatter *f, const fv_record *r, char *text, size_t size) {
    int n = snprintf(text, size, "frame/%" PRIu64, r->frame);
    if (f->late && n > 0 && (size_t)n < size)
        snprintf(text + n, size - (size_t)n, "/late/%d", f->late);
    return text;
}

void fv_format_add_events(json_t *to, const fv_record *r, const fv_event *events, int n) {
    json_t *list = n ? json_array() : NULL;
    for (int i = 0; i < n; i++)
        json_array_append_new(list, fv_json_event(r, &events[i]));
    if (list)
        json_object_set_new(to, "fovea_events", list);
}

void fv_format_corners(const fv_record *r, fv_box box, int out[4]) {
    fv_box b = fv_box_clip(box, (float)r->width, (float)r->height);
    out[0] = (int)lroundf(b.x), out[1] = (int)lroundf(b.y);
    out[2] = (int)lroundf(b.x + b.w), out[3] = (int)lroundf(b.y + b.h);
}
