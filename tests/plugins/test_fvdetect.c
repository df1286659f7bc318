// fvdetect over a detector made for the test (fake_detector.c): which frames are computed, their
// order, the ledger.
#include <gst/check/gstharness.h>
#include <gst/check/gsttestclock.h>

#include "plugins/common/meta.h"
#include "plugins/elements.h"
#include "tests/test.h"

static const char *const caps = "video/x-raw,format=GRAY8,width=64,height=32,framerate=10/1";

static GstHarness *harness(const char *line) {
    static bool done;
    if (!done)
        done = fv_element_register(NULL, &fv_detect_element);
    GstHarness *h = gst_harness_new_parse(line);
    gst_harness_set_src_caps_str(h, caps);
    return h;
}

static GstBuffer *frame(int i, uint8_t value) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, 64 * 32, NULL);
    gst_buffer_memset(b, 0, value, SIZE_MAX);
    GST_BUFFER_PTS(b) = (GstClockTime)i * GST_SECOND / 10;
    GST_BUFFER_DURATION(b) = GST_SECOND / 10;
    return b;
}

static void push(GstHarness *h, int from, int n) {
    for (int i = from; i < from + n; i++)
        CHECK_EQUAL(gst_harness_push(h, frame(i, (uint8_t)i)), GST_FLOW_OK);
}

static uint64_t stat(GstHarness *h, const char *name) {
    GstElement *e = gst_harness_find_element(h, "fvdetect");
    GstStructure *s = NULL;
    guint64 v = 0;
    g_object_get(e, "stats", &s, NULL);
    CHECK(gst_structure_get_uint64(s, name, &v));
    gst_structure_free(s);
    gst_object_unref(e);
    return v;
}

static bool balances(GstHarness *h) {
    uint64_t sum = stat(h, "inferred") + stat(h, "predicted") + stat(h, "skipped");
    for (int i = 0; i < FV_N_DROPS; i++) {
        char name[64];
        snprintf(name, sizeof name, "dropped-%s", fv_drop_names[i]);
        sum += stat(h, name);
    }
    return sum == stat(h, "decoded");
}

static void objects_are_those_of_their_frame(void) {
    GstHarness *h = harness("fvdetect slots=3");
    push(h, 0, 8);
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 6); // two are in flight
    gst_harness_push_event(h, gst_event_new_eos());
    for (int i = 0; i < 8; i++) {
        GstBuffer *b = gst_harness_pull(h);
        const fv_frame_meta *m = fv_meta_get(b);
        CHECK_EQUAL(GST_BUFFER_PTS(b), (GstClockTime)i * GST_SECOND / 10);
        CHECK_EQUAL(m->inference, FV_INFERRED);
        CHECK_EQUAL(m->n_objects, 1);
        CHECK_NEAR(m->objects[0].score, i / 255.0, 1e-6);
        CHECK_TEXT(fv_label_get(&m->labels->labels, 1), "person");
        CHECK_EQUAL(gst_buffer_get_n_meta(b, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE), 1);
        gst_buffer_unref(b);
    }
    CHECK_EQUAL(stat(h, "inferred"), 8);
    CHECK(balances(h));
    gst_harness_teardown(h);
}

static void every_third_frame_is_computed(void) {
    GstHarness *h = harness("fvdetect every=3");
    push(h, 0, 7);
    gst_harness_push_event(h, gst_event_new_eos());
    for (int i = 0; i < 7; i++) {
        GstBuffer *b = gst_harness_pull(h);
        CHECK_EQUAL(fv_meta_get(b)->inference, i % 3 ? FV_SKIPPED : FV_INFERRED);
        CHECK_EQUAL(fv_meta_get(b)->n_objects, i % 3 ? 0 : 1);
        gst_buffer_unref(b);
    }
    CHECK_EQUAL(stat(h, "inferred"), 3);
    CHECK_EQUAL(stat(h, "skipped"), 4);
    CHECK(balances(h));
    gst_harness_teardown(h);
}

static void a_flush_is_booked(void) {
    GstHarness *h = harness("fvdetect slots=4");
    push(h, 0, 5);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    CHECK_EQUAL(stat(h, "dropped-flush"), 3);
    push(h, 0, 4);
    gst_harness_push_event(h, gst_event_new_eos());
    CHECK_EQUAL(stat(h, "inferred"), 6);
    CHECK(balances(h));
    gst_harness_teardown(h);
}

// Neither the frames since the last that was computed nor what the sink said before a seek count behind it.
static void the_first_frame_behind_a_seek_is_computed(void) {
    GstHarness *h = harness("fvdetect slots=1 every=3");
    push(h, 5, 2);
    gst_harness_push_upstream_event(
        h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 150 * GST_MSECOND, 900 * GST_MSECOND));
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    push(h, 0, 1);
    CHECK_EQUAL(stat(h, "inferred"), 2);
    gst_harness_teardown(h);
}

static void a_new_size_drains_and_goes_on(void) {
    GstHarness *h = harness("fvdetect slots=4");
    push(h, 0, 3);
    gst_harness_set_src_caps_str(
        h, "video/x-raw,format=GRAY8,width=32,height=64,framerate=10/1,pixel-aspect-ratio=2/1");
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 3);
    push(h, 3, 1);
    gst_harness_push_event(h, gst_event_new_eos());
    GstBuffer *b = NULL;
    for (int i = 0; i < 4; i++) {
        gst_clear_buffer(&b);
        b = gst_harness_pull(h);
    }
    CHECK_EQUAL(fv_meta_get(b)->width, 32);
    CHECK_NEAR(fv_meta_get(b)->objects[0].box.h, 64, 0);
    CHECK_EQUAL(fv_meta_get(b)->objects[0].age, 200); // the pixel aspect ratio got through
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void a_region_is_looked_at_alone(void) {
    GstHarness *h = harness("fvdetect slots=1 roi=0.5,0.25,0.25,0.5");
    GstBuffer *b = gst_harness_push_and_pull(h, frame(0, 1));
    const fv_object *o = &fv_meta_get(b)->objects[0];
    CHECK_NEAR(o->box.x, 32, 0);
    CHECK_NEAR(o->box.y, 8, 0);
    CHECK_NEAR(o->box.w, 16, 0);
    CHECK_NEAR(o->box.h, 16, 0);
    CHECK_NEAR(o->keypoint[0][0], 32 + 3, 0);
    CHECK_NEAR(o->keypoint[0][1], 8 + 4, 0);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void a_region_in_pixels(void) {
    GstHarness *h = harness("fvdetect slots=1 roi=8,4,16,10");
    GstBuffer *b = gst_harness_push_and_pull(h, frame(0, 1));
    const fv_box box = fv_meta_get(b)->objects[0].box;
    CHECK(box.x == 8 && box.y == 4 && box.w == 16 && box.h == 10);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void latency_is_that_of_the_slots(void) {
    GstHarness *h = harness("fvdetect slots=3");
    gst_harness_set_upstream_latency(h, 50 * GST_MSECOND);
    push(h, 0, 1);
    CHECK_EQUAL(gst_harness_query_latency(h), 250 * GST_MSECOND);
    gst_harness_teardown(h);
}

// The harness is live and its clock a test's: half a second behind is late.
static void a_late_frame_is_skipped_or_dropped(void) {
    static const char *const lines[] = {"fvdetect slots=1", "fvdetect slots=1 late=drop",
                                        "fvdetect slots=1 late=keep"};
    static const uint64_t expected[][4] = {{1, 1, 0, 1}, {1, 0, 1, 1}, {2, 0, 0, 0}};
    for (int i = 0; i < 3; i++) {
        GstHarness *h = harness(lines[i]);
        gst_harness_use_testclock(h);
        gst_harness_play(h);
        push(h, 0, 1);
        gst_harness_set_time(h, 600 * GST_MSECOND);
        push(h, 1, 1);
        CHECK_EQUAL(stat(h, "inferred"), expected[i][0]);
        CHECK_EQUAL(stat(h, "skipped"), expected[i][1]);
        CHECK_EQUAL(stat(h, "dropped-qos"), expected[i][2]);
        CHECK_EQUAL(stat(h, "late"), expected[i][3]);
        CHECK_EQUAL(gst_harness_buffers_received(h), expected[i][0] + expected[i][1]);
        CHECK(balances(h));
        gst_harness_teardown(h);
    }
}

static void a_sink_that_lags_is_heard(void) {
    GstHarness *h = harness("fvdetect slots=1");
    push(h, 0, 1);
    gst_harness_push_upstream_event(
        h, gst_event_new_qos(GST_QOS_TYPE_UNDERFLOW, 2.0, 150 * GST_MSECOND, 100 * GST_MSECOND));
    push(h, 1, 5);
    CHECK_EQUAL(stat(h, "skipped"), 3); // those before 0.1 + 2 * 0.15 s
    gst_harness_teardown(h);
}

static void faults_are_one_line(const char *line, const char *text) {
    GstElement *e = gst_parse_launch(line, NULL);
    GstBus *bus = gst_element_get_bus(e);
    gst_element_set_state(e, GST_STATE_PLAYING);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND,
                                               GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
    GError *error = NULL;
    CHECK(m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR);
    if (m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR) {
        gst_message_parse_error(m, &error, NULL);
        CHECK_TEXT(error->message, text);
        g_error_free(error);
    }
    if (m)
        gst_message_unref(m);
    gst_element_set_state(e, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(e);
}

static void faults_are_told(void) {
    gst_harness_teardown(harness("fvdetect"));
    faults_are_one_line("videotestsrc num-buffers=5 ! fvdetect model=missing.onnx ! fakesink",
                        "missing.onnx: no such file; check the path");
    faults_are_one_line("videotestsrc num-buffers=5 ! fvdetect model=broken.onnx ! fakesink",
                        "the device is lost; restart");
    faults_are_one_line("videotestsrc num-buffers=5 ! fvdetect roi=1,2,x ! fakesink",
                        "fvdetect roi=1,2,x: give x,y,width,height, for example 0,0.5,1,0.5");
}

static void stopping_with_frames_inside_is_fine(void) {
    for (int i = 0; i < 3; i++) {
        GstHarness *h = harness("fvdetect slots=4");
        push(h, 0, 3);
        gst_harness_teardown(h);
    }
}

const fv_suite fvdetect_suite = {"fvdetect",
                                 (const fv_case[]){CASE(objects_are_those_of_their_frame),
                                                   CASE(every_third_frame_is_computed),
                                                   CASE(a_flush_is_booked),
                                                   CASE(the_first_frame_behind_a_seek_is_computed),
                                                   CASE(a_new_size_drains_and_goes_on),
                                                   CASE(a_region_is_looked_at_alone),
                                                   CASE(a_region_in_pixels),
                                                   CASE(latency_is_that_of_the_slots),
                                                   CASE(a_late_frame_is_skipped_or_dropped),
                                                   CASE(a_sink_that_lags_is_heard),
                                                   CASE(faults_are_told),
                                                   CASE(stopping_with_frames_inside_is_fine),
                                                   {0}}};

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return fv_test_main(argc, argv, (const fv_suite *[]){&fvdetect_suite, NULL});
}
