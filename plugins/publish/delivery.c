#define _GNU_SOURCE
#include "plugins/publish/delivery.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "plugins/publish/segment.h"
#include "plugins/publish/spool.h"

#define MS INT64_C(1000000)
static const int64_t idle_ns = 100 * MS, backoff_min_ns = 250 * MS;

struct fv_delivery {
    const fv_link_row *row;
    void *link;
    fv_spool *spool;
    fv_address address;
    fv_target_params params;
    fv_target_setup setup;
    char shown[1200], status_topic[600], folder[1024];

    pthread_t thread;
    bool running;
    atomic_bool stop;
    pthread_mutex_t lock;
    pthread_cond_t wake, settled; // the thread has something to do; it has done something
    bool news, finishing, finished;
    fv_target_counts counts;
    uint64_t dropped_told, refused;

    // the thread's own
    bool failing;
    int64_t failed_ns, backoff_ns, synced_ns;
    unsigned seed;
};

static void say(fv_delivery *d, bool grave, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void say(fv_delivery *d, bool grave, const char *format, ...) {
    fv_err err = {.code = FV_IO};
    va_list args;
    va_start(args, format);
    vsnprintf(err.text, sizeof err.text, format, args);
    va_end(args);
    d->setup.tell(d->setup.user, grave, &err);
}

static void wait_until(fv_delivery *d, pthread_cond_t *condition, int64_t ns) {
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    pthread_cond_timedwait(condition, &d->lock, &t);
}

// ---- letters in the spool -----------------------------------------------------------------------

// A record: a byte of flags, then topic, key, id and mime, each with its NUL, then the body.

enum { IS_EVENT = 1, IS_RETAINED = 2 };

static void write_letter(fv_delivery *d, const fv_message *m, fv_err *err) {
    const fv_format_row *f = d->setup.format;
    char flags = (char)((m->is_event ? IS_EVENT : 0) | (m->retain ? IS_RETAINED : 0));
    const struct iovec parts[] = {
        {&flags, 1},
        {(void *)m->topic, strlen(m->topic) + 1},
        {(void *)m->key, strlen(m->key) + 1},
        {(void *)m->id, strlen(m->id) + 1},
        {(void *)f->mime, strlen(f->mime) + 1},
        {(void *)f->open, strlen(f->open)},
        {(void *)(d->row->lines ? m->line : m->body), d->row->lines ? m->line_size : m->size},
        {(void *)f->close, strlen(f->close)}};
    fv_spool_add(d->spool, parts, sizeof parts / sizeof parts[0], err);
}

static bool read_letter(const fv_delivery *d, const fv_spool_record *r, fv_letter *l) {
    const char *texts[4], *p = r->body + 1, *end = r->body + r->size;
    for (int i = 0; i < 4; i++) {
        const char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (!nul)
            return false;
        texts[i] = p;
        p = nul + 1;
    }
    *l = (fv_letter){texts[0], texts[1], texts[2], texts[3], p, (size_t)(end - p),
                     r->body[0] & IS_EVENT, r->body[0] & IS_RETAINED, ""};
    snprintf(l->delivery, sizeof l->delivery, "%s-%" PRIu64, fv_spool_id(d->spool), r->number);
    return true;
}

// ---- the thread ---------------------------------------------------------------------------------

static void refused(void *user, const fv_letter *letter, const char *why) {
    fv_delivery *d = user;
    pthread_mutex_lock(&d->lock);
    bool first = !d->refused++;
    pthread_mutex_unlock(&d->lock);
    if (first)
        say(d, true, "%s: refuses record %s: %s; it is lost, others go on", d->shown, letter->id,
            why);
}

static void count_settled(fv_delivery *d, const fv_letter *letters, int n,
                          uint64_t refused_before) {
    uint64_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += letters[i].size;
    pthread_mutex_lock(&d->lock);
    d->counts.lines += (uint64_t)n - (d->refused - refused_before);
    d->counts.bytes += bytes;
    pthread_cond_broadcast(&d->settled);
    pthread_mutex_unlock(&d->lock);
}

// True when all that was taken is settled. n is 0 when nothing waits.
static bool send_batch(fv_delivery *d, int *n, fv_link_fault *fault) {
    fv_spool_record records[FV_LINK_BATCH];
    fv_letter letters[FV_LINK_BATCH];
    int readable = 0;
    *n = fv_spool_take(d->spool, records, FV_LINK_BATCH, FV_LINK_BATCH_BYTES);
    while (readable < *n && read_letter(d, &records[readable], &letters[readable]))
        readable++;
    if (readable < *n && !readable) { // written by something else
        fv_spool_ack(d->spool, 1);
        return true;
    }
    uint64_t refused_before = d->refused;
    int settled = readable ? d->row->send(d->link, letters, readable, fault) : 0;
    fv_spool_ack(d->spool, settled);
    if (settled)
        count_settled(d, letters, settled, refused_before);
    return settled == readable;
}

static void note_fault(fv_delivery *d, const fv_link_fault *fault) {
    pthread_mutex_lock(&d->lock);
    d->counts.errors++;
    pthread_mutex_unlock(&d->lock);
    if (d->failing)
        return;
    d->failing = true;
    d->failed_ns = fv_link_now_ns();
    say(d, fault->err.code != FV_IO, "%s: %s; records wait in the spool %s", d->shown,
        fault->err.text, d->folder);
}

static void note_success(fv_delivery *d) {
    d->backoff_ns = 0;
    if (!d->failing)
        return;
    d->failing = false;
    uint64_t dropped = fv_spool_count(d->spool).dropped;
    say(d, false, "%s: takes records again after %.1f s; %" PRIu64 " were dropped so far", d->shown,
        (double)(fv_link_now_ns() - d->failed_ns) / 1e9, dropped);
}

static void back_off(fv_delivery *d, int64_t asked_ns) {
    if (d->row->keeps_trying && !asked_ns)
        return;
    int64_t next = d->backoff_ns ? 2 * d->backoff_ns : backoff_min_ns;
    d->backoff_ns = next < d->params.retry_ns ? next : d->params.retry_ns;
    int64_t chance = d->backoff_ns / 1000 * (rand_r(&d->seed) % 501 - 250);
    int64_t begun = fv_link_now_ns(), wait = d->backoff_ns + chance;
    wait = wait > asked_ns ? wait : asked_ns;
    pthread_mutex_lock(&d->lock);
    while (!d->stop) {
        int64_t limit = d->finishing && wait > backoff_min_ns ? backoff_min_ns : wait;
        if (fv_link_now_ns() >= begun + limit)
            break;
        wait_until(d, &d->wake, begun + limit);
    }
    pthread_mutex_unlock(&d->lock);
}

static void sync_when_due(fv_delivery *d) {
    if (fv_link_now_ns() - d->synced_ns < d->params.sync_ns)
        return;
    fv_spool_sync(d->spool);
    d->synced_ns = fv_link_now_ns();
}

static void wait_for_news(fv_delivery *d) {
    pthread_mutex_lock(&d->lock);
    if (!d->news && !d->stop)
        wait_until(d, &d->wake, fv_link_now_ns() + idle_ns);
    d->news = false;
    pthread_mutex_unlock(&d->lock);
}

static void *work(void *user) {
    fv_delivery *d = user;
    sigset_t pipe_signal; // a peer that is gone is an error of write, not the end of the process
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, NULL);
    while (!d->stop) {
        fv_link_fault fault = {0};
        int n;
        bool ok = send_batch(d, &n, &fault);
        if (ok && !n && d->row->idle)
            ok = d->row->idle(d->link, &fault);
        sync_when_due(d);
        if (ok && (n || d->row->idle))
            note_success(d);
        if (!ok && !d->stop)
            note_fault(d, &fault), back_off(d, fault.wait_ns);
        if (ok && !n)
            wait_for_news(d);
    }
    d->row->close(d->link);
    return NULL;
}

// ---- from outside -------------------------------------------------------------------------------

void fv_delivery_folder(const fv_target_params *p, const char *name, char *path, size_t size) {
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    uint32_t sum = fv_crc32(0, p->to, strlen(p->to));
    if (p->spool && *p->spool)
        snprintf(path, size, "%s", p->spool);
    else if (state && *state == '/')
        snprintf(path, size, "%s/fovea/spool/%s-%08" PRIx32, state, name, sum);
    else if (home && *home == '/')
        snprintf(path, size, "%s/.local/state/fovea/spool/%s-%08" PRIx32, home, name, sum);
    else
        snprintf(path, size, "/var/tmp/fovea-%d/spool/%s-%08" PRIx32, (int)getuid(), name, sum);
}

static void init_waiting(fv_delivery *d) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->lock, NULL);
    pthread_cond_init(&d->wake, &attributes);
    pthread_cond_init(&d->settled, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void choose_status_topic(fv_delivery *d) {
    const char *given = d->params.status_topic, *base = d->address.path;
    if (given && *given)
        snprintf(d->status_topic, sizeof d->status_topic, "%s", given);
    else if (d->setup.format->own_topics)
        snprintf(d->status_topic, sizeof d->status_topic, "%.500s%savailable", base,
                 *base ? "/" : "");
    else
        snprintf(d->status_topic, sizeof d->status_topic, "%.400s%s%.150s/status", base,
                 *base ? "/" : "", d->setup.name);
}

static bool start(fv_delivery *d, fv_err *err) {
    fv_spool_params spool = {(uint64_t)(d->params.spool_max * (1 << 20)), 0};
    fv_link_setup setup = {&d->address, &d->params, d->setup.name, d->status_topic, &d->stop,
                           refused,     d};
    choose_status_topic(d);
    if (!(d->link = d->row->open(&setup, err)))
        return false;
    if (!(d->spool = fv_spool_open(d->folder, &spool, err)) ||
        pthread_create(&d->thread, NULL, work, d)) {
        d->row->close(d->link);
        return false;
    }
    d->running = true;
    return true;
}

fv_delivery *fv_delivery_create(const fv_link_row *row, const fv_address *address,
                                const fv_target_params *params, const fv_target_setup *setup,
                                fv_err *err) {
    fv_delivery *d = calloc(1, sizeof *d);
    d->row = row;
    d->address = *address;
    d->params = *params;
    d->setup = *setup;
    d->seed = (unsigned)getpid();
    d->synced_ns = fv_link_now_ns();
    init_waiting(d);
    fv_address_show(address, d->shown, sizeof d->shown);
    fv_delivery_folder(params, setup->name, d->folder, sizeof d->folder);
    if (!start(d, err))
        fv_delivery_destroy(&d);
    return d;
}

static void tell_dropped(fv_delivery *d, bool end) {
    uint64_t dropped = fv_spool_count(d->spool).dropped;
    if (!dropped || (end ? dropped == d->dropped_told : d->dropped_told))
        return;
    d->dropped_told = dropped;
    if (end)
        say(d, true, "%s: %" PRIu64 " records were dropped, the oldest first; raise `spool-max`",
            d->shown, dropped);
    else
        say(d, true, "%s: the spool is full and the oldest records are dropped; raise `spool-max`",
            d->shown);
}

void fv_delivery_add(fv_delivery *d, const fv_message *message) {
    fv_err err = {0};
    write_letter(d, message, &err);
    if (err.code && !d->dropped_told++)
        d->setup.tell(d->setup.user, true, &err);
    tell_dropped(d, false);
    pthread_mutex_lock(&d->lock);
    d->news = true;
    d->finished = false;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->lock);
}

void fv_delivery_finish(fv_delivery *d) {
    int64_t deadline = fv_link_now_ns() + d->params.linger_ns;
    uint64_t left;
    pthread_mutex_lock(&d->lock);
    d->finishing = true;
    pthread_cond_signal(&d->wake);
    while ((left = fv_spool_count(d->spool).waiting) && fv_link_now_ns() < deadline)
        wait_until(d, &d->settled, deadline);
    d->finishing = false;
    d->finished = true;
    uint64_t refused_all = d->refused, damaged = fv_spool_count(d->spool).damaged;
    pthread_mutex_unlock(&d->lock);
    tell_dropped(d, true);
    if (damaged)
        say(d, true, "%s: %" PRIu64 " records of the spool %s were damaged and are lost", d->shown,
            damaged, d->folder);
    if (refused_all > 1)
        say(d, true, "%s: refused %" PRIu64 " records", d->shown, refused_all);
    if (left)
        say(d, true, "%s: %" PRIu64 " records wait in the spool %s; the next run delivers them",
            d->shown, left, d->folder);
}

fv_target_counts fv_delivery_count(fv_delivery *d) {
    fv_spool_counts s = fv_spool_count(d->spool);
    pthread_mutex_lock(&d->lock);
    fv_target_counts c = d->counts;
    c.lost = s.dropped + s.damaged + d->refused;
    pthread_mutex_unlock(&d->lock);
    c.waiting = s.waiting;
    return c;
}

void fv_delivery_destroy(fv_delivery **delivery) {
    fv_delivery *d = delivery ? *delivery : NULL;
    if (!d)
        return;
    if (d->running) {
        if (!d->finished)
            fv_delivery_finish(d);
        pthread_mutex_lock(&d->lock);
        d->stop = true;
        pthread_cond_signal(&d->wake);
        pthread_mutex_unlock(&d->lock);
        pthread_join(d->thread, NULL);
        fv_spool_sync(d->spool);
    }
    fv_spool_close(&d->spool);
    pthread_cond_destroy(&d->wake);
    pthread_cond_destroy(&d->settled);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *delivery = NULL;
}
