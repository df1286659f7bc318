#include <math.h>

#include "pipeline/vision/track_priv.h"

static const float momentum_weight = 0.2f, other_class_weight = 0.5f, other_class_iou = 0.5f,
                   recovery_iou = 0.3f, missed_weight = 0.98f;

static bool takes_part(const fv_tracker *t, const fv_track_stage *s, const fv_object *d) {
    return s->low ? d->score >= t->params.low_score && d->score < t->high_score
                  : d->score >= t->high_score;
}

static float gain_of(const fv_tracker *t, const fv_track_stage *s, const fv_track *k, fv_box box,
                     const fv_object *d) {
    unsigned cut = fv_track_shape_cut(d->box, t->picture);
    float iou = fv_box_iou(fv_track_shape_clip(box, cut, t->picture), d->box),
          limit = s->low ? t->params.match_iou_low : t->params.match_iou;
    if (s->from_last_box)
        limit = fmaxf(limit, recovery_iou);
    bool other_class = fv_track_label(k) != d->label;
    if (other_class)
        limit = t->params.class_aware ? INFINITY : fmaxf(limit, other_class_iou);
    if (iou <= 0 || iou < limit)
        return 0;
    float gain = s->by_score ? iou * d->score : iou;
    if (s->momentum)
        gain += momentum_weight * fv_track_agreement(t, k, d->box) * d->score;
    return fmaxf(gain, 1e-6f) * (other_class ? other_class_weight : 1) *
           (k->misses ? missed_weight : 1);
}

static int offer_pairs(fv_tracker *t, const fv_track_stage *s, const fv_objects *d, int rows) {
    int n = 0;
    for (int r = 0; r < rows; r++) {
        fv_box box = t->row_box[r];
        for (int i = fv_track_order_find(d, t->order, box.x - t->widest);
             i < d->n && d->v[t->order[i]].box.x < box.x + box.w; i++) {
            int j = t->order[i];
            if (t->taken[j] || !takes_part(t, s, &d->v[j]))
                continue;
            float gain = gain_of(t, s, &t->tracks[t->row[r]], box, &d->v[j]);
            if (gain <= 0)
                continue;
            FV_GROW(t->pairs, t->pairs_capacity, n + 1);
            t->pairs[n++] = (fv_pair){r, j, (double)gain};
        }
    }
    return n;
}

void fv_track_run_stage(fv_tracker *t, const fv_track_stage *s, const fv_objects *d,
                        bool reupdate) {
    int rows = 0;
    for (int i = 0; i < t->n; i++) {
        if (t->tracks[i].fresh || !(s->states >> t->tracks[i].state & 1))
            continue;
        t->row_box[rows] = s->from_last_box ? t->tracks[i].seen.box
                                            : fv_motion_box(&t->tracks[i].motion);
        t->row[rows++] = i;
    }
    int n = offer_pairs(t, s, d, rows);
    fv_assign_solve(t->assign, t->pairs, n, rows, d->n, t->row_match, NULL);
    for (int r = 0; r < rows; r++) {
        int j = t->row_match[r];
        if (j < 0)
            continue;
        fv_track *k = &t->tracks[t->row[r]];
        fv_motion before = k->motion;
        fv_track_see(t, k, d, j, reupdate);
        t->taken[j] = true;
        if (k->state == FV_STATE_CONFIRMED)
            fv_track_camera_add(&t->camera, &before, &k->motion, k->seen.box);
    }
}

