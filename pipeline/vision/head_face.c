#include "pipeline/vision/head_rows.h"

#include <math.h>

// Outputs over the same cells are told apart by their channels; two of one channel by their order.
static fv_level *level_of(const fv_seen *seen, fv_levels *levels, int64_t n, int per_cell) {
    for (int i = 0; i < levels->n; i++)
        if ((int64_t)levels->v[i].w * levels->v[i].h * per_cell == n)
            return &levels->v[i];
    for (int s = 8; s <= 64; s *= 2) {
        int w = (seen->width + s - 1) / s, h = (seen->height + s - 1) / s;
        if ((int64_t)w * h * per_cell != n)
            continue;
        fv_level *l = fv_level_add(levels);
        if (l)
            l->w = w, l->h = h, l->stride = s, l->per_cell = per_cell;
        return l;
    }
    return NULL;
}

static bool find_by_channels(const fv_seen *seen, fv_head *head, fv_levels *levels, int per_cell) {
    for (int i = 0; i < seen->n_out; i++) {
        fv_cells m;
        fv_level *l;
        if (seen->out[i].n_dims > 3 || !fv_cells_rows(&seen->out[i], &m) ||
            !(l = level_of(seen, levels, m.n, per_cell)))
            return false;
        fv_cells *place = m.c == 4                  ? &l->box
                          : m.c == 10               ? &l->point
                          : m.c == 1 && !l->score.c ? &l->score
                                                    : &l->objectness;
        if (place->c || (m.c != 1 && m.c != 4 && m.c != 10))
            return false;
        *place = m;
    }
    return fv_head_classes(head, 1) && fv_levels_settle(head, levels);
}

static bool find_yunet(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    if (seen->n_out % 4 || !find_by_channels(seen, head, levels, 1))
        return false;
    for (int i = 0; i < levels->n; i++) {
        const fv_level *l = &levels->v[i];
        if (!l->score.c || !l->objectness.c || !l->box.c || !l->point.c)
            return false;
    }
    return levels->n * 4 == seen->n_out;
}

static bool find_scrfd(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    if (!find_by_channels(seen, head, levels, 2))
        return false;
    for (int i = 0; i < levels->n; i++) {
        const fv_level *l = &levels->v[i];
        if (!l->score.c || l->objectness.c || !l->box.c || l->point.c != levels->v[0].point.c)
            return false;
    }
    return levels->n > 1;
}

enum { PRIORS = 2 };
static const float prior_size[][PRIORS] = {{16, 32}, {64, 128}, {256, 512}};

// Levels of one prior size each: cells of one size are every second one.
static bool find_retinaface(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    fv_cells box = {0}, score = {0}, point = {0};
    for (int i = 0; i < seen->n_out; i++) {
        fv_cells m;
        if (seen->out[i].n_dims > 3 || !fv_cells_rows(&seen->out[i], &m))
            return false;
        *(m.c == 4 ? &box : m.c == 10 ? &point : &score) = m;
    }
    fv_head grid = {.n_strides = 3, .stride = {8, 16, 32}};
    fv_levels parts = {0};
    if (seen->n_out != 3 || box.c != 4 || point.c != 10 || score.c != 2 || box.n != score.n ||
        box.n != point.n || !fv_head_grid(seen, &grid, box.n, PRIORS) ||
        !fv_levels_split(seen, &grid, &box, PRIORS, &parts) || !fv_head_classes(head, 1))
        return false;
    int64_t first = 0;
    for (int i = 0; i < parts.n * PRIORS; i++) {
        const fv_level *part = &parts.v[i / PRIORS];
        int64_t n = part->box.n / PRIORS, from = first + i % PRIORS;
        fv_level *l = fv_level_add(levels);
        l->w = part->w, l->h = part->h, l->stride = part->stride;
        l->anchor[0] = l->anchor[1] = prior_size[i / PRIORS][i % PRIORS];
        fv_cells *to[] = {&l->box, &l->score, &l->point};
        const fv_cells *whole[] = {&box, &score, &point};
        for (int k = 0; k < 3; k++) {
            *to[k] = fv_cells_range(whole[k], from, n);
            to[k]->cell *= PRIORS;
        }
        l->score = fv_cells_channels(&l->score, 1, 1);
        if (i % PRIORS == PRIORS - 1)
            first += part->box.n;
    }
    head->n_strides = 3;
    for (int i = 0; i < 3; i++)
        head->stride[i] = grid.stride[i];
    return true;
}

static void box_yunet(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride;
    const fv_cells *m = &l->box;
    fv_grid_place(l, i, &x, &y);
    fv_box_from_centre((x + fv_cell(m, i, 0)) * s, (y + fv_cell(m, i, 1)) * s,
                       expf(fv_cell(m, i, 2)) * s, expf(fv_cell(m, i, 3)) * s, b);
}

static void box_scrfd(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride;
    const fv_cells *m = &l->box;
    fv_grid_place(l, i, &x, &y);
    b[0] = (x - fv_cell(m, i, 0)) * s;
    b[1] = (y - fv_cell(m, i, 1)) * s;
    b[2] = (x + fv_cell(m, i, 2)) * s;
    b[3] = (y + fv_cell(m, i, 3)) * s;
}

// Prior boxes with the variances 0.1 and 0.2 of SSD (Liu et al. 2016).
static void box_prior(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                      float b[4]) {
    (void)seen, (void)head;
    float x, y, s = (float)l->stride, size = l->anchor[0];
    const fv_cells *m = &l->box;
    fv_grid_place(l, i, &x, &y);
    fv_box_from_centre((x + 0.5f) * s + fv_cell(m, i, 0) * 0.1f * size,
                       (y + 0.5f) * s + fv_cell(m, i, 1) * 0.1f * size,
                       size * expf(fv_cell(m, i, 2) * 0.2f), size * expf(fv_cell(m, i, 3) * 0.2f),
                       b);
}

static void point_grid(const fv_level *l, int64_t i, int k, float p[2]) {
    float x, y, s = (float)l->stride;
    fv_grid_place(l, i, &x, &y);
    p[0] = (x + fv_cell(&l->point, i, 2 * k)) * s;
    p[1] = (y + fv_cell(&l->point, i, 2 * k + 1)) * s;
}

static void point_prior(const fv_level *l, int64_t i, int k, float p[2]) {
    float x, y, s = (float)l->stride, size = l->anchor[0];
    fv_grid_place(l, i, &x, &y);
    p[0] = (x + 0.5f) * s + fv_cell(&l->point, i, 2 * k) * 0.1f * size;
    p[1] = (y + 0.5f) * s + fv_cell(&l->point, i, 2 * k + 1) * 0.1f * size;
}

static float score_yunet(float objectness, float best) {
    return sqrtf(fminf(fmaxf(objectness, 0), 1) * fminf(fmaxf(best, 0), 1));
}

#define CORNER .fit = FV_FIT_LETTERBOX_TOP_LEFT
#define HALF .mean = {127.5f, 127.5f, 127.5f}, .scale = {1 / 128.f, 1 / 128.f, 1 / 128.f}

const fv_head_row fv_head_rows_face[] = {
    {"yunet",
     "class, objectness, box and five landmarks at three strides",
     find_yunet, score_yunet, box_yunet, point_grid, false,
     {CORNER, FV_INPUT_BGR_RAW}, 0.6f},
    {"scrfd",
     "score, distances and landmarks of two boxes a cell at three strides",
     find_scrfd, fv_score_class, box_scrfd, point_grid, false,
     {CORNER, HALF}, 0.5f},
    {"retinaface",
     "boxes [1, N, 4], scores [1, N, 2] and landmarks [1, N, 10] of two prior boxes a cell",
     find_retinaface, fv_score_class, box_prior, point_prior, false,
     {CORNER, .bgr = true, .mean = {104, 117, 123}, .scale = {1, 1, 1}}, 0.5f},
    {0},
};
