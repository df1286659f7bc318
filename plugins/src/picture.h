// Decoded pictures as GstBuffers. One that already is in a format of FV_VIDEO_FORMATS is wrapped
// without a copy, strides and all; another one is converted by libswscale to the nearest of them
// (deep colour to 8 bits, RGB to RGB, palettes to RGB, gray to gray, the rest to I420).
// Thread-safety: one thread at a time.
#pragma once

#include <gst/video/video.h>
#include <libavcodec/avcodec.h>

#include "pipeline/base/err.h"

typedef struct fv_picture fv_picture; // the converter, and what it last made
fv_picture *fv_picture_create(void);

// The caps' description of `frame` as it will leave fv_picture_wrap: format, size, colorimetry,
// fields. `rate`, `par`: 0/1 and 1/1 where nothing is known.
bool fv_picture_info(const AVFrame *frame, AVRational rate, AVRational par, GstVideoInfo *info,
                     fv_err *err);

// A buffer for `frame` (a reference is taken, the frame stays the caller's). `strides` false:
// downstream does not read GstVideoMeta, so the picture is copied into the layout that the caps
// imply. Memory that the decoder still reads is marked read-only; who draws into it gets a copy, by
// GStreamer's own rules.
GstBuffer *fv_picture_wrap(fv_picture *p, AVFrame *frame, const GstVideoInfo *info, bool strides,
                           fv_err *err);
void fv_picture_destroy(fv_picture **p);
