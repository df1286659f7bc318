// Rules over tracks: lines, zones, conditions, and what happens at them. Values in, values out.
//
// What every event means, with drawings: config/rules/README.md. In short: only detected positions
// of objects with an id cause events; an anchor is on a side of a line or border when it is clear of
// it by the hysteresis; a crossing counts when it is not taken back within `settle`, and then has
// the frame, the clocks and the box of the moment when it came clear; what lasts gives a start, an
// update each `update` and when its count changes, and an end, all with one id.
//
// Boxes are taken to hundredths of a pixel, as records are written, so that stored tracks give the
// events of the live run. TIME is the record's pts; without pts the frame number at 30 a second.
// When the picture changes its size all geometry scales along. Same records in, same events out; the
// order is that of objects, then of rules, then what lasts.
// Thread-safety: a watch belongs to one thread at a time.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

typedef struct fv_watch fv_watch; // rules + what each track did last

// Rules are borrowed. With `labels`, classes that the model does not have are mistakes; NULL: those
// of each record are used.
fv_watch *fv_watch_create(const fv_rules *rules, const fv_labels *labels, fv_err *err);

// Takes the place of `before`: event ids go on after its last one.
void fv_watch_follow(fv_watch *w, const fv_watch *before);

// Events of this frame into `events` (at most `max`); returns how many. What did not fit comes
// first at the next call.
int fv_watch_update(fv_watch *w, const fv_record *record, fv_event *events, int max);

// At the end of the stream: crossings that nothing took back, ends of what lasts. Call until it
// returns 0.
int fv_watch_finish(fv_watch *w, fv_event *events, int max);

const fv_rule_count *fv_watch_counts(const fv_watch *w); // rules->n of them

// Explains to `say`, in a line each, what every rule made of object `id` in every frame, also where
// nothing happened.
void fv_watch_explain(fv_watch *w, uint64_t id, void (*say)(void *user, const char *text),
                      void *user);

void fv_watch_destroy(fv_watch **w);
