// Pictures from files and into files, through GStreamer: whatever it decodes (JPEG, PNG, WebP, BMP,
// ...).
#pragma once

#include <stdint.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// RGB, rows without gaps; `pixels` belongs to the image.
typedef struct {
    int width, height;
    uint8_t *pixels;
    fv_frame frame; // the same as a frame
} fv_image;

// The first picture in the file, upright (its EXIF orientation applied), without transparency.
// Errors name the file.
bool fv_image_load(fv_image *image, const char *path, fv_err *err);

// As PNG.
bool fv_image_save(const fv_image *image, const char *path, fv_err *err);
void fv_image_finish(fv_image *image);
