// Lines as a user types them, with real models and footage (skipped where ../shared is not there).
#include <gst/gst.h>
#include <gst/video/video.h>
#include <math.h>

#include "plugins/common/meta.h"
#include "tests/test.h"

typedef struct {
    int frames;
    fv_objects objects; // of the last frame
    fv_object v[64];
    fv_labels labels;
    char error[1024];
    GstStructure *stats;
} outcome;

static void on_frame(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer user) {
    (void)sink, (void)pad;
    outcome *o = user;
    fv_frame_meta *m = fv_meta_get(b);
    o->frames++;
    o->objects = (fv_objects){.capacity = 64, .v = o->v};
    if (m) {
        fv_meta_get_objects(b, m, &o->objects);
        o->labels = m->labels ? m->labels->labels : (fv_labels){0};
    }
}

static void keep_stats(outcome *o, GstMessage *m) {
    const GstStructure *s = gst_message_get_structure(m);
    if (gst_structure_has_name(s, "fvdetect-stats")) {
        g_clear_pointer(&o->stats, gst_structure_free);
        o->stats = gst_structure_copy(s);
    }
}

static bool run(outcome *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool run(outcome *o, const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *line = g_strdup_vprintf(format, args);
    va_end(args);
    memset(o, 0, sizeof *o);
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error),
               *sink = gst_bin_get_by_name(GST_BIN(pipeline), "v");
    if (error)
        fprintf(stderr, "%s: %s\n", line, error->message);
    g_clear_error(&error);
    g_free(line);
    g_object_set(sink, "signal-handoffs", TRUE, NULL);
    g_signal_connect(sink, "handoff", G_CALLBACK(on_frame), o);
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    GstMessage *m;
    bool end = false;
    while (
        !end && !o->error[0] &&
        (m = gst_bus_timed_pop_filtered(
             bus, 100 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT))) {
        end = GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS;
        if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ELEMENT)
            keep_stats(o, m);
        if (GST_MESSAGE_TYPE(m) == GST_MESSAGE_ERROR) {
            gst_message_parse_error(m, &error, NULL);
            g_strlcpy(o->error, error->message, sizeof o->error);
            g_clear_error(&error);
        }
        gst_message_unref(m);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(bus);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    return end;
}

static const char *interned(const char *path) {
    return path ? g_intern_string(path) : NULL;
}

static const fv_object *best(const outcome *o, int label) {
    for (int i = 0; i < o->objects.n; i++)
        if (o->objects.v[i].label == label)
            return &o->objects.v[i];
    return NULL;
}

enum { PERSON = 0, BUS = 5 };

// The same picture in every format and an odd size: the same bus.
static void every_format_shows_the_same_bus(void) {
    static const char *const formats[] = {"I420", "NV12", "RGB",  "RGBA",
                                          "RGBx", "BGR",  "BGRA", "BGRx"};
    const char *model = interned(fv_test_shared("models/FastestDet.onnx")),
               *picture = interned(fv_test_shared("images/bus.jpg"));
    fv_box first = {0};
    for (size_t i = 0; model && picture && i < G_N_ELEMENTS(formats); i++) {
        outcome o;
        CHECK(run(&o,
                  "fvsrc uri=%s ! videoconvertscale ! video/x-raw,format=%s,width=405,height=541 ! "
                  "fvdetect model=%s ! fakesink name=v",
                  picture, formats[i], model));
        const fv_object *bus = best(&o, BUS);
        CHECK(bus != NULL);
        if (bus && i == 0)
            first = bus->box;
        if (bus)
            CHECK(fv_box_iou(first, bus->box) > 0.9f);
        g_clear_pointer(&o.stats, gst_structure_free);
    }
}

static void boxes_follow_the_picture_when_it_is_scaled(void) {
    const char *model = interned(fv_test_shared("models/FastestDet.onnx")),
               *picture = interned(fv_test_shared("images/bus.jpg"));
    if (!model || !picture)
        return;
    outcome whole, half;
    CHECK(run(&whole, "fvsrc uri=%s ! fvdetect model=%s ! fakesink name=v", picture, model));
    CHECK(
        run(&half,
            "fvsrc uri=%s ! fvdetect model=%s ! videoscale ! "
            "video/x-raw,width=405,height=540,pixel-aspect-ratio=1/1 ! fvoverlay ! fakesink name=v",
            picture, model));
    CHECK(whole.objects.n > 0);
    CHECK_EQUAL(whole.objects.n, half.objects.n);
    for (int i = 0; i < whole.objects.n && i < half.objects.n; i++)
        CHECK_NEAR(half.v[i].box.x, whole.v[i].box.x / 2, 0.01);
    g_clear_pointer(&whole.stats, gst_structure_free);
    g_clear_pointer(&half.stats, gst_structure_free);
}

static uint64_t stat(const outcome *o, const char *name) {
    guint64 v = 0;
    CHECK(o->stats && gst_structure_get_uint64(o->stats, name, &v));
    return v;
}

static void the_whole_chain_on_a_clip(void) {
    const char *model = interned(fv_test_shared("models/FastestDet.onnx")),
               *clip = interned(fv_test_shared("video/canersu_highway.mp4"));
    if (!model || !clip)
        return;
    outcome o;
    CHECK(run(&o,
              "filesrc location=%s ! decodebin ! identity eos-after=31 ! fvdetect model=%s every=3 "
              "threshold=0.3 ! fvtrack ! fvoverlay trails=true ! "
              "videoconvert ! fakesink name=v",
              clip, model));
    CHECK(o.frames >= 30); // decodebin's threads hand on a few more after the end was asked for
    CHECK_EQUAL(stat(&o, "decoded"), o.frames);
    CHECK_EQUAL(stat(&o, "inferred"), (o.frames + 2) / 3);
    CHECK_EQUAL(stat(&o, "skipped"), o.frames - (o.frames + 2) / 3);
    int with_id = 0;
    for (int i = 0; i < o.objects.n; i++)
        with_id += o.v[i].id > 0;
    CHECK(with_id > 0);
    g_clear_pointer(&o.stats, gst_structure_free);
}

static void bad_models_are_one_line(void) {
    outcome o;
    CHECK(!run(&o,
               "videotestsrc num-buffers=3 ! fvdetect model=/nonexistent.onnx ! fakesink name=v"));
    CHECK_CONTAINS(o.error, "/nonexistent.onnx");
    CHECK(!strchr(o.error, '\n'));
    CHECK(!run(&o, "videotestsrc num-buffers=3 ! fvdetect model=%s ! fakesink name=v",
               fv_test_source("LICENSE")));
    CHECK_CONTAINS(o.error, "LICENSE");
}

const fv_suite pipeline_suite = {"pipeline", (const fv_case[]){
    CASE(every_format_shows_the_same_bus), CASE(boxes_follow_the_picture_when_it_is_scaled),
    CASE(the_whole_chain_on_a_clip), CASE(bad_models_are_one_line), {0}}};
