// The record: one JSON object a line, "schema":"fovea/1". config/schema/record.schema.json says
// every key; the tests hold every line to it. Keys are always there and in the same order; what is
// not known is null (an object without track has "id":null, never a shared number).
//
// frame: {"schema","type":"frame","stream","frame","pts_ns","utc","utc_source","width","height",
//         "inference":"inferred"|"predicted"|"skipped","objects":[{"id","label","label_id","score",
//         "box":[x,y,w,h] in pixels,"box_norm":[x,y,w,h] in fractions of the picture,"state",
//         "predicted","age","keypoints":[[x,y],..] where the model gives them}]}
// event: {"schema","type":"event","stream","frame","pts_ns","utc","utc_source","id","event","rule",
//         "phase","direction","object","before":[x,y],"after":[x,y],"count","value"}
//
// Numbers are rounded before they are printed (pixels to 0.01, scores to 0.0001, fractions to 1e-6,
// values to 0.001), so the text is the same on every run. "utc" is RFC 3339 with microseconds.
// Thread-safety: safe, the functions share nothing.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// A line without newline, malloc'ed: the caller frees it. NULL only when memory is out.
char *fv_record_frame_json(const fv_record *record);

// `record` gives the stream, the labels and the picture's size; frame and times come from the
// event.
char *fv_record_event_json(const fv_record *record, const fv_event *event);
