// How a picture is to be turned, written into a finished MP4.
#pragma once

#include "pipeline/base/err.h"

// Sets the display matrix (ISO 14496-12, 8.3.2 `tkhd`) of the video tracks of an MP4 or MOV file in
// place. `orientation` is GStreamer's image-orientation: "rotate-90" means that the picture must be
// turned by 90 degrees clockwise to be upright. Files of other kinds are left alone (true).
bool fv_orient_file(const char *path, const char *orientation, fv_err *err);
