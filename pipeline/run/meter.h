// What passes through one stream: the ledger, objects by class, tracks, events, latency. Counted by
// pad probes at the source and behind the last element of the analysis. Thread-safety: the probes
// run in streaming threads; the functions below may be called from any.
#pragma once

#include <gst/gst.h>
#include <stdio.h>

#include "pipeline/base/value.h"
#include "pipeline/run/probe.h"

typedef struct fv_meter fv_meter;

// `pipeline` holds the elements that fv_build named after `stream`. `probe` is borrowed.
fv_meter *fv_meter_create(GstElement *pipeline, const char *stream, const fv_probe *probe);

typedef struct {
    uint64_t frames;          // through the analysis
    int64_t position_ns;      // of the last one
    double fps;               // over the whole run so far
    bool ended;               // end of the stream has passed
} fv_meter_state;
fv_meter_state fv_meter_get(fv_meter *m);

// Frames that left the source; what elements dropped, by reason. Frames that were on their way when
// the run was broken off count as dropped (flush).
fv_ledger fv_meter_ledger(fv_meter *m);

// The summary: three lines or four.
void fv_meter_print(fv_meter *m, FILE *out);

void fv_meter_destroy(fv_meter **m);
