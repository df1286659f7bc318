#define _GNU_SOURCE
#include "pipeline/desc/json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIGNIFICANT_DIGITS = 15 }; // as many as every double has

json_t *fv_json_number(double v, int digits) {
    double unit = pow(10, digits);
    return isfinite(v) ? json_real(round(v * unit) / unit + 0.0) : json_null();
}

json_t *fv_json_integer(int64_t v, int64_t none) {
    return v == none ? json_null() : json_integer(v);
}

// Labels and names come from files: bytes that are not UTF-8 become '?'.
json_t *fv_json_text(const char *t) {
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

char *fv_utc_text(int64_t utc_ns, int digits, char *text, size_t size) {
    int64_t s = utc_ns / 1000000000, ns = utc_ns % 1000000000;
    if (ns < 0) {
        s--;
        ns += 1000000000;
    }
    time_t seconds = (time_t)s;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    char date[64];
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text, size, "%s.%0*dZ", date, digits, (int)((double)ns / pow(10, 9 - digits)));
    return text;
}

json_t *fv_json_utc(int64_t utc_ns) {
    char text[96];
    return utc_ns == FV_TIME_NONE ? json_null()
                                  : json_string(fv_utc_text(utc_ns, 6, text, sizeof text));
}

json_t *fv_json_numbers(const double *v, int n, int digits) {
    json_t *list = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(list, fv_json_number(v[i], digits));
    return list;
}

json_t *fv_json_point(const float xy[2]) {
    bool known = isfinite(xy[0]) && isfinite(xy[1]);
    return known ? fv_json_numbers((double[]){xy[0], xy[1]}, 2, FV_PIXEL_DIGITS) : json_null();
}

static json_t *keypoints(const fv_object *o) {
    json_t *list = json_array();
    for (int i = 0; i < o->n_keypoints && i < FV_N_KEYPOINTS; i++)
        json_array_append_new(list, fv_json_point(o->keypoint[i]));
    return list;
}

json_t *fv_json_object(const fv_object *o, const fv_record *r) {
    double w = r->width > 0 ? r->width : NAN, h = r->height > 0 ? r->height : NAN;
    double box[4] = {o->box.x, o->box.y, o->box.w, o->box.h};
    double norm[4] = {box[0] / w, box[1] / h, box[2] / w, box[3] / h};
    json_t *j = json_object();
    json_object_set_new(j, "id", fv_json_integer((int64_t)o->id, 0));
    json_object_set_new(j, "label", fv_json_text(fv_label_get(r->labels, o->label)));
    json_object_set_new(j, "label_id", json_integer(o->label));
    json_object_set_new(j, "score", fv_json_number(o->score, FV_SCORE_DIGITS));
    json_object_set_new(j, "box", fv_json_numbers(box, 4, FV_PIXEL_DIGITS));
    json_object_set_new(j, "box_norm", fv_json_numbers(norm, 4, FV_FRACTION_DIGITS));
    json_object_set_new(j, "state", fv_json_text(fv_state_names[o->state]));
    json_object_set_new(j, "predicted", json_boolean(o->predicted));
    json_object_set_new(j, "age", json_integer(o->age));
    if (o->n_keypoints > 0)
        json_object_set_new(j, "keypoints", keypoints(o));
    return j;
}

char *fv_json_dump(json_t *j) {
    char *line = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(SIGNIFICANT_DIGITS));
    json_decref(j);
    return line;
}

char *fv_json_topic_line(const char *topic, const char *payload) {
    json_t *name = fv_json_text(topic);
    char *quoted = json_dumps(name, JSON_ENCODE_ANY), *line = NULL;
    json_decref(name);
    if (quoted && asprintf(&line, "{\"topic\":%s,\"payload\":%s}", quoted, payload) < 0)
        line = NULL;
    free(quoted);
    return line;
}
