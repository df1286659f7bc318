// Files and standard output: whole lines through a bounded memory, written by a thread of their
// own (writer.h).
//
// ADD takes the line and returns; it waits for no disk and for no reader. Standard output is
// written at once, a file every second or 64 KiB. When writing fails it is tried again every
// second, and lines wait.
// FULL: what does not fit into 8 MiB is dropped and counted, the oldest records of frames first,
// events when there are none left; told when it begins and in total at the end.
// THE END waits as long as lines are being taken, and `linger` when nobody takes any.
// NOBODY THERE: lines wait for a named pipe's next reader. Standard output gets none: what comes
// after its reader has gone is lost.
#pragma once

#include "pipeline/desc/address.h"
#include "plugins/publish/target.h"

typedef struct fv_lines fv_lines;

fv_lines *fv_lines_create(const fv_address *address, const fv_target_params *params,
                          const fv_target_setup *setup, fv_err *err);
void fv_lines_add(fv_lines *l, const fv_message *message);
void fv_lines_finish(fv_lines *l);
fv_target_counts fv_lines_count(fv_lines *l);
void fv_lines_destroy(fv_lines **l); // closes the document
