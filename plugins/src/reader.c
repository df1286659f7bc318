#include "plugins/src/reader.h"

#include <libavutil/display.h>
#include <libavutil/opt.h>
#include <libavutil/parseutils.h>
#include <libavutil/time.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const AVRational NS = {1, 1000000000};

#define UTC_MAX_US INT64_C(7258118400000000) // the year 2200: nanoseconds end in 2262

struct fv_reader {
    fv_reader_params params;
    const atomic_bool *stop;
    fv_uri uri;
    int64_t deadline_us;        // of the call into libav that runs now; 0: none
    AVFormatContext *format;
    AVCodecContext *decoder;
    AVBufferRef *device;
    enum AVPixelFormat device_format;
    AVStream *video, *audio[FV_READER_MAX_AUDIO];
    int n_audio;
    AVFrame *frame, *host_frame;
    AVPacket *packet;
    bool draining, is_first, audio_first[FV_READER_MAX_AUDIO];
    int64_t start_ns;           // of the container: time 0 of the stream
    int64_t last_pts_ns;        // of a picture; FV_TIME_NONE after a seek
    int64_t last_duration_ns;
    fv_reader_counts counts;
};

// ---- opening -----------------------------------------------------------------------------------

static int interrupted(void *user) {
    const fv_reader *r = user;
    return atomic_load(r->stop) || (r->deadline_us && av_gettime_relative() > r->deadline_us);
}

static void set_deadline(fv_reader *r) {
    bool bounded = r->params.wish.timeout_ns > 0 && (r->uri.is_network || r->uri.is_live);
    r->deadline_us = bounded ? av_gettime_relative() + r->params.wish.timeout_ns / 1000 : 0;
}

static bool open_format(fv_reader *r, fv_err *err) {
    const fv_reader_params *p = &r->params;
    if (!fv_uri_parse(&r->uri, p->uri, &p->wish, err))
        return false;
    if (!(r->format = avformat_alloc_context()))
        return fv_fail(err, FV_MEMORY, "fvsrc: no memory for a demuxer");
    r->format->interrupt_callback = (AVIOInterruptCB){interrupted, r};
    if (r->uri.poll)
        r->format->flags |= AVFMT_FLAG_NONBLOCK;
    if (r->uri.is_live)
        r->format->flags |= AVFMT_FLAG_NOBUFFER;
    set_deadline(r);
    int e = avformat_open_input(&r->format, r->uri.url, r->uri.format, &r->uri.options);
    if (e >= 0)
        e = avformat_find_stream_info(r->format, NULL);
    return e >= 0 || fv_uri_fail(p->uri, e, err);
}

static void choose_streams(fv_reader *r, int video) {
    for (unsigned i = 0; i < r->format->nb_streams; i++) {
        AVStream *s = r->format->streams[i];
        bool is_audio = s->codecpar->codec_type == AVMEDIA_TYPE_AUDIO &&
                        r->n_audio < FV_READER_MAX_AUDIO;
        if (is_audio)
            r->audio[r->n_audio++] = s;
        else if ((int)i != video)
            s->discard = AVDISCARD_ALL;
    }
    r->video = r->format->streams[video];
}

static enum AVPixelFormat prefer_device(AVCodecContext *decoder,
                                        const enum AVPixelFormat *offered) {
    const fv_reader *r = decoder->opaque;
    for (const enum AVPixelFormat *f = offered; *f != AV_PIX_FMT_NONE; f++)
        if (*f == r->device_format)
            return *f;
    return avcodec_default_get_format(decoder, offered);
}

// The first device that the codec knows and that this machine has; none is no error.
static void open_device(fv_reader *r, const AVCodec *codec) {
    const AVCodecHWConfig *c;
    for (int i = 0; !r->device && (c = avcodec_get_hw_config(codec, i)); i++) {
        if (!(c->methods & AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX) ||
            av_hwdevice_ctx_create(&r->device, c->device_type, NULL, NULL, 0) < 0)
            continue;
        r->device_format = c->pix_fmt;
        r->decoder->hw_device_ctx = av_buffer_ref(r->device);
        r->decoder->get_format = prefer_device;
        r->decoder->opaque = r;
    }
}

// Frames are decoded side by side from files; a camera's must not wait for the next ones.
static bool open_decoder(fv_reader *r, const AVCodec *codec, fv_err *err) {
    if (!(r->decoder = avcodec_alloc_context3(codec)))
        return fv_fail(err, FV_MEMORY, "fvsrc: no memory for a decoder");
    int e = avcodec_parameters_to_context(r->decoder, r->video->codecpar);
    r->decoder->pkt_timebase = r->video->time_base;
    r->decoder->thread_count = r->params.threads;
    r->decoder->thread_type = r->uri.is_live ? FF_THREAD_SLICE : FF_THREAD_FRAME | FF_THREAD_SLICE;
    if (r->uri.is_live)
        r->decoder->flags |= AV_CODEC_FLAG_LOW_DELAY;
    if (r->params.hwaccel)
        open_device(r, codec);
    if (e >= 0)
        e = avcodec_open2(r->decoder, codec, NULL);
    return e >= 0 || fv_uri_fail(r->params.uri, e, err);
}

// The earliest stream's start. Sound may begin before 0, with priming: then 0 stays 0.
static int64_t start_of(const fv_reader *r) {
    int64_t start = r->format->start_time, video = r->video->start_time;
    if (start == AV_NOPTS_VALUE)
        return 0;
    if (start >= 0)
        return av_rescale_q(start, AV_TIME_BASE_Q, NS);
    return video != AV_NOPTS_VALUE && video < 0 ? av_rescale_q(video, r->video->time_base, NS) : 0;
}

static bool open_all(fv_reader *r, fv_err *err) {
    if (!open_format(r, err))
        return false;
    const AVCodec *codec = NULL;
    int video = av_find_best_stream(r->format, AVMEDIA_TYPE_VIDEO, -1, -1, &codec, 0);
    if (video == AVERROR_STREAM_NOT_FOUND ||
        (video >= 0 && r->format->streams[video]->disposition & AV_DISPOSITION_ATTACHED_PIC))
        return fv_fail(err, FV_BAD_INPUT, "%s: has no video%s; give a file with video",
                       fv_uri_redact(r->params.uri),
                       r->format->nb_streams ? ", only sound or data" : ": it is empty");
    if (video < 0)
        return fv_uri_fail(r->params.uri, video, err);
    choose_streams(r, video);
    r->frame = av_frame_alloc();
    r->host_frame = av_frame_alloc();
    r->packet = av_packet_alloc();
    if (!r->frame || !r->host_frame || !r->packet)
        return fv_fail(err, FV_MEMORY, "fvsrc: no memory for a frame");
    r->start_ns = start_of(r);
    return open_decoder(r, codec, err);
}

static void forget(fv_reader *r) {
    r->last_pts_ns = FV_TIME_NONE;
    r->is_first = true;
    r->draining = false;
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++)
        r->audio_first[i] = true;
}

fv_reader *fv_reader_open(const fv_reader_params *params, const atomic_bool *stop, fv_err *err) {
    fv_reader *r = calloc(1, sizeof *r);
    if (!r) {
        fv_fail(err, FV_MEMORY, "fvsrc: no memory for a reader");
        return NULL;
    }
    r->params = *params;
    r->stop = stop;
    r->device_format = AV_PIX_FMT_NONE;
    forget(r);
    if (!open_all(r, err))
        fv_reader_destroy(&r);
    return r;
}

void fv_reader_resume(fv_reader *r, const atomic_bool *stop) {
    static const atomic_bool never;
    r->stop = stop ? stop : &never;
    r->counts = (fv_reader_counts){0};
    r->is_first = true;
    for (int i = 0; i < FV_READER_MAX_AUDIO; i++)
        r->audio_first[i] = true;
}

void fv_reader_destroy(fv_reader **r) {
    if (!r || !*r)
        return;
    avcodec_free_context(&(*r)->decoder);
    avformat_close_input(&(*r)->format);
    av_buffer_unref(&(*r)->device);
    av_frame_free(&(*r)->frame);
    av_frame_free(&(*r)->host_frame);
    av_packet_free(&(*r)->packet);
    fv_uri_finish(&(*r)->uri);
    free(*r);
    *r = NULL;
}

// ---- times -------------------------------------------------------------------------------------

static int64_t duration_of(const AVFrame *f) {
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return f->duration;
#else
    return f->pkt_duration;
#endif
}

static int64_t usual_duration_ns(const fv_reader *r) {
    AVRational rate = fv_reader_rate(r);
    return rate.num > 0 ? av_rescale(NS.den, rate.den, rate.num) : 0;
}

static void stamp(fv_reader *r, const AVFrame *f, fv_reader_item *item) {
    AVRational base = r->video->time_base;
    int64_t d = duration_of(f) > 0 ? av_rescale_q(duration_of(f), base, NS) : usual_duration_ns(r);
    int64_t t = f->best_effort_timestamp, last = r->last_pts_ns;
    bool known = t != AV_NOPTS_VALUE;
    int64_t pts = known ? av_rescale_q(t, base, NS) - r->start_ns : 0;
    if (last != FV_TIME_NONE && (!known || pts <= last)) {
        pts = last + (r->last_duration_ns > 0 ? r->last_duration_ns : NS.den / 25);
        r->counts.repaired++;
    }
    r->last_pts_ns = pts;
    r->last_duration_ns = d;
    item->pts_ns = pts;
    item->duration_ns = d;
}

// ---- reading -----------------------------------------------------------------------------------

// A picture on a device comes to the host; fails when that does.
static bool to_host(fv_reader *r) {
    if (!r->frame->hw_frames_ctx)
        return true;
    av_frame_unref(r->host_frame);
    if (av_hwframe_transfer_data(r->host_frame, r->frame, 0) < 0 ||
        av_frame_copy_props(r->host_frame, r->frame) < 0)
        return false;
    av_frame_unref(r->frame);
    av_frame_move_ref(r->frame, r->host_frame);
    return true;
}

// A decoded picture, if one is ready.
static bool take_picture(fv_reader *r, fv_reader_item *item, bool *finished) {
    int e;
    while ((e = avcodec_receive_frame(r->decoder, r->frame)) != AVERROR(EAGAIN) &&
           e != AVERROR_EOF) {
        if (e < 0 || !to_host(r)) {
            r->counts.corrupt++;
            continue;
        }
        r->counts.decoded++;
        *item = (fv_reader_item){.frame = r->frame, .is_first = r->is_first};
        stamp(r, r->frame, item);
        r->is_first = false;
        return true;
    }
    *finished = e == AVERROR_EOF;
    return false;
}

static void take_audio(fv_reader *r, int i, fv_reader_item *item) {
    const AVPacket *p = r->packet;
    AVRational base = r->audio[i]->time_base;
    int64_t pts = p->pts != AV_NOPTS_VALUE ? p->pts : p->dts;
    *item = (fv_reader_item){
        .packet = r->packet, .audio = i, .is_first = r->audio_first[i], .pts_ns = FV_TIME_NONE};
    if (p->duration > 0)
        item->duration_ns = av_rescale_q(p->duration, base, NS);
    if (pts != AV_NOPTS_VALUE)
        item->pts_ns = av_rescale_q(pts, base, NS) - r->start_ns;
    r->audio_first[i] = false;
}

static int audio_index(const fv_reader *r, int stream) {
    for (int i = 0; i < r->n_audio; i++)
        if (r->audio[i]->index == stream)
            return i;
    return -1;
}

static int read_packet(fv_reader *r) {
    av_packet_unref(r->packet);
    set_deadline(r);
    int e;
    while ((e = av_read_frame(r->format, r->packet)) == AVERROR(EAGAIN) && !interrupted(r))
        av_usleep(2000);
    return e;
}

static void feed(fv_reader *r, const AVPacket *packet) {
    int e = avcodec_send_packet(r->decoder, packet);
    r->counts.corrupt += e < 0 && e != AVERROR_EOF && packet;
}

// Without a length a server that hangs up looks to libav as one that broke down; here it is told that it is none that
// goes on for ever.
static bool is_end_of_recording(const fv_reader *r) {
    return r->params.wish.live == FV_LIVE_NO && fv_reader_is_endless(r);
}

fv_read_result fv_reader_next(fv_reader *r, fv_reader_item *item, fv_err *err) {
    for (bool finished = false;;) {
        if (take_picture(r, item, &finished))
            return FV_READ_ITEM;
        if (finished)
            return FV_READ_END;
        if (atomic_load(r->stop))
            return FV_READ_STOPPED;
        int e = read_packet(r);
        if (e == AVERROR_EOF || (e == AVERROR_INVALIDDATA && !r->uri.is_network) || (e == AVERROR(EIO) && is_end_of_recording(r))) {
            r->counts.corrupt += e == AVERROR_INVALIDDATA; // cut off here: what came so far is good
            feed(r, NULL);
        } else if (e < 0) {
            if (atomic_load(r->stop))
                return FV_READ_STOPPED;
            fv_uri_fail(r->params.uri, e, err);
            return FV_READ_FAILED;
        } else if (r->packet->stream_index == r->video->index) {
            feed(r, r->packet);
        } else {
            int i = audio_index(r, r->packet->stream_index);
            if (i < 0)
                continue;
            take_audio(r, i, item);
            return FV_READ_ITEM;
        }
    }
}

bool fv_reader_seek(fv_reader *r, int64_t to_ns, fv_err *err) {
    int64_t t = av_rescale_q(to_ns + r->start_ns, NS, AV_TIME_BASE_Q);
    set_deadline(r);
    int e = avformat_seek_file(r->format, -1, INT64_MIN, t, t, 0);
    if (e < 0 && to_ns == 0)
        e = av_seek_frame(r->format, -1, t, AVSEEK_FLAG_BACKWARD | AVSEEK_FLAG_ANY);
    if (e < 0)
        return fv_fail(err, FV_IO, "%s: cannot seek to %.3f s", fv_uri_redact(r->params.uri),
                       (double)to_ns / 1e9);
    avcodec_flush_buffers(r->decoder);
    forget(r);
    return true;
}

// ---- what is known of the streams ---------------------------------------------------------------

const AVStream *fv_reader_video(const fv_reader *r) {
    return r->video;
}

int fv_reader_n_audio(const fv_reader *r) {
    return r->n_audio;
}

const AVStream *fv_reader_audio(const fv_reader *r, int i) {
    return r->audio[i];
}

int64_t fv_reader_duration_ns(const fv_reader *r) {
    return r->format->duration > 0 && !r->uri.is_live
               ? av_rescale_q(r->format->duration, AV_TIME_BASE_Q, NS)
               : 0;
}

bool fv_reader_can_seek(const fv_reader *r) {
    return !r->uri.is_live && (r->uri.is_plain_file || (r->format->pb && r->format->pb->seekable));
}

bool fv_reader_is_network(const fv_reader *r) {
    return r->uri.is_network;
}

bool fv_reader_is_endless(const fv_reader *r) {
    AVIOContext *io = r->format->pb;
    return r->uri.is_network && !r->uri.is_live && r->format->duration <= 0 && io && !io->seekable && avio_size(io) <= 0;
}

AVRational fv_reader_rate(const fv_reader *r) {
    AVRational rate = av_guess_frame_rate(r->format, r->video, NULL);
    return rate.num > 0 && rate.den > 0 && av_q2d(rate) < 1000 ? rate : (AVRational){0, 1};
}

AVRational fv_reader_par(const fv_reader *r, AVFrame *frame) {
    AVRational par = av_guess_sample_aspect_ratio(r->format, r->video, frame);
    return par.num > 0 && par.den > 0 ? par : (AVRational){1, 1};
}

static const int32_t *display_matrix(const AVStream *s) {
#if LIBAVFORMAT_VERSION_MAJOR >= 61
    const AVPacketSideData *d = av_packet_side_data_get(
        s->codecpar->coded_side_data, s->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    return d && d->size >= 36 ? (const int32_t *)d->data : NULL;
#else
    size_t size = 0;
    const uint8_t *data = av_stream_get_side_data(s, AV_PKT_DATA_DISPLAYMATRIX, &size);
    return size >= 36 ? (const int32_t *)data : NULL;
#endif
}

const char *fv_reader_orientation(const fv_reader *r) {
    static const char *const names[2][4] = {
        {NULL, "rotate-90", "rotate-180", "rotate-270"},
        {"flip-rotate-0", "flip-rotate-90", "flip-rotate-180", "flip-rotate-270"}};
    const int32_t *m = display_matrix(r->video);
    if (!m)
        return NULL;
    int32_t upright[9];
    memcpy(upright, m, sizeof upright);
    bool flip = (double)m[0] * m[4] - (double)m[1] * m[3] < 0;
    if (flip)
        av_display_matrix_flip(upright, 1, 0);
    double degrees = -av_display_rotation_get(upright); // libav counts against the clock
    return isnan(degrees) ? NULL : names[flip][((int)lrint(degrees / 90) % 4 + 4) % 4];
}

int64_t fv_reader_utc_ns(const fv_reader *r, fv_utc_source *source) {
    int64_t start = r->format->start_time_realtime, us = 0;
    if (start > 0 && start < UTC_MAX_US) {
        *source = FV_UTC_RTCP;
        return start * 1000;
    }
    const AVDictionaryEntry *e = av_dict_get(r->format->metadata, "creation_time", NULL, 0);
    bool known = e && av_parse_time(&us, e->value, 0) >= 0 && us > 0 && us < UTC_MAX_US;
    *source = known ? FV_UTC_FILE : FV_UTC_NONE;
    return known ? us * 1000 : FV_TIME_NONE;
}

fv_reader_counts fv_reader_get_counts(const fv_reader *r) {
    return r->counts;
}
