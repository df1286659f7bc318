// fvsrc: plugins/src/reader behind GStreamer pads. fvsrc.c is the element (properties, states,
// events, queries), stream.c the task that reads and pushes.
#pragma once

#include <gst/base/gstflowcombiner.h>
#include <gst/gst.h>
#include <gst/video/video.h>
#include <stdatomic.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"
#include "plugins/src/audio.h"
#include "plugins/src/picture.h"
#include "plugins/src/reader.h"

typedef enum { FV_HWACCEL_NONE, FV_HWACCEL_AUTO } fv_hwaccel;
typedef enum { FV_TRANSPORT_TCP, FV_TRANSPORT_UDP } fv_transport;

typedef struct {
    const char *uri, *stream, *size, *rate, *format;
    int64_t timeout_ns, reconnect_ns, latency_ns;
    bool loop, realtime;
    int hwaccel, threads, transport, frames, live;
} fv_src_params;

typedef struct {
    GstElement element;
    GstPad *video;                         // always there
    fv_audio *audio[FV_READER_MAX_AUDIO];  // by index of the reader; NULL: skipped
    GstFlowCombiner *flows;
    guint group_id, n_audio_pads;

    fv_src_params params;                  // under the object lock
    fv_src_params active;                  // of this run; the task's

    // Between the task and everybody else.
    GMutex lock;
    GCond wake;
    atomic_bool stop;                      // leave the loop soon
    bool playing, end_requested;           // under lock
    GstClockID waiting;                    // under lock

    // The task's; others touch them only while it rests (stream lock of `video`).
    fv_reader *reader;
    fv_picture *picture;
    GstSegment segment;
    guint32 seqnum;
    guint need_segment;                    // bit 0: video, bit i + 1: audio i
    int64_t lead_ns[FV_READER_MAX_AUDIO];  // see begin_audio
    bool is_live, started, anchored, strides;
    bool is_endless;                       // none that is_live, but as libav tells it has no end: it is opened again
    GstVideoInfo info;                     // of the caps sent; finfo NULL: none yet
    int64_t seek_ns;                       // to do when the reader is open; FV_TIME_NONE: none
    int64_t offset_ns;                     // added to the reader's times
    int64_t end_ns;                        // of the last frame, after adding
    uint64_t next_frame;
    int64_t last_ns;                       // the reader's time of its last frame
    int64_t old_ns;                        // what is before it came while nobody looked; FV_TIME_NONE: nothing

    // Statistics, under lock.
    fv_reader_counts counts, counts_before; // of this reader, of those before it
    uint64_t pushed, dropped_late, reconnects;
    int64_t position_ns, duration_ns;
    bool can_seek;
} fv_src;

void fv_src_loop(void *src);              // the task of the video pad

// open.c: the task's, or others' while it rests.
bool fv_src_open(fv_src *s, fv_err *err); // the reader; pads of audio when it is the first one
void fv_src_begin_pad(fv_src *s, GstPad *pad);
void fv_src_count(fv_src *s);             // the reader's counts into the statistics
void fv_src_close_reader(fv_src *s);
void fv_src_close(fv_src *s);             // reader, pads of audio; a live one may stay open, see session.h
bool fv_src_is_camera(const fv_src *s);   // live, and no file that is shown as if it were

// Nothing was read since then (monotonic); the last frame had this time of the reader.
void fv_src_rested(fv_src *s, int64_t pts_ns, gint64 since_us);
