// plugins/events/fvevents.c through the plugin as installed.
#include <gst/check/gstharness.h>

#include "plugins/common/meta.h"
#include "tests/test.h"

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};
enum { WIDTH = 320, HEIGHT = 240 };

static const char
    *const door = "rules:\n"
                  "  - {line: door, points: [[0.5, 1], [0.5, 0]], classes: [person], settle: 0s}\n"
                  "  - {zone: yard, points: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], dwell: 0.2s}\n";

static const char *const last = "rules:\n  - {line: last, points: [[0.5, 1], [0.5, 0]]}\n";

typedef struct {
    GstHarness *h;
    GstBus *bus;
    GstElement *e;
} stage;

static stage stage_of(const char *rules) {
    stage s = {.bus = gst_bus_new(), .e = gst_element_factory_make("fvevents", NULL)};
    g_object_set(s.e, "rules", rules, "stream", "gate", NULL);
    gst_element_set_bus(s.e, s.bus);
    s.h = gst_harness_new_with_element(s.e, "sink", "src");
    gst_harness_set_src_caps_str(s.h,
                                 "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    return s;
}

static void stage_finish(stage *s) {
    gst_element_set_bus(s->e, NULL);
    gst_object_unref(s->bus);
    gst_harness_teardown(s->h);
    gst_object_unref(s->e);
}

// One model's, for all frames.
static fv_meta_labels *model_labels(void) {
    static fv_meta_labels *l;
    l = l ? l : fv_meta_labels_create(&labels);
    return l;
}

static GstBuffer *walker(int frame, float x) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, WIDTH * HEIGHT, NULL);
    GST_BUFFER_PTS(b) = (GstClockTime)frame * 40 * GST_MSECOND;
    fv_frame_meta *m = fv_meta_add(b, "gate", (uint64_t)frame, WIDTH, HEIGHT);
    fv_meta_set_labels(m, model_labels());
    m->inference = FV_INFERRED;
    fv_object o = {.box = {x, 100, 30, 60},
                   .score = 0.9f,
                   .label = 1,
                   .id = 7,
                   .state = FV_STATE_CONFIRMED,
                   .detection = 0};
    fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
    return b;
}

// Walks from left to right over the middle; returns how many events the metadata held.
static int walk(stage *s, int frames) {
    int events = 0;
    for (int i = 0; i < frames; i++) {
        GstBuffer *b = gst_harness_push_and_pull(s->h, walker(i, 80 + 8 * (float)i));
        events += fv_meta_get(b)->n_events;
        gst_buffer_unref(b);
    }
    return events;
}

static GstStructure *next_event(stage *s) {
    GstMessage *m = gst_bus_pop_filtered(s->bus, GST_MESSAGE_ELEMENT);
    GstStructure *found = m ? gst_structure_copy(gst_message_get_structure(m)) : NULL;
    if (m)
        gst_message_unref(m);
    if (found && !gst_structure_has_name(found, "fovea-event"))
        g_clear_pointer(&found, gst_structure_free);
    return found;
}

static void events_are_on_the_bus_and_in_the_metadata(void) {
    stage s = stage_of(door);
    CHECK_EQUAL(walk(&s, 16), 3);
    GstStructure *cross = next_event(&s), *enter = next_event(&s), *dwell = next_event(&s);
    CHECK_TEXT(gst_structure_get_string(cross, "event"), "cross");
    CHECK_TEXT(gst_structure_get_string(cross, "rule"), "door");
    CHECK_TEXT(gst_structure_get_string(cross, "direction"), "in");
    CHECK_TEXT(gst_structure_get_string(cross, "stream"), "gate");
    CHECK_TEXT(gst_structure_get_string(cross, "label"), "person");
    guint64 id = 0, frame = 0;
    gint64 count = 0;
    gdouble before = 0, after = 0, value = 0;
    CHECK(gst_structure_get(cross, "object-id", G_TYPE_UINT64, &id, "frame", G_TYPE_UINT64, &frame,
                            "count", G_TYPE_INT64, &count, "before-x", G_TYPE_DOUBLE, &before,
                            "after-x", G_TYPE_DOUBLE, &after, NULL));
    CHECK(id == 7 && count == 1 && before < 160 && after > 160);
    CHECK_TEXT(gst_structure_get_string(enter, "event"), "enter");
    CHECK_TEXT(gst_structure_get_string(dwell, "event"), "dwell");
    CHECK_TEXT(gst_structure_get_string(dwell, "phase"), "start");
    CHECK(gst_structure_get_double(dwell, "value", &value) && value >= 0.2);
    gst_structure_free(cross);
    gst_structure_free(enter);
    gst_structure_free(dwell);
    CHECK(!next_event(&s));
    stage_finish(&s);
}

// plugins/README.md, "On the bus": a message has fields of that table and type, all of them together
// all of its fields.
static gboolean is_on_the_page(GQuark field, const GValue *value, gpointer user) {
    static const struct {
        GType type;
        const char *name;
    } types[] = {{G_TYPE_STRING, "string"}, {G_TYPE_UINT64, "uint64"}, {G_TYPE_INT64, "int64"},
                 {G_TYPE_DOUBLE, "double"}};
    char **page = user, row[100] = "";
    for (size_t i = 0; i < G_N_ELEMENTS(types); i++)
        if (G_VALUE_HOLDS(value, types[i].type))
            snprintf(row, sizeof row, "\n| `%s` | %s |", g_quark_to_string(field), types[i].name);
    CHECK_CONTAINS(page[0], row);
    char *seen = strstr(page[1], row);
    if (*row && seen)
        memmove(seen, seen + strlen(row), strlen(seen + strlen(row)) + 1);
    return TRUE;
}

static void messages_are_as_the_page_says(void) {
    char *text = fv_test_read(fv_test_source("plugins/README.md"));
    char *page = g_strdup(strstr(text, "## On the bus")), *left = g_strdup(page), *both[] = {page, left};
    *strstr(page, "```sh") = *strstr(left, "```sh") = 0;
    stage s = stage_of(door);
    for (int i = 0; i < 16; i++) {
        GstBuffer *b = walker(i, 80 + 8 * (float)i);
        fv_meta_get(b)->utc_ns = 1000000000LL * i;
        gst_buffer_unref(gst_harness_push_and_pull(s.h, b));
    }
    int n = 0;
    for (GstStructure *event; (event = next_event(&s)); n++) {
        gst_structure_foreach(event, is_on_the_page, both);
        gst_structure_free(event);
    }
    CHECK_EQUAL(n, 3);
    CHECK(!strstr(left, "\n| `")); // each was seen
    stage_finish(&s);
    g_free(page);
    g_free(left);
    free(text);
}

static void totals_are_stats(void) {
    stage s = stage_of(door);
    walk(&s, 14);
    GstStructure *stats = NULL;
    guint64 in = 0, inside = 0;
    g_object_get(s.e, "stats", &stats, NULL);
    CHECK(gst_structure_get(stats, "door.in", G_TYPE_UINT64, &in, "yard.inside", G_TYPE_UINT64,
                            &inside, NULL));
    CHECK(in == 1 && inside == 1);
    gst_structure_free(stats);
    stage_finish(&s);
}

static const GstStructure *event_named(GstHarness *h, const char *name, GstEvent **event) {
    while ((*event = gst_harness_try_pull_event(h))) {
        const GstStructure *s = gst_event_get_structure(*event);
        if (s && gst_structure_has_name(s, name))
            return s;
        gst_event_unref(*event);
    }
    return NULL;
}

static void what_lasts_ends_before_the_stream(void) {
    stage s = stage_of(door);
    walk(&s, 16);
    gst_harness_push_event(s.h, gst_event_new_eos());
    GstEvent *rules, *late;
    const GstStructure *announced = event_named(s.h, "fovea-rules", &rules);
    CHECK(announced && strstr(gst_structure_get_string(announced, "rules"), "line: door"));
    gst_event_unref(rules);
    const GstStructure *ends = event_named(s.h, "fovea-events", &late);
    GstBuffer *carrier = NULL;
    CHECK(ends && gst_structure_get(ends, "meta", GST_TYPE_BUFFER, &carrier, NULL));
    fv_frame_meta *m = fv_meta_get(carrier);
    CHECK_EQUAL(m->n_events, 1);
    CHECK_TEXT(m->events[0].event, "dwell");
    CHECK_EQUAL(m->events[0].phase, FV_PHASE_END);
    CHECK_TEXT(m->stream, "gate");
    CHECK_EQUAL(m->labels->labels.n, 2);
    gst_buffer_unref(carrier);
    gst_event_unref(late);
    stage_finish(&s);
}

// Right behind the line as the stream ends: the crossing comes with the end.
static void the_last_crossing_is_not_lost(void) {
    stage s = stage_of(last);
    CHECK_EQUAL(walk(&s, 12), 0);
    gst_harness_push_event(s.h, gst_event_new_eos());
    GstEvent *late;
    const GstStructure *ends = event_named(s.h, "fovea-events", &late);
    GstBuffer *carrier = NULL;
    CHECK(ends && gst_structure_get(ends, "meta", GST_TYPE_BUFFER, &carrier, NULL));
    fv_frame_meta *m = fv_meta_get(carrier);
    CHECK_EQUAL(m->n_events, 1);
    CHECK_TEXT(m->events[0].event, "cross");
    CHECK_EQUAL(m->events[0].frame, 9);
    gst_buffer_unref(carrier);
    gst_event_unref(late);
    stage_finish(&s);
}

// The whole chain: tracks in, records of events out, lines drawn.
static void publisher_and_overlay_take_them(void) {
    char launch[1024], path[512];
    snprintf(path, sizeof path, "%s/events.jsonl", fv_test_tmp("fvevents"));
    snprintf(launch, sizeof launch,
             "fvevents name=e ! fvoverlay boxes=false labels=false ! fvpublish what=events to=%s",
             path);
    GstElement *chain = gst_parse_launch(launch, NULL),
               *e = gst_bin_get_by_name(GST_BIN(chain), "e");
    g_object_set(e, "rules", door, NULL);
    gst_object_unref(e);
    GstPad *sink = gst_bin_find_unlinked_pad(GST_BIN(chain), GST_PAD_SINK),
           *src = gst_bin_find_unlinked_pad(GST_BIN(chain), GST_PAD_SRC);
    gst_element_add_pad(chain, gst_ghost_pad_new("sink", sink));
    gst_element_add_pad(chain, gst_ghost_pad_new("src", src));
    gst_object_unref(sink);
    gst_object_unref(src);
    GstHarness *h = gst_harness_new_with_element(chain, "sink", "src");
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    guint8 line = 0;
    for (int i = 0; i < 18; i++) {
        GstBuffer *in = walker(i, 80 + 8 * (float)i), *b;
        gst_buffer_memset(in, 0, 0, SIZE_MAX);
        b = gst_harness_push_and_pull(h, in);
        gst_buffer_extract(b, 20 * WIDTH + WIDTH / 2, &line, 1);
        gst_buffer_unref(b);
    }
    CHECK(line > 30); // the line is drawn
    gst_harness_push_event(h, gst_event_new_eos());
    gst_harness_teardown(h);
    gst_object_unref(chain);
    char *text = fv_test_read(path);
    CHECK_CONTAINS(text, "\"event\":\"cross\"");
    CHECK_CONTAINS(text, "\"phase\":\"end\"");
    g_free(text);
}

static void write_report(const char *rules, int frames, const char *wanted) {
    char folder[600], path[700];
    snprintf(folder, sizeof folder, "%s/report", fv_test_tmp("fvevents-report"));
    GstElement *e = gst_element_factory_make("fvevents", NULL);
    g_object_set(e, "rules", rules, "report", folder, NULL);
    GstHarness *h = gst_harness_new_with_element(e, "sink", "src");
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    stage s = {.h = h, .e = e};
    walk(&s, frames);
    gst_harness_push_event(h, gst_event_new_eos());
    snprintf(path, sizeof path, "%s/events.csv", folder);
    char *text = fv_test_read(path);
    CHECK_CONTAINS(text, wanted);
    g_free(text);
    snprintf(path, sizeof path, "%s/heatmap-person.png", folder);
    CHECK(g_file_test(path, G_FILE_TEST_EXISTS));
    gst_harness_teardown(h);
    gst_object_unref(e);
}

static void a_report_is_written_at_the_end(void) {
    write_report(door, 16, "0,door,cross,in,1\n0,yard,enter,,1\n0,yard,dwell,,1\n");
    write_report(last, 12, "0,last,cross,in,1\n");
}

static void rules_change_while_playing(void) {
    stage s = stage_of(door);
    walk(&s, 3);
    g_object_set(s.e, "rules", "rules:\n  - {zone: all, events: [appear]}\n", NULL);
    CHECK_EQUAL(walk(&s, 3), 1);
    g_object_set(s.e, "rules", "rules:\n  - {zoo: all}\n",
                 NULL); // a mistake: a warning, and the old ones stay
    CHECK_EQUAL(walk(&s, 1), 0);
    GstMessage *m = gst_bus_pop_filtered(s.bus, GST_MESSAGE_WARNING);
    CHECK(m != NULL);
    if (m)
        gst_message_unref(m);
    stage_finish(&s);
}

// The end of the dwell that `walk` began by the rules `door`, its id; 0: none came downstream.
static uint64_t end_of_dwell(GstHarness *h) {
    GstEvent *late;
    const GstStructure *ends = event_named(h, "fovea-events", &late);
    GstBuffer *carrier = NULL;
    CHECK(ends && gst_structure_get(ends, "meta", GST_TYPE_BUFFER, &carrier, NULL));
    if (!carrier)
        return 0;
    fv_frame_meta *m = fv_meta_get(carrier);
    CHECK_EQUAL(m->n_events, 1);
    CHECK_TEXT(m->events[0].event, "dwell");
    CHECK_EQUAL(m->events[0].phase, FV_PHASE_END);
    uint64_t id = m->events[0].id;
    gst_buffer_unref(carrier);
    gst_event_unref(late);
    return id;
}

// On the bus: the end has the start's id, and no later event has an id of before.
static void check_ids(stage *s, uint64_t ended, int expected) {
    guint64 id = 0, highest = 0, started = 0;
    bool over = false;
    int n = 0;
    for (GstStructure *e; (e = next_event(s)); n++) {
        const char *phase = gst_structure_get_string(e, "phase");
        CHECK(gst_structure_get_uint64(e, "id", &id));
        if (!over && !strcmp(phase, "start"))
            started = id;
        if (!over && !strcmp(phase, "end")) {
            over = true;
            CHECK_EQUAL(id, started);
        } else {
            CHECK(id > highest);
        }
        highest = MAX(highest, id);
        gst_structure_free(e);
    }
    CHECK(over);
    CHECK_EQUAL(started, ended);
    CHECK_EQUAL(n, expected);
}

static void other_rules_end_what_lasts(void) {
    stage s = stage_of(door);
    CHECK_EQUAL(walk(&s, 16), 3);
    g_object_set(s.e, "rules", "rules:\n  - {zone: all, events: [appear]}\n", NULL);
    CHECK_EQUAL(walk(&s, 3), 1);
    uint64_t ended = end_of_dwell(s.h);
    check_ids(&s, ended, 5);
    stage_finish(&s);
}

static void seek(stage *s) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(s->h, gst_event_new_flush_start());
    gst_harness_push_event(s->h, gst_event_new_flush_stop(TRUE));
    gst_harness_push_event(s->h, gst_event_new_segment(&segment));
}

static void a_seek_ends_what_lasts(void) {
    stage s = stage_of(door);
    CHECK_EQUAL(walk(&s, 16), 3);
    seek(&s);
    CHECK_EQUAL(walk(&s, 16), 3);
    uint64_t ended = end_of_dwell(s.h);
    check_ids(&s, ended, 7);
    stage_finish(&s);
}

// Its file may be gone, or in the middle of being written.
static void a_seek_keeps_the_rules(void) {
    char path[600];
    snprintf(path, sizeof path, "%s/rules.yaml", fv_test_tmp("fvevents-seek"));
    CHECK(g_file_set_contents(path, door, -1, NULL));
    stage s = stage_of(path);
    CHECK_EQUAL(walk(&s, 16), 3);
    remove(path);
    seek(&s);
    CHECK_EQUAL(walk(&s, 16), 3);
    GstStructure *stats = NULL;
    guint64 in = 0;
    g_object_get(s.e, "stats", &stats, NULL);
    CHECK(gst_structure_get_uint64(stats, "door.in", &in) && in == 1);
    gst_structure_free(stats);
    CHECK(!gst_bus_pop_filtered(s.bus, GST_MESSAGE_WARNING));
    stage_finish(&s);
}

static const char *const misspelt = "rules:\n  - {line: door, points: [[0.5, 1], [0.5, 0]], classes: [persn]}\n";

static void check_unknown_class(stage *s) {
    GstMessage *m = gst_bus_pop_filtered(s->bus, GST_MESSAGE_WARNING);
    GError *error = NULL;
    CHECK(m != NULL);
    if (!m)
        return;
    gst_message_parse_warning(m, &error, NULL);
    CHECK_CONTAINS(error->message, "no class 'persn'");
    g_error_free(error);
    gst_message_unref(m);
}

// With the first frame, and with rules that come while playing.
static void unknown_classes_are_warned_of(void) {
    stage s = stage_of(misspelt);
    CHECK_EQUAL(walk(&s, 14), 0);
    check_unknown_class(&s);
    stage_finish(&s);
    s = stage_of(door);
    walk(&s, 3);
    CHECK(!gst_bus_pop_filtered(s.bus, GST_MESSAGE_WARNING));
    g_object_set(s.e, "rules", misspelt, NULL);
    walk(&s, 3);
    check_unknown_class(&s);
    stage_finish(&s);
}

static void without_rules_it_says_so(void) {
    GstElement *e = gst_element_factory_make("fvevents", NULL);
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(e, bus);
    CHECK_EQUAL(gst_element_set_state(e, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    gst_message_parse_error(m, &error, NULL);
    CHECK_CONTAINS(error->message, "`rules` is not set");
    g_error_free(error);
    gst_message_unref(m);
    gst_element_set_state(e, GST_STATE_NULL);
    gst_element_set_bus(e, NULL);
    gst_object_unref(bus);
    gst_object_unref(e);
}

const fv_suite fvevents_suite = {"fvevents",
                                 (const fv_case[]){CASE(events_are_on_the_bus_and_in_the_metadata),
                                                   CASE(messages_are_as_the_page_says),
                                           CASE(totals_are_stats),
                                                   CASE(what_lasts_ends_before_the_stream),
                                                   CASE(the_last_crossing_is_not_lost),
                                                   CASE(publisher_and_overlay_take_them),
                                                   CASE(a_report_is_written_at_the_end),
                                                   CASE(rules_change_while_playing),
                                                   CASE(other_rules_end_what_lasts),
                                                   CASE(a_seek_ends_what_lasts),
                                                   CASE(a_seek_keeps_the_rules),
                                                   CASE(unknown_classes_are_warned_of),
                                                   CASE(without_rules_it_says_so),
                                                   {0}}};
