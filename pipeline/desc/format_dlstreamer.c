// What DL Streamer's gvametaconvert writes: a JSON object a frame, none when there are no objects.
// Boxes are inside the picture, x y w h in whole pixels; "timestamp" is stream time in nanoseconds,
// "rtp" the camera's clock where RTCP told it.
//
// Events of an object lie where gvaanalytics puts its own: cross in "tripwire_crossings" (direction
// 1 "in", -1 "out", 0 when the rule has other names), what begins in a zone in "zone_violations",
// time in a zone in "dwell_times". All events are in "fovea_events" too.
#include <math.h>
#include <string.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

static json_t *bounding_box(const fv_record *r, fv_box box) {
    fv_box b = fv_box_clip(box, (float)r->width, (float)r->height);
    double w = r->width > 0 ? r->width : NAN, h = r->height > 0 ? r->height : NAN;
    json_t *j = json_object();
    json_object_set_new(j, "x_min", fv_json_number(b.x / w, FV_FRACTION_DIGITS));
    json_object_set_new(j, "y_min", fv_json_number(b.y / h, FV_FRACTION_DIGITS));
    json_object_set_new(j, "x_max", fv_json_number((b.x + b.w) / w, FV_FRACTION_DIGITS));
    json_object_set_new(j, "y_max", fv_json_number((b.y + b.h) / h, FV_FRACTION_DIGITS));
    return j;
}

static json_t *detection(const fv_record *r, const fv_object *o) {
    json_t *j = json_object();
    json_object_set_new(j, "bounding_box", bounding_box(r, o->box));
    json_object_set_new(j, "confidence", fv_json_number(o->score, FV_SCORE_DIGITS));
    json_object_set_new(j, "label", fv_json_text(fv_label_get(r->labels, o->label)));
    json_object_set_new(j, "label_id", json_integer(o->label));
    return j;
}

static json_t *tripwire(const fv_event *e) {
    int way = !e->direction               ? 0
              : !strcmp(e->direction, "in")  ? 1
              : !strcmp(e->direction, "out") ? -1
                                             : 0;
    json_t *j = json_object();
    json_object_set_new(j, "tripwire_id", fv_json_text(e->rule));
    json_object_set_new(j, "direction", json_integer(way));
    return j;
}

static json_t *violation(const fv_event *e) {
    return fv_json_text(e->rule);
}

static json_t *dwell(const fv_event *e) {
    double first = e->pts_ns == FV_TIME_NONE ? NAN : (double)e->pts_ns / 1e9 - e->value;
    json_t *j = json_object();
    json_object_set_new(j, "zone_id", fv_json_text(e->rule));
    json_object_set_new(j, "dwell_time_sec", fv_json_number(e->value, FV_VALUE_DIGITS));
    json_object_set_new(j, "first_seen_timestamp_sec", fv_json_number(first, FV_VALUE_DIGITS));
    return j;
}

// Where an event of an object goes; phases as bits.
enum { MOMENT = 1 << FV_PHASE_MOMENT, START = 1 << FV_PHASE_START, ANY = 15 };

static const struct {
    const char *event;
    unsigned phases;
    const char *list;
    json_t *(*item)(const fv_event *e);
} places[] = {
    {"cross", ANY, "tripwire_crossings", tripwire},
    {"enter", ANY, "zone_violations", violation},
    {"appear", ANY, "zone_violations", violation},
    {"stopped", START, "zone_violations", violation},
    {"wrong-way", START, "zone_violations", violation},
    {"speed", START, "zone_violations", violation},
    {"dwell", ANY, "dwell_times", dwell},
    {"leave", MOMENT, "dwell_times", dwell},
};

static void add_event(json_t *object, const fv_event *e) {
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strcmp(places[i].event, e->event) || !(places[i].phases & 1u << e->phase))
            continue;
        json_t *list = json_object_get(object, places[i].list);
        if (!list)
            json_object_set_new(object, places[i].list, list = json_array());
        json_array_append_new(list, places[i].item(e));
    }
}

static json_t *object(const fv_record *r, int i, const fv_event *events, int n) {
    static const char *const sides[] = {"x", "y"}, *const sizes[] = {"w", "h"};
    const fv_object *o = &r->objects.v[i];
    int corner[4];
    fv_format_corners(r, o->box, corner);
    json_t *j = json_object();
    json_object_set_new(j, "detection", detection(r, o));
    for (int k = 0; k < 2; k++) {
        json_object_set_new(j, sides[k], json_integer(corner[k]));
        json_object_set_new(j, sizes[k], json_integer(corner[k + 2] - corner[k]));
    }
    if (o->id)
        json_object_set_new(j, "id", json_integer((json_int_t)o->id));
    json_object_set_new(j, "region_id", json_integer(i + 1));
    json_object_set_new(j, "roi_type", fv_json_text(fv_label_get(r->labels, o->label)));
    for (int k = 0; k < n; k++)
        if (o->id && events[k].has_object && events[k].object.id == o->id)
            add_event(j, &events[k]);
    return j;
}

static json_t *objects(const fv_record *r, const fv_event *events, int n) {
    json_t *list = json_array();
    for (int i = 0; i < r->objects.n; i++)
        json_array_append_new(list, object(r, i, events, n));
    return list;
}

void fv_dlstreamer_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    bool has_objects = r->objects.n && f->what & (n ? FV_WHAT_ALL : FV_WHAT_FRAMES);
    if (!has_objects && !n)
        return;
    json_t *j = json_object();
    if (has_objects)
        json_object_set_new(j, "objects", objects(r, events, n));
    json_object_set_new(j, "resolution",
                        json_pack("{s:i,s:i}", "width", r->width, "height", r->height));
    json_object_set_new(j, "source", fv_json_text(r->stream ? r->stream : ""));
    if (r->pts_ns != FV_TIME_NONE)
        json_object_set_new(j, "timestamp", json_integer(r->pts_ns));
    if (r->utc_ns != FV_TIME_NONE)
        json_object_set_new(j, "system_timestamp", fv_json_utc(r->utc_ns));
    if (r->utc_ns != FV_TIME_NONE && r->utc_source == FV_UTC_RTCP)
        json_object_set_new(j, "rtp",
                            json_pack("{s:I}", "sender_ntp_unix_timestamp_ns",
                                      (json_int_t)r->utc_ns));
    fv_format_add_events(j, r, events, n);
    char id[96];
    fv_message m = {
        .topic = "frames", .id = fv_format_frame_id(f, r, id, sizeof id), .is_event = n > 0};
    fv_formatter_say(f, r->stream, m, fv_json_dump(j));
}
