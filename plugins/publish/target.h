// Where messages go: a file, standard output, or somebody on the network. pipeline/desc/address.h
// says how each is written, config/README.md what each promises.
//
// The video never ends, and never waits, for a target:
//
//     lines.h      files and standard output: whole lines through a bounded memory and a thread
//     delivery.h   all others: a bounded spool on disk and a thread behind it, link.h the protocols
//
// Thread-safety: add and finish from one thread at a time; count from any.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"
#include "pipeline/base/option.h"
#include "pipeline/desc/format.h"

typedef enum { FV_MQTT_311, FV_MQTT_5 } fv_mqtt_version;

// What the rows of fv_target_options fill. Texts are borrowed and must outlive the target.
typedef struct {
    const char *to;
    // files
    bool append;
    float rotate_size; // MiB
    int64_t rotate_ns;
    int keep;
    // network
    const char *spool;
    float spool_max; // MiB
    int64_t sync_ns, linger_ns, retry_ns, timeout_ns;
    const char *password_env, *password_file;
    const char *tls_ca, *tls_cert, *tls_key;
    bool tls_insecure;
    // one kind each
    int mqtt_version, qos;
    const char *client_id, *status_topic;
    const char *hmac_env, *hmac_file;
    const char *kafka_options;
} fv_target_params;

extern const fv_option fv_target_options[];

typedef struct {
    uint64_t lines, bytes;   // written or delivered
    uint64_t lost;           // dropped: there was no room, or the other side refused them
    uint64_t lost_events;    // of them; records of frames are given up first
    uint64_t errors;         // writes and deliveries that failed; they are tried again
    uint64_t waiting;        // for room or for the other side
} fv_target_counts;

// `tell` is called with what people should know, from any thread: `grave` when something is lost or
// has to be put right, else an outage or its end.
typedef struct {
    const char *name;            // of who publishes: in the spool's folder, as default of topics
    const fv_format_row *format; // what surrounds messages
    void (*tell)(void *user, bool grave, const fv_err *err);
    void *user;
} fv_target_setup;

typedef struct fv_target fv_target;

// A file is made, or emptied, at once unless `append`; a folder that is not there, a certificate
// that cannot be read, an option that this target does not have are errors here, not later. A
// broker that does not answer is none. `setup` is copied.
fv_target *fv_target_create(const fv_target_params *params, const fv_target_setup *setup,
                            fv_err *err);

void fv_target_add(fv_target *t, const fv_message *message);

// End of the stream: all is written, or delivered as far as `linger` allows.
void fv_target_finish(fv_target *t);

fv_target_counts fv_target_count(fv_target *t);
void fv_target_destroy(fv_target **t); // finishes
