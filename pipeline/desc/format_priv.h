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

// Hands `m` out; m->topic, key and id are filled in from the rest: topic = STREAM/`topic` with what
// MQTT keeps for itself replaced by '_', key = the stream, id = STREAM/`id`. `body` is a malloc'ed
// text and is freed; NULL (memory is out) is dropped.
void fv_formatter_say(fv_formatter *f, const fv_record *record, const char *topic, const char *id,
                      fv_message m, char *body);

void fv_format_fovea_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n);
void fv_format_fovea_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n);
