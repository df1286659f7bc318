#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <stddef.h>

static const float *moved(const float *v, int64_t by) {
    return v ? v + by : NULL;
}

fv_cells fv_cells_channels(const fv_cells *m, int64_t first, int64_t n) {
    return (fv_cells){moved(m->v, first * m->channel), m->n, n, m->cell, m->channel};
}

fv_cells fv_cells_range(const fv_cells *m, int64_t first, int64_t n) {
    return (fv_cells){moved(m->v, first * m->cell), n, m->c, m->cell, m->channel};
}

bool fv_cells_rows(const fv_tensor *t, fv_cells *m) {
    if (t->dtype != FV_F32 || t->n_dims < 2 || (t->n_dims > 2 && t->dim[0] != 1))
        return false;
    int64_t c = t->dim[t->n_dims - 1], total = fv_tensor_count(t);
    if (c < 1 || total < 1)
        return false;
    *m = (fv_cells){t->data, total / c, c, c, 1};
    return true;
}

bool fv_cells_columns(const fv_tensor *t, fv_cells *m) {
    if (t->dtype != FV_F32 || t->n_dims != 3 || t->dim[0] != 1 || t->dim[1] < 1 || t->dim[2] < 1)
        return false;
    *m = (fv_cells){t->data, t->dim[2], t->dim[1], 1, t->dim[2]};
    return true;
}

static int64_t cells_along(int64_t length, int64_t stride) {
    return (length + stride - 1) / stride;
}

static int stride_of(const fv_seen *seen, int64_t w, int64_t h) {
    for (int s = 4; s <= 128; s *= 2)
        if (cells_along(seen->width, s) == w && cells_along(seen->height, s) == h)
            return s;
    return 0;
}

bool fv_cells_map(const fv_seen *seen, const fv_tensor *t, fv_cells *m, int *w, int *h,
                  int *stride) {
    if (t->dtype != FV_F32 || t->n_dims != 4 || t->dim[0] != 1 || fv_tensor_count(t) < 1)
        return false;
    const int64_t *d = t->dim;
    bool planes = (*stride = stride_of(seen, d[3], d[2])) != 0;
    if (!planes && !(*stride = stride_of(seen, d[2], d[1])))
        return false;
    *w = (int)(planes ? d[3] : d[2]);
    *h = (int)(planes ? d[2] : d[1]);
    int64_t n = (int64_t)*w * *h;
    *m = planes ? (fv_cells){t->data, n, d[1], 1, n} : (fv_cells){t->data, n, d[3], d[3], 1};
    return true;
}

fv_level *fv_level_add(fv_levels *levels) {
    if (levels->n == FV_MAX_LEVELS)
        return NULL;
    fv_level *l = &levels->v[levels->n++];
    *l = (fv_level){.per_cell = 1, .spread = 1};
    return l;
}

static int64_t grid_cells(const fv_seen *seen, const int *stride, int n) {
    int64_t total = 0;
    for (int i = 0; i < n; i++)
        total += cells_along(seen->width, stride[i]) * cells_along(seen->height, stride[i]);
    return total;
}

bool fv_head_grid(const fv_seen *seen, fv_head *head, int64_t n, int per_cell) {
    static const struct {
        int n, stride[4];
    } sets[] = {
        {3, {8, 16, 32}}, {4, {8, 16, 32, 64}}, {4, {4, 8, 16, 32}}, {2, {16, 32}}, {2, {8, 16}}};
    if (head->n_strides)
        return grid_cells(seen, head->stride, head->n_strides) * per_cell == n;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++)
        if (grid_cells(seen, sets[i].stride, sets[i].n) * per_cell == n) {
            head->n_strides = sets[i].n;
            for (int k = 0; k < sets[i].n; k++)
                head->stride[k] = sets[i].stride[k];
            return true;
        }
    return false;
}

bool fv_levels_split(const fv_seen *seen, const fv_head *head, const fv_cells *m, int per_cell,
                     fv_levels *levels) {
    int64_t first = 0;
    for (int i = 0; i < head->n_strides; i++) {
        fv_level *l = fv_level_add(levels);
        if (!l)
            return false;
        l->stride = head->stride[i];
        l->w = (int)cells_along(seen->width, l->stride);
        l->h = (int)cells_along(seen->height, l->stride);
        l->per_cell = per_cell;
        int64_t n = (int64_t)l->w * l->h * per_cell;
        l->box = fv_cells_range(m, first, n);
        first += n;
    }
    return first == m->n;
}

bool fv_levels_settle(fv_head *head, fv_levels *levels) {
    for (int i = 1; i < levels->n; i++)
        for (int k = i; k > 0 && levels->v[k].stride < levels->v[k - 1].stride; k--) {
            fv_level swap = levels->v[k];
            levels->v[k] = levels->v[k - 1];
            levels->v[k - 1] = swap;
        }
    if (levels->n < 1 || levels->n > 8 || (head->n_strides && head->n_strides != levels->n))
        return false;
    for (int i = 0; i < levels->n; i++) {
        if (head->n_strides ? head->stride[i] != levels->v[i].stride
                            : i && levels->v[i].stride == levels->v[i - 1].stride)
            return false;
    }
    head->n_strides = levels->n;
    for (int i = 0; i < levels->n; i++)
        head->stride[i] = levels->v[i].stride;
    return true;
}

bool fv_head_classes(fv_head *head, int64_t n) {
    if (n < 1 || n > 1 << 16 || head->n_classes > n)
        return false;
    if (!head->n_classes)
        head->n_classes = (int)n;
    return true;
}

bool fv_head_anchors(fv_head *head, const float (*anchors)[2], int n) {
    if (!head->n_anchors && anchors && n <= FV_MAX_ANCHORS) {
        head->n_anchors = n;
        for (int i = 0; i < n; i++)
            head->anchor[i][0] = anchors[i][0], head->anchor[i][1] = anchors[i][1];
    }
    return head->n_anchors == n;
}

float fv_sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

float fv_score_class(float objectness, float best) {
    (void)objectness;
    return best;
}

float fv_score_product(float objectness, float best) {
    return objectness * fminf(best, 1);
}

float fv_score_logit(float objectness, float best) {
    (void)objectness;
    return fv_sigmoid(best);
}

float fv_score_logit_product(float objectness, float best) {
    return fv_sigmoid(objectness) * fv_sigmoid(best);
}

void fv_grid_place(const fv_level *l, int64_t i, float *x, float *y) {
    int64_t place = i / l->per_cell;
    *x = (float)(place % l->w);
    *y = (float)(place / l->w);
}

void fv_box_from_centre(float x, float y, float w, float h, float b[4]) {
    b[0] = x - w / 2;
    b[1] = y - h / 2;
    b[2] = x + w / 2;
    b[3] = y + h / 2;
}

void fv_box_centre(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                   float b[4]) {
    (void)seen, (void)head;
    const fv_cells *m = &l->box;
    fv_box_from_centre(fv_cell(m, i, 0), fv_cell(m, i, 1), fv_cell(m, i, 2), fv_cell(m, i, 3), b);
}

void fv_box_corners(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                    float b[4]) {
    (void)seen, (void)head;
    for (int k = 0; k < 4; k++)
        b[k] = fv_cell(&l->box, i, k);
}
