// Savant's metadata as its JSON sink writes it: "schema":"VideoFrame" a frame and
// "schema":"EndOfStream" at the end. Boxes are by their centre, pixels; pts in nanoseconds;
// framerate "0/1" when it is not known; object_id null without a track.
//
// Events of an object are attributes of it: element_name is the rule, name the event, value its
// direction or number. All events are in "tags", "fovea_events".
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

static json_t *attribute(const fv_event *e) {
    json_t *value = e->direction        ? fv_json_text(e->direction)
                    : isfinite(e->value) ? fv_json_number(e->value, FV_VALUE_DIGITS)
                                         : fv_json_text(fv_phase_names[e->phase]);
    json_t *j = json_object();
    json_object_set_new(j, "element_name", fv_json_text(e->rule));
    json_object_set_new(j, "name", fv_json_text(e->event));
    json_object_set_new(j, "value", value);
    json_object_set_new(j, "confidence", json_null());
    return j;
}

static json_t *attributes(const fv_object *o, const fv_event *events, int n) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        if (o->id && events[i].has_object && events[i].object.id == o->id)
            json_array_append_new(list, attribute(&events[i]));
    return list;
}

static json_t *bbox(fv_box b) {
    json_t *j = json_object();
    json_object_set_new(j, "xc", fv_json_number(b.x + b.w / 2, FV_PIXEL_DIGITS));
    json_object_set_new(j, "yc", fv_json_number(b.y + b.h / 2, FV_PIXEL_DIGITS));
    json_object_set_new(j, "width", fv_json_number(b.w, FV_PIXEL_DIGITS));
    json_object_set_new(j, "height", fv_json_number(b.h, FV_PIXEL_DIGITS));
    json_object_set_new(j, "angle", json_real(0));
    return j;
}

static json_t *object(const fv_record *r, const fv_object *o, const fv_event *events, int n) {
    json_t *j = json_object();
    json_object_set_new(j, "model_name", json_string("fovea"));
    json_object_set_new(j, "label", fv_json_text(fv_label_get(r->labels, o->label)));
    json_object_set_new(j, "object_id", fv_json_integer((int64_t)o->id, 0));
    json_object_set_new(j, "bbox", bbox(o->box));
    json_object_set_new(j, "confidence", fv_json_number(o->score, FV_SCORE_DIGITS));
    json_object_set_new(j, "attributes", attributes(o, events, n));
    json_object_set_new(j, "parent_model_name", json_null());
    json_object_set_new(j, "parent_label", json_null());
    json_object_set_new(j, "parent_object_id", json_null());
    return j;
}

static json_t *metadata(const fv_record *r, const fv_event *events, int n) {
    json_t *list = json_array();
    for (int i = 0; i < r->objects.n; i++)
        json_array_append_new(list, object(r, &r->objects.v[i], events, n));
    return json_pack("{s:o}", "objects", list);
}

static json_t *frame(const fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char rate[32];
    snprintf(rate, sizeof rate, "%d/%d", f->rate_n, f->rate_d);
    json_t *j = json_object(), *tags = json_object();
    json_object_set_new(j, "source_id", fv_json_text(r->stream ? r->stream : ""));
    json_object_set_new(j, "pts", fv_json_integer(r->pts_ns, FV_TIME_NONE));
    json_object_set_new(j, "dts", json_null());
    json_object_set_new(j, "duration", json_null());
    json_object_set_new(j, "framerate", json_string(rate));
    json_object_set_new(j, "width", json_integer(r->width));
    json_object_set_new(j, "height", json_integer(r->height));
    json_object_set_new(j, "codec", json_null());
    json_object_set_new(j, "keyframe", json_true());
    json_object_set_new(j, "metadata", metadata(r, events, n));
    fv_format_add_events(tags, r, events, n);
    json_object_set_new(j, "tags", tags);
    json_object_set_new(j, "schema", json_string("VideoFrame"));
    json_object_set_new(j, "frame_num", json_integer((json_int_t)r->frame));
    return j;
}

void fv_savant_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[96];
    fv_savant_state *s = f->state;
    if (!(f->what & FV_WHAT_FRAMES) && !n)
        return;
    snprintf(s->stream, sizeof s->stream, "%s", r->stream ? r->stream : "");
    s->begun = true;
    s->frame = r->frame;
    fv_message m = {
        .topic = "frames", .id = fv_format_frame_id(f, r, id, sizeof id), .is_event = n > 0};
    fv_formatter_say(f, r->stream, m, fv_json_dump(frame(f, r, events, n)));
}

void fv_savant_finish(fv_formatter *f) {
    char id[48];
    fv_savant_state *s = f->state;
    if (!s->begun)
        return;
    json_t *j = json_object();
    json_object_set_new(j, "source_id", fv_json_text(s->stream));
    json_object_set_new(j, "schema", json_string("EndOfStream"));
    snprintf(id, sizeof id, "end/%" PRIu64, s->frame);
    fv_message m = {.topic = "frames", .id = id, .is_event = true};
    fv_formatter_say(f, s->stream, m, fv_json_dump(j));
    s->begun = false;
}
