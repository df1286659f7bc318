// Objects drawn into a picture.
#pragma once

#include "pipeline/run/image.h"

// Draws boxes with names and scores into `image` and writes it as <dir>/<name of path>.png; the
// folder is made.
bool fv_picture_draw(fv_image *image, const fv_objects *objects, const fv_labels *labels,
                     const char *dir, const char *path, fv_err *err);
