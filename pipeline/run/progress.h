// One line that is written over and over, on a terminal only.
#pragma once

#include "pipeline/run/meter.h"

typedef struct {
    bool on;
    int width; // columns written last
} fv_progress;

// Nothing is ever printed unless standard error is a terminal.
void fv_progress_init(fv_progress *p, bool wanted);

// "gate  43% [########            ] 193/450  28.1 fps  0:09 left"; without a known length the
// frames so far. Several streams share the line.
void fv_progress_show(fv_progress *p, fv_meter *const *meters, const fv_probe *probes, const char *const *names, int n);

// Clears the line, before anything else is printed.
void fv_progress_clear(fv_progress *p);
