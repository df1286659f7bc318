// A way to somebody on the network. A link is a row: delivery.c calls it from one thread, with
// letters out of the spool, oldest first.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"
#include "pipeline/desc/address.h"
#include "plugins/publish/target.h"

enum { FV_LINK_BATCH = 256, FV_LINK_BATCH_BYTES = 1 << 20 };

// One message. `id` is that of fv_message (the same when the same input is played again);
// `delivery`, spool (16 hex digits), '-' and number, is unique in the world and the same when it is
// delivered again.
typedef struct {
    const char *topic, *key, *id, *mime, *body;
    size_t size;
    bool is_event, retain;
    bool resumed; // an earlier process left it, and may have delivered it
    char delivery[40];
} fv_letter;

// What went wrong. FV_BAD_INPUT: somebody has to put it right (a password, a certificate); else it
// is an outage. Either way it is tried again. `wait_ns`: not before that; 0: as the caller likes.
typedef struct {
    fv_err err;
    int64_t wait_ns;
} fv_link_fault;

// All is borrowed and outlives the link.
typedef struct {
    const fv_address *address;
    const fv_target_params *params;
    const char *name;         // of the publisher
    const char *status_topic; // MQTT's birth and will
    const char *folder;       // of the spool: for what the link has to remember
    const atomic_bool *stop;  // set: return as soon as possible
    // The other side will never take this letter: it counts as lost and, for send, as settled.
    void (*refused)(void *user, const fv_letter *letter, const char *why);
    void *user;
} fv_link_setup;

typedef struct {
    bool lines;        // carries the lines of a document, not bodies
    bool keeps_trying; // after a fault without wait_ns it goes on by itself: call it again at once
    // Reads certificates and secrets; does not wait for the other side.
    void *(*open)(const fv_link_setup *setup, fv_err *err);
    // Connects where needed, delivers, waits for receipts. Returns how many of the first letters
    // are settled: delivered for certain, or refused. Less than n: `fault` says why, or stop is
    // set. What is not settled comes again as the first letters of the next call.
    int (*send)(void *link, const fv_letter *letters, int n, fv_link_fault *fault);
    // Nothing to send, called every 100 ms: connects, keeps alive. NULL: nothing.
    bool (*idle)(void *link, fv_link_fault *fault);
    void (*close)(void *link);
} fv_link_row;

extern const fv_link_row fv_link_socket, fv_link_mqtt, fv_link_webhook, fv_link_kafka;

// The password or key that `env` (name of an environment variable) or `file` (its first line) give;
// "" when both are empty. `what`: the options' prefix, "password".
bool fv_link_secret(char *text, size_t size, const char *what, const char *env, const char *file,
                    fv_err *err);

// A file that has to be readable; "" is none.
bool fv_link_file(const char *what, const char *path, fv_err *err);

// Does OpenSSL's sentence, as libraries hand it on, name a mistake of keys, certificates or
// protocols (and not a connection that broke)?
bool fv_link_is_tls_mistake(const char *why);

int64_t fv_link_now_ns(void); // monotonic
