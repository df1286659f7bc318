// Damaged model files: thousands of mutations of real ones, always the same.
#include <dirent.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline/graph/graph.h"
#include "tests/graph/hostile.h"
#include "tests/test.h"

typedef struct {
    uint8_t *data;
    size_t size;
} bytes;

static uint64_t state = 1;

static uint64_t next(void) { // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 2685821657736338717u;
}

static size_t below(size_t n) {
    return n ? (size_t)(next() % n) : 0;
}

static bytes read_file(const char *path) {
    bytes b = {0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return b;
    fseek(f, 0, SEEK_END);
    b.size = (size_t)ftell(f);
    rewind(f);
    b.data = malloc(b.size + 1);
    b.size = fread(b.data, 1, b.size, f);
    fclose(f);
    return b;
}

// Nodes come before weights in a file: half of the places are in its first tenth.
static size_t place(size_t size) {
    return next() & 1 ? below(size) : below(size / 10 + 1);
}

static void mutate(bytes *b) {
    static const uint8_t odd[] = {0, 1, 0x7f, 0x80, 0xff, 0x08, 0x0a, 0x12};
    size_t at = place(b->size), n = 1 + below(16);
    if (b->size < 32)
        return;
    switch (below(7)) {
    case 0: b->data[at] ^= (uint8_t)(1 << below(8)); break;
    case 1: b->data[at] = odd[below(sizeof odd)]; break;
    case 2: b->data[at] = (uint8_t)next(); break;
    case 3: b->size = at; break; // cut off
    case 4: // bytes vanish
        n = at + n > b->size ? b->size - at : n;
        memmove(b->data + at, b->data + at + n, b->size - at - n);
        b->size -= n;
        break;
    case 5: // bytes are copied over others
        n = at + n > b->size ? b->size - at : n;
        memmove(b->data + at, b->data + place(b->size - n), n);
        break;
    default: // a huge number
        for (size_t i = 0; i < 9 && at + i + 1 < b->size; i++)
            b->data[at + i] = 0xff;
        break;
    }
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

typedef struct {
    int tried, loaded;
    double slowest;
} tally;

static void torment(const bytes *original, int rounds, tally *t) {
    bytes b = {.data = malloc(original->size + 1)};
    for (int i = 0; i < rounds; i++) {
        b.size = original->size;
        memcpy(b.data, original->data, original->size);
        for (size_t k = 1 + below(original->size > 4096 ? 4 : 1); k; k--)
            mutate(&b);
        // an exact copy, so that a sanitizer sees reads behind the end
        uint8_t *exact = malloc(b.size + !b.size);
        memcpy(exact, b.data, b.size);
        double start = seconds();
        t->loaded += hostile_try(exact, b.size);
        double took = seconds() - start;
        t->slowest = took > t->slowest ? took : t->slowest;
        t->tried++;
        free(exact);
    }
    free(b.data);
}

static void mutations_of_detectors(void) {
    static const struct {
        const char *path;
        int rounds;
    } rows[] = {{"models/yunet_n_320_320.onnx", 900},
                {"models/FastestDet.onnx", 600},
                {"models/version-RFB-320.onnx", 500}};
    tally t = {0};
    state = 20240607;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *path = fv_test_shared(rows[i].path);
        if (!path)
            return;
        bytes b = read_file(path);
        torment(&b, rows[i].rounds, &t);
        free(b.data);
    }
    printf("     %d mutations of detectors: %d still load, the slowest takes %.2f s\n", t.tried,
           t.loaded, t.slowest);
    CHECK_EQUAL(t.tried, 2000);
    CHECK(t.loaded > 0 && t.loaded < t.tried);
    CHECK(t.slowest < 20);
}

static void mutations_of_cases(void) {
    struct dirent **entry;
    int n = scandir("/usr/share/libonnx-testdata/data/node", &entry, NULL, alphasort);
    tally t = {0};
    state = 7;
    if (n < 0) {
        fv_test_skip("libonnx-testdata is not installed");
        return;
    }
    for (int i = 0; i < n; i++) {
        char path[512];
        snprintf(path, sizeof path, "/usr/share/libonnx-testdata/data/node/%.200s/model.onnx",
                 entry[i]->d_name);
        bytes b = read_file(path);
        if (b.data)
            torment(&b, 6, &t);
        free(b.data);
        free(entry[i]);
    }
    free(entry);
    printf("     %d mutations of single ops: %d still load, the slowest takes %.2f s\n", t.tried,
           t.loaded, t.slowest);
    CHECK(t.loaded > 0);
    CHECK(t.slowest < 20);
}

static void errors_are_named(void) {
    fv_err err = {0};
    CHECK_FAILS(fv_graph_load("/nonexistent/m.onnx", NULL, &err), err, "/nonexistent/m.onnx");
    CHECK_EQUAL(err.code, FV_BAD_INPUT);
    CHECK_FAILS(fv_graph_load(fv_test_tmp("folder"), NULL, &err), err, "is not a file");
    CHECK_FAILS(fv_graph_load(fv_test_source("LICENSE"), NULL, &err), err, "not an ONNX model");
    CHECK_FAILS(fv_graph_load_memory("", 0, NULL, &err), err, "not an ONNX model");
}

const fv_suite hostile_suite = {
    "hostile",
    (const fv_case[]){
        CASE(errors_are_named), CASE(mutations_of_detectors), CASE(mutations_of_cases), {0}},
};
