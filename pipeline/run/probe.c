#define _GNU_SOURCE
#include "pipeline/run/probe.h"

#include <gst/video/video.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/run/gst.h"
#include "pipeline/run/message.h"

// Of plugins/src/session.h.
static const char session_context[] = "fovea.source";

typedef struct {
    fv_probe *probe;
    fv_arena *arena;
    GstElement *pipeline;
    GstPad *video;
    GMutex lock; // of probe and arena: pads appear in the source's thread
} probing;

static void take_audio(probing *p, GstPad *pad) {
    GstCaps *caps = gst_pad_get_current_caps(pad);
    if (!caps)
        caps = gst_pad_query_caps(pad, NULL);
    g_autofree char *text = gst_caps_to_string(caps);
    if (p->probe->n_audio < FV_PROBE_MAX_AUDIO)
        p->probe->audio_caps[p->probe->n_audio++] = fv_arena_strdup(p->arena, text);
    gst_caps_unref(caps);
}

// In the source's thread, once: the wait below is over. The thread stays here, between two reads.
static GstPadProbeReturn first_frame(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
    (void)pad, (void)info;
    gst_element_post_message(
        user, gst_message_new_application(user, gst_structure_new_empty("first-frame")));
    return GST_PAD_PROBE_OK;
}

// Audio pads stay without a peer: their caps are known, their data is not needed.
static void take_pad(probing *p, GstPad *pad) {
    bool is_audio = g_str_has_prefix(GST_OBJECT_NAME(pad), "audio");
    g_mutex_lock(&p->lock);
    if (is_audio)
        take_audio(p, pad);
    else
        p->video = gst_object_ref(pad);
    g_mutex_unlock(&p->lock);
    if (is_audio)
        return;
    GstElement *sink = gst_element_factory_make("fakesink", NULL);
    g_object_set(sink, "sync", FALSE, NULL);
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BLOCK, first_frame, p->pipeline, NULL);
    gst_bin_add(GST_BIN(p->pipeline), sink);
    g_autoptr(GstPad) into = gst_element_get_static_pad(sink, "sink");
    gst_pad_link(pad, into);
}

static void pad_added(GstElement *source, GstPad *pad, gpointer user) {
    (void)source;
    take_pad(user, pad);
}

static void take_orientation(probing *p) {
    GstEvent *event;
    for (guint i = 0; (event = gst_pad_get_sticky_event(p->video, GST_EVENT_TAG, i)); i++) {
        GstTagList *tags;
        g_autofree char *text = NULL;
        gst_event_parse_tag(event, &tags);
        if (gst_tag_list_get_string(tags, GST_TAG_IMAGE_ORIENTATION, &text) &&
            strcmp(text, "rotate-0") != 0)
            p->probe->orientation = fv_arena_strdup(p->arena, text);
        gst_event_unref(event);
    }
}

static void swap(int *a, int *b) {
    int old = *a;
    *a = *b;
    *b = old;
}

// Quarters of a turn stand the picture on its side.
static void stand_upright(fv_probe *o) {
    if (!o->orientation || (!g_str_has_suffix(o->orientation, "-90") && !g_str_has_suffix(o->orientation, "-270")))
        return;
    swap(&o->width, &o->height);
    swap(&o->par_n, &o->par_d);
}

static bool take_video(probing *p, const char *uri, fv_err *err) {
    GstCaps *caps = p->video ? gst_pad_get_current_caps(p->video) : NULL;
    GstVideoInfo info;
    bool ok = caps && gst_video_info_from_caps(&info, caps);
    if (caps)
        gst_caps_unref(caps);
    if (!ok)
        return fv_fail(err, FV_BAD_INPUT, "%s: has no video frame", uri);
    gint64 duration = 0;
    fv_probe *o = p->probe;
    o->width = info.width;
    o->height = info.height;
    o->par_n = info.par_n;
    o->par_d = info.par_d;
    g_autofree char *colorimetry =
        GST_VIDEO_INFO_IS_YUV(&info) ? gst_video_colorimetry_to_string(&info.colorimetry) : NULL;
    o->colorimetry = fv_arena_strdup(p->arena, colorimetry);
    o->fps_n = info.fps_n;
    o->fps_d = info.fps_d;
    if (gst_pad_query_duration(p->video, GST_FORMAT_TIME, &duration) && duration > 0)
        o->duration_ns = duration;
    if (o->duration_ns && o->fps_n > 0 && o->fps_d > 0)
        o->frames = (int64_t)gst_util_uint64_scale_round((guint64)o->duration_ns, (guint64)o->fps_n,
                                                         (guint64)o->fps_d * GST_SECOND);
    take_orientation(p);
    stand_upright(o);
    return true;
}

// The source's own `frames` ends it earlier.
static void take_limit(fv_probe *probe, const fv_settings *settings) {
    const fv_setting *limit = fv_settings_find(settings, "frames");
    int64_t n = limit ? strtoll(limit->text, NULL, 10) : 0;
    if (n > 0 && (!probe->frames || n < probe->frames))
        probe->frames = n;
}

static void set_all(GstElement *element, fv_arena *arena, const fv_settings *settings) {
    const fv_option *rows = fv_gst_rows(arena, "fvsrc");
    for (int i = 0; i < settings->n; i++) {
        const fv_option *row = fv_option_find(rows, settings->v[i].name);
        gst_util_set_object_arg(G_OBJECT(element), settings->v[i].name,
                                fv_gst_property(arena, row, settings->v[i].text));
    }
}

// Waits for the first frame, the end or an error. What is wrong with a source before its first frame is
// the user's to put right.
static bool wait_first_frame(GstElement *pipeline, bool failed, fv_err *err) {
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    GstMessageType types =
        failed ? GST_MESSAGE_ERROR : GST_MESSAGE_APPLICATION | GST_MESSAGE_ERROR | GST_MESSAGE_EOS;
    g_autoptr(GstMessage) m =
        gst_bus_timed_pop_filtered(bus, failed ? GST_SECOND : GST_CLOCK_TIME_NONE, types);
    if (!m)
        return fv_fail(err, FV_IO, "the source does not start");
    if (GST_MESSAGE_TYPE(m) != GST_MESSAGE_ERROR)
        return true;
    fv_message_error(m, err);
    err->code = err->code == FV_IO ? FV_BAD_INPUT : err->code;
    return false;
}

static bool probe_pipeline(probing *p, const fv_settings *settings, fv_err *err) {
    GstElement *source = gst_element_factory_make("fvsrc", NULL);
    const fv_setting *uri = fv_settings_find(settings, "uri");
    if (!source)
        return fv_fail(err, FV_BAD_INPUT,
                       "the element fvsrc is missing from the plugin; install Fovea again");
    set_all(source, p->arena, settings);
    g_autoptr(GstContext) context = gst_context_new(session_context, TRUE);
    gst_element_set_context(source, context);
    gst_bin_add(GST_BIN(p->pipeline), source);
    g_signal_connect(source, "pad-added", G_CALLBACK(pad_added), p);
    g_autoptr(GstPad) always = gst_element_get_static_pad(source, "video");
    if (always)
        take_pad(p, always);
    GstStateChangeReturn change = gst_element_set_state(p->pipeline, GST_STATE_PAUSED);
    p->probe->is_live = change == GST_STATE_CHANGE_NO_PREROLL;
    if (p->probe->is_live)
        change = gst_element_set_state(p->pipeline, GST_STATE_PLAYING);
    bool failed = change == GST_STATE_CHANGE_FAILURE;
    if (!wait_first_frame(p->pipeline, failed, err) ||
        !take_video(p, uri ? uri->text : "the source", err))
        return false;
    take_limit(p->probe, settings);
    gst_element_set_state(p->pipeline, GST_STATE_READY);
    if (p->probe->is_live)
        p->probe->session = gst_element_get_context(source, session_context);
    return true;
}

bool fv_probe_source(fv_probe *probe, fv_arena *arena, const fv_settings *source, fv_err *err) {
    *probe = (fv_probe){0};
    probing p = {.probe = probe, .arena = arena, .pipeline = gst_pipeline_new("probe")};
    g_mutex_init(&p.lock);
    bool ok = probe_pipeline(&p, source, err);
    gst_element_set_state(p.pipeline, GST_STATE_NULL);
    gst_clear_object(&p.video);
    gst_object_unref(p.pipeline);
    g_mutex_clear(&p.lock);
    return ok;
}

void fv_probe_finish(fv_probe *probe) {
    if (probe->session)
        gst_context_unref(probe->session);
    probe->session = NULL;
}
