// The element of fvsrc.h.
//
//     gst-launch-1.0 fvsrc uri=in.mp4 ! fvdetect ! fvtrack ! fvoverlay ! autovideosink
//     gst-launch-1.0 fvsrc uri=rtsp://camera/1 name=s ! queue ! autovideosink
//       s.audio_0 ! decodebin ! autoaudiosink
#include "plugins/src/fvsrc.h"

#include "plugins/common/frame.h"
#include "plugins/common/props.h"
#include "plugins/elements.h"
#include "plugins/src/uri.h"

static const char *const hwaccel_names[] = {"none", "auto", NULL};
static const char *const transport_names[] = {"tcp", "udp", NULL};
static const char *const live_names[] = {"auto", "no", "yes", NULL}; // fv_live

static const fv_option options[] = {
    FV_OPTION_STRING(fv_src_params, uri, "uri", NULL,
                     "file, URL (http, rtsp, rtmp, udp, srt), /dev/videoN, pictures (img_%03d.png, "
                     "*.jpg) or lavfi:GRAPH"),
    FV_OPTION_STRING(fv_src_params, stream, "stream", NULL,
                     "name of the stream in records and events (unset: the element's name)"),
    FV_OPTION_STRING(fv_src_params, size, "size", NULL,
                     "of a camera's pictures, like 1280x720 (unset: as the camera gives them)"),
    FV_OPTION_STRING(fv_src_params, rate, "rate", NULL,
                     "frames a second of a camera or of a series of pictures, like 30 or 30000/1001 (unset: as "
                     "the camera gives them; pictures 25)"),
    FV_OPTION_STRING(fv_src_params, format, "format", NULL,
                     "of a camera's pictures, like mjpeg or yuyv422 (unset: the camera's first)"),
    FV_OPTION_TIME(fv_src_params, reconnect_ns, "reconnect", 0, 86400e9, 5e9,
                   "a live stream that breaks is opened again after this time, for ever; 0: an "
                   "error, or the end"),
    FV_OPTION_TIME(fv_src_params, timeout_ns, "timeout", 0, 86400e9, 10e9,
                   "a network source that is silent for so long is broken; 0: never"),
    FV_OPTION_TIME(fv_src_params, latency_ns, "latency", 0, 60e9, 0,
                   "told to sinks for live sources; 0: one frame"),
    FV_OPTION_INT(fv_src_params, frames, "frames", 0, INT_MAX, 0,
                  "end after so many frames, the sound with them; 0: all"),
    FV_OPTION_BOOL(fv_src_params, loop, "loop", false, "start again at the end, time going on"),
    FV_OPTION_BOOL(fv_src_params, realtime, "realtime", false,
                   "a file as if it were a camera: frames at their time, never late"),
    FV_OPTION_ENUM(fv_src_params, live, "live", live_names, FV_LIVE_AUTO,
                   "frames come when the source has them, and are dropped when late; auto: those of cameras. A "
                   "stream by http without length or end is only opened again when it breaks"),
    FV_OPTION_ENUM(fv_src_params, hwaccel, "hwaccel", hwaccel_names, FV_HWACCEL_NONE,
                   "decode on a device if there is one"),
    FV_OPTION_INT(fv_src_params, threads, "threads", 0, 256, 0, "of the decoder; 0: one per core"),
    FV_OPTION_ENUM(fv_src_params, transport, "transport", transport_names, FV_TRANSPORT_TCP,
                   "of RTSP"),
    {0},
};
static const fv_prop_group groups[FV_PROP_GROUPS] = {{options, 0}};

enum { PROP_STATS = 1, PROP_OPTIONS };

static GstElementClass *parent_class;

// ---- properties --------------------------------------------------------------------------------

static GstStructure *stats(fv_src *s) {
    g_mutex_lock(&s->lock);
    GstStructure *t = gst_structure_new(
        "fvsrc-stats", "decoded", G_TYPE_UINT64, s->counts.decoded, "pushed", G_TYPE_UINT64,
        s->pushed, "corrupt-packets", G_TYPE_UINT64, s->counts.corrupt, "repaired-times",
        G_TYPE_UINT64, s->counts.repaired, "dropped-late", G_TYPE_UINT64, s->dropped_late,
        "reconnects", G_TYPE_UINT64, s->reconnects, NULL);
    g_mutex_unlock(&s->lock);
    return t;
}

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    (void)spec;
    GST_OBJECT_LOCK(object);
    fv_props_set(&((fv_src *)object)->params, groups, id - PROP_OPTIONS, value);
    GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
    (void)spec;
    fv_src *s = (fv_src *)object;
    if (id == PROP_STATS) {
        g_value_take_boxed(value, stats(s));
        return;
    }
    GST_OBJECT_LOCK(s);
    fv_props_get(&s->params, groups, id - PROP_OPTIONS, value);
    GST_OBJECT_UNLOCK(s);
}

// ---- seeking -----------------------------------------------------------------------------------

// Makes the task leave whatever it waits for.
static void interrupt(fv_src *s) {
    g_mutex_lock(&s->lock);
    atomic_store(&s->stop, true);
    g_cond_broadcast(&s->wake);
    if (s->waiting)
        gst_clock_id_unschedule(s->waiting);
    g_mutex_unlock(&s->lock);
}

static GstEvent *numbered(GstEvent *event, guint32 seqnum) {
    gst_event_set_seqnum(event, seqnum);
    return event;
}

// Every pad throws away what it has, at once.
static void flush_start(fv_src *s, guint32 seqnum) {
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++)
        if (s->audio[i])
            gst_pad_push_event(fv_audio_pad(s->audio[i]),
                               numbered(gst_event_new_flush_start(), seqnum));
    gst_pad_push_event(s->video, numbered(gst_event_new_flush_start(), seqnum));
}

// The task rests.
static void flush_stop(fv_src *s, guint32 seqnum) {
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++) {
        if (!s->audio[i])
            continue;
        fv_audio_stop(s->audio[i]);
        gst_pad_push_event(fv_audio_pad(s->audio[i]),
                           numbered(gst_event_new_flush_stop(TRUE), seqnum));
        fv_audio_start(s->audio[i]);
    }
    gst_pad_push_event(s->video, numbered(gst_event_new_flush_stop(TRUE), seqnum));
    gst_flow_combiner_reset(s->flows);
}

static gboolean seek(fv_src *s, GstEvent *event) {
    gdouble rate;
    GstFormat format;
    GstSeekFlags flags;
    GstSeekType start_type, stop_type;
    gint64 start, stop;
    gst_event_parse_seek(event, &rate, &format, &flags, &start_type, &start, &stop_type, &stop);
    g_mutex_lock(&s->lock);
    bool possible = s->can_seek && rate > 0 && format == GST_FORMAT_TIME;
    g_mutex_unlock(&s->lock);
    if (!possible)
        return FALSE;
    guint32 seqnum = gst_event_get_seqnum(event);
    if (flags & GST_SEEK_FLAG_FLUSH)
        flush_start(s, seqnum);
    interrupt(s);
    GST_PAD_STREAM_LOCK(s->video); // the task rests
    atomic_store(&s->stop, false);
    if (flags & GST_SEEK_FLAG_FLUSH)
        flush_stop(s, seqnum);
    gst_segment_do_seek(&s->segment, rate, format, flags, start_type, (guint64)start, stop_type,
                        (guint64)stop, NULL);
    s->seek_ns = (int64_t)s->segment.position;
    s->seqnum = seqnum;
    s->need_segment = UINT_MAX;
    gst_pad_start_task(s->video, fv_src_loop, s, NULL);
    GST_PAD_STREAM_UNLOCK(s->video);
    return TRUE;
}

// ---- events and queries of the pads -------------------------------------------------------------

static gboolean pad_event(GstPad *pad, GstObject *parent, GstEvent *event) {
    if (GST_EVENT_TYPE(event) != GST_EVENT_SEEK)
        return gst_pad_event_default(pad, parent, event);
    gboolean done = seek((fv_src *)parent, event);
    gst_event_unref(event);
    return done;
}

static gboolean answer_latency(fv_src *s, GstQuery *q) {
    GstClockTime frame = s->info.fps_n > 0
                             ? gst_util_uint64_scale_int(GST_SECOND, s->info.fps_d, s->info.fps_n)
                             : GST_SECOND / 30;
    GstClockTime own = s->active.latency_ns > 0 ? (GstClockTime)s->active.latency_ns : frame;
    gst_query_set_latency(q, s->is_live, s->is_live ? own : 0, GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean pad_query(GstPad *pad, GstObject *parent, GstQuery *q) {
    fv_src *s = (fv_src *)parent;
    GstFormat format;
    g_mutex_lock(&s->lock);
    gint64 position = s->position_ns, duration = s->duration_ns;
    bool can_seek = s->can_seek;
    g_mutex_unlock(&s->lock);
    switch (GST_QUERY_TYPE(q)) {
    case GST_QUERY_LATENCY: return answer_latency(s, q);
    case GST_QUERY_POSITION:
        gst_query_parse_position(q, &format, NULL);
        if (format == GST_FORMAT_TIME)
            gst_query_set_position(q, format, position);
        return format == GST_FORMAT_TIME;
    case GST_QUERY_DURATION:
        gst_query_parse_duration(q, &format, NULL);
        if (format == GST_FORMAT_TIME && duration)
            gst_query_set_duration(q, format, duration);
        return format == GST_FORMAT_TIME && duration;
    case GST_QUERY_SEEKING:
        gst_query_parse_seeking(q, &format, NULL, NULL, NULL);
        gst_query_set_seeking(q, format, can_seek && format == GST_FORMAT_TIME, 0,
                              duration ? duration : -1);
        return TRUE;
    default: return gst_pad_query_default(pad, parent, q);
    }
}

// What an application sends to the whole pipeline: EOS ends the stream here, properly. Before the first picture that
// is behind it: who waits for pads of sound gets them, and an output is a file that plays.
static gboolean send_event(GstElement *element, GstEvent *event) {
    fv_src *s = (fv_src *)element;
    gboolean done = FALSE;
    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
        g_mutex_lock(&s->lock);
        s->end_requested = true;
        bool now = s->pushed || (s->is_live && !s->playing);
        g_cond_broadcast(&s->wake);
        g_mutex_unlock(&s->lock);
        if (now)
            interrupt(s);
        done = TRUE;
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_SEEK) {
        done = seek(s, event);
    }
    gst_event_unref(event);
    return done;
}

// ---- states ------------------------------------------------------------------------------------

static void reset(fv_src *s) {
    GST_OBJECT_LOCK(s);
    s->active = s->params;
    GST_OBJECT_UNLOCK(s);
    s->is_live = s->active.realtime || fv_uri_is_live(s->active.uri, (fv_live)s->active.live);
    gst_segment_init(&s->segment, GST_FORMAT_TIME);
    gst_flow_combiner_reset(s->flows);
    s->group_id = gst_util_group_id_next();
    s->seqnum = gst_util_seqnum_next();
    s->need_segment = UINT_MAX;
    s->anchored = s->end_requested = s->playing = s->can_seek = s->is_endless = false;
    s->info = (GstVideoInfo){0};
    s->seek_ns = s->last_ns = s->old_ns = FV_TIME_NONE;
    s->offset_ns = s->end_ns = s->position_ns = s->duration_ns = 0;
    s->next_frame = s->pushed = s->dropped_late = s->reconnects = 0;
    s->counts = s->counts_before = (fv_reader_counts){0};
    atomic_store(&s->stop, false);
}

static gboolean activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active) {
    fv_src *s = (fv_src *)parent;
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    if (active)
        return gst_pad_start_task(pad, fv_src_loop, s, NULL);
    interrupt(s);
    return gst_pad_stop_task(pad);
}

static void set_playing(fv_src *s, bool playing) {
    g_mutex_lock(&s->lock);
    s->playing = playing;
    if (!playing && s->waiting)
        gst_clock_id_unschedule(s->waiting);
    g_cond_broadcast(&s->wake);
    g_mutex_unlock(&s->lock);
}

static GstStateChangeReturn change_state(GstElement *element, GstStateChange change) {
    fv_src *s = (fv_src *)element;
    if (change == GST_STATE_CHANGE_READY_TO_PAUSED)
        reset(s);
    if (change == GST_STATE_CHANGE_PLAYING_TO_PAUSED)
        set_playing(s, false);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
        interrupt(s);
    GstStateChangeReturn result = parent_class->change_state(element, change);
    if (change == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
        set_playing(s, true);
    if (change == GST_STATE_CHANGE_PAUSED_TO_READY)
        fv_src_close(s);
    bool pauses = change == GST_STATE_CHANGE_READY_TO_PAUSED ||
                  change == GST_STATE_CHANGE_PLAYING_TO_PAUSED;
    return result == GST_STATE_CHANGE_SUCCESS && pauses && s->is_live ? GST_STATE_CHANGE_NO_PREROLL
                                                                      : result;
}

// ---- the type ----------------------------------------------------------------------------------

static void finalize(GObject *object) {
    fv_src *s = (fv_src *)object;
    gst_flow_combiner_free(s->flows);
    fv_picture_destroy(&s->picture);
    g_mutex_clear(&s->lock);
    g_cond_clear(&s->wake);
    G_OBJECT_CLASS(parent_class)->finalize(object);
}

static void class_init(gpointer g_class, gpointer data) {
    (void)data;
    GObjectClass *object = g_class;
    GstElementClass *element = g_class;
    parent_class = g_type_class_peek_parent(g_class);
    object->finalize = finalize;
    object->set_property = set_property;
    object->get_property = get_property;
    g_object_class_install_property(object, PROP_STATS,
                                    g_param_spec_boxed("stats", "stats", "counts so far",
                                                       GST_TYPE_STRUCTURE,
                                                       G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    fv_props_install(object, "FvSrc", groups, PROP_OPTIONS, false);
    element->change_state = change_state;
    element->send_event = send_event;
    GstCaps *video = gst_caps_from_string(FV_VIDEO_CAPS), *any = gst_caps_new_any();
    gst_element_class_add_pad_template(
        element, gst_pad_template_new("video", GST_PAD_SRC, GST_PAD_ALWAYS, video));
    gst_element_class_add_pad_template(
        element, gst_pad_template_new("audio_%u", GST_PAD_SRC, GST_PAD_SOMETIMES, any));
    gst_caps_unref(video);
    gst_caps_unref(any);
    gst_element_class_set_static_metadata(
        element, "Fovea source", "Source/Video",
        "Any file, URL, camera or series of pictures as raw video, with its encoded audio",
        "The Fovea authors");
}

static void instance_init(GTypeInstance *instance, gpointer g_class) {
    fv_src *s = (fv_src *)instance;
    fv_props_default(&s->params, groups);
    g_mutex_init(&s->lock);
    g_cond_init(&s->wake);
    s->flows = gst_flow_combiner_new();
    s->picture = fv_picture_create();
    s->video = gst_pad_new_from_template(gst_element_class_get_pad_template(g_class, "video"),
                                         "video");
    gst_pad_set_activatemode_function(s->video, activate);
    gst_pad_set_event_function(s->video, pad_event);
    gst_pad_set_query_function(s->video, pad_query);
    gst_flow_combiner_add_pad(s->flows, s->video);
    gst_element_add_pad(GST_ELEMENT(s), s->video);
    GST_OBJECT_FLAG_SET(s, GST_ELEMENT_FLAG_SOURCE);
}

GST_DEBUG_CATEGORY_STATIC(fvsrc_debug);

// What libav says goes where GStreamer's words go: GST_DEBUG=fvsrc:4.
static void log_libav(void *context, int level, const char *format, va_list args) {
    if (level > AV_LOG_VERBOSE)
        return;
    char text[512];
    int prefix = 1;
    av_log_format_line2(context, level, format, args, text, sizeof text, &prefix);
    GST_CAT_LEVEL_LOG(fvsrc_debug,
                      level <= AV_LOG_ERROR     ? GST_LEVEL_WARNING
                      : level <= AV_LOG_WARNING ? GST_LEVEL_INFO
                                                : GST_LEVEL_DEBUG,
                      NULL, "%s", g_strchomp(text));
}

bool fv_src_register(GstPlugin *plugin) {
    GST_DEBUG_CATEGORY_INIT(fvsrc_debug, "fvsrc", 0, "Fovea source, libav");
    av_log_set_callback(log_libav);
    GTypeInfo info = {
        .class_size = sizeof(GstElementClass),
        .class_init = class_init,
        .instance_size = sizeof(fv_src),
        .instance_init = instance_init,
    };
    GType type = g_type_register_static(GST_TYPE_ELEMENT, "FvSrc", &info, 0);
    return gst_element_register(plugin, "fvsrc", GST_RANK_NONE, type);
}
