// What a detector's output tensors mean, as rows: one family, one decoder.
#pragma once

#include "pipeline/base/candidates.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

#define FV_MAX_ANCHORS 32

// How the outputs are to be read. Filled by fv_head_recognise; what a model card says is put in
// before and is then kept.
typedef struct {
    char family[32];        // row of a table in vision/head_*.c: "yolox", "yolov8", "yolov5", ...
    char why[256];          // what in the outputs told
    int n_classes;          // 0: the outputs do not tell (lists of finished detections)
    int n_anchors;          // in `anchor`; 0 for anchor-free families
    float anchor[FV_MAX_ANCHORS][2]; // width, height in network pixels, smallest stride first
    int n_strides, stride[8];
    int reg_max;            // bins of a distribution over distances; 0: none
} fv_head;

// Looks at the graph's inputs and outputs (names, dtypes, shapes; no data). What `head` already
// says is a condition: with a family only that row is tried (names no longer matter), n_classes,
// anchors and strides are taken as given; {0} lets the outputs decide. The error says what was seen
// and shows the model card to write. `input` gets the family's usual preprocess (scale, mean, fit,
// channel order) and the size. Without a card some shapes are read as their commonest meaning:
//
//     [1, N, 5 + classes], one box a cell      yolox as its project exports it; if it was exported
//                                              with the decoding inside: yolox-decoded
//     maps [1, 3 (5 + classes), H, W]          darknet's exp() boxes; yolov5-raw for (2 s)^2 ones
//     maps 5-D [1, 3, H, W, 5 + classes]       yolov5-raw with YOLOv5's anchors; YOLOv7's by card
bool fv_head_recognise(const fv_tensor *in, int n_in, const fv_tensor *out, int n_out,
                       fv_head *head, fv_input *input, fv_err *err);

// Checks that `head` fits the outputs (shapes against family, classes, strides).
bool fv_head_check(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                   fv_err *err);

// Decodes one picture's outputs: boxes in source pixels through the inverse of `fit`, scores at
// least `threshold`, before NMS. Keeps the best `objects->capacity`, best first; of equal scores
// the earlier cell. A cell gives its best class only. Boxes may reach outside the picture. Boxes
// with a NaN or without an area are left out. float32 outputs. Allocates nothing.
bool fv_head_decode(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                    float threshold, fv_fit fit, fv_objects *objects, fv_err *err);

// The cells that can reach `threshold` (> 0), and some that cannot quite: by the bounds of the family's score
// formula. Probabilities are taken to be at most 1.01. `out`: shapes, no data.
bool fv_head_candidates(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                        float threshold, fv_candidates *c, fv_err *err);

// fv_head_decode of these cells only, by their numbers through all parts of fv_head_candidates, ascending;
// nothing else is read of the outputs. `cell` NULL: of all.
bool fv_head_decode_candidates(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                               const uint32_t *cell, int n_cells, float threshold, fv_fit fit,
                               fv_objects *objects, fv_err *err);

// True for families whose outputs are final: one box an object (YOLOv10, DETR, lists).
bool fv_head_is_final(const fv_head *head);

// The lowest score that is usually worth showing: scores of one family mean other things than
// another's.
float fv_head_threshold(const fv_head *head);

// Family `i` of all the tables and what its outputs look like; NULL after the last.
const char *fv_head_family(int i, const char **sign);
