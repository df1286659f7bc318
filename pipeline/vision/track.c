#include "pipeline/vision/track.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/assign.h"
#include "pipeline/vision/grow.h"
#include "pipeline/vision/kalman.h"
#include "pipeline/vision/track_camera.h"
#include "pipeline/vision/track_order.h"

enum { N_VOTES = 4, N_PAST = 4, MOMENTUM_FRAMES = 3 };
static const float same_place_iou = 0.8f;
static const float momentum_weight = 0.2f, other_class_weight = 0.5f, vote_memory = 0.95f;
static const float high_score_most = 0.6f, high_score_least = 0.15f, high_score_share = 0.7f,
                   score_memory = 0.99f;
static const int64_t default_step_ns = 1000000000 / 30;

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

enum { SEEN = 1 << FV_STATE_CONFIRMED, LOST = 1 << FV_STATE_LOST, YOUNG = 1 << FV_STATE_TENTATIVE };

typedef struct {
    unsigned states; // of the tracks that take part; 0 ends the list
    bool low, by_score, momentum, from_last_box;
} stage;

static const struct {
    stage stages[4];
    bool reupdate;
} methods[FV_N_TRACK_METHODS] = {
    [FV_TRACK_SORT] = {.stages = {{.states = SEEN | LOST | YOUNG}}},
    [FV_TRACK_BYTETRACK] = {.stages = {{.states = SEEN | LOST, .by_score = true},
                                       {.states = SEEN, .low = true},
                                       {.states = YOUNG, .by_score = true}}},
    [FV_TRACK_OCSORT] = {.stages = {{.states = SEEN | LOST | YOUNG, .momentum = true},
                                    {.states = SEEN | LOST | YOUNG, .from_last_box = true}},
                         .reupdate = true},
};

typedef struct {
    fv_box box;
    int tick;
} sight;

typedef struct {
    uint64_t id;
    fv_state state;
    bool fresh;            // matched in this update
    int age, hits, misses; // frames since birth; detections; updates since the last detection
    int64_t seen_ns;
    fv_object seen;          // the last detection
    fv_motion motion, saved; // now, and just after the last detection
    sight past[N_PAST];      // ring of the last detections
    float direction[2];      // unit vector of recent motion, 0 0 when unknown
    struct {
        int label;
        float weight;
    } vote[N_VOTES];
} track;

struct fv_tracker {
    fv_track_params params;
    track *tracks;
    int n;
    uint64_t last_id;
    int tick;                          // updates with detections
    int64_t now_ns, pts_ns;            // own clock, last time given
    float high_score, new_score;       // in force now
    float score_sum, score_square_sum; // of recent detections
    fv_assign *assign;
    fv_track_camera camera;
    fv_pair *pairs;
    int *order; // detections from left to right
    float widest;
    bool *taken;
    uint64_t *ids;        // per detection
    int *row, *row_match; // tracks of a stage
    fv_box *row_box;
    int tracks_capacity, pairs_capacity, order_capacity, taken_capacity, ids_capacity, row_capacity,
        row_match_capacity, row_box_capacity;
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

const uint64_t *fv_tracker_detection_ids(const fv_tracker *t) {
    return t->ids;
}

int fv_tracker_count(const fv_tracker *t) {
    return t->n;
}

// ---- time ---------------------------------------------------------------------------------------

static void advance(fv_tracker *t, int64_t pts_ns) {
    bool known = pts_ns != FV_TIME_NONE && t->pts_ns != FV_TIME_NONE && pts_ns > t->pts_ns;
    int64_t step = known ? pts_ns - t->pts_ns : default_step_ns;
    t->pts_ns = pts_ns;
    t->now_ns += step;
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

// ---- one track ----------------------------------------------------------------------------------

static void vote(track *k, int label, float score) {
    int weakest = 0, own = -1;
    for (int i = 0; i < N_VOTES; i++) {
        k->vote[i].weight *= vote_memory;
        if (k->vote[i].weight > 0 && k->vote[i].label == label)
            own = i;
        if (k->vote[i].weight < k->vote[weakest].weight)
            weakest = i;
    }
    if (own < 0)
        k->vote[own = weakest].label = label, k->vote[own].weight = 0;
    k->vote[own].weight += fmaxf(score, 1e-6f);
}

static int label_of(const track *k) {
    int best = 0;
    for (int i = 1; i < N_VOTES; i++)
        if (k->vote[i].weight > k->vote[best].weight)
            best = i;
    return k->vote[best].label;
}

// The detection that momentum is measured from: the oldest of the last three frames, else the last
// one there is.
static const fv_box *origin(const track *k, int tick) {
    const sight *found = NULL;
    for (int i = 0; i < N_PAST; i++) {
        const sight *s = &k->past[i];
        if (s->tick && s->tick >= tick - MOMENTUM_FRAMES && (!found || s->tick < found->tick))
            found = s;
    }
    return found ? &found->box : &k->seen.box;
}

static void direction(const fv_box *from, const fv_box *to, float out[2]) {
    float x = to->x + to->w / 2 - from->x - from->w / 2,
          y = to->y + to->h / 2 - from->y - from->h / 2, length = sqrtf(x * x + y * y);
    out[0] = length > 0 ? x / length : 0;
    out[1] = length > 0 ? y / length : 0;
}

// Observation-centric re-update: from the state at the last detection along a straight line to the
// new one, in as many equal steps as there were updates.
static void reupdate(fv_tracker *t, track *k, fv_box to) {
    int steps = k->misses + 1;
    double dt = (double)(t->now_ns - k->seen_ns) * 1e-9 / steps;
    fv_box from = k->seen.box;
    k->motion = k->saved;
    for (int i = 1; i < steps; i++) {
        float a = (float)i / (float)steps;
        fv_motion_predict(&k->motion, dt);
        fv_motion_update(&k->motion,
                         (fv_box){from.x + a * (to.x - from.x), from.y + a * (to.y - from.y),
                                  from.w + a * (to.w - from.w), from.h + a * (to.h - from.h)});
    }
    fv_motion_predict(&k->motion, dt);
}

static void see(fv_tracker *t, track *k, const fv_object *detection, int index) {
    if (k->hits && k->misses && methods[t->params.method].reupdate)
        reupdate(t, k, detection->box);
    if (k->hits) {
        direction(origin(k, t->tick), &detection->box, k->direction);
        fv_motion_update(&k->motion, detection->box);
    }
    k->past[k->hits % N_PAST] = (sight){detection->box, t->tick};
    k->saved = k->motion;
    k->seen = *detection;
    k->seen.detection = index;
    k->seen_ns = t->now_ns;
    k->hits++;
    k->misses = 0;
    k->fresh = true;
    vote(k, detection->label, detection->score);
}

// ---- stages -------------------------------------------------------------------------------------

static bool takes_part(const fv_tracker *t, const stage *s, const fv_object *d) {
    return s->low ? d->score >= t->params.low_score && d->score < t->high_score
                  : d->score >= t->high_score;
}

static float momentum(const fv_tracker *t, const track *k, const fv_object *d) {
    float to[2];
    direction(origin(k, t->tick), &d->box, to);
    float cosine = fmaxf(-1, fminf(1, k->direction[0] * to[0] + k->direction[1] * to[1]));
    return (float)(M_PI_2 - (double)acosf(cosine)) / (float)M_PI * d->score;
}

static float gain_of(const fv_tracker *t, const stage *s, const track *k, fv_box box,
                     const fv_object *d) {
    float iou = fv_box_iou(box, d->box),
          limit = s->low ? t->params.match_iou_low : t->params.match_iou;
    bool other_class = label_of(k) != d->label;
    if (iou <= 0 || iou < limit || (other_class && t->params.class_aware))
        return 0;
    float gain = s->by_score ? iou * d->score : iou;
    if (s->momentum)
        gain += momentum_weight * momentum(t, k, d);
    return fmaxf(gain, 1e-6f) * (other_class ? other_class_weight : 1);
}

static int offer_pairs(fv_tracker *t, const stage *s, const fv_objects *d, int rows) {
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

static void run_stage(fv_tracker *t, const stage *s, const fv_objects *d) {
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
        track *k = &t->tracks[t->row[r]];
        fv_motion before = k->motion;
        see(t, k, &d->v[j], j);
        t->taken[j] = true;
        if (k->state == FV_STATE_CONFIRMED)
            fv_track_camera_add(&t->camera, &before, &k->motion, d->v[j].box);
    }
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

static void settle(fv_tracker *t, track *k) {
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

static bool is_over(const fv_tracker *t, const track *k) {
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
        track *k = &t->tracks[t->n++];
        *k = (track){.state = FV_STATE_TENTATIVE};
        fv_motion_init(&k->motion, d->v[i].box);
        see(t, k, &d->v[i], i);
    }
}

// ---- output -------------------------------------------------------------------------------------

static bool is_shown(const fv_tracker *t, const track *k) {
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
        const track *k = &t->tracks[i];
        if (!is_shown(t, k))
            continue;
        fv_object o = k->seen;
        o.id = k->id;
        o.label = label_of(k);
        o.state = k->state;
        o.predicted = !k->fresh;
        o.age = k->age;
        o.box = fv_motion_box(&k->motion);
        if (!k->fresh) {
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
        for (const stage *s = methods[t->params.method].stages; s->states; s++) {
            run_stage(t, s, d);
            follow_camera(t);
        }
        begin_tracks(t, d);
        settle_all(t);
    }
    report(t, tracks);
}
