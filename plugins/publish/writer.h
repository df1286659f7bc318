// A file, or standard output, that is written a line at a time. Used by lines.c, from one thread.
//
// A REGULAR FILE always ends on a line's end: what cannot be written whole is cut off again and
// kept. It may rotate: before a line would make it larger than rotate-size, or rotate-time after it
// was begun, FILE.1 becomes FILE.2 and so on, FILE becomes FILE.1 and a new FILE is begun; `keep`
// old ones stay. Each of them is a whole document. The new file is made beside the old one first,
// then the names change, by link(2) and rename(2): FILE is there at every moment, and no line is in
// neither or in both. When the new file cannot be made the old one goes on.
// A PIPE, a terminal, a socket is written as far as its reader reads; nothing blocks for longer
// than 50 ms. A named pipe may have no reader yet, and another one later.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/desc/address.h"
#include "plugins/publish/target.h"

typedef struct {
    fv_target_setup setup;
    char *path; // NULL: standard output
    int fd, own_fd; // what is written; of it, what is ours to close (-1: nothing)
    bool is_regular, is_pipe, blocks;
    bool begun;     // the document has its first message
    bool rotates;
    int keep;
    uint64_t rotate_size, size; // bytes; size of the file
    int64_t rotate_ns, begun_ns, rotate_failed_ns;

    char *text; // not written yet
    size_t n, room;

    uint64_t lines, bytes; // written, those of all files
} fv_writer;

bool fv_writer_open(fv_writer *w, const fv_address *address, const fv_target_params *params,
                      const fv_target_setup *setup, fv_err *err);

// Puts a line of the time `at_ns` (fv_link_now_ns) behind what waits; rotates before it where that
// is due (a failure of that is told).
void fv_writer_add(fv_writer *w, const char *line, size_t n, int64_t at_ns);

// The document's last line, once; fv_writer_flush writes it.
void fv_writer_end(fv_writer *w);

// Writes what waits. False: not all of it. With err->code the write failed; without, nothing could
// be written for a moment because nobody reads.
bool fv_writer_flush(fv_writer *w, fv_err *err);

uint64_t fv_writer_waiting(const fv_writer *w);    // lines
const char *fv_writer_name(const fv_writer *w);    // for messages
void fv_writer_close(fv_writer *w);
