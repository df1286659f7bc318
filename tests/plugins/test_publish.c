#define _GNU_SOURCE
// plugins/publish through the plugin as installed.
#include <gst/check/gstharness.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "plugins/common/meta.h"
#include "tests/test.h"

static char path[1100];

static GstHarness *harness(const char *settings) {
    char launch[1300];
    snprintf(path, sizeof path, "%s/o.jsonl", fv_test_tmp("publish"));
    snprintf(launch, sizeof launch, "fvpublish to=%s stream=gate %s", path, settings);
    GstHarness *h = gst_harness_new_parse(launch);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=32,height=16,framerate=25/1");
    return h;
}

static GstBuffer *picture(int frame, bool with_event) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, 32 * 16, NULL);
    GST_BUFFER_PTS(b) = (GstClockTime)frame * 40 * GST_MSECOND;
    fv_frame_meta *m = fv_meta_add(b, "x", (uint64_t)frame, 32, 16);
    fv_object o = {
        .box = {1, 2, 3, 4}, .score = 0.5f, .label = 2, .id = 9, .state = FV_STATE_CONFIRMED};
    m->inference = FV_INFERRED;
    fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
    fv_event e = {.id = 1,
                  .event = "cross",
                  .rule = "door",
                  .has_object = true,
                  .object = o,
                  .count = 3,
                  .value = NAN,
                  .frame = (uint64_t)frame,
                  .pts_ns = frame * 40000000LL,
                  .utc_ns = FV_TIME_NONE};
    if (with_event)
        fv_meta_add_event(m, &e);
    return b;
}

static void run(GstHarness *h, int frames) {
    for (int i = 0; i < frames; i++)
        gst_buffer_unref(gst_harness_push_and_pull(h, picture(i, i == 1)));
    gst_harness_push_event(h, gst_event_new_eos());
}

static int count(const char *text, const char *part) {
    int n = 0;
    for (const char *p = text; p && (p = strstr(p, part)); p++)
        n++;
    return n;
}

static void check_schema(int lines) {
    char command[3000], output[2000], expected[64];
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s",
             fv_test_source("tests/schema.py"), fv_test_source("config/schema/record.schema.json"),
             path);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    snprintf(expected, sizeof expected, "%d lines follow the schema", lines);
    CHECK_CONTAINS(output, expected);
}

static void frames_and_events_in_order(void) {
    GstHarness *h = harness("");
    run(h, 3);
    char *text = fv_test_read(path);
    CHECK_EQUAL(count(text, "\n"), 4);
    CHECK_EQUAL(count(text, "\"stream\":\"gate\""), 4);
    char *event = strstr(text, "\"event\":\"cross\"");
    CHECK(event && strstr(text, "\"frame\":1,\"pts_ns\":40000000") < event &&
          event < strstr(text, "\"frame\":2"));
    check_schema(4);
    free(text);
    gst_harness_teardown(h);
}

static void the_frame_rate_is_told(void) {
    GstHarness *h = harness("format=savant");
    run(h, 1);
    gst_harness_teardown(h);
    char *text = fv_test_read(path);
    CHECK_CONTAINS(text, "\"framerate\":\"25/1\"");
    free(text);
}

static void what_and_append(void) {
    GstHarness *h = harness("what=events");
    run(h, 3);
    gst_harness_teardown(h);
    check_schema(1);
    h = harness("what=frames append=true");
    run(h, 2);
    gst_harness_teardown(h);
    check_schema(3);
}

static uint64_t stat_of(GstHarness *h, const char *name) {
    GstElement *e = gst_harness_find_element(h, "fvpublish");
    GstStructure *s = NULL;
    guint64 v = 0;
    g_object_get(e, "stats", &s, NULL);
    gst_structure_get_uint64(s, name, &v);
    gst_structure_free(s);
    gst_object_unref(e);
    return v;
}

// A seek, after the end or in the middle: what lasted ends, numbers of records go on, and the document
// is closed once, when the element stops.
static void seek(GstHarness *h) {
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_harness_push_event(h, gst_event_new_segment(&segment));
}

static void seeks_and_goes_on(void) {
    static const struct {
        const char *format, *part;
        int n, lines;
    } rows[] = {
        {"fovea", "\"type\":\"frame\"", 9, 12},
        {"savant", "\"schema\":\"EndOfStream\"", 3, 12},
        {"frigate", "\"type\":\"end\"", 3, -1},
        {"coco", "\"image_id\"", 9, 11},
        {"onvif", "</tt:MetadataStream>", 1, 14},
        {"mot", ",9,1.00,2.00,", 9, 9},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        char settings[64];
        snprintf(settings, sizeof settings, "format=%s", rows[i].format);
        GstHarness *h = harness(settings);
        run(h, 3);
        seek(h);
        for (int f = 0; f < 3; f++)
            gst_buffer_unref(gst_harness_push_and_pull(h, picture(f, f == 1)));
        seek(h);
        run(h, 3);
        CHECK_EQUAL(stat_of(h, "lost"), 0);
        gst_harness_teardown(h);
        char *text = fv_test_read(path);
        CHECK_EQUAL(count(text, rows[i].part), rows[i].n);
        if (rows[i].lines >= 0)
            CHECK_EQUAL(count(text, "\n"), rows[i].lines);
        free(text);
    }
}

// Two of them in one pipeline, and to one peer: spools of their own, both have everything.
static void two_in_one_pipeline(void) {
    char other[1200], launch[1500], state[1100];
    snprintf(state, sizeof state, "%s", fv_test_tmp("publish-state"));
    g_setenv("XDG_STATE_HOME", state, TRUE);
    snprintf(other, sizeof other, "%s/two.mot.txt", fv_test_tmp("publish"));
    snprintf(launch, sizeof launch,
             "fvpublish to=tcp://127.0.0.1:1 linger=0 retry-max=200000000 stream=gate ! fvpublish to=tcp://127.0.0.1:1 "
             "linger=0 what=events ! fvpublish to=%s format=mot", other);
    GstHarness *h = gst_harness_new_parse(launch);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=32,height=16,framerate=25/1");
    run(h, 20);
    gst_harness_teardown(h);
    g_unsetenv("XDG_STATE_HOME");
    char command[3000], output[4000];
    snprintf(command, sizeof command, "ls %s/fovea/spool | sed 's/-[0-9a-f]*$//'; grep -aoh '\"type\":\"[a-z]*\"' -r %s/fovea/spool | sort | uniq -c",
             state, state);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_CONTAINS(output, "20 \"type\":\"frame\"");
    CHECK_CONTAINS(output, "2 \"type\":\"event\"");
    CHECK_EQUAL(count(output, "fvpublish"), 2);
    char *text = fv_test_read(other);
    CHECK_EQUAL(count(text, "\n"), 20);
    free(text);
}

static void wrong_folder_fails_at_start(void) {
    GstElement *e = gst_element_factory_make("fvpublish", NULL);
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(e, bus);
    g_object_set(e, "to", "/nowhere/o.jsonl", NULL);
    CHECK_EQUAL(gst_element_set_state(e, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    CHECK(m != NULL);
    if (m) {
        gst_message_parse_error(m, &error, NULL);
        CHECK_TEXT(error->message,
                   "/nowhere/o.jsonl: cannot be written: No such file or directory");
        g_error_free(error);
        gst_message_unref(m);
    }
    gst_element_set_state(e, GST_STATE_NULL);
    gst_element_set_bus(e, NULL);
    gst_object_unref(bus);
    gst_object_unref(e);
}

// No room in the middle of a line: the file ends on a whole line, the video goes on, and nothing is lost
// once there is room again.
static void a_full_disk(void) {
    struct rlimit old, small;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    GstHarness *h = harness("");
    small = (struct rlimit){1000, old.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    run(h, 20);
    setrlimit(RLIMIT_FSIZE, &old);
    char *text = fv_test_read(path);
    size_t n = strlen(text);
    CHECK(n == 0 || text[n - 1] == '\n');
    free(text);
    CHECK_EQUAL(stat_of(h, "errors"), 1);
    CHECK_EQUAL(stat_of(h, "frames"), 20);
    gst_harness_teardown(h); // writes what waited
    check_schema(21);
}

const fv_suite publish_suite = {"publish", (const fv_case[]){CASE(frames_and_events_in_order),
                                                             CASE(the_frame_rate_is_told),
                                                             CASE(what_and_append),
                                                             CASE(seeks_and_goes_on),
                                                             CASE(two_in_one_pipeline),
                                                             CASE(wrong_folder_fails_at_start),
                                                             CASE(a_full_disk),
                                                             {0}}};
