#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <string.h>

// Width and height in pixels, as the projects' configuration files list them.
static const float anchors_v3[][2] = {{10, 13},  {16, 30},  {33, 23},   {30, 61},  {62, 45},
                                      {59, 119}, {116, 90}, {156, 198}, {373, 326}};
static const float anchors_v3_tiny[][2] = {{10, 14}, {23, 27},   {37, 58},
                                           {81, 82}, {135, 169}, {344, 319}};
static const float anchors_v4[][2] = {{12, 16},  {19, 36},   {40, 28},   {36, 75},  {76, 55},
                                      {72, 146}, {142, 110}, {192, 243}, {459, 401}};
static const float anchors_fastest[][2] = {{12, 18},  {37, 49},   {52, 132},
                                           {115, 73}, {119, 199}, {242, 238}};
static const float anchors_fastest2[][2] = {{12.64f, 19.39f},   {37.88f, 51.48f},
                                            {55.71f, 138.31f},  {126.91f, 78.23f},
                                            {131.57f, 214.55f}, {279.92f, 258.87f}};
static const float anchors_v2[][2] = {{34.56f, 38.08f},
                                      {109.44f, 141.12f},
                                      {212.16f, 364.16f},
                                      {301.44f, 163.52f},
                                      {531.84f, 336.64f}};

enum { PER_CELL = 3, MAX_MAPS = 4 };

typedef struct {
    fv_cells cells;
    int w, h, stride;
    int64_t step; // from one anchor to the next: channels in maps, cells in 5-D rows
    bool rows;
} grid_map;

static void sort_by_stride(grid_map *maps, int n) {
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && maps[k].stride < maps[k - 1].stride; k--) {
            grid_map swap = maps[k];
            maps[k] = maps[k - 1];
            maps[k - 1] = swap;
        }
}

static bool settle_strides(fv_head *head, const grid_map *maps, int n) {
    if (head->n_strides && head->n_strides != n)
        return false;
    for (int i = 0; i < n; i++)
        if ((head->n_strides && head->stride[i] != maps[i].stride) ||
            (i && maps[i].stride == maps[i - 1].stride))
            return false;
    head->n_strides = n;
    for (int i = 0; i < n; i++)
        head->stride[i] = maps[i].stride;
    return true;
}

// All outputs are maps [1, 3 (5 + classes), H, W] or [1, H, W, 3 (5 + classes)].
static int maps_of(const fv_seen *seen, grid_map *maps) {
    if (seen->n_out < 1 || seen->n_out > MAX_MAPS)
        return 0;
    for (int i = 0; i < seen->n_out; i++) {
        grid_map *m = &maps[i];
        if (!fv_cells_map(seen, &seen->out[i], &m->cells, &m->w, &m->h, &m->stride) ||
            m->cells.c % PER_CELL || m->cells.c != maps[0].cells.c)
            return 0;
        m->step = m->cells.c / PER_CELL;
        m->rows = false;
    }
    sort_by_stride(maps, seen->n_out);
    return seen->n_out;
}

// 5-D outputs [1, 3, H, W, 5 + classes]; others are passed over.
static int boxes_of(const fv_seen *seen, grid_map *maps) {
    int n = 0;
    for (int i = 0; i < seen->n_out; i++) {
        const fv_tensor *t = &seen->out[i];
        if (t->n_dims != 5 || t->dim[1] != PER_CELL)
            continue;
        fv_tensor plane = {
            .dtype = t->dtype, .n_dims = 4, .dim = {1, t->dim[2], t->dim[3], t->dim[4]}};
        grid_map *m = &maps[n];
        fv_cells one;
        if (n == MAX_MAPS || !fv_cells_rows(t, &m->cells) ||
            !fv_cells_map(seen, &plane, &one, &m->w, &m->h, &m->stride) || one.c != t->dim[4] ||
            m->cells.c != maps[0].cells.c)
            return 0;
        m->step = (int64_t)m->w * m->h;
        m->rows = true;
        n++;
    }
    sort_by_stride(maps, n);
    return n;
}

// One level for each map and anchor.
static bool add_levels(fv_head *head, const grid_map *maps, int n, const float *spread,
                       fv_levels *levels) {
    int64_t channels = maps[0].rows ? maps[0].cells.c : maps[0].cells.c / PER_CELL;
    if (!settle_strides(head, maps, n) || head->n_anchors != n * PER_CELL ||
        !fv_head_classes(head, channels - 5))
        return false;
    for (int i = 0; i < n * PER_CELL; i++) {
        const grid_map *m = &maps[i / PER_CELL];
        int64_t first = i % PER_CELL * m->step;
        fv_cells part = m->rows ? fv_cells_range(&m->cells, first, m->step)
                                : fv_cells_channels(&m->cells, first, m->step);
        fv_level *l = fv_level_add(levels);
        l->w = m->w, l->h = m->h, l->stride = m->stride;
        l->spread = spread ? spread[i / PER_CELL] : 1;
        l->anchor[0] = head->anchor[i][0], l->anchor[1] = head->anchor[i][1];
        l->box = fv_cells_channels(&part, 0, 4);
        l->objectness = fv_cells_channels(&part, 4, 1);
        l->score = fv_cells_channels(&part, 5, head->n_classes);
    }
    return true;
}

static bool find_maps(const fv_seen *seen, fv_head *head, fv_levels *levels,
                      const float (*anchors)[2], int n_maps, const float *spread) {
    grid_map maps[MAX_MAPS];
    int n = maps_of(seen, maps);
    if (n < 1 || (!seen->told && n != n_maps))
        return false;
    return fv_head_anchors(head, n == n_maps ? anchors : NULL, n * PER_CELL) &&
           add_levels(head, maps, n, spread, levels);
}

static bool find_yolov3(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    return find_maps(seen, head, levels, anchors_v3, 3, NULL);
}

// The two levels of 320 x 320 networks are taken for Yolo-Fastest, others for YOLOv3-tiny.
static bool find_fastest(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    return (seen->told || seen->width == 320) &&
           find_maps(seen, head, levels, anchors_fastest, 2, NULL);
}

static bool find_tiny(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    return find_maps(seen, head, levels, anchors_v3_tiny, 2, NULL);
}

static bool find_yolov4(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    static const float spread[MAX_MAPS] = {1.2f, 1.1f, 1.05f, 1};
    return seen->told && find_maps(seen, head, levels, anchors_v4, 3, spread);
}

static bool find_yolov4_tiny(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    static const float spread[MAX_MAPS] = {1.05f, 1.05f, 1.05f, 1.05f};
    return seen->told && find_maps(seen, head, levels, anchors_v3_tiny, 2, spread);
}

static bool find_yolov5_raw(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    grid_map maps[MAX_MAPS];
    int n = boxes_of(seen, maps);
    if (n < 1 && seen->told)
        n = maps_of(seen, maps);
    return n > 0 && fv_head_anchors(head, n == 3 ? anchors_v3 : NULL, n * PER_CELL) &&
           add_levels(head, maps, n, NULL, levels);
}

// Cells of a, b, ... anchors share the classes: 3 boxes, 3 objectnesses, classes.
static bool add_fastest2(fv_head *head, const fv_cells *m, const fv_level *grid, int index,
                         fv_levels *levels) {
    if (!fv_head_classes(head, m->c - 15) || head->n_anchors < (index + 1) * PER_CELL)
        return false;
    for (int a = 0; a < PER_CELL; a++) {
        fv_level *l = fv_level_add(levels);
        if (!l)
            return false;
        l->w = grid->w, l->h = grid->h, l->stride = grid->stride;
        l->anchor[0] = head->anchor[index * PER_CELL + a][0];
        l->anchor[1] = head->anchor[index * PER_CELL + a][1];
        l->box = fv_cells_channels(m, 4 * a, 4);
        l->objectness = fv_cells_channels(m, 12 + a, 1);
        l->score = fv_cells_channels(m, 15, head->n_classes);
    }
    return true;
}

// [1, H, W, 15 + classes] for strides 16 and 32, or both in one [cells, 15 + classes].
static bool find_fastest2(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_levels grids = {0};
    fv_head strides = {.n_strides = 2, .stride = {16, 32}};
    fv_cells m, parts[2];
    bool both = seen->n_out == 1 && seen->out[0].n_dims <= 3;
    if ((!both && seen->n_out != 2) || !fv_cells_rows(&seen->out[0], &m) || m.c < 16)
        return false;
    if (both &&
        (!fv_head_grid(seen, &strides, m.n, 1) || !fv_levels_split(seen, &strides, &m, 1, &grids)))
        return false;
    for (int i = 0; i < 2 && both; i++)
        parts[i] = grids.v[i].box;
    for (int i = 0; i < 2 && !both; i++) {
        fv_level *l = fv_level_add(&grids);
        if (!fv_cells_map(seen, &seen->out[i], &l->box, &l->w, &l->h, &l->stride) ||
            l->box.channel != 1 || l->box.c != m.c)
            return false;
    }
    if (!both && !fv_levels_settle(&strides, &grids))
        return false;
    for (int i = 0; i < 2 && !both; i++)
        parts[i] = grids.v[i].box;
    if (!fv_head_anchors(head, anchors_fastest2, 6))
        return false;
    head->n_strides = 2, head->stride[0] = 16, head->stride[1] = 32;
    return add_fastest2(head, &parts[0], &grids.v[0], 0, levels) &&
           add_fastest2(head, &parts[1], &grids.v[1], 1, levels);
}

// [1, 5 (5 + classes), H, W] at stride 32, softmax over the classes.
static bool find_yolov2(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    int w, h, stride;
    if (seen->n_out != 1 || !fv_cells_map(seen, &seen->out[0], &m, &w, &h, &stride) ||
        stride != 32 || m.c % 5 || !fv_head_classes(head, m.c / 5 - 5) ||
        !fv_head_anchors(head, anchors_v2, 5))
        return false;
    for (int a = 0; a < 5; a++) {
        fv_cells part = fv_cells_channels(&m, a * (m.c / 5), m.c / 5);
        fv_level *l = fv_level_add(levels);
        l->w = w, l->h = h, l->stride = stride;
        l->anchor[0] = head->anchor[a][0], l->anchor[1] = head->anchor[a][1];
        l->box = fv_cells_channels(&part, 0, 4);
        l->objectness = fv_cells_channels(&part, 4, 1);
        l->score = fv_cells_channels(&part, 5, head->n_classes);
        l->softmax = fv_cells_channels(&part, 5, m.c / 5 - 5);
    }
    return true;
}

static void box_darknet(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                        float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride, k = l->spread;
    fv_grid_place(l, i, &x, &y);
    const fv_cells *m = &l->box;
    fv_box_from_centre((fv_sigmoid(fv_cell(m, i, 0)) * k - (k - 1) / 2 + x) * s,
                       (fv_sigmoid(fv_cell(m, i, 1)) * k - (k - 1) / 2 + y) * s,
                       expf(fv_cell(m, i, 2)) * l->anchor[0], expf(fv_cell(m, i, 3)) * l->anchor[1],
                       b);
}

static void box_squares(const fv_level *l, int64_t i, const float t[4], float b[4]) {
    float x, y, s = (float)l->stride;
    fv_grid_place(l, i, &x, &y);
    fv_box_from_centre((t[0] * 2 - 0.5f + x) * s, (t[1] * 2 - 0.5f + y) * s,
                       t[2] * t[2] * 4 * l->anchor[0], t[3] * t[3] * 4 * l->anchor[1], b);
}

static void box_yolov5(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                       float b[4]) {
    (void)seen, (void)head;
    float t[4];
    for (int k = 0; k < 4; k++)
        t[k] = fv_sigmoid(fv_cell(&l->box, i, k));
    box_squares(l, i, t, b);
}

static void box_fastest2(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                         float b[4]) {
    (void)seen, (void)head;
    float t[4];
    for (int k = 0; k < 4; k++)
        t[k] = fv_cell(&l->box, i, k);
    box_squares(l, i, t, b);
}

static float score_yolov2(float objectness, float best) { // best is a probability already
    return fv_sigmoid(objectness) * fminf(best, 1);
}

#define STRETCH .fit = FV_FIT_STRETCH, FV_INPUT_RGB_UNIT

const fv_head_row fv_head_rows_anchor[] = {
    {"yolov5-raw",
     "[1, 3, H, W, 5 + classes] maps before the sigmoid (YOLOv5; YOLOv7 with its anchors in a "
     "card)",
     find_yolov5_raw, fv_score_logit_product, box_yolov5, NULL, false,
     {.fit = FV_FIT_LETTERBOX, .pad = 114, FV_INPUT_RGB_UNIT}, 0},
    {"yolov3",
     "three maps of 3 x (5 + classes) channels, darknet's boxes",
     find_yolov3, fv_score_logit_product, box_darknet, NULL, false,
     {.fit = FV_FIT_LETTERBOX, .pad = 127.5f, FV_INPUT_RGB_UNIT}, 0},
    {"yolo-fastest",
     "two maps of 3 x (5 + classes) channels of a 320 x 320 network, darknet's boxes",
     find_fastest, fv_score_logit_product, box_darknet, NULL, false,
     {STRETCH}, 0},
    {"yolov3-tiny",
     "two maps of 3 x (5 + classes) channels, darknet's boxes",
     find_tiny, fv_score_logit_product, box_darknet, NULL, false,
     {.fit = FV_FIT_LETTERBOX, .pad = 127.5f, FV_INPUT_RGB_UNIT}, 0},
    {"yolov4",
     "three maps of 3 x (5 + classes) channels, boxes spread by 1.2, 1.1, 1.05 (by card only)",
     find_yolov4, fv_score_logit_product, box_darknet, NULL, false,
     {STRETCH}, 0},
    {"yolov4-tiny",
     "two maps of 3 x (5 + classes) channels, boxes spread by 1.05 (by card only)",
     find_yolov4_tiny, fv_score_logit_product, box_darknet, NULL, false,
     {STRETCH}, 0},
    {"yolo-fastestv2",
     "cells of 3 boxes, 3 objectnesses and shared classes at strides 16 and 32",
     find_fastest2, fv_score_product, box_fastest2, NULL, false,
     {.fit = FV_FIT_STRETCH, FV_INPUT_BGR_UNIT}, 0},
    {"yolov2",
     "one map of 5 x (5 + classes) channels at stride 32, softmax over the classes",
     find_yolov2, score_yolov2, box_darknet, NULL, false,
     {.fit = FV_FIT_STRETCH, .scale = {1, 1, 1}}, 0},
    {0},
};
