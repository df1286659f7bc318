// Rules as plain data: read by desc, watched by vision, drawn by the overlay. What each event
// means, with drawings, is in config/rules/README.md.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum {
    FV_RULE_LINE, // a polyline that objects cross
    FV_RULE_ZONE, // a polygon that objects are in or out of
    FV_RULE_WHEN, // a condition over the zones: "count(door, person) >= 3 and count(hall) == 0"
    FV_N_RULE_KINDS
} fv_rule_kind;
extern const char *const fv_rule_kind_names[]; // "line", "zone", "when"; NULL-terminated

typedef enum { FV_ANCHOR_BOTTOM, FV_ANCHOR_CENTER, FV_ANCHOR_TOP, FV_N_ANCHORS } fv_anchor;
extern const char *const fv_anchor_names[]; // "bottom", "center", "top"; NULL-terminated

typedef enum {
    FV_EVENT_CROSS,
    FV_EVENT_ENTER,
    FV_EVENT_LEAVE,
    FV_EVENT_APPEAR,
    FV_EVENT_DISAPPEAR,
    FV_EVENT_COUNT,
    FV_EVENT_DWELL,
    FV_EVENT_OVERCROWDING,
    FV_EVENT_EMPTY,
    FV_EVENT_STOPPED,
    FV_EVENT_WRONG_WAY,
    FV_EVENT_SPEED,
    FV_EVENT_WHEN,
    FV_N_EVENTS
} fv_event_kind;

// One row per fv_event_kind: its name in rule files and records, the rules that may ask for it, and
// whether such a rule reports it when its `events` is 0 and the row's setting (dwell_ns,
// overcrowding, ...) is given or not needed.
typedef struct {
    const char *name; // "cross", "enter", "leave", "appear", ...; "wrong-way"
    unsigned kinds;   // bit 1 << fv_rule_kind
    bool by_default;
    bool lasts;       // start, update and end instead of one moment
    const char *unit; // of the event's value; NULL: it has none
    const char *help;
} fv_event_row;
extern const fv_event_row fv_event_rows[FV_N_EVENTS];

#define FV_EVENT_BIT(event) (1u << (event))
#define FV_RULE_HYSTERESIS 0.1f               // default of fv_rule.hysteresis
#define FV_RULE_FORGET_NS INT64_C(2000000000) // default of fv_rules.forget_ns
#define FV_RULE_UPDATE_NS INT64_C(10000000000) // default of fv_rule.update_ns
#define FV_RULE_SETTLE_NS INT64_C(300000000)   // default of fv_rule.settle_ns

// A polyline (open) or polygon (closed). Points are fractions of the picture 0..1 when `relative`,
// else pixels of the first picture; both scale along when the picture's size changes. Filled by
// desc/rules.c; texts and arrays belong to whoever loaded it. `{0}` in a field is its default but
// where another is named.
typedef struct {
    const char *name;
    fv_rule_kind kind;
    int n_points; // line: 2 and more; zone: 3 and more, or 0 for the whole picture
    float (*point)[2];
    bool relative;
    int n_classes; // 0: every class
    const char *const *classes;
    fv_anchor anchor;
    // Fraction of the box height that the anchor must be clear of the border; loaders put
    // FV_RULE_HYSTERESIS.
    float hysteresis;
    // Lines: left-to-right seen from point 0 to the last ("in"), and back ("out").
    const char *direction_names[2];
    unsigned events;    // bits FV_EVENT_BIT(...); 0: the kind's default
    int64_t dwell_ns;   // zones: 0 none
    int overcrowding;   // zones: this many or more, 0 none
    int64_t hold_ns;    // overcrowding, empty, when: for at least this long
    int64_t update_ns;  // what lasts: an update each time this has passed, 0 none; loaders put
                        // FV_RULE_UPDATE_NS
    bool repeat;        // lines: count an object each time it comes back, not once per direction
    int64_t settle_ns;  // lines: a crossing counts when it is not taken back within this; loaders
                        // put FV_RULE_SETTLE_NS
    int64_t stopped_ns; // zones: an object at rest for this long, 0 none
    bool has_heading;   // zones: the right way is `heading`, else there is no wrong way
    float heading;      // degrees in the picture, 0 to the right, 90 down
    float heading_tolerance; // degrees to either side that still are the right way; 0: 90
    float speed_limit;       // zones: metres per second by the calibration, 0 none
    const char *when;        // FV_RULE_WHEN: the condition
} fv_rule;

// Four points of the picture and where they lie on the ground, in metres.
typedef struct {
    bool relative; // picture points in fractions, as above
    float picture[4][2], ground[4][2];
} fv_calibration;

typedef struct {
    int n;
    const fv_rule *v;
    const fv_calibration *calibration; // NULL: none, speeds are unknown
    int64_t forget_ns; // an object that is not seen for this long has gone; 0: FV_RULE_FORGET_NS
} fv_rules;

// Live totals of one rule, for the overlay and the summary.
typedef struct {
    uint64_t crossed[2]; // lines, per direction
    int inside;          // zones, now
    uint64_t entered, left;
} fv_rule_count;
