// plugins/common/element.c through two elements made for the test: one in place, one with frames in
// flight.
#include "plugins/common/element.h"

#include <gst/check/gstharness.h>

#include "plugins/common/frame.h"
#include "tests/test.h"

typedef struct {
    int level, mode;
    float ratio;
    bool on;
    const char *text;
    int64_t wait_ns;
} probe_params;

static const char *const modes[] = {"soft", "hard", NULL};
static const fv_option probe_options[] = {
    FV_OPTION_INT(probe_params, level, "level", 0, 255, 200, "value that is painted"),
    FV_OPTION_ENUM(probe_params, mode, "mode", modes, 1, "how"),
    FV_OPTION_FLOAT(probe_params, ratio, "ratio", 0, 1, 0.5, "how much"),
    FV_OPTION_BOOL(probe_params, on, "on", true, "whether"),
    FV_OPTION_STRING(probe_params, text, "text", "hello", "what"),
    FV_OPTION_TIME(probe_params, wait_ns, "wait", 0, 1e12, 2e9, "how long"),
    {0},
};

typedef struct {
    GQueue queue;
    int flushed;
} probe_state;

static bool paint(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)record;
    const probe_params *p = e->params;
    fv_mapped m;
    if (p->level == 13)
        return fv_fail(err, FV_BAD_INPUT, "level 13 is unlucky, take another");
    if (!fv_frame_map(&m, &e->info, buffer, GST_MAP_READWRITE, err))
        return false;
    const fv_pixels_row *row = &fv_pixels_rows[m.frame.format];
    for (int y = 0; y < m.frame.height; y++)
        memset(m.frame.plane[0] + y * m.frame.stride[0], p->level,
               (size_t)(m.frame.width * row->plane[0].pixel_bytes));
    fv_frame_unmap(&m);
    return true;
}

static bool keep_params(fv_element *e, fv_err *err) {
    (void)e, (void)err;
    return true;
}

static const fv_element_row paint_row = {
    .name = "fvtestpaint",
    .type_name = "FvTestPaint",
    .long_name = "paint",
    .klass = "Filter/Video",
    .description = "test",
    .options = {{probe_options, 0}},
    .params_size = sizeof(probe_params),
    .frame = paint,
    .changed = keep_params,
};

static bool hold_push(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)record, (void)err;
    g_queue_push_tail(&((probe_state *)e->state)->queue, buffer);
    return true;
}

static GstBuffer *hold_pull(fv_element *e, fv_err *err) {
    (void)err;
    return g_queue_pop_head(&((probe_state *)e->state)->queue);
}

static int hold_pending(fv_element *e) {
    return (int)((probe_state *)e->state)->queue.length;
}

static int hold_depth(fv_element *e) {
    (void)e;
    return 3;
}

static void hold_flush(fv_element *e) {
    probe_state *s = e->state;
    s->flushed += (int)s->queue.length;
    g_queue_clear_full(&s->queue, (GDestroyNotify)gst_buffer_unref);
}

static void hold_stop(fv_element *e) {
    g_queue_clear_full(&((probe_state *)e->state)->queue, (GDestroyNotify)gst_buffer_unref);
}

static GstStructure *hold_stats(fv_element *e) {
    return gst_structure_new("stats", "flushed", G_TYPE_INT, ((probe_state *)e->state)->flushed,
                             NULL);
}

static const fv_element_row hold_row = {
    .name = "fvtesthold",
    .type_name = "FvTestHold",
    .long_name = "hold",
    .klass = "Filter/Video",
    .description = "test",
    .state_size = sizeof(probe_state),
    .push = hold_push,
    .pull = hold_pull,
    .pending = hold_pending,
    .depth = hold_depth,
    .flush = hold_flush,
    .stop = hold_stop,
    .stats = hold_stats,
};

static void add_elements(void) {
    static bool done;
    if (!done)
        done = fv_element_register(NULL, &paint_row) && fv_element_register(NULL, &hold_row);
}

static GstHarness *harness(const char *name, const char *caps) {
    add_elements();
    GstHarness *h = gst_harness_new(name);
    gst_harness_set_src_caps_str(h, caps);
    return h;
}

static GstBuffer *frame_of(const GstVideoInfo *info, GstClockTime pts) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, info->size, NULL);
    gst_buffer_memset(b, 0, 50, SIZE_MAX);
    GST_BUFFER_PTS(b) = pts;
    GST_BUFFER_DURATION(b) = GST_SECOND / 30;
    return b;
}

static void rows_become_properties(void) {
    add_elements();
    GstElement *e = gst_element_factory_make("fvtestpaint", NULL);
    gint level, mode;
    gfloat ratio;
    gboolean on;
    gchar *text;
    guint64 wait;
    gst_util_set_object_arg(G_OBJECT(e), "mode", "soft");
    gst_util_set_object_arg(G_OBJECT(e), "wait", "1500000000");
    g_object_set(e, "text", "bye", NULL);
    g_object_get(e, "level", &level, "mode", &mode, "ratio", &ratio, "on", &on, "text", &text,
                 "wait", &wait, NULL);
    CHECK_EQUAL(level, 200);
    CHECK_EQUAL(mode, 0);
    CHECK_NEAR(ratio, 0.5, 0);
    CHECK(on);
    CHECK_TEXT(text, "bye");
    CHECK_EQUAL(wait, 1500000000);
    g_free(text);
    gst_object_unref(e);
}

static void every_format_and_odd_size_is_painted(void) {
    static const char *const formats[] = {"I420", "NV12", "RGB",  "RGBA", "RGBx",
                                          "BGR",  "BGRA", "BGRx", "GRAY8"};
    static const int sizes[][2] = {{1, 1}, {33, 17}, {64, 48}};
    for (size_t i = 0; i < G_N_ELEMENTS(formats) * G_N_ELEMENTS(sizes); i++) {
        const int *size = sizes[i % G_N_ELEMENTS(sizes)];
        char *text = g_strdup_printf("video/x-raw,format=%s,width=%d,height=%d,framerate=30/1",
                                     formats[i / G_N_ELEMENTS(sizes)], size[0], size[1]);
        GstHarness *h = harness("fvtestpaint", text);
        GstCaps *caps = gst_caps_from_string(text);
        GstVideoInfo info;
        gst_video_info_from_caps(&info, caps);
        GstBuffer *b = gst_harness_push_and_pull(h, frame_of(&info, 0));
        guint8 first = 0;
        gst_buffer_extract(b, 0, &first, 1);
        CHECK_EQUAL(first, 200);
        gst_buffer_unref(b);
        gst_caps_unref(caps);
        g_free(text);
        gst_harness_teardown(h);
    }
}

static const char *const small = "video/x-raw,format=GRAY8,width=8,height=4,framerate=30/1";

// Memory that others read (a decoder's reference picture) stays as it is.
static void read_only_memory_is_copied_first(void) {
    GstHarness *h = harness("fvtestpaint", small);
    static guint8 pixels[32];
    GstBuffer *b = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, pixels, sizeof pixels, 0,
                                               sizeof pixels, NULL, NULL);
    b = gst_harness_push_and_pull(h, b);
    guint8 first = 0;
    gst_buffer_extract(b, 0, &first, 1);
    CHECK_EQUAL(first, 200);
    CHECK_EQUAL(pixels[0], 0);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void strides_and_crop_are_respected(void) {
    GstHarness *h = harness("fvtestpaint", small);
    GstBuffer *b = gst_buffer_new_allocate(NULL, 20 * 6, NULL);
    gst_buffer_memset(b, 0, 50, SIZE_MAX);
    gst_buffer_add_video_meta_full(b, 0, GST_VIDEO_FORMAT_GRAY8, 16, 6, 1, (gsize[4]){0},
                                   (gint[4]){20});
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta(b);
    crop->x = 3, crop->y = 1, crop->width = 8, crop->height = 4;
    b = gst_harness_push_and_pull(h, b);
    guint8 v[120];
    gst_buffer_extract(b, 0, v, sizeof v);
    CHECK_EQUAL(v[20 + 2], 50);
    CHECK_EQUAL(v[20 + 3], 200);
    CHECK_EQUAL(v[4 * 20 + 10], 200);
    CHECK_EQUAL(v[4 * 20 + 11], 50);
    CHECK_EQUAL(v[5 * 20 + 3], 50);
    CHECK_EQUAL(fv_meta_get(b)->width, 8);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void frames_are_numbered_and_named(void) {
    GstHarness *h = harness("fvtestpaint", small);
    g_object_set(h->element, "stream", "gate", NULL);
    for (uint64_t i = 0; i < 3; i++) {
        GstBuffer *b = gst_harness_push_and_pull(h, gst_buffer_new_allocate(NULL, 32, NULL));
        CHECK_EQUAL(fv_meta_get(b)->frame, i);
        CHECK_TEXT(fv_meta_get(b)->stream, "gate");
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void the_cameras_clock_is_kept(void) {
    GstHarness *h = harness("fvtestpaint", small);
    GstBuffer *b = gst_buffer_new_allocate(NULL, 32, NULL);
    GstCaps *ntp = gst_caps_from_string("timestamp/x-ntp");
    gst_buffer_add_reference_timestamp_meta(b, ntp, (2208988800u + 1700000000ull) * GST_SECOND,
                                            GST_CLOCK_TIME_NONE);
    gst_caps_unref(ntp);
    b = gst_harness_push_and_pull(h, b);
    CHECK_EQUAL(fv_meta_get(b)->utc_ns, 1700000000 * (int64_t)GST_SECOND);
    CHECK_EQUAL(fv_meta_get(b)->utc_source, FV_UTC_RTCP);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

static void an_error_is_one_line_and_stops_the_stream(void) {
    GstHarness *h = harness("fvtestpaint", small);
    GstBus *bus = gst_bus_new();
    gst_element_set_bus(h->element, bus);
    g_object_set(h->element, "level", 13, NULL);
    CHECK_EQUAL(gst_harness_push(h, gst_buffer_new_allocate(NULL, 32, NULL)), GST_FLOW_ERROR);
    GstMessage *m = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    GError *error = NULL;
    gst_message_parse_error(m, &error, NULL);
    CHECK_TEXT(error->message, "level 13 is unlucky, take another");
    g_error_free(error);
    gst_message_unref(m);
    gst_element_set_bus(h->element, NULL);
    gst_object_unref(bus);
    gst_harness_teardown(h);
}

static void push_frames(GstHarness *h, int n) {
    GstVideoInfo info;
    GstCaps *caps = gst_caps_from_string(small);
    gst_video_info_from_caps(&info, caps);
    gst_caps_unref(caps);
    for (int i = 0; i < n; i++)
        CHECK_EQUAL(gst_harness_push(h, frame_of(&info, (GstClockTime)i * GST_SECOND / 30)),
                    GST_FLOW_OK);
}

static void frames_in_flight_come_out_in_order_and_drain(void) {
    GstHarness *h = harness("fvtesthold", small);
    push_frames(h, 5);
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 3);
    gst_harness_push_event(h, gst_event_new_eos());
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 5);
    for (uint64_t i = 0; i < 5; i++) {
        GstBuffer *b = gst_harness_pull(h);
        CHECK_EQUAL(fv_meta_get(b)->frame, i);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void new_caps_drain_first(void) {
    GstHarness *h = harness("fvtesthold", small);
    push_frames(h, 3);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=16,height=4,framerate=30/1");
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 3);
    gst_harness_teardown(h);
}

static void a_flush_forgets_and_counts(void) {
    GstHarness *h = harness("fvtesthold", small);
    push_frames(h, 2);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    GstStructure *stats = NULL;
    int flushed = 0;
    g_object_get(h->element, "stats", &stats, NULL);
    CHECK(gst_structure_get_int(stats, "flushed", &flushed));
    CHECK_EQUAL(flushed, 2);
    CHECK_EQUAL(gst_harness_buffers_in_queue(h), 0);
    gst_structure_free(stats);
    gst_harness_teardown(h);
}

static void latency_of_held_frames_is_reported(void) {
    GstHarness *h = harness("fvtesthold", small);
    gst_harness_set_upstream_latency(h, 40 * GST_MSECOND);
    push_frames(h, 1);
    CHECK_EQUAL(gst_harness_query_latency(h) / 1000,
                (40 * GST_MSECOND + 2 * (GST_SECOND / 30)) / 1000);
    gst_harness_teardown(h);
}

static void states_go_up_and_down_with_frames_inside(void) {
    for (int i = 0; i < 3; i++) {
        GstHarness *h = harness("fvtesthold", small);
        push_frames(h, 2);
        CHECK_EQUAL(gst_element_set_state(h->element, GST_STATE_READY), GST_STATE_CHANGE_SUCCESS);
        CHECK_EQUAL(gst_element_set_state(h->element, GST_STATE_PAUSED), GST_STATE_CHANGE_SUCCESS);
        gst_harness_teardown(h);
    }
}

const fv_suite element_suite = {
    "element", (const fv_case[]){CASE(rows_become_properties),
                                 CASE(every_format_and_odd_size_is_painted),
                                 CASE(read_only_memory_is_copied_first),
                                 CASE(strides_and_crop_are_respected),
                                 CASE(frames_are_numbered_and_named),
                                 CASE(the_cameras_clock_is_kept),
                                 CASE(an_error_is_one_line_and_stops_the_stream),
                                 CASE(frames_in_flight_come_out_in_order_and_drain),
                                 CASE(new_caps_drain_first),
                                 CASE(a_flush_forgets_and_counts),
                                 CASE(latency_of_held_frames_is_reported),
                                 CASE(states_go_up_and_down_with_frames_inside),
                                 {0}}};
