#include "pipeline/vision/head_rows.h"

#include <math.h>
#include <string.h>

// Two outputs over the same cells: boxes of four numbers and scores of each class.
typedef struct {
    fv_cells box, score;
    const char *box_name, *score_name;
} pair;

static bool is_boxes(const fv_tensor *t) {
    return t->n_dims >= 2 && t->n_dims <= 4 && t->dim[t->n_dims - 1] == 4;
}

static bool pair_of(const fv_seen *seen, pair *p, bool columns) {
    if (seen->n_out != 2)
        return false;
    int boxes =
        is_boxes(&seen->out[0]) && (!is_boxes(&seen->out[1]) ||
                                    !strstr(seen->out[0].name ? seen->out[0].name : "", "scores"))
            ? 0
            : 1;
    const fv_tensor *b = &seen->out[boxes], *s = &seen->out[1 - boxes];
    if (!is_boxes(b) || !fv_cells_rows(b, &p->box))
        return false;
    if (!(columns ? fv_cells_columns(s, &p->score) : s->n_dims <= 3 && fv_cells_rows(s, &p->score)))
        return false;
    p->box_name = b->name ? b->name : "";
    p->score_name = s->name ? s->name : "";
    return p->score.n == p->box.n;
}

static bool add_pair(fv_head *head, const pair *p, int64_t first, int64_t classes,
                     fv_levels *levels) {
    if (!fv_head_classes(head, classes))
        return false;
    fv_level *l = fv_level_add(levels);
    l->box = p->box;
    l->score = fv_cells_channels(&p->score, first, head->n_classes);
    return true;
}

static bool on_grid(const fv_seen *seen, int64_t n) {
    fv_head any = {0};
    return fv_head_grid(seen, &any, n, 1);
}

static bool says_detr(const pair *p) {
    return strstr(p->score_name, "logits") || strstr(p->box_name, "pred_boxes") ||
           strstr(p->box_name, "dets");
}

static bool find_ssd(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    if (!pair_of(seen, &p, false) || p.score.c < 2 ||
        (!seen->told && (on_grid(seen, p.box.n) || says_detr(&p))))
        return false;
    return add_pair(head, &p, 1, p.score.c - 1, levels);
}

// The prior boxes of RFB-320 and RFB-640: 3, 2, 2, 3 at the strides 8, 16, 32, 64.
static bool find_ultralight(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    static const int stride[] = {8, 16, 32, 64}, per_cell[] = {3, 2, 2, 3};
    int64_t n = 0;
    for (int i = 0; i < 4; i++)
        n += (int64_t)per_cell[i] * ((seen->width + stride[i] - 1) / stride[i]) *
             ((seen->height + stride[i] - 1) / stride[i]);
    pair p;
    return pair_of(seen, &p, false) && p.score.c == 2 && (seen->told || p.box.n == n) &&
           add_pair(head, &p, 1, 1, levels);
}

static bool find_yolov4_boxes(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    if (!pair_of(seen, &p, false))
        return false;
    const fv_tensor *t = seen->out[0].n_dims == 4 ? &seen->out[0] : &seen->out[1];
    return (seen->told || (t->n_dims == 4 && t->dim[2] == 1)) &&
           add_pair(head, &p, 0, p.score.c, levels);
}

static bool find_yolonas(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    return pair_of(seen, &p, false) && (seen->told || on_grid(seen, p.box.n)) &&
           add_pair(head, &p, 0, p.score.c, levels);
}

static bool find_ppyoloe(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    return pair_of(seen, &p, true) && (seen->told || on_grid(seen, p.box.n)) &&
           add_pair(head, &p, 0, p.score.c, levels);
}

// Softmax with "no object" as the last class. 100 queries (DETR itself); more, or "dets", are later kin with
// sigmoids.
static bool find_detr(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    if (!pair_of(seen, &p, false) || p.score.c < 2 ||
        (!seen->told && (!says_detr(&p) || strstr(p.box_name, "dets") || p.box.n > 100)) ||
        !add_pair(head, &p, 0, p.score.c - 1, levels))
        return false;
    levels->v[0].softmax = p.score;
    return true;
}

static bool find_detr_sigmoid(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    pair p;
    return pair_of(seen, &p, false) && (seen->told || says_detr(&p)) &&
           add_pair(head, &p, 0, p.score.c, levels);
}

// TensorFlow's boxes [1, K, 4], scores [1, K], classes [1, K]; a count may stand beside them.
static bool find_any_lists(const fv_seen *seen, fv_levels *levels) {
    fv_level l = {.per_cell = 1, .spread = 1};
    for (int i = 0; i < seen->n_out; i++) {
        const fv_tensor *t = &seen->out[i];
        const char *name = t->name ? t->name : "";
        fv_cells m;
        if (t->n_dims == 3 && t->dim[2] == 4 && !l.box.c && fv_cells_rows(t, &m))
            l.box = m;
        else if (t->n_dims == 2 && t->dim[0] == 1 && t->dtype == FV_F32 &&
                 (strstr(name, "score") || strstr(name, "class") || strstr(name, "label"))) {
            m = (fv_cells){t->data, t->dim[1], 1, 1, 1};
            *(strstr(name, "score") ? &l.score : &l.label) = m;
        }
    }
    if (!l.box.c || !l.score.c || !l.label.c || l.box.n != l.score.n || l.box.n != l.label.n)
        return false;
    *fv_level_add(levels) = l;
    return true;
}

static bool find_lists(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    (void)head;
    bool tensorflow = false;
    for (int i = 0; i < seen->n_out; i++)
        tensorflow |= seen->out[i].name && strstr(seen->out[i].name, "detection_");
    return (seen->told || tensorflow) && find_any_lists(seen, levels);
}

static bool find_corner_lists(const fv_seen *seen, fv_head *head, fv_levels *levels) {
    (void)head;
    return find_any_lists(seen, levels);
}

static void box_corner_fractions(const fv_seen *seen, const fv_head *head, const fv_level *l,
                                 int64_t i, float b[4]) {
    (void)head;
    for (int k = 0; k < 4; k++)
        b[k] = fv_cell(&l->box, i, k) * (float)(k % 2 ? seen->height : seen->width);
}

static void box_yx_fractions(const fv_seen *seen, const fv_head *head, const fv_level *l, int64_t i,
                             float b[4]) {
    (void)head;
    for (int k = 0; k < 4; k++)
        b[k] = fv_cell(&l->box, i, k ^ 1) * (float)(k % 2 ? seen->height : seen->width);
}

static void box_centre_fractions(const fv_seen *seen, const fv_head *head, const fv_level *l,
                                 int64_t i, float b[4]) {
    float w = (float)seen->width, h = (float)seen->height;
    fv_box_centre(seen, head, l, i, b);
    b[0] *= w, b[1] *= h, b[2] *= w, b[3] *= h;
}

#define STRETCH_127                                                                                \
    .fit = FV_FIT_STRETCH, .mean = {127, 127, 127}, .scale = {1 / 128.f, 1 / 128.f, 1 / 128.f}
#define STRETCH_UNIT .fit = FV_FIT_STRETCH, FV_INPUT_RGB_UNIT
#define STRETCH_IMAGENET .fit = FV_FIT_STRETCH, FV_INPUT_RGB_IMAGENET

const fv_head_row fv_head_rows_pair[] = {
    {"ultralight",
     "boxes [1, N, 4] x0 y0 x1 y1 as fractions, scores [1, N, 2] of background and face",
     find_ultralight, fv_score_class, box_corner_fractions, NULL, false,
     {STRETCH_127}, 0.6f},
    {"yolov4-boxes",
     "boxes [1, N, 1, 4] x0 y0 x1 y1 as fractions, class scores [1, N, classes]",
     find_yolov4_boxes, fv_score_class, box_corner_fractions, NULL, false,
     {STRETCH_UNIT}, 0},
    {"yolo-nas",
     "boxes [1, cells, 4] x0 y0 x1 y1 in pixels, class scores [1, cells, classes]",
     find_yolonas, fv_score_class, fv_box_corners, NULL, false,
     {.fit = FV_FIT_LETTERBOX, .pad = 114, FV_INPUT_RGB_UNIT}, 0},
    {"ppyoloe",
     "boxes [1, cells, 4] x0 y0 x1 y1 in pixels, class scores [1, classes, cells] (PP-YOLOE, "
     "PP-PicoDet)",
     find_ppyoloe, fv_score_class, fv_box_corners, NULL, false,
     {STRETCH_IMAGENET}, 0},
    {"detr",
     "logits [1, queries, classes + 1] under a softmax, boxes [1, queries, 4] cx cy w h as "
     "fractions",
     find_detr, fv_score_class, box_centre_fractions, NULL, true,
     {STRETCH_IMAGENET}, 0.5f},
    {"detr-sigmoid",
     "logits [1, queries, classes] under sigmoids, boxes [1, queries, 4] cx cy w h as fractions "
     "(RT-DETR, D-FINE, RF-DETR)",
     find_detr_sigmoid, fv_score_logit, box_centre_fractions, NULL, true,
     {STRETCH_UNIT}, 0.5f},
    {"ssd",
     "boxes [1, N, 4] x0 y0 x1 y1 as fractions, scores [1, N, 1 + classes] with the background "
     "first",
     find_ssd, fv_score_class, box_corner_fractions, NULL, false,
     {STRETCH_127}, 0},
    {"lists",
     "finished boxes [1, N, 4] y0 x0 y1 x1 as fractions, scores [1, N], classes [1, N]",
     find_lists, fv_score_class, box_yx_fractions, NULL, true,
     {.fit = FV_FIT_STRETCH, .scale = {1, 1, 1}}, 0},
    {"corner-lists",
     "finished boxes [1, N, 4] x0 y0 x1 y1 in pixels, scores, labels [1, N] (RT-DETR, D-FINE)",
     find_corner_lists, fv_score_class, fv_box_corners, NULL, true,
     {STRETCH_UNIT}, 0.5f},
    {0},
};
