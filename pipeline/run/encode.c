#include "pipeline/run/encode.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/run/gst.h"

// What a row's settings are made of.
typedef struct {
    int quality, bitrate, speed, key_frames;
    bool is_live;
} wish;

// A smaller number is better: 100 -> lo, 1 -> hi.
static int scale(const wish *w, double lo, double hi) {
    return (int)lround(hi + (lo - hi) * (w->quality - 1) / 99);
}

static const char *x264(fv_arena *a, const wish *w) {
    const char *rate = w->bitrate ? fv_arena_printf(a, "pass=cbr bitrate=%d", w->bitrate)
                                  : fv_arena_printf(a, "pass=qual quantizer=%d", scale(w, 5, 51));
    return fv_arena_printf(a, "x264enc speed-preset=%d key-int-max=%d %s%s", 10 - w->speed,
                           w->key_frames, rate, w->is_live ? " tune=zerolatency" : "");
}

static const char *openh264(fv_arena *a, const wish *w) {
    const char *rate =
        w->bitrate ? fv_arena_printf(a, "rate-control=bitrate bitrate=%d", w->bitrate * 1000)
                   : fv_arena_printf(a, "rate-control=quality qp-min=%d qp-max=%d", scale(w, 5, 40),
                                     scale(w, 10, 51));
    return fv_arena_printf(a, "openh264enc gop-size=%d complexity=%s %s", w->key_frames,
                           w->speed > 6   ? "low"
                           : w->speed > 3 ? "medium"
                                          : "high",
                           rate);
}

static const char *x265(fv_arena *a, const wish *w) {
    const char *rate = w->bitrate ? fv_arena_printf(a, "bitrate=%d", w->bitrate)
                                  : fv_arena_printf(a, "option-string=crf=%d", scale(w, 8, 51));
    return fv_arena_printf(a, "x265enc speed-preset=%d key-int-max=%d %s", 10 - w->speed,
                           w->key_frames, rate);
}

static const char *vp9(fv_arena *a, const wish *w) {
    const char *rate =
        w->bitrate ? fv_arena_printf(a, "end-usage=vbr target-bitrate=%d", w->bitrate * 1000)
                   : fv_arena_printf(a, "end-usage=cq cq-level=%d", scale(w, 4, 63));
    return fv_arena_printf(a, "vp9enc deadline=1 cpu-used=%d row-mt=true keyframe-max-dist=%d %s",
                           w->speed > 8 ? 8 : w->speed, w->key_frames, rate);
}

static const char *mjpeg(fv_arena *a, const wish *w) {
    return fv_arena_printf(a, "jpegenc quality=%d", w->quality);
}

static const struct {
    fv_codec codec;
    const char *element, *parser, *package;
    const char *(*words)(fv_arena *arena, const wish *w);
} encoders[] = {
    {FV_CODEC_H264, "x264enc", "h264parse", "gstreamer1.0-plugins-ugly", x264},
    {FV_CODEC_H264, "openh264enc", "h264parse", "gstreamer1.0-plugins-bad", openh264},
    {FV_CODEC_H265, "x265enc", "h265parse", "gstreamer1.0-plugins-bad", x265},
    {FV_CODEC_VP9, "vp9enc", NULL, "gstreamer1.0-plugins-good", vp9},
    {FV_CODEC_MJPEG, "jpegenc", NULL, "gstreamer1.0-plugins-good", mjpeg},
};
enum { N_ENCODERS = sizeof encoders / sizeof encoders[0] };

static int key_frames(const fv_desc_file *file, const fv_probe *probe) {
    double fps = probe->fps_n > 0 && probe->fps_d > 0 ? (double)probe->fps_n / probe->fps_d : 30;
    double n = fps * (double)file->key_ns / 1e9;
    return n < 1 ? 1 : n > 10000 ? 10000 : (int)lround(n);
}

const char *fv_encode_words(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe,
                            fv_err *err) {
    fv_codec codec = (fv_codec)file->codec;
    if (codec == FV_CODEC_AUTO)
        codec = fv_desc_container(file->path, NULL) == FV_BOX_WEBM ? FV_CODEC_VP9 : FV_CODEC_H264;
    wish w = {file->quality, file->bitrate, file->speed, key_frames(file, probe), probe->is_live};
    const char *package = NULL;
    for (int i = 0; i < N_ENCODERS; i++) {
        if (encoders[i].codec != codec)
            continue;
        if (fv_gst_has(encoders[i].element))
            return fv_arena_printf(arena, "%s%s%s", encoders[i].words(arena, &w),
                                   encoders[i].parser ? " ! " : "",
                                   encoders[i].parser ? encoders[i].parser : "");
        package = package ? package : encoders[i].package;
    }
    fv_fail(err, FV_UNSUPPORTED, "%s: no encoder for %s is installed; apt-get install %s",
            file->path, fv_codec_names[codec], package);
    return NULL;
}

// Fragments of 1 s: when the disk is full or the power goes, all but the last ones play. At a proper end the
// index of an ordinary file is written.
static const struct {
    const char *muxer, *settings, *index;
    bool turns; // the index says how the picture is to be turned, and which sounds are encoded
} containers[FV_N_BOXES] = {
    [FV_BOX_MP4] = {"mp4mux", " fragment-duration=1000 fragment-mode=first-moov-then-finalise", "fvmp4", true},
    [FV_BOX_MATROSKA] = {"matroskamux", "", "fvmkv", false},
    [FV_BOX_WEBM] = {"webmmux", "", NULL, false},
};

const char *fv_encode_muxer(fv_arena *arena, const fv_desc_file *file) {
    fv_box_format box = fv_desc_container(file->path, NULL);
    return fv_arena_printf(arena, "%s%s", containers[box].muxer, containers[box].settings);
}

// The image-orientation tag, and what videoflip must do to an upright picture to have it as it came.
static const struct {
    const char *orientation, *back;
} turns[] = {
    {"rotate-90", "90l"},        {"rotate-180", "180"},        {"rotate-270", "90r"},
    {"flip-rotate-0", "horiz"},  {"flip-rotate-90", "ul-lr"},  {"flip-rotate-180", "vert"},
    {"flip-rotate-270", "ur-ll"},
};

const char *fv_encode_turn(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe) {
    bool is_said = containers[fv_desc_container(file->path, NULL)].turns;
    for (size_t i = 0; probe->orientation && is_said && i < sizeof turns / sizeof turns[0]; i++)
        if (!strcmp(turns[i].orientation, probe->orientation))
            return fv_arena_printf(arena, "videoflip video-direction=%s !", turns[i].back);
    return "";
}

// Beginnings of caps; `parser` and `decoder` NULL: none is needed.
static const struct {
    const char *caps, *also, *parser, *decoder;
} audio[] = {
    {"audio/mpeg", "mpegversion=(int)4", "aacparse", "avdec_aac"},
    {"audio/mpeg", "mpegversion=(int)2", "aacparse", "avdec_aac"},
    {"audio/mpeg", "mpegversion=(int)1", "mpegaudioparse", "avdec_mp3"},
    {"audio/x-ac3", NULL, "ac3parse", "avdec_ac3"},
    {"audio/x-eac3", NULL, "ac3parse", "avdec_eac3"},
    {"audio/x-dts", NULL, "dcaparse", "avdec_dca"},
    {"audio/x-opus", NULL, NULL, "opusdec"},
    {"audio/x-vorbis", NULL, NULL, "vorbisdec"},
    {"audio/x-flac", NULL, "flacparse", "flacdec"},
    {"audio/x-alac", NULL, NULL, "avdec_alac"},
    {"audio/x-alaw", NULL, NULL, "alawdec"},
    {"audio/x-mulaw", NULL, NULL, "mulawdec"},
    {"audio/AMR-WB", NULL, NULL, "avdec_amrwb"},
    {"audio/AMR", NULL, NULL, "avdec_amrnb"},
    {"audio/x-raw", NULL, NULL, NULL},
};

// What sound becomes that a container cannot hold as it is, AAC for the ones that everything plays; and what says
// where sound begins, behind that and behind a parser. Opus says it itself.
static const struct {
    const char *encoder, *anew, *as_it_is;
} sounds[FV_N_BOXES] = {
    [FV_BOX_MP4] = {"avenc_aac", "", ""},
    [FV_BOX_MATROSKA] = {"avenc_aac", "fvpriming samples=1024 !", "fvpriming !"},
    [FV_BOX_WEBM] = {"opusenc", "", ""},
};

static bool is_row(size_t i, const char *caps) {
    size_t n = strlen(audio[i].caps);
    return !strncmp(caps, audio[i].caps, n) && (!caps[n] || caps[n] == ',') &&
           (!audio[i].also || strstr(caps, audio[i].also));
}

// Channels of no known place, which nothing can mix.
static const char nowhere[] = "channel-mask=(bitmask)0x0000000000000000";

static const char *element(fv_arena *arena, const char *name) {
    return name && fv_gst_has(name) ? fv_arena_printf(arena, "%s !", name) : "";
}

// As many channels as before, or the most that the encoder has a layout of; where the loudspeakers stand otherwise,
// they are mixed into it.
static const char *same_channels(fv_arena *arena, const char *encoder, const char *caps, fv_encode_fate *fate) {
    static const char key[] = "channels=(int)";
    const char *said = strstr(caps, key);
    fate->channels = said ? atoi(said + strlen(key)) : 0;
    for (int n = fate->channels; n > 0; n--) {
        const char *raw = fv_arena_printf(arena, "audio/x-raw,channels=%d", n);
        if (!fv_gst_takes(encoder, "sink", raw))
            continue;
        fate->mixed = n < fate->channels ? n : 0;
        return fv_arena_printf(arena, "%s !", raw);
    }
    return "";
}

static const char *encode_anew(fv_arena *arena, size_t row, fv_box_format box, const char *caps, fv_encode_fate *fate) {
    const char *decoder = audio[row].decoder, *encoder = sounds[box].encoder;
    if (strstr(caps, nowhere) || !fv_gst_has(encoder) || (decoder && !fv_gst_takes(decoder, "sink", caps)))
        return NULL;
    return fv_arena_printf(arena, "%s %s audioconvert ! audioresample ! %s %s ! %s", element(arena, audio[row].parser),
                           element(arena, decoder), same_channels(arena, encoder, caps, fate), encoder, sounds[box].anew);
}

const char *fv_encode_audio(fv_arena *arena, const fv_desc_file *file, const char *caps, fv_encode_fate *fate) {
    fv_box_format box = fv_desc_container(file->path, NULL);
    *fate = (fv_encode_fate){0};
    for (size_t i = 0; i < sizeof audio / sizeof audio[0]; i++) {
        if (!is_row(i, caps))
            continue;
        if (fv_gst_takes(containers[box].muxer, "audio_%u", caps))
            return fv_arena_printf(arena, "%s %s", element(arena, audio[i].parser),
                                   strcmp(audio[i].caps, "audio/x-opus") ? sounds[box].as_it_is : "");
        if (!audio[i].decoder && fv_gst_takes(containers[box].muxer, "audio_%u", audio[i].caps))
            return "audioconvert dithering=none !"; // in samples of another kind
        fate->anew = true;
        return encode_anew(arena, i, box, caps, fate);
    }
    return NULL;
}

// A bit for each sound of the file that comes from an encoder.
static unsigned encoded_sounds(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe) {
    unsigned bits = 0;
    for (int i = 0, n = 0; file->audio && i < probe->n_audio; i++) {
        fv_encode_fate fate;
        bool is_held = fv_encode_audio(arena, file, probe->audio_caps[i], &fate);
        bits |= is_held && fate.anew ? 1u << n : 0;
        n += is_held;
    }
    return bits;
}

const char *fv_encode_index(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe) {
    fv_box_format box = fv_desc_container(file->path, NULL);
    const char *element = containers[box].index;
    if (!containers[box].turns)
        return element ? fv_arena_printf(arena, "%s !", element) : "";
    unsigned encoded = encoded_sounds(arena, file, probe);
    return fv_arena_printf(arena, "%s%s%s%s !", element, probe->orientation ? " orientation=" : "",
                           probe->orientation ? probe->orientation : "",
                           encoded ? fv_arena_printf(arena, " encoded=%u", encoded) : "");
}
