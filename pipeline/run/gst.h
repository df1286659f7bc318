// GStreamer for the command: the plugin is found, elements' properties become option rows.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/option.h"

// Initialises GStreamer once; looks for the plugin in the build tree that the command was started
// from, then in the usual places, then where it is installed. The error says what to install or
// set.
bool fv_gst_init(fv_err *err);

// True when an element of that name can be made.
bool fv_gst_has(const char *element);

// True when a pad of that template ("audio_%u") takes a stream of these caps, packed as a parser may have packed it.
bool fv_gst_takes(const char *element, const char *pad_template, const char *caps);

// The writable properties of an element as rows, for fv_schema_reader.rows (`arena` is an fv_arena
// *, and keeps them). NULL when there is no such element. Times of Fovea's elements are
// FV_OPT_TIME. `stream` is left out: descriptions name the stream themselves.
const fv_option *fv_gst_rows(void *arena, const char *element);

// What a row's text is as a property: times in nanoseconds, yes/on as true.
const char *fv_gst_property(fv_arena *arena, const fv_option *row, const char *text);
