#define _GNU_SOURCE
// plugins/publish/lines.h: files that rotate, or have no room.
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

static char folder[1024], path[1100];

static fv_target_params file_params(const char *name) {
    snprintf(folder, sizeof folder, "%s", fv_test_tmp(name));
    snprintf(path, sizeof path, "%s/o.jsonl", folder);
    return publisher_params(path);
}

// FILE.n ... FILE.1 FILE as one text; checks that each is at most `max` bytes and ends on a line.
static char *all_files(int *files, size_t max) {
    char name[1200], *all = calloc(1, 1 << 22);
    int n = 0;
    do
        snprintf(name, sizeof name, "%s.%d", path, ++n);
    while (!access(name, F_OK));
    for (*files = n; n-- > 0;) {
        snprintf(name, sizeof name, n ? "%s.%d" : "%s", path, n);
        char *one = fv_test_read(name);
        CHECK(one && strlen(one) <= max && (!*one || one[strlen(one) - 1] == '\n'));
        strcat(all, one);
        free(one);
    }
    return all;
}

static void by_size(void) {
    fv_target_params p = file_params("by-size");
    p.rotate_size = 4096.0f / (1 << 20);
    p.keep = 1000;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 1000);
    fv_target_destroy(&t);
    int files;
    char *all = all_files(&files, 4096);
    CHECK(files >= 11 && files <= 20);
    publisher_check(all, 1000, false);
    CHECK_TEXT(publisher_told(), "");
    free(all);
}

static void keeps_so_many(void) {
    fv_target_params p = file_params("keeps");
    p.rotate_size = 2048.0f / (1 << 20);
    for (p.keep = 0; p.keep < 4; p.keep++) {
        int files;
        fv_target *t = publisher_create(&p);
        publisher_add(t, 0, 500);
        CHECK_EQUAL(fv_target_count(t).lost, 0);
        fv_target_destroy(&t);
        char *all = all_files(&files, 2048);
        CHECK_EQUAL(files, p.keep + 1);
        CHECK_CONTAINS(all, "{\"n\":499,");
        free(all);
    }
}

static void by_time(void) {
    fv_target_params p = file_params("by-time");
    p.rotate_ns = 300000000;
    fv_target *t = publisher_create(&p);
    double longest = 0; // of adding what belongs into one file
    for (int i = 0; i < 4; i++) {
        double begun = publisher_seconds();
        publisher_add(t, 10 * i, 10 * i + 10);
        longest = fmax(longest, publisher_seconds() - begun);
        usleep(320000);
    }
    fv_target_destroy(&t);
    int files;
    char *all = all_files(&files, 4096);
    CHECK(files == 4 || (files > 4 && longest > 0.3));
    publisher_check(all, 40, false);
    free(all);
}

// An appended file counts what is in it; a line that is larger than the limit has a file of its
// own.
static void appended_and_large(void) {
    fv_target_params p = file_params("append");
    p.append = true;
    p.rotate_size = 1024.0f / (1 << 20);
    p.keep = 100;
    for (int i = 0; i < 10; i++) {
        fv_target *t = publisher_create(&p);
        publisher_add(t, 10 * i, 10 * i + 10);
        fv_target_destroy(&t);
    }
    int files;
    char *all = all_files(&files, 1024);
    CHECK(files > 2 && files < 10);
    publisher_check(all, 100, false);
    free(all);
    p.append = false;
    p.rotate_size = 20.0f / (1 << 20);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 60, 64);
    fv_target_destroy(&t);
    all = fv_test_read(path);
    CHECK(strstr(all, "{\"n\":63,") == all);
    free(all);
}

// A format with an end: each file is a whole document.
static void each_file_is_a_document(void) {
    const fv_format_row list = {.name = "list", .open = "[", .between = ",", .close = "]"};
    fv_target_params p = file_params("document");
    p.rotate_size = 1024.0f / (1 << 20);
    p.keep = 100;
    fv_err err = {0};
    fv_target_setup setup = {"x", &list, NULL, NULL};
    fv_target *t = fv_target_create(&p, &setup, &err);
    publisher_add(t, 0, 100);
    fv_target_destroy(&t);
    int files;
    char *all = all_files(&files, 1024), output[4000], command[3000];
    CHECK(files > 3);
    publisher_check(all, 100, false);
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c 'import json,glob; print(sum(len(json.load(open(f))) for f in glob.glob(\"%s*\")))'",
             path);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_TEXT(output, "100\n");
    free(all);
    p.append = true;
    CHECK_FAILS(fv_target_create(&p, &setup, &err), err, "cannot be appended to");
}

// No room, and what is half written cannot be cut off again: nothing is lost, nothing comes twice.
static void room_comes_late(void) {
    struct rlimit old, small;
    int fd = memfd_create("sealed", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    fv_target_params p = file_params("late");
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    p.append = true;
    CHECK_EQUAL(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    small = (struct rlimit){1000, old.rlim_max};
    fv_target *t = publisher_create(&p);
    setrlimit(RLIMIT_FSIZE, &small);
    publisher_add(t, 0, 100);
    publisher_wait_told("records wait for room, make some");
    setrlimit(RLIMIT_FSIZE, &old);
    fv_target_destroy(&t);
    char *text = fv_test_read(path);
    publisher_check(text, 100, false);
    free(text);
    close(fd);
}

// The folder takes no new file: told once, and the file grows on.
static void cannot_rotate(void) {
    if (!geteuid()) { // root may write everywhere: a folder in the way stands for it
        fv_target_params p = file_params("stuck");
        char in_the_way[1200];
        snprintf(in_the_way, sizeof in_the_way, "%s.new", path);
        mkdir(in_the_way, 0755);
        p.rotate_size = 1024.0f / (1 << 20);
        fv_target *t = publisher_create(&p);
        publisher_add(t, 0, 100);
        fv_target_destroy(&t);
        char *text = fv_test_read(path);
        publisher_check(text, 100, false);
        CHECK_CONTAINS(publisher_told(), "cannot be rotated: Is a directory; it grows on");
        CHECK(!strstr(strstr(publisher_told(), "rotated") + 1, "rotated"));
        free(text);
        return;
    }
    fv_test_skip("needs root");
}

// Somebody who follows the name meets a file at every moment.
static void the_name_is_always_there(void) {
    fv_target_params p = file_params("always");
    char command[4800], output[100];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c 'import os\nmissing = 0\nfor i in range(10**9):\n"
             "    if os.path.exists(\"%s.stop\"): break\n    missing += not os.path.exists(\"%s\")\n"
             "    if i == 100: open(\"%s.looks\", \"w\")\n"
             "print(i > 100, missing)' > %s.seen", path, path, path, path);
    p.rotate_size = 256.0f / (1 << 20);
    fv_target *t = publisher_create(&p);
    int pid = publisher_start(command), status;
    char looks[1200];
    snprintf(looks, sizeof looks, "%s.looks", path);
    for (int i = 0; i < 10000 && access(looks, F_OK); i++)
        publisher_add_slowly(t, 0, 1, 10000);
    publisher_add_slowly(t, 0, 2000, 200);
    fv_target_destroy(&t);
    snprintf(command, sizeof command, "touch %s.stop", path);
    fv_test_shell(command, NULL, 0);
    waitpid(pid, &status, 0);
    snprintf(command, sizeof command, "cat %s.seen", path);
    fv_test_shell(command, output, sizeof output);
    CHECK_TEXT(output, "True 0\n");
}

static void options_of_others(void) {
    fv_target_params p = file_params("others");
    p.qos = 0;
    publisher_refuses(&p, "`qos` is for mqtt; leave it out");
    p = publisher_params("tcp://localhost:1");
    p.rotate_size = 1;
    publisher_refuses(&p, "`rotate-size` is for a file");
    p = publisher_params("");
    publisher_refuses(&p, "`to` is empty");
    p = publisher_params("mqqt://x");
    publisher_refuses(&p, "did you mean 'mqtt:'");
}

const fv_suite lines_suite = {"lines", (const fv_case[]){CASE(by_size),
                                                         CASE(keeps_so_many),
                                                         CASE(by_time),
                                                         CASE(appended_and_large),
                                                         CASE(each_file_is_a_document),
                                                         CASE(room_comes_late),
                                                         CASE(cannot_rotate),
                                                         CASE(the_name_is_always_there),
                                                         CASE(options_of_others),
                                                         {0}}};
