// DeepStream's minimal schema (nvmsgconv, payload-type=1): a message a frame, an object a text
// "id|left|top|right|bottom|label", pixels; id -1 without a track; '|' in a label becomes '_'. The
// schema has no place for scores.
//
// An event is a message of its own in the same form, with its object and with what the full schema
// has for events: "event" {id, type} and "analyticsModule" {id: the rule, description, source,
// version}; the whole event is in "fovea_events".
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rule.h"
#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

// Types of the full schema; what is not here keeps its name.
static const struct {
    const char *event, *type;
} types[] = {{"enter", "entry"}, {"leave", "exit"}};

static json_t *object_text(const fv_record *r, const fv_object *o) {
    char *label = strdup(fv_label_get(r->labels, o->label)), *text = NULL;
    for (char *p = label; (p = strchr(p, '|'));)
        *p = '_';
    int n = asprintf(&text, "%" PRId64 "|%.2f|%.2f|%.2f|%.2f|%s", o->id ? (int64_t)o->id : -1,
                     (double)o->box.x, (double)o->box.y, (double)(o->box.x + o->box.w),
                     (double)(o->box.y + o->box.h), label);
    json_t *j = fv_json_text(n < 0 ? NULL : text);
    free(label);
    if (n >= 0)
        free(text);
    return j;
}

static json_t *head(const fv_record *r, const char *id, int64_t time_ns) {
    char text[96];
    json_t *j = json_object();
    json_object_set_new(j, "version", json_string("4.0"));
    json_object_set_new(j, "id", fv_json_text(id));
    json_object_set_new(j, "@timestamp", json_string(fv_utc_text(time_ns, 3, text, sizeof text)));
    json_object_set_new(j, "sensorId", fv_json_text(r->stream ? r->stream : ""));
    return j;
}

static const char *type_of(const char *event) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(types[i].event, event))
            return types[i].type;
    return event;
}

static const char *help_of(const char *event) {
    for (int i = 0; i < FV_N_EVENTS; i++)
        if (!strcmp(fv_event_rows[i].name, event))
            return fv_event_rows[i].help;
    return "";
}

static json_t *module(const fv_event *e) {
    json_t *j = json_object();
    json_object_set_new(j, "id", fv_json_text(e->rule));
    json_object_set_new(j, "description", fv_json_text(help_of(e->event)));
    json_object_set_new(j, "source", json_string("fovea"));
    json_object_set_new(j, "version", json_string("1.0"));
    return j;
}

static void say_event(fv_formatter *f, const fv_record *r, const fv_event *e) {
    char id[96], number[32];
    fv_format_event_id(e, id, sizeof id);
    snprintf(number, sizeof number, "%" PRIu64, e->frame);
    json_t *j = head(r, number, fv_format_time(e->utc_ns, e->pts_ns)), *objects = json_array();
    if (e->has_object)
        json_array_append_new(objects, object_text(r, &e->object));
    json_object_set_new(j, "objects", objects);
    snprintf(number, sizeof number, "%" PRIu64, e->id);
    json_t *event = json_object();
    json_object_set_new(event, "id", json_string(number));
    json_object_set_new(event, "type", fv_json_text(type_of(e->event)));
    json_object_set_new(j, "event", event);
    json_object_set_new(j, "analyticsModule", module(e));
    fv_format_add_events(j, r, e, 1);
    fv_formatter_say(f, r->stream, (fv_message){.topic = "events", .id = id, .is_event = true},
                     fv_json_dump(j));
}

void fv_deepstream_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    for (int i = 0; i < n; i++)
        say_event(f, r, &events[i]);
}

void fv_deepstream_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[96], number[32];
    snprintf(number, sizeof number, "%" PRIu64, r->frame);
    if (f->what & FV_WHAT_FRAMES) {
        json_t *j = head(r, number, fv_format_time(r->utc_ns, r->pts_ns)), *objects = json_array();
        for (int i = 0; i < r->objects.n; i++)
            json_array_append_new(objects, object_text(r, &r->objects.v[i]));
        json_object_set_new(j, "objects", objects);
        fv_message m = {.topic = "frames", .id = fv_format_frame_id(f, r, id, sizeof id)};
        fv_formatter_say(f, r->stream, m, fv_json_dump(j));
    }
    fv_deepstream_events(f, r, events, n);
}
