#include "pipeline/graph/onnx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 64 };

static const char *entry_of(const Fovea__Onnx__Tensor *p, const char *key) {
    for (size_t i = 0; i < p->n_external_data; i++)
        if (p->external_data[i]->key && !strcmp(p->external_data[i]->key, key))
            return p->external_data[i]->value;
    return NULL;
}

static bool number_of(const Fovea__Onnx__Tensor *p, const char *key, size_t def, size_t *v) {
    const char *text = entry_of(p, key);
    char *end;
    *v = def;
    if (!text)
        return true;
    unsigned long long value = strtoull(text, &end, 10);
    *v = (size_t)value;
    return *text >= '0' && *text <= '9' && !*end && value < SIZE_MAX / 2;
}

// No way out of the model's folder.
static bool is_inside(const char *location) {
    if (!*location || *location == '/')
        return false;
    for (const char *part = location; part; part = strchr(part, '/')) {
        part += *part == '/';
        if (!strncmp(part, "..", 2) && (!part[2] || part[2] == '/'))
            return false;
    }
    return true;
}

static char *path_beside(const char *model, const char *location) {
    const char *slash = strrchr(model, '/');
    int folder = slash ? (int)(slash - model) + 1 : 0;
    size_t size = (size_t)folder + strlen(location) + 1;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%.*s%s", folder, model, location);
    return path;
}

static const fv_mapping *file_open(fv_externals *x, const char *location, fv_err *err) {
    for (int i = 0; i < x->n; i++)
        if (!strcmp(x->file[i].location, location))
            return &x->file[i].file;
    struct fv_external *more =
        x->n < MAX_FILES ? realloc(x->file, sizeof *more * (size_t)(x->n + 1)) : NULL;
    char *path = more ? path_beside(x->model_path, location) : NULL;
    x->file = more ? more : x->file;
    if (!path) {
        fv_fail(err, FV_UNSUPPORTED, "the weights lie in more than %d files", MAX_FILES);
        return NULL;
    }
    struct fv_external *f = &x->file[x->n];
    *f = (struct fv_external){.location = strdup(location)};
    bool ok = f->location && fv_mapping_open(&f->file, path, err);
    if (ok)
        x->n++;
    else
        free(f->location);
    free(path);
    return ok ? &f->file : NULL;
}

const void *fv_externals_find(fv_externals *x, const Fovea__Onnx__Tensor *p, size_t expected,
                              fv_err *err) {
    const char *name = p->name ? p->name : "", *location = entry_of(p, "location");
    size_t offset, length;
    const fv_mapping *file = NULL;
    if (!x || !x->model_path || !location)
        fv_fail(err, FV_UNSUPPORTED, "'%s' lies in another file, and there is none", name);
    else if (!is_inside(location))
        fv_fail(err, FV_BAD_INPUT, "'%s' lies in '%.200s', outside the model's folder", name,
                location);
    else if (!(file = file_open(x, location, err)))
        fv_fail_in(err, "'%s' lies in another file, which belongs beside the model", name);
    if (!file)
        return NULL;
    if (number_of(p, "offset", 0, &offset) && number_of(p, "length", expected, &length) &&
        length == expected && offset <= file->size && expected <= file->size - offset)
        return (const char *)file->data + offset;
    fv_fail(err, FV_BAD_INPUT,
            "'%s' needs %zu bytes of '%.200s', which are not there; the file is damaged or another "
            "model's",
            name, expected, location);
    return NULL;
}

void fv_externals_finish(fv_externals *x) {
    for (int i = 0; i < x->n; i++) {
        fv_mapping_close(&x->file[i].file);
        free(x->file[i].location);
    }
    free(x->file);
    *x = (fv_externals){0};
}
