// An ONVIF metadata stream (Analytics Service Specification, chapter "Scene description"; Core
// Specification, "Notification"): a VideoAnalytics/Frame a frame, also without objects, and an
// Event/NotificationMessage an event.
//
// Coordinates are ONVIF's own, without a Transformation: x -1 (left) .. 1, y -1 (bottom) .. 1.
// Classes are those of tt:ObjectType where the label has one, vehicles with VehicleInfo beside it;
// every other label is written as it is. ObjectId is left out without a track. A track that was not
// seen for 2 s is told with ObjectTree/Delete, once; the end of the stream is the end of all.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rule.h"
#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"
#include "pipeline/desc/xml.h"

static const char *const concrete_set =
    "http://www.onvif.org/ver10/tev/topicExpression/ConcreteSet";

// ---- frames -------------------------------------------------------------------------------------

static const struct {
    const char *label, *type, *vehicle;
} classes[] = {
    {"person", "Human", NULL},
    {"pedestrian", "Human", NULL},
    {"rider", "Human", NULL},
    {"face", "HumanFace", NULL},
    {"license plate", "LicensePlate", NULL},
    {"bicycle", "Bicycle", NULL},
    {"car", "Vehicle", "Car"},
    {"van", "Vehicle", "Car"},
    {"bus", "Vehicle", "Bus"},
    {"truck", "Vehicle", "Truck"},
    {"motorcycle", "Vehicle", "Motorcycle"},
    {"motorbike", "Vehicle", "Motorcycle"},
    {"bird", "Animal", NULL},
    {"cat", "Animal", NULL},
    {"dog", "Animal", NULL},
    {"horse", "Animal", NULL},
    {"sheep", "Animal", NULL},
    {"cow", "Animal", NULL},
    {"elephant", "Animal", NULL},
    {"bear", "Animal", NULL},
    {"zebra", "Animal", NULL},
    {"giraffe", "Animal", NULL},
};

static int class_of(const char *label) {
    for (int i = 0; i < (int)(sizeof classes / sizeof classes[0]); i++)
        if (!strcmp(classes[i].label, label))
            return i;
    return -1;
}

static const char *type_of(const char *label) {
    int c = class_of(label);
    return c < 0 ? label : classes[c].type;
}

static void put_shape(fv_xml *x, const fv_record *r, fv_box b) {
    double w = r->width > 0 ? r->width : 1, h = r->height > 0 ? r->height : 1;
    double left = 2 * b.x / w - 1, right = 2 * (b.x + b.w) / w - 1;
    double top = 1 - 2 * b.y / h, bottom = 1 - 2 * (b.y + b.h) / h;
    fv_xml_put(x, "<tt:Shape><tt:BoundingBox left=\"%.6f\" top=\"%.6f\" right=\"%.6f\"", left, top,
               right);
    fv_xml_put(x, " bottom=\"%.6f\"/><tt:CenterOfGravity x=\"%.6f\" y=\"%.6f\"/></tt:Shape>",
               bottom, (left + right) / 2, (top + bottom) / 2);
}

static void put_type(fv_xml *x, const char *type, double likelihood) {
    fv_xml_put(x, "<tt:Type Likelihood=\"%.4f\">", likelihood);
    fv_xml_text(x, type);
    fv_xml_put(x, "</tt:Type>");
}

static void put_object(fv_xml *x, const fv_record *r, const fv_object *o) {
    const char *label = fv_label_get(r->labels, o->label);
    int c = class_of(label);
    fv_xml_put(x, "<tt:Object");
    if (o->id)
        fv_xml_put(x, " ObjectId=\"%" PRIu64 "\"", o->id);
    fv_xml_put(x, "><tt:Appearance>");
    put_shape(x, r, o->box);
    fv_xml_put(x, "<tt:Class>");
    put_type(x, type_of(label), o->score);
    fv_xml_put(x, "</tt:Class>");
    if (c >= 0 && classes[c].vehicle) {
        fv_xml_put(x, "<tt:VehicleInfo>");
        put_type(x, classes[c].vehicle, o->score);
        fv_xml_put(x, "</tt:VehicleInfo>");
    }
    fv_xml_put(x, "</tt:Appearance></tt:Object>");
}

// ---- events -------------------------------------------------------------------------------------

typedef enum { OF_OBJECT = 1, STATE = 2, INSIDE = 4, COUNT = 8 } items;

// STATE and INSIDE: a property that is true or false, of an object when OF_OBJECT. What has items
// is a property and says that it changed; a crossing is none. Names after MyRuleDetector are ours;
// many cameras keep their own rules there.
static const struct {
    const char *event, *topic;
    unsigned items;
    bool state; // at the event's moment, start and update
} topics[] = {
    {"cross", "LineDetector/Crossed", 0, true},
    {"enter", "FieldDetector/ObjectsInside", OF_OBJECT | INSIDE, true},
    {"appear", "FieldDetector/ObjectsInside", OF_OBJECT | INSIDE, true},
    {"leave", "FieldDetector/ObjectsInside", OF_OBJECT | INSIDE, false},
    {"disappear", "FieldDetector/ObjectsInside", OF_OBJECT | INSIDE, false},
    {"count", "CountAggregation/OccupancyCounter", COUNT, true},
    {"dwell", "LoiteringDetector/ObjectIsLoitering", OF_OBJECT | STATE, true},
    {"overcrowding", "MyRuleDetector/Overcrowding", STATE | COUNT, true},
    {"empty", "MyRuleDetector/Empty", STATE, true},
    {"stopped", "MyRuleDetector/ObjectStopped", OF_OBJECT | STATE, true},
    {"wrong-way", "MyRuleDetector/WrongWay", OF_OBJECT | STATE, true},
    {"speed", "MyRuleDetector/Speed", OF_OBJECT | STATE, true},
    {"when", "MyRuleDetector/Condition", STATE, true},
};

static void put_item(fv_xml *x, const char *name, const char *value) {
    fv_xml_put(x, "<tt:SimpleItem");
    fv_xml_attribute(x, "Name", name);
    fv_xml_attribute(x, "Value", value);
    fv_xml_put(x, "/>");
}

static void put_number(fv_xml *x, const char *name, const char *format, double value) {
    char text[64];
    snprintf(text, sizeof text, format, value);
    put_item(x, name, text);
}

static void put_source(fv_xml *x, const fv_record *r, const fv_event *e) {
    fv_xml_put(x, "<tt:Source>");
    put_item(x, "VideoSourceConfigurationToken", r->stream ? r->stream : "");
    put_item(x, "VideoAnalyticsConfigurationToken", "fovea");
    put_item(x, "Rule", e->rule);
    fv_xml_put(x, "</tt:Source>");
}

static void put_object_id(fv_xml *x, const fv_event *e) {
    char id[32];
    snprintf(id, sizeof id, "%" PRIu64, e->object.id);
    if (e->has_object)
        put_item(x, "ObjectId", id);
}

// What clients look for comes first.
static void put_data(fv_xml *x, const fv_record *r, const fv_event *e, int row) {
    unsigned has = row < 0 ? STATE : topics[row].items;
    bool state = (row < 0 || topics[row].state) && e->phase != FV_PHASE_END;
    fv_xml_put(x, "<tt:Data>");
    if (has & (STATE | INSIDE))
        put_item(x, has & INSIDE ? "IsInside" : "State", state ? "true" : "false");
    if (has & COUNT && e->count >= 0)
        put_number(x, "Count", "%.0f", (double)e->count);
    if (!(has & OF_OBJECT))
        put_object_id(x, e);
    if (e->has_object)
        put_item(x, "ClassTypes", type_of(fv_label_get(r->labels, e->object.label)));
    if (e->direction)
        put_item(x, "Direction", e->direction);
    if (e->value == e->value) // not NAN
        put_number(x, "Value", "%.3f", e->value);
    fv_xml_put(x, "</tt:Data>");
}

static int topic_of(const char *event) {
    for (int i = 0; i < (int)(sizeof topics / sizeof topics[0]); i++)
        if (!strcmp(topics[i].event, event))
            return i;
    return -1;
}

static char *event_xml(const fv_record *r, const fv_event *e) {
    fv_xml x = {0};
    char time[96];
    int row = topic_of(e->event);
    unsigned has = row < 0 ? STATE : topics[row].items;
    fv_utc_text(fv_format_time(e->utc_ns, e->pts_ns), 6, time, sizeof time);
    fv_xml_put(&x, "<tt:Event><wsnt:NotificationMessage><wsnt:Topic Dialect=\"%s\">", concrete_set);
    fv_xml_put(&x, "tns1:RuleEngine/");
    fv_xml_text(&x, row < 0 ? "MyRuleDetector/" : topics[row].topic);
    if (row < 0)
        fv_xml_text(&x, e->event);
    fv_xml_put(&x, "</wsnt:Topic><wsnt:Message><tt:Message UtcTime=\"%s\"%s>", time,
               has ? " PropertyOperation=\"Changed\"" : "");
    put_source(&x, r, e);
    if (has & OF_OBJECT) {
        fv_xml_put(&x, "<tt:Key>");
        put_object_id(&x, e);
        fv_xml_put(&x, "</tt:Key>");
    }
    put_data(&x, r, e, row);
    fv_xml_put(&x, "</tt:Message></wsnt:Message></wsnt:NotificationMessage></tt:Event>");
    return x.text;
}

void fv_onvif_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    for (int i = 0; i < n; i++) {
        char id[96];
        fv_message m = {.topic = "events",
                        .id = fv_format_event_id(&events[i], id, sizeof id),
                        .is_event = true};
        fv_formatter_say(f, r->stream, m, event_xml(r, &events[i]));
    }
}

// ---- tracks that have gone ----------------------------------------------------------------------

typedef struct fv_sighting {
    uint64_t id;
    int64_t seen_ns;
} sighting;

static void see(fv_onvif_state *s, uint64_t id, int64_t now_ns) {
    int i = 0;
    while (i < s->n_seen && s->seen[i].id != id)
        i++;
    if (i == s->capacity) {
        s->capacity = s->capacity ? 2 * s->capacity : 16;
        sighting *v = realloc(s->seen, sizeof *v * (size_t)s->capacity);
        if (!v)
            abort();
        s->seen = v;
    }
    s->n_seen += i == s->n_seen;
    s->seen[i] = (sighting){id, now_ns};
}

// Keeps those that are still there.
static void put_gone(fv_xml *x, fv_onvif_state *s, int64_t now_ns) {
    int n = s->n_seen;
    s->n_seen = 0;
    for (int i = 0; i < n; i++) {
        bool there = now_ns - s->seen[i].seen_ns < FV_RULE_FORGET_NS;
        if (there)
            s->seen[s->n_seen++] = s->seen[i];
        else
            fv_xml_put(x, "%s<tt:Delete ObjectId=\"%" PRIu64 "\"/>",
                       s->n_seen == i ? "<tt:ObjectTree>" : "", s->seen[i].id);
    }
    if (s->n_seen < n)
        fv_xml_put(x, "</tt:ObjectTree>");
}

static char *frame_xml(fv_onvif_state *s, const fv_record *r) {
    fv_xml x = {0};
    char time[96];
    int64_t now_ns = fv_format_time(r->utc_ns, r->pts_ns);
    fv_utc_text(now_ns, 6, time, sizeof time);
    fv_xml_put(&x, "<tt:VideoAnalytics><tt:Frame UtcTime=\"%s\"", time);
    fv_xml_attribute(&x, "Source", r->stream ? r->stream : "");
    fv_xml_put(&x, ">");
    for (int i = 0; i < r->objects.n; i++) {
        put_object(&x, r, &r->objects.v[i]);
        if (r->objects.v[i].id)
            see(s, r->objects.v[i].id, now_ns);
    }
    put_gone(&x, s, now_ns);
    fv_xml_put(&x, "</tt:Frame></tt:VideoAnalytics>");
    return x.text;
}

void fv_onvif_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[96];
    fv_message m = {.topic = "frames", .id = fv_format_frame_id(f, r, id, sizeof id)};
    if (f->what & FV_WHAT_FRAMES)
        fv_formatter_say(f, r->stream, m, frame_xml(f->state, r));
    fv_onvif_events(f, r, events, n);
}

void fv_onvif_clear(fv_formatter *f) {
    fv_onvif_state *s = f->state;
    free(s->seen);
    *s = (fv_onvif_state){0};
}
