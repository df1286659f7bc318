// A made-up stream for the tests of formats: three tracks that come one after the other, a box
// without a track, a box half outside the picture; an event of every kind, of objects and
// without, and one more at the end, without a frame.
#pragma once

#include "pipeline/desc/format.h"

typedef struct {
    int frames;
    const fv_labels *labels;
    const char *stream; // NULL: "gate"
    int64_t utc_ns;     // of the first frame; 0 and FV_TIME_NONE: none
    fv_utc_source utc_source;
} drive;

void drive_say(const drive *d, fv_format format, unsigned what, fv_message_take *take, void *user);

// As a document.
void drive_write(const drive *d, fv_format format, unsigned what, const char *path);
