// fvsrc opens and closes: the reader, and the pads that it needs.
#include "plugins/common/element.h"
#include "plugins/src/fvsrc.h"
#include "plugins/src/session.h"
#include "plugins/src/sound.h"
#include "plugins/src/uri.h"

// Frames come a little before or after their time.
#define JITTER_NS (50 * INT64_C(1000000))

void fv_src_begin_pad(fv_src *s, GstPad *pad) {
    char *id = gst_pad_create_stream_id(pad, GST_ELEMENT(s), GST_PAD_NAME(pad));
    GstEvent *event = gst_event_new_stream_start(id);
    gst_event_set_group_id(event, s->group_id);
    gst_pad_push_event(pad, event);
    g_free(id);
}

static void add_audio_pad(fv_src *s, int i, GstCaps *caps) {
    GstPadTemplate *t = gst_element_get_pad_template(GST_ELEMENT(s), "audio_%u");
    char *name = g_strdup_printf("audio_%u", s->n_audio_pads++);
    s->audio[i] = fv_audio_create(GST_ELEMENT(s), t, name, s->video);
    g_free(name);
    GstPad *pad = fv_audio_pad(s->audio[i]);
    fv_src_begin_pad(s, pad);
    gst_pad_push_event(pad, gst_event_new_caps(caps));
    gst_flow_combiner_add_pad(s->flows, pad);
    gst_element_add_pad(GST_ELEMENT(s), pad);
}

static void warn_left_out(fv_src *s, int i, const AVStream *stream) {
    fv_err err;
    fv_fail(&err, FV_UNSUPPORTED, "%s: sound %d is left out, %s is not known here; `ffmpeg -c:a aac` makes it known",
            fv_uri_redact(s->active.uri), i, avcodec_get_name(stream->codecpar->codec_id));
    fv_element_warning(GST_ELEMENT(s), &err);
}

static void add_audio(fv_src *s) {
    for (int i = 0; i < fv_reader_n_audio(s->reader); i++) {
        const AVStream *stream = fv_reader_audio(s->reader, i);
        GstCaps *caps = fv_sound_caps(stream);
        if (caps)
            add_audio_pad(s, i, caps);
        else
            warn_left_out(s, i, stream);
        gst_clear_caps(&caps);
    }
}

// Once per run; a stream that comes back after a break goes on in the same pads.
static void start_streams(fv_src *s) {
    s->started = true;
    fv_src_begin_pad(s, s->video);
    add_audio(s);
    gst_element_no_more_pads(GST_ELEMENT(s));
    const char *orientation = fv_reader_orientation(s->reader);
    if (orientation) // after caps and segment, when there are some: sticky events go out in order
        gst_pad_store_sticky_event(s->video, gst_event_new_tag(gst_tag_list_new(
                                                 GST_TAG_IMAGE_ORIENTATION, orientation, NULL)));
}

bool fv_src_is_camera(const fv_src *s) {
    return s->is_live && !s->active.realtime;
}

void fv_src_rested(fv_src *s, int64_t pts_ns, gint64 since_us) {
    if (fv_src_is_camera(s) && pts_ns != FV_TIME_NONE)
        s->old_ns = pts_ns + (g_get_monotonic_time() - since_us) * 1000 - JITTER_NS;
}

// A source that another element left open, or a new one.
static fv_reader *get_reader(fv_src *s, fv_err *err) {
    const fv_src_params *p = &s->active;
    fv_session session;
    s->last_ns = s->old_ns = FV_TIME_NONE;
    if (fv_src_is_camera(s) && fv_session_take(GST_ELEMENT(s), &session)) {
        fv_reader_resume(session.reader, &s->stop);
        fv_src_rested(s, session.pts_ns, session.since_us);
        return session.reader;
    }
    return fv_reader_open(&(fv_reader_params){.uri = p->uri,
                                              .wish = {.size = p->size,
                                                       .rate = p->rate,
                                                       .format = p->format,
                                                       .timeout_ns = p->timeout_ns,
                                                       .tcp = p->transport == FV_TRANSPORT_TCP,
                                                       .live = p->live},
                                              .threads = p->threads,
                                              .hwaccel = p->hwaccel == FV_HWACCEL_AUTO},
                          &s->stop, err);
}

bool fv_src_open(fv_src *s, fv_err *err) {
    s->reader = get_reader(s, err);
    if (!s->reader)
        return false;
    if (!s->started)
        start_streams(s);
    s->anchored = false;
    s->is_endless = s->active.live == FV_LIVE_AUTO && fv_reader_is_endless(s->reader);
    g_mutex_lock(&s->lock);
    s->duration_ns = fv_reader_duration_ns(s->reader);
    s->can_seek = fv_reader_can_seek(s->reader) && !s->is_live;
    g_mutex_unlock(&s->lock);
    s->segment.duration = s->duration_ns ? (guint64)s->duration_ns : GST_CLOCK_TIME_NONE;
    return true;
}

void fv_src_count(fv_src *s) {
    fv_reader_counts now = fv_reader_get_counts(s->reader), *before = &s->counts_before;
    g_mutex_lock(&s->lock);
    s->counts = (fv_reader_counts){before->decoded + now.decoded, before->corrupt + now.corrupt,
                                   before->repaired + now.repaired};
    g_mutex_unlock(&s->lock);
}

void fv_src_close_reader(fv_src *s) {
    if (!s->reader)
        return;
    fv_src_count(s);
    s->counts_before = s->counts;
    fv_reader_destroy(&s->reader);
}

void fv_src_close(fv_src *s) {
    if (s->reader && fv_src_is_camera(s) && fv_session_is_wanted(GST_ELEMENT(s))) {
        fv_reader_resume(s->reader, NULL);
        fv_session session = {s->reader, s->last_ns, g_get_monotonic_time()};
        fv_session_leave(GST_ELEMENT(s), &session);
        s->reader = NULL;
    }
    fv_src_close_reader(s);
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++) {
        if (!s->audio[i])
            continue;
        gst_flow_combiner_remove_pad(s->flows, fv_audio_pad(s->audio[i]));
        fv_audio_destroy(&s->audio[i]);
    }
    s->n_audio_pads = 0;
    s->started = false;
}

