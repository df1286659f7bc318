// What a detector's output tensors mean, as rows: one family, one decoder.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

#define FV_MAX_ANCHORS 32

// How the outputs are to be read. Filled by fv_head_recognise, overridden by a model card.
typedef struct {
    char family[32];        // row of the table in vision/head.c: "yolox", "yolov8", "yolov5", ...
    char why[256];          // what in the outputs told
    int n_classes;
    int n_anchors;          // in `anchor`; 0 for anchor-free families
    float anchor[FV_MAX_ANCHORS][2]; // width, height in network pixels, smallest stride first
    int n_strides, stride[8];
    int reg_max;            // bins of a distribution over distances; 0: none
} fv_head;

// Looks at the graph's inputs and outputs (names, dtypes, shapes; no data). The error says what was
// seen and shows the model card to write. `input` gets the family's usual preprocess (scale, mean,
// fit, channel order) and the size.
bool fv_head_recognise(const fv_tensor *in, int n_in, const fv_tensor *out, int n_out, fv_head *head,
                       fv_input *input, fv_err *err);

// Checks that `head` fits the outputs (shapes against family, classes, strides).
bool fv_head_check(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out, fv_err *err);

// Decodes one picture's outputs: boxes in source pixels through the inverse of `fit`, scores at
// least `threshold`, before NMS. Keeps the best `objects->capacity`. float32 outputs.
bool fv_head_decode(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                    float threshold, fv_fit fit, fv_objects *objects, fv_err *err);

// Greedy non-maximum suppression by class (or over all classes): sorts by score, keeps a box unless a better
// kept one of its class overlaps by more than `iou`. Ties keep the earlier. In place.
void fv_nms(fv_objects *objects, float iou, bool class_agnostic);
