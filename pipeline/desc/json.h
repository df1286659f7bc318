// What all JSON of ours is made of. Numbers are rounded before they are printed, so that the text
// is the same on every run; what is not known is null. New references: the caller's.
#pragma once

#include <jansson.h>

#include "pipeline/base/value.h"

// Digits after the point: pixels to a hundredth, scores to 1e-4, fractions of the picture to 1e-6,
// values to 1e-3.
enum { FV_PIXEL_DIGITS = 2, FV_SCORE_DIGITS = 4, FV_FRACTION_DIGITS = 6, FV_VALUE_DIGITS = 3 };

json_t *fv_json_number(double v, int digits);      // null when not finite
json_t *fv_json_integer(int64_t v, int64_t none);  // null when v is `none`
json_t *fv_json_text(const char *t);               // NULL: null; what is not UTF-8 becomes '?'
json_t *fv_json_utc(int64_t utc_ns);               // RFC 3339 with microseconds, or null
json_t *fv_json_numbers(const double *v, int n, int digits);
json_t *fv_json_point(const float xy[2]);          // [x, y] in pixels, or null

// "2025-11-22T16:25:05.000123Z" with `digits` (1..9) after the point; returns `text`.
char *fv_utc_text(int64_t utc_ns, int digits, char *text, size_t size);

// An object as records have it: see record.h.
json_t *fv_json_object(const fv_object *o, const fv_record *r);
json_t *fv_json_event(const fv_record *r, const fv_event *e); // in record.c

// One line, malloc'ed; takes the reference.
char *fv_json_dump(json_t *j);

// {"topic":"a/b","payload":...}, malloc'ed; `payload` is JSON as it is.
char *fv_json_topic_line(const char *topic, const char *payload);
