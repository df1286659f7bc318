#include "pipeline/infer/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/base/log.h"
#include "pipeline/infer/cost_scale.h"

// A shape is measured with at most MAX_ROWS rows, those whose cost is not beyond SLACK times the
// lowest; a whole plan for at most BUDGET_MS, and a shape for AHEAD times its share of what is left of that.
enum { MAX_ROWS = 3, RUNS = 5, BUDGET_MS = 4500, TEXT = 160 };
static const double SLACK = 1.4, CLEARLY = 0.95; // faster than the row of the lowest cost by this much
static const double UNKNOWN = 3;                 // SLACK for a kernel of which no row has been measured
static const double AHEAD = 3;
static const char header[] = "fovea-tune 6\n";

typedef struct {
    char shape[TEXT];
    const fv_conv_row *row;
    double ms;
} winner;

// A kernel that was compiled for a measurement.
typedef struct {
    fv_gpu_kernel *kernel;
    const char *name;
    uint32_t n_spec, spec[16];
} compiled;

struct fv_tuner {
    fv_gpu *gpu;
    winner *v;
    int n, room;
    bool news;
    fv_tuner_stats stats;
    int to_come;       // convolutions
    double compile_ms; // of all kernels
    fv_cost_scale scale;
    compiled *kernel;
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

// ---- cost ------------------------------------------------------------------------------------------

static void learn(fv_tuner *t, const fv_conv_row *row, const fv_conv_shape *s, double ms) {
    fv_cost_scale_learn(&t->scale, row->kernel, fv_conv_row_cost(row, s, fv_gpu_get_caps(t->gpu)), ms);
}

static bool is_known(const fv_tuner *t, const fv_conv_row *row) {
    return fv_cost_scale_knows(&t->scale, row->kernel);
}

static double cost_of(const fv_tuner *t, const fv_conv_row *row, const fv_conv_shape *s) {
    return fv_cost_scale_get(&t->scale, row->kernel) * fv_conv_row_cost(row, s, fv_gpu_get_caps(t->gpu));
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

static const compiled *find_kernel(const fv_tuner *t, const fv_conv_dispatch *d) {
    for (const compiled *k = t->kernel; k < t->kernel + t->n_kernels; k++)
        if (k->n_spec == d->n_spec && !strcmp(k->name, d->kernel) &&
            !memcmp(k->spec, d->spec, d->n_spec * sizeof *d->spec))
            return k;
    return NULL;
}

static fv_gpu_kernel *borrow(fv_tuner *t, const fv_conv_dispatch *d, fv_err *err) {
    const compiled *known = find_kernel(t, d);
    if (known)
        return known->kernel;
    if (t->n_kernels == t->kernels_room) {
        t->kernels_room = 2 * t->kernels_room + 64;
        t->kernel = realloc(t->kernel, (size_t)t->kernels_room * sizeof *t->kernel);
        if (!t->kernel)
            abort();
    }
    compiled made = {.kernel = fv_gpu_kernel_get(t->gpu, d->kernel, d->spec, d->n_spec, err), .name = d->kernel,
                     .n_spec = d->n_spec};
    memcpy(made.spec, d->spec, sizeof made.spec);
    if (made.kernel)
        t->kernel[t->n_kernels++] = made;
    return made.kernel;
}

static fv_gpu_program *record(fv_tuner *t, const fv_conv_row *row, const fv_conv_shape *s, fv_err *err) {
    size_t in = pixels_bytes(s->n, s->in_w, s->in_h, s->in_channels);
    size_t out = pixels_bytes(s->n, s->out_w, s->out_h, s->out_channels);
    fv_conv_dispatch d = fv_conv_row_dispatch(row, s, fv_gpu_get_caps(t->gpu));
    d.push.in_pitch4 *= (uint32_t)(s->in_channels + 3) / 4;
    d.push.out_pitch4 = d.push.residual_pitch4 = (uint32_t)(s->out_channels + 7) / 8 * 2;
    d.push.out_at4 = d.push.residual_at4 = (uint32_t)(in / (s->half ? 8 : 16));
    d.push.bias_at4 = (uint32_t)(fv_conv_row_weights(row, s) / 4);
    d.push.near_pitch4 = d.push.in_pitch4;
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
        double start = now_ms(CLOCK_MONOTONIC);
        int had = t->n_kernels;
        lowest[i] = 1e30;
        program[i] = record(t, row[i], s, err);
        ok = program[i] && run(t, program[i], &first, err); // compiles
        double took = t->n_kernels > had ? now_ms(CLOCK_MONOTONIC) - start : 0;
        t->compile_ms += took;
        t->stats.used_ms -= i ? 0 : took; // the plan needs it in any case
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
        if (ok)
            learn(t, row[i], s, lowest[i]);
        *best = ok && lowest[i] < (*best ? 1 : CLEARLY) * lowest[*best] ? i : *best;
    }
    *ms = ok ? lowest[*best] : 0;
    return ok;
}

// The cheapest row of another kernel than `row`, if it is not much dearer; or NULL.
static const fv_conv_row *cheapest_other(const fv_tuner *t, const fv_conv_shape *s, const fv_conv_row *row) {
    const fv_conv_row *best = NULL;
    for (const fv_conv_row *r = fv_conv_rows; r->name; r++)
        if (r->kernel != row->kernel && fv_conv_row_fits(r, s, fv_gpu_get_caps(t->gpu)) &&
            cost_of(t, r, s) <= (is_known(t, r) && is_known(t, row) ? SLACK : UNKNOWN) * cost_of(t, row, s) &&
            (!best || cost_of(t, r, s) < cost_of(t, best, s)))
            best = r;
    return best;
}

// The cheapest, then that of another kernel, then the next cheapest; at most MAX_ROWS.
static int candidates(const fv_tuner *t, const fv_conv_shape *s, const fv_conv_row *row[MAX_ROWS]) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(t->gpu);
    const fv_conv_row *other = NULL;
    int n = 0;
    for (bool more = true; more && n < MAX_ROWS;) {
        const fv_conv_row *next = NULL;
        for (const fv_conv_row *r = fv_conv_rows; r->name; r++) {
            bool taken = false;
            for (int i = 0; i < n; i++)
                taken = taken || row[i] == r;
            if (!taken && fv_conv_row_fits(r, s, caps) && (!n || cost_of(t, r, s) <= SLACK * cost_of(t, row[0], s)) &&
                (!next || cost_of(t, r, s) < cost_of(t, next, s)))
                next = r;
        }
        if (n == 1 && (other = cheapest_other(t, s, row[0])))
            next = other;
        more = next != NULL;
        if (more)
            row[n++] = next;
    }
    return n;
}

// How many of n rows there is time for. The first one's kernel is made in any case; a kernel of which nothing is known is
// worth its compilation, since all shapes behind this one are judged by it.
static int affordable(const fv_tuner *t, const fv_conv_shape *s, const fv_conv_row *const row[], int n) {
    double left = BUDGET_MS - t->stats.used_ms, share = AHEAD * left / (t->to_come < AHEAD ? AHEAD : t->to_come);
    double compile = t->n_kernels ? t->compile_ms / t->n_kernels : share, cost = 0;
    for (int i = 1; i < n; i++) {
        fv_conv_dispatch d = fv_conv_row_dispatch(row[i], s, fv_gpu_get_caps(t->gpu));
        bool revealing = i == 1 && !(is_known(t, row[0]) && is_known(t, row[1]));
        cost += find_kernel(t, &d) ? 0 : compile;
        if (left <= 0 || (cost > share && !revealing))
            return i;
    }
    return n;
}

// ---- the border ------------------------------------------------------------------------------------

fv_tuner *fv_tuner_create(fv_gpu *gpu, int n_convs) {
    const char *wanted = getenv("FOVEA_TUNE");
    if (wanted && !strcmp(wanted, "0"))
        return NULL;
    fv_tuner *t = calloc(1, sizeof *t);
    if (t) {
        t->gpu = gpu;
        t->to_come = n_convs;
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
    t->to_come -= t->to_come > 0;
    const fv_conv_row *known = fv_tune_known(t, gpu, s);
    if (known)
        return known;
    char shape[TEXT];
    fv_conv_shape_text(s, shape, sizeof shape);
    const fv_conv_row *row[MAX_ROWS];
    int n = candidates(t, s, row), best = 0;
    if (n < 2)
        return n ? row[0] : NULL;
    fv_err err = {0};
    double ms = 0, start = now_ms(CLOCK_MONOTONIC);
    n = affordable(t, s, row, n);
    if (n >= 2 && !measure(t, s, row, n, &best, &ms, &err)) {
        fv_log(FV_LOG_WARN, "tuning %s: %s", shape, err.text);
        return row[0];
    }
    t->stats.used_ms += now_ms(CLOCK_MONOTONIC) - start;
    *(n >= 2 ? &t->stats.n_measured : &t->stats.n_by_cost) += 1;
    t->news = true;
    fv_log(FV_LOG_DEBUG, "tuned %s: %s, %.3f ms, best of %d", shape, row[best]->name, ms, n < 2 ? 1 : n);
    keep(t, shape, row[best], ms);
    return row[best];
}

fv_tuner_stats fv_tuner_get_stats(const fv_tuner *t) {
    return t ? t->stats : (fv_tuner_stats){0};
}

void fv_tuner_destroy(fv_tuner **tuner) {
    fv_tuner *t = *tuner;
    *tuner = NULL;
    if (!t)
        return;
    if (t->news) {
        fv_log(FV_LOG_INFO, "tuned %d shapes in %.1f s, %d more by their cost", t->stats.n_measured,
               t->stats.used_ms / 1e3, t->stats.n_by_cost);
        save(t);
    }
    fv_gpu_buffer_destroy(&t->activations);
    fv_gpu_buffer_destroy(&t->weights);
    for (int i = 0; i < t->n_kernels; i++)
        fv_gpu_kernel_put(t->gpu, t->kernel[i].kernel);
    free(t->kernel);
    free(t->v);
    free(t);
}
