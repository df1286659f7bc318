// Rules over tracks: lines, zones and what happens at them. Values in, values out.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

// Live totals of one rule, for the overlay and the summary.
typedef struct {
    uint64_t crossed[2]; // lines, per direction
    int inside;          // zones, now
    uint64_t entered, left;
} fv_rule_count;

typedef struct fv_watch fv_watch; // rules + what each track did last
fv_watch *fv_watch_create(const fv_rules *rules, const fv_labels *labels, fv_err *err); // rules borrowed
// Events of this frame into `events` (at most `max`); returns how many. Objects without id are ignored.
int fv_watch_update(fv_watch *w, const fv_record *record, fv_event *events, int max);
// At the end of the stream: events that end with it.
int fv_watch_finish(fv_watch *w, fv_event *events, int max);
const fv_rule_count *fv_watch_counts(const fv_watch *w); // rules->n of them
void fv_watch_destroy(fv_watch **w);
