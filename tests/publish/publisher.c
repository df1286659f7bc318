#define _GNU_SOURCE
#include "tests/publish/publisher.h"

#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char told[1 << 16];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void tell(void *user, bool grave, const fv_err *err) {
    (void)user;
    pthread_mutex_lock(&lock);
    size_t n = strlen(told);
    snprintf(told + n, sizeof told - n, "%s%s\n", grave ? "! " : "", err->text);
    pthread_mutex_unlock(&lock);
}

const char *publisher_told(void) {
    static char copy[sizeof told];
    pthread_mutex_lock(&lock);
    memcpy(copy, told, sizeof told);
    pthread_mutex_unlock(&lock);
    return copy;
}

fv_target_params publisher_params(const char *to) {
    static char spools[16][1100];
    static int n;
    fv_target_params p = {0};
    char name[32];
    fv_options_default(&p, fv_target_options);
    snprintf(name, sizeof name, "spool-%d", n++);
    snprintf(spools[n % 16], sizeof spools[0], "%s", fv_test_tmp(name));
    p.to = to;
    if (strstr(to, ":"))
        p.spool = spools[n % 16];
    p.retry_ns = strstr(to, ":") ? 300000000 : p.retry_ns;
    p.linger_ns = 60000000000;
    return p;
}

static const fv_target_setup setup = {"gate-publish-0", &fv_format_rows[FV_FORMAT_FOVEA], tell, NULL};

fv_target *publisher_create(const fv_target_params *params) {
    fv_err err = {0};
    told[0] = 0;
    fv_target *t = fv_target_create(params, &setup, &err);
    CHECK_OK(t != NULL, err);
    return t;
}

void publisher_refuses(const fv_target_params *params, const char *part) {
    fv_err err = {0};
    fv_target *t = fv_target_create(params, &setup, &err);
    CHECK(!t);
    CHECK_CONTAINS(err.text, part);
    fv_target_destroy(&t);
}

static void add(fv_target *t, int n) {
    char body[200], id[40];
    int size = snprintf(body, sizeof body, "{\"n\":%d,\"pad\":\"%.*s\"}", n, n % 64,
                        "................................................................");
    snprintf(id, sizeof id, "gate/event/%d", n);
    fv_target_add(t, &(fv_message){.topic = "gate/events", .key = "gate", .id = id, .body = body,
                                   .size = (size_t)size, .line = body, .line_size = (size_t)size,
                                   .is_event = true});
}

void publisher_add(fv_target *t, int from, int to) {
    for (int i = from; i < to; i++)
        add(t, i);
}

void publisher_add_slowly(fv_target *t, int from, int to, int us) {
    for (int i = from; i < to; i++) {
        add(t, i);
        usleep((useconds_t)us);
    }
}

double publisher_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int publisher_add_for(fv_target *t, int from, double seconds) {
    int n = from;
    for (double begun = publisher_seconds(); publisher_seconds() - begun < seconds || n < from + 200; n += 10)
        publisher_add_slowly(t, n, n + 10, 1000);
    return n;
}

static const double patience_s = 60; // for what comes at once on a machine that is well

bool publisher_wait(fv_target *t) {
    double end = publisher_seconds() + patience_s;
    while (fv_target_count(t).waiting && publisher_seconds() < end)
        usleep(10000);
    return !fv_target_count(t).waiting;
}

void publisher_wait_told(const char *part) {
    double end = publisher_seconds() + patience_s;
    while (!strstr(publisher_told(), part) && publisher_seconds() < end)
        usleep(10000);
    CHECK_CONTAINS(publisher_told(), part);
}

int publisher_check(const char *text, int n, bool repeats) {
    int next = 0, extra = 0;
    for (const char *p = text; p && (p = strstr(p, "{\"n\":")); p++) {
        int i = atoi(p + 5);
        if (repeats && i < next)
            extra++;
        else if (i != next++) {
            fprintf(stderr, "message %d came where %d was expected\n", i, next - 1);
            CHECK(false);
            return -1;
        }
    }
    CHECK_EQUAL(next, n);
    return extra;
}

int publisher_free_port(void) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof a;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool ok = !bind(fd, (struct sockaddr *)&a, n) && !getsockname(fd, (struct sockaddr *)&a, &n);
    close(fd);
    return ok ? ntohs(a.sin_port) : 0;
}

int publisher_start(const char *command) {
    char line[4000];
    snprintf(line, sizeof line, "exec %s", command);
    pid_t pid = fork();
    if (!pid) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execl("/bin/sh", "sh", "-c", line, NULL);
        _exit(127);
    }
    return pid;
}

void publisher_kill(int pid, int signal) {
    int status;
    kill(pid, signal);
    waitpid(pid, &status, 0);
}
