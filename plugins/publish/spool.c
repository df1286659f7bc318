#define _GNU_SOURCE
#include "plugins/publish/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "plugins/publish/segment.h"
#include "plugins/publish/spool_folder.h"

enum { SEGMENT_MIN = 64 << 10, SEGMENT_MAX = 8 << 20 };

typedef struct {
    uint64_t number;
    size_t start, size; // in `text`
} batch_entry;

struct fv_spool {
    fv_spool_folder folder;
    fv_spool_params params;
    fv_spool_state state;
    char id[17];
    pthread_mutex_t lock;

    fv_spool_segment *v; // the last one is written, fd tail
    int n, tail;
    uint64_t next; // number of the record that comes
    bool folder_dirty;

    int at, reader; // the segment that is read, and its descriptor (-1: none)
    off_t offset;
    uint64_t expected; // number of the record at `offset`
    uint64_t unread;   // bytes from there to the end
    fv_segment_record record;

    batch_entry *batch;
    int batch_n, batch_done, batch_room;
    char *text;
    size_t text_size, text_room;

    fv_spool_counts counts;
};

// ---- reading ------------------------------------------------------------------------------------

static void leave_segment(fv_spool *s) {
    if (s->reader >= 0)
        close(s->reader);
    s->reader = -1;
}

static void move_to(fv_spool *s, off_t offset) {
    s->unread -= (uint64_t)(offset - s->offset);
    s->offset = offset;
}

static bool in_hole(const fv_spool *s, uint64_t number) {
    return number >= s->state.hole_from && number < s->state.hole_to;
}

// Numbers up to `number` are not there: dropped by an earlier run (then they were counted), or
// lost.
static void expect(fv_spool *s, uint64_t number) {
    if (number <= s->expected)
        return;
    uint64_t from = s->expected > s->state.hole_from ? s->expected : s->state.hole_from;
    uint64_t to = number < s->state.hole_to ? number : s->state.hole_to;
    s->counts.damaged += number - s->expected - (to > from ? to - from : 0);
    s->expected = number;
}

static bool open_reader(fv_spool *s) {
    if (s->reader < 0)
        s->reader = fv_spool_folder_open_segment(&s->folder, s->v[s->at].first, O_RDONLY);
    return s->reader >= 0 || errno == ENOENT;
}

static bool read_in_segment(fv_spool *s) {
    const fv_spool_segment *g = &s->v[s->at];
    if (s->offset >= g->size || !open_reader(s) || s->reader < 0 ||
        !fv_segment_read(s->reader, s->offset, g->size, &s->record))
        return false;
    move_to(s, fv_segment_next(&s->record));
    return true;
}

// The next record into s->record. A segment that cannot be opened now may be so later; what is not
// there or not a record is passed over, and so is one whose number was there before.
static bool read_next(fv_spool *s) {
    while (s->n) {
        if (s->offset < s->v[s->at].size && !open_reader(s))
            return false;
        if (read_in_segment(s)) {
            expect(s, s->record.number);
            if (s->record.number == s->expected) {
                s->expected++;
                return true;
            }
            s->counts.damaged++;
            continue;
        }
        move_to(s, s->v[s->at].size);
        if (s->at == s->n - 1)
            break;
        leave_segment(s);
        s->at++;
        s->offset = 0;
    }
    expect(s, s->next);
    return false;
}

// ---- what is delivered --------------------------------------------------------------------------

static bool on_its_way(const fv_spool *s) {
    return s->batch_done < s->batch_n;
}

static bool is_needed(const fv_spool *s, int segment) {
    return on_its_way(s) && s->v[segment + 1].first > s->batch[s->batch_done].number &&
           s->v[segment].first <= s->batch[s->batch_n - 1].number;
}

static void remove_read_segments(fv_spool *s) {
    for (int i = 0; i < s->at;) {
        if (is_needed(s, i)) {
            i++;
            continue;
        }
        fv_spool_folder_remove_segment(&s->folder, s->v[i].first);
        memmove(s->v + i, s->v + i + 1, sizeof *s->v * (size_t)(s->n - i - 1));
        s->n--;
        s->at--;
    }
}

static void note(fv_spool *s) {
    s->state.delivered = on_its_way(s) ? s->batch[s->batch_done].number : s->expected;
    if (s->state.delivered >= s->state.hole_to)
        s->state.hole_from = s->state.hole_to = 0;
    fv_spool_folder_write_state(&s->folder, &s->state);
    remove_read_segments(s);
}

// A hole that an earlier run left grows down to here, so that there is never a second one: what
// lies between is dropped as well.
static bool drop_oldest(fv_spool *s) {
    if (!read_next(s))
        return false;
    uint64_t number = s->record.number, *from = &s->state.hole_from, *to = &s->state.hole_to;
    bool grows = *to && number < *from && on_its_way(s);
    s->counts.dropped += grows ? *from - number : !in_hole(s, number);
    if (on_its_way(s)) {
        *from = *to && *from < number ? *from : number;
        *to = *to > number ? *to : number + 1;
    }
    return true;
}

static void keep(fv_spool *s) {
    const fv_segment_record *r = &s->record;
    if (s->batch_n == s->batch_room) {
        s->batch_room = s->batch_room ? 2 * s->batch_room : 64;
        s->batch = realloc(s->batch, sizeof *s->batch * (size_t)s->batch_room);
    }
    if (s->text_size + r->size + 1 > s->text_room) {
        s->text_room = 2 * (s->text_size + r->size + 1);
        s->text = realloc(s->text, s->text_room);
    }
    memcpy(s->text + s->text_size, r->body, r->size + 1);
    s->batch[s->batch_n++] = (batch_entry){r->number, s->text_size, r->size};
    s->text_size += r->size + 1;
}

static void read_batch(fv_spool *s, int max, size_t bytes_max) {
    s->batch_n = s->batch_done = 0;
    s->text_size = 0;
    while (s->batch_n < max && s->text_size < bytes_max) {
        if (s->batch_n && in_hole(s, s->expected))
            break; // a batch ends where a hole begins, so that there is never a second hole
        if (!read_next(s))
            break;
        if (!in_hole(s, s->record.number))
            keep(s);
    }
}

int fv_spool_take(fv_spool *s, fv_spool_record *records, int max, size_t bytes_max) {
    pthread_mutex_lock(&s->lock);
    if (!on_its_way(s))
        read_batch(s, max, bytes_max);
    int n = 0;
    for (int i = s->batch_done; i < s->batch_n && n < max; i++) {
        const batch_entry *b = &s->batch[i];
        records[n++] = (fv_spool_record){b->number, s->text + b->start, b->size};
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

void fv_spool_ack(fv_spool *s, int n) {
    pthread_mutex_lock(&s->lock);
    int left = s->batch_n - s->batch_done;
    n = n < left ? n : left;
    s->batch_done += n;
    s->counts.delivered += (uint64_t)n;
    if (n)
        note(s);
    pthread_mutex_unlock(&s->lock);
}

// ---- adding -------------------------------------------------------------------------------------

static bool begin_segment(fv_spool *s) {
    int fd = fv_spool_folder_open_segment(&s->folder, s->next, O_RDWR | O_CREAT | O_TRUNC);
    if (fd < 0)
        return false;
    if (s->tail >= 0)
        close(s->tail);
    s->tail = fd;
    s->v = realloc(s->v, sizeof *s->v * (size_t)(s->n + 1));
    s->v[s->n++] = (fv_spool_segment){s->next, 0, true};
    s->folder_dirty = true;
    return true;
}

static bool append(fv_spool *s, const struct iovec *parts, int n, size_t total) {
    bool full = s->n && (uint64_t)s->v[s->n - 1].size >= s->params.segment_bytes;
    if ((s->tail < 0 || full) && !begin_segment(s))
        return false;
    fv_spool_segment *g = &s->v[s->n - 1];
    if (!fv_segment_append(s->tail, g->size, s->next, parts, n, total))
        return false;
    g->size += FV_SEGMENT_HEAD + (off_t)total;
    g->dirty = true;
    s->unread += FV_SEGMENT_HEAD + total;
    s->next++;
    return true;
}

static void make_room(fv_spool *s, size_t more) {
    bool dropped = false;
    while (s->unread + more > s->params.bytes_max && drop_oldest(s))
        dropped = true;
    if (dropped)
        note(s);
}

uint64_t fv_spool_bound(fv_spool *s, uint64_t bytes_max) {
    pthread_mutex_lock(&s->lock);
    s->params.bytes_max = bytes_max;
    make_room(s, 0);
    uint64_t unread = s->unread;
    pthread_mutex_unlock(&s->lock);
    return unread;
}

bool fv_spool_add(fv_spool *s, const struct iovec *parts, int n, fv_err *err) {
    size_t total = 0;
    for (int i = 0; i < n; i++)
        total += parts[i].iov_len;
    bool fits =
        total <= FV_SEGMENT_BODY_MAX && FV_SEGMENT_HEAD + total <= s->params.bytes_max;
    pthread_mutex_lock(&s->lock);
    if (fits)
        make_room(s, FV_SEGMENT_HEAD + total);
    bool ok = fits && append(s, parts, n, total);
    int why = errno;
    s->counts.added++;
    s->counts.dropped += !ok;
    pthread_mutex_unlock(&s->lock);
    if (ok)
        return true;
    return fits ? fv_fail(err, FV_IO, "%s: %s; records are lost until there is room",
                          s->folder.path, strerror(why))
                : fv_fail(err, FV_IO, "%s: a record of %zu bytes is larger than the spool and is "
                          "lost; raise `spool-max`", s->folder.path, total);
}

// ---- open, sync, close --------------------------------------------------------------------------

// The last segment may have a torn end: cut it, and go on behind its last whole record.
static bool open_tail(fv_spool *s) {
    fv_spool_segment *g = &s->v[s->n - 1];
    s->next = g->first;
    s->tail = fv_spool_folder_open_segment(&s->folder, g->first, O_RDWR);
    if (s->tail < 0)
        return false;
    off_t end = 0;
    while (fv_segment_read(s->tail, end, g->size, &s->record)) {
        end = fv_segment_next(&s->record);
        s->next = s->record.number + 1;
    }
    bool torn = end < g->size;
    g->size = end;
    return !torn || !ftruncate(s->tail, end);
}

// To the first record that is not delivered.
static void seek_delivered(fv_spool *s) {
    while (s->at + 1 < s->n && s->v[s->at + 1].first <= s->state.delivered)
        s->at++;
    s->expected = s->n ? s->v[s->at].first : s->next;
    for (int i = s->at; i < s->n; i++)
        s->unread += (uint64_t)s->v[i].size;
    while (s->expected < s->state.delivered && read_in_segment(s)) {
        if (s->record.number >= s->state.delivered) {
            s->unread += (uint64_t)(s->offset - s->record.offset);
            s->offset = s->record.offset;
            break;
        }
        s->expected = s->record.number + 1;
    }
    s->expected = s->expected > s->state.delivered ? s->expected : s->state.delivered;
}

static bool read_folder(fv_spool *s, fv_err *err) {
    bool known = fv_spool_folder_read_state(&s->folder, &s->state);
    if (!known && getrandom(&s->state.id, sizeof s->state.id, 0) != sizeof s->state.id)
        s->state.id = (uint64_t)(uintptr_t)s ^ (uint64_t)getpid() << 32;
    snprintf(s->id, sizeof s->id, "%016" PRIx64, s->state.id);
    s->n = fv_spool_folder_segments(&s->folder, &s->v);
    if (s->n && !open_tail(s))
        return fv_fail(err, FV_IO, "%s: the spool cannot be read: %s", s->folder.path,
                       strerror(errno));
    if (!s->n || s->next < s->state.delivered)
        s->next = s->state.delivered;
    seek_delivered(s);
    note(s);
    return true;
}

fv_spool *fv_spool_open(const char *folder, const fv_spool_params *params, fv_err *err) {
    fv_spool *s = calloc(1, sizeof *s);
    s->params = *params;
    s->tail = s->reader = -1;
    uint64_t part = params->bytes_max / 8;
    if (!s->params.segment_bytes)
        s->params.segment_bytes =
            part < SEGMENT_MIN ? SEGMENT_MIN : part > SEGMENT_MAX ? SEGMENT_MAX : part;
    pthread_mutex_init(&s->lock, NULL);
    bool ok = fv_spool_folder_open(&s->folder, folder, err);
    if (!ok || !read_folder(s, err)) {
        if (ok)
            fv_spool_folder_close(&s->folder);
        s->folder.fd = -1;
        fv_spool_close(&s);
    }
    return s;
}

// Segments are opened anew for this: the writer may go on, and even remove them, meanwhile.
void fv_spool_sync(fv_spool *s) {
    uint64_t dirty[64];
    int n = 0;
    pthread_mutex_lock(&s->lock);
    for (int i = s->n - 1; i >= 0 && n < 64; i--) {
        if (s->v[i].dirty)
            dirty[n++] = s->v[i].first;
        s->v[i].dirty = false;
    }
    bool folder = s->folder_dirty;
    s->folder_dirty = false;
    pthread_mutex_unlock(&s->lock);
    for (int i = 0; i < n; i++) {
        int fd = fv_spool_folder_open_segment(&s->folder, dirty[i], O_RDWR);
        if (fd >= 0) {
            fdatasync(fd);
            close(fd);
        }
    }
    fdatasync(s->folder.state_fd);
    if (folder)
        fsync(s->folder.fd);
}

fv_spool_counts fv_spool_count(fv_spool *s) {
    pthread_mutex_lock(&s->lock);
    fv_spool_counts c = s->counts;
    c.waiting = s->next - s->expected + (uint64_t)(s->batch_n - s->batch_done);
    c.waiting_bytes = s->unread;
    for (int i = s->batch_done; i < s->batch_n; i++)
        c.waiting_bytes += FV_SEGMENT_HEAD + s->batch[i].size;
    pthread_mutex_unlock(&s->lock);
    return c;
}

void fv_spool_numbers(fv_spool *s, uint64_t *first, uint64_t *end) {
    pthread_mutex_lock(&s->lock);
    *first = s->expected;
    *end = s->next;
    pthread_mutex_unlock(&s->lock);
}

const char *fv_spool_id(const fv_spool *s) {
    return s->id;
}

// Segments without a record that waits are not worth keeping: `state` knows the numbers.
static void finish_folder(fv_spool *s) {
    if (!on_its_way(s) && s->expected == s->next)
        for (int i = 0; i < s->n; i++)
            fv_spool_folder_remove_segment(&s->folder, s->v[i].first);
    fv_spool_folder_close(&s->folder);
}

void fv_spool_close(fv_spool **spool) {
    fv_spool *s = spool ? *spool : NULL;
    if (!s)
        return;
    leave_segment(s);
    if (s->tail >= 0)
        close(s->tail);
    if (s->folder.fd >= 0)
        finish_folder(s);
    pthread_mutex_destroy(&s->lock);
    free(s->v);
    free(s->batch);
    free(s->text);
    free(s->record.body);
    free(s);
    *spool = NULL;
}
