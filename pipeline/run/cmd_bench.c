#include "pipeline/run/cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/detect/load.h"
#include "pipeline/detect/model.h"
#include "pipeline/gpu/gpu.h"
#include "pipeline/graph/graph.h"
#include "pipeline/infer/infer.h"
#include "pipeline/run/args.h"

enum { WARM_UP = 3, MAX_RUNS = 100000, MAX_INPUTS = 16, ROOFLINE_GROUPS = 64, ROOFLINE_LOCAL = 256,
       COPY_TEXELS = 8, COPY_GROUPS = 32, COPY_PASSES = 32 };
// Of shaders/roofline.comp: multiply-adds of one invocation.
static const double roofline_flops = 2.0 * 4 * 3 * 8 * 1024;

typedef struct {
    const char *model, *device;
    int runs, precision;
    bool json, total;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_INT(arguments, runs, "runs", 1, MAX_RUNS, 50, "frames that are timed"),
    FV_OPTION_STRING(arguments, device, "device", NULL,
                     "number or part of a name of `fovea devices`"),
    FV_OPTION_ENUM(arguments, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; fp16 is checked against fp32 first"),
    FV_OPTION_BOOL(arguments, total, "total", 0, "the whole model only, no table of layers"),
    FV_OPTION_BOOL(arguments, json, "json", 0, "one JSON object"),
    {0},
};

typedef struct {
    double median, p99, lowest, cpu, gmacs, gflops, roofline, copies, load_ms; // GFLOP/s and GB/s at most
    double start_ms; // from nothing to the first result: file, device, plan, session, one run
    double driver_mib, resident_mib, peak_mib; // with the device alone, at the last run, ever
    fv_plan_stats stats;
    int n_layers;
    fv_plan_layer *layer;
    char shape[64]; // of the first input
} figures;

static bool take_arguments(arguments *a, int argc, char **argv, fv_err *err) {
    const char **rest = calloc((size_t)argc + 1, sizeof *rest);
    int n = 0;
    fv_options_default(a, rows);
    bool ok = rest ? fv_args_take(a, rows, argc, argv, rest, &n, err)
                   : fv_fail(err, FV_MEMORY, "out of memory");
    if (ok && n != 1)
        ok = fv_fail(err, FV_BAD_INPUT, n ? "one model at a time" : "no model given");
    a->model = ok ? rest[0] : NULL;
    free(rest);
    return ok;
}

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

// Of all threads of this process but the one that only keeps a core awake.
static double cpu_ms(fv_gpu *gpu) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6 - fv_gpu_awake_ms(gpu);
}

// A line of /proc/self/status, which counts in KiB; 0 where there is none.
static double status_mib(const char *name) {
    char line[128];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, name, strlen(name)))
            kib = strtod(line + strlen(name), NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// ---- the roofline ----------------------------------------------------------------------------------

// Milliseconds of one dispatch, the lowest of a few runs; 0 with an error.
static double time_kernel(fv_gpu *gpu, const char *name, const uint32_t groups[3], uint32_t word, size_t bytes, fv_err *err) {
    double lowest = 1e30;
    uint64_t ticket;
    uint32_t spec[] = {ROOFLINE_LOCAL}, push[] = {word};
    fv_gpu_buffer *block = fv_gpu_buffer_create(gpu, bytes, FV_GPU_DEVICE, err);
    fv_gpu_kernel *kernel = block ? fv_gpu_kernel_get(gpu, name, spec, 1, err) : NULL;
    fv_gpu_program *p = kernel ? fv_gpu_program_begin(gpu, &(fv_gpu_blocks){.activations = block}, err) : NULL;
    if (p)
        fv_gpu_program_add(p, kernel, NULL, 0, push, sizeof push, groups);
    bool ok = p && fv_gpu_program_end(p, err);
    for (int i = 0; ok && i < 8; i++) {
        double start = now_ms();
        ok = fv_gpu_program_submit(p, &ticket, err) && fv_gpu_wait(gpu, ticket, UINT64_MAX, err);
        double took = now_ms() - start;
        lowest = took < lowest ? took : lowest;
    }
    fv_gpu_program_destroy(&p);
    fv_gpu_kernel_put(gpu, kernel);
    fv_gpu_buffer_destroy(&block);
    return ok ? lowest : 0;
}

// GFLOP/s of nothing but multiply-adds.
static bool measure_roofline(fv_gpu *gpu, figures *f, fv_err *err) {
    double ms = time_kernel(gpu, "roofline", (const uint32_t[]){ROOFLINE_GROUPS, 1, 1}, 0, 256, err);
    f->roofline = ms > 0 ? roofline_flops * ROOFLINE_LOCAL * ROOFLINE_GROUPS * 1e-6 / ms : 0;
    return ms > 0;
}

// GB/s, reads and writes together, of copies within a block of 2 MiB (shaders/copy_roofline.comp).
static bool measure_copies(fv_gpu *gpu, figures *f, fv_err *err) {
    const char *name = fv_gpu_get_caps(gpu)->int64 ? "copy_roofline_wide" : "copy_roofline";
    size_t texels = (size_t)COPY_TEXELS * ROOFLINE_LOCAL * COPY_GROUPS;
    double ms = time_kernel(gpu, name, (const uint32_t[]){COPY_GROUPS, COPY_PASSES, 1}, (uint32_t)texels, 32 * texels, err);
    f->copies = ms > 0 ? 32e-6 * COPY_PASSES * (double)texels / ms : 0;
    return ms > 0;
}

// ---- the model -------------------------------------------------------------------------------------

static void *made_up_input(const fv_tensor *t) {
    size_t bytes = fv_tensor_bytes(t);
    char *data = calloc(bytes + 1, 1);
    for (int64_t i = 0; data && t->dtype == FV_F32 && i < fv_tensor_count(t); i++)
        ((float *)data)[i] = (float)((uint32_t)i * 2654435761u >> 24) / 255;
    return data;
}

static bool run_once(fv_session *s, const void *const in[], fv_err *err) {
    fv_result r;
    return fv_session_push_tensors(s, in, NULL, err) && fv_session_pull(s, &r, err);
}

static bool time_runs(fv_gpu *gpu, const fv_plan *plan, const void *const in[], int runs, double *ms, figures *f, fv_err *err) {
    double created = now_ms(), *cpu = &f->cpu;
    fv_session *s = fv_session_create(plan, NULL, 1, err);
    bool ok = s != NULL;
    for (int i = -WARM_UP; i < runs && ok; i++) {
        double start = now_ms(), start_cpu = cpu_ms(gpu);
        ok = run_once(s, in, err);
        if (i == -WARM_UP)
            f->start_ms += now_ms() - created;
        if (i < 0)
            continue;
        ms[i] = now_ms() - start;
        double used = cpu_ms(gpu) - start_cpu;
        *cpu = i == 0 || used < *cpu ? used : *cpu;
    }
    f->resident_mib = status_mib("VmRSS:");
    f->peak_mib = status_mib("VmHWM:");
    fv_session_destroy(&s);
    return ok;
}

// At the size that the model's card names, where the file leaves it open.
static fv_graph *load(const char *path, fv_err *err) {
    fv_model m;
    fv_graph *g = NULL;
    if (fv_model_begin(&m, path, NULL, err))
        g = fv_detect_load(path, m.card.has_size ? m.card.input.width : 0,
                           m.card.has_size ? m.card.input.height : 0, err);
    fv_model_finish(&m);
    if (g && !fv_graph_optimize(g, err))
        fv_graph_destroy(&g);
    return g;
}

// A plan of its own: time stamps between dispatches cost time. The first one has taken the graph's weights.
static bool profile(const arguments *a, fv_gpu *gpu, const void *const in[], figures *f, fv_err *err) {
    fv_graph *g = load(a->model, err);
    fv_plan_params params = {.tune = true, .profile = true, .name = a->model,
                             .precision = f->stats.half ? FV_PRECISION_FP16 : FV_PRECISION_FP32};
    fv_plan *plan = g ? fv_plan_create(gpu, g, &params, err) : NULL;
    int runs = a->runs;
    double *ms = calloc((size_t)runs + 1, sizeof *ms);
    figures other = {0};
    bool ok = plan && ms && time_runs(gpu, plan, in, runs < 20 ? runs : 20, ms, &other, err);
    free(ms);
    if (ok) {
        f->n_layers = fv_plan_layers(plan, NULL, 0);
        f->layer = calloc((size_t)f->n_layers + 1, sizeof *f->layer);
        f->n_layers = f->layer ? fv_plan_layers(plan, f->layer, f->n_layers) : 0;
    }
    fv_plan_destroy(&plan);
    fv_graph_destroy(&g);
    return ok;
}

static bool time_model(const arguments *a, fv_gpu *gpu, fv_graph *g, const void *const in[], figures *f,
                       fv_err *err) {
    fv_plan_params params = {.tune = true, .name = a->model, .precision = (fv_precision)a->precision};
    int runs = a->runs;
    double start = now_ms(), *ms = calloc((size_t)runs, sizeof *ms);
    fv_plan *plan = ms ? fv_plan_create(gpu, g, &params, err) : NULL;
    f->load_ms = now_ms() - start;
    f->start_ms += f->load_ms;
    if (plan)
        fv_plan_take_weights(plan, g);
    bool ok = plan && time_runs(gpu, plan, in, runs, ms, f, err);
    if (ok) {
        qsort(ms, (size_t)runs, sizeof *ms, by_value);
        f->lowest = ms[0], f->median = ms[runs / 2], f->p99 = ms[runs * 99 / 100];
        f->gmacs = 1e-9 * (double)fv_graph_macs(g);
        f->gflops = 2e3 * f->gmacs / f->median;
        f->stats = fv_plan_get_stats(plan);
    }
    free(ms);
    fv_plan_destroy(&plan);
    return ok;
}

// ---- output ----------------------------------------------------------------------------------------

static double rate(const fv_plan_layer *l) {
    return l->ms > 0 ? 2e-6 * l->macs / (double)l->ms : 0;
}

static double bytes_rate(const fv_plan_layer *l) {
    return l->ms > 0 ? 1e-6 * l->bytes / (double)l->ms : 0;
}

// Of what the roofline allows: arithmetic or, where that takes longer, moving the layer's tensors once.
static double share(const fv_plan_layer *l, const figures *f, bool *by_bytes) {
    double arithmetic = rate(l) / f->roofline, moving = bytes_rate(l) / f->copies;
    *by_bytes = moving > arithmetic;
    return *by_bytes ? moving : arithmetic;
}

static void print_text(const arguments *a, const fv_gpu_caps *caps, const figures *f) {
    printf("%s (%s) on %s (%s)\n", a->model, f->shape, caps->name, caps->driver);
    printf("median %.2f ms, p99 %.2f ms, lowest %.2f ms, processor time %.2f ms; %.1f GFLOP/s, %.0f %% of the roofline (%.0f GFLOP/s)\n",
           f->median, f->p99, f->lowest, f->cpu, f->gflops, 100 * f->gflops / f->roofline, f->roofline);
    printf("%s, %d dispatches, %d barriers, %d host steps; weights %.1f MiB, activations %.1f MiB; plan made in %.0f ms\n",
           f->stats.half ? "fp16" : "fp32", f->stats.n_dispatches, f->stats.n_barriers, f->stats.n_host_steps,
           (double)f->stats.weight_bytes / 1048576, (double)f->stats.activation_bytes / 1048576, f->load_ms);
    printf("first result after %.0f ms; resident %.0f MiB, peak %.0f MiB, with the device alone %.0f MiB\n", f->start_ms,
           f->resident_mib, f->peak_mib, f->driver_mib);
    if (!f->n_layers)
        return;
    printf("copies within the caches: %.1f GB/s; share: of what the roofline allows, F: of arithmetic, B: of moving\n",
           f->copies);
    printf("\n%-14s %-30s %-20s %8s %8s %8s %7s\n", "op", "shape", "row", "ms", "GFLOP/s", "GB/s", "share");
    for (int i = 0; i < f->n_layers; i++) {
        const fv_plan_layer *l = &f->layer[i];
        printf("%-14.14s %-30.30s %-20.20s %8.3f", l->op, l->shape, l->row, (double)l->ms);
        bool by_bytes;
        double of = share(l, f, &by_bytes);
        if (l->ms > 0)
            printf(" %8.1f %8.1f %5.0f%% %c", rate(l), bytes_rate(l), 100 * of, by_bytes ? 'B' : 'F');
        printf("\n");
    }
}

static void print_quoted(const char *text) {
    putchar('"');
    for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
        if (*c == '"' || *c == '\\' || *c < 32)
            printf("\\u%04x", *c);
        else
            putchar(*c);
    }
    putchar('"');
}

static void print_member(const char *name, const char *text) {
    printf("\"%s\":", name);
    print_quoted(text);
    putchar(',');
}

static void print_json(const arguments *a, const fv_gpu_caps *caps, const figures *f) {
    putchar('{');
    print_member("model", a->model);
    print_member("shape", f->shape);
    print_member("device", caps->name);
    print_member("driver", caps->driver);
    print_member("precision", f->stats.half ? "fp16" : "fp32");
    printf("\"runs\":%d,\"median_ms\":%.4f,\"p99_ms\":%.4f,\"lowest_ms\":%.4f,\"cpu_ms\":%.4f,\"gmacs\":%.6f,\"gflops\":%.2f,"
           "\"roofline_gflops\":%.1f,\"roofline_gbs\":%.2f,\"plan_ms\":%.1f,\"start_ms\":%.1f,\"resident_mib\":%.1f,\"peak_mib\":%.1f,"
           "\"driver_mib\":%.1f,\"weight_mib\":%.3f,\"activation_mib\":%.3f,\"dispatches\":%d,\"barriers\":%d,"
           "\"host_steps\":%d,\"layers\":[",
           a->runs, f->median, f->p99, f->lowest, f->cpu, f->gmacs, f->gflops, f->roofline, f->copies, f->load_ms,
           f->start_ms, f->resident_mib, f->peak_mib, f->driver_mib, (double)f->stats.weight_bytes / 1048576,
           (double)f->stats.activation_bytes / 1048576, f->stats.n_dispatches,
           f->stats.n_barriers, f->stats.n_host_steps);
    for (int i = 0; i < f->n_layers; i++) {
        const fv_plan_layer *l = &f->layer[i];
        printf("%s{", i ? "," : "");
        print_member("op", l->op);
        print_member("node", l->node);
        print_member("shape", l->shape);
        print_member("row", l->row);
        bool by_bytes;
        double of = share(l, f, &by_bytes);
        printf("\"ms\":%.4f,\"gflops\":%.2f,\"gbs\":%.2f,\"share\":%.4f,\"bound\":\"%s\"}", (double)l->ms, rate(l),
               bytes_rate(l), of, by_bytes ? "bytes" : "flops");
    }
    printf("]}\n");
}

static bool bench(const arguments *a, fv_err *err) {
    double start = now_ms();
    figures f = {0};
    void *in[MAX_INPUTS] = {0};
    fv_graph *g = load(a->model, err);
    bool ok = g != NULL;
    if (ok && g->n_inputs > MAX_INPUTS)
        ok = fv_fail(err, FV_UNSUPPORTED, "%s: more than %d inputs", a->model, MAX_INPUTS);
    fv_gpu *gpu = ok ? fv_gpu_create(&(fv_gpu_params){.device = a->device}, err) : NULL;
    for (int i = 0; gpu && i < g->n_inputs; i++)
        in[i] = made_up_input(&g->tensor[g->input[i]]);
    f.start_ms = now_ms() - start;
    ok = gpu && measure_roofline(gpu, &f, err) && (f.driver_mib = status_mib("VmRSS:")) >= 0 &&
         time_model(a, gpu, g, (const void *const *)in, &f, err) &&
         (a->total || (measure_copies(gpu, &f, err) && profile(a, gpu, (const void *const *)in, &f, err)));
    if (ok) {
        fv_tensor_shape_text(&g->tensor[g->input[0]], f.shape, sizeof f.shape);
        (a->json ? print_json : print_text)(a, fv_gpu_get_caps(gpu), &f);
    }
    for (int i = 0; i < MAX_INPUTS; i++)
        free(in[i]);
    free(f.layer);
    fv_gpu_destroy(&gpu);
    fv_graph_destroy(&g);
    return ok;
}

int fv_cmd_bench(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    if (fv_args_help("bench [OPTION...] MODEL.onnx", rows, argc, argv))
        return 0;
    if (!take_arguments(&a, argc, argv, &err))
        return fv_cmd_usage("bench", err.text);
    if (bench(&a, &err))
        return 0;
    fprintf(stderr, "fovea bench: %s\n", err.text);
    return fv_err_exit_code(&err);
}
