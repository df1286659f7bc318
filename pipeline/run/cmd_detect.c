#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/desc/record.h"
#include "pipeline/detect/detect.h"
#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"
#include "pipeline/run/image.h"
#include "pipeline/run/picture.h"

enum { MAX_OBJECTS = 1000 };

typedef struct {
    const char *model, *card, *labels, *device, *classes, *draw;
    float threshold, iou;
    int max_objects, size, precision;
    bool json;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, model, "model", NULL,
                     "the .onnx file; the default detector without it"),
    FV_OPTION_STRING(arguments, card, "card", NULL,
                     "model card; <model>.yaml without it, if it is there"),
    FV_OPTION_STRING(arguments, labels, "labels", NULL, "file with one class name a line"),
    FV_OPTION_STRING(arguments, device, "device", NULL,
                     "number or part of a name of `fovea devices`, or reference"),
    FV_OPTION_ENUM(arguments, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; fp16 is checked against fp32 first"),
    FV_OPTION_STRING(arguments, classes, "classes", NULL, "names or numbers to keep, with commas"),
    FV_OPTION_FLOAT(arguments, threshold, "threshold", 0, 1, 0,
                    "lowest score; 0: the card's, else the family's"),
    FV_OPTION_FLOAT(arguments, iou, "iou-threshold", 0, 1, 0,
                    "NMS overlap; 0: the card's, else 0.45"),
    FV_OPTION_INT(arguments, max_objects, "max-objects", 1, MAX_OBJECTS, 300,
                  "at most so many a picture"),
    FV_OPTION_INT(arguments, size, "size", 0, 8192, 0, "input size for models that leave it open"),
    FV_OPTION_BOOL(arguments, json, "json", 0, "one JSON object a picture, as in the record"),
    FV_OPTION_STRING(arguments, draw, "draw", NULL, "folder for annotated pictures (PNG)"),
    {0},
};

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void print_text(const char *path, const fv_image *image, const fv_objects *found,
                       const fv_labels *labels, double ms) {
    printf("%s: %dx%d, %d object%s, %.1f ms\n", path, image->width, image->height, found->n,
           found->n == 1 ? "" : "s", ms);
    for (int i = 0; i < found->n; i++) {
        const fv_object *o = &found->v[i];
        printf("  %-20s %.2f  at %.0f,%.0f  size %.0fx%.0f\n", fv_label_get(labels, o->label),
               (double)o->score, (double)o->box.x, (double)o->box.y, (double)o->box.w,
               (double)o->box.h);
    }
}

static bool print_json(const char *path, uint64_t index, const fv_image *image,
                       const fv_objects *found, const fv_labels *labels, fv_err *err) {
    fv_record record = {.stream = path,
                        .frame = index,
                        .pts_ns = FV_TIME_NONE,
                        .utc_ns = FV_TIME_NONE,
                        .width = image->width,
                        .height = image->height,
                        .inference = FV_INFERRED,
                        .objects = *found,
                        .labels = labels};
    char *line = fv_record_frame_json(&record);
    if (!line)
        return fv_fail(err, FV_MEMORY, "%s: out of memory for the record", path);
    puts(line);
    free(line);
    return true;
}

static bool detect_in(fv_detector *d, const arguments *a, const char *path, uint64_t index,
                      fv_err *err) {
    fv_image image;
    if (!fv_image_load(&image, path, err))
        return false;
    fv_object *room = calloc(MAX_OBJECTS, sizeof *room);
    fv_objects found = {.capacity = MAX_OBJECTS, .v = room};
    double start = now_ms();
    bool ok = (room || fv_fail(err, FV_MEMORY, "%s: out of memory", path)) &&
              fv_detector_push(d, &image.frame, 1, NULL, err) &&
              fv_detector_pull(d, &found, NULL, err);
    double ms = now_ms() - start;
    const fv_labels *labels = fv_detector_labels(d);
    if (ok && a->json)
        ok = print_json(path, index, &image, &found, labels, err);
    else if (ok)
        print_text(path, &image, &found, labels, ms);
    if (ok && a->draw)
        ok = fv_picture_draw(&image, &found, labels, a->draw, path, err);
    free(room);
    fv_image_finish(&image);
    return ok;
}

// A bad picture is said and the others go on; the first fault gives the exit code.
static int detect_all(const arguments *a, const char **paths, int n) {
    fv_err err = {0};
    fv_detector *d = fv_detector_create(&(fv_detector_params){.model = a->model,
                                                              .card = a->card,
                                                              .labels = a->labels,
                                                              .device = a->device,
                                                              .precision = (fv_precision)a->precision,
                                                              .classes = a->classes,
                                                              .threshold = a->threshold,
                                                              .iou_threshold = a->iou,
                                                              .max_objects = a->max_objects,
                                                              .width = a->size,
                                                              .height = a->size,
                                                              .slots = 1},
                                        &err);
    if (!d) {
        fprintf(stderr, "fovea detect: %s\n", err.text);
        return fv_err_exit_code(&err);
    }
    int code = 0;
    for (int i = 0; i < n; i++) {
        fv_err fault = {0};
        if (detect_in(d, a, paths[i], (uint64_t)i, &fault))
            continue;
        fprintf(stderr, "fovea detect: %s\n", fault.text);
        code = code ? code : fv_err_exit_code(&fault);
    }
    fv_detector_destroy(&d);
    return fflush(stdout) && !code ? 1 : code;
}

int fv_cmd_detect(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    int n = 0;
    if (fv_args_help("detect [OPTION...] IMAGE...", rows, argc, argv))
        return 0;
    const char **paths = calloc((size_t)argc, sizeof *paths);
    fv_options_default(&a, rows);
    if (paths && fv_args_take(&a, rows, argc, argv, paths, &n, &err) && !n)
        fv_fail(&err, FV_BAD_INPUT, "which pictures? name at least one");
    int code = !paths ? 1 : err.code ? fv_cmd_usage("detect", err.text) : detect_all(&a, paths, n);
    free(paths);
    return code;
}
