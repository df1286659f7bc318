#include "pipeline/detect/model.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/base/paths.h"
#include "pipeline/detect/labels.h"

static const char default_model[] = "models/street.onnx";

// "dir/m.onnx" -> "dir/m.yaml"
static char *beside(const fv_model *m, const char *ending) {
    size_t n = strlen(m->path);
    if (n > 5 && !strcmp(m->path + n - 5, ".onnx"))
        n -= 5;
    return fv_arena_printf(m->arena, "%.*s%s", (int)n, m->path, ending);
}

bool fv_model_begin(fv_model *m, const char *path, const char *card, fv_err *err) {
    char installed[4096];
    *m = (fv_model){.arena = fv_arena_create()};
    m->path = fv_arena_strdup(
        m->arena, path ? path : fv_data_path(default_model, installed, sizeof installed));
    if (!path && access(m->path, R_OK))
        return fv_fail(
            err, FV_BAD_INPUT,
            "no model given, and the default detector is not installed at %s; name an .onnx file",
            m->path);
    const char *name = card ? card : beside(m, ".yaml");
    m->has_card = card || !access(name, F_OK);
    return !m->has_card || fv_card_load(&m->card, m->arena, name, err);
}

static void head_from_card(fv_head *head, const fv_card *card) {
    snprintf(head->family, sizeof head->family, "%s", card->family ? card->family : "");
    head->n_classes = card->n_classes;
    head->n_anchors = card->n_anchor_numbers / 2;
    for (int i = 0; i < head->n_anchors; i++)
        for (int k = 0; k < 2; k++)
            head->anchor[i][k] = card->anchor_number[2 * i + k];
    head->n_strides = card->n_strides;
    memcpy(head->stride, card->stride, sizeof head->stride);
}

static void input_from_card(fv_input *input, const fv_card *card) {
    const fv_input *said = &card->input;
    if (card->has_fit)
        input->fit = said->fit;
    input->filter = said->filter;
    if (card->has_pad)
        input->pad = said->pad;
    if (card->has_bgr)
        input->bgr = said->bgr;
    if (card->has_mean)
        memcpy(input->mean, said->mean, sizeof input->mean);
    if (card->has_scale)
        memcpy(input->scale, said->scale, sizeof input->scale);
}

// What the graph itself does to a picture, and what the card says on top of it.
static bool settle_input(fv_model *m, fv_picture_kind picture, fv_err *err) {
    for (int k = 0; k < 3 && picture != FV_PICTURE_AS_TRAINED; k++)
        m->input.mean[k] = 0, m->input.scale[k] = 1;
    input_from_card(&m->input, &m->card);
    for (int k = 0; k < 3 && picture == FV_PICTURE_BYTES; k++)
        if (m->input.mean[k] != 0 || m->input.scale[k] != 1)
            return fv_fail(err, FV_BAD_INPUT,
                           "%s: the model takes bytes, 0 .. 255, and normalises them itself; leave mean, std and "
                           "scale out of the card", m->path);
    return true;
}

static bool labels_from_file(fv_model *m, const char *path, const char *from, fv_err *err) {
    m->labels_from = from;
    return fv_labels_load(&m->labels, m->arena, path, err);
}

static bool is_face(const char *family) {
    static const char *const faces[] = {"yunet", "scrfd", "retinaface", "ultralight", "yolo5face"};
    for (size_t i = 0; i < sizeof faces / sizeof *faces; i++)
        if (!strcmp(family, faces[i]))
            return true;
    return false;
}

static bool find_labels(fv_model *m, fv_labels metadata, const char *labels, fv_err *err) {
    const char *names = beside(m, ".names");
    if (labels)
        return labels_from_file(m, labels, labels, err);
    if (m->card.labels.n) {
        m->labels = m->card.labels;
        m->labels_from = "the card";
        return true;
    }
    if (!access(names, F_OK))
        return labels_from_file(m, names, names, err);
    m->labels = metadata;
    m->labels_from = "the model's metadata";
    if (m->labels.n)
        return true;
    m->labels = is_face(m->head.family)   ? fv_labels_face
                : m->head.n_classes == 80 ? fv_labels_coco
                                          : (fv_labels){0};
    m->labels_from = m->labels.n == 80 ? "COCO"
                     : m->labels.n     ? "the family"
                                       : "nowhere: classes have numbers only";
    return true;
}

// The number of names in the metadata tells classes from what else a head gives (key points,
// angles), unless that number does not fit.
static bool recognise(fv_model *m, const fv_tensor *in, fv_labels names, fv_err *err) {
    head_from_card(&m->head, &m->card);
    fv_head with_names = m->head;
    if (!with_names.n_classes && names.n) {
        with_names.n_classes = names.n;
        if (fv_head_recognise(in, 1, m->out, m->n_outputs, &with_names, &m->input, NULL)) {
            m->head = with_names;
            return true;
        }
    }
    return fv_head_recognise(in, 1, m->out, m->n_outputs, &m->head, &m->input, err);
}

bool fv_model_settle(fv_model *m, const fv_graph *g, const char *labels, fv_err *err) {
    fv_tensor in[1];
    if (g->n_inputs != 1)
        return fv_fail(err, FV_UNSUPPORTED, "%s: has %d inputs, a detector has one: the picture",
                       m->path, g->n_inputs);
    in[0] = g->tensor[g->input[0]];
    m->n_outputs = g->n_outputs;
    m->out = FV_ARENA_NEW(m->arena, fv_tensor, g->n_outputs + 1);
    for (int i = 0; i < g->n_outputs; i++) {
        m->out[i] = g->tensor[g->output[i]];
        m->out[i].dtype = FV_F32;
        m->out[i].data = NULL;
    }
    m->head = (fv_head){0};
    fv_labels names = fv_labels_from_metadata(fv_graph_metadata(g, "names"), m->arena);
    if (!recognise(m, in, names, err))
        return fv_fail_in(err, "%s", m->path);
    return settle_input(m, g->picture, err) && find_labels(m, names, labels, err);
}

void fv_model_finish(fv_model *m) {
    fv_arena_destroy(&m->arena);
    *m = (fv_model){0};
}
