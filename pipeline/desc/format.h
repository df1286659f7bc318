// Formats: what is known of frames, and events, as messages for somebody's consumer. A format is a
// row of a table; a formatter is one format at work on one stream.
//
//     fv_formatter *f = fv_formatter_create(FV_FORMAT_FOVEA, FV_WHAT_ALL, take, user);
//     fv_formatter_frame(f, &record, events, n_events);     // take() is called for each message
//     fv_formatter_finish(f);                               // end of the stream
//     fv_formatter_destroy(&f);
//
// A BODY IS ONE LINE. What surrounds it is in the row, so that the same body can lie in a file
// among others and travel alone:
//
//     a document (file, standard output, socket)     open \n body \n between body \n ... close \n
//     a message (MQTT, webhook, Kafka)               open body close
//
// Lines of `open` and `close` are left out where they are "". So JSON Lines have three empty texts,
// and a file of COCO results is "[", bodies with "," before all but the first, "]". A document that
// has a `close` cannot be gone on with: appending to such a file is a mistake. Where the topic says
// what a body alone does not (frigate), a document's line has both: {"topic":...,"payload":body}.
// Thread-safety: a formatter belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef enum {
    FV_FORMAT_FOVEA,
    FV_FORMAT_DLSTREAMER,
    FV_FORMAT_DEEPSTREAM,
    FV_FORMAT_SAVANT,
    FV_FORMAT_FRIGATE,
    FV_FORMAT_ONVIF,
    FV_FORMAT_MOT,
    FV_FORMAT_COCO,
    FV_N_FORMATS
} fv_format;

enum { FV_WHAT_FRAMES = 1, FV_WHAT_EVENTS = 2, FV_WHAT_ALL = 3 };

// Everything is lent for the length of the call.
typedef struct {
    const char *topic; // below the topic of the target, "gate/frames": no '+', '#', slash at an end
    const char *key;   // the stream: Kafka's key; order is kept within it
    const char *id;    // unique, and the same when the same input is played or delivered again
    const char *body;  // UTF-8, one line, no newline
    size_t size;       // bytes of body, without its NUL
    const char *line;  // what a document has in place of body; most often body itself
    size_t line_size;
    bool is_event;     // something happened; false: how things stand, what comes next replaces it
    bool retain;       // MQTT: who comes later wants the last one
} fv_message;

typedef void fv_message_take(void *user, const fv_message *message);

typedef struct fv_formatter fv_formatter;

// `frame` gets the frame's events too; `events` those after the last frame.
typedef struct {
    const char *name;      // format=
    const char *extension; // of a file of it, with dot
    const char *mime;      // of open + body + close
    const char *open, *between, *close;
    unsigned says;     // FV_WHAT_ bits of what it has a place for
    bool needs_tracks; // says nothing of objects without an id
    bool own_topics;   // topics do not begin with the stream's name; documents say them
    bool keeps_zones;  // gets events also when they are not wanted, to know who is in which zone
    size_t state_size; // zeroed memory of a formatter: f->state
    // Functions may be NULL but `frame`: nothing to do.
    void (*frame)(fv_formatter *f, const fv_record *record, const fv_event *events, int n);
    void (*events)(fv_formatter *f, const fv_record *record, const fv_event *events, int n);
    void (*finish)(fv_formatter *f);
    void (*clear)(fv_formatter *f); // frees what the state owns, says nothing
} fv_format_row;

extern const fv_format_row fv_format_rows[FV_N_FORMATS];
extern const char *const fv_format_names[FV_N_FORMATS + 1]; // the rows' names; NULL-terminated
extern const char *const fv_format_helps[FV_N_FORMATS + 1]; // what each is

// Does the format suit what is wanted (FV_WHAT_ bits), and going on with a file that is there?
bool fv_format_check(fv_format format, unsigned what, bool append, fv_err *err);

// `what`: FV_WHAT_ bits of what is wanted; what the format cannot say stays unsaid.
fv_formatter *fv_formatter_create(fv_format format, unsigned what, fv_message_take *take,
                                  void *user);

// Frames a second, for formats that say them (savant); not known until then.
void fv_formatter_set_rate(fv_formatter *f, int numerator, int denominator);

void fv_formatter_frame(fv_formatter *f, const fv_record *record, const fv_event *events, int n);

// Events after the last frame, of which `record` is; they have their own time.
void fv_formatter_events(fv_formatter *f, const fv_record *record, const fv_event *events, int n);

// End of the stream, or a seek: what lasted ends. The formatter may be used again.
void fv_formatter_finish(fv_formatter *f);

void fv_formatter_destroy(fv_formatter **f);

// A document that is written straight to a stream: begin, a formatter with fv_document_add and the
// document, end. Errors are the stream's: ferror.
typedef struct {
    FILE *out;
    const fv_format_row *row;
    bool begun; // has a body
} fv_document;

void fv_document_begin(fv_document *d);
fv_message_take fv_document_add;
void fv_document_end(fv_document *d);
