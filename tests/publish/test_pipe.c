#define _GNU_SOURCE
// plugins/publish/lines.h: standard output and named pipes whose reader sleeps, goes, or never comes.
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

enum { ROOM = 1 << 25 };

static char path[1100];

static void make_pipe(const char *name) {
    snprintf(path, sizeof path, "%s/pipe", fv_test_tmp(name));
    CHECK_EQUAL(mkfifo(path, 0600), 0);
}

// A reader in a process of its own: waits for wake_reader, then reads `bytes` (-1: all) into path.got,
// at most 64 KiB in `pause_us`.
static int start_sleeper(long bytes, int pause_us) {
    char command[4000];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c 'import os, time\nfd, left = os.open(\"%s\", os.O_RDONLY), %ld\n"
             "while not os.path.exists(\"%s.go\"): time.sleep(0.01)\n"
             "out = open(\"%s.got\", \"ab\", buffering=0)\nwhile left:\n"
             "    piece = os.read(fd, 65536 if left < 0 else min(left, 65536))\n    if not piece: break\n"
             "    out.write(piece)\n    left -= len(piece) if left > 0 else 0\n    time.sleep(%g)\n'",
             path, bytes, path, path, pause_us / 1e6);
    return publisher_start(command);
}

static void wake_reader(void) {
    char command[1200];
    snprintf(command, sizeof command, "touch %s.go", path);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
}

static int start_reader(long bytes, int pause_us) {
    wake_reader();
    return start_sleeper(bytes, pause_us);
}

static char *got(void) {
    char name[1200];
    snprintf(name, sizeof name, "%s.got", path);
    return fv_test_read(name);
}

static void wait_for(int pid) {
    int status;
    waitpid(pid, &status, 0);
}

// Adds n messages; returns how long the longest took, in seconds.
static double add_timed(fv_target *t, int from, int to) {
    double longest = 0;
    for (int i = from; i < to; i++) {
        double before = fv_test_seconds();
        publisher_add(t, i, i + 1);
        double took = fv_test_seconds() - before;
        longest = took > longest ? took : longest;
    }
    return longest;
}

// 20,000 lines are more than a pipe holds: nobody waits, and at the end all have come.
static void a_reader_that_sleeps(void) {
    make_pipe("pipe-sleeps");
    int reader = start_sleeper(-1, 0);
    fv_target_params p = publisher_params(path);
    fv_target *t = publisher_create(&p);
    double longest = add_timed(t, 0, 20000);
    CHECK(longest < 0.2);
    CHECK(fv_target_count(t).waiting > 10000);
    wake_reader();
    fv_target_destroy(&t);
    wait_for(reader);
    char *text = got();
    CHECK_EQUAL(publisher_check(text, 20000, false), 0);
    CHECK_TEXT(publisher_told(), "");
    free(text);
}

// The end waits for a reader that is slow (here longer than `linger`), not for one that sleeps: nothing
// has been read when it is over.
static void the_end_waits_for_who_reads(void) {
    make_pipe("pipe-slow");
    int reader = start_reader(-1, 250000);
    fv_target_params p = publisher_params(path);
    p.linger_ns = 3000000000;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 20000);
    double begun = publisher_seconds();
    fv_target_finish(t);
    CHECK(publisher_seconds() - begun > 3.0);
    CHECK_EQUAL(fv_target_count(t).lines, 20000);
    fv_target_destroy(&t);
    wait_for(reader);
    char *text = got();
    CHECK_EQUAL(publisher_check(text, 20000, false), 0);
    free(text);
    make_pipe("pipe-stuck");
    reader = start_sleeper(-1, 0);
    p.to = path;
    p.linger_ns = 500000000;
    t = publisher_create(&p);
    publisher_add(t, 0, 20000);
    begun = publisher_seconds();
    double ran = fv_test_seconds();
    fv_target_destroy(&t);
    CHECK(publisher_seconds() - begun > 0.4 && fv_test_seconds() - ran < 2.0);
    CHECK(!got());
    CHECK_CONTAINS(publisher_told(), "records could not be written");
    publisher_kill(reader, 9);
}

// A reader that comes late, and one after another: who comes next goes on.
static void readers_come_and_go(void) {
    make_pipe("pipe-readers");
    fv_target_params p = publisher_params(path);
    fv_target *t = publisher_create(&p); // nobody is there: nobody waits
    publisher_add(t, 0, 100);
    CHECK_EQUAL(fv_target_count(t).waiting, 100);
    int reader = start_reader(2000, 0);
    wait_for(reader);
    publisher_add_slowly(t, 100, 200, 1000);
    reader = start_reader(-1, 0);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    wait_for(reader);
    char *text = got();
    CHECK_CONTAINS(text, "{\"n\":0,");
    CHECK_CONTAINS(text, "{\"n\":199,");
    free(text);
}

// What does not fit is given up from its old end, frames first; the counts are right.
static void frames_are_given_up_first(void) {
    static char body[2000];
    make_pipe("pipe-full");
    fv_target_params p = publisher_params(path);
    fv_target *t = publisher_create(&p);
    memset(body, '.', sizeof body);
    for (int i = 0; i < 10000; i++) {
        bool is_event = i % 10 == 0;
        int n = snprintf(body, sizeof body, "{\"%s\":%d,", is_event ? "n" : "frame", is_event ? i / 10 : i);
        body[n] = '.';
        fv_target_add(t, &(fv_message){.topic = "t", .key = "k", .id = "i", .body = body, .size = sizeof body,
                                       .line = body, .line_size = sizeof body, .is_event = is_event});
    }
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lost > 5000 && !c.lost_events);
    CHECK_EQUAL(c.lost + c.waiting, 10000);
    int reader = start_reader(-1, 0);
    fv_target_destroy(&t);
    wait_for(reader);
    char *text = got();
    CHECK_EQUAL(publisher_check(text, 1000, false), 0);
    CHECK(strstr(text, "{\"frame\":9999,") && !strstr(text, "{\"frame\":2001,")); // the oldest went
    CHECK_CONTAINS(publisher_told(), "takes too little; the oldest records are dropped, of frames first");
    CHECK_CONTAINS(publisher_told(), "records were dropped, 0 of them events");
    free(text);
}

// Standard output is a pipe whose reader sleeps, then one whose reader goes away.
static void standard_output(void) {
    fv_target_params p = publisher_params("-");
    for (int goes = 0; goes < 2; goes++) {
        make_pipe(goes ? "stdout-goes" : "stdout");
        int reader = start_sleeper(goes ? 100 : -1, 0), fd = open(path, O_WRONLY), old = dup(1);
        fflush(stdout);
        dup2(fd, 1);
        close(fd);
        fv_target *t = publisher_create(&p);
        double longest = add_timed(t, 0, 20000);
        int flags = fcntl(1, F_GETFL);
        wake_reader();
        fv_target_destroy(&t);
        dup2(old, 1);
        close(old);
        CHECK(longest < 0.2);
        CHECK(!(flags & O_NONBLOCK)); // who shares it is not disturbed
        wait_for(reader);
        char *text = got();
        if (goes)
            CHECK_CONTAINS(publisher_told(), "! standard output: nobody reads any more");
        else
            CHECK_EQUAL(publisher_check(text, 20000, false), 0);
        free(text);
    }
}

const fv_suite pipe_suite = {"pipe", (const fv_case[]){CASE(a_reader_that_sleeps),
                                                       CASE(the_end_waits_for_who_reads),
                                                       CASE(readers_come_and_go),
                                                       CASE(frames_are_given_up_first),
                                                       CASE(standard_output),
                                                       {0}}};
