#define _GNU_SOURCE
#include "plugins/publish/spool_folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/publish/segment.h"

typedef struct {
    char mark[4];
    uint8_t numbers[4][8], crc[4];
} state_file;

static bool make_folders(const char *path) {
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        if (mkdir(part, 0755) && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return !mkdir(part, 0700) || errno == EEXIST;
}

static const char state_mark[4] = {'F', 'v', 'S', '1'};

// The state of another version: not to be taken for a torn one.
static bool is_foreign(const fv_spool_folder *f) {
    char mark[sizeof state_mark];
    return pread(f->state_fd, mark, sizeof mark, 0) == sizeof mark &&
           !memcmp(mark, state_mark, 3) && mark[3] != state_mark[3] &&
           isdigit((unsigned char)mark[3]);
}

bool fv_spool_folder_open(fv_spool_folder *f, const char *path, fv_err *err) {
    *f = (fv_spool_folder){strdup(path), -1, -1, -1};
    if (make_folders(path))
        f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->fd >= 0)
        f->lock_fd = openat(f->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->lock_fd >= 0)
        f->state_fd = openat(f->fd, "state", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (f->state_fd < 0)
        fv_fail(err, FV_BAD_INPUT, "%s: the spool cannot be written: %s; give another folder "
                "with `spool`", path, strerror(errno));
    else if (is_foreign(f))
        fv_fail(err, FV_BAD_INPUT, "%s: another version of fovea wrote this spool; let that one "
                "deliver it, or give another folder with `spool`", path);
    else if (!flock(f->lock_fd, LOCK_EX | LOCK_NB))
        return true;
    else
        fv_fail(err, FV_BAD_INPUT, "%s: this spool is in use by another publisher; give each a "
                "folder of its own with `spool`", path);
    fv_spool_folder_close(f);
    return false;
}

void fv_spool_folder_close(fv_spool_folder *f) {
    int *fds[] = {&f->state_fd, &f->lock_fd, &f->fd};
    for (int i = 0; i < 3; i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
    free(f->path);
    f->path = NULL;
}

bool fv_spool_folder_read_state(const fv_spool_folder *f, fv_spool_state *state) {
    state_file t;
    if (pread(f->state_fd, &t, sizeof t, 0) != sizeof t ||
        memcmp(t.mark, state_mark, sizeof state_mark) != 0 ||
        fv_segment_get(t.crc, 4) != fv_crc32(0, &t, offsetof(state_file, crc)))
        return false;
    uint64_t *numbers[] = {&state->id, &state->delivered, &state->hole_from, &state->hole_to};
    for (int i = 0; i < 4; i++)
        *numbers[i] = fv_segment_get(t.numbers[i], 8);
    return true;
}

bool fv_spool_folder_write_state(const fv_spool_folder *f, const fv_spool_state *state) {
    state_file t;
    memcpy(t.mark, state_mark, sizeof state_mark);
    const uint64_t numbers[4] = {state->id, state->delivered, state->hole_from, state->hole_to};
    for (int i = 0; i < 4; i++)
        fv_segment_put(t.numbers[i], numbers[i], 8);
    fv_segment_put(t.crc, fv_crc32(0, &t, offsetof(state_file, crc)), 4);
    return pwrite(f->state_fd, &t, sizeof t, 0) == sizeof t;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = ((const fv_spool_segment *)a)->first, y = ((const fv_spool_segment *)b)->first;
    return (x > y) - (x < y);
}

int fv_spool_folder_segments(const fv_spool_folder *f, fv_spool_segment **segments) {
    DIR *d = fdopendir(openat(f->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    int n = 0;
    *segments = NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        uint64_t first;
        int length = 0;
        struct stat info;
        if (sscanf(e->d_name, "%16" SCNx64 ".seg%n", &first, &length) != 1 || length != 20 ||
            e->d_name[20] || fstatat(f->fd, e->d_name, &info, 0))
            continue;
        *segments = realloc(*segments, sizeof **segments * (size_t)(n + 1));
        (*segments)[n++] = (fv_spool_segment){first, info.st_size, false};
    }
    if (d)
        closedir(d);
    if (n)
        qsort(*segments, (size_t)n, sizeof **segments, by_number);
    return n;
}

int fv_spool_folder_open_segment(const fv_spool_folder *f, uint64_t first, int flags) {
    char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".seg", first);
    return openat(f->fd, name, flags | O_CLOEXEC, 0600);
}

void fv_spool_folder_remove_segment(const fv_spool_folder *f, uint64_t first) {
    char name[32];
    snprintf(name, sizeof name, "%016" PRIx64 ".seg", first);
    unlinkat(f->fd, name, 0);
}
