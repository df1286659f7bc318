#define _GNU_SOURCE
#include "pipeline/desc/mistake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
    const fv_mistake *x = a, *y = b;
    int by_source = x->source_order - y->source_order, by_line = x->line - y->line;
    return by_source ? by_source : by_line ? by_line : x->column - y->column;
}

void fv_mistakes_add(fv_mistakes *m, fv_mistake mistake) {
    if (m->n == FV_MAX_MISTAKES)
        return;
    for (int i = 0; i < m->n; i++)
        if (!compare(&m->v[i], &mistake) && !strcmp(m->v[i].text, mistake.text))
            return;
    m->v[m->n++] = mistake;
    qsort(m->v, (size_t)m->n, sizeof m->v[0], compare);
}

char *fv_mistake_line(fv_arena *arena, const fv_mistake *m) {
    if (m->line <= 0)
        return fv_arena_printf(arena, "%s: error: %s", m->source->name, m->text);
    return fv_arena_printf(arena, "%s:%d:%d: error: %s", m->source->name, m->line, m->column,
                           m->text);
}

// The line's text without newline; NULL when the source has no such line.
static const char *line_of(const fv_yaml_source *source, int line, int *length) {
    const char *p = source->text;
    for (int i = 1; p && i < line; i++) {
        p = strchr(p, '\n');
        p = p ? p + 1 : NULL;
    }
    *length = p ? (int)strcspn(p, "\r\n") : 0;
    return p;
}

// Blanks up to the column: tabs stay tabs, bytes inside a UTF-8 character take no place.
static void put_caret(FILE *out, const char *line, int length, int column) {
    int at = 1;
    for (int i = 0; i < length && at < column; i++) {
        if (((unsigned char)line[i] & 0xc0) == 0x80)
            continue;
        fputc(line[i] == '\t' ? '\t' : ' ', out);
        at++;
    }
    for (; at < column; at++)
        fputc(' ', out);
    fputs("^\n", out);
}

const char *fv_mistakes_report(fv_mistakes *m, fv_arena *arena) {
    enum { LONGEST_SHOWN = 400 };
    char *buffer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buffer, &size);
    for (int i = 0; i < m->n; i++) {
        int length;
        const char *line = m->v[i].line > 0 ? line_of(m->v[i].source, m->v[i].line, &length) : NULL;
        fprintf(out, "%s\n", fv_mistake_line(arena, &m->v[i]));
        if (!line || length > LONGEST_SHOWN)
            continue;
        fprintf(out, "    %.*s\n    ", length, line);
        put_caret(out, line, length, m->v[i].column);
    }
    fclose(out);
    const char *report = fv_arena_strdup(arena, buffer ? buffer : "");
    free(buffer);
    return report;
}
