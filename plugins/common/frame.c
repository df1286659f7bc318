#include "plugins/common/frame.h"

static const struct {
    GstVideoFormat gst;
    fv_pixels pixels;
} formats[] = {
    {GST_VIDEO_FORMAT_I420, FV_I420},   {GST_VIDEO_FORMAT_NV12, FV_NV12},
    {GST_VIDEO_FORMAT_RGB, FV_RGB},     {GST_VIDEO_FORMAT_RGBA, FV_RGBA},
    {GST_VIDEO_FORMAT_RGBx, FV_RGBA},   {GST_VIDEO_FORMAT_BGR, FV_BGR},
    {GST_VIDEO_FORMAT_BGRA, FV_BGRA},   {GST_VIDEO_FORMAT_BGRx, FV_BGRA},
    {GST_VIDEO_FORMAT_GRAY8, FV_GRAY8},
};

bool fv_frame_format(GstVideoFormat format, fv_pixels *pixels) {
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].gst == format) {
            *pixels = formats[i].pixels;
            return true;
        }
    return false;
}

GstVideoFormat fv_frame_gst_format(fv_pixels pixels) {
    for (size_t i = 0; i < G_N_ELEMENTS(formats); i++)
        if (formats[i].pixels == pixels)
            return formats[i].gst;
    return GST_VIDEO_FORMAT_UNKNOWN;
}

static fv_matrix matrix_of(const GstVideoInfo *info) {
    switch (info->colorimetry.matrix) {
    case GST_VIDEO_COLOR_MATRIX_BT709: return FV_BT709;
    case GST_VIDEO_COLOR_MATRIX_BT2020: return FV_BT2020;
    case GST_VIDEO_COLOR_MATRIX_UNKNOWN: return info->height > 576 ? FV_BT709 : FV_BT601;
    default: return FV_BT601;
    }
}

void fv_frame_crop(fv_frame *f, int x, int y, int width, int height, int corner[2]) {
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    int align = row->n_planes > 1 ? 1 : 0; // chroma has no half samples
    x = CLAMP(x, 0, f->width - 1) & ~align;
    y = CLAMP(y, 0, f->height - 1) & ~align;
    for (int p = 0; p < row->n_planes; p++)
        f->plane[p] += (y >> row->plane[p].sub_y) * f->stride[p] +
                       (x >> row->plane[p].sub_x) * row->plane[p].pixel_bytes;
    f->width = CLAMP(width, 1, f->width - x);
    f->height = CLAMP(height, 1, f->height - y);
    corner[0] = x, corner[1] = y;
}

bool fv_frame_map(fv_mapped *m, const GstVideoInfo *info, GstBuffer *buffer, GstMapFlags flags,
                  fv_err *err) {
    fv_pixels pixels;
    if (!fv_frame_format(GST_VIDEO_INFO_FORMAT(info), &pixels))
        return fv_fail(err, FV_UNSUPPORTED,
                       "raw format %s is not handled; put videoconvert before the element",
                       gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info)));
    if (!gst_video_frame_map(&m->video, (GstVideoInfo *)info, buffer,
                             flags | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
        return fv_fail(
            err, FV_MEMORY,
            "cannot map a %dx%d %s buffer of %zu bytes; the element before sends wrong caps",
            info->width, info->height, gst_video_format_to_string(GST_VIDEO_INFO_FORMAT(info)),
            gst_buffer_get_size(buffer));
    m->frame = (fv_frame){
        .format = pixels,
        .width = GST_VIDEO_FRAME_WIDTH(&m->video),
        .height = GST_VIDEO_FRAME_HEIGHT(&m->video),
        .matrix = matrix_of(info),
        .full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
    };
    for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES(&m->video); p++) {
        m->frame.plane[p] = GST_VIDEO_FRAME_PLANE_DATA(&m->video, p);
        m->frame.stride[p] = GST_VIDEO_FRAME_PLANE_STRIDE(&m->video, p);
    }
    m->par = info->par_d > 0 && info->par_n > 0 ? (float)info->par_n / (float)info->par_d : 1;
    const GstVideoCropMeta *meta = gst_buffer_get_video_crop_meta(buffer);
    if (meta && meta->width && meta->height)
        fv_frame_crop(&m->frame, (int)meta->x, (int)meta->y, (int)meta->width, (int)meta->height,
                      (int[2]){0});
    return true;
}

void fv_frame_unmap(fv_mapped *m) {
    gst_video_frame_unmap(&m->video);
}
