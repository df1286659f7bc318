// The model card: YAML beside a model that says what cannot be read from the graph, or overrides it.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

#define FV_CARD_MAX_NUMBERS 64

// What the card said; `has_*` is false where it said nothing. Texts belong to the arena.
typedef struct {
    const char *path;
    bool has_input;
    fv_input input;              // fields not named in the card keep the values the caller put in
    bool has_fit, has_pad, has_bgr, has_mean, has_scale, has_size, has_nhwc;
    const char *family;          // of the head; NULL: recognise
    int n_anchor_numbers;
    float anchor_number[FV_CARD_MAX_NUMBERS]; // w, h, w, h, ...
    int n_strides, stride[8];
    int n_classes;
    float threshold, iou_threshold; // <= 0: not said
    fv_labels labels;            // n 0: not said
} fv_card;

// Errors as the description's: every mistake in the file, "file:line:column: error: ..." lines go
// to the log, err has the first.
bool fv_card_load(fv_card *card, fv_arena *arena, const char *path, fv_err *err);

// One name a line; empty lines at the end are dropped.
bool fv_labels_load(fv_labels *labels, fv_arena *arena, const char *path, fv_err *err);
