// Pictures as PNG (W3C PNG, third edition), without compression: for small pictures that are
// written once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/base/err.h"

// `rgb`: width * height * 3 bytes, rows from the top. At most 16384 pixels a side.
bool fv_png_write(const char *path, const uint8_t *rgb, int width, int height, fv_err *err);
