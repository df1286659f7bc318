// A file gives its name to a new one: FILE.1 becomes FILE.2, ..., FILE becomes FILE.1.
#pragma once

#include "pipeline/base/err.h"

// `keep`: how many old ones stay, 0 .. 1000. Returns the descriptor of the new, empty file; -1 when
// nothing has changed.
int fv_rotate(const char *path, int keep, fv_err *err);
