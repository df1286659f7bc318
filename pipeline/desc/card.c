#define _GNU_SOURCE
#include "pipeline/desc/card.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/desc/schema.h"

enum { MAX_LABELS = 100000, MAX_SIDE = 16384 };

static const char *const fit_names[] = {"stretch", "letterbox", "letterbox-top-left",
                                        NULL}; // as fv_fit_mode
static const char *const filter_names[] = {"bilinear", "area", NULL}; // as fv_filter
static const char *const channel_names[] = {"rgb", "bgr", NULL};
static const char *const layout_names[] = {"nchw", "nhwc", NULL};

typedef struct {
    fv_given given;
    int fit, filter, channels, layout;
    float pad;
    fv_numbers size, mean, std, scale;
} input_text;

static const fv_option input_options[] = {
    FV_OPTION_ENUM(input_text, fit, "fit", fit_names, FV_FIT_LETTERBOX,
                   "how a picture of another shape gets in"),
    FV_OPTION_ENUM(input_text, filter, "filter", filter_names, FV_FILTER_BILINEAR,
                   "how it is made smaller"),
    FV_OPTION_FLOAT(input_text, pad, "pad", 0, 255, 114,
                    "pixel value around a letterboxed picture"),
    FV_OPTION_ENUM(input_text, channels, "channels", channel_names, 0, "order of the colours"),
    FV_OPTION_ENUM(input_text, layout, "layout", layout_names, 0, "order of the dimensions"),
    {0},
};
static const fv_field input_fields[] = {
    {"size", "width and height, for models that leave them open", FV_FIELD_NUMBERS,
     offsetof(input_text, size), .min = 1, .max = 2},
    {"mean", "subtracted from pixels 0..255", FV_FIELD_NUMBERS, offsetof(input_text, mean),
     .min = 1, .max = 3},
    {"std", "then divided by", FV_FIELD_NUMBERS, offsetof(input_text, std), .min = 1, .max = 3},
    {"scale", "or multiplied with", FV_FIELD_NUMBERS, offsetof(input_text, scale), .min = 1,
     .max = 3},
    {0},
};
static const fv_schema input_schema = {"input", sizeof(input_text), input_options, input_fields,
                                       .scalar = NULL};

typedef struct {
    fv_given given;
    const char *family;
    int classes;
    fv_numbers anchors, strides;
} head_text;

static const fv_option head_options[] = {
    FV_OPTION_STRING(head_text, family, "family", NULL, "which decoder"),
    FV_OPTION_INT(head_text, classes, "classes", 1, MAX_LABELS, 0, "how many classes"),
    {0},
};
static const fv_field head_fields[] = {
    {"anchors", "width, height, width, height, ... in network pixels", FV_FIELD_NUMBERS,
     offsetof(head_text, anchors), .min = 2, .max = FV_CARD_MAX_NUMBERS},
    {"strides", "network pixels per cell of each output", FV_FIELD_NUMBERS,
     offsetof(head_text, strides), .min = 1, .max = 8},
    {0},
};
static const fv_schema head_schema = {"head", sizeof(head_text), head_options, head_fields,
                                      .scalar = "family"};

typedef struct {
    fv_given given;
    int version, precision;
    float threshold, iou_threshold;
    fv_words exclusive;
    input_text *input;
    head_text *head;
    const fv_yaml_node *labels;
} card_text;

static const fv_option card_options[] = {
    FV_OPTION_INT(card_text, version, "fovea", 1, 1, 1, "version of the format"),
    FV_OPTION_FLOAT(card_text, threshold, "threshold", 0, 1, 0, "lowest score that is kept"),
    FV_OPTION_FLOAT(card_text, iou_threshold, "iou-threshold", 0, 1, 0,
                    "non-maximum suppression: highest overlap of two objects"),
    FV_OPTION_ENUM(card_text, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; auto: float16 where that is right and pays"),
    {0},
};
static const fv_field card_fields[] = {
    {"input", "what the network wants to see", FV_FIELD_BLOCK, offsetof(card_text, input),
     .block = &input_schema},
    {"head", "what its outputs mean", FV_FIELD_BLOCK, offsetof(card_text, head),
     .block = &head_schema},
    {"labels", "names of the classes: a file or a list", FV_FIELD_NODE, offsetof(card_text, labels),
     .min = 0},
    {"exclusive", "classes of which one place shows only one", FV_FIELD_WORDS,
     offsetof(card_text, exclusive), .min = 2},
    {0},
};
static const fv_schema card_schema = {"model card", sizeof(card_text), card_options, card_fields,
                                      .scalar = NULL};

// ---- labels -------------------------------------------------------------------------------------

static char *trimmed(char *line) {
    while (isspace((unsigned char)*line))
        line++;
    size_t n = strlen(line);
    while (n && isspace((unsigned char)line[n - 1]))
        n--;
    line[n] = 0;
    return line;
}

static bool read_lines(fv_labels *labels, fv_arena *arena, FILE *f, const char *path, fv_err *err) {
    const char **v = calloc(MAX_LABELS, sizeof *v);
    char *line = NULL;
    size_t room = 0;
    int n = 0, last = 0;
    while (n < MAX_LABELS && getline(&line, &room, f) >= 0) {
        v[n++] = fv_arena_strdup(arena, trimmed(line));
        last = *v[n - 1] ? n : last;
    }
    *labels = (fv_labels){last, fv_arena_memdup(arena, v, sizeof *v * (size_t)(last + 1))};
    free(line);
    free(v);
    return last ||
           fv_fail(err, FV_BAD_INPUT, "%s: no names in it; write one class name a line", path);
}

bool fv_labels_load(fv_labels *labels, fv_arena *arena, const char *path, fv_err *err) {
    *labels = (fv_labels){0};
    FILE *f = fopen(path, "r");
    struct stat info;
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: labels cannot be read: %s", path, strerror(errno));
    bool ok = !fstat(fileno(f), &info) && S_ISREG(info.st_mode)
                  ? read_lines(labels, arena, f, path, err)
                  : fv_fail(err, FV_BAD_INPUT, "%s: labels cannot be read: not a file", path);
    fclose(f);
    return ok;
}

static void read_labels(fv_card *card, fv_yaml *y, const fv_yaml_node *node) {
    fv_err err;
    if (node->kind == FV_YAML_SCALAR) {
        if (!fv_labels_load(&card->labels, fv_yaml_arena(y), fv_yaml_path(y, node, node->text),
                            &err))
            fv_yaml_mistake(y, node, "%s", err.text);
        return;
    }
    const char **v = FV_ARENA_NEW(fv_yaml_arena(y), const char *, node->n + 1);
    for (int i = 0; i < node->n; i++) {
        if (node->kind != FV_YAML_LIST || node->item[i]->kind != FV_YAML_SCALAR) {
            fv_yaml_mistake(y, node, "labels: expected the path of a file or a list of names");
            return;
        }
        v[i] = node->item[i]->text;
    }
    card->labels = (fv_labels){node->n, v};
}

// ---- from text to card --------------------------------------------------------------------------

// One number stands for all three.
static bool per_channel(float v[3], const fv_numbers *numbers) {
    for (int c = 0; c < 3 && numbers->n; c++)
        v[c] = numbers->v[numbers->n == 3 ? c : 0];
    return numbers->n > 0;
}

static void take_normalisation(fv_card *card, fv_yaml *y, const input_text *t) {
    float std[3];
    card->has_mean = per_channel(card->input.mean, &t->mean);
    card->has_scale = per_channel(card->input.scale, &t->scale);
    if (!per_channel(std, &t->std))
        return;
    const fv_yaml_node *node = fv_yaml_get(t->given.node, "std");
    if (card->has_scale)
        fv_yaml_mistake(y, node, "'std' and 'scale' say the same; give one of them");
    for (int c = 0; c < 3; c++) {
        if (std[c] == 0)
            fv_yaml_mistake(y, node, "std: 0 cannot be divided by");
        card->input.scale[c] = 1 / std[c];
    }
    card->has_scale = true;
}

static void take_input(fv_card *card, fv_yaml *y, const input_text *t) {
    card->has_input = true;
    card->has_size = t->size.n > 0;
    for (int i = 0; i < t->size.n; i++)
        if (!(t->size.v[i] >= 1 && t->size.v[i] <= MAX_SIDE &&
              t->size.v[i] == (float)(int)t->size.v[i]))
            fv_yaml_mistake(y, fv_yaml_get(t->given.node, "size"),
                            "size: expected whole numbers from 1 to %d", MAX_SIDE);
    if (card->has_size) {
        card->input.width = (int)t->size.v[0];
        card->input.height = (int)t->size.v[t->size.n - 1];
    }
    if ((card->has_fit = fv_schema_given(&input_schema, t, "fit")))
        card->input.fit = (fv_fit_mode)t->fit;
    card->input.filter = (fv_filter)t->filter;
    if ((card->has_pad = fv_schema_given(&input_schema, t, "pad")))
        card->input.pad = t->pad;
    if ((card->has_bgr = fv_schema_given(&input_schema, t, "channels")))
        card->input.bgr = t->channels == 1;
    if ((card->has_nhwc = fv_schema_given(&input_schema, t, "layout")))
        card->input.nhwc = t->layout == 1;
    take_normalisation(card, y, t);
}

static void take_head(fv_card *card, fv_yaml *y, const head_text *t) {
    card->family = t->family;
    card->n_classes = t->classes;
    card->n_anchor_numbers = t->anchors.n;
    card->n_strides = t->strides.n;
    if (t->anchors.n % 2)
        fv_yaml_mistake(y, fv_yaml_get(t->given.node, "anchors"),
                        "anchors: expected pairs of width and height, got %d numbers",
                        t->anchors.n);
    for (int i = 0; i < t->anchors.n && i < FV_CARD_MAX_NUMBERS; i++)
        card->anchor_number[i] = t->anchors.v[i];
    for (int i = 0; i < t->strides.n && i < 8; i++) {
        if (!(t->strides.v[i] >= 1 && t->strides.v[i] <= 1024))
            fv_yaml_mistake(y, fv_yaml_get(t->given.node, "strides"),
                            "strides: expected numbers from 1 to 1024");
        else
            card->stride[i] = (int)t->strides.v[i];
    }
}

bool fv_card_load(fv_card *card, fv_arena *arena, const char *path, fv_err *err) {
    *card = (fv_card){.path = fv_arena_strdup(arena, path), .input = card->input};
    fv_yaml *y = fv_yaml_create(arena);
    fv_yaml_node *root = fv_yaml_load(y, path);
    if (root) {
        card_text t;
        fv_schema_read(&(fv_schema_reader){.yaml = y}, &card_schema, root, &t);
        card->threshold = t.threshold;
        card->iou_threshold = t.iou_threshold;
        card->exclusive = (fv_labels){t.exclusive.n, t.exclusive.v};
        card->precision = (fv_precision)t.precision;
        if (t.input)
            take_input(card, y, t.input);
        if (t.head)
            take_head(card, y, t.head);
        if (t.labels)
            read_labels(card, y, t.labels);
    }
    return fv_yaml_finish(y, err);
}
