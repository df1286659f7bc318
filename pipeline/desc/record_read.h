// Reads what record.h writes: frames of a JSON Lines file, schema fovea/1, one after the other.
//
//     fv_record_reader *r = fv_record_reader_open("out.jsonl", &err);
//     for (const fv_record *record; (record = fv_record_reader_next(r, &err));) ...
//
// Event lines and empty lines are passed over. Numbers are as rounded by the writer. Unknown keys
// are no mistake. A file is untrusted: every type is checked, errors name file and line. Within a
// stream frames count up, times do not go back, and an id is one object's; else it is a mistake.
// Thread-safety: a reader belongs to one thread at a time.
#pragma once

#include <stdio.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef struct fv_record_reader fv_record_reader;

fv_record_reader *fv_record_reader_open(const char *path, fv_err *err);
// Goes on in a file that is open, a pipe for one, and closes it in the end; `path` is its name in messages.
fv_record_reader *fv_record_reader_take(FILE *file, const char *path);
// NULL at the end, and with err->code set on a mistake. Valid until the next call; stream and
// labels until the reader is destroyed. Labels grow as they are seen.
const fv_record *fv_record_reader_next(fv_record_reader *r, fv_err *err);
void fv_record_reader_destroy(fv_record_reader **r);
