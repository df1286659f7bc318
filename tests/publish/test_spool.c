#define _GNU_SOURCE
// plugins/publish/spool: order, bounds, and what a crash at any byte leaves.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plugins/publish/segment.h"
#include "plugins/publish/spool.h"
#include "tests/test.h"

enum { MIB = 1 << 20 };

static const char *folder(void) {
    static int n;
    static char path[1100];
    snprintf(path, sizeof path, "%s/deep/spool-%d", fv_test_tmp("spool"), n++);
    return path;
}

static fv_spool *open_spool(const char *path, uint64_t bytes_max, uint64_t segment_bytes) {
    fv_err err = {0};
    fv_spool *s = fv_spool_open(path, &(fv_spool_params){bytes_max, segment_bytes}, &err);
    CHECK_OK(s != NULL, err);
    return s;
}

static bool add_text(fv_spool *s, const char *text, fv_err *err) {
    return fv_spool_add(s, &(struct iovec){(void *)text, strlen(text)}, 1, err);
}

static void add(fv_spool *s, int from, int to) {
    fv_err err = {0};
    for (int i = from; i < to; i++) {
        char text[64];
        snprintf(text, sizeof text, "record %d", i);
        CHECK_OK(add_text(s, text, &err), err);
    }
}

// Takes and acknowledges all; the records' texts are "record N" with N rising. Returns how many,
// the first and last N.
static int drain(fv_spool *s, int *first, int *last) {
    fv_spool_record v[37];
    int all = 0, before = -1;
    for (int n; (n = fv_spool_take(s, v, 37, MIB)) > 0; all += n) {
        for (int i = 0; i < n; i++) {
            int number = atoi(v[i].body + 7);
            CHECK(number > before);
            if (!all && !i)
                *first = number;
            *last = before = number;
        }
        fv_spool_ack(s, n);
    }
    return all;
}

static int files_in(const char *path, const char *ending, char *one, size_t size) {
    DIR *d = opendir(path);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (!strstr(e->d_name, ending))
            continue;
        if (one && (n == 0 || strcmp(e->d_name, strrchr(one, '/') + 1) < 0))
            snprintf(one, size, "%s/%s", path, e->d_name);
        n++;
    }
    closedir(d);
    return n;
}

static off_t size_of(const char *path) {
    struct stat info;
    return stat(path, &info) ? -1 : info.st_size;
}

static void sums_are_those_of_zip(void) {
    CHECK_EQUAL(fv_crc32(0, "123456789", 9), 0xcbf43926);
    CHECK_EQUAL(fv_crc32(fv_crc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

static void in_order_and_once(void) {
    fv_spool *s = open_spool(folder(), MIB, 0);
    fv_spool_record v[8];
    CHECK_EQUAL(fv_spool_take(s, v, 8, MIB), 0);
    add(s, 0, 5);
    CHECK_EQUAL(fv_spool_take(s, v, 3, MIB), 3);
    CHECK_TEXT(v[0].body, "record 0");
    CHECK_EQUAL(v[2].number, 2);
    fv_spool_ack(s, 1);
    CHECK_EQUAL(fv_spool_take(s, v, 8, MIB), 2); // the rest of the same batch
    CHECK_TEXT(v[0].body, "record 1");
    CHECK_EQUAL(fv_spool_count(s).waiting, 4);
    fv_spool_ack(s, 2);
    CHECK_EQUAL(fv_spool_take(s, v, 8, 1), 1); // a bound of bytes still gives one
    fv_spool_ack(s, 1);
    CHECK_EQUAL(fv_spool_take(s, v, 8, MIB), 1);
    CHECK_TEXT(v[0].body, "record 4");
    fv_spool_ack(s, 9); // no more than were taken
    fv_spool_counts c = fv_spool_count(s);
    CHECK(c.waiting == 0 && c.waiting_bytes == 0 && c.added == 5 && c.delivered == 5 && !c.dropped);
    fv_spool_close(&s);
}

static void parts_are_joined(void) {
    fv_spool *s = open_spool(folder(), MIB, 0);
    struct iovec parts[3] = {{"a\0b", 3}, {"", 0}, {"cd", 2}};
    fv_err err;
    fv_spool_record v;
    CHECK(fv_spool_add(s, parts, 3, &err));
    CHECK_EQUAL(fv_spool_take(s, &v, 1, MIB), 1);
    CHECK(v.size == 5 && !memcmp(v.body, "a\0bcd", 6));
    fv_spool_close(&s);
}

static void a_restart_goes_on(void) {
    const char *path = folder();
    fv_spool *s = open_spool(path, MIB, 200);
    char id[17];
    snprintf(id, sizeof id, "%s", fv_spool_id(s));
    add(s, 0, 50);
    fv_spool_record v[10];
    CHECK_EQUAL(fv_spool_take(s, v, 10, MIB), 10);
    fv_spool_ack(s, 4);
    fv_spool_close(&s);
    s = open_spool(path, MIB, 200);
    CHECK_TEXT(fv_spool_id(s), id);
    CHECK_EQUAL(fv_spool_count(s).waiting, 46);
    add(s, 50, 60);
    CHECK_EQUAL(fv_spool_take(s, v, 1, MIB), 1);
    CHECK_EQUAL(v[0].number, 4);
    int first, last;
    CHECK_EQUAL(drain(s, &first, &last), 56);
    CHECK(first == 4 && last == 59);
    CHECK(files_in(path, ".seg", NULL, 0) <= 1);
    fv_spool_close(&s);
    CHECK_EQUAL(files_in(path, ".seg", NULL, 0), 0); // nothing waits: nothing is kept
    s = open_spool(path, MIB, 200);
    add(s, 60, 61);
    CHECK_EQUAL(fv_spool_take(s, v, 1, MIB), 1);
    CHECK_EQUAL(v[0].number, 60); // numbers never repeat
    fv_spool_close(&s);
}

// Everything that was added is there after the writer is gone without a word.
static void a_killed_process_loses_nothing(void) {
    const char *path = folder();
    pid_t child = fork();
    if (!child) {
        fv_spool *s = open_spool(path, MIB, 4096);
        add(s, 0, 1000);
        fv_spool_record v[10];
        fv_spool_ack(s, fv_spool_take(s, v, 10, MIB));
        kill(getpid(), SIGKILL);
    }
    int status, first, last;
    waitpid(child, &status, 0);
    fv_spool *s = open_spool(path, MIB, 4096);
    CHECK_EQUAL(drain(s, &first, &last), 990);
    CHECK(first == 10 && last == 999 && fv_spool_count(s).damaged == 0);
    fv_spool_close(&s);
}

// The last write may have ended at any byte.
static void torn_at_every_byte(void) {
    const char *path = folder();
    char file[1200], kept[1300], command[2600];
    fv_spool *s = open_spool(path, MIB, 0);
    add(s, 0, 3);
    fv_spool_close(&s);
    files_in(path, ".seg", file, sizeof file);
    snprintf(kept, sizeof kept, "%s.kept", path);
    snprintf(command, sizeof command, "cp %s %s", file, kept);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    off_t whole = size_of(file), record = whole / 3;
    for (off_t cut = 0; cut <= record; cut++) {
        snprintf(command, sizeof command, "cp %s %s", kept, file);
        CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
        CHECK_EQUAL(truncate(file, whole - cut), 0);
        s = open_spool(path, MIB, 0);
        add(s, 3, 4);
        fv_spool_record v[8];
        int n = fv_spool_take(s, v, 8, MIB);
        CHECK_EQUAL(n, cut ? 3 : 4);
        CHECK(n > 2 && !strcmp(v[1].body, "record 1") && !strcmp(v[n - 1].body, "record 3"));
        CHECK_EQUAL(fv_spool_count(s).damaged, 0);
        fv_spool_close(&s);
    }
}

static void flip(const char *file, off_t at) {
    int fd = open(file, O_RDWR);
    char c = 0;
    CHECK_EQUAL(pread(fd, &c, 1, at), 1);
    c ^= 0x10;
    CHECK_EQUAL(pwrite(fd, &c, 1, at), 1);
    close(fd);
}

// One wrong byte costs the record it is in, which is counted, and no other.
static void a_wrong_byte_costs_one_record(void) {
    for (off_t at = 0; at < FV_SEGMENT_HEAD + 8; at++) {
        const char *path = folder();
        char file[1200] = "";
        fv_spool *s = open_spool(path, MIB, 10 * (FV_SEGMENT_HEAD + 8));
        add(s, 0, 10); // a segment of ten
        add(s, 10, 12);
        fv_spool_close(&s);
        files_in(path, ".seg", file, sizeof file);
        flip(file, 4 * (FV_SEGMENT_HEAD + 8) + at);
        s = open_spool(path, MIB, 0);
        int first, last;
        CHECK_EQUAL(drain(s, &first, &last), 11);
        CHECK(first == 0 && last == 11);
        CHECK_EQUAL(fv_spool_count(s).damaged, 1);
        CHECK_EQUAL(fv_spool_count(s).waiting, 0);
        fv_spool_close(&s);
    }
}

static void garbage_instead_of_files(void) {
    const char *path = folder();
    char name[1200], command[3000];
    fv_spool *s = open_spool(path, MIB, 0);
    add(s, 0, 5);
    fv_spool_close(&s);
    files_in(path, ".seg", name, sizeof name);
    snprintf(command, sizeof command,
             "cd %s && head -c 300 /dev/urandom > state && head -c 70000 /dev/urandom > 00000000000000ff.seg && "
             "touch x.seg 0.seg", path);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    s = open_spool(path, MIB, 0); // all is delivered again, and it works
    int first, last;
    add(s, 5, 6);
    CHECK_EQUAL(drain(s, &first, &last), 6);
    CHECK(first == 0 && last == 5);
    fv_spool_close(&s);
}

static void full_drops_the_oldest(void) {
    const char *path = folder();
    fv_spool *s = open_spool(path, 40 * 35, 400);
    add(s, 0, 1000);
    fv_spool_counts c = fv_spool_count(s);
    CHECK(c.waiting_bytes <= 40 * 35 && c.waiting >= 40 && c.waiting <= 44);
    CHECK_EQUAL(c.dropped + c.waiting, 1000);
    CHECK(files_in(path, ".seg", NULL, 0) <= 6);
    int first, last, n = drain(s, &first, &last);
    CHECK_EQUAL(n, c.waiting);
    CHECK(last == 999 && first == 1000 - n);
    fv_err err;
    char large[40 * 35 + 1] = "";
    memset(large, 'x', sizeof large - 1);
    CHECK_FAILS(add_text(s, large, &err), err, "larger than the spool");
    CHECK_EQUAL(fv_spool_count(s).dropped, c.dropped + 1);
    fv_spool_close(&s);
}

// What is on its way is not dropped behind the back of who delivers it: dropped + delivered is all,
// also when the process ends in between.
static void full_while_on_the_way(void) {
    for (int restart = 0; restart < 2; restart++) {
        const char *path = folder();
        fv_spool *s = open_spool(path, 40 * 35, 400);
        fv_spool_record v[10];
        add(s, 0, 20);
        CHECK_EQUAL(fv_spool_take(s, v, 10, MIB), 10);
        add(s, 20, 200);
        uint64_t dropped = fv_spool_count(s).dropped;
        CHECK(dropped > 100);
        fv_spool_ack(s, 4);
        CHECK_EQUAL(fv_spool_take(s, v, 10, MIB), 6);
        CHECK_TEXT(v[0].body, "record 4");
        if (restart) {
            fv_spool_close(&s);
            s = open_spool(path, 40 * 35, 400);
            add(s, 200, 300);
            dropped += fv_spool_count(s).dropped;
        }
        int first, last, all = drain(s, &first, &last);
        CHECK_EQUAL(4 + all + (int)dropped, restart ? 300 : 200);
        CHECK_EQUAL(last, restart ? 299 : 199);
        CHECK_EQUAL(fv_spool_count(s).damaged, 0);
        CHECK_EQUAL(fv_spool_count(s).waiting, 0);
        fv_spool_close(&s);
    }
}

static void no_room_on_the_disk(void) {
    struct rlimit old;
    getrlimit(RLIMIT_FSIZE, &old);
    signal(SIGXFSZ, SIG_IGN);
    fv_spool *s = open_spool(folder(), MIB, 0);
    add(s, 0, 5);
    setrlimit(RLIMIT_FSIZE, &(struct rlimit){200, old.rlim_max});
    fv_err err;
    CHECK(add_text(s, "record 5", &err));
    CHECK_FAILS(add_text(s, "record 6", &err), err, "records are lost until there is room");
    setrlimit(RLIMIT_FSIZE, &old);
    add(s, 7, 9);
    int first, last;
    CHECK_EQUAL(drain(s, &first, &last), 8);
    CHECK(last == 8 && fv_spool_count(s).dropped == 1 && fv_spool_count(s).damaged == 0);
    fv_spool_close(&s);
}

static void one_folder_one_spool(void) {
    const char *path = folder();
    fv_spool *s = open_spool(path, MIB, 0);
    fv_err err;
    CHECK_FAILS(fv_spool_open(path, &(fv_spool_params){MIB, 0}, &err), err, "in use by another");
    fv_spool_close(&s);
    s = open_spool(path, MIB, 0);
    fv_spool_close(&s);
    CHECK_FAILS(fv_spool_open("/proc/nowhere", &(fv_spool_params){MIB, 0}, &err), err,
                "/proc/nowhere: the spool cannot be written");
}

enum { MANY = 100000 };

static void *produce(void *user) {
    fv_spool *s = user;
    add(s, 0, MANY);
    return NULL;
}

static void a_hundred_thousand_from_another_thread(void) {
    fv_spool *s = open_spool(folder(), 64 * MIB, 1 * MIB);
    pthread_t thread;
    pthread_create(&thread, NULL, produce, s);
    fv_spool_record v[256];
    int expected = 0, rounds = 0;
    while (expected < MANY) {
        int n = fv_spool_take(s, v, 256, MIB);
        for (int i = 0; i < n; i++, expected++)
            if (atoi(v[i].body + 7) != expected)
                CHECK_EQUAL(atoi(v[i].body + 7), expected);
        fv_spool_ack(s, n);
        if (rounds++ % 500 == 0)
            fv_spool_sync(s);
    }
    pthread_join(thread, NULL);
    fv_spool_counts c = fv_spool_count(s);
    CHECK(c.delivered == MANY && !c.waiting && !c.dropped && !c.damaged);
    fv_spool_close(&s);
}

// Random histories of add, take, acknowledge, crash and small bounds, against a model: numbers
// rise, nothing is delivered twice but what was not acknowledged before a crash, and all is
// accounted for.
static void random_histories(void) {
    for (unsigned seed = 1; seed <= 12; seed++) {
        const char *path = folder();
        srand(seed);
        uint64_t max = seed % 2 ? MIB : 3000, lost = 0, acked = 0;
        fv_spool *s = open_spool(path, max, 300);
        int added = 0, next = 0;
        for (int step = 0; step < 400; step++) {
            fv_spool_record v[20];
            int what = rand() % 40, n;
            if (what < 20) {
                n = rand() % 30;
                add(s, added, added + n);
                added += n;
            } else if (what < 39 && (n = fv_spool_take(s, v, 1 + rand() % 20, MIB)) > 0) {
                CHECK(atoi(v[0].body + 7) >= next);
                int k = rand() % (n + 1);
                if (k)
                    next = atoi(v[k - 1].body + 7) + 1;
                fv_spool_ack(s, k);
                acked += (uint64_t)k;
            } else if (what == 39) {
                lost += fv_spool_count(s).dropped;
                fv_spool_close(&s);
                s = open_spool(path, max, 300);
            }
        }
        int first, last;
        acked += (uint64_t)drain(s, &first, &last);
        CHECK_EQUAL(acked + lost + fv_spool_count(s).dropped, added);
        CHECK(fv_spool_count(s).damaged == 0 && (seed % 2 == 0 || !lost));
        fv_spool_close(&s);
    }
}

// Numbers of a damaged folder: 2^62 missing ones are counted, not walked through; one that was there before
// is no record.
static void numbers_far_apart(void) {
    static const uint64_t numbers[] = {0, (uint64_t)1 << 62, 5, ((uint64_t)1 << 62) + 1};
    char path[1100], name[1200];
    snprintf(path, sizeof path, "%s", folder());
    fv_spool *s = open_spool(path, MIB, 0);
    fv_spool_close(&s);
    snprintf(name, sizeof name, "%s/%016d.seg", path, 0);
    int fd = open(name, O_RDWR | O_CREAT, 0600);
    for (int i = 0; i < 4; i++)
        CHECK(fv_segment_append(fd, i * (FV_SEGMENT_HEAD + 1), numbers[i], &(struct iovec){"0123" + i, 1}, 1, 1));
    close(fd);
    s = open_spool(path, MIB, 0);
    fv_spool_record v[8];
    CHECK_EQUAL(fv_spool_take(s, v, 8, MIB), 3);
    CHECK(v[0].body[0] == '0' && v[1].body[0] == '1' && v[2].body[0] == '3');
    CHECK_EQUAL(fv_spool_count(s).damaged, ((int64_t)1 << 62) - 1 + 1);
    fv_spool_close(&s);
}

const fv_suite spool_suite = {"spool", (const fv_case[]){CASE(sums_are_those_of_zip),
                                                         CASE(in_order_and_once),
                                                         CASE(parts_are_joined),
                                                         CASE(a_restart_goes_on),
                                                         CASE(a_killed_process_loses_nothing),
                                                         CASE(torn_at_every_byte),
                                                         CASE(a_wrong_byte_costs_one_record),
                                                         CASE(garbage_instead_of_files),
                                                         CASE(full_drops_the_oldest),
                                                         CASE(full_while_on_the_way),
                                                         CASE(no_room_on_the_disk),
                                                         CASE(one_folder_one_spool),
                                                         CASE(a_hundred_thousand_from_another_thread),
                                                         CASE(random_histories),
                                                         CASE(numbers_far_apart),
                                                         {0}}};
