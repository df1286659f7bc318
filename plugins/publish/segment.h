// Files of records, for the spool: append-only, and readable however they end.
//
//     record = head (24 bytes, little endian), body
//     head   = "FvR1", length of the body (u32), number of the record (u64), CRC-32 of the body
//              (u32), CRC-32 of the 20 bytes before it (u32)
//
// CRC-32 is that of IEEE 802.3 (polynomial 0xEDB88320, as in zip and PNG). A reader that meets
// bytes which are no record (a torn write, a bad sector) goes on at the next "FvR1" whose sums are
// right.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { FV_SEGMENT_HEAD = 24, FV_SEGMENT_BODY_MAX = 16 << 20 };

// Numbers of so many bytes, little endian, as all numbers in a spool's files are.
void fv_segment_put(void *to, uint64_t v, int bytes);
uint64_t fv_segment_get(const void *from, int bytes);

// `crc` is 0, or the sum of what came before.
uint32_t fv_crc32(uint32_t crc, const void *data, size_t n);

// Puts a record of `total` bytes of body, gathered from `n` parts, at `end`. On failure (errno says
// why) the file has been cut back to `end`.
bool fv_segment_append(int fd, off_t end, uint64_t number, const struct iovec *parts, int n,
                       size_t total);

// A record that was read. `body` is malloc'ed with `room` bytes and is used again by the next read.
typedef struct {
    uint64_t number;
    off_t offset; // of its head
    size_t size;
    char *body;
    size_t room;
} fv_segment_record;

// The first whole record at `offset` or behind it, below `size`; false: there is none.
bool fv_segment_read(int fd, off_t offset, off_t size, fv_segment_record *record);

// Where the record after this one begins.
off_t fv_segment_next(const fv_segment_record *record);
