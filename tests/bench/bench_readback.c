// A frame of a detector with its candidates brought back and with all outputs, in turns. Run by hand:
// build/tests/bench/bench-readback MODEL...
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline/detect/detect.h"

enum { WIDTH = 640, HEIGHT = 480, ROUNDS = 60 };

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static bool time_frame(fv_detector *d, double *ms, fv_err *err) {
    static uint8_t picture[WIDTH * HEIGHT * 3 / 2];
    static fv_object v[300];
    fv_objects objects = {.capacity = 300, .v = v};
    fv_frame frame = {.format = FV_I420, .width = WIDTH, .height = HEIGHT,
                      .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
                      .plane = {picture, picture + WIDTH * HEIGHT, picture + WIDTH * HEIGHT * 5 / 4}};
    for (size_t i = 0; i < sizeof picture; i++)
        picture[i] = (uint8_t)((uint32_t)i * 2654435761u >> 24);
    double begin = now_ms();
    bool ok = fv_detector_push(d, &frame, 1, NULL, err) && fv_detector_pull(d, &objects, NULL, err);
    *ms = now_ms() - begin;
    return ok;
}

static bool compare(const char *model, fv_err *err) {
    static const fv_readback ways[] = {FV_READBACK_CANDIDATES, FV_READBACK_WHOLE};
    fv_detector *d[2] = {NULL, NULL};
    double ms[2][ROUNDS];
    bool ok = true;
    for (int k = 0; ok && k < 2; k++)
        ok = (d[k] = fv_detector_create(&(fv_detector_params){.model = model, .readback = ways[k]}, err));
    for (int i = 0; ok && i < 2 * ROUNDS; i++)
        ok = time_frame(d[i % 2], &ms[i % 2][i / 2], err);
    for (int k = 0; k < 2; k++) {
        fv_detector_destroy(&d[k]);
        qsort(ms[k], ROUNDS, sizeof ms[k][0], by_value);
    }
    if (ok)
        printf("%s: candidates %.2f ms, all outputs %.2f ms, ratio %.2f\n", model, ms[0][ROUNDS / 2], ms[1][ROUNDS / 2],
               ms[0][ROUNDS / 2] / ms[1][ROUNDS / 2]);
    return ok;
}

int main(int argc, char **argv) {
    fv_err err = {0};
    for (int i = 1; i < argc; i++)
        if (!compare(argv[i], &err)) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    return 0;
}
