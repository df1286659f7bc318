// What a `uri` means to libav: files, URLs, cameras, picture series, filter graphs.
#pragma once

#include <libavformat/avformat.h>
#include <stdbool.h>

#include "pipeline/base/err.h"

typedef struct {
    char *url;                    // for avformat_open_input
    const AVInputFormat *format;  // NULL: probed
    AVDictionary *options;
    bool is_live;                 // frames come when the camera has them
    bool is_network;              // may stall, may come back
    bool is_plain_file;
    bool poll;                    // a device that blocks for ever unless it is asked not to
} fv_uri;

// Is a source live? AUTO: cameras are.
typedef enum { FV_LIVE_AUTO, FV_LIVE_NO, FV_LIVE_YES } fv_live;

// What is asked of a source; NULL and 0: as it comes.
typedef struct {
    const char *size, *rate, *format; // of a camera's pictures: "1280x720", "30" or "30000/1001", "mjpeg"; `rate` also
                                      // of a series of pictures
    int64_t timeout_ns;               // of network sources
    bool tcp;                         // RTSP over TCP instead of UDP
    int live;                         // an fv_live; YES is for what comes over a network
} fv_uri_wish;

// `uri` is one of
//     /path/file.mp4, file:///path, relative/path         a file
//     img_%04d.png, frames/*.jpg                          a series of pictures
//     http://, https://, rtsp://, rtmp://, udp://, srt:// a stream
//     /dev/video0, v4l2:///dev/video0                     a camera
//     lavfi:testsrc=size=320x240:rate=30:duration=2       a libavfilter graph
// Fails for a text that is none of these or whose library is missing, and for a wish that this kind of source cannot
// have.
bool fv_uri_parse(fv_uri *u, const char *uri, const fv_uri_wish *wish, fv_err *err);
void fv_uri_finish(fv_uri *u);

// Live without opening it: the element must know when it changes state.
bool fv_uri_is_live(const char *uri, fv_live live);

// `uri` without user and password, for messages. A static buffer of the calling thread.
const char *fv_uri_redact(const char *uri);

// "what, where, what to do" for a libav error number.
bool fv_uri_fail(const char *uri, int error, fv_err *err);
