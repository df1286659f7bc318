// NumPy's .npy files: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// Versions 1 to 3, little endian, C order, every fv_dtype. Name and data live in the arena. Errors
// name the file.
bool fv_npy_load(const char *path, fv_arena *arena, fv_tensor *t, fv_err *err);

// Version 1.
bool fv_npy_save(const char *path, const fv_tensor *t, fv_err *err);
