#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <string.h>

// Expectation of a distribution over distances, in strides (Generalized Focal Loss, Li et al. 2020,
// eq. 5).
static float expected(const fv_cells *m, int64_t i, int first, int bins) {
    float top = -INFINITY, sum = 0, mean = 0;
    for (int k = 0; k < bins; k++)
        top = fmaxf(top, fv_cell(m, i, first + k));
    for (int k = 0; k < bins; k++) {
        float e = expf(fv_cell(m, i, first + k) - top);
        sum += e;
        mean += e * (float)k;
    }
    return mean / sum;
}

static void distances(const fv_head *head, const fv_level *l, int64_t i, float centre, float b[4]) {
    float x, y, d[4], s = (float)l->stride;
    fv_grid_place(l, i, &x, &y);
    for (int k = 0; k < 4; k++)
        d[k] = expected(&l->box, i, k * head->reg_max, head->reg_max) * s;
    b[0] = (x + centre) * s - d[0];
    b[1] = (y + centre) * s - d[1];
    b[2] = (x + centre) * s + d[2];
    b[3] = (y + centre) * s + d[3];
}

void fv_box_distances(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen;
    distances(head, l, i, 0.5f, b);
}

static void box_nanodet_plus(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                             float b[4]) {
    (void)seen;
    distances(head, l, i, 0, b);
}

static bool one_grid(const fv_seen *seen, int64_t n, fv_level *l) {
    for (int s = 4; s <= 128; s *= 2) {
        int w = (seen->width + s - 1) / s, h = (seen->height + s - 1) / s;
        if ((int64_t)w * h == n) {
            l->w = w, l->h = h, l->stride = s;
            return true;
        }
    }
    return false;
}

// With as many classes as bins the exporters write the classes first.
static bool put_in_pair(fv_level *l, const fv_cells *m, int bins) {
    bool twins = m->c == bins && l->box.c == bins && !l->score.c;
    if (twins)
        l->score = l->box;
    if (twins || (m->c == bins && !l->box.c))
        l->box = *m;
    else if (!l->score.c)
        l->score = *m;
    else
        return false;
    return true;
}

// Outputs come in pairs over the same cells: classes, 4 x bins.
static bool find_pairs(const fv_seen *seen, fv_head *head, fv_levels *levels, int n_levels) {
    if (seen->n_out % 2 || seen->n_out > 16 || (!seen->told && seen->n_out != 2 * n_levels))
        return false;
    int bins = head->reg_max ? head->reg_max : 8;
    for (int i = 0; i < seen->n_out; i++) {
        fv_cells m;
        fv_level *l = NULL;
        if (seen->out[i].n_dims > 3 || !fv_cells_rows(&seen->out[i], &m))
            return false;
        for (int k = 0; k < levels->n; k++)
            if (levels->v[k].score.n == m.n || levels->v[k].box.n == m.n)
                l = &levels->v[k];
        if (!l && (!(l = fv_level_add(levels)) || !one_grid(seen, m.n, l)))
            return false;
        if (!put_in_pair(l, &m, 4 * bins))
            return false;
    }
    head->reg_max = bins;
    for (int k = 0; k < levels->n; k++) {
        fv_level *l = &levels->v[k];
        if (!l->box.c || !l->score.c || l->score.c != levels->v[0].score.c ||
            !fv_head_classes(head, l->score.c))
            return false;
        l->score = fv_cells_channels(&l->score, 0, head->n_classes);
    }
    return levels->n * 2 == seen->n_out && fv_levels_settle(head, levels);
}

static bool find_nanodet(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    return find_pairs(seen, head, levels, 3);
}

static bool find_picodet(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    return find_pairs(seen, head, levels, 4);
}

// [1, cells, classes + 4 x bins] over the strides 8, 16, 32, 64.
static bool find_nanodet_plus(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    int bins = head->reg_max ? head->reg_max : 8;
    if (seen->n_out != 1 || seen->out[0].n_dims > 3 || !fv_cells_rows(&seen->out[0], &m) ||
        !fv_head_grid(seen, head, m.n, 1) ||
        (!seen->told && (head->n_strides != 4 || head->stride[0] != 8)) ||
        !fv_head_classes(head, m.c - 4 * bins) || !fv_levels_split(seen, head, &m, 1, levels))
        return false;
    head->reg_max = bins;
    for (int i = 0; i < levels->n; i++) {
        fv_level *l = &levels->v[i];
        fv_cells part = l->box;
        l->score = fv_cells_channels(&part, 0, head->n_classes);
        l->box = fv_cells_channels(&part, m.c - 4 * bins, 4 * bins);
    }
    return true;
}

// [1, 5 + classes, H, W] at stride 16: objectness, box, classes.
static bool find_fastestdet(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells m;
    fv_level *l = fv_level_add(levels);
    if (seen->n_out != 1 || !fv_cells_map(seen, &seen->out[0], &m, &l->w, &l->h, &l->stride) ||
        (!seen->told && l->stride != 16) || !fv_head_classes(head, m.c - 5))
        return false;
    l->objectness = fv_cells_channels(&m, 0, 1);
    l->box = fv_cells_channels(&m, 1, 4);
    l->score = fv_cells_channels(&m, 5, head->n_classes);
    return fv_levels_settle(head, levels);
}

static void box_fastestdet(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                           float b[4]) {
    (void)head;
    float x, y, w = (float)seen->width, h = (float)seen->height;
    const fv_cells *m = &l->box;
    fv_grid_place(l, i, &x, &y);
    fv_box_from_centre((x + tanhf(fv_cell(m, i, 0))) / (float)l->w * w,
                       (y + tanhf(fv_cell(m, i, 1))) / (float)l->h * h,
                       fv_sigmoid(fv_cell(m, i, 2)) * w, fv_sigmoid(fv_cell(m, i, 3)) * h, b);
}

// Maps [1, 4 + classes, H, W] at the strides 8, 16, 32: distances before softplus, class logits.
// Maps whose channels may be 3 x (5 + classes) are darknet's, unless a card tells.
static bool find_fovea(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    if (seen->n_out > 8 || (!seen->told && seen->n_out != 3))
        return false;
    for (int i = 0; i < seen->n_out; i++) {
        fv_cells m;
        fv_level *l = fv_level_add(levels);
        if (!fv_cells_map(seen, &seen->out[i], &m, &l->w, &l->h, &l->stride) ||
            !fv_head_classes(head, m.c - 4) ||
            (!seen->told &&
             (m.c >= 64 || (m.c >= 18 && m.c % 3 == 0) || m.c != seen->out[0].dim[1])))
            return false;
        l->box = fv_cells_channels(&m, 0, 4);
        l->score = fv_cells_channels(&m, 4, head->n_classes);
    }
    return fv_levels_settle(head, levels);
}

static float softplus(float x) {
    return x > 20 ? x : log1pf(expf(x));
}

static void box_fovea(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride;
    const fv_cells *m = &l->box;
    fv_grid_place(l, i, &x, &y);
    b[0] = (x + 0.5f - softplus(fv_cell(m, i, 0))) * s;
    b[1] = (y + 0.5f - softplus(fv_cell(m, i, 1))) * s;
    b[2] = (x + 0.5f + softplus(fv_cell(m, i, 2))) * s;
    b[3] = (y + 0.5f + softplus(fv_cell(m, i, 3))) * s;
}

static float score_fastestdet(float objectness, float best) {
    return powf(objectness, 0.6f) * powf(fminf(best, 1), 0.4f);
}

#define STRETCH_BGR .fit = FV_FIT_STRETCH, FV_INPUT_BGR_IMAGENET

const fv_head_row fv_head_rows_point[] = {
    {"fovea",
     "three maps [1, 4 + classes, H, W]: distances before softplus, class logits (our own "
     "detector)",
     find_fovea, fv_score_logit, box_fovea, NULL, false,
     {.fit = FV_FIT_LETTERBOX, .pad = 114, FV_INPUT_RGB_UNIT}, 0},
    {"nanodet-plus",
     "[1, cells of strides 8 to 64, classes + 4 x 8]: class scores and distances",
     find_nanodet_plus, fv_score_class, box_nanodet_plus, NULL, false,
     {STRETCH_BGR}, 0.35f},
    {"nanodet",
     "three pairs of [cells, classes] and [cells, 4 x 8]: class scores and distances",
     find_nanodet, fv_score_class, fv_box_distances, NULL, false,
     {STRETCH_BGR}, 0.35f},
    {"picodet",
     "four pairs of [cells, classes] and [cells, 4 x 8]: class scores and distances",
     find_picodet, fv_score_class, fv_box_distances, NULL, false,
     {.fit = FV_FIT_STRETCH, FV_INPUT_RGB_IMAGENET}, 0},
    {"fastestdet",
     "one map [1, 5 + classes, H, W] at stride 16: objectness, box, class scores",
     find_fastestdet, score_fastestdet, box_fastestdet, NULL, false,
     {.fit = FV_FIT_STRETCH, FV_INPUT_BGR_UNIT}, 0.5f},
    {0},
};
