#include "pipeline/vision/mot_score.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/assign.h"
#include "pipeline/vision/grow.h"

enum { MAX_CELLS = 50000000 }; // pairs of identities

// Boxes of one side with identities numbered 0, 1, 2 ...
typedef struct {
    const fv_mot_rows *rows;
    int n_ids;
    int64_t *ids; // sorted
    int *who;     // identity of each row
    int *boxes;   // of each identity
} side;

// What CLEAR remembers of a true object.
typedef struct {
    int partner; // last result that it was matched with, -1: none yet
    int matched;
    bool lost;
} memory;

typedef struct {
    side truth, result;
    fv_assign *assign;
    fv_pair *pairs;
    int *partner; // per true box of the frame: the result box, -1: none
    bool *taken;
    int pairs_capacity, partner_capacity, taken_capacity;
} scorer;

// One frame of both sides.
typedef struct {
    int from, n, result_from, n_result;
} slice;

static int compare_ids(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static bool side_init(side *s, const fv_mot_rows *rows, const char *what, fv_err *err) {
    size_t n = (size_t)rows->n + 1;
    *s = (side){.rows = rows,
                .ids = malloc(n * sizeof *s->ids),
                .who = malloc(n * sizeof *s->who),
                .boxes = calloc(n, sizeof *s->boxes)};
    int *last = malloc(n * sizeof *last);
    for (int i = 0; i < rows->n; i++)
        s->ids[i] = rows->v[i].id, last[i] = 0;
    qsort(s->ids, (size_t)rows->n, sizeof s->ids[0], compare_ids);
    for (int i = 0; i < rows->n; i++)
        if (!i || s->ids[i] != s->ids[s->n_ids - 1])
            s->ids[s->n_ids++] = s->ids[i];
    bool ok = true;
    for (int i = 0; ok && i < rows->n; i++) {
        const fv_mot_row *r = &rows->v[i];
        int who = (int)((int64_t *)bsearch(&r->id, s->ids, (size_t)s->n_ids, sizeof s->ids[0],
                                           compare_ids) -
                        s->ids);
        if (last[who] == r->frame)
            ok = fv_fail(err, FV_BAD_INPUT,
                         "the %s has id %lld twice in frame %d; an id names one object", what,
                         (long long)r->id, r->frame);
        last[who] = r->frame;
        s->who[i] = who;
        s->boxes[who]++;
    }
    free(last);
    return ok;
}

static void side_finish(side *s) {
    free(s->ids);
    free(s->who);
    free(s->boxes);
}

static bool next_slice(const scorer *s, slice *f) {
    const fv_mot_rows *t = s->truth.rows, *r = s->result.rows;
    int a = f->from + f->n, b = f->result_from + f->n_result;
    if (a >= t->n && b >= r->n)
        return false;
    int frame = a >= t->n                                    ? r->v[b].frame
                : b >= r->n || t->v[a].frame < r->v[b].frame ? t->v[a].frame
                                                             : r->v[b].frame;
    *f = (slice){a, 0, b, 0};
    while (a + f->n < t->n && t->v[a + f->n].frame == frame)
        f->n++;
    while (b + f->n_result < r->n && r->v[b + f->n_result].frame == frame)
        f->n_result++;
    return true;
}

static double overlap(const scorer *s, const slice *f, int truth, int result) {
    return fv_mot_iou(&s->truth.rows->v[f->from + truth],
                      &s->result.rows->v[f->result_from + result]);
}

static void offer(scorer *s, int *n, int row, int column, double gain) {
    FV_GROW(s->pairs, s->pairs_capacity, *n + 1);
    s->pairs[(*n)++] = (fv_pair){row, column, gain};
}

static void keep_past_pairs(scorer *s, const slice *f, const memory *past) {
    for (int i = 0; i < f->n; i++) {
        int wanted = past[s->truth.who[f->from + i]].partner;
        for (int j = 0; wanted >= 0 && j < f->n_result; j++)
            if (s->result.who[f->result_from + j] == wanted && !s->taken[j] &&
                overlap(s, f, i, j) >= 0.5)
                s->partner[i] = j, s->taken[j] = true;
    }
}

static void pair_the_rest(scorer *s, const slice *f) {
    int n = 0, *partner = s->partner + f->n;
    for (int i = 0; i < f->n; i++)
        for (int j = 0; s->partner[i] < 0 && j < f->n_result; j++) {
            double iou = s->taken[j] ? 0 : overlap(s, f, i, j);
            if (iou >= 0.5)
                offer(s, &n, i, j, 1000 + iou);
        }
    fv_assign_solve(s->assign, s->pairs, n, f->n, f->n_result, partner, NULL);
    for (int i = 0; i < f->n; i++)
        if (partner[i] >= 0)
            s->partner[i] = partner[i];
}

static void remember(scorer *s, const slice *f, memory *past, fv_mot_sums *sums) {
    for (int i = 0; i < f->n; i++) {
        memory *m = &past[s->truth.who[f->from + i]];
        if (s->partner[i] < 0) {
            m->lost = m->matched > 0;
            continue;
        }
        int who = s->result.who[f->result_from + s->partner[i]];
        sums->tp++;
        sums->overlap += overlap(s, f, i, s->partner[i]);
        sums->idsw += m->partner >= 0 && m->partner != who;
        sums->fm += m->lost;
        *m = (memory){who, m->matched + 1, false};
    }
}

static void score_clear(scorer *s, fv_mot_sums *sums) {
    memory *past = calloc((size_t)s->truth.n_ids + 1, sizeof *past);
    for (int i = 0; i < s->truth.n_ids; i++)
        past[i].partner = -1;
    for (slice f = {0}; next_slice(s, &f);) {
        FV_GROW(s->partner, s->partner_capacity, 2 * f.n);
        FV_GROW(s->taken, s->taken_capacity, f.n_result);
        for (int i = 0; i < f.n; i++)
            s->partner[i] = -1;
        for (int j = 0; j < f.n_result; j++)
            s->taken[j] = false;
        keep_past_pairs(s, &f, past);
        pair_the_rest(s, &f);
        remember(s, &f, past, sums);
    }
    sums->fp = sums->results - sums->tp;
    sums->fn = sums->truths - sums->tp;
    sums->objects = s->truth.n_ids;
    for (int i = 0; i < s->truth.n_ids; i++) {
        bool mostly = past[i].matched >= 0.8 * s->truth.boxes[i],
             hardly = past[i].matched < 0.2 * s->truth.boxes[i];
        sums->mt += mostly;
        sums->ml += hardly;
        sums->pt += !mostly && !hardly;
    }
    free(past);
}

static void score_identities(scorer *s, fv_mot_sums *sums) {
    int columns = s->result.n_ids, n = 0;
    int *together = calloc((size_t)s->truth.n_ids * (size_t)columns + 1, sizeof *together);
    for (slice f = {0}; next_slice(s, &f);)
        for (int i = 0; i < f.n; i++)
            for (int j = 0; j < f.n_result; j++)
                if (overlap(s, &f, i, j) >= 0.5)
                    together[s->truth.who[f.from + i] * columns +
                             s->result.who[f.result_from + j]]++;
    for (int i = 0; i < s->truth.n_ids; i++)
        for (int j = 0; j < columns; j++)
            if (together[i * columns + j])
                offer(s, &n, i, j, together[i * columns + j]);
    FV_GROW(s->partner, s->partner_capacity, s->truth.n_ids);
    fv_assign_solve(s->assign, s->pairs, n, s->truth.n_ids, columns, s->partner, NULL);
    for (int i = 0; i < s->truth.n_ids; i++)
        if (s->partner[i] >= 0)
            sums->idtp += together[i * columns + s->partner[i]];
    free(together);
}

// How well two identities go together over the whole sequence: the soft Jaccard index that HOTA's
// assignment is weighted with.
static double *align(scorer *s) {
    int columns = s->result.n_ids, capacity = 0;
    double *aligned = calloc((size_t)s->truth.n_ids * (size_t)columns + 1, sizeof *aligned),
           *sum = NULL;
    for (slice f = {0}; next_slice(s, &f);) {
        FV_GROW(sum, capacity, f.n + f.n_result);
        for (int i = 0; i < f.n + f.n_result; i++)
            sum[i] = 0;
        for (int i = 0; i < f.n; i++)
            for (int j = 0; j < f.n_result; j++) {
                double iou = overlap(s, &f, i, j);
                sum[i] += iou;
                sum[f.n + j] += iou;
            }
        for (int i = 0; i < f.n; i++)
            for (int j = 0; j < f.n_result; j++) {
                double iou = overlap(s, &f, i, j);
                if (iou > 0)
                    aligned[s->truth.who[f.from + i] * columns +
                            s->result.who[f.result_from + j]] += iou /
                                                                 (sum[i] + sum[f.n + j] - iou);
            }
    }
    for (int i = 0; i < s->truth.n_ids; i++)
        for (int j = 0; j < columns; j++)
            aligned[i * columns + j] /= s->truth.boxes[i] + s->result.boxes[j] -
                                        aligned[i * columns + j];
    free(sum);
    return aligned;
}

// A match: which two identities (row and column of a table), and how well the boxes overlap.
typedef struct {
    int cell;
    double iou;
} meeting;

static int hota_frame(scorer *s, const slice *f, const double *aligned, meeting *out) {
    int n = 0, columns = s->result.n_ids, met = 0;
    for (int i = 0; i < f->n; i++)
        for (int j = 0; j < f->n_result; j++) {
            double iou = overlap(s, f, i, j);
            int cell = s->truth.who[f->from + i] * columns + s->result.who[f->result_from + j];
            if (iou > 0)
                offer(s, &n, i, j, iou * aligned[cell]);
        }
    FV_GROW(s->partner, s->partner_capacity, f->n);
    fv_assign_solve(s->assign, s->pairs, n, f->n, f->n_result, s->partner, NULL);
    for (int i = 0; i < f->n; i++) {
        int j = s->partner[i];
        if (j >= 0)
            out[met++] = (meeting){s->truth.who[f->from + i] * columns +
                                       s->result.who[f->result_from + j],
                                   overlap(s, f, i, j)};
    }
    return met;
}

static void hota_limit(const scorer *s, const meeting *met, int n, int limit, int *times,
                       fv_mot_sums *sums) {
    int columns = s->result.n_ids;
    memset(times, 0, sizeof *times * (size_t)s->truth.n_ids * (size_t)columns);
    for (int i = 0; i < n; i++)
        times[met[i].cell] += met[i].iou >= 0.05 * (limit + 1) - 1e-12;
    for (int i = 0; i < s->truth.n_ids; i++)
        for (int j = 0; j < columns; j++) {
            double m = times[i * columns + j];
            sums->hota_tp[limit] += m;
            sums->hota_association[limit] += m * m / (s->truth.boxes[i] + s->result.boxes[j] - m);
        }
}

static void score_hota(scorer *s, fv_mot_sums *sums) {
    size_t cells = (size_t)s->truth.n_ids * (size_t)s->result.n_ids;
    double *aligned = align(s);
    meeting *met = calloc((size_t)sums->truths + 1, sizeof *met);
    int *times = calloc(cells + 1, sizeof *times), n = 0;
    for (slice f = {0}; next_slice(s, &f);)
        n += hota_frame(s, &f, aligned, met + n);
    for (int k = 0; k < FV_HOTA_LIMITS; k++)
        hota_limit(s, met, n, k, times, sums);
    free(aligned);
    free(met);
    free(times);
}

static bool fits(const scorer *s, fv_err *err) {
    return (int64_t)s->truth.n_ids * s->result.n_ids <= MAX_CELLS ||
           fv_fail(err, FV_BAD_INPUT,
                   "%d true and %d found identities are too many to compare; are those tracks?",
                   s->truth.n_ids, s->result.n_ids);
}

bool fv_mot_score(const fv_mot_rows *truth, const fv_mot_rows *result, fv_mot_sums *sums,
                  fv_err *err) {
    *sums = (fv_mot_sums){.truths = truth->n, .results = result->n};
    scorer s = {0};
    bool ok = side_init(&s.truth, truth, "ground truth", err) &&
              side_init(&s.result, result, "result", err) && fits(&s, err);
    if (ok) {
        s.assign = fv_assign_create();
        score_clear(&s, sums);
        score_identities(&s, sums);
        score_hota(&s, sums);
        fv_assign_destroy(&s.assign);
    }
    side_finish(&s.truth);
    side_finish(&s.result);
    free(s.pairs);
    free(s.partner);
    free(s.taken);
    return ok;
}

void fv_mot_add(fv_mot_sums *total, const fv_mot_sums *m) {
    int64_t *const sums[] = {&total->truths, &total->results, &total->tp, &total->fp,
                             &total->fn,     &total->idsw,    &total->fm, &total->idtp};
    const int64_t more[] = {m->truths, m->results, m->tp, m->fp, m->fn, m->idsw, m->fm, m->idtp};
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++)
        *sums[i] += more[i];
    total->objects += m->objects;
    total->mt += m->mt;
    total->pt += m->pt;
    total->ml += m->ml;
    total->overlap += m->overlap;
    for (int k = 0; k < FV_HOTA_LIMITS; k++) {
        total->hota_tp[k] += m->hota_tp[k];
        total->hota_association[k] += m->hota_association[k];
    }
}

static double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

fv_mot_rates fv_mot_rate(const fv_mot_sums *s) {
    double truths = (double)s->truths, results = (double)s->results, tp = (double)s->tp,
           idtp = (double)s->idtp;
    fv_mot_rates r = {
        .mota = s->truths ? 1 - (double)(s->fn + s->fp + s->idsw) / truths : 0,
        .motp = ratio(s->overlap, tp),
        .recall = ratio(tp, truths),
        .precision = ratio(tp, results),
        .idf1 = ratio(2 * idtp, truths + results),
        .idp = ratio(idtp, results),
        .idr = ratio(idtp, truths),
    };
    for (int k = 0; k < FV_HOTA_LIMITS; k++) {
        double det = ratio(s->hota_tp[k], truths + results - s->hota_tp[k]),
               ass = ratio(s->hota_association[k], s->hota_tp[k]);
        r.deta += det / FV_HOTA_LIMITS;
        r.assa += ass / FV_HOTA_LIMITS;
        r.hota += sqrt(det * ass) / FV_HOTA_LIMITS;
    }
    return r;
}
