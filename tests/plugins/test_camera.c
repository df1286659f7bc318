// fvsrc and the command on a camera: an RTSP server in this process that counts who comes.
#include <gst/rtsp-server/rtsp-server.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "tests/test.h"

typedef struct {
    GMainContext *context;
    GMainLoop *loop;
    GstRTSPServer *server;
    GThread *thread;
    atomic_int clients; // that came
    int port;
} camera;

static gpointer serve(gpointer loop) {
    g_main_context_push_thread_default(g_main_loop_get_context(loop));
    g_main_loop_run(loop);
    return NULL;
}

static void count_client(GstRTSPServer *server, GstRTSPClient *client, gpointer user) {
    (void)server, (void)client;
    ((camera *)user)->clients++;
}

static void camera_start(camera *c) {
    *c = (camera){.context = g_main_context_new(), .server = gst_rtsp_server_new()};
    c->loop = g_main_loop_new(c->context, FALSE);
    gst_rtsp_server_set_service(c->server, "0");
    g_signal_connect(c->server, "client-connected", G_CALLBACK(count_client), c);
    GstRTSPMediaFactory *factory = gst_rtsp_media_factory_new();
    gst_rtsp_media_factory_set_launch(
        factory, "( videotestsrc is-live=true ! video/x-raw,format=I420,width=64,height=48,framerate=30/1 ! "
                 "jpegenc ! rtpjpegpay name=pay0 "
                 "audiotestsrc is-live=true ! audio/x-raw,rate=44100 ! audioconvert ! avenc_aac ! aacparse ! rtpmp4gpay name=pay1 )");
    GstRTSPMountPoints *mounts = gst_rtsp_server_get_mount_points(c->server);
    gst_rtsp_mount_points_add_factory(mounts, "/cam", factory);
    g_object_unref(mounts);
    gst_rtsp_server_attach(c->server, c->context);
    c->port = gst_rtsp_server_get_bound_port(c->server);
    c->thread = g_thread_new("rtsp", serve, c->loop);
}

static void camera_stop(camera *c) {
    g_main_loop_quit(c->loop);
    g_thread_join(c->thread);
    g_object_unref(c->server);
    g_main_loop_unref(c->loop);
    g_main_context_unref(c->context);
}

typedef struct {
    atomic_int frames, sounds;
    bool is_monotonic;
    GstClockTime last;
} outcome;

static void on_frame(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer user) {
    (void)sink, (void)pad;
    outcome *o = user;
    o->is_monotonic = !o->frames || (o->is_monotonic && GST_BUFFER_PTS(b) > o->last);
    o->last = GST_BUFFER_PTS(b);
    o->frames++;
}

static void on_sound(GstElement *sink, GstBuffer *b, GstPad *pad, gpointer user) {
    (void)sink, (void)pad, (void)b;
    ((outcome *)user)->sounds++;
}

static GstElement *start_pipeline(outcome *o, const camera *c) {
    char *line = g_strdup_printf("fvsrc name=s uri=rtsp://127.0.0.1:%d/cam ! queue ! fakesink name=v sync=true "
                                 "signal-handoffs=true s.audio_0 ! fakesink name=a signal-handoffs=true",
                                 c->port);
    GstElement *pipeline = gst_parse_launch(line, NULL);
    g_free(line);
    GstElement *v = gst_bin_get_by_name(GST_BIN(pipeline), "v"), *a = gst_bin_get_by_name(GST_BIN(pipeline), "a");
    g_signal_connect(v, "handoff", G_CALLBACK(on_frame), o);
    g_signal_connect(a, "handoff", G_CALLBACK(on_sound), o);
    gst_object_unref(v);
    gst_object_unref(a);
    return pipeline;
}

static void wait_frames(outcome *o, int frames, int sounds) {
    for (int i = 0; i < 600 && (o->frames < frames || o->sounds < sounds); i++)
        g_usleep(100000);
    CHECK(o->frames >= frames);
    CHECK(o->sounds >= sounds);
}

static void pictures_and_sound_come(void) {
    camera c;
    outcome o = {0};
    camera_start(&c);
    GstElement *pipeline = start_pipeline(&o, &c);
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    wait_frames(&o, 20, 5);
    CHECK(o.is_monotonic);
    gst_element_send_event(pipeline, gst_event_new_eos());
    GstBus *bus = gst_element_get_bus(pipeline);
    GstMessage *m = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    CHECK(m && GST_MESSAGE_TYPE(m) == GST_MESSAGE_EOS);
    gst_clear_message(&m);
    gst_object_unref(bus);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(pipeline);
    CHECK_EQUAL(c.clients, 1);
    camera_stop(&c);
}

// What waited in the network while it was paused is old: it is dropped and counted, and the delay does not grow.
static void a_pause_leaves_no_delay(void) {
    camera c;
    outcome o = {0};
    camera_start(&c);
    GstElement *pipeline = start_pipeline(&o, &c), *source = gst_bin_get_by_name(GST_BIN(pipeline), "s");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    wait_frames(&o, 10, 1);
    gint64 began = g_get_monotonic_time();
    gst_element_set_state(pipeline, GST_STATE_PAUSED);
    g_usleep(1500000);
    int before = o.frames;
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
    wait_frames(&o, before + 15, 1);
    GstStructure *stats;
    guint64 dropped = 0;
    g_object_get(source, "stats", &stats, NULL);
    gst_structure_get_uint64(stats, "dropped-late", &dropped);
    gst_structure_free(stats);
    double seconds = (double)(g_get_monotonic_time() - began) / 1e6;
    CHECK(dropped >= 20 && (double)dropped <= seconds * 30); // of 30 a second
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(source);
    gst_object_unref(pipeline);
    camera_stop(&c);
}

// The command looks at a source before it builds the pipeline; the camera sees one client all the same. What
// comes half a second late, because the machine stood still, is dropped by design: it is counted, and all others
// are in each output.
static void the_command_opens_it_once(void) {
    camera c;
    char said[4096], *dir = g_strdup(fv_test_tmp("camera"));
    camera_start(&c);
    char *command = g_strdup_printf("cd %s && echo '{fovea: 1, streams: [{name: cam, source: {uri: \"rtsp://127.0.0.1:%d/cam\", frames: 40},"
                                    " detect: false, outputs: [{file: o.mp4}, {publish: o.jsonl}]}]}' > cam.yaml &&"
                                    " timeout 300 \"$FOVEA\" run cam.yaml && wc -l < o.jsonl && ffprobe -v error -count_packets"
                                    " -show_entries stream=codec_name,width,height,nb_read_packets -of csv=p=0 o.mp4",
                                    dir, c.port);
    CHECK_EQUAL(fv_test_shell(command, said, sizeof said), 0);
    CHECK_EQUAL(c.clients, 1);
    const char *ledger = strstr(said, "cam: 40 frames decoded = 0 inferred + 0 predicted + ");
    int kept = 0, dropped = 0;
    CHECK(ledger && sscanf(strchr(ledger, '='), "= 0 inferred + 0 predicted + %d skipped + %d dropped", &kept, &dropped) == 2);
    CHECK(kept > 0 && kept + dropped == 40);
    char *outputs = g_strdup_printf("\n%d\nh264,64,48,%d\n", kept, kept);
    CHECK_CONTAINS(said, outputs);
    g_free(outputs);
    const char *sound = strstr(said, "\naac,");
    CHECK(sound && atoi(sound + 5) > 40); // 1.3 s of it
    if (!sound)
        fprintf(stderr, "%s\n", said);
    g_free(command);
    g_free(dir);
    camera_stop(&c);
}

const fv_suite camera_suite = {"camera", (const fv_case[]){CASE(pictures_and_sound_come),
                                                           CASE(a_pause_leaves_no_delay),
                                                           CASE(the_command_opens_it_once),
                                                           {0}}};
