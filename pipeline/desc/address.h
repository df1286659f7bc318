// Where records go: what `to` of a publisher may say.
//
//     out/gate.jsonl                       a file
//     -                                    standard output
//     unix:/run/fovea.sock, tcp://host:9000  who listens gets a line a record
//     mqtt://user@host:1883/base/topic     a broker; mqtts:// over TLS
//     https://host/path                    a webhook; http:// without TLS
//     kafka://a:9092,b:9092/topic          a cluster; kafkas:// over TLS
//
// Passwords are refused here: whoever lists the processes, or reads a log, sees an address.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/err.h"

typedef enum {
    FV_TO_FILE,
    FV_TO_STDOUT,
    FV_TO_UNIX,
    FV_TO_TCP,
    FV_TO_MQTT,
    FV_TO_HTTP,
    FV_TO_KAFKA,
    FV_N_TO,
} fv_to;

typedef struct {
    fv_to kind;
    bool tls;
    const char *text; // the whole address, borrowed
    char user[256];
    char host[1024];  // without brackets; of kafka host:port,host:port
    int port;         // 0: kafka has it in `host`
    char path[1024];  // of files and sockets; of the others what is behind host/, or ""
} fv_address;

// `text` must outlive the address. Fails with FV_BAD_INPUT on what is no address, with
// FV_UNSUPPORTED on a kind that was left out of this build.
bool fv_address_parse(fv_address *a, const char *text, fv_err *err);

// Who it is, without user and path (which may hold a secret): "https://host", for messages.
const char *fv_address_show(const fv_address *a, char *text, size_t size);
