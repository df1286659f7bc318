// Files and standard output: a document of lines.
//
// Lines are kept in a bounded memory (8 MiB) and written whole: what is in a file always ends on a
// line's end, whatever goes wrong. When writing fails the lines wait and are tried again; what no
// longer fits is dropped from its old end and counted.
//
// ROTATION (regular files): before a line would make the file larger than rotate-size, or
// rotate-time after the file was begun, FILE.1 becomes FILE.2 and so on, FILE becomes FILE.1 and a
// new FILE is begun; `keep` old ones stay. Each of them is a whole document. The new file is made
// beside the old one first, then the names change, by link(2) and rename(2): FILE is there at every
// moment, and no line is in neither or in both. When the new file cannot be made the old one goes
// on.
#pragma once

#include "pipeline/desc/address.h"
#include "plugins/publish/target.h"

typedef struct fv_lines fv_lines;

fv_lines *fv_lines_create(const fv_address *address, const fv_target_params *params,
                          const fv_target_setup *setup, fv_err *err);
void fv_lines_add(fv_lines *l, const fv_message *message);
void fv_lines_flush(fv_lines *l, bool now);
fv_target_counts fv_lines_count(fv_lines *l);
void fv_lines_destroy(fv_lines **l); // closes the document
