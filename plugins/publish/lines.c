#define _GNU_SOURCE
#include "plugins/publish/lines.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/publish/writer.h"
#include "plugins/publish/link.h"

enum { MEMORY_BYTES = 8 << 20, BATCH_BYTES = 256 << 10, DUE_BYTES = 64 << 10 };
static const int64_t due_ns = 1000000000;

typedef struct line {
    struct line *next;
    uint64_t number;
    int64_t added_ns;
    size_t size;
    char text[];
} line;

typedef struct {
    line *first, *last;
} queue;

enum { FRAMES, EVENTS, N_QUEUES }; // in the order in which they are given up

struct fv_lines {
    fv_target_setup setup;
    fv_writer writer; // the thread's
    bool at_once;
    int64_t linger_ns;

    pthread_t thread;
    bool running;
    pthread_mutex_t lock;         // of all below
    pthread_cond_t wake, settled; // the thread has something to do; it has done something
    queue queues[N_QUEUES];
    size_t bytes;                 // in the queues
    uint64_t next, queued;        // number of the line that comes; lines in the queues
    int64_t since_ns;             // of the oldest
    bool stop, finishing, finished, failing, told_full;
    uint64_t failures, told_lost;
    fv_target_counts counts;      // waiting: of the document only
};

// ---- queues: l->lock is held --------------------------------------------------------------------

static line *take_first(fv_lines *l, queue *q) {
    line *one = q->first;
    q->first = one->next;
    if (!q->first)
        q->last = NULL;
    l->bytes -= one->size;
    l->queued--;
    return one;
}

static void give_up(fv_lines *l, int kind) {
    free(take_first(l, &l->queues[kind]));
    l->counts.lost++;
    l->counts.lost_events += kind == EVENTS;
}

static void make_room(fv_lines *l, size_t more) {
    for (int kind = FRAMES; kind < N_QUEUES; kind++)
        while (l->queues[kind].first && l->bytes + more > MEMORY_BYTES)
            give_up(l, kind);
}

static void put_last(fv_lines *l, queue *q, const fv_message *m) {
    line *one = malloc(sizeof *one + m->line_size);
    *one = (line){.number = l->next++, .added_ns = fv_link_now_ns(), .size = m->line_size};
    memcpy(one->text, m->line, m->line_size);
    if (q->last)
        q->last->next = one;
    else
        q->first = one;
    q->last = one;
    l->bytes += m->line_size;
    if (!l->queued++)
        l->since_ns = one->added_ns;
}

static queue *oldest(fv_lines *l) {
    queue *f = &l->queues[FRAMES], *e = &l->queues[EVENTS];
    if (!f->first || !e->first)
        return f->first ? f : e;
    return f->first->number < e->first->number ? f : e;
}

// ---- the thread ---------------------------------------------------------------------------------

static void wait_until(fv_lines *l, pthread_cond_t *condition, int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    pthread_cond_timedwait(condition, &l->lock, &t);
}

// Waits until something is to be written. False: the end.
static bool wait_for_lines(fv_lines *l) {
    int64_t begun = fv_link_now_ns();
    while (!l->stop && !l->finishing) {
        bool any = l->queued || l->counts.waiting;
        int64_t due = l->failing || !l->queued ? begun + due_ns : l->since_ns + due_ns;
        bool now = !l->failing && (l->at_once || l->bytes >= DUE_BYTES || l->counts.waiting);
        if (any && (now || fv_link_now_ns() >= due))
            return true;
        if (any)
            wait_until(l, &l->wake, due);
        else
            pthread_cond_wait(&l->wake, &l->lock);
    }
    if (!l->queued && !l->counts.waiting && !l->stop)
        pthread_cond_wait(&l->wake, &l->lock);
    return !l->stop;
}

// Moves the oldest lines from memory into the document, unless lines wait there.
static void fill(fv_lines *l) {
    line *first = NULL, **end = &first;
    size_t bytes = 0;
    for (queue *q; bytes < BATCH_BYTES && (q = oldest(l))->first; end = &(*end)->next) {
        bytes += q->first->size;
        *end = take_first(l, q);
        l->counts.waiting++;
    }
    *end = NULL;
    pthread_mutex_unlock(&l->lock);
    while (first) {
        line *one = first;
        first = one->next;
        fv_writer_add(&l->writer, one->text, one->size, one->added_ns);
        free(one);
    }
    pthread_mutex_lock(&l->lock);
}

static void note(fv_lines *l, const fv_err *err) {
    bool was_failing = l->failing;
    l->failing = err->code;
    l->finishing &= !l->failing; // once is enough
    l->failures += l->failing;
    l->counts.errors += l->failing;
    l->counts.lines = l->writer.lines;
    l->counts.bytes = l->writer.bytes;
    l->counts.waiting = fv_writer_waiting(&l->writer);
    pthread_cond_broadcast(&l->settled);
    pthread_mutex_unlock(&l->lock);
    if (err->code && !was_failing)
        l->setup.tell(l->setup.user, true, err);
    pthread_mutex_lock(&l->lock);
}

static void write_lines(fv_lines *l) {
    fv_err err = {0};
    if (!l->writer.n)
        fill(l);
    pthread_mutex_unlock(&l->lock);
    fv_writer_flush(&l->writer, &err);
    pthread_mutex_lock(&l->lock);
    note(l, &err);
}

// Nobody adds any more. Whoever took nothing is not waited for again.
static void end_document(fv_lines *l) {
    fv_err err = {0};
    int64_t deadline = fv_link_now_ns() + (l->queued + l->counts.waiting ? 0 : l->linger_ns);
    for (queue *q; (q = oldest(l))->first;) {
        line *one = take_first(l, q);
        fv_writer_add(&l->writer, one->text, one->size, one->added_ns);
        free(one);
    }
    fv_writer_end(&l->writer);
    while (!fv_writer_flush(&l->writer, &err) && !err.code && fv_link_now_ns() < deadline)
        continue;
    uint64_t left = fv_writer_waiting(&l->writer);
    fv_fail(&err, FV_IO, "%s: %" PRIu64 " records could not be written",
            fv_writer_name(&l->writer), left);
    if (left)
        l->setup.tell(l->setup.user, true, &err);
}

static void *work(void *user) {
    fv_lines *l = user;
    sigset_t pipe_signal; // a reader that is gone is an error of write, not the end of the process
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    pthread_mutex_lock(&l->lock);
    while (wait_for_lines(l))
        write_lines(l);
    pthread_mutex_unlock(&l->lock);
    end_document(l);
    return NULL;
}

// ---- from outside -------------------------------------------------------------------------------

void fv_lines_add(fv_lines *l, const fv_message *m) {
    fv_err err;
    pthread_mutex_lock(&l->lock);
    make_room(l, m->line_size);
    bool full = l->counts.lost > l->told_lost && !l->told_full;
    l->told_full |= full;
    l->finished = false;
    put_last(l, &l->queues[m->is_event ? EVENTS : FRAMES], m);
    if (l->queued == 1 || l->at_once || l->bytes >= DUE_BYTES)
        pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    if (!full)
        return;
    fv_fail(&err, FV_IO, "%s: takes too little; the oldest records are dropped, of frames first",
            fv_writer_name(&l->writer));
    l->setup.tell(l->setup.user, true, &err);
}

// Until nothing waits, a write has failed, or nothing was taken for `linger`.
static void drain(fv_lines *l) {
    uint64_t failures = l->failures, bytes = l->counts.bytes;
    int64_t deadline = fv_link_now_ns() + l->linger_ns;
    l->finishing = true;
    pthread_cond_signal(&l->wake);
    while (l->queued + l->counts.waiting && l->failures == failures &&
           fv_link_now_ns() < deadline) {
        wait_until(l, &l->settled, deadline);
        if (l->counts.bytes != bytes)
            deadline = fv_link_now_ns() + l->linger_ns;
        bytes = l->counts.bytes;
    }
    l->finishing = false;
    l->finished = true;
}

void fv_lines_finish(fv_lines *l) {
    fv_err err;
    pthread_mutex_lock(&l->lock);
    drain(l);
    uint64_t lost = l->counts.lost, events = l->counts.lost_events;
    bool more = lost > l->told_lost;
    l->told_lost = lost;
    l->told_full = false;
    pthread_mutex_unlock(&l->lock);
    fv_fail(&err, FV_IO, "%s: %" PRIu64 " records were dropped, %" PRIu64 " of them events",
            fv_writer_name(&l->writer), lost, events);
    if (more)
        l->setup.tell(l->setup.user, true, &err);
}

fv_target_counts fv_lines_count(fv_lines *l) {
    pthread_mutex_lock(&l->lock);
    fv_target_counts c = l->counts;
    c.waiting += l->queued;
    pthread_mutex_unlock(&l->lock);
    return c;
}

static void init_waiting(fv_lines *l) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->wake, &attributes);
    pthread_cond_init(&l->settled, &attributes);
    pthread_condattr_destroy(&attributes);
}

fv_lines *fv_lines_create(const fv_address *address, const fv_target_params *p,
                          const fv_target_setup *setup, fv_err *err) {
    fv_lines *l = calloc(1, sizeof *l);
    l->setup = *setup;
    l->linger_ns = p->linger_ns;
    init_waiting(l);
    bool ok = fv_writer_open(&l->writer, address, p, setup, err);
    l->at_once = ok && !l->writer.is_regular;
    l->counts.waiting = fv_writer_waiting(&l->writer);
    if (ok && pthread_create(&l->thread, NULL, work, l))
        ok = fv_fail(err, FV_MEMORY, "%s: no thread for it", fv_writer_name(&l->writer));
    l->running = ok;
    if (!ok)
        fv_lines_destroy(&l);
    return l;
}

static void end_thread(fv_lines *l) {
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->lock);
    pthread_join(l->thread, NULL);
}

void fv_lines_destroy(fv_lines **lines) {
    fv_lines *l = lines ? *lines : NULL;
    if (!l)
        return;
    if (l->running) {
        if (!l->finished)
            fv_lines_finish(l);
        end_thread(l);
    }
    fv_writer_close(&l->writer);
    pthread_cond_destroy(&l->wake);
    pthread_cond_destroy(&l->settled);
    pthread_mutex_destroy(&l->lock);
    free(l);
    *lines = NULL;
}
