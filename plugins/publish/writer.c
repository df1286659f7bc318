#define _GNU_SOURCE
#include "plugins/publish/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugins/publish/link.h"
#include "plugins/publish/rotate.h"

enum { STEP_MS = 50 };
static const int64_t again_ns = 1000000000;

static uint64_t count_lines(const char *text, size_t n) {
    uint64_t lines = 0;
    for (const char *p = text; n && (p = memchr(p, '\n', n - (size_t)(p - text))); p++)
        lines++;
    return lines;
}

uint64_t fv_writer_waiting(const fv_writer *w) {
    return count_lines(w->text, w->n);
}

// ---- writing ------------------------------------------------------------------------------------

static void note_written(fv_writer *w, size_t n) {
    w->lines += count_lines(w->text, n);
    w->bytes += n;
    w->size += n;
    w->n -= n;
    memmove(w->text, w->text + n, w->n);
}

const char *fv_writer_name(const fv_writer *w) {
    return w->path ? w->path : "standard output";
}

static bool fail(const fv_writer *w, int why, fv_err *err) {
    if (why == EPIPE)
        return fv_fail(err, FV_IO, "%s: nobody reads any more; records wait in memory",
                       fv_writer_name(w));
    return fv_fail(err, fv_err_of_write(why), "%s: %s; records wait for room, make some",
                   fv_writer_name(w), strerror(why));
}

// All or nothing; of a file that cannot be cut again the retry writes what is left.
static bool write_file(fv_writer *w, fv_err *err) {
    off_t start = lseek(w->fd, 0, SEEK_END);
    size_t done = 0;
    while (done < w->n) {
        ssize_t n = write(w->fd, w->text + done, w->n - done);
        if (n < 0 && errno != EINTR)
            break;
        done += n > 0 ? (size_t)n : 0;
    }
    int why = errno;
    bool whole = done == w->n;
    if (whole || (done && (start < 0 || ftruncate(w->fd, start))))
        note_written(w, done);
    return whole || fail(w, why, err);
}

static void hang_up(fv_writer *w) {
    if (w->own_fd >= 0)
        close(w->own_fd);
    w->fd = w->own_fd = -1;
}

// A named pipe whose reader comes late, or anew.
static bool has_reader(fv_writer *w) {
    if (w->fd < 0)
        w->fd = w->own_fd = open(w->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
    return w->fd >= 0;
}

// As far as the reader reads. Of a descriptor that blocks, and is shared with other processes,
// pipe(7) promises that what poll lets through as one piece of PIPE_BUF does not.
static bool write_stream(fv_writer *w, fv_err *err) {
    if (!has_reader(w))
        return errno == ENXIO ? (poll(NULL, 0, STEP_MS), false) : fail(w, errno, err);
    struct pollfd p = {.fd = w->fd, .events = POLLOUT};
    if (poll(&p, 1, STEP_MS) <= 0)
        return false;
    ssize_t n = write(w->fd, w->text, w->blocks && w->n > PIPE_BUF ? PIPE_BUF : w->n);
    if (n > 0)
        note_written(w, (size_t)n);
    if (n >= 0 || errno == EAGAIN || errno == EINTR)
        return !w->n;
    int why = errno;
    if (why == EPIPE && w->path && w->is_pipe)
        hang_up(w);
    return fail(w, why, err);
}

bool fv_writer_flush(fv_writer *w, fv_err *err) {
    if (!w->n || w->is_regular)
        return !w->n || write_file(w, err);
    for (size_t before = w->n + 1; w->n && w->n < before && !err->code;) {
        before = w->n;
        write_stream(w, err);
    }
    return !w->n;
}

// ---- lines --------------------------------------------------------------------------------------

static void put(fv_writer *w, const char *before, const char *line, size_t n) {
    size_t n_before = strlen(before), total = n_before + n + 1;
    if (w->n + total > w->room) {
        w->room = 2 * (w->n + total);
        w->text = realloc(w->text, w->room);
    }
    memcpy(w->text + w->n, before, n_before);
    memcpy(w->text + w->n + n_before, line, n);
    w->n += total;
    w->text[w->n - 1] = '\n';
}

static void begin(fv_writer *w, int64_t at_ns) {
    w->begun = false;
    w->begun_ns = at_ns;
    if (*w->setup.format->open)
        put(w, "", w->setup.format->open, strlen(w->setup.format->open));
}

void fv_writer_end(fv_writer *w) {
    if (*w->setup.format->close)
        put(w, "", w->setup.format->close, strlen(w->setup.format->close));
}

static bool wants_rotation(const fv_writer *w, size_t more, int64_t at_ns) {
    more += strlen(w->setup.format->between) + 1;
    more += *w->setup.format->close ? strlen(w->setup.format->close) + 1 : 0;
    return (w->rotate_size && w->size + w->n + more > w->rotate_size) ||
           (w->rotate_ns && at_ns - w->begun_ns >= w->rotate_ns);
}

static void rotate(fv_writer *w, int64_t at_ns) {
    fv_err err = {0};
    if (w->rotate_failed_ns && fv_link_now_ns() - w->rotate_failed_ns < again_ns)
        return;
    bool flushed = fv_writer_flush(w, &err);
    int fd = flushed ? fv_rotate(w->path, w->keep, &err) : -1;
    if (fd < 0) {
        if (flushed && !w->rotate_failed_ns)
            w->setup.tell(w->setup.user, true, &err);
        w->rotate_failed_ns = fv_link_now_ns();
        return;
    }
    fv_writer_end(w);
    fv_writer_flush(w, &err); // into the old file, which has another name now
    w->n = 0;                   // its end, when there was no room for it
    close(w->fd);
    w->fd = w->own_fd = fd;
    w->size = 0;
    w->rotate_failed_ns = 0;
    begin(w, at_ns);
}

void fv_writer_add(fv_writer *w, const char *line, size_t n, int64_t at_ns) {
    bool has_lines = w->begun || w->size > 0; // size: of a file that is appended to
    if (w->rotates && has_lines && wants_rotation(w, n, at_ns))
        rotate(w, at_ns);
    put(w, w->begun ? w->setup.format->between : "", line, n);
    w->begun = true;
}

// ---- opening ------------------------------------------------------------------------------------

static bool is_fifo(const char *path) {
    struct stat info;
    return !stat(path, &info) && S_ISFIFO(info.st_mode);
}

static bool open_file(fv_writer *w, bool append, fv_err *err) {
    struct stat info;
    if (is_fifo(w->path)) {
        w->is_pipe = true;
        return true;
    }
    w->fd = w->own_fd = open(
        w->path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NONBLOCK | (append ? O_APPEND : O_TRUNC), 0644);
    if (w->fd < 0 || fstat(w->fd, &info))
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", w->path, strerror(errno));
    w->is_regular = S_ISREG(info.st_mode);
    w->rotates = w->is_regular && (w->rotate_size || w->rotate_ns);
    w->size = w->is_regular ? (uint64_t)info.st_size : 0;
    return true;
}

// O_NONBLOCK would be set for everybody who shares standard output, so a pipe or terminal is opened
// once more. What cannot be (a socket) is written in small pieces.
static void open_output(fv_writer *w) {
    struct stat info;
    w->fd = STDOUT_FILENO;
    w->is_regular = !fstat(w->fd, &info) && S_ISREG(info.st_mode);
    if (!w->is_regular)
        w->own_fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    w->blocks = w->own_fd < 0;
    w->fd = w->blocks ? STDOUT_FILENO : w->own_fd;
}

bool fv_writer_open(fv_writer *w, const fv_address *address, const fv_target_params *p,
                      const fv_target_setup *setup, fv_err *err) {
    bool is_file = address->kind == FV_TO_FILE;
    *w = (fv_writer){.setup = *setup,
                       .path = is_file ? strdup(address->path) : NULL,
                       .fd = -1,
                       .own_fd = -1,
                       .keep = p->keep,
                       .rotate_size = (uint64_t)(p->rotate_size * (1 << 20)),
                       .rotate_ns = p->rotate_ns};
    if (p->append && *setup->format->close)
        return fv_fail(err, FV_BAD_INPUT, "%s: a file of format %s is closed at its end and cannot "
                       "be appended to; give another file", p->to, setup->format->name);
    if (is_file && !open_file(w, p->append, err))
        return false;
    if (!is_file)
        open_output(w);
    begin(w, fv_link_now_ns());
    return true;
}

void fv_writer_close(fv_writer *w) {
    hang_up(w);
    free(w->text);
    free(w->path);
    *w = (fv_writer){.fd = -1, .own_fd = -1};
}
