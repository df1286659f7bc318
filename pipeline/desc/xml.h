// Writing XML 1.0: text that grows, and escapes.
// Thread-safety: a writer belongs to one thread at a time.
#pragma once

#include <stddef.h>

typedef struct {
    char *text; // malloc'ed, NUL at the end; NULL before the first write and when memory is out
    size_t n, room;
} fv_xml;

// Markup, as it is; at most 511 bytes.
__attribute__((format(printf, 2, 3))) void fv_xml_put(fv_xml *x, const char *format, ...);

// The text between tags or in quotes: & < > " ' and line breaks as references; what XML does not
// allow (control characters) or UTF-8 does not know becomes '?'. NULL is nothing.
void fv_xml_text(fv_xml *x, const char *text);

// " name=\"value\"", value escaped.
void fv_xml_attribute(fv_xml *x, const char *name, const char *value);
