// Demuxer and decoder, plain libav: a uri in, pictures and encoded audio out, in the order of the
// file.
//
//     fv_reader *r = fv_reader_open(&params, &err);
//     while (fv_reader_next(r, &item, &err) == FV_READ_ITEM) ...
//     fv_reader_destroy(&r);
//
// Times are nanoseconds from the start of the stream; sound may begin before 0 with what a decoder needs to
// get going (priming). A picture's time is the file's own, to the
// nearest nanosecond of its time base; one that is missing or does not grow is repaired (counted).
// Packets that cannot be decoded are counted, not fatal.
// Thread-safety: one thread at a time, but fv_reader_stop, which any thread may call.
#pragma once

#include <libavcodec/avcodec.h>
#include <libavformat/avformat.h>
#include <stdatomic.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"
#include "plugins/src/uri.h"

enum { FV_READER_MAX_AUDIO = 8 };

typedef struct {
    const char *uri;
    fv_uri_wish wish;        // of its timeout: no data for so long is an error; 0: wait for ever
    int threads;             // of the decoder; 0: one per core
    bool hwaccel;            // decode on a device where that is possible
} fv_reader_params;

typedef enum { FV_READ_ITEM, FV_READ_END, FV_READ_STOPPED, FV_READ_FAILED } fv_read_result;

// What came: a picture or a packet of audio. Borrowed: valid until the next call; take a reference
// (av_frame_ref, av_packet_ref) to keep it.
typedef struct {
    AVFrame *frame;          // NULL: audio
    AVPacket *packet;        // audio only
    int audio;               // index of the audio stream, 0 .. n_audio - 1
    int64_t pts_ns, duration_ns; // duration 0: not known
    bool is_first;           // after opening or seeking
} fv_reader_item;

typedef struct {
    uint64_t decoded, corrupt, repaired; // pictures; packets; times
} fv_reader_counts;

typedef struct fv_reader fv_reader;

// A handle to stop with may be needed while opening still blocks: `stop` is the caller's, set it to
// true to make any call return soon. It must outlive the reader.
fv_reader *fv_reader_open(const fv_reader_params *params, const atomic_bool *stop, fv_err *err);
fv_read_result fv_reader_next(fv_reader *r, fv_reader_item *item, fv_err *err);

// Another thread goes on with an open reader; NULL: nobody stops it. Counts begin anew.
void fv_reader_resume(fv_reader *r, const atomic_bool *stop);

// To the last picture that can be decoded at or before `to_ns`; frames before to_ns follow, for the
// caller to skip.
bool fv_reader_seek(fv_reader *r, int64_t to_ns, fv_err *err);

const AVStream *fv_reader_video(const fv_reader *r);
int fv_reader_n_audio(const fv_reader *r);
const AVStream *fv_reader_audio(const fv_reader *r, int i);

int64_t fv_reader_duration_ns(const fv_reader *r);  // 0: not known
bool fv_reader_can_seek(const fv_reader *r);
bool fv_reader_is_network(const fv_reader *r);
// A stream by http that nobody can go back in, whose server names no length and whose container no duration.
bool fv_reader_is_endless(const fv_reader *r);
AVRational fv_reader_rate(const fv_reader *r);      // frames per second; 0/1: not known
// Pixel aspect ratio; 1/1 where nothing is said.
AVRational fv_reader_par(const fv_reader *r, AVFrame *frame);

// How the picture must be turned to be upright, as GStreamer's image-orientation tag says it
// ("rotate-90", "flip-rotate-180"); NULL: it is upright.
const char *fv_reader_orientation(const fv_reader *r);

// Wall clock of stream time 0 and who says so: RTCP of a camera, or the file's creation_time.
int64_t fv_reader_utc_ns(const fv_reader *r, fv_utc_source *source);

fv_reader_counts fv_reader_get_counts(const fv_reader *r);
void fv_reader_destroy(fv_reader **r);
