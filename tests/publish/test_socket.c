#define _GNU_SOURCE
// plugins/publish/link_socket: readers that come late, go away, do not read.
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/publish/publisher.h"

typedef struct {
    char address[1200];
    int listener, peer;
    char *text;
    size_t n;
} reader;

static void listen_again(reader *r) {
    struct sockaddr_un u = {.sun_family = AF_UNIX};
    struct sockaddr_in i = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool is_unix = r->address[0] == 'u';
    snprintf(u.sun_path, sizeof u.sun_path, "%.107s", strchr(r->address, ':') + 1);
    i.sin_port = htons((uint16_t)atoi(strrchr(r->address, ':') + 1));
    r->listener = socket(is_unix ? AF_UNIX : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    unlink(u.sun_path);
    CHECK_EQUAL(bind(r->listener, is_unix ? (void *)&u : (void *)&i, is_unix ? sizeof u : sizeof i), 0);
    CHECK_EQUAL(listen(r->listener, 4), 0);
}

static void accept_again(reader *r) {
    struct timeval patience = {60, 0};
    setsockopt(r->listener, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do
        r->peer = accept(r->listener, NULL, NULL);
    while (r->peer < 0 && errno == EINTR);
    CHECK(r->peer >= 0);
    setsockopt(r->peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static void reader_init(reader *r, bool is_unix) {
    *r = (reader){.peer = -1, .text = calloc(1, 1 << 24)};
    if (is_unix)
        snprintf(r->address, sizeof r->address, "unix:%s/s", fv_test_tmp("socket"));
    else
        snprintf(r->address, sizeof r->address, "tcp://127.0.0.1:%d", publisher_free_port());
}

// False: the other side has hung up, or nothing has come for a minute.
static bool read_a_piece(reader *r) {
    ssize_t got;
    do
        got = read(r->peer, r->text + r->n, 4096);
    while (got < 0 && errno == EINTR);
    r->n += got > 0 ? (size_t)got : 0;
    r->text[r->n] = 0;
    return got > 0;
}

static void read_some(reader *r, size_t bytes) {
    size_t begun = r->n;
    while (r->n - begun < bytes && read_a_piece(r))
        continue;
    CHECK(r->n - begun >= bytes);
}

// Until the whole line of message `last` has come.
static void read_through(reader *r, int last) {
    char part[32];
    size_t from = 0;
    snprintf(part, sizeof part, "{\"n\":%d,", last);
    for (;;) {
        char *line = strstr(r->text + from, part), *end = strrchr(r->text, '\n');
        if (line && strchr(line, '\n'))
            return;
        from = end ? (size_t)(end + 1 - r->text) : 0;
        if (!read_a_piece(r))
            break;
    }
    fprintf(stderr, "message %d does not come\n", last);
    CHECK(false);
}

// Until the target has hung up.
static void read_all(reader *r) {
    while (read_a_piece(r))
        continue;
}

static void go_away(reader *r) {
    close(r->peer);
    close(r->listener);
    char *end = strrchr(r->text, '\n'); // of a line that was torn only the beginning is lost
    if (end)
        end[1] = 0, r->n = (size_t)(end + 1 - r->text);
}

static void all_comes(bool is_unix) {
    reader r;
    reader_init(&r, is_unix);
    fv_target_params p = publisher_params(r.address);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 100); // nobody listens yet
    publisher_wait_told("cannot be reached");
    listen_again(&r);
    accept_again(&r);
    publisher_add(t, 100, 200);
    read_through(&r, 199);
    CHECK(publisher_wait(t));
    CHECK_EQUAL(fv_target_count(t).lines, 200);
    fv_target_destroy(&t);
    read_all(&r);
    CHECK_EQUAL(publisher_check(r.text, 200, false), 0);
    CHECK_CONTAINS(publisher_told(), "takes records again after");
    CHECK(!strstr(publisher_told(), "!"));
    go_away(&r);
    free(r.text);
}

static void tcp_reader_comes_late(void) {
    all_comes(false);
}

static void unix_reader_comes_late(void) {
    all_comes(true);
}

// The reader goes away again and again, at any byte: it gets every line, some of them twice.
static void unix_reader_goes_away(void) {
    reader r;
    reader_init(&r, true);
    fv_target_params p = publisher_params(r.address);
    listen_again(&r);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 5000);
    for (int i = 0; i < 8; i++) {
        accept_again(&r);
        read_some(&r, 10000 + (size_t)i * 3777);
        go_away(&r);
        usleep(50000);
        listen_again(&r);
    }
    accept_again(&r);
    read_through(&r, 4999);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    read_all(&r);
    CHECK(publisher_check(r.text, 5000, true) > 0);
    go_away(&r);
    free(r.text);
}

// Of tcp the first line after the end of the reader meets a dead connection, and comes again.
static void tcp_reader_goes_away(void) {
    reader r;
    reader_init(&r, false);
    fv_target_params p = publisher_params(r.address);
    listen_again(&r);
    fv_target *t = publisher_create(&p);
    int n = 0;
    for (int i = 0; i < 5; i++, n += 310) {
        publisher_add(t, n, n + 300);
        accept_again(&r);
        read_through(&r, n + 299);
        go_away(&r);
        publisher_add(t, n + 300, n + 310);
        usleep(50000);
        listen_again(&r);
    }
    accept_again(&r);
    read_through(&r, n - 1);
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    read_all(&r);
    publisher_check(r.text, n, true);
    go_away(&r);
    free(r.text);
}

static void *read_on(void *user) {
    read_all(user);
    return NULL;
}

// FOVEA_OUTAGE (seconds, default 1) under load. Of tcp what the other kernel has counts as delivered, so
// the reader has read all before it goes.
static void an_outage(bool is_unix) {
    int seconds = getenv("FOVEA_OUTAGE") ? atoi(getenv("FOVEA_OUTAGE")) : 1, n = 1000;
    reader r;
    pthread_t thread;
    reader_init(&r, is_unix);
    fv_target_params p = publisher_params(r.address);
    p.retry_ns = 1000000000;
    listen_again(&r);
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, n);
    accept_again(&r);
    is_unix ? read_some(&r, 20000) : read_through(&r, n - 1);
    go_away(&r);
    n = publisher_add_for(t, n, seconds);
    CHECK(fv_target_count(t).waiting > 100);
    listen_again(&r);
    accept_again(&r);
    pthread_create(&thread, NULL, read_on, &r);
    publisher_add_slowly(t, n, n + 300, 1000), n += 300;
    CHECK(publisher_wait(t));
    fv_target_destroy(&t);
    pthread_join(thread, NULL);
    int extra = publisher_check(r.text, n, true);
    fprintf(stderr, "%s: reader away for %d s: %d messages, %d twice\n", is_unix ? "unix" : "tcp", seconds, n,
            extra);
    CHECK_CONTAINS(publisher_told(), "takes records again after");
    CHECK(!strstr(publisher_told(), "!"));
    go_away(&r);
    free(r.text);
}

static void an_outage_of_tcp(void) {
    an_outage(false);
}

static void an_outage_of_unix(void) {
    an_outage(true);
}

// A reader that does not read holds up nobody; what does not fit is dropped from the old end, and
// the count is right.
static void a_reader_that_sleeps(void) {
    reader r;
    reader_init(&r, false);
    fv_target_params p = publisher_params(r.address);
    p.spool_max = 0.5f;
    p.linger_ns = 100000000;
    listen_again(&r);
    fv_target *t = publisher_create(&p);
    double begun = publisher_seconds(), longest = 0;
    for (int i = 0; i < 100000; i++) {
        double before = publisher_seconds(), took;
        publisher_add(t, i, i + 1);
        took = publisher_seconds() - before;
        longest = took > longest ? took : longest;
    }
    fprintf(stderr, "100,000 messages against a full spool in %.2f s, the longest %.1f ms\n",
            publisher_seconds() - begun, longest * 1000);
    fv_target_counts c = fv_target_count(t);
    CHECK(c.lost > 50000);
    CHECK_EQUAL(c.lines + c.lost + c.waiting, 100000);
    fv_target_destroy(&t);
    CHECK_CONTAINS(publisher_told(), "! tcp://127.0.0.1");
    CHECK_CONTAINS(publisher_told(), "the spool is full and the oldest records are dropped");
    CHECK_CONTAINS(publisher_told(), "wait in the spool");
    close(r.listener);
    free(r.text);
}

// What waits at the end is delivered by the next run, first.
static void the_next_run_delivers(void) {
    reader r;
    reader_init(&r, false);
    fv_target_params p = publisher_params(r.address);
    p.linger_ns = 50000000;
    fv_target *t = publisher_create(&p);
    publisher_add(t, 0, 50);
    double begun = fv_test_seconds();
    fv_target_finish(t);
    fv_target_destroy(&t);
    CHECK(fv_test_seconds() - begun < 3);
    CHECK_CONTAINS(publisher_told(), "! tcp://127.0.0.1");
    CHECK_CONTAINS(publisher_told(), "50 records wait in the spool");
    listen_again(&r);
    p.linger_ns = 30000000000;
    t = publisher_create(&p);
    publisher_add(t, 50, 60);
    accept_again(&r);
    fv_target_destroy(&t);
    read_all(&r);
    CHECK_EQUAL(publisher_check(r.text, 60, false), 0);
    CHECK_TEXT(publisher_told(), "");
    go_away(&r);
    free(r.text);
}

static void spool_in_use(void) {
    fv_target_params p = publisher_params("tcp://127.0.0.1:1");
    p.linger_ns = 0;
    fv_target *t = publisher_create(&p);
    publisher_refuses(&p, "in use by another publisher");
    fv_target_destroy(&t);
}

const fv_suite socket_suite = {"socket", (const fv_case[]){CASE(tcp_reader_comes_late),
                                                           CASE(unix_reader_comes_late),
                                                           CASE(tcp_reader_goes_away),
                                                           CASE(unix_reader_goes_away),
                                                           CASE(an_outage_of_tcp),
                                                           CASE(an_outage_of_unix),
                                                           CASE(a_reader_that_sleeps),
                                                           CASE(the_next_run_delivers),
                                                           CASE(spool_in_use),
                                                           {0}}};
