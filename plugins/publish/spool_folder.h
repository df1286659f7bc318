// The folder of a spool: its lock, its segments by number, and the file `state`. Used by spool.c.
//
//     state = "FvS1", id of the spool, first record not delivered, hole from, hole to (u64 each,
//             little endian), CRC-32 of what is before it (u32)
//
// A hole: numbers that were dropped while records before them were on their way.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pipeline/base/err.h"

typedef struct {
    uint64_t first; // number of its first record, and its name
    off_t size;     // up to the end of the last whole record
    bool dirty;     // written since it was last synced
} fv_spool_segment;

typedef struct {
    uint64_t id, delivered, hole_from, hole_to;
} fv_spool_state;

typedef struct {
    char *path;
    int fd, lock_fd, state_fd;
} fv_spool_folder;

// Makes it where it is missing, locks it; refuses one whose `state` is "FvS" and another digit. On
// failure nothing stays open.
bool fv_spool_folder_open(fv_spool_folder *f, const char *path, fv_err *err);
void fv_spool_folder_close(fv_spool_folder *f);

// False: there is none, or it is torn. In place, in one write of less than a sector.
bool fv_spool_folder_read_state(const fv_spool_folder *f, fv_spool_state *state);
bool fv_spool_folder_write_state(const fv_spool_folder *f, const fv_spool_state *state);

// In the order of their numbers; malloc'ed, the caller frees. 0: none.
int fv_spool_folder_segments(const fv_spool_folder *f, fv_spool_segment **segments);

// A descriptor, -1 with errno. `flags` as open(2).
int fv_spool_folder_open_segment(const fv_spool_folder *f, uint64_t first, int flags);
void fv_spool_folder_remove_segment(const fv_spool_folder *f, uint64_t first);
