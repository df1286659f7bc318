#define _GNU_SOURCE
#include "pipeline/desc/record.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// Digits after the point: pixels to a hundredth, scores to 1e-4, fractions of the picture to 1e-6.
enum {
    PIXEL_DIGITS = 2,
    SCORE_DIGITS = 4,
    FRACTION_DIGITS = 6,
    VALUE_DIGITS = 3,
    SIGNIFICANT_DIGITS = 12
};

static const char *const schema_name = "fovea/1";

static json_t *number(double v, int digits) {
    double unit = pow(10, digits);
    return isfinite(v) ? json_real(round(v * unit) / unit + 0.0) : json_null();
}

static json_t *integer_or_null(int64_t v, int64_t none) {
    return v == none ? json_null() : json_integer(v);
}

// Labels and names come from files: bytes that are not UTF-8 become '?'.
static json_t *text(const char *t) {
    if (!t)
        return json_null();
    json_t *whole = json_string(t);
    if (whole)
        return whole;
    char *clean = strdup(t);
    for (char *p = clean; *p; p++)
        if (*p & 0x80)
            *p = '?';
    json_t *j = json_string(clean);
    free(clean);
    return j;
}

static json_t *utc_text(int64_t utc_ns) {
    if (utc_ns == FV_TIME_NONE)
        return json_null();
    int64_t s = utc_ns / 1000000000, ns = utc_ns % 1000000000;
    if (ns < 0) {
        s--;
        ns += 1000000000;
    }
    time_t seconds = (time_t)s;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[64];
    size_t n = strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(date + n, sizeof date - n, ".%06dZ", (int)(ns / 1000));
    return json_string(date);
}

static json_t *numbers(const double *v, int n, int digits) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, number(v[i], digits));
    return list;
}

static json_t *point(const float xy[2]) {
    return isfinite(xy[0]) && isfinite(xy[1]) ? numbers((double[]){xy[0], xy[1]}, 2, PIXEL_DIGITS)
                                              : json_null();
}

static json_t *keypoints(const fv_object *o) {
    json_t *list = json_array();
    for (int i = 0; i < o->n_keypoints && i < FV_N_KEYPOINTS; i++)
        json_array_append_new(list, point(o->keypoint[i]));
    return list;
}

static json_t *object(const fv_object *o, const fv_record *r) {
    double w = r->width > 0 ? r->width : NAN, h = r->height > 0 ? r->height : NAN;
    double box[4] = {o->box.x, o->box.y, o->box.w, o->box.h};
    double norm[4] = {box[0] / w, box[1] / h, box[2] / w, box[3] / h};
    json_t *j = json_object();
    json_object_set_new(j, "id", integer_or_null((int64_t)o->id, 0));
    json_object_set_new(j, "label", text(fv_label_get(r->labels, o->label)));
    json_object_set_new(j, "label_id", json_integer(o->label));
    json_object_set_new(j, "score", number(o->score, SCORE_DIGITS));
    json_object_set_new(j, "box", numbers(box, 4, PIXEL_DIGITS));
    json_object_set_new(j, "box_norm", numbers(norm, 4, FRACTION_DIGITS));
    json_object_set_new(j, "state", text(fv_state_names[o->state]));
    json_object_set_new(j, "predicted", json_boolean(o->predicted));
    json_object_set_new(j, "age", json_integer(o->age));
    if (o->n_keypoints > 0)
        json_object_set_new(j, "keypoints", keypoints(o));
    return j;
}

static json_t *head(const fv_record *r, const char *type, uint64_t frame, int64_t pts_ns,
                    int64_t utc_ns) {
    json_t *j = json_object();
    json_object_set_new(j, "schema", text(schema_name));
    json_object_set_new(j, "type", text(type));
    json_object_set_new(j, "stream", text(r->stream ? r->stream : ""));
    json_object_set_new(j, "frame", json_integer((json_int_t)frame));
    json_object_set_new(j, "pts_ns", integer_or_null(pts_ns, FV_TIME_NONE));
    json_object_set_new(j, "utc", utc_text(utc_ns));
    json_object_set_new(
        j, "utc_source",
        text(fv_utc_source_names[utc_ns == FV_TIME_NONE ? FV_UTC_NONE : r->utc_source]));
    return j;
}

static char *dump(json_t *j) {
    char *line = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(SIGNIFICANT_DIGITS));
    json_decref(j);
    return line;
}

char *fv_record_frame_json(const fv_record *r) {
    json_t *j = head(r, "frame", r->frame, r->pts_ns, r->utc_ns);
    json_object_set_new(j, "width", json_integer(r->width));
    json_object_set_new(j, "height", json_integer(r->height));
    json_object_set_new(j, "inference", text(fv_inference_names[r->inference]));
    json_t *objects = json_array();
    for (int i = 0; i < r->objects.n; i++)
        json_array_append_new(objects, object(&r->objects.v[i], r));
    json_object_set_new(j, "objects", objects);
    return dump(j);
}

char *fv_record_event_json(const fv_record *r, const fv_event *e) {
    json_t *j = head(r, "event", e->frame, e->pts_ns, e->utc_ns);
    json_object_set_new(j, "id", json_integer((json_int_t)e->id));
    json_object_set_new(j, "event", text(e->event));
    json_object_set_new(j, "rule", text(e->rule));
    json_object_set_new(j, "phase", text(fv_phase_names[e->phase]));
    json_object_set_new(j, "direction", text(e->direction));
    json_object_set_new(j, "object", e->has_object ? object(&e->object, r) : json_null());
    json_object_set_new(j, "before", point(e->before));
    json_object_set_new(j, "after", point(e->after));
    json_object_set_new(j, "count", integer_or_null(e->count, -1));
    json_object_set_new(j, "value", number(e->value, VALUE_DIGITS));
    return dump(j);
}
