#include "pipeline/infer/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/base/log.h"

// A shape is measured with at most MAX_ROWS rows, those whose cost is not beyond SLACK times the
// lowest; a whole plan for at most BUDGET_MS.
enum { MAX_ROWS = 3, RUNS = 5, BUDGET_MS = 5500, TEXT = 160 };
static const double SLACK = 1.4, CLEARLY = 0.95; // faster than the row of the lowest cost by this much
static const char header[] = "fovea-tune 4\n";

typedef struct {
    char shape[TEXT];
    const fv_conv_row *row;
    double ms;
} winner;

struct fv_tuner {
    fv_gpu *gpu;
    winner *v;
    int n, room;
    bool news;
    double used_ms;
    fv_gpu_kernel **kernel; // each that was measured, once a get
    int n_kernels, kernels_room;
    fv_gpu_buffer *activations, *weights; // scratch, as large as was needed so far
};

static double now_ms(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

// ---- the cache -------------------------------------------------------------------------------------

static const winner *find(const fv_tuner *t, const char *shape) {
    for (int i = 0; i < t->n; i++)
        if (!strcmp(t->v[i].shape, shape))
            return &t->v[i];
    return NULL;
}

static void keep(fv_tuner *t, const char *shape, const fv_conv_row *row, double ms) {
    if (t->n == t->room) {
        t->room = 2 * t->room + 64;
        t->v = realloc(t->v, (size_t)t->room * sizeof *t->v);
        if (!t->v)
            abort();
    }
    t->v[t->n] = (winner){.row = row, .ms = ms};
    snprintf(t->v[t->n++].shape, TEXT, "%s", shape);
}

static const fv_conv_row *row_named(const char *name) {
    for (const fv_conv_row *row = fv_conv_rows; row->name; row++)
        if (!strcmp(row->name, name))
            return row;
    return NULL;
}

static void load(fv_tuner *t) {
    char path[640], line[2 * TEXT];
    FILE *f = fv_gpu_cache_path(t->gpu, "tune", path, sizeof path) ? fopen(path, "r") : NULL;
    if (!f)
        return;
    bool known = fgets(line, sizeof line, f) && !strcmp(line, header);
    while (known && fgets(line, sizeof line, f)) {
        char *equals = strstr(line, " = "), *comma = strrchr(line, ',');
        if (!equals || !comma || comma < equals)
            continue;
        *equals = *comma = 0;
        const fv_conv_row *row = row_named(equals + 3);
        if (row && strlen(line) < TEXT && !find(t, line))
            keep(t, line, row, strtod(comma + 1, NULL));
    }
    fclose(f);
}

static void save(const fv_tuner *t) {
    char path[640], beside[680];
    if (!fv_gpu_cache_path(t->gpu, "tune", path, sizeof path))
        return;
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    FILE *f = fopen(beside, "w");
    bool ok = f && fputs(header, f) >= 0;
    for (int i = 0; ok && i < t->n; i++)
        ok = fprintf(f, "%s = %s, %.4f ms\n", t->v[i].shape, t->v[i].row->name, t->v[i].ms) > 0;
    if (f)
        ok = !fclose(f) && ok;
    if (!ok || rename(beside, path)) {
        fv_log(FV_LOG_WARN, "%s: cannot write the tuner's cache; the next start measures again", path);
        unlink(beside);
    }
}

// ---- measuring -------------------------------------------------------------------------------------

static bool reserve(fv_gpu *gpu, fv_gpu_buffer **buffer, size_t bytes, fv_gpu_place place, fv_err *err) {
    if (*buffer && fv_gpu_buffer_bytes(*buffer) >= bytes)
        return true;
    fv_gpu_buffer_destroy(buffer);
    *buffer = fv_gpu_buffer_create(gpu, bytes, place, err);
    return *buffer != NULL;
}

static size_t pixels_bytes(int n, int w, int h, int channels) {
    return (size_t)n * (size_t)w * (size_t)h * (size_t)((channels + 7) / 8 * 8) * 4;
}

// Room for every row, before any of them is recorded.
static bool reserve_all(fv_tuner *t, const fv_conv_row *const row[], int n, const fv_conv_shape *s, fv_err *err) {
    size_t in = pixels_bytes(s->n, s->in_w, s->in_h, s->in_channels), weights = 0;
    size_t out = pixels_bytes(s->n, s->out_w, s->out_h, s->out_channels), bias = (size_t)s->out_channels * 4 + 256;
    for (int i = 0; i < n; i++)
        weights = fv_conv_row_weights(row[i], s) > weights ? fv_conv_row_weights(row[i], s) : weights;
    return reserve(t->gpu, &t->activations, in + out, FV_GPU_DEVICE, err) &&
           reserve(t->gpu, &t->weights, 4 * weights + bias, FV_GPU_WEIGHTS, err);
}

static fv_gpu_kernel *borrow(fv_tuner *t, const fv_conv_dispatch *d, fv_err *err) {
    if (t->n_kernels == t->kernels_room) {
        t->kernels_room = 2 * t->kernels_room + 64;
        t->kernel = realloc(t->kernel, (size_t)t->kernels_room * sizeof(fv_gpu_kernel *));
        if (!t->kernel)
            abort();
    }
    fv_gpu_kernel *k = fv_gpu_kernel_get(t->gpu, d->kernel, d->spec, d->n_spec, err);
    if (k)
        t->kernel[t->n_kernels++] = k;
    return k;
}

static fv_gpu_program *record(fv_tuner *t, const fv_conv_row *row, const fv_conv_shape *s, fv_err *err) {
    size_t in = pixels_bytes(s->n, s->in_w, s->in_h, s->in_channels);
    size_t out = pixels_bytes(s->n, s->out_w, s->out_h, s->out_channels);
    fv_conv_dispatch d = fv_conv_row_dispatch(row, s, fv_gpu_get_caps(t->gpu));
    d.push.in_pitch4 = (uint32_t)(s->in_channels + 3) / 4;
    d.push.out_pitch4 = d.push.residual_pitch4 = (uint32_t)(s->out_channels + 7) / 8 * 2;
    d.push.out_at4 = d.push.residual_at4 = (uint32_t)(in / (s->half ? 8 : 16));
    d.push.bias_at4 = (uint32_t)(fv_conv_row_weights(row, s) / 4);
    d.push.alpha = 1;
    fv_gpu_kernel *kernel = borrow(t, &d, err);
    fv_gpu_blocks blocks = {.activations = t->activations, .weights = t->weights, .half = s->half};
    fv_gpu_program *program = kernel ? fv_gpu_program_begin(t->gpu, &blocks, err) : NULL;
    if (!program)
        return NULL;
    fv_gpu_span span = {FV_GPU_ACTIVATIONS, in, out, true};
    fv_gpu_program_add(program, kernel, &span, 1, &d.push, sizeof d.push, d.groups);
    if (!fv_gpu_program_end(program, err))
        fv_gpu_program_destroy(&program);
    return program;
}

static bool run(fv_tuner *t, fv_gpu_program *program, double *ms, fv_err *err) {
    uint64_t ticket;
    clockid_t clock = fv_gpu_get_caps(t->gpu)->cpu ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
    double start = now_ms(clock);
    if (!fv_gpu_program_submit(program, &ticket, err) || !fv_gpu_wait(t->gpu, ticket, UINT64_MAX, err))
        return false;
    *ms = now_ms(clock) - start;
    return true;
}

// The processors' time per core, if all cores have the same number of workgroups to do.
static double per_core(const fv_tuner *t, const fv_conv_row *row, const fv_conv_shape *s, double ms) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(t->gpu);
    if (!caps->cpu)
        return ms;
    fv_conv_dispatch d = fv_conv_row_dispatch(row, s, caps);
    long cores = sysconf(_SC_NPROCESSORS_ONLN), groups = (long)d.groups[0] * (long)d.groups[1];
    cores = cores < 1 ? 1 : cores;
    return ms * (double)((groups + cores - 1) / cores) / (double)groups;
}

// The rows are run in turns, so that what disturbs one disturbs all; the lowest time counts.
static bool measure(fv_tuner *t, const fv_conv_shape *s, const fv_conv_row *const row[], int n, int *best, double *ms,
                    fv_err *err) {
    fv_gpu_program *program[MAX_ROWS] = {0};
    double lowest[MAX_ROWS], first;
    bool ok = reserve_all(t, row, n, s, err);
    for (int i = 0; i < n && ok; i++) {
        lowest[i] = 1e30;
        program[i] = record(t, row[i], s, err);
        ok = program[i] && run(t, program[i], &first, err); // compiles
    }
    for (int r = 0; r < RUNS && ok; r++)
        for (int i = 0; i < n && ok; i++) {
            double took = 0;
            ok = run(t, program[i], &took, err);
            took = per_core(t, row[i], s, took);
            lowest[i] = took < lowest[i] ? took : lowest[i];
        }
    *best = 0;
    for (int i = 0; i < n; i++) {
        fv_gpu_program_destroy(&program[i]);
        *best = ok && lowest[i] < (*best ? 1 : CLEARLY) * lowest[*best] ? i : *best;
    }
    *ms = ok ? lowest[*best] : 0;
    return ok;
}

// The cheapest by cost, at most MAX_ROWS, cheapest first.
static int candidates(const fv_tuner *t, const fv_conv_shape *s, const fv_conv_row *row[MAX_ROWS]) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(t->gpu);
    const fv_conv_row *best = fv_conv_row_default(s, caps);
    double limit = best ? SLACK * fv_conv_row_cost(best, s, caps) : 0;
    int n = 0;
    for (const fv_conv_row *r = fv_conv_rows; r->name; r++) {
        double cost = fv_conv_row_fits(r, s, caps) ? fv_conv_row_cost(r, s, caps) : 1e300;
        if (cost > limit)
            continue;
        int at = n < MAX_ROWS ? n++ : MAX_ROWS;
        for (; at > 0 && fv_conv_row_cost(row[at - 1], s, caps) > cost; at--)
            if (at < MAX_ROWS)
                row[at] = row[at - 1];
        if (at < MAX_ROWS)
            row[at] = r;
    }
    return n;
}

// ---- the border ------------------------------------------------------------------------------------

fv_tuner *fv_tuner_create(fv_gpu *gpu) {
    const char *wanted = getenv("FOVEA_TUNE");
    if (wanted && !strcmp(wanted, "0"))
        return NULL;
    fv_tuner *t = calloc(1, sizeof *t);
    if (t) {
        t->gpu = gpu;
        load(t);
    }
    return t;
}

const fv_conv_row *fv_tune_known(const fv_tuner *t, const fv_gpu *gpu, const fv_conv_shape *s) {
    char shape[TEXT];
    fv_conv_shape_text(s, shape, sizeof shape);
    const winner *known = find(t, shape);
    return known && fv_conv_row_fits(known->row, s, fv_gpu_get_caps(gpu)) ? known->row : NULL;
}

const fv_conv_row *fv_tune_conv(fv_tuner *t, fv_gpu *gpu, const fv_conv_shape *s) {
    if (!t)
        return fv_conv_row_default(s, fv_gpu_get_caps(gpu));
    const fv_conv_row *known = fv_tune_known(t, gpu, s);
    if (known)
        return known;
    char shape[TEXT];
    fv_conv_shape_text(s, shape, sizeof shape);
    const fv_conv_row *row[MAX_ROWS];
    int n = candidates(t, s, row), best = 0;
    if (n < 2 || t->used_ms > BUDGET_MS)
        return n ? row[0] : NULL;
    fv_err err = {0};
    double ms, start = now_ms(CLOCK_MONOTONIC);
    if (!measure(t, s, row, n, &best, &ms, &err)) {
        fv_log(FV_LOG_WARN, "tuning %s: %s", shape, err.text);
        return row[0];
    }
    t->used_ms += now_ms(CLOCK_MONOTONIC) - start;
    t->news = true;
    fv_log(FV_LOG_DEBUG, "tuned %s: %s, %.3f ms", shape, row[best]->name, ms);
    keep(t, shape, row[best], ms);
    return row[best];
}

void fv_tuner_destroy(fv_tuner **tuner) {
    fv_tuner *t = *tuner;
    *tuner = NULL;
    if (!t)
        return;
    if (t->news)
        save(t);
    fv_gpu_buffer_destroy(&t->activations);
    fv_gpu_buffer_destroy(&t->weights);
    for (int i = 0; i < t->n_kernels; i++)
        fv_gpu_kernel_put(t->gpu, t->kernel[i]);
    free(t->kernel);
    free(t->v);
    free(t);
}
