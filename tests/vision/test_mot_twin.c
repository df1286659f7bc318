// The scores again, slowly: definitions written down as they stand, every assignment tried. Nothing
// is shared with pipeline/vision/mot_score.c but the form of the rows.
//
// IDF1: Ristani et al. 2016. HOTA: Luiten et al. 2020, with the matching of its authors' TrackEval:
// a pair's weight is its overlap times how well the two identities fit over the whole sequence; and
// with the matching that the paper writes down, for each limit its own.
#include <stdlib.h>

#include "pipeline/vision/mot_score.h"
#include "tests/test.h"

enum { MAX_IDS = 64, MAX_FRAMES = 256, MAX_BOXES = 16, LIMITS = 19 };

typedef struct {
    int id; // 0 .. MAX_IDS - 1
    double x, y, w, h;
} box;

typedef struct {
    int n[MAX_FRAMES];
    box v[MAX_FRAMES][MAX_BOXES];
    int boxes[MAX_IDS]; // of an identity
    int n_ids, total;
} side;

typedef struct {
    side truth, result;
} sequence;

static double min2(double a, double b) {
    return a < b ? a : b;
}

static double overlap(const box *a, const box *b) {
    double w = min2(a->x + a->w, b->x + b->w) - (a->x > b->x ? a->x : b->x),
           h = min2(a->y + a->h, b->y + b->h) - (a->y > b->y ? a->y : b->y);
    return w > 0 && h > 0 ? w * h / (a->w * a->h + b->w * b->h - w * h) : 0;
}

static void put(side *s, int frame, box b) {
    s->v[frame][s->n[frame]++] = b;
    s->boxes[b.id]++;
    s->n_ids = b.id >= s->n_ids ? b.id + 1 : s->n_ids;
    s->total++;
}

// ---- the best of all assignments ----------------------------------------------------------------

typedef struct {
    int rows, columns;
    double weight[MAX_BOXES][MAX_BOXES]; // 0: not allowed
    int now[MAX_BOXES], best[MAX_BOXES];
    double most;
} trial;

static void try_row(trial *t, int row, unsigned used, double sum) {
    if (row == t->rows) {
        if (sum > t->most) {
            t->most = sum;
            memcpy(t->best, t->now, sizeof t->best);
        }
        return;
    }
    t->now[row] = -1;
    try_row(t, row + 1, used, sum);
    for (int j = 0; j < t->columns; j++)
        if (!(used >> j & 1) && t->weight[row][j] > 0) {
            t->now[row] = j;
            try_row(t, row + 1, used | 1u << j, sum + t->weight[row][j]);
        }
}

static void try_all(trial *t) {
    t->most = -1;
    try_row(t, 0, 0, 0);
}

// ---- IDF1 ---------------------------------------------------------------------------------------

// Most boxes that one-to-one partners of identities explain: over all sets of results in use.
static int explained(int shared[MAX_IDS][MAX_IDS], int truths, int results) {
    int *most = calloc((size_t)1 << truths, sizeof *most); // by the set of truths that are taken
    for (int j = 0; j < results; j++)
        for (int set = (1 << truths) - 1; set > 0; set--)
            for (int i = 0; i < truths; i++)
                if (set >> i & 1 && most[set & ~(1 << i)] + shared[i][j] > most[set])
                    most[set] = most[set & ~(1 << i)] + shared[i][j];
    int found = 0;
    for (int set = 0; set < 1 << truths; set++)
        found = most[set] > found ? most[set] : found;
    free(most);
    return found;
}

static double idf1(const sequence *s) {
    static int shared[MAX_IDS][MAX_IDS];
    memset(shared, 0, sizeof shared);
    for (int f = 0; f < MAX_FRAMES; f++)
        for (int i = 0; i < s->truth.n[f]; i++)
            for (int j = 0; j < s->result.n[f]; j++)
                shared[s->truth.v[f][i].id][s->result.v[f][j].id] +=
                    overlap(&s->truth.v[f][i], &s->result.v[f][j]) >= 0.5;
    return 2.0 * explained(shared, s->truth.n_ids, s->result.n_ids) /
           (s->truth.total + s->result.total);
}

// ---- HOTA ---------------------------------------------------------------------------------------

typedef struct {
    double hota, deta, assa;
} scores;

// How well two identities fit, TrackEval: overlaps, each in proportion to all that compete with it.
static void fit_of(const sequence *s, double fit[MAX_IDS][MAX_IDS]) {
    memset(fit, 0, sizeof(double[MAX_IDS][MAX_IDS]));
    for (int f = 0; f < MAX_FRAMES; f++)
        for (int i = 0; i < s->truth.n[f]; i++)
            for (int j = 0; j < s->result.n[f]; j++) {
                double row = 0, column = 0, own = overlap(&s->truth.v[f][i], &s->result.v[f][j]);
                for (int k = 0; k < s->result.n[f]; k++)
                    row += overlap(&s->truth.v[f][i], &s->result.v[f][k]);
                for (int k = 0; k < s->truth.n[f]; k++)
                    column += overlap(&s->truth.v[f][k], &s->result.v[f][j]);
                if (own > 0)
                    fit[s->truth.v[f][i].id][s->result.v[f][j].id] += own / (row + column - own);
            }
    for (int i = 0; i < s->truth.n_ids; i++)
        for (int j = 0; j < s->result.n_ids; j++)
            fit[i][j] /= s->truth.boxes[i] + s->result.boxes[j] - fit[i][j];
}

// The paper's A_max: association of two identities if all that could match did.
static void best_association(const sequence *s, double limit, double fit[MAX_IDS][MAX_IDS]) {
    memset(fit, 0, sizeof(double[MAX_IDS][MAX_IDS]));
    for (int f = 0; f < MAX_FRAMES; f++)
        for (int i = 0; i < s->truth.n[f]; i++)
            for (int j = 0; j < s->result.n[f]; j++)
                fit[s->truth.v[f][i].id][s->result.v[f][j].id] +=
                    overlap(&s->truth.v[f][i], &s->result.v[f][j]) >= limit;
    for (int i = 0; i < s->truth.n_ids; i++)
        for (int j = 0; j < s->result.n_ids; j++)
            fit[i][j] /= s->truth.boxes[i] + s->result.boxes[j] - fit[i][j];
}

// Times that two identities are matched at a limit.
static void match(const sequence *s, double limit, bool as_paper, double fit[MAX_IDS][MAX_IDS],
                  int times[MAX_IDS][MAX_IDS]) {
    static trial t;
    memset(times, 0, sizeof(int[MAX_IDS][MAX_IDS]));
    for (int f = 0; f < MAX_FRAMES; f++) {
        t.rows = s->truth.n[f], t.columns = s->result.n[f];
        for (int i = 0; i < t.rows; i++)
            for (int j = 0; j < t.columns; j++) {
                double own = overlap(&s->truth.v[f][i], &s->result.v[f][j]),
                       fits = fit[s->truth.v[f][i].id][s->result.v[f][j].id];
                double paper = own >= limit ? 1000 + fits + 1e-3 * own : 0;
                t.weight[i][j] = as_paper ? paper : own * fits;
            }
        try_all(&t);
        for (int i = 0; i < t.rows; i++)
            if (t.best[i] >= 0 &&
                overlap(&s->truth.v[f][i], &s->result.v[f][t.best[i]]) >= limit - 1e-12)
                times[s->truth.v[f][i].id][s->result.v[f][t.best[i]].id]++;
    }
}

static scores hota(const sequence *s, bool as_paper) {
    static double fit[MAX_IDS][MAX_IDS];
    static int times[MAX_IDS][MAX_IDS];
    scores sum = {0, 0, 0};
    fit_of(s, fit);
    for (int k = 1; k <= LIMITS; k++) {
        double tp = 0, association = 0;
        if (as_paper)
            best_association(s, 0.05 * k, fit);
        match(s, 0.05 * k, as_paper, fit, times);
        for (int i = 0; i < s->truth.n_ids; i++)
            for (int j = 0; j < s->result.n_ids; j++) {
                int tpa = times[i][j], fna = s->truth.boxes[i] - tpa,
                    fpa = s->result.boxes[j] - tpa;
                tp += tpa;
                for (int each = 0; each < tpa; each++) // the mean is over true positives
                    association += (double)tpa / (tpa + fna + fpa);
            }
        double fn = s->truth.total - tp, fp = s->result.total - tp, deta = tp / (tp + fn + fp),
               assa = tp > 0 ? association / tp : 0;
        sum.deta += deta / LIMITS;
        sum.assa += assa / LIMITS;
        sum.hota += sqrt(deta * assa) / LIMITS;
    }
    return sum;
}

// ---- sequences ----------------------------------------------------------------------------------

static unsigned seed;

static double roll(double low, double high) {
    seed = seed * 1664525u + 1013904223u;
    return low + (high - low) * (seed >> 8) / (1 << 24);
}

// Up to five objects that meet; results that tremble, are missing, change their ids, invent.
static void invent(sequence *s, unsigned number) {
    int names[8];
    memset(s, 0, sizeof *s);
    seed = number * 2654435761u + 1;
    int objects = 1 + (int)roll(0, 4.99), frames = 3 + (int)roll(0, 12);
    for (int i = 0; i < objects; i++)
        names[i] = i;
    for (int f = 0; f < frames; f++) {
        if (objects > 1 && roll(0, 1) < 0.2) {
            int a = (int)roll(0, objects - 0.01), b = (int)roll(0, objects - 0.01), was = names[a];
            names[a] = names[b], names[b] = was;
        }
        for (int i = 0; i < objects; i++) {
            box t = {i, 12 * i + (i % 2 ? 3.0 : -3.0) * f, 5 * i, 20, 30}, r = t;
            if (roll(0, 1) < 0.9)
                put(&s->truth, f, t);
            r.id = names[i];
            r.x += roll(-6, 6), r.y += roll(-6, 6), r.w += roll(-4, 4);
            if (roll(0, 1) < 0.85)
                put(&s->result, f, r);
        }
        if (roll(0, 1) < 0.3)
            put(&s->result, f, (box){5 + (int)roll(0, 1.99), roll(0, 60), roll(0, 30), 20, 30});
    }
}

static fv_mot_rows rows_of(const side *s) {
    fv_mot_rows rows = {0, calloc((size_t)s->total + 1, sizeof *rows.v)};
    for (int f = 0; f < MAX_FRAMES; f++)
        for (int i = 0; i < s->n[f]; i++) {
            const box *b = &s->v[f][i];
            rows.v[rows.n++] =
                (fv_mot_row){f + 1, b->id + 1, b->x, b->y, b->w, b->h, 1, FV_MOT_NO_CLASS};
        }
    return rows;
}

static fv_mot_rates rates_of(const sequence *s) {
    fv_mot_rows truth = rows_of(&s->truth), result = rows_of(&s->result);
    fv_mot_sums sums;
    fv_err err = {0};
    CHECK_OK(fv_mot_score(&truth, &result, &sums, &err), err);
    fv_mot_finish(&truth);
    fv_mot_finish(&result);
    return fv_mot_rate(&sums);
}

static void check_twins(const sequence *s) {
    fv_mot_rates fast = rates_of(s);
    scores slow = hota(s, false);
    CHECK_NEAR(fast.idf1, idf1(s), 1e-12);
    CHECK_NEAR(fast.hota, slow.hota, 1e-9);
    CHECK_NEAR(fast.deta, slow.deta, 1e-9);
    CHECK_NEAR(fast.assa, slow.assa, 1e-9);
}

static void random_sequences(void) {
    static sequence s;
    int scored = 0;
    double most = 0;
    for (unsigned i = 1; i <= 400; i++) {
        invent(&s, i);
        if (!s.truth.total || !s.result.total)
            continue;
        check_twins(&s);
        most = fmax(most, fabs(hota(&s, true).hota - hota(&s, false).hota));
        scored++;
    }
    CHECK(scored > 350);
    printf("     HOTA by the paper's own matching is within %.4f\n", most);
}

static int id_of(int64_t *ids, int *n, int64_t id) {
    for (int i = 0; i < *n; i++)
        if (ids[i] == id)
            return i;
    ids[*n] = id;
    return (*n)++;
}

static bool load(side *s, const char *name) {
    const char *path = fv_test_shared(name);
    int64_t ids[MAX_IDS];
    fv_mot_rows rows;
    fv_err err = {0};
    int n = 0;
    if (!path)
        return false;
    CHECK_OK(fv_mot_read(path, &rows, &err), err);
    for (int i = 0; i < rows.n; i++) {
        const fv_mot_row *r = &rows.v[i];
        put(s, r->frame - 1, (box){id_of(ids, &n, r->id), r->x, r->y, r->w, r->h});
    }
    fv_mot_finish(&rows);
    return true;
}

static void tud_sequences(void) {
    static sequence s;
    static const char *const names[] = {"TUD-Campus", "TUD-Stadtmitte"};
    for (int i = 0; i < 2; i++) {
        char gt[64], result[64];
        memset(&s, 0, sizeof s);
        snprintf(gt, sizeof gt, "mot/%s/gt/gt.txt", names[i]);
        snprintf(result, sizeof result, "mot/%s/tracker/py-motmetrics_test.txt", names[i]);
        if (!load(&s.truth, gt) || !load(&s.result, result))
            return;
        check_twins(&s);
        double as_trackeval = hota(&s, false).hota, as_paper = hota(&s, true).hota;
        CHECK_NEAR(as_trackeval, as_paper, 0.002);
        printf("     %s: HOTA %.6f, by the paper's own matching %.6f\n", names[i], as_trackeval,
               as_paper);
    }
}

const fv_suite mot_twin_suite = {
    "mot-twin", (const fv_case[]){CASE(random_sequences), CASE(tud_sequences), {0}}};
