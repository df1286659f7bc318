#include "pipeline/desc/xml.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add(fv_xml *x, const char *text, size_t n) {
    if (x->n + n + 1 > x->room) {
        size_t room = 2 * (x->n + n + 1);
        char *grown = realloc(x->text, room);
        if (!grown)
            abort();
        x->text = grown;
        x->room = room;
    }
    memcpy(x->text + x->n, text, n);
    x->n += n;
    x->text[x->n] = 0;
}

void fv_xml_put(fv_xml *x, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    add(x, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

// Bytes of the character at `p`, 0 when it is none that XML 1.0 allows (its section 2.2):
// ill-formed UTF-8 (RFC 3629), controls, surrogates, U+FFFE and U+FFFF.
static size_t character(const unsigned char *p) {
    static const unsigned lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = *p < 0x80 ? 1 : *p >> 5 == 6 ? 2 : *p >> 4 == 14 ? 3 : *p >> 3 == 30 ? 4 : 0;
    unsigned code = n == 1 ? *p : *p & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        code = code << 6 | (p[i] & 0x3f);
    }
    int space = code == '\t' || code == '\n' || code == '\r';
    int fine = n && code >= lowest[n] && (code >= ' ' || space) && code <= 0x10ffff &&
               !(code >= 0xd800 && code < 0xe000) && code != 0xfffe && code != 0xffff;
    return fine ? n : 0;
}

static const char *reference(unsigned char c) {
    static const char *const references[128] = {
        ['&'] = "&amp;",  ['<'] = "&lt;",  ['>'] = "&gt;",   ['"'] = "&quot;",
        ['\''] = "&apos;", ['\t'] = "&#9;", ['\n'] = "&#10;", ['\r'] = "&#13;",
    };
    return c < 128 ? references[c] : NULL;
}

void fv_xml_text(fv_xml *x, const char *text) {
    for (const unsigned char *p = (const unsigned char *)text; p && *p;) {
        const char *r = reference(*p);
        size_t n = character(p);
        if (r)
            add(x, r, strlen(r));
        else
            add(x, n ? (const char *)p : "?", n ? n : 1);
        p += n ? n : 1;
    }
}

void fv_xml_attribute(fv_xml *x, const char *name, const char *value) {
    fv_xml_put(x, " %s=\"", name);
    fv_xml_text(x, value);
    fv_xml_put(x, "\"");
}
