// A GstBuffer as an fv_frame: strides and offsets from GstVideoMeta, the rectangle of
// GstVideoCropMeta, matrix and range from the caps' colorimetry.
#pragma once

#include <gst/video/video.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// The raw formats that every element takes, for a pad template.
#define FV_VIDEO_FORMATS "{ I420, NV12, RGB, RGBA, RGBx, BGR, BGRA, BGRx, GRAY8 }"
#define FV_VIDEO_CAPS GST_VIDEO_CAPS_MAKE(FV_VIDEO_FORMATS)

// A mapped picture. `frame` points into `video` and is valid until fv_frame_unmap.
typedef struct {
    GstVideoFrame video;
    fv_frame frame;  // the cropped picture where the buffer has a crop
    float par;       // pixel aspect ratio, width / height of one pixel
} fv_mapped;

// The format as the core names it; false for one that is not in FV_VIDEO_FORMATS.
bool fv_frame_format(GstVideoFormat format, fv_pixels *pixels);
GstVideoFormat fv_frame_gst_format(fv_pixels pixels);

// Maps for GST_MAP_READ or GST_MAP_READWRITE. Writing into memory that others share, or that is
// read-only, goes to a copy that replaces it in `buffer` (which must be writable itself).
bool fv_frame_map(fv_mapped *m, const GstVideoInfo *info, GstBuffer *buffer, GstMapFlags flags,
                  fv_err *err);
void fv_frame_unmap(fv_mapped *m);

// Narrows `frame` to a rectangle of itself. The corner goes to an even place where chroma is
// subsampled; the size is cut at the borders and at least one pixel. Tells where the corner is.
void fv_frame_crop(fv_frame *frame, int x, int y, int width, int height, int corner[2]);
