// fvsrc on clips that libav itself makes (lavfi) and on broken files.
#include <gio/gio.h>
#include <gst/check/gstharness.h>
#include <glib/gstdio.h>
#include <gst/video/video.h>
#include <unistd.h>

#include "plugins/common/meta.h"
#include "tests/test.h"

// What came out of a pipeline.
typedef struct {
    int frames, sounds, caps_changes;
    GstClockTime first, last, last_end;
    GstClockTimeDiff sound_first, sound_decoded, sound_last; // running time
    bool is_monotonic, has_meta, begins_anew;
    int64_t utc_ns;
    uint64_t frame_number;
    char caps[512], error[1024], warning[1024], orientation[32];
} outcome;

static void on_frame(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer user) {
    (void)sink, (void)pad;
    outcome *o = user;
    const fv_frame_meta *m = fv_meta_get(b);
    if (!o->frames) {
        o->first = GST_BUFFER_PTS(b);
        o->begins_anew = GST_BUFFER_IS_DISCONT(b);
        o->utc_ns = m ? m->utc_ns : 0;
    }
    o->is_monotonic = !o->frames ? true : o->is_monotonic && GST_BUFFER_PTS(b) > o->last;
    o->frames++;
    o->last = GST_BUFFER_PTS(b);
    o->last_end = GST_BUFFER_PTS(b) + GST_BUFFER_DURATION(b);
    o->has_meta = m != NULL;
    o->frame_number = m ? m->frame : 0;
}

// Signed running time of a time of a buffer.
static GstClockTimeDiff running(GstPad *pad, GstClockTime t) {
    const GstSegment *segment;
    GstEvent *event = gst_pad_get_sticky_event(pad, GST_EVENT_SEGMENT, 0);
    guint64 r = 0;
    gst_event_parse_segment(event, &segment);
    int sign = gst_segment_to_running_time_full(segment, GST_FORMAT_TIME, t, &r);
    gst_event_unref(event);
    return sign * (GstClockTimeDiff)r;
}

static void on_sound(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer user) {
    (void)sink;
    outcome *o = user;
    if (!o->sounds++) {
        o->sound_first = running(pad, GST_BUFFER_PTS(b));
        o->sound_decoded = running(pad, GST_BUFFER_DTS(b));
    }
    o->sound_last = running(pad, GST_BUFFER_PTS(b));
}

static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
    (void)pad;
    outcome *o = user;
    GstEvent *event = GST_PAD_PROBE_INFO_EVENT(info);
    GstCaps *caps;
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        gst_event_parse_caps(event, &caps);
        char *text = gst_caps_to_string(caps);
        snprintf(o->caps, sizeof o->caps, "%s", text);
        o->caps_changes++;
        g_free(text);
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_TAG) {
        GstTagList *tags;
        char *text;
        gst_event_parse_tag(event, &tags);
        if (gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &text)) {
            snprintf(o->orientation, sizeof o->orientation, "%s", text);
            g_free(text);
        }
    }
    return GST_PAD_PROBE_OK;
}

static void connect_sink(GstElement *pipeline, const char *name, GCallback frames, outcome *o) {
    GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), name);
    if (!sink)
        return;
    GstPad *pad = gst_element_get_static_pad(sink, "sink");
    g_object_set(sink, "signal-handoffs", TRUE, NULL);
    g_signal_connect(sink, "handoff", frames, o);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, o, NULL);
    gst_object_unref(pad);
    gst_object_unref(sink);
}

static GstElement *pipeline_of(outcome *o, const char *line) {
    *o = (outcome){0};
    GError *error = NULL;
    GstElement *pipeline = gst_parse_launch(line, &error);
    if (error)
        fprintf(stderr, "%s: %s\n", line, error->message);
    g_clear_error(&error);
    connect_sink(pipeline, "v", G_CALLBACK(on_frame), o);
    connect_sink(pipeline, "a", G_CALLBACK(on_sound), o);
    return pipeline;
}

// Until EOS or an error; true for EOS.
static bool wait_end(GstElement *pipeline, outcome *o) {
    GstBus *bus = gst_element_get_bus(pipeline);
    bool end = false, over = false;
    while (!over) {
        GstMessage *m = gst_bus_timed_pop_filtered(
            bus, 100 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR | GST_MESSAGE_WARNING);
        GError *error = NULL;
        over = !m || GST_MESSAGE_TYPE(m) != GST_MESSAGE_WARNING;
        end = m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS;
        if (m && !end) {
            bool warning = GST_MESSAGE_TYPE(m) == GST_MESSAGE_WARNING;
            (warning ? gst_message_parse_warning : gst_message_parse_error)(m, &error, NULL);
            snprintf(warning ? o->warning : o->error, sizeof o->error, "%s", error->message);
            g_error_free(error);
        }
        if (m)
            gst_message_unref(m);
    }
    gst_object_unref(bus);
    return end;
}

static void wait_frames(const outcome *o, int frames) {
    for (int i = 0; i < 6000 && g_atomic_int_get(&o->frames) < frames; i++)
        g_usleep(10000);
    CHECK(g_atomic_int_get(&o->frames) >= frames);
}

static void close_pipeline(GstElement *pipeline) {
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
}

static bool run(outcome *o, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool run(outcome *o, const char *format, ...) {
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    GstElement *pipeline = pipeline_of(o, line);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    bool end = wait_end(pipeline, o);
    close_pipeline(pipeline);
    return end;
}

// A path in this suite's temporary folder; valid for ever.
static const char *path_of(const char *name) {
    char *text = g_strdup_printf("%s/%s", fv_test_tmp("fvsrc"), name);
    const char *path = g_intern_string(text);
    g_free(text);
    return path;
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...) {
    va_list args;
    va_start(args, format);
    char *command = g_strdup_vprintf(format, args), said[2000];
    va_end(args);
    int code = fv_test_shell(command, said, sizeof said);
    CHECK_EQUAL(code, 0);
    if (code)
        fprintf(stderr, "%s\n%s\n", command, said);
    g_free(command);
}

// A clip with sound, B frames and a turn of 90 degrees, made once.
static const char *clip(void) {
    const char *path = path_of("clip.mp4"), *upright = path_of("upright.mp4");
    if (!access(path, R_OK))
        return path;
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=168x98:rate=25:duration=2 -f lavfi -i "
          "sine=duration=2 -c:v libx264 "
          "-bf 2 -g 12 -pix_fmt yuv420p -c:a aac -shortest %s",
          upright);
    shell("ffmpeg -v error -y -i %s -c copy -metadata:s:v rotate=90 %s", upright, path);
    return path;
}

static int packets(const char *path, const char *kind) {
    char said[200];
    char *command = g_strdup_printf("ffprobe -v error -count_packets -select_streams %s -show_entries "
                                    "stream=nb_read_packets -of csv=p=0 %s", kind, path);
    CHECK_EQUAL(fv_test_shell(command, said, sizeof said), 0);
    g_free(command);
    return atoi(said);
}

static void a_clip_comes_whole_with_its_times(void) {
    outcome o;
    CHECK(run(&o, "fvsrc uri=%s name=s ! fakesink name=v  s.audio_0 ! fakesink name=a", clip()));
    CHECK_EQUAL(o.frames, 50);
    CHECK_EQUAL(o.first, 0);
    CHECK_EQUAL(o.last, 49 * 40 * GST_MSECOND);
    CHECK_EQUAL(o.last_end, 2 * GST_SECOND);
    CHECK(o.is_monotonic && o.has_meta);
    CHECK_EQUAL(o.frame_number, 49);
    CHECK_EQUAL(o.sound_first, 0); // priming is decoded before the start
    CHECK_NEAR((double)o.sound_decoded, -1024e9 / 44100, 1);
    CHECK_NEAR((double)o.sound_last, (double)(o.sounds - 2) * 1024e9 / 44100, 2);
    CHECK_EQUAL(o.sounds, packets(clip(), "a"));
    CHECK_TEXT(o.orientation[0] ? "tag" : "", "tag");
}

static void caps_say_what_the_file_says(void) {
    outcome o;
    CHECK(run(&o, "fvsrc uri=file://%s ! fakesink name=v", clip()));
    CHECK_CONTAINS(o.caps, "format=(string)I420, width=(int)168, height=(int)98");
    CHECK_CONTAINS(o.caps, "framerate=(fraction)25/1");
    CHECK(run(&o, "fvsrc uri=%s name=s ! fakesink  s.audio_0 ! fakesink name=a", clip()));
    CHECK_CONTAINS(o.caps, "audio/mpeg, mpegversion=(int)4");
    CHECK_CONTAINS(o.caps, "codec_data=(buffer)");
}

static void what_a_file_says_of_its_pictures(void) {
    outcome o;
    const char *path = path_of("fields.mp4");
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=64x48:rate=25:duration=0.4 -vf setsar=4/3,setfield=tff -c:v libx264 "
          "-pix_fmt yuv420p -flags +ilme+ildct -metadata creation_time=2001-02-03T04:05:06Z %s", path);
    CHECK(run(&o, "fvsrc uri=%s ! fakesink name=v", path));
    CHECK_CONTAINS(o.caps, "pixel-aspect-ratio=(fraction)4/3");
    CHECK_CONTAINS(o.caps, "interlace-mode=(string)interleaved");
    CHECK_EQUAL(o.utc_ns, INT64_C(981173106) * GST_SECOND);
    CHECK(o.begins_anew);
    const char *late = path_of("late.mkv"); // nanoseconds end in 2262
    shell("ffmpeg -v error -y -i %s -c copy -metadata creation_time=2290-01-01T00:00:00Z %s", path_of("fields.mp4"), late);
    CHECK(run(&o, "fvsrc uri=%s ! fakesink name=v", late));
    CHECK_EQUAL(o.utc_ns, FV_TIME_NONE);
}

static void same_bytes(const char *a, const char *b) {
    shell("cmp %s %s", a, b);
}

// Every byte as libav's own command decodes it: where strides are read (videobalance) and where
// they are not (filesink).
static void pixels_are_the_decoders(void) {
    outcome o;
    const char *want = path_of("want.yuv"), *plain = path_of("plain.yuv"),
               *strided = path_of("strided.yuv");
    shell("ffmpeg -v error -y -noautorotate -i %s -f rawvideo %s", clip(), want);
    CHECK(run(&o, "fvsrc uri=%s ! filesink location=%s", clip(), plain));
    CHECK(run(&o,
              "fvsrc uri=%s ! videoconvert ! video/x-raw,format=NV12 ! videoconvert ! "
              "video/x-raw,format=I420 ! "
              "filesink location=%s",
              clip(), strided));
    same_bytes(want, plain);
    same_bytes(want, strided);
}

// The decoder predicts from the pictures it gave out, and a tee shares them: who draws gets a copy.
static void drawing_on_a_frame_leaves_the_next_ones_alone(void) {
    outcome o;
    const char *drawn = path_of("drawn.yuv"), *clean = path_of("clean.yuv");
    CHECK(run(&o,
              "fvsrc uri=%s ! tee name=t ! queue ! videobalance contrast=0.0 ! fakesink  t. ! "
              "queue ! filesink location=%s",
              clip(), drawn));
    CHECK(run(&o, "fvsrc uri=%s ! filesink location=%s", clip(), clean));
    same_bytes(drawn, clean);
    const char *bright = path_of("bright.yuv"), *want = path_of("want-bright.yuv");
    CHECK(run(&o, "fvsrc uri=%s ! videobalance brightness=0.3 ! filesink location=%s", clip(), bright));
    CHECK(run(&o, "filesrc location=%s ! rawvideoparse width=168 height=98 format=i420 ! videobalance brightness=0.3 ! "
                  "filesink location=%s", clean, want));
    same_bytes(bright, want);
}

static void every_pixel_format_finds_its_caps(void) {
    static const struct {
        const char *format, *caps;
    } rows[] = {
        {"yuv420p", "format=(string)I420"},     {"nv12", "format=(string)NV12"},
        {"rgb24", "format=(string)RGB,"},       {"bgra", "format=(string)BGRA"},
        {"rgb0", "format=(string)RGBx"},        {"gray", "format=(string)GRAY8"},
        {"yuv422p10le", "format=(string)I420"}, {"yuvj444p", "colorimetry=(string)1:"},
        {"gbrp", "format=(string)RGB,"},        {"pal8", "format=(string)RGB,"},
        {"gray16le", "format=(string)GRAY8"},   {"rgba64le", "format=(string)RGBA"},
    };
    outcome o;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CHECK(run(
            &o,
            "fvsrc uri=lavfi:testsrc=size=33x17:rate=10:duration=0.3,format=%s ! fakesink name=v",
            rows[i].format));
        CHECK_EQUAL(o.frames, 3);
        CHECK_CONTAINS(o.caps, rows[i].caps);
    }
}

static void a_new_size_midway_is_new_caps(void) {
    outcome o;
    shell("cd %s && for s in 64x48 128x96; do ffmpeg -v error -y -f lavfi -i "
          "testsrc=size=$s:rate=10:duration=1 -c:v libx264 -pix_fmt yuv420p "
          "$s.ts; done && cat 64x48.ts 128x96.ts > sizes.ts",
          fv_test_tmp("fvsrc"));
    CHECK(run(&o, "fvsrc uri=%s ! fakesink name=v", path_of("sizes.ts")));
    CHECK_EQUAL(o.caps_changes, 2);
    CHECK_EQUAL(o.frames, 20);
    CHECK(o.is_monotonic);
    CHECK_CONTAINS(o.caps, "width=(int)128");
}

static void pictures_by_number_and_by_star(void) {
    outcome o;
    const char *folder = fv_test_tmp("pictures");
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=40x30:rate=25:duration=0.2 '%s/p_%%03d.png'",
          folder);
    CHECK(run(&o, "fvsrc uri=%s/p_%%03d.png ! fakesink name=v", folder));
    CHECK_EQUAL(o.frames, 5);
    CHECK(run(&o, "fvsrc uri=%s/*.png ! fakesink name=v", folder));
    CHECK_EQUAL(o.frames, 5);
    CHECK(run(&o, "fvsrc uri=%s/p_003.png ! fakesink name=v", folder));
    CHECK_EQUAL(o.frames, 1);
}

static void bad_input_is_one_line(void) {
    const char *truncated = path_of("truncated.mp4"), *empty = path_of("empty.mp4"),
               *text = path_of("note.txt");
    shell("head -c 3000 %s > %s; : > %s; echo hello > %s", clip(), truncated, empty, text);
    const char *rows[][2] = {
        {"/nonexistent.mp4", "/nonexistent.mp4: no such file"},
        {truncated, "not a video that can be read"},
        {empty, "not a video that can be read"},
        {text, "not a video that can be read"},
        {"/tmp", "/tmp: is a folder"},
        {"http://127.0.0.1:1/x.mp4", "connection refused"},
        {"rtsp://me:secret@127.0.0.1:1/x", "rtsp://***@127.0.0.1:1/x: connection refused"},
        {"gopher://x", "unknown kind of URL"},
        {"/dev/video99", "no such file or device"},
        {"nothing_%03d.png", "no such file"},
    };
    outcome o;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        CHECK(!run(&o, "fvsrc uri=%s ! fakesink", rows[i][0]));
        CHECK_CONTAINS(o.error, rows[i][1]);
        CHECK(!strchr(o.error, '\n'));
    }
    CHECK(!run(&o, "fvsrc ! fakesink"));
    CHECK_CONTAINS(o.error, "no uri");
}

static void a_video_without_frames_ends_with_a_warning(void) {
    outcome o;
    const char *path = path_of("none.avi");
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=64x48:duration=1 -frames:v 0 %s", path);
    bool end = run(&o, "fvsrc uri=%s ! fakesink name=v", path);
    CHECK_EQUAL(o.frames, 0);
    CHECK_CONTAINS(end ? o.warning : o.error, path);
}

static void a_damaged_file_gives_what_is_good(void) {
    outcome o;
    const char *path = path_of("damaged.ts");
    shell("ffmpeg -v error -y -i %s -an -c copy %s && printf "
          "'xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx' | dd of=%s bs=1 seek=9000 conv=notrunc 2>&1",
          clip(), path, path);
    CHECK(run(&o, "fvsrc uri=%s ! fakesink name=v", path));
    CHECK(o.frames > 20);
    CHECK(o.is_monotonic);
}

// An encoder that looks 40 frames ahead and a muxer that wants both in turn, and no queue anywhere.
static void sound_does_not_make_pictures_wait(void) {
    outcome o;
    char said[200];
    const char *path = path_of("muxed.mp4");
    CHECK(run(&o,
              "fvsrc uri=%s loop=true name=s ! identity eos-after=150 ! x264enc ! mp4mux name=m ! "
              "filesink location=%s  s.audio_0 ! m.",
              clip(), path));
    char *command = g_strdup_printf("ffprobe -v error -count_frames -show_entries "
                                    "stream=codec_name,nb_read_frames -of csv=p=0 %s",
                                    path);
    CHECK_EQUAL(fv_test_shell(command, said, sizeof said), 0);
    CHECK_CONTAINS(said, "h264,149");
    CHECK_CONTAINS(said, "aac,2");
    g_free(command);
}

static void seeking_is_exact(void) {
    outcome o;
    char line[2000];
    snprintf(line, sizeof line, "fvsrc uri=%s ! fakesink name=v", clip());
    GstElement *pipeline = pipeline_of(&o, line);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    CHECK_EQUAL(gst_element_get_state(pipeline, NULL, NULL, 100 * GST_SECOND),
                GST_STATE_CHANGE_SUCCESS);
    gint64 duration = 0;
    CHECK(gst_element_query_duration(pipeline, GST_FORMAT_TIME, &duration));
    CHECK_NEAR((double)duration / 1e9, 2, 0.05);
    CHECK(gst_element_seek_simple(pipeline, GST_FORMAT_TIME,
                                  GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_ACCURATE,
                                  1240 * GST_MSECOND));
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    CHECK(wait_end(pipeline, &o));
    CHECK_EQUAL(o.last, 1960 * GST_MSECOND);
    CHECK_EQUAL(o.frames, 19); // from 1.24 to 1.96
    // In the middle of a picture: this one is the first, and those before it do not leave the source.
    uint64_t number = o.frame_number;
    CHECK(gst_element_seek_simple(pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, 1270 * GST_MSECOND));
    o.frames = 0;
    CHECK(wait_end(pipeline, &o));
    CHECK_EQUAL(o.first, 1240 * GST_MSECOND);
    CHECK_EQUAL(o.frames, 19);
    CHECK_EQUAL(o.frame_number, number + 19);
    CHECK(gst_element_seek(pipeline, 1, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH, GST_SEEK_TYPE_SET, 0,
                           GST_SEEK_TYPE_SET, 400 * GST_MSECOND));
    o.frames = 0;
    CHECK(wait_end(pipeline, &o));
    CHECK_EQUAL(o.frames, 10);
    CHECK_EQUAL(o.first, 0);
    close_pipeline(pipeline);
}

static void a_loop_goes_on_in_time(void) {
    outcome o;
    char line[2000];
    snprintf(line, sizeof line, "fvsrc uri=%s loop=true ! identity eos-after=130 ! fakesink name=v",
             clip());
    GstElement *pipeline = pipeline_of(&o, line);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    CHECK(wait_end(pipeline, &o));
    CHECK(o.frames >= 128);
    CHECK(o.is_monotonic);
    CHECK_EQUAL(o.last, (GstClockTime)(o.frames - 1) * 40 * GST_MSECOND);
    close_pipeline(pipeline);
}

static void realtime_takes_its_time_and_eos_ends_it(void) {
    outcome o;
    GstElement *pipeline = pipeline_of(
        &o, "fvsrc realtime=true uri=lavfi:testsrc=size=32x24:rate=50 ! fakesink name=v sync=true");
    CHECK_EQUAL(gst_element_set_state(pipeline, GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
    gint64 began = g_get_monotonic_time();
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    wait_frames(&o, 30);
    GstQuery *q = gst_query_new_latency();
    gboolean live = FALSE;
    GstClockTime min = 0;
    CHECK(gst_element_query(pipeline, q));
    gst_query_parse_latency(q, &live, &min, NULL);
    CHECK(live && min >= 40 * GST_MSECOND); // one frame, and the sink's own 20 ms
    gst_query_unref(q);
    gst_element_send_event(pipeline, gst_event_new_eos());
    CHECK(wait_end(pipeline, &o));
    CHECK((double)o.frames <= 1 + 50 * (double)(g_get_monotonic_time() - began) / 1e6);
    close_pipeline(pipeline);
}

// A server that accepts and then says nothing: neither stopping nor the timeout may hang.
static void a_silent_server_times_out(void) {
    GError *error = NULL;
    GSocketService *service = g_socket_service_new();
    guint16 port = g_socket_listener_add_any_inet_port(G_SOCKET_LISTENER(service), NULL, &error);
    outcome o;
    double begin = fv_test_seconds();
    CHECK(!run(&o, "fvsrc timeout=700000000 uri=http://127.0.0.1:%d/x.mp4 ! fakesink", port));
    CHECK_CONTAINS(o.error, "no answer in time");
    CHECK(fv_test_seconds() - begin < 4);
    char line[200];
    snprintf(line, sizeof line, "fvsrc uri=http://127.0.0.1:%d/x.mp4 ! fakesink", port);
    GstElement *pipeline = pipeline_of(&o, line);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    g_usleep(200000);
    begin = fv_test_seconds();
    close_pipeline(pipeline);
    CHECK(fv_test_seconds() - begin < 1);
    g_object_unref(service);
}

typedef struct {
    GSocketListener *listener;
    GCancellable *over;
    const char *head, *tail;
    char *video;
    gsize size;
    guint16 port;
    GThread *thread;
} camera;

// Shows everyone who calls the same seconds and hangs up.
static gpointer answer(gpointer user) {
    camera *c = user;
    GSocketConnection *caller;
    while ((caller = g_socket_listener_accept(c->listener, NULL, c->over, NULL))) {
        GOutputStream *out = g_io_stream_get_output_stream(G_IO_STREAM(caller));
        char request[4096];
        if (c->head && g_input_stream_read(g_io_stream_get_input_stream(G_IO_STREAM(caller)), request, sizeof request, NULL, NULL) > 0)
            g_output_stream_write_all(out, c->head, strlen(c->head), NULL, NULL, NULL);
        g_output_stream_write_all(out, c->video, c->size, NULL, NULL, NULL);
        if (c->tail)
            g_output_stream_write_all(out, c->tail, strlen(c->tail), NULL, NULL, NULL);
        g_object_unref(caller);
    }
    return NULL;
}

static void camera_start(camera *c, const char *path, const char *head, const char *tail) {
    *c = (camera){.listener = g_socket_listener_new(), .over = g_cancellable_new(), .head = head, .tail = tail};
    CHECK(g_file_get_contents(path, &c->video, &c->size, NULL));
    c->port = g_socket_listener_add_any_inet_port(c->listener, NULL, NULL);
    c->thread = g_thread_new("camera", answer, c);
}

static void camera_stop(camera *c) {
    g_cancellable_cancel(c->over);
    g_thread_join(c->thread);
    g_free(c->video);
    g_object_unref(c->listener);
    g_object_unref(c->over);
}

static guint64 stat_of(GstElement *source, const char *name) {
    GstStructure *stats = NULL;
    guint64 v = 0;
    g_object_get(source, "stats", &stats, NULL);
    CHECK(gst_structure_get_uint64(stats, name, &v));
    gst_structure_free(stats);
    return v;
}

// What the bus says of the source until it has come back so often.
static void watch_returns(GstElement *pipeline, guint64 returns, GString *said) {
    GstBus *bus = gst_element_get_bus(pipeline);
    for (int i = 0; returns && i < 1000; i++) {
        GstMessage *m = gst_bus_timed_pop_filtered(bus, 100 * GST_MSECOND, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
        const GstStructure *t = m ? gst_message_get_structure(m) : NULL;
        const char *status = t && gst_structure_has_name(t, "fvsrc") ? gst_structure_get_string(t, "status") : NULL;
        returns -= !g_strcmp0(status, "back");
        if (status)
            g_string_append_printf(said, "%s ", status);
        if (m)
            gst_message_unref(m);
    }
    gst_object_unref(bus);
}

// It is opened again for ever; numbers, times and counts go on.
static void a_camera_that_hangs_up_is_called_again(void) {
    camera c;
    const char *path = path_of("camera.nut");
    char line[200];
    outcome o;
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=64x48:rate=25:duration=4 -c:v mjpeg -f nut %s", path);
    camera_start(&c, path, NULL, NULL);
    snprintf(line, sizeof line, "fvsrc name=s reconnect=100000000 uri=tcp://127.0.0.1:%d ! fakesink name=v", c.port);
    GstElement *pipeline = pipeline_of(&o, line), *source = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    GString *said = g_string_new(NULL);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    watch_returns(pipeline, 3, said);
    CHECK(g_str_has_prefix(said->str, "lost back lost back lost back"));
    CHECK(stat_of(source, "reconnects") >= 3);
    CHECK(stat_of(source, "decoded") >= 150);
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    gst_element_set_state(pipeline, GST_STATE_READY);
    CHECK(o.frames >= 150 && o.is_monotonic);
    CHECK_EQUAL(o.frame_number + 1, (uint64_t)o.frames);
    CHECK_EQUAL(o.caps_changes, 1);
    gst_object_unref(source);
    close_pipeline(pipeline);
    g_string_free(said, TRUE);
    camera_stop(&c);
}

// By http: what says no length and cannot go back is opened again and goes on in time; a wish wins over that guess, and
// what says its length or its end is a recording.
static void a_stream_by_http_without_end(void) {
    static const struct {
        const char *wish, *head, *tail; // a number in the head is the length
        bool ends;
        int frames; // at least, after three calls; a live one throws away what came while it was looked at
    } rows[] = {{"", "Connection: close\r\n\r\n", NULL, false, 90},
                {"live=yes", "Connection: close\r\n\r\n", NULL, false, 30},
                {"live=no", "Connection: close\r\n\r\n", NULL, true, 50},
                {"", "Transfer-Encoding: chunked\r\n\r\n%llx\r\n", "\r\n0\r\n\r\n", true, 50},
                {"", "Transfer-Encoding: chunked\r\n\r\n%llx0\r\n", NULL, false, 90},
                {"", "Content-Length: %llu\r\n\r\n", NULL, true, 50}};
    const char *path = path_of("endless.ts");
    shell("ffmpeg -v error -y -f lavfi -i testsrc=size=64x48:rate=25:duration=2 -c:v mpeg2video -bf 0 -f mpegts %s", path);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        camera c;
        outcome o;
        char line[300], head[200];
        GStatBuf info = {0};
        CHECK_EQUAL(g_stat(path, &info), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        int n = snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n");
        snprintf(head + n, sizeof head - (size_t)n, rows[i].head, (unsigned long long)info.st_size);
#pragma GCC diagnostic pop
        camera_start(&c, path, head, rows[i].tail);
        snprintf(line, sizeof line, "fvsrc name=s reconnect=100000000 %s uri=http://127.0.0.1:%d/stream.ts ! fakesink name=v", rows[i].wish, c.port);
        GstElement *pipeline = pipeline_of(&o, line), *source = gst_bin_get_by_name(GST_BIN(pipeline), "s");
        GString *said = g_string_new(NULL);
        gst_element_set_state(pipeline, GST_STATE_PLAYING);
        if (rows[i].ends)
            CHECK(wait_end(pipeline, &o));
        watch_returns(pipeline, rows[i].ends ? 0 : 2, said);
        CHECK_EQUAL(stat_of(source, "reconnects") >= 2, !rows[i].ends);
        gst_element_set_state(pipeline, GST_STATE_READY);
        CHECK(o.frames >= rows[i].frames && (!rows[i].ends || o.frames == rows[i].frames));
        CHECK(o.is_monotonic);
        CHECK(rows[i].ends || g_str_has_prefix(said->str, "lost back lost back"));
        gst_object_unref(source);
        close_pipeline(pipeline);
        g_string_free(said, TRUE);
        camera_stop(&c);
    }
}

static void states_up_and_down(void) {
    outcome o;
    char line[2000];
    snprintf(line, sizeof line, "fvsrc uri=%s ! fakesink name=v", clip());
    GstElement *pipeline = pipeline_of(&o, line);
    for (int i = 0; i < 5; i++) {
        gst_element_set_state(pipeline, i % 2 ? GST_STATE_PLAYING : GST_STATE_PAUSED);
        if (i > 2)
            gst_element_get_state(pipeline, NULL, NULL, GST_SECOND);
        CHECK_EQUAL(gst_element_set_state(pipeline, i % 2 ? GST_STATE_READY : GST_STATE_NULL),
                    GST_STATE_CHANGE_SUCCESS);
    }
    close_pipeline(pipeline);
}

const fv_suite fvsrc_suite = {"fvsrc",
                              (const fv_case[]){CASE(a_clip_comes_whole_with_its_times),
                                                CASE(caps_say_what_the_file_says),
                                                CASE(what_a_file_says_of_its_pictures),
                                                CASE(pixels_are_the_decoders),
                                                CASE(drawing_on_a_frame_leaves_the_next_ones_alone),
                                                CASE(every_pixel_format_finds_its_caps),
                                                CASE(a_new_size_midway_is_new_caps),
                                                CASE(pictures_by_number_and_by_star),
                                                CASE(bad_input_is_one_line),
                                                CASE(a_video_without_frames_ends_with_a_warning),
                                                CASE(a_damaged_file_gives_what_is_good),
                                                CASE(sound_does_not_make_pictures_wait),
                                                CASE(seeking_is_exact),
                                                CASE(a_loop_goes_on_in_time),
                                                CASE(realtime_takes_its_time_and_eos_ends_it),
                                                CASE(a_silent_server_times_out),
                                                CASE(a_camera_that_hangs_up_is_called_again),
                                                CASE(a_stream_by_http_without_end),
                                                CASE(states_up_and_down),
                                                {0}}};
