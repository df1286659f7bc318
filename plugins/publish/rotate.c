#define _GNU_SOURCE
#include "plugins/publish/rotate.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { NAME = PATH_MAX + 16 };

static const char *numbered(char *name, const char *path, int i) {
    snprintf(name, NAME, "%s.%d", path, i);
    return name;
}

// Down to the first number that is free, then up: a gap swallows the move.
static bool make_place(const char *path, int keep) {
    char from[NAME], to[NAME];
    int last = 1;
    while (last < keep && !access(numbered(from, path, last), F_OK))
        last++;
    for (int i = last - 1; i >= 1; i--)
        if (rename(numbered(from, path, i), numbered(to, path, i + 1)))
            return false;
    return true;
}

// Both names are there between the two calls, and never none.
static bool swap(const char *path, const char *new, int keep) {
    char first[NAME];
    numbered(first, path, 1);
    if (keep && unlink(first) && errno != ENOENT)
        return false;
    if (keep && link(path, first) && rename(path, first)) // no hard links there
        return false;
    return !rename(new, path);
}

int fv_rotate(const char *path, int keep, fv_err *err) {
    char new[NAME];
    snprintf(new, sizeof new, "%s.new", path);
    int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0644);
    if (fd >= 0 && make_place(path, keep) && swap(path, new, keep))
        return fd;
    fv_fail(err, FV_IO, "%s: cannot be rotated: %s; it grows on", path, strerror(errno));
    if (fd >= 0) {
        close(fd);
        unlink(new);
    }
    return -1;
}
