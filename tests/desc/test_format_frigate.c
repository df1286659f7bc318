// A life as Frigate tells it: who is there, where, at rest or not, and the counts.
#include <jansson.h>
#include <stdlib.h>

#include "pipeline/desc/format.h"
#include "tests/test.h"

enum { SECOND = 1000000000, MAX_HEARD = 200 };

static const fv_labels labels = {2, (const char *const[]){"person", "car"}};

typedef struct {
    int n;
    char topic[MAX_HEARD][100];
    json_t *payload[MAX_HEARD];
    bool retain[MAX_HEARD];
} heard;

static void hear(void *user, const fv_message *m) {
    heard *h = user;
    if (h->n == MAX_HEARD)
        return;
    snprintf(h->topic[h->n], sizeof h->topic[0], "%s", m->topic);
    h->payload[h->n] = json_loads(m->body, JSON_DECODE_ANY, NULL);
    h->retain[h->n++] = m->retain;
}

static void forget(heard *h) {
    for (int i = 0; i < h->n; i++)
        json_decref(h->payload[i]);
    h->n = 0;
}

// The last payload of the topic, NULL: none since the last forget().
static const json_t *last(const heard *h, const char *topic) {
    for (int i = h->n - 1; i >= 0; i--)
        if (!strcmp(h->topic[i], topic))
            return h->payload[i];
    return NULL;
}

static int count(const heard *h, const char *topic) {
    const json_t *n = last(h, topic);
    return n ? (int)json_integer_value(n) : -1;
}

static const char *type(const heard *h) {
    const char *t = json_string_value(json_object_get(last(h, "events"), "type"));
    return t ? t : "nothing";
}

static json_t *after(const heard *h, const char *key) {
    return json_object_get(json_object_get(last(h, "events"), "after"), key);
}

typedef struct {
    heard h;
    fv_formatter *f;
    uint64_t frame;
    fv_event event; // phase, value, before and after of the next frame's
} stage;

static stage *open_stage(unsigned what) {
    stage *s = calloc(1, sizeof *s);
    s->f = fv_formatter_create(FV_FORMAT_FRIGATE, what, hear, &s->h);
    return s;
}

static void close_stage(stage *s) {
    fv_formatter_destroy(&s->f);
    forget(&s->h);
    free(s);
}

// One frame at `seconds`; only its messages are heard afterwards.
static void show(stage *s, double seconds, fv_object *objects, int n, const char *event,
                 const char *zone) {
    fv_record r = {.stream = "yard",
                   .frame = s->frame++,
                   .pts_ns = (int64_t)(seconds * SECOND),
                   .utc_ns = FV_TIME_NONE,
                   .width = 640,
                   .height = 360,
                   .objects = {n, n, objects},
                   .labels = &labels};
    fv_event e = {.id = s->frame,
                  .event = event,
                  .rule = zone,
                  .has_object = n > 0,
                  .count = -1,
                  .phase = s->event.phase,
                  .value = s->event.phase ? s->event.value : NAN,
                  .pts_ns = r.pts_ns,
                  .utc_ns = FV_TIME_NONE};
    memcpy(e.before, s->event.before, sizeof e.before);
    memcpy(e.after, s->event.after, sizeof e.after);
    if (n)
        e.object = objects[0];
    forget(&s->h);
    fv_formatter_frame(s->f, &r, &e, event != NULL);
}

static fv_object person(uint64_t id, float x, float score) {
    return (fv_object){
        .box = {x, 100, 40, 80}, .score = score, .id = id, .state = FV_STATE_CONFIRMED};
}

static void a_life_begins_changes_and_ends(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(7, 100, 0.6f);
    show(s, 1, &o, 1, NULL, NULL);
    CHECK_TEXT(type(&s->h), "new");
    CHECK_TEXT(json_string_value(after(&s->h, "id")), "1.000000-000007");
    CHECK_EQUAL(count(&s->h, "yard/person"), 1);
    CHECK_EQUAL(count(&s->h, "yard/all"), 1);
    CHECK_EQUAL(count(&s->h, "yard/person/active"), 1);
    CHECK(s->h.retain[1] && !s->h.retain[0]);
    show(s, 1.1, &o, 1, NULL, NULL);
    CHECK_EQUAL(s->h.n, 0); // nothing new
    o.score = 0.8f;
    show(s, 2, &o, 1, NULL, NULL);
    CHECK_EQUAL(s->h.n, 0); // better, but too early to say
    o.score = 0.7f;
    show(s, 6, &o, 1, NULL, NULL);
    CHECK_TEXT(type(&s->h), "update");
    CHECK_NEAR(json_number_value(after(&s->h, "top_score")), 0.8, 1e-9);
    CHECK_NEAR(json_number_value(after(&s->h, "score")), 0.7, 1e-9);
    show(s, 7.9, NULL, 0, NULL, NULL);
    CHECK_EQUAL(s->h.n, 0); // it may come back
    show(s, 8.1, NULL, 0, NULL, NULL);
    CHECK_TEXT(type(&s->h), "end");
    CHECK_NEAR(json_number_value(after(&s->h, "end_time")), 6, 1e-9);
    CHECK_EQUAL(count(&s->h, "yard/person"), 0);
    CHECK_EQUAL(count(&s->h, "yard/all"), 0);
    close_stage(s);
}

static void who_comes_back_late_is_somebody_new(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(7, 100, 0.6f);
    show(s, 1, &o, 1, NULL, NULL);
    show(s, 4, NULL, 0, NULL, NULL);
    CHECK_TEXT(type(&s->h), "end");
    show(s, 5, &o, 1, NULL, NULL);
    CHECK_TEXT(type(&s->h), "new");
    CHECK_TEXT(json_string_value(after(&s->h, "id")), "5.000000-000007");
    close_stage(s);
}

static void zones_come_from_the_rules(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(1, 100, 0.6f);
    show(s, 0, &o, 1, "appear", "drive");
    CHECK_TEXT(type(&s->h), "new");
    CHECK_EQUAL(json_array_size(after(&s->h, "current_zones")), 1);
    CHECK_EQUAL(count(&s->h, "drive/person"), 1);
    show(s, 1, &o, 1, "enter", "door");
    CHECK_TEXT(type(&s->h), "update");
    CHECK_EQUAL(json_array_size(after(&s->h, "current_zones")), 2);
    show(s, 2, &o, 1, "leave", "drive");
    CHECK_TEXT(json_string_value(json_array_get(after(&s->h, "current_zones"), 0)), "door");
    CHECK_EQUAL(json_array_size(after(&s->h, "entered_zones")), 2);
    CHECK_EQUAL(count(&s->h, "drive/person"), 0);
    CHECK_EQUAL(count(&s->h, "drive/all"), 0);
    CHECK_EQUAL(count(&s->h, "door/person"), -1); // as before: not said again
    show(s, 3, &o, 1, "cross", "fence");
    CHECK_TEXT(type(&s->h), "nothing");
    CHECK_TEXT(json_string_value(json_object_get(last(&s->h, "tracked_object_update"), "name")),
               "fence");
    close_stage(s);
}

static double number(const stage *s, const char *key) {
    return json_number_value(after(&s->h, key));
}

// Speeds of a rule with a calibration, in km/h; without one they are 0, as Frigate has them.
static void speeds_come_from_the_rules(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(1, 100, 0.6f);
    show(s, 0, &o, 1, NULL, NULL);
    CHECK(number(s, "current_estimated_speed") == 0 && number(s, "velocity_angle") == 0);
    s->event = (fv_event){.phase = FV_PHASE_START, .value = 10, .before = {100, 50}, .after = {100, 90}};
    show(s, 1, &o, 1, "speed", "lane");
    CHECK_TEXT(type(&s->h), "update");
    CHECK_NEAR(number(s, "current_estimated_speed"), 36, 1e-9);
    CHECK_NEAR(number(s, "velocity_angle"), 90, 1e-9);
    CHECK(last(&s->h, "tracked_object_update") != NULL);
    s->event = (fv_event){.phase = FV_PHASE_UPDATE, .value = 20, .before = {100, 90}, .after = {60, 50}};
    show(s, 2, &o, 1, "speed", "lane");
    CHECK_NEAR(number(s, "current_estimated_speed"), 72, 1e-9);
    CHECK_NEAR(number(s, "average_estimated_speed"), 54, 1e-9);
    CHECK_NEAR(number(s, "velocity_angle"), 225, 1e-9);
    s->event = (fv_event){.phase = FV_PHASE_END, .value = 20};
    show(s, 3, &o, 1, "speed", "lane");
    CHECK_NEAR(number(s, "current_estimated_speed"), 0, 1e-9);
    CHECK_NEAR(number(s, "average_estimated_speed"), 54, 1e-9);
    close_stage(s);
}

// Counts alone still know the zones.
static void zones_are_counted_without_events(void) {
    stage *s = open_stage(FV_WHAT_FRAMES);
    fv_object o = person(1, 100, 0.6f);
    show(s, 0, &o, 1, "enter", "door");
    CHECK_EQUAL(count(&s->h, "door/person"), 1);
    CHECK_EQUAL(count(&s->h, "yard/person"), 1);
    CHECK(!last(&s->h, "events"));
    show(s, 1, &o, 1, "cross", "fence");
    CHECK_EQUAL(s->h.n, 0);
    close_stage(s);
}

static void rest_is_ten_seconds_in_one_place(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(1, 100, 0.6f);
    show(s, 0, &o, 1, NULL, NULL);
    o.box.x += 3; // trembles
    show(s, 9.9, &o, 1, NULL, NULL);
    CHECK_EQUAL(s->h.n, 0);
    show(s, 10, &o, 1, NULL, NULL);
    CHECK_TEXT(type(&s->h), "update");
    CHECK(json_is_true(after(&s->h, "stationary")));
    CHECK_EQUAL(count(&s->h, "yard/person/active"), 0);
    CHECK_EQUAL(count(&s->h, "yard/person"), -1); // still one
    o.box.x += 30;
    show(s, 11, &o, 1, NULL, NULL);
    CHECK(json_is_false(after(&s->h, "stationary")));
    CHECK_EQUAL(json_integer_value(after(&s->h, "position_changes")), 1);
    CHECK_EQUAL(count(&s->h, "yard/person/active"), 1);
    close_stage(s);
}

static void the_end_of_the_stream_ends_lives(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o[2] = {person(1, 100, 0.6f), person(2, 300, 0.6f)};
    o[1].label = 1;
    show(s, 0, o, 2, "enter", "door");
    CHECK_EQUAL(count(&s->h, "yard/all"), 2);
    forget(&s->h);
    fv_formatter_finish(s->f);
    CHECK_TEXT(type(&s->h), "end");
    CHECK_EQUAL(count(&s->h, "yard/all"), 0);
    CHECK_EQUAL(count(&s->h, "yard/car"), 0);
    CHECK_EQUAL(count(&s->h, "door/person"), 0);
    show(s, 1, o, 1, NULL, NULL); // after a seek
    CHECK_TEXT(type(&s->h), "new");
    close_stage(s);
}

// Tracks too young for an id, and prediction, begin and change nothing.
static void only_what_was_seen_counts(void) {
    stage *s = open_stage(FV_WHAT_ALL);
    fv_object o = person(0, 100, 0.6f);
    show(s, 0, &o, 1, NULL, NULL);
    CHECK_EQUAL(s->h.n, 0);
    o.id = 1;
    show(s, 1, &o, 1, NULL, NULL);
    o.predicted = true;
    o.box.x = 500;
    o.score = 0.9f;
    show(s, 7, &o, 1, "enter", "door");
    CHECK_EQUAL(json_integer_value(json_array_get(after(&s->h, "box"), 0)), 100);
    CHECK_NEAR(json_number_value(after(&s->h, "top_score")), 0.6, 1e-6);
    close_stage(s);
}

const fv_suite format_frigate_suite = {"format_frigate",
                                       (const fv_case[]){CASE(a_life_begins_changes_and_ends),
                                                         CASE(who_comes_back_late_is_somebody_new),
                                                         CASE(zones_come_from_the_rules),
                                                         CASE(speeds_come_from_the_rules),
                                                         CASE(zones_are_counted_without_events),
                                                         CASE(rest_is_ten_seconds_in_one_place),
                                                         CASE(the_end_of_the_stream_ends_lives),
                                                         CASE(only_what_was_seen_counts),
                                                         {0}}};
