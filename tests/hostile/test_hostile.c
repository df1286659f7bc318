// Every row of targets.h: what is right is taken; thousands of changes to it, always the same, neither
// crash nor hang.
#include <stdlib.h>
#include <time.h>

#include "pipeline/base/log.h"
#include "tests/hostile/targets.h"
#include "tests/test.h"

enum { ROUNDS = 3000, ROOM = 4000 };

static uint32_t below(uint64_t *state, size_t n) { // xorshift64*
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * 2685821657736338717u >> 32) % (uint32_t)(n + !n);
}

// One to four changes: a bit, an odd byte, a cut, a part that goes or is said twice, a huge number.
static size_t change(uint8_t *v, size_t n, uint64_t *state) {
    static const uint8_t odd[] = {0, 0x7f, 0x80, 0xff, '-', '9', '"', ':', '[', '{', '&', '*', ',', '\n'};
    for (uint32_t k = 1 + below(state, 4); k && n > 8; k--) {
        size_t at = below(state, n), length = 1 + below(state, 24);
        length = length > n - at ? n - at : length;
        switch (below(state, 6)) {
        case 0: v[at] ^= (uint8_t)(1 << below(state, 8)); break;
        case 1: v[at] = odd[below(state, sizeof odd)]; break;
        case 2: n = below(state, 4) ? n : at; break;
        case 3:
            memmove(v + at, v + at + length, n - at - length);
            n -= length;
            break;
        case 4:
            if (n + length > ROOM)
                break;
            memmove(v + at + length, v + at, n - at);
            n += length;
            break;
        default: memset(v + at, below(state, 2) ? '9' : 0xff, length);
        }
    }
    return n;
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void torment(const hostile_target *t, const uint8_t *seed, size_t size) {
    uint64_t state = 20240607;
    double slowest = 0;
    int taken = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint8_t v[ROOM];
        memcpy(v, seed, size);
        size_t n = change(v, size, &state);
        uint8_t *exact = malloc(n + !n); // so that a sanitizer sees reads behind the end
        memcpy(exact, v, n);
        double start = seconds();
        taken += t->take(exact, n);
        double took = seconds() - start;
        slowest = took > slowest ? took : slowest;
        free(exact);
    }
    printf("     %-8s %4d of %d changed ones are taken, the slowest in %.3f s\n", t->name, taken, ROUNDS, slowest);
    CHECK(taken < ROUNDS);
    CHECK(slowest < 5);
}

static void hush(void *user, fv_log_level level, const char *text) {
    (void)user, (void)level, (void)text;
}

static void every_reader(void) {
    fv_log_set(FV_LOG_ERROR, hush, NULL);
    for (const hostile_target *t = hostile_targets; t->name; t++) {
        char *seed = NULL;
        size_t size = 0;
        FILE *f = open_memstream(&seed, &size);
        t->seed(f);
        fclose(f);
        int taken = size <= ROOM ? t->take((const uint8_t *)seed, size) : 0;
        if (!taken)
            fprintf(stderr, "%s: what is right (%zu bytes) is not taken\n", t->name, size);
        CHECK(taken);
        if (taken)
            torment(t, (const uint8_t *)seed, size);
        free(seed);
    }
    fv_log_set(FV_LOG_WARN, NULL, NULL);
}

const fv_suite hostile_suite = {"hostile", (const fv_case[]){CASE(every_reader), {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&hostile_suite, NULL});
}
