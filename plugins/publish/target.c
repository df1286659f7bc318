#define _GNU_SOURCE
#include "plugins/publish/target.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/base/log.h"

enum { SPOOL_BYTES = 8 << 20, DUE_BYTES = 64 << 10, DUE_NS = 1000000000 };

// One row per kind of target. `write` writes whole lines: true when all n bytes arrived, else none
// of the lines it returns false for may be left half written.
typedef struct {
    const char *name;
    bool (*is_for)(const char *to);
    bool (*open)(fv_target *t, bool append, fv_err *err);
    bool (*write)(fv_target *t, const char *text, size_t n, fv_err *err);
    void (*close)(fv_target *t);
    bool at_once; // somebody reads along: no line waits
} target_row;

struct fv_target {
    const target_row *row;
    const fv_format_row *format;
    char *to;
    bool begun; // the document has its first message
    int fd;
    char *spool;
    size_t n, room; // bytes in the spool
    int64_t flushed_ns;
    bool failing;
    fv_target_counts counts;
};

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// ---- files and standard output ------------------------------------------------------------------

static bool is_stdout(const char *to) {
    return !strcmp(to, "-");
}

static bool is_any(const char *to) {
    (void)to;
    return true;
}

static bool open_stdout(fv_target *t, bool append, fv_err *err) {
    (void)append, (void)err;
    t->fd = STDOUT_FILENO;
    return true;
}

static bool open_file(fv_target *t, bool append, fv_err *err) {
    t->fd = open(t->to, O_WRONLY | O_CREAT | O_CLOEXEC | (append ? O_APPEND : O_TRUNC), 0644);
    return t->fd >= 0 ||
           fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", t->to, strerror(errno));
}

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

static bool write_file(fv_target *t, const char *text, size_t n, fv_err *err) {
    off_t start = lseek(t->fd, 0, SEEK_END);
    size_t done;
    if (write_all(t->fd, text, n, &done))
        return true;
    int why = errno;
    if (done && start >= 0 && ftruncate(t->fd, start))
        done = 0; // cannot even be cut: the retry writes the lines again
    return fv_fail(err, fv_err_of_write(why), "%s: %s; records wait for room, make some", t->to,
                   strerror(why));
}

static bool write_stdout(fv_target *t, const char *text, size_t n, fv_err *err) {
    size_t done;
    if (write_all(t->fd, text, n, &done))
        return true;
    return fv_fail(err, FV_IO, "standard output: %s", strerror(errno));
}

static void close_file(fv_target *t) {
    if (t->fd >= 0)
        close(t->fd);
}

static void close_nothing(fv_target *t) {
    (void)t;
}

static const target_row rows[] = {
    {"stdout", is_stdout, open_stdout, write_stdout, close_nothing, true},
    {"file", is_any, open_file, write_file, close_file, false},
};

// ---- the spool ----------------------------------------------------------------------------------

static void add_line(fv_target *t, const char *before, const char *line, size_t n);

fv_target *fv_target_create(const char *to, bool append, const fv_format_row *format, fv_err *err) {
    if (append && *format->close) {
        fv_fail(err, FV_BAD_INPUT, "%s: a file of format %s is closed at its end and cannot be "
                "appended to; give another file", to, format->name);
        return NULL;
    }
    fv_target *t = calloc(1, sizeof *t);
    t->format = format;
    t->to = strdup(to);
    t->fd = -1;
    t->flushed_ns = now_ns();
    for (t->row = rows; !t->row->is_for(to);)
        t->row++;
    if (!t->row->open(t, append, err))
        fv_target_destroy(&t);
    else if (*format->open)
        add_line(t, "", format->open, strlen(format->open));
    return t;
}

static void drop(fv_target *t, size_t bytes) {
    memmove(t->spool, t->spool + bytes, t->n - bytes);
    t->n -= bytes;
}

static void make_room(fv_target *t, size_t more) {
    while (t->n && t->n + more > SPOOL_BYTES) {
        const char *end = memchr(t->spool, '\n', t->n);
        drop(t, (size_t)(end - t->spool) + 1);
        t->counts.lost++;
    }
    if (t->n + more > t->room) {
        t->room = 2 * (t->n + more);
        t->spool = realloc(t->spool, t->room);
    }
}

static void add_line(fv_target *t, const char *before, const char *line, size_t n) {
    size_t n_before = strlen(before);
    make_room(t, n_before + n + 1);
    memcpy(t->spool + t->n, before, n_before);
    memcpy(t->spool + t->n + n_before, line, n);
    t->n += n_before + n;
    t->spool[t->n++] = '\n';
}

void fv_target_add(fv_target *t, const fv_message *m) {
    add_line(t, t->begun ? t->format->between : "", m->line, m->line_size);
    t->begun = true;
}

static uint64_t count_lines(const char *text, size_t n) {
    uint64_t lines = 0;
    for (const char *p = text; (p = memchr(p, '\n', n - (size_t)(p - text))); p++)
        lines++;
    return lines;
}

bool fv_target_flush(fv_target *t, bool now, fv_err *err) {
    bool late = now_ns() - t->flushed_ns >= DUE_NS;
    bool due = late || (!t->failing && (t->row->at_once || t->n >= DUE_BYTES));
    if (!t->n || !(now || due))
        return true;
    t->flushed_ns = now_ns();
    bool was_failing = t->failing;
    t->failing = !t->row->write(t, t->spool, t->n, err);
    if (t->failing) {
        t->counts.errors++;
        return was_failing;
    }
    t->counts.bytes += t->n;
    t->counts.lines += count_lines(t->spool, t->n);
    t->n = 0;
    return true;
}

fv_target_counts fv_target_count(const fv_target *t) {
    return t->counts;
}

void fv_target_destroy(fv_target **t) {
    if (!t || !*t)
        return;
    fv_err err;
    if ((*t)->fd >= 0 && *(*t)->format->close)
        add_line(*t, "", (*t)->format->close, strlen((*t)->format->close));
    if (!fv_target_flush(*t, true, &err))
        fv_log(FV_LOG_ERROR, "%s", err.text);
    if ((*t)->n)
        fv_log(FV_LOG_ERROR, "%s: %llu records could not be written", (*t)->to,
               (unsigned long long)count_lines((*t)->spool, (*t)->n));
    (*t)->row->close(*t);
    free((*t)->spool);
    free((*t)->to);
    free(*t);
    *t = NULL;
}
