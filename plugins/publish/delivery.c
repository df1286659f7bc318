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

#include "plugins/publish/outbox.h"
#include "plugins/publish/segment.h"

#define MS INT64_C(1000000)
static const int64_t idle_ns = 100 * MS, backoff_min_ns = 250 * MS;

struct fv_delivery {
    const fv_link_row *row;
    void *link;
    fv_outbox *outbox;
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
    uint64_t dropped_told, refused, refused_events;

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

// ---- the thread ---------------------------------------------------------------------------------

static void refused(void *user, const fv_letter *letter, const char *why) {
    fv_delivery *d = user;
    pthread_mutex_lock(&d->lock);
    bool first = !d->refused++;
    d->refused_events += letter->is_event;
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
    fv_letter letters[FV_LINK_BATCH];
    *n = fv_outbox_take(d->outbox, letters);
    uint64_t refused_before = d->refused;
    int settled = *n ? d->row->send(d->link, letters, *n, fault) : 0;
    fv_outbox_ack(d->outbox, settled);
    if (settled)
        count_settled(d, letters, settled, refused_before);
    return settled == *n;
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
    uint64_t dropped = fv_outbox_count(d->outbox).dropped;
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
    fv_outbox_sync(d->outbox);
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
    uint64_t bytes_max = (uint64_t)(d->params.spool_max * (1 << 20));
    fv_link_setup setup = {&d->address, &d->params, d->setup.name, d->status_topic, d->folder,
                           &d->stop,    refused,    d};
    choose_status_topic(d);
    if (!(d->link = d->row->open(&setup, err)))
        return false;
    d->outbox = fv_outbox_open(d->folder, bytes_max, err);
    if (d->outbox && pthread_create(&d->thread, NULL, work, d))
        fv_fail(err, FV_MEMORY, "%s: no thread for it", d->shown);
    else
        d->running = d->outbox;
    if (!d->running)
        d->row->close(d->link);
    return d->running;
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
    fv_outbox_counts c = fv_outbox_count(d->outbox);
    if (!c.dropped || (end ? c.dropped == d->dropped_told : d->dropped_told))
        return;
    d->dropped_told = c.dropped;
    if (end)
        say(d, true, "%s: %" PRIu64 " records were dropped, %" PRIu64 " of them events", d->shown,
            c.dropped, c.dropped_events);
    else
        say(d, true, "%s: the spool is full and the oldest records are dropped, of frames first; "
            "raise `spool-max`", d->shown);
}

void fv_delivery_add(fv_delivery *d, const fv_message *message) {
    fv_err err = {0};
    fv_outbox_add(d->outbox, message, d->setup.format, d->row->lines, &err);
    if (err.code && !d->dropped_told) {
        d->dropped_told = 1;
        d->setup.tell(d->setup.user, true, &err);
    }
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
    while ((left = fv_outbox_count(d->outbox).waiting) && fv_link_now_ns() < deadline)
        wait_until(d, &d->settled, deadline);
    d->finishing = false;
    d->finished = true;
    uint64_t refused_all = d->refused, damaged = fv_outbox_count(d->outbox).damaged;
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
    fv_outbox_counts s = fv_outbox_count(d->outbox);
    pthread_mutex_lock(&d->lock);
    fv_target_counts c = d->counts;
    c.lost = s.dropped + s.damaged + d->refused;
    c.lost_events = s.dropped_events + d->refused_events;
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
        fv_outbox_sync(d->outbox);
    }
    fv_outbox_close(&d->outbox);
    pthread_cond_destroy(&d->wake);
    pthread_cond_destroy(&d->settled);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *delivery = NULL;
}
