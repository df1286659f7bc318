#define _GNU_SOURCE
#include "tests/test.h"

#include <CUnit/TestRun.h>
#include <ftw.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *skip_reason;
static char tmp_root[256];

static char *ring(void) {
    static char paths[8][1024];
    static int next;
    return paths[next++ % 8];
}

void fv_test_skip(const char *why) {
    skip_reason = why;
}

const char *fv_test_source(const char *path) {
    const char *root = getenv("FOVEA_SOURCE");
    char *p = ring();
    snprintf(p, 1024, "%s/%s", root ? root : ".", path);
    return p;
}

const char *fv_test_shared(const char *path) {
    const char *root = getenv("FOVEA_SHARED");
    char *p = ring();
    if (root)
        snprintf(p, 1024, "%s/%s", root, path);
    else
        snprintf(p, 1024, "%s/../shared/%s", getenv("FOVEA_SOURCE") ? getenv("FOVEA_SOURCE") : ".", path);
    if (!access(p, R_OK))
        return p;
    fv_test_skip("test material is not there; put it into ../shared or set FOVEA_SHARED");
    return NULL;
}

static int remove_entry(const char *path, const struct stat *info, int flag, struct FTW *ftw) {
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static void remove_tmp(void) {
    nftw(tmp_root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *fv_test_tmp(const char *name) {
    if (!tmp_root[0]) {
        snprintf(tmp_root, sizeof tmp_root, "/tmp/fovea-test-XXXXXX");
        if (!mkdtemp(tmp_root))
            abort();
        atexit(remove_tmp);
    }
    char *p = ring();
    snprintf(p, 1024, "%s/%s", tmp_root, name);
    mkdir(p, 0755);
    return p;
}

char *fv_test_read(const char *path) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    size_t n = 0, room = 1 << 16;
    char *text = malloc(room + 1);
    for (size_t got; (got = fread(text + n, 1, room - n, f)) > 0;) {
        n += got;
        if (n == room)
            text = realloc(text, (room *= 2) + 1);
    }
    text[n] = 0;
    fclose(f);
    return text;
}

int fv_test_shell(const char *command, char *output, size_t size) {
    char *line;
    if (asprintf(&line, "{ %s\n} 2>&1", command) < 0)
        abort();
    FILE *f = popen(line, "r");
    free(line);
    size_t n = 0;
    char chunk[4096];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, f)) > 0;) {
        size_t keep = output && n + 1 < size ? (got < size - 1 - n ? got : size - 1 - n) : 0;
        memcpy(output ? output + n : chunk, chunk, keep);
        n += keep;
    }
    if (output && size)
        output[n] = 0;
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static atomic_int_least64_t ran_ns;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// Wakes every millisecond; of a sleep that lasted longer no more than TICK_MAX_NS count.
static void *tick(void *user) {
    enum { TICK_NS = 1000000, TICK_MAX_NS = 5000000 };
    for (int64_t last = now_ns(), now;; last = now) {
        nanosleep(&(struct timespec){0, TICK_NS}, NULL);
        now = now_ns();
        ran_ns += now - last < TICK_MAX_NS ? now - last : TICK_MAX_NS;
    }
    return user;
}

static void start_clock(void) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, tick, NULL) || pthread_detach(thread))
        abort();
}

double fv_test_seconds(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_clock);
    return (double)ran_ns / 1e9;
}

static bool selected(int argc, char **argv, const char *suite, const char *name) {
    char full[256];
    snprintf(full, sizeof full, "%s/%s", suite, name);
    for (int i = 1; i < argc; i++)
        if (strstr(full, argv[i]))
            return true;
    return argc < 2;
}

static const char *run_case(CU_pSuite suite, const fv_suite *s, const fv_case *c) {
    skip_reason = NULL;
    CU_run_test(suite, CU_add_test(suite, c->name, c->run)); // forgets the failures before
    const char *outcome = CU_get_number_of_failures() ? "FAIL" : skip_reason ? "skip" : "ok";
    printf("%-4s %s/%s%s%s\n", outcome, s->name, c->name, skip_reason ? ": " : "", skip_reason ? skip_reason : "");
    for (CU_pFailureRecord f = CU_get_failure_list(); f && outcome[0] == 'F'; f = f->pNext)
        printf("     %s:%u: %s\n", f->strFileName, f->uiLineNumber, f->strCondition);
    fflush(stdout);
    return outcome;
}

int fv_test_main(int argc, char **argv, const fv_suite *const suites[]) {
    int passed = 0, failed = 0, skipped = 0;
    if (CU_initialize_registry() != CUE_SUCCESS)
        return 1;
    for (int i = 0; suites[i]; i++) {
        CU_pSuite suite = CU_add_suite(suites[i]->name, NULL, NULL);
        for (const fv_case *c = suites[i]->cases; c->name; c++) {
            if (!selected(argc, argv, suites[i]->name, c->name))
                continue;
            const char *outcome = run_case(suite, suites[i], c);
            passed += outcome[0] == 'o';
            failed += outcome[0] == 'F';
            skipped += outcome[0] == 's';
        }
    }
    CU_cleanup_registry();
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0;
}
