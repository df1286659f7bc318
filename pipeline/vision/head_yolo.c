#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <string.h>

// Segmentation exports have a second output [1, masks, H / 4, W / 4], and that many channels more.
static int64_t mask_channels(const fv_seen *seen) {
    const fv_tensor *t = &seen->out[1];
    bool masks = seen->n_out == 2 && t->n_dims == 4 && t->dim[0] == 1 &&
                 t->dim[2] * 4 == seen->height && t->dim[3] * 4 == seen->width;
    return masks ? t->dim[1] : 0;
}

// [1, 4 + classes + masks, N]: columns as the exporter writes them; rows only when told.
static bool find_yolov8(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    if (!fv_cells_columns(&seen->out[0], &m))
        return false;
    if (!fv_head_grid(seen, head, m.n, 1)) {
        if (!seen->told)
            return false;
        if (m.n < m.c && !fv_cells_rows(&seen->out[0], &m))
            return false;
    }
    if (!fv_head_classes(head, m.c - 4 - mask_channels(seen)))
        return false;
    fv_level *l = fv_level_add(levels);
    l->box = fv_cells_channels(&m, 0, 4);
    l->score = fv_cells_channels(&m, 4, head->n_classes);
    return true;
}

static bool is_list(const fv_seen *seen, const fv_cells *m) { // too few cells for any grid
    fv_head any = {0};
    return m->n <= 1000 && !fv_head_grid(seen, &any, m->n, 1) && !fv_head_grid(seen, &any, m->n, 3);
}

static bool find_yolov10(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    (void)head; // the list names its classes by number
    fv_cells m;
    const fv_tensor *t = &seen->out[0];
    if (t->n_dims != 3 || !fv_cells_rows(t, &m) || m.c < 6 ||
        (m.c != 6 + mask_channels(seen) && !seen->told))
        return false;
    if (!seen->told && !is_list(seen, &m))
        return false;
    fv_level *l = fv_level_add(levels);
    l->box = fv_cells_channels(&m, 0, 4);
    l->score = fv_cells_channels(&m, 4, 1);
    l->label = fv_cells_channels(&m, 5, 1);
    return true;
}

// Lists that the graph has suppressed itself: rows of a number, boxes, classes and scores. Room that
// is left over holds rows whose first number is negative.
static bool find_end_to_end(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    (void)head;
    fv_cells m;
    if (seen->n_out != 1 || seen->out[0].n_dims != 2 || !fv_cells_rows(&seen->out[0], &m) || m.c != 7)
        return false;
    fv_level *l = fv_level_add(levels);
    l->objectness = fv_cells_channels(&m, 0, 1);
    l->box = fv_cells_channels(&m, 1, 4);
    l->label = fv_cells_channels(&m, 5, 1);
    l->score = fv_cells_channels(&m, 6, 1);
    return true;
}

static bool find_paddle_rows(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    (void)head;
    fv_cells m;
    const fv_tensor *t = &seen->out[0];
    if (t->n_dims != 2 || !fv_cells_rows(t, &m) || m.c != 6 ||
        (!seen->told && (seen->n_out != 2 || fv_tensor_count(&seen->out[1]) != 1)))
        return false;
    fv_level *l = fv_level_add(levels);
    l->label = fv_cells_channels(&m, 0, 1);
    l->score = fv_cells_channels(&m, 1, 1);
    l->box = fv_cells_channels(&m, 2, 4);
    return true;
}

// A row of no picture is none.
static float score_of_row(float picture, float score) {
    return picture >= 0 ? score : 0;
}

// [1, queries, 4 + classes], fractions of the input.
static bool find_rtdetr(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    const fv_tensor *t = &seen->out[0];
    if (seen->n_out != 1 || t->n_dims != 3 || !fv_cells_rows(t, &m) ||
        (!seen->told && (!is_list(seen, &m) || m.c < 7 || m.c > m.n)))
        return false;
    if (!fv_head_classes(head, m.c - 4))
        return false;
    fv_level *l = fv_level_add(levels);
    l->box = fv_cells_channels(&m, 0, 4);
    l->score = fv_cells_channels(&m, 4, head->n_classes);
    return true;
}

static bool rows_with_objectness(const fv_seen *seen, fv_head *head, int per_cell, int64_t points,
                                 fv_cells *m) {
    for (int i = 0; i < seen->n_out; i++) {
        const fv_tensor *t = &seen->out[i];
        if (t->n_dims > 3 || !fv_cells_rows(t, m) || m->c < 6 + points)
            continue;
        if (!fv_head_grid(seen, head, m->n, per_cell) && !seen->told)
            continue;
        return fv_head_classes(head, m->c - 5 - points - mask_channels(seen));
    }
    return false;
}

static bool one_level(const fv_head *head, const fv_cells *m, int64_t points, fv_levels *levels) {
    fv_level *l = fv_level_add(levels);
    l->box = fv_cells_channels(m, 0, 4);
    l->objectness = fv_cells_channels(m, 4, 1);
    l->point = fv_cells_channels(m, 5, points);
    l->score = fv_cells_channels(m, 5 + points, head->n_classes);
    return true;
}

static bool find_yolov5(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    return rows_with_objectness(seen, head, 3, 0, &m) && one_level(head, &m, 0, levels);
}

static bool find_yolov6(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    if (!seen->told && (!seen->out[0].name || strcmp(seen->out[0].name, "outputs") != 0))
        return false;
    return rows_with_objectness(seen, head, 1, 0, &m) && one_level(head, &m, 0, levels);
}

static bool find_yolox_decoded(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    return seen->told && rows_with_objectness(seen, head, 1, 0, &m) &&
           one_level(head, &m, 0, levels);
}

// box, objectness, five landmarks, one class; shaped as a YOLOv5 of 11 classes, but its input is
// "input".
static bool find_yolo5face(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    if (!seen->told && strcmp(seen->input_name, "input") != 0)
        return false;
    return rows_with_objectness(seen, head, 3, 10, &m) && m.c == 16 &&
           one_level(head, &m, 10, levels);
}

static bool find_yolox(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    if (!rows_with_objectness(seen, head, 1, 0, &m) ||
        (!seen->told && (seen->n_out > 1 || head->stride[0] != 8)) ||
        !fv_levels_split(seen, head, &m, 1, levels))
        return false;
    for (int i = 0; i < levels->n; i++) {
        fv_level *l = &levels->v[i];
        fv_cells part = l->box;
        l->box = fv_cells_channels(&part, 0, 4);
        l->objectness = fv_cells_channels(&part, 4, 1);
        l->score = fv_cells_channels(&part, 5, head->n_classes);
    }
    return true;
}

// Maps of 4 x bins + classes channels, together or in pairs.
static bool add_bins_map(const fv_seen *seen, fv_head *head, const fv_tensor *t, int64_t *classes,
                         fv_levels *levels) {
    fv_cells m;
    int w, h, stride;
    if (!fv_cells_map(seen, t, &m, &w, &h, &stride))
        return false;
    fv_level *l = NULL;
    for (int i = 0; i < levels->n; i++)
        if (levels->v[i].stride == stride)
            l = &levels->v[i];
    if (!l) {
        if (levels->n == 8 || !(l = fv_level_add(levels)))
            return false;
        l->w = w, l->h = h, l->stride = stride;
    }
    int64_t bins = 4 * (head->reg_max ? head->reg_max : 16);
    if (m.c == bins && !l->box.c)
        l->box = m;
    else if (m.c > bins && !l->box.c && !l->score.c)
        l->box = fv_cells_channels(&m, 0, bins), l->score = fv_cells_channels(&m, bins, m.c - bins);
    else if (!l->score.c)
        l->score = m;
    else
        return false;
    if (l->score.c && *classes && l->score.c != *classes)
        return false;
    *classes = l->score.c ? l->score.c : *classes;
    return true;
}

static bool find_yolov8_raw(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    int64_t classes = 0;
    for (int i = 0; i < seen->n_out; i++)
        if (!add_bins_map(seen, head, &seen->out[i], &classes, levels))
            return false;
    bool pairs = seen->n_out == 2 * levels->n;
    // with 3 boxes a cell the same channels mean YOLOv3, and two such maps Yolo-FastestV2; the 80 classes of COCO decide
    if (!seen->told && !pairs && (classes + 64) % 3 == 0 && classes != 80)
        return false;
    if (levels->n < (seen->told || pairs ? 2 : 3) || (!pairs && seen->n_out != levels->n) || !fv_head_classes(head, classes))
        return false;
    head->reg_max = head->reg_max ? head->reg_max : 16;
    for (int i = 0; i < levels->n; i++) {
        if (!levels->v[i].box.c || !levels->v[i].score.c)
            return false;
        levels->v[i].score = fv_cells_channels(&levels->v[i].score, 0, head->n_classes);
    }
    return fv_levels_settle(head, levels);
}

static void box_yolox(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride;
    fv_grid_place(l, i, &x, &y);
    const fv_cells *m = &l->box;
    fv_box_from_centre((fv_cell(m, i, 0) + x) * s, (fv_cell(m, i, 1) + y) * s,
                       expf(fv_cell(m, i, 2)) * s, expf(fv_cell(m, i, 3)) * s, b);
}

static void box_fractions(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                          float b[4]) {
    float w = (float)seen->width, h = (float)seen->height;
    fv_box_centre(seen, head, l, i, b);
    b[0] *= w, b[1] *= h, b[2] *= w, b[3] *= h;
}

static void point_pixels(const fv_level *l, int64_t i, int k, float p[2]) {
    p[0] = fv_cell(&l->point, i, 2 * k);
    p[1] = fv_cell(&l->point, i, 2 * k + 1);
}

#define LETTERBOX .fit = FV_FIT_LETTERBOX, .pad = 114, FV_INPUT_RGB_UNIT

const fv_head_row fv_head_rows_yolo[] = {
    {"yolov10",
     "[1, objects, 6]: finished boxes x0 y0 x1 y1, score, class (YOLOv10, YOLO26, end-to-end "
     "exports)",
     find_yolov10, fv_score_class, fv_box_corners, NULL, true,
     {LETTERBOX}, 0},
    {"end-to-end",
     "[objects, 7]: picture, x0 y0 x1 y1, class, score; suppressed in the graph (YOLOv7 --end2end)",
     find_end_to_end, score_of_row, fv_box_corners, NULL, true,
     {LETTERBOX}, 0},
    {"paddle-rows",
     "[objects, 6]: class, score, x0 y0 x1 y1, and their number; suppressed in the graph "
     "(PP-YOLOE, PP-PicoDet)",
     find_paddle_rows, fv_score_class, fv_box_corners, NULL, true,
     {.fit = FV_FIT_STRETCH, FV_INPUT_RGB_IMAGENET}, 0},
    {"yolov8",
     "[1, 4 + classes, cells]: boxes cx cy w h in pixels, then class scores (YOLOv8, 9, 11, 12)",
     find_yolov8, fv_score_class, fv_box_centre, NULL, false,
     {LETTERBOX}, 0},
    {"yolo5face",
     "[1, 3 x cells, 16]: box, objectness, five landmarks, face",
     find_yolo5face, fv_score_product, fv_box_centre, point_pixels, false,
     {LETTERBOX}, 0},
    {"yolov5",
     "[1, 3 x cells, 5 + classes]: boxes cx cy w h in pixels, objectness, class scores (YOLOv5, "
     "YOLOv7)",
     find_yolov5, fv_score_product, fv_box_centre, NULL, false,
     {LETTERBOX}, 0},
    {"yolov6",
     "\"outputs\" [1, cells, 5 + classes]: boxes cx cy w h in pixels, objectness, class scores",
     find_yolov6, fv_score_product, fv_box_centre, NULL, false,
     {LETTERBOX}, 0},
    {"yolox",
     "[1, cells, 5 + classes]: offsets to the cells of strides 8, 16, 32, objectness, class scores",
     find_yolox, fv_score_product, box_yolox, NULL, false,
     {.fit = FV_FIT_LETTERBOX_TOP_LEFT, .pad = 114, FV_INPUT_BGR_RAW}, 0},
    {"yolox-decoded",
     "[1, cells, 5 + classes]: YOLOX exported with boxes in pixels (by card only)",
     find_yolox_decoded, fv_score_product, fv_box_centre, NULL, false,
     {.fit = FV_FIT_LETTERBOX_TOP_LEFT, .pad = 114, FV_INPUT_BGR_RAW}, 0},
    {"rtdetr",
     "[1, queries, 4 + classes]: boxes cx cy w h as fractions, then class scores",
     find_rtdetr, fv_score_class, box_fractions, NULL, true,
     {.fit = FV_FIT_STRETCH, FV_INPUT_RGB_UNIT}, 0.5f},
    {"yolov8-raw",
     "maps of 4 x 16 distances and class logits a cell, together or in pairs",
     find_yolov8_raw, fv_score_logit, fv_box_distances, NULL, false,
     {LETTERBOX}, 0},
    {0},
};
