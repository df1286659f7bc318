// What the head families share; private to vision/head*.c.
//
// A decoder is data: `find` says where in the outputs the scores and boxes lie (as levels), `score`
// and `box` are the formulas of one cell. The loop over cells is the same for all (head.c).
#pragma once

#include "pipeline/vision/head.h"

// A matrix of cells and channels somewhere in an output tensor: channel k of cell i is
// v[i * cell + k * channel]. c 0: absent. v is NULL while only shapes are looked at.
typedef struct {
    const float *v;
    int64_t n, c;
    int64_t cell, channel;
} fv_cells;

static inline float fv_cell(const fv_cells *m, int64_t i, int64_t k) {
    return m->v[i * m->cell + k * m->channel];
}

// Channels first .. first + n; cells first .. first + n.
fv_cells fv_cells_channels(const fv_cells *m, int64_t first, int64_t n);
fv_cells fv_cells_range(const fv_cells *m, int64_t first, int64_t n);

// [..., N, C]: the last dimension is the channels, all before are cells. float32 only.
bool fv_cells_rows(const fv_tensor *t, fv_cells *m);
// [1, C, N].
bool fv_cells_columns(const fv_tensor *t, fv_cells *m);

// What is looked at.
typedef struct {
    int width, height;      // the network's input, pixels
    const fv_tensor *out;
    int n_out;
    const char *input_name; // "" when not known
    bool told;              // the family is settled: names and habits do not matter
} fv_seen;

// [1, C, H, W] or [1, H, W, C] whose H and W are the input's by a stride of 4..128 (rounded up).
bool fv_cells_map(const fv_seen *seen, const fv_tensor *t, fv_cells *m, int *w, int *h,
                  int *stride);

// A part of the outputs whose cells share a grid and formulas. Grid cell of cell i: i / per_cell.
typedef struct {
    fv_cells score;         // one channel a class
    fv_cells softmax;       // c > 0: scores are logits, these the channels of the softmax
    fv_cells objectness, box, point, label;
    int w, h, stride, per_cell;
    float anchor[2];        // pixels
    float spread;           // darknet's scale_x_y
} fv_level;

#define FV_MAX_LEVELS 24
typedef struct {
    int n;
    fv_level v[FV_MAX_LEVELS];
} fv_levels;

fv_level *fv_level_add(fv_levels *levels); // NULL when there are too many

// `n` cells in all, `per_cell` at each place of the grids of head->stride; tries the usual sets of
// strides where head says none, and fills head->stride.
bool fv_head_grid(const fv_seen *seen, fv_head *head, int64_t n, int per_cell);
// One level for each of head->stride, `box` set to its part of `m` (all channels).
bool fv_levels_split(const fv_seen *seen, const fv_head *head, const fv_cells *m, int per_cell,
                     fv_levels *levels);
// Sorts by stride and puts the strides into head (or compares, where it has some).
bool fv_levels_settle(fv_head *head, fv_levels *levels);
// The outputs have room for n classes: settles head->n_classes, or checks what it says.
bool fv_head_classes(fv_head *head, int64_t n);
// Takes `anchors` where head says none; false unless there are `n` of them.
bool fv_head_anchors(fv_head *head, const float (*anchors)[2], int n);

// b = x0, y0, x1, y1 in network pixels.
typedef void (*fv_box_rule)(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                            float b[4]);
typedef void (*fv_point_rule)(const fv_level *l, int64_t i, int k, float p[2]);
typedef float (*fv_score_rule)(float objectness, float best); // grows with both

// One family.
typedef struct {
    const char *family, *sign; // what the outputs look like, for `why` and the error
    bool (*find)(const fv_seen *seen, fv_head *head, fv_levels *levels);
    fv_score_rule score;
    fv_box_rule box;
    fv_point_rule point;       // NULL: no key points
    bool final;                // needs no NMS
    fv_input input;            // usual preprocess
    float threshold;           // lowest score worth showing; 0: 0.25
} fv_head_row;

extern const fv_head_row fv_head_rows_face[], fv_head_rows_pair[], fv_head_rows_yolo[],
    fv_head_rows_anchor[],
    fv_head_rows_point[]; // each ends with {0}

float fv_sigmoid(float x);
float fv_score_class(float objectness, float best);         // best
float fv_score_product(float objectness, float best);       // both are probabilities
float fv_score_logit(float objectness, float best);         // sigmoid(best)
float fv_score_logit_product(float objectness, float best); // sigmoid of both

void fv_grid_place(const fv_level *l, int64_t i, float *x, float *y); // column, row
void fv_box_centre(const fv_seen *, const fv_head *, const fv_level *, int64_t,
                   float b[4]); // cx cy w h, pixels
void fv_box_corners(const fv_seen *, const fv_head *, const fv_level *, int64_t,
                    float b[4]); // x0 y0 x1 y1, pixels
void fv_box_distances(const fv_seen *, const fv_head *, const fv_level *, int64_t,
                      float b[4]); // distributions over distances
void fv_box_from_centre(float x, float y, float w, float h, float b[4]);

// The row of head->family and where in the outputs its cells lie; NULL when they do not fit.
const fv_head_row *fv_head_levels(const fv_head *head, const fv_seen *seen, fv_levels *levels, fv_err *err);
fv_seen fv_head_seen(const fv_input *input, const fv_tensor *out, int n_out);

// Preprocess that several families share: {RGB / 255, ...}.
#define FV_INPUT_RGB_UNIT .scale = {1 / 255.f, 1 / 255.f, 1 / 255.f}
#define FV_INPUT_BGR_UNIT .bgr = true, FV_INPUT_RGB_UNIT
#define FV_INPUT_BGR_RAW .bgr = true, .scale = {1, 1, 1}
#define FV_INPUT_RGB_IMAGENET                                                                      \
    .mean = {123.675f, 116.28f, 103.53f}, .scale = {1 / 58.395f, 1 / 57.12f, 1 / 57.375f}
#define FV_INPUT_BGR_IMAGENET                                                                      \
    .bgr = true, .mean = {103.53f, 116.28f, 123.675f},                                             \
    .scale = {1 / 57.375f, 1 / 57.12f, 1 / 58.395f}
