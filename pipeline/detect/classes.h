// A set of classes: those that a detector keeps, those that suppress one another.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// `keep[label]` for labels below n; n 0 keeps all.
typedef struct {
    int n;
    const bool *keep;
} fv_classes;

// "person, car,17": names of `labels`, or numbers. `n_classes` 0: not known. NULL or "" keeps all.
bool fv_classes_parse(fv_classes *classes, fv_arena *arena, const char *text,
                      const fv_labels *labels, int n_classes, fv_err *err);

// The same from a list; an empty one gives n 0.
bool fv_classes_list(fv_classes *classes, fv_arena *arena, const fv_labels *names,
                     const fv_labels *labels, int n_classes, fv_err *err);

static inline bool fv_classes_has(const fv_classes *classes, int label) {
    return !classes->n || (label >= 0 && label < classes->n && classes->keep[label]);
}
