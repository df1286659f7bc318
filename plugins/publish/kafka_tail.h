// What an earlier process has put into a topic without noting it in the spool. For link_kafka.c.
//
// MARKS say, for each partition, the first offset where that may lie: behind the last record of
// ours that the spool knows as delivered, or where the topic ended before our first. They lie in
// the file `kafka` of the spool's folder and are written when the spool has its note, so that a
// crash at any moment leaves them low rather than high.
//
//     kafka = CRC-32 of what follows, "FvK1", CRC-32 of the topic's name, partitions (u32 each),
//             an offset (u64) for each; little endian
//
// A LOOK reads the topic from the marks to its end, for half a second at least, for what the dead
// process had on its way; it keeps the `delivery` headers. The time it takes is that of reading
// what all producers have put there since. It needs the right to read the topic.
#pragma once

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pipeline/base/err.h"

typedef struct {
    char path[1100];
    const char *topic;
    int n;             // partitions
    int64_t *v;        // the first offset of each
    bool changed;      // since it was written
    int n_seen;
    char (*seen)[40];  // deliveries, sorted
} fv_kafka_tail;

void fv_kafka_tail_init(fv_kafka_tail *t, const char *folder, const char *topic);
void fv_kafka_tail_finish(fv_kafka_tail *t);

// True: an earlier process of this spool has written to this topic.
bool fv_kafka_tail_read(fv_kafka_tail *t);

// How long to wait for an answer: until `timeout_ns` is over, stop is set, or the client's error
// callback has put something else than FV_OK into `down`.
typedef struct {
    int64_t timeout_ns;
    const atomic_bool *stop;
    const fv_code *down;
} fv_kafka_patience;

// The topic as it ends now: nothing of ours lies behind it.
bool fv_kafka_tail_measure(fv_kafka_tail *t, rd_kafka_t *client, const fv_kafka_patience *patience,
                           fv_err *err);

// The record at `offset` is delivered, and the spool will soon know it.
void fv_kafka_tail_note(fv_kafka_tail *t, int32_t partition, int64_t offset);
void fv_kafka_tail_write(fv_kafka_tail *t); // when the spool knows

// Reads from the marks into `seen` what begins with `prefix`. `consumer` is one with
// enable.partition.eof. Fails when nothing comes, and with err->code FV_UNSUPPORTED when reading is
// not allowed.
bool fv_kafka_tail_look(fv_kafka_tail *t, rd_kafka_t *consumer, const char *prefix,
                        const fv_kafka_patience *patience, fv_err *err);

bool fv_kafka_tail_has(const fv_kafka_tail *t, const char *delivery);
