#include "plugins/src/sound.h"

#include <stdbool.h>

// `raw` caps where the codec's header is in extradata, `framed` ones where each packet has its own.
typedef struct {
    enum AVCodecID codec;
    const char *framed, *raw;
} row;

static const row rows[] = {
    {AV_CODEC_ID_AAC,
     "audio/mpeg, mpegversion=(int)4, framed=(boolean)true, stream-format=(string)adts",
     "audio/mpeg, mpegversion=(int)4, framed=(boolean)true, stream-format=(string)raw"},
    {AV_CODEC_ID_MP3, "audio/mpeg, mpegversion=(int)1, layer=(int)3, parsed=(boolean)true", NULL},
    {AV_CODEC_ID_MP2, "audio/mpeg, mpegversion=(int)1, layer=(int)2, parsed=(boolean)true", NULL},
    {AV_CODEC_ID_AC3, "audio/x-ac3, framed=(boolean)true, alignment=(string)frame", NULL},
    {AV_CODEC_ID_EAC3, "audio/x-eac3, framed=(boolean)true, alignment=(string)frame", NULL},
    {AV_CODEC_ID_OPUS, "audio/x-opus, channel-mapping-family=(int)0", NULL},
    {AV_CODEC_ID_ALAC, NULL, "audio/x-alac"},
    {AV_CODEC_ID_AMR_NB, "audio/AMR", NULL},
    {AV_CODEC_ID_AMR_WB, "audio/AMR-WB", NULL},
    {AV_CODEC_ID_PCM_ALAW, "audio/x-alaw", NULL},
    {AV_CODEC_ID_PCM_MULAW, "audio/x-mulaw", NULL},
    {AV_CODEC_ID_PCM_U8, "audio/x-raw, format=(string)U8, layout=(string)interleaved", NULL},
    {AV_CODEC_ID_PCM_S16LE, "audio/x-raw, format=(string)S16LE, layout=(string)interleaved", NULL},
    {AV_CODEC_ID_PCM_S16BE, "audio/x-raw, format=(string)S16BE, layout=(string)interleaved", NULL},
    {AV_CODEC_ID_PCM_S24LE, "audio/x-raw, format=(string)S24LE, layout=(string)interleaved", NULL},
    {AV_CODEC_ID_PCM_S32LE, "audio/x-raw, format=(string)S32LE, layout=(string)interleaved", NULL},
    {AV_CODEC_ID_PCM_F32LE, "audio/x-raw, format=(string)F32LE, layout=(string)interleaved", NULL},
};

GstCaps *fv_sound_caps(const AVStream *stream) {
    const AVCodecParameters *p = stream->codecpar;
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        bool header = p->extradata_size > 0 && rows[i].raw;
        const char *text = header ? rows[i].raw : rows[i].framed;
        if (rows[i].codec != p->codec_id || !text)
            continue;
        GstCaps *caps = gst_caps_from_string(text);
        gst_caps_set_simple(caps, "rate", G_TYPE_INT, p->sample_rate, "channels", G_TYPE_INT,
                            p->ch_layout.nb_channels, NULL);
        if (header) {
            GstBuffer *data = gst_buffer_new_memdup(p->extradata, (gsize)p->extradata_size);
            gst_caps_set_simple(caps, "codec_data", GST_TYPE_BUFFER, data, NULL);
            gst_buffer_unref(data);
        }
        return caps;
    }
    return NULL;
}
