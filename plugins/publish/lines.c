#define _GNU_SOURCE
#include "plugins/publish/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugins/publish/rotate.h"

enum { MEMORY_BYTES = 8 << 20, DUE_BYTES = 64 << 10, DUE_NS = 1000000000 };

struct fv_lines {
    fv_target_setup setup;
    char *path; // NULL: standard output
    int fd;
    bool begun;          // the document has its first message
    bool rotates;
    int keep;
    uint64_t rotate_size, size; // bytes; size of the file
    int64_t rotate_ns, begun_ns, rotate_failed_ns;

    char *text;
    size_t n, room; // bytes that wait
    int64_t flushed_ns;
    bool failing;
    pthread_mutex_t lock; // of the counts
    fv_target_counts counts;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static uint64_t count_lines(const char *text, size_t n) {
    uint64_t lines = 0;
    for (const char *p = text; (p = memchr(p, '\n', n - (size_t)(p - text))); p++)
        lines++;
    return lines;
}

// ---- writing ------------------------------------------------------------------------------------

static bool write_all(int fd, const char *text, size_t n, size_t *done) {
    for (*done = 0; *done < n;) {
        ssize_t w = write(fd, text + *done, n - *done);
        if (w < 0 && errno == EAGAIN)
            poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
        else if (w < 0 && errno != EINTR)
            return false;
        *done += w > 0 ? (size_t)w : 0;
    }
    return true;
}

// All, or none of what is left half written in a file.
static bool write_lines(fv_lines *l, fv_err *err) {
    off_t start = l->path ? lseek(l->fd, 0, SEEK_END) : -1;
    size_t done;
    if (write_all(l->fd, l->text, l->n, &done))
        return true;
    int why = errno;
    if (done && start >= 0 && ftruncate(l->fd, start))
        done = 0; // cannot even be cut: the retry writes the lines again
    return fv_fail(err, fv_err_of_write(why), "%s: %s; records wait for room, make some",
                   l->path ? l->path : "standard output", strerror(why));
}

static void count_written(fv_lines *l, uint64_t lines) {
    pthread_mutex_lock(&l->lock);
    l->counts.bytes += l->n;
    l->counts.lines += lines;
    l->counts.waiting = 0;
    pthread_mutex_unlock(&l->lock);
    l->size += l->n;
    l->n = 0;
}

static bool is_due(const fv_lines *l) {
    bool late = now_ns() - l->flushed_ns >= DUE_NS;
    return late || (!l->failing && (!l->path || l->n >= DUE_BYTES));
}

void fv_lines_flush(fv_lines *l, bool now) {
    fv_err err = {0};
    if (!l->n || !(now || is_due(l)))
        return;
    l->flushed_ns = now_ns();
    bool was_failing = l->failing;
    l->failing = !write_lines(l, &err);
    if (!l->failing) {
        count_written(l, count_lines(l->text, l->n));
        return;
    }
    pthread_mutex_lock(&l->lock);
    l->counts.errors++;
    pthread_mutex_unlock(&l->lock);
    if (!was_failing)
        l->setup.tell(l->setup.user, true, &err);
}

// ---- lines that wait ----------------------------------------------------------------------------

static void make_room(fv_lines *l, size_t more) {
    uint64_t lost = 0;
    while (l->n && l->n + more > MEMORY_BYTES) {
        size_t line = (size_t)((char *)memchr(l->text, '\n', l->n) - l->text) + 1;
        memmove(l->text, l->text + line, l->n - line);
        l->n -= line;
        lost++;
    }
    if (l->n + more > l->room) {
        l->room = 2 * (l->n + more);
        l->text = realloc(l->text, l->room);
    }
    pthread_mutex_lock(&l->lock);
    l->counts.lost += lost;
    l->counts.waiting += 1 - lost;
    pthread_mutex_unlock(&l->lock);
}

static void add_line(fv_lines *l, const char *before, const char *line, size_t n) {
    size_t n_before = strlen(before);
    make_room(l, n_before + n + 1);
    memcpy(l->text + l->n, before, n_before);
    memcpy(l->text + l->n + n_before, line, n);
    l->n += n_before + n;
    l->text[l->n++] = '\n';
}

static void forget_lines(fv_lines *l) {
    pthread_mutex_lock(&l->lock);
    l->counts.waiting = 0;
    pthread_mutex_unlock(&l->lock);
    l->n = 0;
}

static void begin_document(fv_lines *l) {
    l->begun = false;
    l->begun_ns = now_ns();
    if (*l->setup.format->open)
        add_line(l, "", l->setup.format->open, strlen(l->setup.format->open));
}

static void end_document(fv_lines *l) {
    if (*l->setup.format->close)
        add_line(l, "", l->setup.format->close, strlen(l->setup.format->close));
}

// ---- rotation -----------------------------------------------------------------------------------

static bool wants_rotation(const fv_lines *l, size_t more) {
    more += strlen(l->setup.format->between) + 1;
    more += *l->setup.format->close ? strlen(l->setup.format->close) + 1 : 0;
    return (l->rotate_size && l->size + l->n + more > l->rotate_size) ||
           (l->rotate_ns && now_ns() - l->begun_ns >= l->rotate_ns);
}

static bool has_lines(const fv_lines *l) {
    return l->begun || l->size > 0; // size: of a file that is appended to
}

static void rotate(fv_lines *l) {
    fv_err err = {0};
    if (l->rotate_failed_ns && now_ns() - l->rotate_failed_ns < DUE_NS)
        return;
    fv_lines_flush(l, true);
    int fd = l->failing ? -1 : fv_rotate(l->path, l->keep, &err);
    if (fd < 0) {
        if (!l->failing && !l->rotate_failed_ns)
            l->setup.tell(l->setup.user, true, &err);
        l->rotate_failed_ns = now_ns();
        return;
    }
    end_document(l);
    fv_lines_flush(l, true); // into the old file, which has another name now
    forget_lines(l);         // its end, when there was no room for it
    close(l->fd);
    l->fd = fd;
    l->size = 0;
    l->rotate_failed_ns = 0;
    begin_document(l);
}

void fv_lines_add(fv_lines *l, const fv_message *m) {
    if (l->rotates && has_lines(l) && wants_rotation(l, m->line_size))
        rotate(l);
    add_line(l, l->begun ? l->setup.format->between : "", m->line, m->line_size);
    l->begun = true;
}

// ---- from start to end --------------------------------------------------------------------------

static bool open_file(fv_lines *l, bool append, fv_err *err) {
    struct stat info;
    l->fd = open(l->path, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0644);
    if (l->fd < 0 || fstat(l->fd, &info))
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", l->path, strerror(errno));
    l->rotates = S_ISREG(info.st_mode) && (l->rotate_size || l->rotate_ns);
    l->size = S_ISREG(info.st_mode) ? (uint64_t)info.st_size : 0;
    return true;
}

fv_lines *fv_lines_create(const fv_address *address, const fv_target_params *p,
                          const fv_target_setup *setup, fv_err *err) {
    bool is_file = address->kind == FV_TO_FILE;
    if (p->append && *setup->format->close) {
        fv_fail(err, FV_BAD_INPUT, "%s: a file of format %s is closed at its end and cannot be "
                "appended to; give another file", p->to, setup->format->name);
        return NULL;
    }
    fv_lines *l = calloc(1, sizeof *l);
    l->setup = *setup;
    l->path = is_file ? strdup(address->path) : NULL;
    l->rotate_size = (uint64_t)(p->rotate_size * (1 << 20));
    l->rotate_ns = p->rotate_ns;
    l->keep = p->keep;
    l->flushed_ns = now_ns();
    l->fd = is_file ? -1 : STDOUT_FILENO;
    pthread_mutex_init(&l->lock, NULL);
    if (!is_file || open_file(l, p->append, err))
        begin_document(l);
    else
        fv_lines_destroy(&l);
    return l;
}

fv_target_counts fv_lines_count(fv_lines *l) {
    pthread_mutex_lock(&l->lock);
    fv_target_counts c = l->counts;
    pthread_mutex_unlock(&l->lock);
    return c;
}

static void finish(fv_lines *l) {
    fv_err err;
    end_document(l);
    fv_lines_flush(l, true);
    if (!l->n)
        return;
    fv_fail(&err, FV_IO, "%s: %llu records could not be written",
            l->path ? l->path : "standard output", (unsigned long long)count_lines(l->text, l->n));
    l->setup.tell(l->setup.user, true, &err);
}

void fv_lines_destroy(fv_lines **lines) {
    fv_lines *l = lines ? *lines : NULL;
    if (!l)
        return;
    if (l->fd >= 0)
        finish(l);
    if (l->path && l->fd >= 0)
        close(l->fd);
    pthread_mutex_destroy(&l->lock);
    free(l->text);
    free(l->path);
    free(l);
    *lines = NULL;
}
