// What the files of rules share. Private.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/vision/geometry.h"
#include "pipeline/vision/rules.h"

enum { FV_HISTORY = 32, FV_NO_EVENT = 0 };

// An event from its start to its end.
typedef struct {
    bool on;
    uint64_t id;     // FV_NO_EVENT: the rule does not report it
    int64_t next_ns; // the next update
    int64_t count;   // as last told
} fv_lasting;

// What is known of it in this frame.
typedef struct {
    bool is_so;
    int64_t count;          // -1: it has none
    double value;           // in the row's unit
    fv_point before, after; // NAN where unknown
} fv_evidence;

// A state of a zone, or of all, that has to hold for `hold` before it is an event.
typedef struct {
    int64_t since_ns; // FV_TIME_NONE: it is not so
    fv_lasting event;
} fv_held;

// One rule in pixels of the current picture.
typedef struct {
    const fv_rule *rule;
    fv_rule_count *count;
    int index;
    unsigned events; // bits, defaults filled in
    fv_point *point;
    double breadth;                                 // zones
    int reported_inside;                            // the last "count"
    fv_held crowded, empty, held;
    struct fv_condition *condition;
    int64_t hold_ns;
} fv_shape;

// What one object did at one rule.
typedef struct {
    bool known, clear; // seen once; has been clear of the line
    bool inside, counted[2];
    int net;                   // crossings since the last clear position
    int pending;               // 1, -1: went over the line that way, may be taken back; 0: no
    int64_t crossed_ns;        // since then
    fv_event crossing;         // as it was then
    fv_point last, before;     // last position, last clear position
    int64_t seen_ns;           // zones: when it was of a class that counts
    int64_t since_ns, rest_ns, wrong_ns; // inside, at rest, on the wrong way since
    fv_point origin, rest; // where it came in, where it is at rest
    fv_lasting dwell, stopped, wrong, speed;
    double off, top_speed; // degrees off the right way as last seen, metres per second
} fv_visit;

typedef struct {
    uint64_t id;
    int64_t seen_ns;  // by detection or prediction
    fv_object object; // as last detected
    struct {
        int64_t at_ns;
        fv_box box;
    } past[FV_HISTORY]; // ring
    int n_past;
    fv_visit *visit; // one per rule
} fv_guest;

struct fv_watch {
    fv_arena *arena;
    const fv_rules *rules;
    const fv_labels *labels, *labels_now;
    fv_shape *shapes;
    fv_rule_count *counts;
    bool has_ground;
    double ground[9];
    int width, height; // of the current picture; 0: none yet
    int first_width, first_height;
    int64_t forget_ns, now_ns;
    fv_record now; // the frame, without its objects
    fv_guest **guests;
    int n_guests, guests_capacity, hint;
    fv_guest **spare; // guests that have gone, for reuse
    int n_spare, spare_capacity;
    fv_event *pending;
    int n_pending, pending_capacity, handed;
    uint64_t last_event;
    uint64_t explained;
    void (*say)(void *user, const char *text);
    void *user;
};

extern const fv_point fv_rules_nowhere; // NAN, NAN

bool fv_rules_wants(const fv_shape *s, fv_event_kind kind);
bool fv_rules_matches(const fv_watch *w, const fv_rule *rule, int label);
double fv_rules_seconds(int64_t ns);
void fv_rules_put_points(fv_event *e, fv_point before, fv_point after);
double fv_rules_clearance(const fv_shape *s, const fv_guest *g); // pixels
void fv_rules_say(const fv_watch *w, const fv_guest *g, const fv_shape *s, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// What happens in this frame, without id and phase; `guest` may be NULL.
void fv_rules_moment(const fv_watch *w, const fv_shape *s, fv_event_kind kind,
                     const fv_guest *guest, fv_event *event);
// A new event of `shape`, of this frame. `id` 0: the next number. Valid until the next call.
fv_event *fv_rules_report(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_phase phase,
                          uint64_t id, const fv_guest *guest);

// Starts, tells again or ends what lasts. `guest` may be NULL.
void fv_rules_last(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_lasting *l,
                   const fv_guest *guest, fv_evidence e);
// The same for what has to hold first; is_so counts at once.
void fv_rules_hold(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_held *h, bool is_so,
                   int64_t count);

void fv_rules_line(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_line_gone(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_zone(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_zone_gone(fv_watch *w, fv_shape *s, fv_guest *g, int64_t until_ns);
void fv_rules_end_visit(fv_watch *w, fv_shape *s, fv_guest *g, fv_point before, fv_point after,
                        int64_t until_ns);
void fv_rules_zone_settle(fv_watch *w, fv_shape *s); // overcrowding, empty, count
bool fv_rules_when_compile(fv_watch *w, fv_shape *s, fv_err *err);
void fv_rules_when(fv_watch *w, fv_shape *s);
