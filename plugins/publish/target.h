// Where lines go. A target is a row: a file or standard output now, brokers later.
//
// Lines are kept in a bounded spool and written whole: what is in a file always ends on a line's
// end, whatever goes wrong. When the target fails the spool waits and is tried again; what no
// longer fits is dropped from its old end and counted. The video never ends for an output.
// Thread-safety: one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"
#include "pipeline/desc/format.h"

typedef struct fv_target fv_target;

typedef struct {
    uint64_t lines, bytes;   // written
    uint64_t lost;           // lines that were dropped from the spool
    uint64_t errors;         // writes that failed
} fv_target_counts;

// `to`: a path, or "-" for standard output. The file is made, or emptied, at once unless `append`:
// a folder that is not there is an error here, not later. `format` says what surrounds messages.
fv_target *fv_target_create(const char *to, bool append, const fv_format_row *format, fv_err *err);

void fv_target_add(fv_target *t, const fv_message *message);

// Writes the spool when it is due: standard output after every frame, a file every second or 64
// KiB, both when `now`. False when the target fails and did not fail before: err says why, once per
// outage.
bool fv_target_flush(fv_target *t, bool now, fv_err *err);

fv_target_counts fv_target_count(const fv_target *t);
void fv_target_destroy(fv_target **t); // flushes
