#include <gst/audio/audio.h>

#include "plugins/common/element.h"
#include "plugins/common/meta.h"
#include "plugins/src/audio.h"
#include "plugins/src/fvsrc.h"
#include "plugins/src/sound.h"
#include "plugins/src/uri.h"

// A live picture this late is dropped before anybody works on it.
#define LATE_NS (500 * INT64_C(1000000))

// No codec wants more sound than this before time 0.
#define LEAD_NS ((int64_t)GST_SECOND)

// In order with the data of each pad. Takes the event.
static void push_all(fv_src *s, GstEvent *event) {
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++)
        if (s->audio[i])
            fv_audio_put(s->audio[i], GST_MINI_OBJECT(gst_event_ref(event)));
    gst_pad_push_event(s->video, event);
}

// ---- waiting -----------------------------------------------------------------------------------

static GstClockTime running_time(fv_src *s) {
    GstClock *clock = gst_element_get_clock(GST_ELEMENT(s));
    if (!clock)
        return GST_CLOCK_TIME_NONE;
    GstClockTime now = gst_clock_get_time(clock), base = gst_element_get_base_time(GST_ELEMENT(s));
    gst_object_unref(clock);
    return now > base ? now - base : 0;
}

// A live source gives nothing while it is paused; what came meanwhile is old.
static void wait_for_playing(fv_src *s) {
    gint64 since = g_get_monotonic_time();
    bool rested = false;
    g_mutex_lock(&s->lock);
    while (s->is_live && !s->playing && !atomic_load(&s->stop)) {
        s->anchored = false;
        rested = true;
        g_cond_wait(&s->wake, &s->lock);
    }
    g_mutex_unlock(&s->lock);
    if (rested && s->reader)
        fv_src_rested(s, s->last_ns, since);
}

static bool is_end_requested(fv_src *s) {
    g_mutex_lock(&s->lock);
    bool requested = s->end_requested;
    g_mutex_unlock(&s->lock);
    return requested;
}

static void wait_for(fv_src *s, int64_t ns) {
    gint64 until = g_get_monotonic_time() + ns / 1000;
    g_mutex_lock(&s->lock);
    while (!atomic_load(&s->stop) && !s->end_requested && g_cond_wait_until(&s->wake, &s->lock, until)) {
    }
    g_mutex_unlock(&s->lock);
}

// `realtime`: not before its time.
static void wait_until_due(fv_src *s, int64_t ts) {
    GstClock *clock = s->active.realtime ? gst_element_get_clock(GST_ELEMENT(s)) : NULL;
    if (!clock)
        return;
    g_mutex_lock(&s->lock);
    GstClockID id = NULL;
    if (!atomic_load(&s->stop) && s->playing)
        id = s->waiting = gst_clock_new_single_shot_id(
            clock, gst_element_get_base_time(GST_ELEMENT(s)) + (GstClockTime)ts);
    g_mutex_unlock(&s->lock);
    if (id)
        gst_clock_id_wait(id, NULL);
    g_mutex_lock(&s->lock);
    s->waiting = NULL;
    g_mutex_unlock(&s->lock);
    if (id)
        gst_clock_id_unref(id);
    gst_object_unref(clock);
}

// ---- pushing -----------------------------------------------------------------------------------

static void push_segment(fv_src *s) {
    if (!(s->need_segment & 1))
        return;
    s->need_segment &= ~1u;
    GstEvent *event = gst_event_new_segment(&s->segment);
    gst_event_set_seqnum(event, s->seqnum);
    gst_pad_push_event(s->video, event);
}

// Does what comes next understand strides? Without an answer it gets the plain layout.
static void ask_strides(fv_src *s, GstCaps *caps) {
    GstQuery *q = gst_query_new_allocation(caps, FALSE);
    s->strides = gst_pad_peer_query(s->video, q) &&
                 gst_query_find_allocation_meta(q, GST_VIDEO_META_API_TYPE, NULL);
    gst_query_unref(q);
}

static bool negotiate(fv_src *s, AVFrame *frame, fv_err *err) {
    GstVideoInfo info;
    AVRational rate = fv_reader_rate(s->reader), par = fv_reader_par(s->reader, frame);
    if (!fv_picture_info(frame, rate, par, &info, err))
        return false;
    bool changed = !s->info.finfo || !gst_video_info_is_equal(&info, &s->info);
    bool asked = gst_pad_check_reconfigure(s->video); // clears the mark, so it comes first
    if (!changed && !asked)
        return true;
    GstCaps *caps = gst_video_info_to_caps(&info);
    if (changed) {
        s->info = info;
        gst_pad_push_event(s->video, gst_event_new_caps(caps));
        if (s->is_live)
            gst_element_post_message(GST_ELEMENT(s), gst_message_new_latency(GST_OBJECT(s)));
    }
    push_segment(s);
    ask_strides(s, caps);
    gst_caps_unref(caps);
    return true;
}

// Live time starts at the running time at which the first frame came.
static void anchor(fv_src *s, int64_t pts_ns) {
    if (!s->is_live || s->anchored)
        return;
    GstClockTime now = running_time(s);
    s->anchored = true;
    s->offset_ns = (GST_CLOCK_TIME_IS_VALID(now) ? MAX((int64_t)now, s->end_ns) : s->end_ns) -
                   pts_ns;
}

static void add_meta(fv_src *s, GstBuffer *buffer, const fv_reader_item *item) {
    const char *name = s->active.stream && *s->active.stream ? s->active.stream
                                                             : GST_OBJECT_NAME(s);
    fv_frame_meta *m = fv_meta_add(buffer, name, s->next_frame++, s->info.width, s->info.height);
    int64_t start = fv_reader_utc_ns(s->reader, &m->utc_source);
    if (start != FV_TIME_NONE) {
        m->utc_ns = start + item->pts_ns;
    } else if (fv_src_is_camera(s) || s->is_endless) {
        m->utc_ns = g_get_real_time() * 1000;
        m->utc_source = FV_UTC_ARRIVAL;
    }
}

// Its number stays empty in the records.
static void count_dropped(fv_src *s) {
    s->next_frame++;
    g_mutex_lock(&s->lock);
    s->dropped_late++;
    g_mutex_unlock(&s->lock);
}

// It came while the source was paused; before the first frame of a run nobody misses it.
static bool is_old(fv_src *s, int64_t pts_ns) {
    if (s->old_ns == FV_TIME_NONE || pts_ns >= s->old_ns) {
        s->old_ns = FV_TIME_NONE;
        return false;
    }
    if (s->next_frame)
        count_dropped(s);
    return true;
}

static bool is_too_late(fv_src *s, int64_t ts) {
    GstClockTime now = s->is_live ? running_time(s) : GST_CLOCK_TIME_NONE;
    if (!GST_CLOCK_TIME_IS_VALID(now) || (int64_t)now - ts < LATE_NS)
        return false;
    count_dropped(s);
    return true;
}

static GstFlowReturn fail(fv_src *s, const fv_err *err) {
    fv_element_error(GST_ELEMENT(s), err);
    return GST_FLOW_ERROR;
}

static GstFlowReturn push_video(fv_src *s, const fv_reader_item *item) {
    fv_err err = {0};
    s->last_ns = item->pts_ns;
    if (is_old(s, item->pts_ns))
        return GST_FLOW_OK;
    anchor(s, item->pts_ns);
    int64_t ts = item->pts_ns + s->offset_ns;
    guint64 begin = (guint64)MAX(ts, 0), length = (guint64)item->duration_ns;
    s->end_ns = MAX(s->end_ns, ts + item->duration_ns);
    if (GST_CLOCK_TIME_IS_VALID(s->segment.stop) && begin >= s->segment.stop)
        return GST_FLOW_EOS;
    if (s->active.frames > 0 && s->next_frame >= (guint64)s->active.frames)
        return GST_FLOW_EOS;
    bool before = begin < s->segment.start && begin + length <= s->segment.start;
    if (ts < 0 || before || is_too_late(s, ts))
        return GST_FLOW_OK;
    if (!negotiate(s, item->frame, &err))
        return fail(s, &err);
    GstBuffer *buffer = fv_picture_wrap(s->picture, item->frame, &s->info, s->strides, &err);
    if (!buffer)
        return fail(s, &err);
    GST_BUFFER_PTS(buffer) = begin;
    GST_BUFFER_DURATION(buffer) = length ? length : GST_CLOCK_TIME_NONE;
    if (item->is_first)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    add_meta(s, buffer, item);
    wait_until_due(s, ts);
    push_segment(s);
    g_mutex_lock(&s->lock);
    s->pushed++;
    s->position_ns = ts;
    g_mutex_unlock(&s->lock);
    GstFlowReturn flow = gst_pad_push(s->video, buffer);
    GstFlowReturn all = gst_flow_combiner_update_pad_flow(s->flows, s->video, flow);
    return flow == GST_FLOW_EOS ? flow : all; // who has seen enough pictures needs no more sound
}

// Priming, sound before time 0, is decoded before the segment begins and presented when it does: what is
// presented before a segment is thrown away by muxers, but of a difference they make an edit list. The
// segment of such a pad begins late enough to count back from.
static void begin_audio(fv_src *s, int i, int64_t ts) {
    if (!(s->need_segment & 2u << i))
        return;
    s->need_segment &= ~(2u << i);
    GstSegment segment = s->segment;
    s->lead_ns[i] = ts < 0 ? LEAD_NS : 0;
    segment.start += (guint64)s->lead_ns[i];
    segment.position += (guint64)s->lead_ns[i];
    if (GST_CLOCK_TIME_IS_VALID(segment.stop))
        segment.stop += (guint64)s->lead_ns[i];
    GstEvent *event = gst_event_new_segment(&segment);
    gst_event_set_seqnum(event, s->seqnum);
    fv_audio_put(s->audio[i], GST_MINI_OBJECT(event));
}

static bool is_wanted(const fv_src *s, int64_t ts, int64_t duration) {
    if (s->is_live || s->segment.start > 0)
        return ts >= 0 && (guint64)(ts + duration) >= s->segment.start;
    return ts >= -LEAD_NS;
}

// Of Opus, whose last packet may hold more than the sound: who mixes or writes it leaves that out.
static void add_clipping(fv_src *s, GstBuffer *buffer, const fv_reader_item *item) {
    const AVStream *stream = fv_reader_audio(s->reader, item->audio);
    int64_t more = fv_sound_surplus(stream, item->packet);
    if (more > 0)
        gst_buffer_add_audio_clipping_meta(buffer, GST_FORMAT_DEFAULT, 0, (guint64)more);
}

static GstFlowReturn push_audio(fv_src *s, const fv_reader_item *item) {
    fv_audio *audio = s->audio[item->audio];
    bool timed = item->pts_ns != FV_TIME_NONE;
    if (!audio || (s->is_live && !s->anchored))
        return GST_FLOW_OK;
    int64_t ts = timed ? item->pts_ns + s->offset_ns : 0;
    if (!is_wanted(s, ts, item->duration_ns))
        return GST_FLOW_OK;
    begin_audio(s, item->audio, ts);
    guint64 lead = (guint64)s->lead_ns[item->audio];
    GstBuffer *buffer = gst_buffer_new_memdup(item->packet->data, (gsize)item->packet->size);
    GST_BUFFER_PTS(buffer) = timed ? (guint64)MAX(ts, 0) + lead : GST_CLOCK_TIME_NONE;
    GST_BUFFER_DTS(buffer) = timed ? (guint64)ts + lead : GST_CLOCK_TIME_NONE;
    GST_BUFFER_DURATION(buffer) = item->duration_ns ? (guint64)item->duration_ns
                                                    : GST_CLOCK_TIME_NONE;
    if (item->is_first)
        GST_BUFFER_FLAG_SET(buffer, GST_BUFFER_FLAG_DISCONT);
    add_clipping(s, buffer, item);
    GstFlowReturn flow = fv_audio_put(audio, GST_MINI_OBJECT(buffer));
    return gst_flow_combiner_update_pad_flow(s->flows, fv_audio_pad(audio), flow);
}

// ---- ends --------------------------------------------------------------------------------------

static void post_status(fv_src *s, const char *status) {
    gst_element_post_message(
        GST_ELEMENT(s),
        gst_message_new_element(
            GST_OBJECT(s), gst_structure_new("fvsrc", "status", G_TYPE_STRING, status, "uri",
                                             G_TYPE_STRING, fv_uri_redact(s->active.uri),
                                             "reconnects", G_TYPE_UINT64, s->reconnects, NULL)));
}

// The camera went away: try again until it comes back or nobody wants it any more.
static GstFlowReturn reconnect(fv_src *s, const fv_err *why) {
    fv_err err = *why;
    fv_src_close_reader(s);
    if (!s->is_live)
        fv_fail(&err, FV_IO, "%s: broke off; it named no length, so it is opened again; `live: no` if it is a recording",
                fv_uri_redact(s->active.uri));
    else if (!err.text[0])
        fv_fail(&err, FV_IO, "%s: the stream ended", fv_uri_redact(s->active.uri));
    fv_element_warning(GST_ELEMENT(s), &err);
    post_status(s, "lost");
    while (!atomic_load(&s->stop)) {
        wait_for(s, s->active.reconnect_ns);
        if (is_end_requested(s))
            return GST_FLOW_EOS;
        if (!atomic_load(&s->stop) && fv_src_open(s, &err)) {
            s->offset_ns = s->is_live ? s->offset_ns : s->end_ns; // a live one is anchored by its first frame
            g_mutex_lock(&s->lock);
            s->reconnects++;
            g_mutex_unlock(&s->lock);
            post_status(s, "back");
            break;
        }
    }
    return GST_FLOW_OK;
}

static void warn_if_nothing_came(fv_src *s) {
    fv_err err = {0};
    fv_src_count(s);
    if (s->counts.decoded || s->seek_ns != FV_TIME_NONE)
        return;
    fv_fail(&err, FV_BAD_INPUT,
            "%s: not one frame could be decoded (%llu bad packets); the output is empty",
            fv_uri_redact(s->active.uri), (unsigned long long)s->counts.corrupt);
    fv_element_warning(GST_ELEMENT(s), &err);
}

// The video's own length where the file says it; 0: not known. A length of the whole file may be
// the sound's.
static int64_t video_length(fv_src *s) {
    const AVStream *v = fv_reader_video(s->reader);
    if (v->duration > 0)
        return av_rescale_q(v->duration, v->time_base, (AVRational){1, GST_SECOND});
    return fv_reader_n_audio(s->reader) ? 0 : fv_reader_duration_ns(s->reader);
}

static void warn_if_cut_short(fv_src *s) {
    fv_err err = {0};
    int64_t length = video_length(s), missing = length - s->end_ns;
    if (s->is_live || !s->counts.decoded || s->end_requested || missing < (int64_t)GST_SECOND / 2)
        return;
    fv_fail(&err, FV_BAD_INPUT,
            "%s: ends at %.2f s, but says it is %.2f s long: the file is cut short; what is there "
            "was used",
            fv_uri_redact(s->active.uri), (double)s->end_ns / 1e9, (double)length / 1e9);
    fv_element_warning(GST_ELEMENT(s), &err);
}

static GstFlowReturn at_end(fv_src *s, const fv_err *why) {
    fv_err err = {0};
    bool breaks = fv_src_is_camera(s) || (s->is_endless && why->text[0]); // a server may say that this is the end
    if (breaks && s->active.reconnect_ns > 0)
        return reconnect(s, why);
    if (why->text[0])
        return fail(s, why);
    if (s->active.loop && fv_reader_get_counts(s->reader).decoded &&
        fv_reader_seek(s->reader, 0, &err)) {
        s->offset_ns = s->end_ns;
        return GST_FLOW_OK;
    }
    warn_if_nothing_came(s);
    warn_if_cut_short(s);
    return GST_FLOW_EOS;
}

static void push_eos(fv_src *s) {
    if (s->segment.flags & GST_SEGMENT_FLAG_SEGMENT) {
        gint64 stop = GST_CLOCK_TIME_IS_VALID(s->segment.stop) ? (gint64)s->segment.stop
                                                               : s->end_ns;
        gst_element_post_message(
            GST_ELEMENT(s), gst_message_new_segment_done(GST_OBJECT(s), GST_FORMAT_TIME, stop));
        push_all(s, gst_event_new_segment_done(GST_FORMAT_TIME, stop));
        return;
    }
    GstEvent *event = gst_event_new_eos();
    gst_event_set_seqnum(event, s->seqnum);
    push_all(s, event);
}

// ---- the task ----------------------------------------------------------------------------------

static bool begin(fv_src *s, fv_err *err) {
    if (!s->reader && !fv_src_open(s, err))
        return false;
    if (s->seek_ns == FV_TIME_NONE)
        return true;
    int64_t to = s->seek_ns;
    s->seek_ns = FV_TIME_NONE;
    s->offset_ns = 0;
    s->end_ns = to;
    return fv_reader_seek(s->reader, to, err);
}

static GstFlowReturn step(fv_src *s) {
    fv_err err = {0};
    fv_reader_item item;
    wait_for_playing(s);
    if (!begin(s, &err))
        return atomic_load(&s->stop) ? GST_FLOW_FLUSHING : fail(s, &err);
    wait_for_playing(s);
    fv_read_result result = fv_reader_next(s->reader, &item, &err);
    fv_src_count(s);
    if (result == FV_READ_STOPPED)
        return GST_FLOW_FLUSHING;
    if (result != FV_READ_ITEM)
        return at_end(s, &err);
    return item.frame ? push_video(s, &item) : push_audio(s, &item);
}

void fv_src_loop(void *src) {
    fv_src *s = src;
    GstFlowReturn flow = atomic_load(&s->stop) ? GST_FLOW_FLUSHING : step(s);
    if (is_end_requested(s) && flow != GST_FLOW_ERROR && (s->pushed || flow != GST_FLOW_OK))
        flow = GST_FLOW_EOS;
    if (flow == GST_FLOW_OK)
        return;
    gst_pad_pause_task(s->video);
    if (flow == GST_FLOW_FLUSHING)
        return;
    if (flow == GST_FLOW_NOT_LINKED || flow == GST_FLOW_NOT_NEGOTIATED)
        GST_ELEMENT_FLOW_ERROR(s, flow);
    if (!s->started) // nothing could be opened; EOS needs a stream all the same
        fv_src_begin_pad(s, s->video);
    push_eos(s);
}
