// What the files of rules share. Private.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/vision/geometry.h"
#include "pipeline/vision/rules.h"

enum { FV_HISTORY = 32, FV_NO_EVENT = 0 };

// One rule in pixels of the current picture.
typedef struct {
    const fv_rule *rule;
    fv_rule_count *count;
    int index;
    unsigned events; // bits, defaults filled in
    fv_point *point;
    double breadth;                                 // zones
    int reported_inside;                            // the last "count"
    int64_t crowded_since, empty_since, held_since; // FV_TIME_NONE: not so
    uint64_t crowded_id, empty_id, when_id;         // the events that last
    int crowded_count;
    struct fv_condition *condition;
    int64_t hold_ns;
} fv_shape;

// What one object did at one rule.
typedef struct {
    bool known, clear; // seen once; has been clear of the line
    bool inside, counted[2];
    int net;                   // crossings since the last clear position
    fv_point last, before;     // last position, last clear position
    int64_t since_ns, rest_ns, wrong_ns; // inside, at rest, on the wrong way since
    fv_point rest;
    uint64_t dwell_id, stopped_id, wrong_id, speed_id;
    int64_t dwelled; // how often `dwell` has passed
    double top_speed;
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

bool fv_rules_wants(const fv_watch *w, const fv_shape *s, fv_event_kind kind);
bool fv_rules_matches(const fv_watch *w, const fv_rule *rule, int label);
double fv_rules_clearance(const fv_shape *s, const fv_guest *g); // pixels
void fv_rules_say(const fv_watch *w, const fv_guest *g, const fv_shape *s, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

// A new event of `shape`, of this frame; `guest` may be NULL. `id` 0: the next number. Valid until
// the next call.
fv_event *fv_rules_report(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_phase phase,
                          uint64_t id, const fv_guest *guest);

void fv_rules_line(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_zone(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_zone_gone(fv_watch *w, fv_shape *s, fv_guest *g);
void fv_rules_end_visit(fv_watch *w, fv_shape *s, fv_guest *g, int64_t until_ns);
void fv_rules_zone_settle(fv_watch *w, fv_shape *s); // overcrowding, empty, count
bool fv_rules_when_compile(fv_watch *w, fv_shape *s, fv_err *err);
void fv_rules_when(fv_watch *w, fv_shape *s);
