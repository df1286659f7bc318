#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const fv_head_row *const groups[] = {fv_head_rows_face, fv_head_rows_point,
                                            fv_head_rows_pair, fv_head_rows_yolo,
                                            fv_head_rows_anchor};
enum { N_GROUPS = sizeof groups / sizeof *groups };

static const fv_head_row *row_at(int i) {
    for (int g = 0; g < N_GROUPS; g++)
        for (const fv_head_row *r = groups[g]; r->family; r++)
            if (i-- == 0)
                return r;
    return NULL;
}

static const fv_head_row *row_find(const char *family) {
    for (int i = 0; row_at(i); i++)
        if (!strcmp(row_at(i)->family, family))
            return row_at(i);
    return NULL;
}

const char *fv_head_family(int i, const char **sign) {
    const fv_head_row *row = i < 0 ? NULL : row_at(i);
    if (row && sign)
        *sign = row->sign;
    return row ? row->family : NULL;
}

bool fv_head_is_final(const fv_head *head) {
    const fv_head_row *row = row_find(head->family);
    return row && row->final;
}

float fv_head_threshold(const fv_head *head) {
    const fv_head_row *row = row_find(head->family);
    return row && row->threshold > 0 ? row->threshold : 0.25f;
}

// ---- what was seen, in words
// ---------------------------------------------------------------------

static void outputs_text(const fv_tensor *out, int n_out, char *text, size_t size) {
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; i < n_out && i < 12 && n < size; i++) {
        char shape[96];
        n += (size_t)snprintf(text + n, size - n, "%s%.40s %s", i ? ", " : "",
                              out[i].name ? out[i].name : "?",
                              fv_tensor_shape_text(&out[i], shape, sizeof shape));
    }
    if (n_out > 12 && n < size)
        snprintf(text + n, size - n, ", ...");
}

static void families_text(char *text, size_t size) {
    size_t n = 0;
    text[0] = 0;
    for (int i = 0; row_at(i) && n < size; i++)
        n += (size_t)snprintf(text + n, size - n, "%s%s", i ? " " : "", row_at(i)->family);
}

static bool not_recognised(const fv_tensor *out, int n_out, fv_err *err) {
    char seen[300], families[500];
    outputs_text(out, n_out, seen, sizeof seen);
    families_text(families, sizeof families);
    return fv_fail(
        err, FV_UNSUPPORTED,
        "no detection head is recognised in the outputs (%s); if it is one of these, say so in a "
        "YAML file named as the model: `head: {family: yolov8, classes: 80}`; families: %s",
        seen, families);
}

static bool does_not_fit(const fv_head *head, const fv_head_row *row, const fv_tensor *out,
                         int n_out, fv_err *err) {
    char seen[300];
    outputs_text(out, n_out, seen, sizeof seen);
    return fv_fail(
        err, FV_BAD_INPUT,
        "the outputs (%s) are not those of head '%s' (%s)%s; correct family, classes, anchors and "
        "strides "
        "in the model card",
        seen, row->family, row->sign,
        head->n_classes || head->n_anchors || head->n_strides ? " with what the card says" : "");
}

static bool unknown_family(const char *family, fv_err *err) {
    char families[500];
    families_text(families, sizeof families);
    return fv_fail(err, FV_BAD_INPUT, "unknown head family '%s'; the families are: %s", family,
                   families);
}

static bool is_sane(const fv_head *head, fv_err *err) {
    for (int i = 0; i < head->n_strides; i++)
        if (head->stride[i] < 1 || head->stride[i] > 1024)
            return fv_fail(err, FV_BAD_INPUT, "a stride of %d; strides are 1..1024 network pixels",
                           head->stride[i]);
    return (head->n_classes >= 0 && head->n_anchors >= 0 && head->n_anchors <= FV_MAX_ANCHORS &&
            head->n_strides >= 0 && head->n_strides <= 8 && head->reg_max >= 0 &&
            head->reg_max <= 256) ||
           fv_fail(err, FV_BAD_INPUT, "a head with %d classes, %d anchors, %d strides and %d bins",
                   head->n_classes, head->n_anchors, head->n_strides, head->reg_max);
}

// ---- recognition
// -----------------------------------------------------------------------------------

static bool input_size(const fv_tensor *in, int n_in, fv_input *input, fv_err *err) {
    char shape[96];
    const fv_tensor *t = in;
    if (n_in < 1 || t->n_dims != 4 || t->dim[0] != 1 || (t->dim[1] != 3 && t->dim[3] != 3))
        return fv_fail(
            err, FV_UNSUPPORTED,
            "input %s is %s; a detector's first input is one picture, 1x3xHxW or 1xHxWx3",
            n_in < 1 || !t->name ? "?" : t->name,
            n_in < 1 ? "missing" : fv_tensor_shape_text(t, shape, sizeof shape));
    input->nhwc = t->dim[1] != 3;
    int64_t h = t->dim[input->nhwc ? 1 : 2], w = t->dim[input->nhwc ? 2 : 3];
    if (w < 1 || h < 1 || w > 1 << 14 || h > 1 << 14)
        return fv_fail(err, FV_UNSUPPORTED,
                       "input %s is %s; give its width and height in the model card",
                       t->name ? t->name : "?", fv_tensor_shape_text(t, shape, sizeof shape));
    input->width = (int)w;
    input->height = (int)h;
    return true;
}

static void settle(const fv_head_row *row, const fv_tensor *out, int n_out, fv_head *head,
                   fv_input *input) {
    char shape[96], more[32] = "";
    if (n_out > 1)
        snprintf(more, sizeof more, " and %d more", n_out - 1);
    snprintf(head->family, sizeof head->family, "%s", row->family);
    snprintf(head->why, sizeof head->why, "%.60s %s%s: %s", out[0].name ? out[0].name : "output",
             fv_tensor_shape_text(&out[0], shape, sizeof shape), more, row->sign);
    fv_input size = *input;
    *input = row->input;
    input->width = size.width;
    input->height = size.height;
    input->nhwc = size.nhwc;
}

static bool row_fits(const fv_head_row *row, const fv_seen *seen, fv_head *head) {
    fv_head attempt = *head;
    fv_levels levels = {0};
    if (!row->find(seen, &attempt, &levels) || levels.n < 1)
        return false;
    *head = attempt;
    return true;
}

bool fv_head_recognise(const fv_tensor *in, int n_in, const fv_tensor *out, int n_out,
                       fv_head *head, fv_input *input, fv_err *err) {
    *input = (fv_input){0};
    if (!input_size(in, n_in, input, err) || !is_sane(head, err))
        return false;
    const fv_head_row *told = head->family[0] ? row_find(head->family) : NULL;
    if (head->family[0] && !told)
        return unknown_family(head->family, err);
    if (n_out < 1)
        return not_recognised(out, n_out, err);
    fv_seen seen = {.width = input->width, .height = input->height, .out = out, .n_out = n_out,
                    .input_name = in[0].name ? in[0].name : "", .told = told};
    for (int i = 0; row_at(i); i++)
        if ((!told || told == row_at(i)) && row_fits(row_at(i), &seen, head)) {
            settle(row_at(i), out, n_out, head, input);
            return true;
        }
    return told ? does_not_fit(head, told, out, n_out, err) : not_recognised(out, n_out, err);
}

const fv_head_row *fv_head_levels(const fv_head *head, const fv_seen *seen, fv_levels *levels,
                                  fv_err *err) {
    const fv_head_row *row = row_find(head->family);
    fv_head copy = *head;
    if (!is_sane(head, err))
        return NULL;
    if (!row)
        unknown_family(head->family, err);
    else if (!row->find(seen, &copy, levels) || levels->n < 1)
        does_not_fit(head, row, seen->out, seen->n_out, err);
    else
        return row;
    return NULL;
}

fv_seen fv_head_seen(const fv_input *input, const fv_tensor *out, int n_out) {
    return (fv_seen){.width = input->width, .height = input->height, .out = out, .n_out = n_out,
                     .input_name = "", .told = true};
}

bool fv_head_check(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                   fv_err *err) {
    fv_seen seen = fv_head_seen(input, out, n_out);
    fv_levels levels = {0};
    return fv_head_levels(head, &seen, &levels, err) != NULL;
}

// ---- the best objects, as a heap with the worst on top; `detection` holds the order of arrival
// ------

static bool worse(const fv_object *a, const fv_object *b) {
    return a->score != b->score ? a->score < b->score : a->detection > b->detection;
}

static void sink(fv_object *v, int n, int i) {
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && worse(&v[child + 1], &v[child]))
            child++;
        if (!worse(&v[child], &v[i]))
            return;
        fv_object swap = v[i];
        v[i] = v[child];
        v[child] = swap;
    }
}

static void keep(fv_objects *objects, const fv_object *o) {
    if (objects->n == objects->capacity) {
        if (objects->n && worse(&objects->v[0], o)) {
            objects->v[0] = *o;
            sink(objects->v, objects->n, 0);
        }
        return;
    }
    int i = objects->n++;
    for (; i > 0 && worse(o, &objects->v[(i - 1) / 2]); i = (i - 1) / 2)
        objects->v[i] = objects->v[(i - 1) / 2];
    objects->v[i] = *o;
}

static void best_first(fv_objects *objects) {
    for (int n = objects->n; n > 1; n--) {
        fv_object worst = objects->v[0];
        objects->v[0] = objects->v[n - 1];
        sink(objects->v, n - 1, 0);
        objects->v[n - 1] = worst;
    }
    for (int i = 0; i < objects->n; i++)
        objects->v[i].detection = -1;
}

// ---- the loop over cells
// ---------------------------------------------------------------------------

enum { BLOCK = 64 };

typedef struct {
    const fv_head_row *row;
    const fv_head *head;
    const fv_seen *seen;
    float threshold;
    fv_fit fit;
    fv_objects *objects;
    int arrived;
    float best[BLOCK];
    int label[BLOCK];
    bool open[BLOCK]; // the objectness leaves room for a score over the threshold
} scan;

static float probability(const fv_cells *m, int64_t i,
                         float best) { // softmax of channels; `best` is one of them
    float sum = 0;
    for (int64_t k = 0; k < m->c; k++)
        sum += expf(fv_cell(m, i, k) - best);
    return 1 / sum;
}

static void best_by_cell(scan *s, const fv_cells *m, int64_t first, int n) {
    for (int j = 0; j < n; j++) {
        if (!s->open[j])
            continue;
        const float *v = m->v + (first + j) * m->cell;
        for (int k = 1; k < (int)m->c; k++)
            if (v[k * m->channel] > s->best[j])
                s->best[j] = v[k * m->channel], s->label[j] = k;
    }
}

static void best_by_plane(scan *s, const fv_cells *m, int64_t first, int n) {
    for (int k = 1; k < (int)m->c; k++) {
        const float *v = m->v + first * m->cell + k * m->channel;
        for (int j = 0; j < n; j++) {
            s->label[j] = v[j] > s->best[j] ? k : s->label[j];
            s->best[j] = v[j] > s->best[j] ? v[j] : s->best[j];
        }
    }
}

static void find_best(scan *s, const fv_level *l, int64_t first, int n) {
    for (int j = 0; j < n; j++) {
        s->best[j] = fv_cell(&l->score, first + j, 0);
        s->label[j] = 0;
        s->open[j] = !l->objectness.c ||
                     s->row->score(fv_cell(&l->objectness, first + j, 0), INFINITY) >= s->threshold;
    }
    (l->score.cell == 1 ? best_by_plane : best_by_cell)(s, &l->score, first, n);
}

static fv_box to_source(fv_fit f, const float b[4]) {
    float x0 = (b[0] - f.offset_x) / f.scale_x, y0 = (b[1] - f.offset_y) / f.scale_y;
    float x1 = (b[2] - f.offset_x) / f.scale_x, y1 = (b[3] - f.offset_y) / f.scale_y;
    return (fv_box){x0, y0, x1 - x0, y1 - y0};
}

static void add_points(const scan *s, const fv_level *l, int64_t i, fv_object *o) {
    o->n_keypoints = (int)l->point.c / 2 < FV_N_KEYPOINTS ? (int)l->point.c / 2 : FV_N_KEYPOINTS;
    for (int k = 0; k < o->n_keypoints; k++) {
        float p[2];
        s->row->point(l, i, k, p);
        o->keypoint[k][0] = (p[0] - s->fit.offset_x) / s->fit.scale_x;
        o->keypoint[k][1] = (p[1] - s->fit.offset_y) / s->fit.scale_y;
    }
}

static void add_cell(scan *s, const fv_level *l, int64_t i, float best, int label) {
    if (l->softmax.c)
        best = probability(&l->softmax, i, best);
    float score = s->row->score(l->objectness.c ? fv_cell(&l->objectness, i, 0) : 1, best);
    if (!(score >= s->threshold))
        return;
    if (l->label.c) {
        float told = fv_cell(&l->label, i, 0);
        if (!(told >= 0 && told < 65536))
            return;
        label = (int)lrintf(told);
    }
    float b[4];
    s->row->box(s->seen, s->head, l, i, b);
    fv_object o = {
        .box = to_source(s->fit, b), .score = score, .label = label, .detection = s->arrived++};
    if (!(o.box.w > 0 && o.box.h > 0) || !isfinite(o.box.x + o.box.y + o.box.w + o.box.h))
        return;
    if (s->row->point && l->point.c)
        add_points(s, l, i, &o);
    keep(s->objects, &o);
}

static void scan_cells(scan *s, const fv_level *l, int64_t first, int n) {
    find_best(s, l, first, n);
    for (int j = 0; j < n; j++)
        if (s->open[j])
            add_cell(s, l, first + j, s->best[j], s->label[j]);
}

static void scan_level(scan *s, const fv_level *l) {
    for (int64_t first = 0; first < l->score.n; first += BLOCK)
        scan_cells(s, l, first, l->score.n - first < BLOCK ? (int)(l->score.n - first) : BLOCK);
}

// Cells are numbered through all levels.
static void scan_candidates(scan *s, const fv_levels *levels, const uint32_t *cell, int n) {
    int64_t first = 0;
    for (int i = 0, level = 0; i < n; i++) {
        while (cell[i] >= first + levels->v[level].score.n)
            first += levels->v[level++].score.n;
        scan_cells(s, &levels->v[level], cell[i] - first, 1);
    }
}

bool fv_head_decode_candidates(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                               const uint32_t *cell, int n_cells, float threshold, fv_fit fit,
                               fv_objects *objects, fv_err *err) {
    fv_seen seen = fv_head_seen(input, out, n_out);
    fv_levels levels = {0};
    objects->n = 0;
    const fv_head_row *row = fv_head_levels(head, &seen, &levels, err);
    if (!row)
        return false;
    scan s = {.row = row,
              .head = head,
              .seen = &seen,
              .threshold = threshold,
              .fit = fit,
              .objects = objects};
    if (cell)
        scan_candidates(&s, &levels, cell, n_cells);
    for (int i = 0; !cell && i < levels.n; i++)
        scan_level(&s, &levels.v[i]);
    best_first(objects);
    return true;
}

bool fv_head_decode(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                    float threshold, fv_fit fit, fv_objects *objects, fv_err *err) {
    return fv_head_decode_candidates(head, input, out, n_out, NULL, 0, threshold, fit, objects, err);
}
