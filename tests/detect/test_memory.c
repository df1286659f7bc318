// What a detector keeps in memory beside the driver: its own memory, without the code pages that processes share
// (RssAnon). Each figure is that of a process of its own: this program is called again with what it is to do.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/detect/detect.h"
#include "pipeline/detect/engine.h"
#include "pipeline/detect/model.h"
#include "tests/test.h"

enum { WIDTH = 640, HEIGHT = 480, SLOTS = 2 };

typedef struct {
    double resident, weights, activations; // MiB; activations of all slots
} figures;

static double resident_mib(void) {
    char line[128];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, "RssAnon:", 8))
            kib = strtod(line + 8, NULL);
    if (f)
        fclose(f);
    return kib / 1024;
}

// ---- the processes that are measured ---------------------------------------------------------------

// The device opened and one small kernel compiled and run.
static bool open_driver(fv_err *err) {
    uint32_t spec[] = {64}, push[] = {0}, groups[] = {4, 1, 1};
    uint64_t ticket;
    fv_gpu *gpu = fv_gpu_create(NULL, err);
    fv_gpu_buffer *block = gpu ? fv_gpu_buffer_create(gpu, 256, FV_GPU_DEVICE, err) : NULL;
    fv_gpu_kernel *kernel = block ? fv_gpu_kernel_get(gpu, "roofline", spec, 1, err) : NULL;
    fv_gpu_program *p = kernel ? fv_gpu_program_begin(gpu, &(fv_gpu_blocks){.activations = block}, err) : NULL;
    if (p)
        fv_gpu_program_add(p, kernel, NULL, 0, push, sizeof push, groups);
    bool ok = p && fv_gpu_program_end(p, err) && fv_gpu_program_submit(p, &ticket, err) &&
              fv_gpu_wait(gpu, ticket, UINT64_MAX, err);
    if (ok)
        printf("%.2f 0 0\n", resident_mib());
    fv_gpu_program_destroy(&p);
    fv_gpu_buffer_destroy(&block);
    fv_gpu_destroy(&gpu);
    return ok;
}

static fv_plan_stats stats_of(const char *model, fv_err *err) {
    fv_model m;
    fv_plan_stats stats = {0};
    if (fv_model_begin(&m, model, NULL, err)) {
        const fv_card *card = &m.card;
        const fv_engine *e = fv_engine_get(m.path, NULL, card->has_size ? card->input.width : 0,
                                           card->has_size ? card->input.height : 0, card->precision,
                                           FV_READBACK_AUTO, false, err);
        if (e && e->plan) // the detector's
            stats = fv_plan_get_stats(e->plan);
        fv_engine_put(&e);
    }
    fv_model_finish(&m);
    return stats;
}

// A detector that has seen a few frames.
static bool run_detector(const char *model, fv_err *err) {
    static uint8_t picture[WIDTH * HEIGHT * 3 / 2];
    static fv_object v[300];
    fv_objects objects = {.capacity = 300, .v = v};
    for (size_t i = 0; i < sizeof picture; i++)
        picture[i] = (uint8_t)((uint32_t)i * 2654435761u >> 24);
    fv_frame frame = {.format = FV_I420, .width = WIDTH, .height = HEIGHT, .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
                      .plane = {picture, picture + WIDTH * HEIGHT, picture + WIDTH * HEIGHT * 5 / 4}};
    fv_detector *d = fv_detector_create(&(fv_detector_params){.model = model, .slots = SLOTS}, err);
    bool ok = d != NULL;
    for (int i = 0; ok && i < 2 * SLOTS; i++)
        ok = fv_detector_push(d, &frame, 1, NULL, err) && fv_detector_pull(d, &objects, NULL, err);
    double resident = resident_mib();
    if (ok) {
        fv_plan_stats s = stats_of(model, err);
        ok = s.weight_bytes > 0;
        printf("%.2f %.2f %.2f\n", resident, (double)s.weight_bytes / 1048576,
               SLOTS * (double)s.activation_bytes / 1048576);
    }
    fv_detector_destroy(&d);
    return ok;
}

// ---- the test --------------------------------------------------------------------------------------

static bool measure(const char *argument, figures *f) {
    char line[4400];
    snprintf(line, sizeof line, "FOVEA_TUNE=0 exec /proc/%ld/exe --measure '%s'", (long)getpid(), argument);
    FILE *pipe = popen(line, "r");
    bool ok = pipe && fgets(line, sizeof line, pipe) &&
              sscanf(line, "%lf %lf %lf", &f->resident, &f->weights, &f->activations) == 3;
    return pipe && !pclose(pipe) && ok;
}

// Measured when the caches are warm: a driver that has just compiled has more of its own code resident.
// Rows of the lowest cost, so that nothing is left to measure.
static void a_detector_stays_in_its_bound(void) {
    static const struct {
        const char *path;
        int allowed; // MiB beside weights and activations
    } models[] = {{"models/FastestDet.onnx", 60},
                  {"models/nanodet_m_320.onnx", 60},
                  {"models/yolox_nano.onnx", 60},
                  {"models/yolov8n_640.onnx", 60}};
    figures alone, f;
    CHECK(measure("", &alone) && measure("", &alone));
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        const char *model = fv_test_shared(models[i].path);
        if (!model)
            continue;
        CHECK(measure(model, &f) && measure(model, &f));
        double kept = f.resident - alone.resident, bound = 3 * f.weights + f.activations + models[i].allowed;
        printf("     %s: %.0f MiB resident, %.0f of them the driver alone; %.0f beside it, the bound is "
               "3 x %.1f + %.1f + %d = %.0f\n",
               models[i].path, f.resident, alone.resident, kept, f.weights, f.activations, models[i].allowed, bound);
        CHECK(kept <= bound);
    }
}

static const fv_suite memory_suite = {"memory", (const fv_case[]){CASE(a_detector_stays_in_its_bound), {0}}};

int main(int argc, char **argv) {
    fv_err err = {0};
    if (argc < 3 || strcmp(argv[1], "--measure"))
        return fv_test_main(argc, argv, (const fv_suite *const[]){&memory_suite, NULL});
    if (argv[2][0] ? run_detector(argv[2], &err) : open_driver(&err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
