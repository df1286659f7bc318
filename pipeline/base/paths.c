#define _GNU_SOURCE
#include "pipeline/base/paths.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "fovea-config.h"

char *fv_data_path(const char *name, char *text, size_t size) {
    const char *dir = getenv("FOVEA_DATA");
    snprintf(text, size, "%s/%s", dir && *dir ? dir : FV_DATA_DIR, name);
    return text;
}

// Of the folder that a file is in, or will be in.
static bool stat_folder(const char *path, struct stat *folder) {
    const char *slash = strrchr(path, '/');
    char text[4096];
    int n = snprintf(text, sizeof text, "%.*s.", slash ? (int)(slash + 1 - path) : 0, path);
    return n < (int)sizeof text && !stat(text, folder);
}

static const char *name_in_folder(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool is_same(const struct stat *x, const struct stat *y) {
    return x->st_dev == y->st_dev && x->st_ino == y->st_ino;
}

bool fv_path_same_file(const char *a, const char *b) {
    a += strncmp(a, "file://", 7) ? 0 : 7;
    struct stat x, y;
    if (!strcmp(a, b) || (!stat(a, &x) && !stat(b, &y) && S_ISREG(x.st_mode) && is_same(&x, &y)))
        return true;
    return !strcmp(name_in_folder(a), name_in_folder(b)) && stat_folder(a, &x) &&
           stat_folder(b, &y) && is_same(&x, &y);
}

static const char *without_slashes(char *text, size_t size, const char *path) {
    snprintf(text, size, "%s", path);
    for (size_t n = strlen(text); n > 1 && text[n - 1] == '/'; n--)
        text[n - 1] = 0;
    return text;
}

bool fv_path_same_folder(const char *a, const char *b) {
    struct stat x, y;
    if (!stat(a, &x) && !stat(b, &y))
        return is_same(&x, &y);
    char a_text[4096], b_text[4096];
    return fv_path_same_file(without_slashes(a_text, sizeof a_text, a),
                             without_slashes(b_text, sizeof b_text, b));
}
