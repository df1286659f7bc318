// Cost of the trackers and of a full assignment against the number of objects; one core. Run by
// ./dev bench.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "pipeline/vision/assign.h"
#include "pipeline/vision/track.h"

enum { MAX_OBJECTS = 1000 };

static uint32_t seed = 1;

static float random01(void) {
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 24);
}

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// A crowd on a plane as large as it needs: neighbours overlap, one detection in ten is missing, one
// in seven weak.
static void crowd(fv_objects *in, int n, int frame) {
    int columns = (int)ceil(sqrt(n));
    in->n = 0;
    for (int i = 0; i < n; i++) {
        float phase = (float)(frame + 17 * i) * 0.05f;
        if (random01() < 0.1f)
            continue;
        in->v[in->n++] = (fv_object){
            .box = {45 * (float)(i % columns) + 30 * sinf(phase) + 3 * random01(),
                    70 * (float)(i / columns) + 20 * cosf(phase), 40 + 2 * random01(),
                    80 + 2 * random01()},
            .score = random01() < 0.14f ? 0.4f : 0.9f,
            .detection = -1};
    }
}

static void bench_tracker(int method, int n) {
    static fv_object in_v[MAX_OBJECTS], out_v[4 * MAX_OBJECTS];
    fv_objects in = {0, MAX_OBJECTS, in_v}, out = {0, 4 * MAX_OBJECTS, out_v};
    fv_track_params params;
    fv_options_default(&params, fv_track_options);
    params.method = method;
    fv_tracker *t = fv_tracker_create(&params, NULL);
    int frames = 100000 / n < 2000 ? 100000 / n : 2000;
    double spent = 0;
    for (int frame = 0; frame < frames; frame++) {
        crowd(&in, n, frame);
        double start = seconds();
        fv_tracker_update(t, &in, (int64_t)frame * 40000000, &out);
        spent += seconds() - start;
    }
    printf("%-10s %5d objects  %9.1f us a frame  %9.0f frames/s  %5d alive\n",
           fv_track_method_names[method], n, spent / frames * 1e6, frames / spent,
           fv_tracker_count(t));
    fv_tracker_destroy(&t);
}

// Every pair is offered: one group, the worst case.
static void bench_assign(int n) {
    fv_assign *a = fv_assign_create();
    fv_pair *pairs = malloc(sizeof *pairs * (size_t)n * (size_t)n);
    int *column = malloc(sizeof *column * (size_t)n), rounds = 20000000 / (n * n * n) + 1;
    double spent = 0;
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < n * n; i++)
            pairs[i] = (fv_pair){i / n, i % n, (double)random01()};
        double start = seconds();
        fv_assign_solve(a, pairs, n * n, n, n, column, NULL);
        spent += seconds() - start;
    }
    printf("assignment %5d x %-5d    %9.1f us\n", n, n, spent / rounds * 1e6);
    fv_assign_destroy(&a);
    free(pairs);
    free(column);
}

int main(void) {
    static const int sizes[] = {10, 30, 100, 300, 1000};
    for (int method = 0; method < FV_N_TRACK_METHODS; method++)
        for (int i = 0; i < 5; i++)
            bench_tracker(method, sizes[i]);
    for (int i = 0; i < 5; i++)
        bench_assign(sizes[i]);
    return 0;
}
