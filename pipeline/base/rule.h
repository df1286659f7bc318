// Rules as plain data: read by desc, watched by vision, drawn by the overlay.
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum { FV_RULE_LINE, FV_RULE_ZONE, FV_N_RULE_KINDS } fv_rule_kind;

typedef enum { FV_ANCHOR_BOTTOM, FV_ANCHOR_CENTER, FV_ANCHOR_TOP, FV_N_ANCHORS } fv_anchor;
extern const char *const fv_anchor_names[]; // "bottom", "center", "top"; NULL-terminated

// A polyline (open) or polygon (closed). Points are fractions of the picture 0..1 when `relative`,
// else pixels. Filled by desc/rules.c; texts and arrays belong to whoever loaded it.
typedef struct {
    const char *name;
    fv_rule_kind kind;
    int n_points;
    float (*point)[2];
    bool relative;
    int n_classes;            // 0: every class
    const char *const *classes;
    fv_anchor anchor;
    float hysteresis;         // fraction of the box height that the anchor must be clear of the border
    const char *direction_names[2]; // lines: left-to-right seen from point 0 to the last ("in"), and back ("out")
    unsigned events;          // bit mask of the kind's event rows; 0: the kind's default
    int64_t dwell_ns;         // zones: 0 none
    int overcrowding;         // zones: 0 none
    int64_t hold_ns;          // overcrowding/empty: for at least this long
} fv_rule;

typedef struct {
    int n;
    const fv_rule *v;
} fv_rules;
