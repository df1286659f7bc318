// Rules over tracks: lines, zones, conditions, and what happens at them. Values in, values out.
//
// WHO COUNTS. Only objects with an id: tentative ones cause nothing. Only detected positions cause
// events; predicted ones (skipped frames, lost objects) keep an object alive and cause nothing,
// because prediction overshoots where people turn round. The event then comes with the next
// detection. Between two detections an object went straight.
//
// WHERE AN OBJECT IS: its anchor, a point of its box.
//
//     +--*--+   top
//     |     |
//     |  *  |   center
//     |     |
//     +--*--+   bottom (the default: where it stands)
//
// HYSTERESIS, for lines and zones. Boxes tremble. An anchor is on a side only when it is
// `hysteresis` times its box's height (default 0.1) away from the border; nearer than that it stays
// where it was.
//
// LINES: "cross".
//
//                 left                  1 counted: clear on the left, then on the right ("in")
//      1   2   3     4         5        2 not: touched the line and went back
//      |   |   |   /\/\/\      |        3 not: ended on the line (lost for good)
//   0 =v===+===+=\/======\=> 1 |        4 counted once: it trembled; what it crossed in all,
//      |       .          \    |          when it is clear, counts
//      |                   v   v        5 not: passed beside the end of the line
//                 right
//
// The path from one clear position to the next decides, however long the object was unseen between
// them: lost for half a second on the line and found on the other side with the same id, it is
// counted; the event has the time of the frame that decided. An object that is first seen within
// the hysteresis of the line belongs to no side until it is clear. Direction 0 ("in") is left to
// right as seen from the first point to the last, direction 1 ("out") right to left. Each object
// counts once per direction; with `repeat` each time it comes back. A polyline is one line: passing
// through a vertex is one crossing. Two lines count independently, also when one move crosses both.
//
// ZONES: "enter", "leave", "appear", "disappear" and what lasts.
//
//            +-----------------+
//     a -----|--> enter        |         a enter: clear inside
//            |        leave ---|---> b   b leave: clear outside; value: seconds inside
//            |  c appear       |         c appear, not enter: first seen inside
//            |  d disappear    |         d disappear, not leave: unseen inside for `forget` (2 s)
//     e -->  +~~> <~~          |         e nothing: never clear inside
//            +-----------------+
//
// At the very first position plain inside or outside counts, without hysteresis. In thin zones the
// hysteresis is at most a quarter of the zone's smaller side. A zone looks at positions, not at
// paths: what jumps over it between two detections was not in it. A zone without points is the
// whole picture. `inside` counts those inside now, however they came.
//
//     count         the number inside changed
//     dwell         start: inside for `dwell`; update: after each further `dwell`; end: left or
//                   gone; value: seconds inside
//     overcrowding  start: `overcrowding` or more inside for `hold`; update: their number changed;
//                   end: fewer are
//     empty         start: nobody inside for `hold`; end: somebody is
//     stopped       start: the anchor stayed within 0.15 box heights for `stopped`; end: it moves
//                   or leaves; value: seconds
//     wrong-way     start: for 0.3 s the way of the last second (0.25 box heights or more) has
//                   pointed more than `heading_tolerance` away from `heading`; end: it no longer
//                   does; value: degrees
//     speed         start: the bottom anchor's speed over the last second, on the calibrated
//                   ground, is above `speed_limit`; end: below 0.9 of it; value:
//                   metres per second, at the end the highest
//
// CONDITIONS: "when": start: it has held for `hold`; end: it no longer holds. Terms are
// count(ZONE) or count(ZONE, CLASS), one of >= > <= < == !=, and a whole number; they are joined
// by `and`, which binds tighter, and `or`; at the end perhaps `for TIME`, the same as `hold`.
//
// TIME is the record's pts; without pts the frame number at 30 a second. When the picture changes
// its size all geometry scales along. Same records in, same events out; the order is that of
// objects, then of rules, then what lasts.
// Thread-safety: a watch belongs to one thread at a time.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

typedef struct fv_watch fv_watch; // rules + what each track did last

// Rules are borrowed. With `labels`, classes that the model does not have are mistakes; NULL: those
// of each record are used.
fv_watch *fv_watch_create(const fv_rules *rules, const fv_labels *labels, fv_err *err);

// Events of this frame into `events` (at most `max`); returns how many. What did not fit comes
// first at the next call.
int fv_watch_update(fv_watch *w, const fv_record *record, fv_event *events, int max);

// At the end of the stream: ends of what lasts. Call until it returns 0.
int fv_watch_finish(fv_watch *w, fv_event *events, int max);

const fv_rule_count *fv_watch_counts(const fv_watch *w); // rules->n of them

// Explains to `say`, in a line each, what every rule made of object `id` in every frame, also where
// nothing happened.
void fv_watch_explain(fv_watch *w, uint64_t id, void (*say)(void *user, const char *text),
                      void *user);

void fv_watch_destroy(fv_watch **w);
