#include "plugins/src/uri.h"

#include <ctype.h>
#include <libavdevice/avdevice.h>
#include <libavutil/avstring.h>
#include <libavutil/parseutils.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// One row per kind, first match wins. `skip`: the prefix is no part of what libav opens.
typedef struct {
    const char *prefix, *format;
    bool skip, is_live, is_network, poll;
} kind;

static const kind kinds[] = {
    {"lavfi:", "lavfi", true, false, false, false},
    {"v4l2://", "v4l2", true, true, false, true},
    {"/dev/video", "v4l2", false, true, false, true},
    {"rtsp://", NULL, false, true, true, false},
    {"rtsps://", NULL, false, true, true, false},
    {"rtmp://", NULL, false, true, true, false},
    {"rtmps://", NULL, false, true, true, false},
    {"udp://", NULL, false, true, true, false},
    {"rtp://", NULL, false, true, true, false},
    {"srt://", NULL, false, true, true, false},
    {"tcp://", NULL, false, true, true, false},
    {"http://", NULL, false, false, true, false},
    {"https://", NULL, false, false, true, false},
    {"file://", NULL, true, false, false, false},
    {"", NULL, false, false, false, false},
};

static const kind *kind_of(const char *uri) {
    const kind *k = kinds;
    while (strncmp(uri, k->prefix, strlen(k->prefix)))
        k++;
    return k;
}

bool fv_uri_is_live(const char *uri, fv_live live) {
    return uri && (live == FV_LIVE_AUTO ? kind_of(uri)->is_live : live == FV_LIVE_YES);
}

// "%d", "%04d": a number in a file name.
static bool has_number(const char *text) {
    for (const char *p = text; (p = strchr(p, '%')); p++) {
        const char *q = p + 1;
        while (isdigit((unsigned char)*q))
            q++;
        if (*q == 'd')
            return true;
    }
    return false;
}

static char *percent_decode(const char *text) {
    char *out = av_malloc(strlen(text) + 1), *p = out;
    unsigned code;
    for (; *text; text++) {
        if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2]) &&
            sscanf(text + 1, "%2x", &code) == 1) {
            *p++ = (char)code;
            text += 2;
        } else {
            *p++ = *text;
        }
    }
    *p = 0;
    return out;
}

static bool choose_format(fv_uri *u, const char *name, const char *uri, fv_err *err) {
    u->format = av_find_input_format(name);
    return u->format || fv_fail(err, FV_UNSUPPORTED,
                                "%s: this libavformat has no '%s'; install the full libavdevice",
                                fv_uri_redact(uri), name);
}

static bool parse_file(fv_uri *u, const char *uri, fv_err *err) {
    bool glob = strpbrk(u->url, "*?") != NULL;
    struct stat info;
    if (!stat(u->url, &info)) { // a name with a percent sign or a star that is there is a file
        if (S_ISDIR(info.st_mode))
            return fv_fail(err, FV_BAD_INPUT,
                           "%s: is a folder; give a file, or a pattern like %s/*.jpg", uri, uri);
        u->is_plain_file = true;
        return true;
    }
    if (!glob && !has_number(u->url)) {
        u->is_plain_file = true;
        return true;
    }
    av_dict_set(&u->options, "pattern_type", glob ? "glob" : "sequence", 0);
    return choose_format(u, "image2", uri, err);
}

static void network_options(fv_uri *u, const fv_uri_wish *wish) {
    bool rtsp = !strncmp(u->url, "rtsp", 4);
    if (rtsp)
        av_dict_set(&u->options, "rtsp_transport", wish->tcp ? "tcp" : "udp", 0);
    if (wish->timeout_ns > 0)
        av_dict_set_int(&u->options, rtsp ? "timeout" : "rw_timeout", wish->timeout_ns / 1000, 0);
}

static bool is_size(const char *text) {
    int w, h;
    return av_parse_video_size(&w, &h, text) >= 0;
}

static bool is_rate(const char *text) {
    AVRational rate;
    return av_parse_video_rate(&rate, text) >= 0;
}

static bool is_word(const char *text) {
    return !text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_")];
}

// What may be asked of which demuxer.
static bool picture_options(fv_uri *u, const char *uri, const fv_uri_wish *wish, fv_err *err) {
    const char *demuxer = u->format ? u->format->name : "";
    bool camera = strstr(demuxer, "v4l2"), series = !strcmp(demuxer, "image2");
    const struct {
        const char *name, *text, *key, *like;
        bool (*is_right)(const char *text);
        bool fits;
    } rows[] = {
        {"size", wish->size, "video_size", "1280x720", is_size, camera},
        {"rate", wish->rate, "framerate", "30 or 30000/1001", is_rate, camera || series},
        {"format", wish->format, "input_format", "mjpeg or yuyv422", is_word, camera},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!rows[i].text || !*rows[i].text)
            continue;
        if (!rows[i].fits)
            return fv_fail(err, FV_BAD_INPUT, "%s: `%s` can be asked of cameras only, not of this; leave it out",
                           fv_uri_redact(uri), rows[i].name);
        if (!rows[i].is_right(rows[i].text))
            return fv_fail(err, FV_BAD_INPUT, "%s: %s: '%s' is not like %s", fv_uri_redact(uri), rows[i].name,
                           rows[i].text, rows[i].like);
        av_dict_set(&u->options, rows[i].key, rows[i].text, 0);
    }
    return true;
}

static bool parse_kind(fv_uri *u, const char *uri, const fv_uri_wish *wish, fv_err *err) {
    *u = (fv_uri){0};
    if (!uri || !*uri)
        return fv_fail(
            err, FV_BAD_INPUT,
            "fvsrc: no uri; give a file, a URL, /dev/videoN or a pattern like img_%%03d.png");
    const kind *k = kind_of(uri);
    const char *rest = uri + (k->skip ? strlen(k->prefix) : 0);
    bool is_file_url = !strcmp(k->prefix, "file://");
    u->url = is_file_url ? percent_decode(rest) : av_strdup(rest);
    u->is_live = fv_uri_is_live(uri, (fv_live)wish->live);
    u->is_network = k->is_network;
    u->poll = k->poll;
    if (u->is_live && !k->is_live && !k->is_network)
        return fv_fail(err, FV_BAD_INPUT, "%s: `live: yes` is for what comes over a network; `realtime: true` shows a "
                       "file as if it were a camera", uri);
    if (k->format) {
        avdevice_register_all();
        return choose_format(u, k->format, uri, err);
    }
    if (!k->prefix[0] && strstr(uri, "://"))
        return fv_fail(
            err, FV_UNSUPPORTED,
            "%s: unknown kind of URL; http, https, rtsp, rtmp, udp, srt and file are known",
            fv_uri_redact(uri));
    if (u->is_network)
        network_options(u, wish);
    return u->is_network || parse_file(u, uri, err);
}

bool fv_uri_parse(fv_uri *u, const char *uri, const fv_uri_wish *wish, fv_err *err) {
    return parse_kind(u, uri, wish, err) && picture_options(u, uri, wish, err);
}

void fv_uri_finish(fv_uri *u) {
    av_freep(&u->url);
    av_dict_free(&u->options);
}

const char *fv_uri_redact(const char *uri) {
    static _Thread_local char text[512];
    const char *scheme = strstr(uri, "://"), *host = scheme ? scheme + 3 : NULL;
    const char *end = host ? host + strcspn(host, "/?#") : NULL, *at = NULL;
    for (const char *p = host; p && p < end; p++)
        at = *p == '@' ? p : at;
    if (at)
        snprintf(text, sizeof text, "%.*s***@%s", (int)(host - uri), uri, at + 1);
    else
        snprintf(text, sizeof text, "%s", uri);
    return text;
}

bool fv_uri_fail(const char *uri, int error, fv_err *err) {
    static const struct {
        int error;
        fv_code code;
        const char *text;
    } rows[] = {
        {AVERROR(ENOENT), FV_BAD_INPUT, "no such file or device; check the path"},
        {AVERROR(EACCES), FV_BAD_INPUT,
         "not allowed to read it; check its permissions (cameras: the group `video`)"},
        {AVERROR(EISDIR), FV_BAD_INPUT, "is a folder; give a file"},
        {AVERROR_INVALIDDATA, FV_BAD_INPUT,
         "not a video that can be read: empty, truncated or of another kind; `ffprobe` says more"},
        {AVERROR(EIO), FV_IO,
         "cannot be read on, or a server that cannot go back in the file; copy it here first"},
        {AVERROR_EOF, FV_BAD_INPUT, "ends before the first frame: empty or truncated"},
        {AVERROR(ENODEV), FV_BAD_INPUT, "no camera is behind it; is it plugged in? `fovea devices` lists what is there"},
        {AVERROR(ENXIO), FV_BAD_INPUT, "no camera is behind it; is it plugged in? `fovea devices` lists what is there"},
        {AVERROR(ENOTTY), FV_BAD_INPUT, "is no camera; `fovea devices` lists what is there"},
        {AVERROR(EBUSY), FV_IO, "in use by another program; close that first"},
        {AVERROR(ECONNREFUSED), FV_IO,
         "connection refused; is the camera or server on, and the port right?"},
        {AVERROR(EHOSTUNREACH), FV_IO, "host not reachable; check the address and the network"},
        {AVERROR(ENETUNREACH), FV_IO, "network not reachable; check the connection"},
        {AVERROR(ETIMEDOUT), FV_IO, "no answer in time; check the address, or raise `timeout`"},
        {AVERROR_EXIT, FV_IO, "no answer in time; check the address, or raise `timeout`"},
        {AVERROR_HTTP_UNAUTHORIZED, FV_BAD_INPUT,
         "user or password is wrong; write them as scheme://user:password@host"},
        {AVERROR_HTTP_FORBIDDEN, FV_BAD_INPUT, "the server forbids it (403)"},
        {AVERROR_HTTP_NOT_FOUND, FV_BAD_INPUT, "the server does not have it (404); check the path"},
        {AVERROR_PROTOCOL_NOT_FOUND, FV_UNSUPPORTED,
         "this libavformat does not speak that protocol"},
        {AVERROR_DECODER_NOT_FOUND, FV_UNSUPPORTED, "this libavcodec has no decoder for its video"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].error == error)
            return fv_fail(err, rows[i].code, "%s: %s", fv_uri_redact(uri), rows[i].text);
    char text[AV_ERROR_MAX_STRING_SIZE];
    av_strerror(error, text, sizeof text);
    return fv_fail(err, FV_IO, "%s: %s", fv_uri_redact(uri), text);
}
