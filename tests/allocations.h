// Allocations of this process, told apart by who asks. Listed among an executable's sources: its malloc,
// calloc and realloc take the place of the C library's.
#pragma once

#include <stdbool.h>

typedef struct {
    int own; // asked for by the code of libfovea and of the plugin, by malloc, calloc, realloc or strdup
    int all; // by anybody: the driver, GStreamer, ...
} fv_allocations;

// Counts from zero. False where that cannot be done (under a sanitizer, which has its own malloc); the
// case is then marked skipped. Libraries that are loaded later are not told apart.
bool fv_allocations_begin(void);
fv_allocations fv_allocations_now(void);
