#include "pipeline/detect/classes.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/option.h"

enum { MAX_CLASSES = 65536 };

static const char *nearest(const char *name, const fv_labels *labels, fv_arena *arena) {
    const char **rows = FV_ARENA_NEW(arena, const char *, labels->n + 1);
    for (int i = 0; i < labels->n; i++)
        rows[i] = labels->v[i];
    return fv_name_nearest(name, rows, sizeof *rows);
}

static int number_of(const char *name) {
    char *end;
    long v = strtol(name, &end, 10);
    return *end || end == name || v < 0 || v >= MAX_CLASSES ? -1 : (int)v;
}

static bool mark(bool *keep, const char *name, fv_arena *arena, const fv_labels *labels,
                 int n_classes, fv_err *err) {
    int found = 0;
    for (int i = 0; i < labels->n && i < MAX_CLASSES; i++)
        if (!strcmp(labels->v[i], name))
            keep[i] = true, found++;
    int number = found ? -1 : number_of(name);
    if (number >= 0 && (!n_classes || number < n_classes))
        keep[number] = true, found++;
    if (found)
        return true;
    const char *near = nearest(name, labels, arena);
    return fv_fail(err, FV_BAD_INPUT,
                   "the model has no class '%s'%s%s%s; `fovea model` lists its classes", name,
                   near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
}

bool fv_classes_parse(fv_classes *classes, fv_arena *arena, const char *text,
                      const fv_labels *labels, int n_classes, fv_err *err) {
    *classes = (fv_classes){0};
    if (!text || !*text)
        return true;
    bool *keep = FV_ARENA_NEW(arena, bool, MAX_CLASSES);
    for (const char *at = text; *at;) {
        at += strspn(at, ", \t");
        size_t n = strcspn(at, ",");
        size_t name_n = n;
        while (name_n && isspace((unsigned char)at[name_n - 1]))
            name_n--;
        if (name_n &&
            !mark(keep, fv_arena_strndup(arena, at, name_n), arena, labels, n_classes, err))
            return false;
        at += n;
    }
    *classes = (fv_classes){MAX_CLASSES, keep};
    return true;
}

bool fv_classes_list(fv_classes *classes, fv_arena *arena, const fv_labels *names,
                     const fv_labels *labels, int n_classes, fv_err *err) {
    *classes = (fv_classes){0};
    if (!names->n)
        return true;
    bool *keep = FV_ARENA_NEW(arena, bool, MAX_CLASSES);
    for (int i = 0; i < names->n; i++)
        if (!mark(keep, names->v[i], arena, labels, n_classes, err))
            return false;
    *classes = (fv_classes){MAX_CLASSES, keep};
    return true;
}
