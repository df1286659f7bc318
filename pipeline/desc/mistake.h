// The list behind fv_yaml_mistake. Only yaml.c includes this.
#pragma once

#include <stdarg.h>

#include "pipeline/desc/yaml.h"

#define FV_MAX_MISTAKES 100

typedef struct {
    const fv_yaml_source *source;
    int source_order, line, column;
    const char *text;
} fv_mistake;

typedef struct {
    int n;
    fv_mistake v[FV_MAX_MISTAKES];
} fv_mistakes;

// `source_order` counts the texts as they were loaded. `text` is kept, not copied.
void fv_mistakes_add(fv_mistakes *m, fv_mistake mistake);

// "file:line:column: error: text"
char *fv_mistake_line(fv_arena *arena, const fv_mistake *m);

// Sorts, then all of them with the line and a caret.
const char *fv_mistakes_report(fv_mistakes *m, fv_arena *arena);
