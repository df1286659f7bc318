// Between format.c and the rows' files.
#pragma once

#include <jansson.h>

#include "pipeline/desc/format.h"

struct fv_formatter {
    const fv_format_row *row;
    unsigned what; // FV_WHAT_ bits
    fv_message_take *take;
    void *user;
    void *state; // row->state_size bytes
    int rate_n, rate_d;
    int late; // how many times there were events since the last frame
};

enum { FV_LEVEL_BYTES = 256 };

// `name` as one level of an MQTT topic: '/', '+', '#' become '_'; "stream" when there is none.
void fv_format_level(const char *name, char *level, size_t size);

// Hands `m` out. m.topic, without `own_topics` of the row, is put below the stream's name; m.id is
// put below it too; key and line are filled in. `body` is a malloc'ed text and is freed; NULL
// (memory is out) is dropped.
void fv_formatter_say(fv_formatter *f, const char *stream, fv_message m, char *body);

// The moment as formats that must have one write it: wall time; without it stream time counted from
// 1970-01-01, so that a file gives the same text on every run.
int64_t fv_format_time(int64_t utc_ns, int64_t pts_ns);

// "event/4/start/12" and "frame/12", after the last frame "frame/12/late/1"; return `text`.
char *fv_format_event_id(const fv_event *e, char *text, size_t size);
char *fv_format_frame_id(const fv_formatter *f, const fv_record *r, char *text, size_t size);

// Adds "fovea_events": the events as records, to formats that have no place for all they say.
// Nothing is added without events.
void fv_format_add_events(json_t *to, const fv_record *r, const fv_event *events, int n);

// Pixels, rounded: left, top, right, bottom inside the picture.
void fv_format_corners(const fv_record *r, fv_box box, int out[4]);

// States of formatters.
typedef struct {
    bool begun;
    char stream[FV_LEVEL_BYTES];
    uint64_t frame; // the last one
} fv_savant_state;

typedef struct {
    char stream[FV_LEVEL_BYTES];
    int width, height;
    uint64_t frame;
    int64_t now_ns;
    struct fv_life *lives; // objects that are there, in the order of their coming
    int n_lives, lives_capacity;
    struct fv_tally *tallies; // counts per place and label, in the order of their coming
    int n_tallies, tallies_capacity;
} fv_frigate_state;

typedef struct {
    struct fv_sighting *seen; // tracks that were said, and when last
    int n_seen, capacity;
} fv_onvif_state;

typedef void fv_format_say(fv_formatter *f, const fv_record *r, const fv_event *events, int n);
fv_format_say fv_fovea_frame, fv_fovea_events, fv_dlstreamer_frame, fv_deepstream_frame,
    fv_deepstream_events, fv_savant_frame, fv_frigate_frame, fv_frigate_events,
    fv_onvif_frame, fv_onvif_events, fv_mot_frame_rows, fv_coco_frame;
void fv_savant_finish(fv_formatter *f);
void fv_frigate_finish(fv_formatter *f);
void fv_frigate_clear(fv_formatter *f);
void fv_onvif_clear(fv_formatter *f);
