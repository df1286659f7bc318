// Between format.c and the rows' files.
#pragma once

#include "pipeline/desc/format.h"

struct fv_formatter {
    const fv_format_row *row;
    unsigned what; // FV_WHAT_ bits
    fv_message_take *take;
    void *user;
    void *state; // row->state_size bytes
};

enum { FV_LEVEL_BYTES = 256 };

// `name` as one level of an MQTT topic: '/', '+', '#' become '_'; "stream" when there is none.
void fv_format_level(const char *name, char *level, size_t size);

// Hands `m` out. m.topic, without `own_topics` of the row, is put below the stream's name; m.id is
// put below it too; key and line are filled in. `body` is a malloc'ed text and is freed; NULL (memory is out) is
// dropped.
void fv_formatter_say(fv_formatter *f, const char *stream, fv_message m, char *body);

void fv_format_fovea_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n);
void fv_format_fovea_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n);
