// Which cells can reach a threshold, from the score formula of a family alone: it grows with both its arguments,
// so the least value of one is found by bisection with the other at its largest.
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/head_rows.h"

// Floats by their rank: 0 is 0, 1 the least above it, -1 the greatest below.
static float float_of_rank(int64_t rank) {
    uint32_t bits = rank < 0 ? 0x80000000u | (uint32_t)-rank : (uint32_t)rank;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

typedef struct {
    fv_score_rule score;
    float other, threshold;
    bool of_gate; // the gate is looked for, `other` is the score; else the other way round
} question;

static bool is_enough(const question *q, float x) {
    return (q->of_gate ? q->score(x, q->other) : q->score(q->other, x)) >= q->threshold;
}

// A little below the least value that is enough: a device's and the host's rounding may differ.
static float least(const question *q) {
    enum { LARGEST = 0x7f7fffff }; // the rank of FLT_MAX
    int64_t lo = -LARGEST, hi = LARGEST;
    if (!is_enough(q, FLT_MAX))
        return -INFINITY;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (is_enough(q, float_of_rank(mid)))
            hi = mid;
        else
            lo = mid + 1;
    }
    float x = float_of_rank(hi);
    return x - 1e-3f * (1 + fabsf(x));
}

// A probability p of a softmax of at least `p`: best - the largest of all is at least this.
static float least_margin(float p) {
    return p <= 0 ? -INFINITY : p >= 0.5f ? -1e-3f : logf(p / (1 - p)) - 1e-3f;
}

static void set_tests(const fv_head_row *row, const fv_level *l, float threshold, fv_cell_part *part) {
    float most = row->score(1, 1) == 1 ? 1.01f : INFINITY; // of probabilities, of logits
    float score = l->softmax.c ? 1.01f : most;
    part->least_gate = least(&(question){row->score, score, threshold, true});
    part->least_score = least(&(question){row->score, l->objectness.c ? most : 1, threshold, false});
    if (l->softmax.c)
        part->least_score = least_margin(part->least_score);
}

static fv_cell_matrix matrix_of(const fv_cells *m, const fv_tensor *out, int n_out) {
    for (int i = 0; m->c && i < n_out; i++) {
        const float *data = out[i].data;
        if (data <= m->v && m->v < data + fv_tensor_count(&out[i]))
            return (fv_cell_matrix){i, (int)m->c, m->v - data, m->cell, m->channel};
    }
    return (fv_cell_matrix){0};
}

static void describe(const fv_head_row *row, const fv_levels *levels, const fv_tensor *out, int n_out,
                     float threshold, fv_candidates *c) {
    for (c->n = 0; c->n < levels->n; c->n++) {
        const fv_level *l = &levels->v[c->n];
        const fv_cells *of[FV_CELL_MATRICES] = {&l->score, &l->objectness, &l->softmax, &l->box, &l->point, &l->label};
        fv_cell_part *part = &c->part[c->n];
        *part = (fv_cell_part){.n = l->score.n};
        for (int k = 0; k < FV_CELL_MATRICES; k++)
            part->matrix[k] = matrix_of(of[k], out, n_out);
        set_tests(row, l, threshold, part);
    }
}

bool fv_head_candidates(const fv_head *head, const fv_input *input, const fv_tensor *out, int n_out,
                        float threshold, fv_candidates *c, fv_err *err) {
    size_t total = 0, at = 0;
    for (int i = 0; i < n_out; i++)
        total += (size_t)fv_tensor_count(&out[i]);
    // Addresses to count from; nothing is read.
    float *block = calloc(total + 1, sizeof *block);
    fv_tensor *placed = calloc((size_t)n_out + 1, sizeof *placed);
    bool ok = (block && placed) || fv_fail(err, FV_MEMORY, "out of memory");
    for (int i = 0; ok && i < n_out; i++) {
        placed[i] = out[i];
        placed[i].data = block + at;
        at += (size_t)fv_tensor_count(&out[i]);
    }
    fv_levels levels = {0};
    fv_seen seen = fv_head_seen(input, placed, n_out);
    const fv_head_row *row = ok ? fv_head_levels(head, &seen, &levels, err) : NULL;
    if (row)
        describe(row, &levels, placed, n_out, threshold, c);
    free(block);
    free(placed);
    return row != NULL;
}
