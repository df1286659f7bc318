// fvsrc: pictures that the decoder still reads, and files that end too early.
#include <gst/video/video.h>
#include <stdlib.h>

#include "tests/test.h"

enum { FRAMES = 50 };

// A clip of 50 pictures, two seconds, by these options of ffmpeg.
static void make_clip(char *path, size_t size, const char *name, const char *options) {
    char command[3000], said[2000];
    snprintf(path, size, "%s/%s", fv_test_tmp("fvsrc-decoder"), name);
    snprintf(command, sizeof command,
             "ffmpeg -v error -y -f lavfi -i testsrc=size=168x98:rate=25:duration=2 %s %s", options, path);
    CHECK_EQUAL(fv_test_shell(command, said, sizeof said), 0);
}

// ---- pictures -----------------------------------------------------------------------------------

typedef struct {
    bool draws;
    int n, locked; // pictures; those whose memory nobody may write to
    guint32 sum[FRAMES];
} viewer;

static guint8 *row_of(const GstVideoFrame *f, guint plane, int y) {
    return (guint8 *)GST_VIDEO_FRAME_PLANE_DATA(f, plane) + y * GST_VIDEO_FRAME_PLANE_STRIDE(f, plane);
}

static guint32 checksum(const GstVideoFrame *f) {
    guint32 sum = 1;
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(f); p++)
        for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT(f, p); y++)
            for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH(f, p); x++)
                sum = sum * 31 + row_of(f, p, y)[x];
    return sum;
}

static GstPadProbeReturn look(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
    viewer *v = user;
    GstVideoInfo video;
    GstVideoFrame frame;
    GstCaps *caps = gst_pad_get_current_caps(pad);
    GstBuffer *b = gst_buffer_make_writable(GST_PAD_PROBE_INFO_BUFFER(info));
    GST_PAD_PROBE_INFO_DATA(info) = b;
    CHECK(gst_video_info_from_caps(&video, caps) && v->n < FRAMES);
    v->locked += GST_MEMORY_IS_READONLY(gst_buffer_peek_memory(b, 0));
    CHECK(gst_video_frame_map(&frame, &video, b, v->draws ? GST_MAP_READWRITE : GST_MAP_READ));
    v->sum[v->n++] = checksum(&frame);
    for (int y = 0; v->draws && y < GST_VIDEO_FRAME_HEIGHT(&frame); y++)
        memset(row_of(&frame, 0, y), 255, (size_t)GST_VIDEO_FRAME_WIDTH(&frame));
    gst_video_frame_unmap(&frame);
    gst_caps_unref(caps);
    return GST_PAD_PROBE_OK;
}

// Through an element that reads strides, so that pictures come in the decoder's own memory. Returns what was warned of.
static const char *play(const char *path, viewer *v) {
    static char warning[1000];
    char line[1500];
    snprintf(line, sizeof line, "fvsrc uri=%s ! videoconvert name=c ! video/x-raw,format=RGB ! fakesink", path);
    GstElement *pipeline = gst_parse_launch(line, NULL), *c = gst_bin_get_by_name(GST_BIN(pipeline), "c");
    GstPad *pad = gst_element_get_static_pad(c, "sink");
    GstBus *bus = gst_element_get_bus(pipeline);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, look, v, NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    warning[0] = 0;
    for (bool over = false; !over;) {
        GstMessage *m = gst_bus_timed_pop_filtered(bus, 20 * GST_SECOND,
                                                   GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
        GError *error = NULL;
        over = !m || GST_MESSAGE_TYPE(m) != GST_MESSAGE_WARNING;
        CHECK(!over || (m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS));
        if (!over)
            gst_message_parse_warning(m, &error, NULL);
        if (error)
            snprintf(warning, sizeof warning, "%s", error->message);
        g_clear_error(&error);
        g_clear_pointer(&m, gst_message_unref);
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pad);
    gst_object_unref(c);
    gst_object_unref(bus);
    gst_object_unref(pipeline);
    return warning;
}

// What the decoder predicts others from is locked: who draws gets a copy. A converted picture is its reader's own.
static void who_draws_spoils_no_other_picture(void) {
    static const struct {
        const char *name, *options;
        bool predicts;
    } rows[] = {{"predicted.mp4", "-c:v libx264 -bf 2 -g 12 -pix_fmt yuv420p", true},
                {"converted.mp4", "-c:v libx264 -bf 2 -g 12 -pix_fmt yuv422p", false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[1200];
        viewer before = {0}, after = {.draws = true};
        make_clip(path, sizeof path, rows[i].name, rows[i].options);
        CHECK_TEXT(play(path, &before), "");
        play(path, &after);
        CHECK(before.n == FRAMES && after.n == FRAMES);
        CHECK(!memcmp(before.sum, after.sum, sizeof before.sum));
        CHECK_EQUAL(after.locked > 0, rows[i].predicts);
    }
}

// ---- ends ---------------------------------------------------------------------------------------

// Cut off in front of picture `n`, each of which stands for itself.
static const char *play_first(const char *whole, int n) {
    char path[1300], command[4000], said[2000];
    viewer v = {0};
    snprintf(path, sizeof path, "%s.%d.mp4", whole, n);
    snprintf(command, sizeof command,
             "head -c $(ffprobe -v error -select_streams v -show_entries packet=pos -of csv=p=0 %s | "
             "sed -n %dp) %s > %s",
             whole, n + 1, whole, path);
    CHECK_EQUAL(fv_test_shell(command, said, sizeof said), 0);
    const char *warning = play(path, &v);
    CHECK_EQUAL(v.n, n);
    return warning;
}

// Half a second that is missing is worth a warning.
static void a_file_that_ends_early_is_told_of(void) {
    char path[1200];
    make_clip(path, sizeof path, "whole.mp4", "-c:v libx264 -g 1 -pix_fmt yuv420p -movflags +faststart");
    CHECK(!strstr(play_first(path, 38), "is cut short")); // 0.48 s
    CHECK_CONTAINS(play_first(path, 37), "ends at 1.48 s, but says it is 2.00 s long: the file is cut short");
}

const fv_suite fvsrc_decoder_suite = {"fvsrc-decoder", (const fv_case[]){CASE(who_draws_spoils_no_other_picture),
                                                                         CASE(a_file_that_ends_early_is_told_of), {0}}};
