#include "pipeline/vision/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/track_priv.h"

static const float same_place_iou = 0.8f;
static const float high_score_most = 0.6f, high_score_least = 0.15f, high_score_share = 0.7f,
                   score_memory = 0.99f;
static const int64_t default_step_ns = 1000000000 / 30;
static const int gap_steps = 4;   // a gap is longer than so many usual steps
static const int step_memory = 8; // of the mean

const char *const fv_track_method_names[] = {"sort", "bytetrack", "ocsort", NULL};

const fv_option fv_track_options[] = {
    FV_OPTION_ENUM(fv_track_params, method, "method", fv_track_method_names, FV_TRACK_BYTETRACK,
                   "how detections become tracks"),
    FV_OPTION_FLOAT(fv_track_params, high_score, "high-score", 0, 1, 0,
                    "detections from here up are matched first; 0: 0.6, or less for a detector "
                    "with low scores"),
    FV_OPTION_FLOAT(fv_track_params, low_score, "low-score", 0, 1, 0.1,
                    "detections from here up may continue a track (bytetrack)"),
    FV_OPTION_FLOAT(fv_track_params, new_score, "new-score", 0, 1, 0,
                    "detections from here up may begin a track; 0: 7/6 of high-score"),
    FV_OPTION_FLOAT(fv_track_params, match_iou, "match-iou", 0, 1, 0.2,
                    "lowest overlap (IoU) of a match"),
    FV_OPTION_FLOAT(fv_track_params, match_iou_low, "match-iou-low", 0, 1, 0.5,
                    "the same for detections with a low score (bytetrack)"),
    FV_OPTION_INT(fv_track_params, confirm_hits, "confirm-hits", 1, 100, 2,
                  "detections in a row before an object gets its id"),
    FV_OPTION_TIME(fv_track_params, lost_ns, "lost", 0, 3600e9, 1e9,
                   "an object may be unseen this long and keep its id"),
    FV_OPTION_TIME(fv_track_params, show_lost_ns, "show-lost", 0, 3600e9, 0,
                   "an unseen object is still reported this long, at its predicted position"),
    FV_OPTION_BOOL(fv_track_params, camera_motion, "camera-motion", true,
                   "unseen objects go along when most others jump the same way"),
    FV_OPTION_BOOL(fv_track_params, class_aware, "class-aware", 0,
                   "never match an object with a detection of another class"),
    {0},
};

static const struct {
    fv_track_stage stages[4];
    bool reupdate;
} methods[FV_N_TRACK_METHODS] = {
    [FV_TRACK_SORT] = {.stages = {{.states = FV_TRACK_ALL}}},
    [FV_TRACK_BYTETRACK] = {.stages = {{.states = FV_TRACK_SEEN | FV_TRACK_LOST, .by_score = true},
                                       {.states = FV_TRACK_SEEN, .low = true},
                                       {.states = FV_TRACK_YOUNG, .by_score = true}}},
    [FV_TRACK_OCSORT] = {.stages = {{.states = FV_TRACK_ALL, .momentum = true},
                                    {.states = FV_TRACK_ALL, .from_last_box = true}},
                         .reupdate = true},
};

fv_tracker *fv_tracker_create(const fv_track_params *params, fv_err *err) {
    for (const fv_option *row = fv_track_options; row->name; row++) {
        const char *field = (const char *)params + row->offset;
        double v = row->type == FV_OPT_FLOAT  ? (double)*(const float *)field
                   : row->type == FV_OPT_TIME ? (double)*(const int64_t *)field
                   : row->type == FV_OPT_BOOL ? 0
                                              : *(const int *)field;
        double max = row->type == FV_OPT_ENUM   ? FV_N_TRACK_METHODS - 1
                     : row->type == FV_OPT_BOOL ? 1
                                                : row->max;
        if (!(v >= row->min && v <= max)) {
            fv_fail(err, FV_BAD_INPUT, "tracker: %s is %g; allowed are %g to %g", row->name, v,
                    row->min, max);
            return NULL;
        }
    }
    fv_tracker *t = calloc(1, sizeof *t);
    fv_assign *assign = fv_assign_create();
    if (!t || !assign) {
        fv_fail(err, FV_MEMORY, "tracker: out of memory");
        free(t);
        fv_assign_destroy(&assign);
        return NULL;
    }
    *t = (fv_tracker){.params = *params, .pts_ns = FV_TIME_NONE, .assign = assign};
    return t;
}

void fv_tracker_reset(fv_tracker *t) {
    t->n = t->tick = 0;
    t->pts_ns = FV_TIME_NONE;
}

void fv_tracker_destroy(fv_tracker **t) {
    if (!*t)
        return;
    fv_assign_destroy(&(*t)->assign);
    fv_track_camera_finish(&(*t)->camera);
    void *blocks[] = {(*t)->tracks, (*t)->pairs, (*t)->order,     (*t)->taken,
                      (*t)->ids,    (*t)->row,   (*t)->row_match, (*t)->row_box};
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        free(blocks[i]);
    free(*t);
    *t = NULL;
}

static void scale_box(fv_box *b, float x, float y) {
    *b = (fv_box){b->x * x, b->y * y, b->w * x, b->h * y};
}

static void scale_track(fv_track *k, float x, float y) {
    scale_box(&k->seen.box, x, y);
    k->shape = (fv_track_shape){k->shape.w * x, k->shape.h * y};
    for (int i = 0; i < FV_TRACK_PAST; i++)
        scale_box(&k->past[i].box, x, y);
    fv_motion_scale(&k->motion, (double)x, (double)y);
    fv_motion_scale(&k->saved, (double)x, (double)y);
}

void fv_tracker_set_picture(fv_tracker *t, int width, int height) {
    fv_track_picture now = {(float)width, (float)height}, before = t->picture;
    bool changed = now.width != before.width || now.height != before.height;
    t->picture = now;
    for (int i = 0; changed && before.width > 0 && now.width > 0 && i < t->n; i++)
        scale_track(&t->tracks[i], now.width / before.width, now.height / before.height);
}

const uint64_t *fv_tracker_detection_ids(const fv_tracker *t) {
    return t->ids;
}

int fv_tracker_count(const fv_tracker *t) {
    return t->n;
}

// ---- time ---------------------------------------------------------------------------------------

// Frames were missing for longer than an object may be unseen; in slow streams that is usual.
static bool is_gap(fv_tracker *t, int64_t step) {
    int64_t usual = t->step_ns ? t->step_ns : step;
    t->step_ns = usual + (step - usual) / step_memory;
    return step > t->params.lost_ns && step / gap_steps > usual;
}

static void advance(fv_tracker *t, int64_t pts_ns) {
    bool known = pts_ns != FV_TIME_NONE && t->pts_ns != FV_TIME_NONE && pts_ns > t->pts_ns;
    int64_t step = known ? pts_ns - t->pts_ns : default_step_ns;
    t->pts_ns = pts_ns;
    t->now_ns += step;
    if (known && is_gap(t, step))
        t->n = 0;
    for (int i = 0; i < t->n; i++) {
        fv_motion_predict(&t->tracks[i].motion, (double)step * 1e-9);
        t->tracks[i].age++;
        t->tracks[i].fresh = false;
    }
}

static void choose_scores(fv_tracker *t, const fv_objects *d) {
    t->score_sum *= score_memory;
    t->score_square_sum *= score_memory;
    for (int i = 0; i < d->n; i++) {
        float score = fmaxf(0, fminf(1, d->v[i].score));
        t->score_sum += score;
        t->score_square_sum += score * score;
    }
    float usual = t->score_sum > 0 ? t->score_square_sum / t->score_sum : 1;
    float high = fmaxf(high_score_least, fminf(high_score_most, high_score_share * usual));
    t->high_score = t->params.high_score > 0 ? t->params.high_score : high;
    t->new_score = t->params.new_score > 0 ? t->params.new_score : t->high_score * 7 / 6;
}

// What was not found moves with the camera.
static void follow_camera(fv_tracker *t) {
    fv_track_shift shift = fv_track_camera_take(&t->camera);
    for (int i = 0; i < t->n && t->params.camera_motion; i++) {
        fv_motion *m = &t->tracks[i].motion;
        if (t->tracks[i].fresh)
            continue;
        m->u.x += shift.x;
        m->v.x += shift.y;
        m->u.v += shift.rate_x;
        m->v.v += shift.rate_y;
    }
}

// ---- births and deaths --------------------------------------------------------------------------

static void settle(fv_tracker *t, fv_track *k) {
    if (!k->fresh) {
        k->misses++;
        if (k->state == FV_STATE_CONFIRMED)
            k->state = FV_STATE_LOST;
    } else if (k->state == FV_STATE_LOST) {
        k->state = FV_STATE_CONFIRMED;
    } else if (k->state == FV_STATE_TENTATIVE &&
               (k->hits >= t->params.confirm_hits || t->tick == 1)) {
        k->state = FV_STATE_CONFIRMED;
        k->id = ++t->last_id;
    }
}

static bool is_over(const fv_tracker *t, const fv_track *k) {
    return !k->fresh &&
           (k->state == FV_STATE_TENTATIVE || t->now_ns - k->seen_ns > t->params.lost_ns);
}

// Before anything is matched: a long gap in the stream must not bring back what was lost before it.
static void drop_expired(fv_tracker *t) {
    int n = 0;
    for (int i = 0; i < t->n; i++)
        if (t->tracks[i].state != FV_STATE_LOST || !is_over(t, &t->tracks[i]))
            t->tracks[n++] = t->tracks[i];
    t->n = n;
}

static void settle_all(fv_tracker *t) {
    int n = 0;
    for (int i = 0; i < t->n; i++) {
        settle(t, &t->tracks[i]);
        if (is_over(t, &t->tracks[i]))
            continue;
        if (t->tracks[i].fresh)
            t->ids[t->tracks[i].seen.detection] = t->tracks[i].id;
        if (n != i)
            t->tracks[n] = t->tracks[i];
        n++;
    }
    t->n = n;
}

// One object under two names: a detector that is not sure says "car" and "truck" of the same place.
static bool is_second_name(const fv_tracker *t, const fv_objects *d, int i) {
    if (t->params.class_aware)
        return false;
    for (int j = 0; j < d->n; j++) {
        bool stronger = t->taken[j] || d->v[j].score > d->v[i].score ||
                        (d->v[j].score == d->v[i].score && j < i);
        if (d->v[j].label != d->v[i].label && stronger &&
            fv_box_iou(d->v[i].box, d->v[j].box) >= same_place_iou)
            return true;
    }
    return false;
}

static void begin_tracks(fv_tracker *t, const fv_objects *d) {
    for (int i = 0; i < d->n; i++) {
        if (t->taken[i] || d->v[i].score < t->high_score || d->v[i].score < t->new_score)
            continue;
        if (is_second_name(t, d, i))
            continue;
        FV_GROW(t->tracks, t->tracks_capacity, t->n + 1);
        fv_track *k = &t->tracks[t->n];
        *k = (fv_track){.state = FV_STATE_TENTATIVE,
                        .birth = ++t->last_birth,
                        .whole = fv_track_find_whole(t, d, i)};
        t->n++;
        fv_motion_init(&k->motion, d->v[i].box);
        fv_track_see(t, k, d, i, false);
    }
}

// ---- output -------------------------------------------------------------------------------------

static bool is_shown(const fv_tracker *t, const fv_track *k) {
    return k->fresh || k->state != FV_STATE_LOST ||
           t->now_ns - k->seen_ns <= t->params.show_lost_ns;
}

static void put(fv_objects *tracks, const fv_object *o) {
    if (tracks->n < tracks->capacity) {
        tracks->v[tracks->n++] = *o;
        return;
    }
    int worst = 0;
    for (int i = 1; i < tracks->n; i++)
        if (tracks->v[i].score < tracks->v[worst].score)
            worst = i;
    if (tracks->n && tracks->v[worst].score < o->score) {
        memmove(tracks->v + worst, tracks->v + worst + 1,
                sizeof *o * (size_t)(tracks->n - worst - 1));
        tracks->v[tracks->n - 1] = *o;
    }
}

static void report(const fv_tracker *t, fv_objects *tracks) {
    tracks->n = 0;
    for (int i = 0; i < t->n; i++) {
        const fv_track *k = &t->tracks[i];
        if (!is_shown(t, k))
            continue;
        fv_object o = k->seen;
        o.id = k->id;
        o.label = fv_track_label(k);
        o.state = k->state;
        o.predicted = !k->fresh;
        o.age = k->age;
        o.box = fv_motion_box(&k->motion);
        if (k->fresh)
            o.box = fv_track_shape_clip(o.box, k->cut, t->picture);
        else {
            o.detection = -1;
            o.n_keypoints = 0;
        }
        put(tracks, &o);
    }
}

void fv_tracker_update(fv_tracker *t, const fv_objects *d, int64_t pts_ns, fv_objects *tracks) {
    advance(t, pts_ns);
    if (d) {
        t->tick++;
        FV_GROW(t->ids, t->ids_capacity, d->n + 1);
        FV_GROW(t->taken, t->taken_capacity, d->n + 1);
        FV_GROW(t->row, t->row_capacity, t->n);
        FV_GROW(t->row_match, t->row_match_capacity, t->n);
        FV_GROW(t->row_box, t->row_box_capacity, t->n);
        memset(t->ids, 0, sizeof t->ids[0] * (size_t)(d->n + 1));
        memset(t->taken, 0, sizeof t->taken[0] * (size_t)(d->n + 1));
        choose_scores(t, d);
        drop_expired(t);
        FV_GROW(t->order, t->order_capacity, d->n);
        t->widest = fv_track_order(d, t->order);
        for (const fv_track_stage *s = methods[t->params.method].stages; s->states; s++) {
            fv_track_run_stage(t, s, d, methods[t->params.method].reupdate);
            follow_camera(t);
        }
        fv_track_join_parts(t);
        begin_tracks(t, d);
        settle_all(t);
    }
    report(t, tracks);
}
