// The model card: YAML beside a model that says what cannot be read from the graph, or overrides
// it.
//
//     input: {size: [416, 416], fit: letterbox-top-left, pad: 114, channels: bgr, layout: nchw, mean: 0, std: 1}
//     head: yolox                      # or {family: yolo-anchors, anchors: [12,18, 37,49, ...], strides: [8, 16, 32], classes: 80}
//     labels: coco.names               # a file with one name a line, or [person, car]
//     threshold: 0.3
//     iou-threshold: 0.45
//     exclusive: [car, bus, truck]     # classes of which one place shows only one
//     precision: fp32                  # never float16, whatever the device offers
//
// The network sees (pixel - mean) * scale, or (pixel - mean) / std; one number or one per channel,
// pixels 0..255. Every key may be left out.
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
    int n_classes;               // 0: not said
    float threshold, iou_threshold; // <= 0: not said
    fv_labels exclusive;         // names of classes that suppress one another; n 0: none
    fv_precision precision;      // FV_PRECISION_AUTO: not said
    fv_labels labels;            // n 0: not said
} fv_card;

// Fills all of `card` but the fields of card->input that the file does not name. On mistakes
// err has the first as "file:line:column: error: ...", the others go to the log.
bool fv_card_load(fv_card *card, fv_arena *arena, const char *path, fv_err *err);

// One name a line; spaces around names and empty lines at the end are dropped. At most 100,000
// names.
bool fv_labels_load(fv_labels *labels, fv_arena *arena, const char *path, fv_err *err);
