// Rules from YAML: a file of their own, or in place in a description.
//
//     rules:
//       - line: door                                # a polyline; the value is the rule's name
//         points: [[0.1, 0.6], [0.9, 0.6]]          # fractions of the picture, or `units: pixels`
//         classes: [person]                         # default: every class
//         directions: [in, out]                     # left-to-right seen from the first point to the last, and back
//       - zone: yard                                # a polygon; without points the whole picture
//         points: [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]
//         dwell: 10s
//         overcrowding: 5
//         hold: 2s
//       - when: queue                               # a condition over the zones
//         condition: "count(yard, person) >= 3"
//         hold: 10s
//     calibration: {picture: [[..], ..], ground: [[..], ..]}   # four points, and where they lie in metres
//     forget: 2s
//
// What each key and event means is in config/rules/README.md; config/rules/ shows every
// key.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/rule.h"
#include "pipeline/desc/yaml.h"

// `source` is a path, or the YAML itself when it begins with '{' or '[' or has more than one line
// (what the `rules` property of fvevents takes). Texts and arrays live in the arena. On mistakes:
// every one goes to the log as "file:line:column: error: ...", err has the first.
bool fv_rules_load(fv_rules *rules, fv_arena *arena, const char *source, fv_err *err);

// The same from a node of a document whose arena then holds the rules; a scalar node is a path of a
// file, which is loaded into the document. Mistakes are noted there.
void fv_rules_read(fv_rules *rules, fv_yaml *yaml, const fv_yaml_node *node);
