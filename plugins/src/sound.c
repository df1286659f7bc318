#include "plugins/src/sound.h"

#include <stdbool.h>
#include <string.h>

#include <gst/audio/audio.h>

// Headers in the caps, as GStreamer's decoders and muxers of the codec want them; false: they are broken.
typedef bool (*put_headers)(GstCaps *caps, const uint8_t *data, size_t size);

// `raw` caps where the codec's header is in extradata, `framed` ones where each packet has its own.
typedef struct {
    enum AVCodecID codec;
    const char *framed, *raw;
    put_headers put; // NULL: extradata as it is, as codec_data
} row;

// ---- headers -------------------------------------------------------------------------------------

typedef struct {
    const uint8_t *data;
    size_t size;
} span;

static void put_stream_headers(GstCaps *caps, const span *headers, int n) {
    GValue list = G_VALUE_INIT;
    g_value_init(&list, GST_TYPE_ARRAY);
    for (int i = 0; i < n; i++) {
        GValue one = G_VALUE_INIT;
        g_value_init(&one, GST_TYPE_BUFFER);
        gst_value_take_buffer(&one, gst_buffer_new_memdup(headers[i].data, headers[i].size));
        gst_value_array_append_and_take_value(&list, &one);
    }
    gst_caps_set_value(caps, "streamheader", &list);
    g_value_unset(&list);
}

// The mapping of FLAC into Ogg, version 1.0, one header packet: STREAMINFO behind its marks.
static bool put_flac(GstCaps *caps, const uint8_t *data, size_t size) {
    enum { STREAMINFO = 34 };
    uint8_t header[17 + STREAMINFO] = "\177FLAC\1\0\0\0fLaC\200\0\0\42";
    if (size < STREAMINFO)
        return false;
    memcpy(header + 17, data, STREAMINFO);
    put_stream_headers(caps, &(span){header, sizeof header}, 1);
    return true;
}

// Three headers, the sizes of the first two before them in Xiph's lacing (RFC 5334).
static bool put_vorbis(GstCaps *caps, const uint8_t *data, size_t size) {
    span headers[3] = {0};
    size_t at = 1, used = 0;
    if (size < 3 || data[0] != 2)
        return false;
    for (int i = 0; i < 2; i++) {
        do {
            if (at >= size)
                return false;
            headers[i].size += data[at];
        } while (data[at++] == 255);
    }
    for (int i = 0; i < 3; i++) {
        if (headers[i].size > size - at - used)
            return false;
        headers[i].data = data + at + used;
        headers[i].size = i < 2 ? headers[i].size : size - at - used;
        used += headers[i].size;
    }
    put_stream_headers(caps, headers, 3);
    return true;
}

// OpusHead (RFC 7845, 5.1) and an empty OpusTags. Where the family is not 0 the header says how many streams there
// are, how many of them are stereo and which channel comes from where.
static bool put_opus(GstCaps *caps, const uint8_t *data, size_t size) {
    enum { CHANNELS = 9, FAMILY = 18, STREAMS, COUPLED, MAPPING, SILENT = 255 };
    static const uint8_t tags[16] = "OpusTags";
    if (size <= FAMILY || memcmp(data, "OpusHead", 8) != 0)
        return false;
    int n = data[CHANNELS], family = data[FAMILY];
    if (!n || (!family && n > 2) || (family && size < (size_t)MAPPING + (size_t)n))
        return false;
    gst_caps_set_simple(caps, "channels", G_TYPE_INT, n, "channel-mapping-family", G_TYPE_INT, family, NULL);
    put_stream_headers(caps, (span[]){{data, size}, {tags, sizeof tags}}, 2);
    if (!family)
        return true;
    int streams = data[STREAMS], coupled = data[COUPLED];
    GValue list = G_VALUE_INIT, one = G_VALUE_INIT;
    g_value_init(&list, GST_TYPE_ARRAY);
    g_value_init(&one, G_TYPE_INT);
    bool good = streams && coupled <= streams && streams + coupled <= SILENT;
    for (int i = 0; i < n; i++) {
        good = good && (data[MAPPING + i] < streams + coupled || data[MAPPING + i] == SILENT);
        g_value_set_int(&one, data[MAPPING + i]);
        gst_value_array_append_value(&list, &one);
    }
    gst_caps_set_simple(caps, "stream-count", G_TYPE_INT, streams, "coupled-count", G_TYPE_INT, coupled, NULL);
    gst_caps_set_value(caps, "channel-mapping", &list);
    g_value_unset(&list);
    return good;
}

static bool put_codec_data(GstCaps *caps, const uint8_t *extradata, size_t size) {
    GstBuffer *data = gst_buffer_new_memdup(extradata, size);
    gst_caps_set_simple(caps, "codec_data", GST_TYPE_BUFFER, data, NULL);
    gst_buffer_unref(data);
    return true;
}

// ---- codecs --------------------------------------------------------------------------------------

#define PCM(format) "audio/x-raw, format=(string)" format ", layout=(string)interleaved"

static const row rows[] = {
    {AV_CODEC_ID_AAC, .framed =
     "audio/mpeg, mpegversion=(int)4, framed=(boolean)true, stream-format=(string)adts",
     .raw = "audio/mpeg, mpegversion=(int)4, framed=(boolean)true, stream-format=(string)raw"},
    {AV_CODEC_ID_MP3, .framed = "audio/mpeg, mpegversion=(int)1, layer=(int)3, parsed=(boolean)true"},
    {AV_CODEC_ID_MP2, .framed = "audio/mpeg, mpegversion=(int)1, layer=(int)2, parsed=(boolean)true"},
    {AV_CODEC_ID_AC3, .framed = "audio/x-ac3, framed=(boolean)true, alignment=(string)frame"},
    {AV_CODEC_ID_EAC3, .framed = "audio/x-eac3, framed=(boolean)true, alignment=(string)frame"},
    {AV_CODEC_ID_OPUS, .framed = "audio/x-opus, channel-mapping-family=(int)0", .raw = "audio/x-opus", .put = put_opus},
    {AV_CODEC_ID_ALAC, .raw = "audio/x-alac"},
    {AV_CODEC_ID_AMR_NB, .framed = "audio/AMR"},
    {AV_CODEC_ID_AMR_WB, .framed = "audio/AMR-WB"},
    {AV_CODEC_ID_PCM_ALAW, .framed = "audio/x-alaw"},
    {AV_CODEC_ID_PCM_MULAW, .framed = "audio/x-mulaw"},
    {AV_CODEC_ID_DTS, .framed = "audio/x-dts, framed=(boolean)true"},
    {AV_CODEC_ID_FLAC, .raw = "audio/x-flac, framed=(boolean)true", .put = put_flac},
    {AV_CODEC_ID_VORBIS, .raw = "audio/x-vorbis", .put = put_vorbis},
    {AV_CODEC_ID_PCM_U8, .framed = PCM("U8")},
    {AV_CODEC_ID_PCM_S8, .framed = PCM("S8")},
    {AV_CODEC_ID_PCM_U16LE, .framed = PCM("U16LE")},
    {AV_CODEC_ID_PCM_U16BE, .framed = PCM("U16BE")},
    {AV_CODEC_ID_PCM_U24LE, .framed = PCM("U24LE")},
    {AV_CODEC_ID_PCM_U24BE, .framed = PCM("U24BE")},
    {AV_CODEC_ID_PCM_U32LE, .framed = PCM("U32LE")},
    {AV_CODEC_ID_PCM_U32BE, .framed = PCM("U32BE")},
    {AV_CODEC_ID_PCM_S16LE, .framed = PCM("S16LE")},
    {AV_CODEC_ID_PCM_S16BE, .framed = PCM("S16BE")},
    {AV_CODEC_ID_PCM_S24LE, .framed = PCM("S24LE")},
    {AV_CODEC_ID_PCM_S24BE, .framed = PCM("S24BE")},
    {AV_CODEC_ID_PCM_S32LE, .framed = PCM("S32LE")},
    {AV_CODEC_ID_PCM_S32BE, .framed = PCM("S32BE")},
    {AV_CODEC_ID_PCM_F32LE, .framed = PCM("F32LE")},
    {AV_CODEC_ID_PCM_F32BE, .framed = PCM("F32BE")},
    {AV_CODEC_ID_PCM_F64LE, .framed = PCM("F64LE")},
    {AV_CODEC_ID_PCM_F64BE, .framed = PCM("F64BE")},
};

// Loudspeakers' places in libav's order.
#define PLACE(name) GST_AUDIO_CHANNEL_POSITION_##name
static const GstAudioChannelPosition place[] = {
    PLACE(FRONT_LEFT), PLACE(FRONT_RIGHT), PLACE(FRONT_CENTER), PLACE(LFE1), PLACE(REAR_LEFT), PLACE(REAR_RIGHT),
    PLACE(FRONT_LEFT_OF_CENTER), PLACE(FRONT_RIGHT_OF_CENTER), PLACE(REAR_CENTER), PLACE(SIDE_LEFT), PLACE(SIDE_RIGHT)};
#undef PLACE

// Where a file does not say them they are the usual ones of so many channels; 0: there are none. Both sides have
// these places in the same order.
static guint64 places(const AVChannelLayout *said) {
    AVChannelLayout usual = {0};
    if (said->order != AV_CHANNEL_ORDER_NATIVE)
        av_channel_layout_default(&usual, said->nb_channels);
    const AVChannelLayout *layout = said->order == AV_CHANNEL_ORDER_NATIVE ? said : &usual;
    guint64 mask = 0;
    if (layout->order != AV_CHANNEL_ORDER_NATIVE || layout->u.mask >> G_N_ELEMENTS(place))
        return 0;
    for (size_t i = 0; i < G_N_ELEMENTS(place); i++)
        mask |= layout->u.mask >> i & 1 ? 1ull << place[i] : 0;
    return mask;
}

static void put_places(GstCaps *caps, const AVChannelLayout *layout) {
    if (gst_structure_has_name(gst_caps_get_structure(caps, 0), "audio/x-raw") && layout->nb_channels > 2)
        gst_caps_set_simple(caps, "channel-mask", GST_TYPE_BITMASK, places(layout), NULL);
}

GstCaps *fv_sound_caps(const AVStream *stream) {
    const AVCodecParameters *p = stream->codecpar;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool header = p->extradata_size > 0 && rows[i].raw;
        const char *text = header ? rows[i].raw : rows[i].framed;
        if (rows[i].codec != p->codec_id || !text)
            continue;
        GstCaps *caps = gst_caps_from_string(text);
        put_headers put = rows[i].put ? rows[i].put : put_codec_data;
        gst_caps_set_simple(caps, "rate", G_TYPE_INT, p->sample_rate, "channels", G_TYPE_INT,
                            p->ch_layout.nb_channels, NULL);
        put_places(caps, &p->ch_layout);
        if (header && !put(caps, p->extradata, (size_t)p->extradata_size))
            gst_clear_caps(&caps);
        return caps;
    }
    return NULL;
}

// ---- the end of Opus -----------------------------------------------------------------------------

enum { OPUS_RATE = 48000, OPUS_MOST = OPUS_RATE * 3 / 25 };

// RFC 6716, table 2 and 3.2: the length of a frame by the upper five bits, how many by the lower two.
static int64_t opus_samples(const uint8_t *data, int size) {
    static const int speech[] = {480, 960, 1920, 2880}, mixed[] = {480, 960}, music[] = {120, 240, 480, 960};
    if (size < 1)
        return 0;
    int kind = data[0] >> 3, code = data[0] & 3;
    int length = kind < 12 ? speech[kind % 4] : kind < 16 ? mixed[kind % 2] : music[kind % 4];
    int64_t frames = code == 0 ? 1 : code < 3 ? 2 : size > 1 ? data[1] & 63 : 0;
    return frames * length <= OPUS_MOST ? frames * length : 0;
}

// A container of milliseconds rounds its durations.
static bool counts_samples(AVRational base) {
    return base.num == 1 && base.den % OPUS_RATE == 0;
}

int64_t fv_sound_surplus(const AVStream *stream, const AVPacket *packet) {
    size_t size = 0;
    const uint8_t *said = av_packet_get_side_data(packet, AV_PKT_DATA_SKIP_SAMPLES, &size);
    if (stream->codecpar->codec_id != AV_CODEC_ID_OPUS)
        return 0;
    int64_t whole = opus_samples(packet->data, packet->size), surplus = said && size >= 10 ? GST_READ_UINT32_LE(said + 4) : 0;
    if (!surplus && packet->duration > 0 && counts_samples(stream->time_base))
        surplus = whole - av_rescale_q(packet->duration, stream->time_base, (AVRational){1, OPUS_RATE});
    return surplus > 0 && surplus <= whole ? surplus : 0;
}
