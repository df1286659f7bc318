#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/base/arena.h"
#include "pipeline/desc/card.h"
#include "pipeline/detect/detect.h"
#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"
#include "pipeline/run/image.h"
#include "pipeline/vision/ap.h"

enum { MAX_FOUND = 2000, MAX_TRUTH = 4096, MAX_CLASSES = 65536 };

typedef struct {
    const char *model, *images, *labels, *names, *device, *card;
    int precision;
    float floor, nms;
    bool json, clip;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, model, "model", NULL,
                     "the .onnx file; the default detector without it"),
    FV_OPTION_STRING(arguments, images, "images", NULL, "folder of pictures"),
    FV_OPTION_STRING(arguments, labels, "labels", NULL,
                     "folder of NAME.txt files: class x y w h, centre and size as fractions"),
    FV_OPTION_STRING(arguments, names, "names", NULL,
                     "what the class numbers of the labels mean, one name a line: classes are matched "
                     "by name, those that the model lacks are left out"),
    FV_OPTION_STRING(arguments, device, "device", NULL,
                     "number or part of a name of `fovea devices`, or reference"),
    FV_OPTION_ENUM(arguments, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; fp16 is checked against fp32 first"),
    FV_OPTION_STRING(arguments, card, "card", NULL,
                     "model card; <model>.yaml without it, if it is there"),
    FV_OPTION_FLOAT(arguments, floor, "score-floor", 0, 1, 0.03, "lowest score that counts"),
    FV_OPTION_FLOAT(arguments, nms, "nms", 0, 1, 0.6, "NMS overlap"),
    FV_OPTION_BOOL(
        arguments, clip, "clip", 0,
        "cut boxes at the border first, as detect does; the reference values have whole ones"),
    FV_OPTION_BOOL(arguments, json, "json", 0, "one JSON object"),
    {0},
};

typedef struct {
    const arguments *a;
    fv_arena *arena;
    fv_detector *d;
    fv_ap *ap;
    int n_classes, n_images;
    fv_labels names; // of the label files; n 0: their numbers are the model's
    int *label;      // names.n of them: the model's class of that name, -1: it has none
    fv_objects found, truth;
} evaluation;

static bool is_picture(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".webp", ".bmp"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (!strcasecmp(dot, endings[i]))
            return true;
    return false;
}

static int picture_filter(const struct dirent *e) {
    return is_picture(e->d_name);
}

// Pascal VOC and COCO write some classes apart.
static bool same_name(const char *a, const char *b) {
    static const char *const spellings[][2] = {
        {"motorbike", "motorcycle"},      {"aeroplane", "airplane"}, {"sofa", "couch"},
        {"pottedplant", "potted plant"},  {"tvmonitor", "tv"},       {"diningtable", "dining table"},
    };
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        a = strcasecmp(a, spellings[i][0]) ? a : spellings[i][1];
        b = strcasecmp(b, spellings[i][0]) ? b : spellings[i][1];
    }
    return !strcasecmp(a, b);
}

static bool match_names(evaluation *e, fv_err *err) {
    const fv_labels *model = fv_detector_labels(e->d);
    if (!e->a->names)
        return true;
    if (!fv_labels_load(&e->names, e->arena, e->a->names, err))
        return false;
    e->label = FV_ARENA_NEW(e->arena, int, e->names.n);
    for (int i = 0; i < e->names.n; i++) {
        e->label[i] = model->n ? -1 : i;
        for (int k = 0; k < model->n && e->label[i] < 0; k++)
            if (same_name(e->names.v[i], model->v[k]))
                e->label[i] = k;
    }
    return true;
}

// The model's class for a number of the label files; -1: to be left out.
static bool class_of(const evaluation *e, int number, int *label, fv_err *err) {
    *label = number;
    if (!e->names.n)
        return true;
    if (number < 0 || number >= e->names.n)
        return fv_fail(err, FV_BAD_INPUT, "class %d, but %s has %d names", number, e->a->names,
                       e->names.n);
    *label = e->label[number];
    return true;
}

// No file: nothing in the picture.
static bool read_truth(evaluation *e, const char *path, const fv_image *image, fv_err *err) {
    FILE *f = fopen(path, "r");
    int line = 1, fields;
    float v[5];
    e->truth.n = 0;
    if (!f)
        return errno == ENOENT ||
               fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    while ((fields = fscanf(f, "%f %f %f %f %f%*[^\n]", v, v + 1, v + 2, v + 3, v + 4)) == 5 &&
           e->truth.n < MAX_TRUTH) {
        float w = v[3] * (float)image->width, h = v[4] * (float)image->height;
        int label;
        if (!class_of(e, (int)v[0], &label, err)) {
            fclose(f);
            return fv_fail_in(err, "%s:%d", path, line);
        }
        if (label >= 0)
            e->truth.v[e->truth.n++] =
                (fv_object){.label = label,
                            .box = {v[1] * (float)image->width - w / 2,
                                    v[2] * (float)image->height - h / 2, w, h}};
        line++;
    }
    fclose(f);
    return fields < 0 || fv_fail(err, FV_BAD_INPUT, "%s:%d: expected `class x y w h`", path, line);
}

static bool evaluate(evaluation *e, const char *name, fv_err *err) {
    char path[4096], label[4096];
    fv_image image;
    snprintf(path, sizeof path, "%s/%s", e->a->images, name);
    snprintf(label, sizeof label, "%s/%.*s.txt", e->a->labels, (int)(strrchr(name, '.') - name),
             name);
    if (!fv_image_load(&image, path, err))
        return false;
    bool ok = read_truth(e, label, &image, err) &&
              fv_detector_push(e->d, &image.frame, 1, NULL, err) &&
              fv_detector_pull(e->d, &e->found, NULL, err);
    if (ok && !fv_ap_add(e->ap, &e->truth, &e->found, err))
        ok = fv_fail_in(err, "%s", label);
    fv_image_finish(&image);
    e->n_images += ok;
    return ok;
}

static bool evaluate_all(evaluation *e, fv_err *err) {
    struct dirent **names;
    int n = scandir(e->a->images, &names, picture_filter, alphasort);
    if (n < 0)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", e->a->images, strerror(errno));
    bool ok = n || fv_fail(err, FV_BAD_INPUT, "%s: no pictures in it", e->a->images);
    for (int i = 0; i < n; i++) {
        ok = ok && evaluate(e, names[i]->d_name, err);
        free(names[i]);
    }
    free(names);
    return ok;
}

static void print_text(const evaluation *e, const fv_ap_class *c, fv_ap_class mean) {
    const fv_labels *labels = fv_detector_labels(e->d);
    printf("%-24s %8s %8s %8s %8s\n", "class", "labels", "found", "mAP50", "mAP50-95");
    for (int i = 0; i < e->n_classes; i++)
        if (c[i].n_truth)
            printf("%-24s %8d %8d %8.4f %8.4f\n", fv_label_get(labels, i), c[i].n_truth,
                   c[i].n_detected, c[i].ap50, c[i].ap);
    printf("%-24s %8d %8d %8.4f %8.4f\n", "all", mean.n_truth, mean.n_detected, mean.ap50, mean.ap);
    printf("%d pictures, score at least %g, NMS %g, head %s\n", e->n_images, (double)e->a->floor,
           (double)e->a->nms, fv_detector_head(e->d));
}

static void print_json(const evaluation *e, const fv_ap_class *c, fv_ap_class mean) {
    const fv_labels *labels = fv_detector_labels(e->d);
    printf("{\"images\":%d,\"labels\":%d,\"map50\":%.4f,\"map50_95\":%.4f,\"classes\":[",
           e->n_images, mean.n_truth, mean.ap50, mean.ap);
    for (int i = 0, n = 0; i < e->n_classes; i++) {
        if (!c[i].n_truth)
            continue;
        printf("%s{\"label_id\":%d,\"label\":\"", n++ ? "," : "", i);
        for (const char *t = fv_label_get(labels, i); *t; t++)
            printf((unsigned char)*t < 32    ? "\\u%04x"
                   : *t == '"' || *t == '\\' ? "\\%c"
                                             : "%c",
                   *t);
        printf("\",\"labels\":%d,\"ap50\":%.4f,\"ap\":%.4f}", c[i].n_truth, c[i].ap50, c[i].ap);
    }
    printf("]}\n");
}

static bool prepare(evaluation *e, fv_err *err) {
    const arguments *a = e->a;
    e->arena = fv_arena_create();
    e->d = fv_detector_create(&(fv_detector_params){.model = a->model,
                                                    .card = a->card,
                                                    .device = a->device,
                                                    .precision = (fv_precision)a->precision,
                                                    .threshold = a->floor,
                                                    .iou_threshold = a->nms,
                                                    .max_objects = MAX_FOUND,
                                                    .unclipped = !a->clip,
                                                    .slots = 1},
                              err);
    if (!e->d)
        return false;
    int named = fv_detector_labels(e->d)->n;
    e->n_classes = named                       ? named
                   : fv_detector_classes(e->d) ? fv_detector_classes(e->d)
                                               : MAX_CLASSES;
    e->ap = fv_ap_create(e->n_classes);
    e->found =
        (fv_objects){.capacity = MAX_FOUND, .v = FV_ARENA_NEW(e->arena, fv_object, MAX_FOUND)};
    e->truth =
        (fv_objects){.capacity = MAX_TRUTH, .v = FV_ARENA_NEW(e->arena, fv_object, MAX_TRUTH)};
    if (!e->ap)
        return fv_fail(err, FV_MEMORY, "out of memory for %d classes", e->n_classes);
    return match_names(e, err);
}

static bool run(const arguments *a, fv_err *err) {
    evaluation e = {.a = a};
    bool ok = prepare(&e, err) && evaluate_all(&e, err);
    if (ok) {
        fv_ap_class *by_class = FV_ARENA_NEW(e.arena, fv_ap_class, e.n_classes);
        fv_ap_class mean = fv_ap_result(e.ap, by_class);
        if (mean.n_truth)
            (a->json ? print_json : print_text)(&e, by_class, mean);
        else
            ok = fv_fail(err, FV_BAD_INPUT, "%s: no labels for any of the %d pictures", a->labels,
                         e.n_images);
    }
    fv_ap_destroy(&e.ap);
    fv_detector_destroy(&e.d);
    fv_arena_destroy(&e.arena);
    return ok;
}

int fv_cmd_eval_det(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    if (fv_args_help("eval det --images DIR --labels DIR [OPTION...]", rows, argc, argv))
        return 0;
    fv_options_default(&a, rows);
    if (fv_args_take(&a, rows, argc, argv, NULL, NULL, &err) && (!a.images || !a.labels))
        fv_fail(&err, FV_BAD_INPUT, "det: give --images DIR and --labels DIR");
    if (err.code)
        return fv_cmd_usage("eval", err.text);
    if (!run(&a, &err))
        fprintf(stderr, "fovea eval det: %s\n", err.text);
    return fv_err_exit_code(&err);
}
