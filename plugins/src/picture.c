#include "plugins/src/picture.h"

#include <libavutil/imgutils.h>
#include <libavutil/pixdesc.h>
#include <libswscale/swscale.h>

struct fv_picture {
    struct SwsContext *scaler;
    AVFrame *converted;
};

// What needs no conversion.
static const struct {
    enum AVPixelFormat av;
    GstVideoFormat gst;
} natives[] = {
    {AV_PIX_FMT_YUV420P, GST_VIDEO_FORMAT_I420}, {AV_PIX_FMT_YUVJ420P, GST_VIDEO_FORMAT_I420},
    {AV_PIX_FMT_NV12, GST_VIDEO_FORMAT_NV12},    {AV_PIX_FMT_RGB24, GST_VIDEO_FORMAT_RGB},
    {AV_PIX_FMT_BGR24, GST_VIDEO_FORMAT_BGR},    {AV_PIX_FMT_RGBA, GST_VIDEO_FORMAT_RGBA},
    {AV_PIX_FMT_BGRA, GST_VIDEO_FORMAT_BGRA},    {AV_PIX_FMT_RGB0, GST_VIDEO_FORMAT_RGBx},
    {AV_PIX_FMT_BGR0, GST_VIDEO_FORMAT_BGRx},    {AV_PIX_FMT_GRAY8, GST_VIDEO_FORMAT_GRAY8},
};

static enum AVPixelFormat target_of(enum AVPixelFormat f) {
    for (size_t i = 0; i < G_N_ELEMENTS(natives); i++)
        if (natives[i].av == f)
            return f;
    const AVPixFmtDescriptor *d = av_pix_fmt_desc_get(f);
    if (!d)
        return AV_PIX_FMT_NONE;
    if (d->flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BAYER))
        return d->flags & AV_PIX_FMT_FLAG_ALPHA && !(d->flags & AV_PIX_FMT_FLAG_PAL)
                   ? AV_PIX_FMT_RGBA
                   : AV_PIX_FMT_RGB24;
    return d->nb_components <= 2 ? AV_PIX_FMT_GRAY8 : AV_PIX_FMT_YUV420P;
}

static GstVideoFormat gst_format(enum AVPixelFormat f) {
    for (size_t i = 0; i < G_N_ELEMENTS(natives); i++)
        if (natives[i].av == f)
            return natives[i].gst;
    return GST_VIDEO_FORMAT_UNKNOWN;
}

fv_picture *fv_picture_create(void) {
    return g_new0(fv_picture, 1);
}

void fv_picture_destroy(fv_picture **p) {
    if (!p || !*p)
        return;
    sws_freeContext((*p)->scaler);
    av_frame_free(&(*p)->converted);
    g_free(*p);
    *p = NULL;
}

// ---- caps --------------------------------------------------------------------------------------

static bool is_full_range(const AVFrame *f) {
    const char *name = av_get_pix_fmt_name(f->format);
    return f->color_range == AVCOL_RANGE_JPEG || (name && g_str_has_prefix(name, "yuvj"));
}

// libav's numbers are those of ISO/IEC 23091-4, which GStreamer reads. What the file does not say
// stays as GStreamer guesses it from the size.
static void set_colorimetry(GstVideoInfo *info, const AVFrame *f) {
    if (!GST_VIDEO_INFO_IS_YUV(info))
        return;
    GstVideoColorimetry *c = &info->colorimetry;
    if (f->colorspace != AVCOL_SPC_UNSPECIFIED && f->colorspace != AVCOL_SPC_RGB)
        c->matrix = gst_video_color_matrix_from_iso((guint)f->colorspace);
    if (f->color_primaries != AVCOL_PRI_UNSPECIFIED)
        c->primaries = gst_video_color_primaries_from_iso((guint)f->color_primaries);
    if (f->color_trc != AVCOL_TRC_UNSPECIFIED)
        c->transfer = gst_video_transfer_function_from_iso((guint)f->color_trc);
    c->range = is_full_range(f) ? GST_VIDEO_COLOR_RANGE_0_255 : GST_VIDEO_COLOR_RANGE_16_235;
}

static bool is_interlaced(const AVFrame *f, bool *top_first) {
#ifdef AV_FRAME_FLAG_INTERLACED
    *top_first = f->flags & AV_FRAME_FLAG_TOP_FIELD_FIRST;
    return f->flags & AV_FRAME_FLAG_INTERLACED;
#else
    *top_first = f->top_field_first;
    return f->interlaced_frame;
#endif
}

bool fv_picture_info(const AVFrame *f, AVRational rate, AVRational par, GstVideoInfo *info,
                     fv_err *err) {
    GstVideoFormat format = gst_format(target_of(f->format));
    if (format == GST_VIDEO_FORMAT_UNKNOWN || f->width < 1 || f->height < 1)
        return fv_fail(
            err, FV_UNSUPPORTED,
            "pictures in the format %s cannot be converted; convert the video with ffmpeg",
            av_get_pix_fmt_name(f->format));
    gst_video_info_init(info);
    if (!gst_video_info_set_format(info, format, (guint)f->width, (guint)f->height))
        return fv_fail(err, FV_UNSUPPORTED, "pictures of %dx%d are too large", f->width, f->height);
    set_colorimetry(info, f);
    info->fps_n = rate.num, info->fps_d = rate.den;
    info->par_n = par.num, info->par_d = par.den;
    bool top_first;
    if (is_interlaced(f, &top_first)) {
        info->interlace_mode = GST_VIDEO_INTERLACE_MODE_INTERLEAVED;
        GST_VIDEO_INFO_FIELD_ORDER(info) = top_first ? GST_VIDEO_FIELD_ORDER_TOP_FIELD_FIRST
                                                     : GST_VIDEO_FIELD_ORDER_BOTTOM_FIELD_FIRST;
    }
    return true;
}

// ---- pixels ------------------------------------------------------------------------------------

// "yuvj422p" is "yuv422p" in full range; the scaler is told the range apart.
static enum AVPixelFormat without_range(enum AVPixelFormat f) {
    const char *name = av_get_pix_fmt_name(f);
    char plain[32];
    if (!name || !g_str_has_prefix(name, "yuvj"))
        return f;
    g_snprintf(plain, sizeof plain, "yuv%s", name + 4);
    return av_get_pix_fmt(plain);
}

static bool set_scaler(fv_picture *p, const AVFrame *f, enum AVPixelFormat to, fv_err *err) {
    enum AVPixelFormat from = without_range(f->format);
    p->scaler = sws_getCachedContext(p->scaler, f->width, f->height, from, f->width, f->height, to,
                                     SWS_BILINEAR | SWS_ACCURATE_RND | SWS_FULL_CHR_H_INT, NULL,
                                     NULL, NULL);
    if (!p->scaler)
        return fv_fail(
            err, FV_UNSUPPORTED,
            "pictures in the format %s cannot be converted; convert the video with ffmpeg",
            av_get_pix_fmt_name(f->format));
    int matrix = f->colorspace == AVCOL_SPC_UNSPECIFIED ? SWS_CS_DEFAULT : f->colorspace;
    const int *c = sws_getCoefficients(matrix);
    bool rgb = av_pix_fmt_desc_get(to)->flags & AV_PIX_FMT_FLAG_RGB;
    sws_setColorspaceDetails(p->scaler, c, is_full_range(f), c, rgb ? 1 : is_full_range(f), 0,
                             1 << 16, 1 << 16);
    return true;
}

static AVFrame *converted(fv_picture *p, const AVFrame *f, enum AVPixelFormat to, fv_err *err) {
    if (!set_scaler(p, f, to, err))
        return NULL;
    if (!p->converted)
        p->converted = av_frame_alloc();
    av_frame_unref(p->converted);
    p->converted->format = to;
    p->converted->width = f->width;
    p->converted->height = f->height;
    if (av_frame_get_buffer(p->converted, 0) < 0) {
        fv_fail(err, FV_MEMORY, "fvsrc: no memory for a %dx%d picture", f->width, f->height);
        return NULL;
    }
    sws_scale(p->scaler, (const uint8_t *const *)f->data, f->linesize, 0, f->height,
              p->converted->data, p->converted->linesize);
    return p->converted;
}

static void buffer_unref(gpointer data) {
    AVBufferRef *ref = data;
    av_buffer_unref(&ref);
}

// One memory per AVBuffer that holds planes; where each plane begins is told by the video meta.
typedef struct {
    AVBufferRef *ref;
    uint8_t *begin, *end;
    int planes;
} block;

static int blocks_of(const AVFrame *f, const GstVideoInfo *info, block blocks[4], int block_of[4]) {
    int n = 0;
    for (int p = 0; p < (int)GST_VIDEO_INFO_N_PLANES(info); p++) {
        AVBufferRef *ref = av_frame_get_plane_buffer((AVFrame *)f, p);
        int rows = GST_VIDEO_SUB_SCALE(GST_VIDEO_FORMAT_INFO_H_SUB(info->finfo, p), f->height),
            i = 0;
        ptrdiff_t row_bytes = av_image_get_linesize(f->format, f->width, p);
        if (!ref || f->linesize[p] < row_bytes || row_bytes <= 0)
            return 0; // upside down, or memory of unknown owner
        uint8_t *begin = f->data[p],
                *end = begin + (ptrdiff_t)f->linesize[p] * (rows - 1) + row_bytes;
        while (i < n && blocks[i].ref->buffer != ref->buffer)
            i++;
        block fresh = {ref, begin, end, 0};
        block *b = &blocks[i];
        *b = i == n ? fresh : *b;
        b->begin = MIN(b->begin, begin);
        b->end = MAX(b->end, end);
        n = MAX(n, i + 1);
        block_of[p] = i;
    }
    return n;
}

static GstBuffer *wrap(const AVFrame *f, const GstVideoInfo *info) {
    block blocks[4];
    int block_of[4];
    gsize offsets[GST_VIDEO_MAX_PLANES] = {0}, base[4], total = 0;
    gint strides[GST_VIDEO_MAX_PLANES] = {0};
    int n = blocks_of(f, info, blocks, block_of);
    if (!n)
        return NULL;
    GstBuffer *buffer = gst_buffer_new();
    for (int i = 0; i < n; i++) {
        gsize size = (gsize)(blocks[i].end - blocks[i].begin);
        bool shared = !av_buffer_is_writable(
            blocks[i].ref); // the decoder predicts other pictures from it
        gst_buffer_append_memory(
            buffer,
            gst_memory_new_wrapped(shared ? GST_MEMORY_FLAG_READONLY : 0, blocks[i].begin, size, 0,
                                   size, av_buffer_ref(blocks[i].ref), buffer_unref));
        base[i] = total;
        total += size;
    }
    for (int p = 0; p < (int)GST_VIDEO_INFO_N_PLANES(info); p++) {
        offsets[p] = base[block_of[p]] + (gsize)(f->data[p] - blocks[block_of[p]].begin);
        strides[p] = f->linesize[p];
    }
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_INFO_FORMAT(info),
                                   (guint)f->width, (guint)f->height, GST_VIDEO_INFO_N_PLANES(info),
                                   offsets, strides);
    return buffer;
}

static GstBuffer *copy(const AVFrame *f, const GstVideoInfo *info, fv_err *err) {
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, info->size, NULL);
    GstVideoFrame to;
    if (!buffer || !gst_video_frame_map(&to, (GstVideoInfo *)info, buffer, GST_MAP_WRITE)) {
        gst_clear_buffer(&buffer);
        fv_fail(err, FV_MEMORY, "fvsrc: no memory for a %dx%d picture", f->width, f->height);
        return NULL;
    }
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(&to); p++)
        av_image_copy_plane(
            GST_VIDEO_FRAME_PLANE_DATA(&to, p), GST_VIDEO_FRAME_PLANE_STRIDE(&to, p), f->data[p],
            f->linesize[p], av_image_get_linesize(f->format, f->width, (int)p),
            GST_VIDEO_SUB_SCALE(GST_VIDEO_FORMAT_INFO_H_SUB(info->finfo, p), f->height));
    gst_video_frame_unmap(&to);
    return buffer;
}

static bool has_caps_layout(const AVFrame *f, const GstVideoInfo *info) {
    for (guint p = 0; p < GST_VIDEO_INFO_N_PLANES(info); p++)
        if (f->linesize[p] != GST_VIDEO_INFO_PLANE_STRIDE(info, p) ||
            f->data[p] != f->data[0] + GST_VIDEO_INFO_PLANE_OFFSET(info, p))
            return false;
    return true;
}

GstBuffer *fv_picture_wrap(fv_picture *p, AVFrame *frame, const GstVideoInfo *info, bool strides,
                           fv_err *err) {
    enum AVPixelFormat to = target_of(frame->format);
    const AVFrame *f = to == frame->format ? frame : converted(p, frame, to, err);
    if (!f)
        return NULL;
    GstBuffer *buffer = strides || has_caps_layout(f, info) ? wrap(f, info) : NULL;
    if (!buffer)
        buffer = copy(f, info, err);
    if (f != frame)
        av_frame_unref(p->converted);
    bool top_first;
    if (buffer && is_interlaced(frame, &top_first)) {
        GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_INTERLACED);
        if (top_first)
            GST_BUFFER_FLAG_SET(buffer, GST_VIDEO_BUFFER_FLAG_TFF);
    }
    return buffer;
}
