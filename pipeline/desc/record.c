#include "pipeline/desc/record.h"

#include "pipeline/desc/json.h"

static const char *const schema_name = "fovea/1";

static json_t *head(const fv_record *r, const char *type, uint64_t frame, int64_t pts_ns,
                    int64_t utc_ns) {
    json_t *j = json_object();
    json_object_set_new(j, "schema", fv_json_text(schema_name));
    json_object_set_new(j, "type", fv_json_text(type));
    json_object_set_new(j, "stream", fv_json_text(r->stream ? r->stream : ""));
    json_object_set_new(j, "frame", json_integer((json_int_t)frame));
    json_object_set_new(j, "pts_ns", fv_json_integer(pts_ns, FV_TIME_NONE));
    json_object_set_new(j, "utc", fv_json_utc(utc_ns));
    json_object_set_new(
        j, "utc_source",
        fv_json_text(fv_utc_source_names[utc_ns == FV_TIME_NONE ? FV_UTC_NONE : r->utc_source]));
    return j;
}

char *fv_record_frame_json(const fv_record *r) {
    json_t *j = head(r, "frame", r->frame, r->pts_ns, r->utc_ns);
    json_object_set_new(j, "width", json_integer(r->width));
    json_object_set_new(j, "height", json_integer(r->height));
    json_object_set_new(j, "inference", fv_json_text(fv_inference_names[r->inference]));
    json_t *objects = json_array();
    for (int i = 0; i < r->objects.n; i++)
        json_array_append_new(objects, fv_json_object(&r->objects.v[i], r));
    json_object_set_new(j, "objects", objects);
    return fv_json_dump(j);
}

json_t *fv_json_event(const fv_record *r, const fv_event *e) {
    json_t *j = head(r, "event", e->frame, e->pts_ns, e->utc_ns);
    json_object_set_new(j, "id", json_integer((json_int_t)e->id));
    json_object_set_new(j, "event", fv_json_text(e->event));
    json_object_set_new(j, "rule", fv_json_text(e->rule));
    json_object_set_new(j, "phase", fv_json_text(fv_phase_names[e->phase]));
    json_object_set_new(j, "direction", fv_json_text(e->direction));
    json_object_set_new(j, "object", e->has_object ? fv_json_object(&e->object, r) : json_null());
    json_object_set_new(j, "before", fv_json_point(e->before));
    json_object_set_new(j, "after", fv_json_point(e->after));
    json_object_set_new(j, "count", fv_json_integer(e->count, -1));
    json_object_set_new(j, "value", fv_json_number(e->value, FV_VALUE_DIGITS));
    return j;
}

char *fv_record_event_json(const fv_record *r, const fv_event *e) {
    return fv_json_dump(fv_json_event(r, e));
}
