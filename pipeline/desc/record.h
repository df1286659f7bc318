// The record: one JSON object a line, "schema":"fovea/1" (config/schema/record.schema.json).
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// A line without newline, malloc'ed: the caller frees it. Numbers are printed the same way on every run.
char *fv_record_frame_json(const fv_record *record);
char *fv_record_event_json(const fv_record *record, const fv_event *event);
