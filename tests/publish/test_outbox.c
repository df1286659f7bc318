// plugins/publish/outbox: one order of two spools, and who is given up first.
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/publish/outbox.h"
#include "tests/test.h"

enum { MIB = 1 << 20 };

static const char *folder(void) {
    static int n;
    static char path[1100];
    snprintf(path, sizeof path, "%s/box-%d", fv_test_tmp("outbox"), n++);
    return path;
}

static fv_outbox *open_box(const char *path, uint64_t bytes_max) {
    fv_err err = {0};
    fv_outbox *o = fv_outbox_open(path, bytes_max, &err);
    CHECK_OK(o != NULL, err);
    return o;
}

static void add(fv_outbox *o, int number, bool is_event, size_t size) {
    static const fv_format_row format = {.mime = "text/plain", .open = "", .close = ""};
    fv_err err = {0};
    char body[2000];
    memset(body, '.', sizeof body);
    body[snprintf(body, sizeof body, "%d", number)] = ' ';
    fv_outbox_add(o, &(fv_message){.topic = is_event ? "t/events" : "t/frames", .key = "t", .id = "i",
                                   .body = body, .size = size, .is_event = is_event, .retain = number % 3 == 0},
                  &format, false, &err);
    CHECK_TEXT(err.text, "");
}

static int number_of(const fv_letter *l) {
    int n = atoi(l->body);
    CHECK_TEXT(l->topic, l->is_event ? "t/events" : "t/frames");
    CHECK_TEXT(l->mime, "text/plain");
    CHECK_EQUAL(l->retain, n % 3 == 0);
    return n;
}

// Letters whose numbers do not rise one by one from `next`.
static int out_of_order(const fv_letter *letters, int n, int next) {
    int wrong = 0;
    for (int i = 0; i < n; i++)
        wrong += number_of(&letters[i]) != next + i;
    return wrong;
}

// Adds, takes, settles in part, closes and opens again, as chance has it: each comes once, in order.
static void one_order(void) {
    const char *path = folder();
    fv_outbox *o = open_box(path, 8 * MIB);
    fv_letter letters[FV_LINK_BATCH];
    unsigned seed = 7;
    int added = 0, next = 0, begun = 0, wrong = 0;
    for (int turn = 0; turn < 2000; turn++) {
        for (int k = rand_r(&seed) % 40, events = rand_r(&seed) % 3; k > 0; k--)
            add(o, added++, events == 1 || (events == 2 && rand_r(&seed) % 2), 20);
        int n = fv_outbox_take(o, letters), settled = n ? rand_r(&seed) % (n + 1) : 0;
        wrong += out_of_order(letters, n, next);
        for (int i = 0; i < n; i++)
            wrong += letters[i].resumed != (next + i < begun);
        fv_outbox_ack(o, settled);
        next += settled;
        CHECK_EQUAL(fv_outbox_count(o).waiting, added - next);
        if (rand_r(&seed) % 50 == 0) {
            fv_outbox_close(&o);
            o = open_box(path, 8 * MIB);
            begun = added;
        }
    }
    for (int n; (n = fv_outbox_take(o, letters)) > 0; fv_outbox_ack(o, n), next += n)
        wrong += out_of_order(letters, n, next);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(next, added);
    fv_outbox_close(&o);
}

// Events alone use all the room; while there are frames no event goes.
static void frames_go_first(void) {
    fv_outbox *o = open_box(folder(), 100000);
    for (int i = 0; i < 1000; i++)
        add(o, i, i % 20 == 0, 1000); // 50 events: half of the room
    fv_outbox_counts c = fv_outbox_count(o);
    CHECK(!c.dropped_events && c.dropped > 850 && c.dropped + c.waiting == 1000);
    fv_letter letters[FV_LINK_BATCH];
    int n = fv_outbox_take(o, letters), before = -1, events = 0;
    for (int i = 0; i < n; before = number_of(&letters[i++])) {
        CHECK(number_of(&letters[i]) > before);
        events += letters[i].is_event;
    }
    CHECK_EQUAL(events, 50);
    CHECK_EQUAL(n, (int)c.waiting);
    CHECK_EQUAL(number_of(&letters[n - 1]), 999);
    fv_outbox_ack(o, n);
    for (int i = 0; i < 300; i++) { // then events only, more than there is room for
        add(o, 1000 + 2 * i, false, 1000);
        add(o, 1001 + 2 * i, true, 1000);
    }
    c = fv_outbox_count(o);
    CHECK(c.dropped_events > 200 && c.waiting > 90 && c.waiting < 100);
    n = fv_outbox_take(o, letters);
    for (int i = 0; i < n; i++)
        CHECK(letters[i].is_event);
    CHECK_EQUAL(number_of(&letters[n - 1]), 1599); // frames gave way, the youngest events are here
    fv_outbox_close(&o);
}

static atomic_bool done;

static void *add_many(void *user) {
    unsigned seed = 3;
    for (int i = 0; i < 30000; i++)
        add(user, i, rand_r(&seed) % 4 == 0, 20 + rand_r(&seed) % 300);
    done = true;
    return NULL;
}

// Two threads and too little room: the order holds, and the counts are exact.
static void while_it_is_added_to(void) {
    fv_outbox *o = open_box(folder(), 200000);
    fv_letter letters[FV_LINK_BATCH];
    pthread_t thread;
    int before = -1, taken = 0, wrong = 0;
    done = false;
    pthread_create(&thread, NULL, add_many, o);
    for (bool last = false; !last || fv_outbox_count(o).waiting;) {
        last = done;
        int n = fv_outbox_take(o, letters);
        for (int i = 0; i < n; before = number_of(&letters[i++]))
            wrong += number_of(&letters[i]) <= before;
        fv_outbox_ack(o, n);
        taken += n;
        if (before % 7 == 0)
            usleep(3000);
    }
    pthread_join(thread, NULL);
    fv_outbox_counts c = fv_outbox_count(o);
    CHECK_EQUAL(wrong, 0);
    CHECK_EQUAL(taken + (int)c.dropped, 30000);
    CHECK_EQUAL(c.damaged, 0);
    fv_outbox_close(&o);
}

const fv_suite outbox_suite = {
    "outbox",
    (const fv_case[]){CASE(one_order), CASE(frames_go_first), CASE(while_it_is_added_to), {0}}};
