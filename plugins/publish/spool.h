// A queue of records on disk, between who makes them and who delivers them. Bounded; outlives the
// process.
//
//     fv_spool *s = fv_spool_open("/var/lib/gate", &(fv_spool_params){64 << 20, 0}, &err);
//     fv_spool_add(s, &(struct iovec){text, n}, 1, &err);          // one thread
//     int n = fv_spool_take(s, records, 100, 1 << 20);             // another: the oldest, in order
//     fv_spool_ack(s, n);                                          // these are delivered
//
// THE FOLDER holds segments (<number of its first record, 16 hex digits>.seg, see segment.h),
// `state` (what is delivered) and `lock`. A folder belongs to one spool at a time.
// FULL: when the records that wait would be more than bytes_max the oldest are dropped and counted;
// a record that is larger than that is dropped itself. The records of the last take are not touched
// by this (they may be on their way) and do not count as waiting. The folder takes bytes_max, one
// batch and one segment at most.
// CRASH: a record is in the file when fv_spool_add returns, so it outlives the process. It outlives
// a loss of power once fv_spool_sync has returned. What was delivered but not yet noted in `state`
// is delivered again: at least once. A torn tail is cut off; a record whose sums are wrong is
// skipped and counted as lost, its neighbours are kept. Numbers of records go on where the last run
// stopped and never repeat in a folder.
// Thread-safety: one thread adds while another takes and acknowledges; counts and sync from any.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "pipeline/base/err.h"

typedef struct fv_spool fv_spool;

typedef struct {
    uint64_t bytes_max;     // of the records that wait
    uint64_t segment_bytes; // of a file; 0: an eighth of bytes_max, 64 KiB to 8 MiB
} fv_spool_params;

typedef struct {
    uint64_t number;
    const char *body; // NUL behind it; valid until the batch is acknowledged as a whole
    size_t size;
} fv_spool_record;

typedef struct {
    uint64_t waiting, waiting_bytes; // not delivered; those of the batch included
    uint64_t added, delivered;       // by this process
    uint64_t dropped;                // by this process: did not fit, or no room on the disk
    uint64_t damaged;                // records that were there and cannot be read
} fv_spool_counts;

// Makes the folder (its parents too). Fails when it cannot be written or another holds it.
fv_spool *fv_spool_open(const char *folder, const fv_spool_params *params, fv_err *err);

// False: the record is lost (and counted), err says why.
bool fv_spool_add(fv_spool *s, const struct iovec *parts, int n, fv_err *err);

// The oldest records, at most `max` and about `bytes_max` bytes of them (one at least). As long as
// some of them are not acknowledged the same ones come again. 0: nothing waits.
int fv_spool_take(fv_spool *s, fv_spool_record *records, int max, size_t bytes_max);

// The first n of what take gave are delivered.
void fv_spool_ack(fv_spool *s, int n);

// To the disk, what was added and what was acknowledged. Does not hold up fv_spool_add.
void fv_spool_sync(fv_spool *s);

fv_spool_counts fv_spool_count(fv_spool *s);

// 16 hex digits, made with the folder: with a record's number a name that is unique in the world.
const char *fv_spool_id(const fv_spool *s);

// Of the records that take has not given: `first` is the number of the oldest, `end` the one that
// the next record will have.
void fv_spool_numbers(fv_spool *s, uint64_t *first, uint64_t *end);

// From now on the records that wait may have `bytes_max`; what is too much is dropped. Returns what
// the rest has. By the thread that adds.
uint64_t fv_spool_bound(fv_spool *s, uint64_t bytes_max);

void fv_spool_close(fv_spool **s); // does not sync
