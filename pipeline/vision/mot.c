#include "pipeline/vision/mot.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/vision/assign.h"
#include "pipeline/vision/grow.h"

enum { MAX_FRAME = 10000000 };
static const unsigned ignored_classes = 1u << 2 | 1u << 7 | 1u << 8 | 1u << 12;

static int parse_numbers(const char *line, double *value, int max) {
    int n = 0;
    for (char *end; n < max; line = end) {
        value[n] = strtod(line, &end);
        if (end == line)
            break;
        n++;
        end += strspn(end, " \t\r\n");
        if (*end == ',')
            end++;
    }
    return n;
}

static bool parse_row(const char *line, fv_mot_row *row) {
    double v[10];
    int n = parse_numbers(line, v, 10);
    for (int i = 0; i < n; i++)
        if (!isfinite(v[i]) || fabs(v[i]) > 1e9)
            return false;
    if (n < 6 || v[0] < 1 || v[0] > MAX_FRAME || v[0] != floor(v[0]) || v[1] != floor(v[1]))
        return false;
    *row = (fv_mot_row){.frame = (int)v[0],
                        .id = (int64_t)v[1],
                        .x = v[2],
                        .y = v[3],
                        .w = v[4],
                        .h = v[5],
                        .score = n > 6 ? v[6] : 1,
                        .class_id = n == 9 ? (int)v[7] : FV_MOT_NO_CLASS};
    return true;
}

static bool in_order(const fv_mot_rows *rows) {
    for (int i = 1; i < rows->n; i++)
        if (rows->v[i].frame < rows->v[i - 1].frame)
            return false;
    return true;
}

// Merge sort by frame: keeps the file's order within a frame, on every system.
static void sort_rows(fv_mot_row *v, fv_mot_row *spare, int n) {
    if (n < 2)
        return;
    int half = n / 2, a = 0, b = half;
    sort_rows(v, spare, half);
    sort_rows(v + half, spare, n - half);
    for (int i = 0; i < n; i++)
        spare[i] = b == n || (a < half && v[a].frame <= v[b].frame) ? v[a++] : v[b++];
    memcpy(v, spare, sizeof v[0] * (size_t)n);
}

bool fv_mot_read(const char *path, fv_mot_rows *rows, fv_err *err) {
    *rows = (fv_mot_rows){0};
    FILE *f = fopen(path, "r");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: %s", path, strerror(errno));
    bool ok = fv_mot_read_rest(f, path, rows, err);
    fclose(f);
    return ok;
}

bool fv_mot_read_rest(FILE *f, const char *path, fv_mot_rows *rows, fv_err *err) {
    *rows = (fv_mot_rows){0};
    char line[1024];
    bool ok = true;
    int capacity = 0;
    for (int number = 1; ok && fgets(line, sizeof line, f); number++) {
        if (!line[strspn(line, " \t\r\n")])
            continue;
        FV_GROW(rows->v, capacity, rows->n + 1);
        if (parse_row(line, &rows->v[rows->n]))
            rows->n++;
        else
            ok = fv_fail(err, FV_BAD_INPUT,
                         "%s:%d: not a MOTChallenge line: need "
                         "frame,id,left,top,width,height[,score,...], frame from 1, whole ids",
                         path, number);
    }
    if (ok && ferror(f))
        ok = fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    if (ok && !in_order(rows)) {
        fv_mot_row *spare = NULL;
        int spare_capacity = 0;
        FV_GROW(spare, spare_capacity, rows->n);
        sort_rows(rows->v, spare, rows->n);
        free(spare);
    }
    if (!ok)
        fv_mot_finish(rows);
    return ok;
}

void fv_mot_finish(fv_mot_rows *rows) {
    free(rows->v);
    *rows = (fv_mot_rows){0};
}

bool fv_mot_read_sequence(const char *path, fv_mot_sequence *sequence, fv_err *err) {
    *sequence = (fv_mot_sequence){0};
    FILE *f = fopen(path, "r");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: %s", path, strerror(errno));
    char line[256];
    while (fgets(line, sizeof line, f)) {
        sscanf(line, "frameRate=%lf", &sequence->fps);
        sscanf(line, "seqLength=%d", &sequence->length);
        sscanf(line, "imWidth=%d", &sequence->width);
        sscanf(line, "imHeight=%d", &sequence->height);
    }
    fclose(f);
    return true;
}

void fv_mot_cut(fv_mot_rows *rows, int first, int last) {
    int n = 0;
    for (int i = 0; i < rows->n; i++)
        if (rows->v[i].frame >= first && rows->v[i].frame <= last)
            rows->v[n++] = rows->v[i];
    rows->n = n;
}

int fv_mot_second_half(const fv_mot_sequence *sequence) {
    return sequence->length / 2 + 2;
}

double fv_mot_iou(const fv_mot_row *a, const fv_mot_row *b) {
    double w = fmin(a->x + a->w, b->x + b->w) - fmax(a->x, b->x);
    double h = fmin(a->y + a->h, b->y + b->h) - fmax(a->y, b->y);
    return w <= 0 || h <= 0 ? 0 : w * h / (a->w * a->h + b->w * b->h - w * h);
}

void fv_mot_frame(const fv_mot_rows *rows, int frame, int *from, int *to) {
    *from = *to;
    while (*from < rows->n && rows->v[*from].frame < frame)
        ++*from;
    *to = *from;
    while (*to < rows->n && rows->v[*to].frame == frame)
        ++*to;
}

static bool is_ignored(const fv_mot_row *row) {
    return row->class_id >= 0 && row->class_id < 32 && ignored_classes >> row->class_id & 1;
}

static bool counts(const fv_mot_row *row) {
    return row->score != 0 &&
           (row->class_id == FV_MOT_NO_CLASS || row->class_id == FV_MOT_PEDESTRIAN);
}

typedef struct {
    fv_assign *assign;
    fv_pair *pairs;
    int *partner;
    int pairs_capacity, partner_capacity;
} matcher;

// The results of one frame that stay are moved to result->v[*kept...].
static void prepare_frame(matcher *m, const fv_mot_row *truth, int n_truth,
                          const fv_mot_row *result, int n_result, fv_mot_row *out, int *kept) {
    int n = 0;
    for (int i = 0; i < n_result; i++)
        for (int j = 0; j < n_truth; j++) {
            double iou = fv_mot_iou(&result[i], &truth[j]);
            if (iou < 0.5)
                continue;
            FV_GROW(m->pairs, m->pairs_capacity, n + 1);
            m->pairs[n++] = (fv_pair){i, j, 1000 + iou};
        }
    FV_GROW(m->partner, m->partner_capacity, n_result);
    fv_assign_solve(m->assign, m->pairs, n, n_result, n_truth, m->partner, NULL);
    for (int i = 0; i < n_result; i++)
        if (m->partner[i] < 0 || !is_ignored(&truth[m->partner[i]]))
            out[(*kept)++] = result[i];
}

void fv_mot_prepare(fv_mot_rows *truth, fv_mot_rows *result) {
    matcher m = {.assign = fv_assign_create()};
    int kept = 0, truth_from = 0, truth_to = 0;
    for (int from = 0, to = 0; from < result->n; from = to) {
        fv_mot_frame(result, result->v[from].frame, &from, &to);
        fv_mot_frame(truth, result->v[from].frame, &truth_from, &truth_to);
        prepare_frame(&m, truth->v + truth_from, truth_to - truth_from, result->v + from, to - from,
                      result->v, &kept);
    }
    result->n = kept;
    kept = 0;
    for (int i = 0; i < truth->n; i++)
        if (counts(&truth->v[i]))
            truth->v[kept++] = truth->v[i];
    truth->n = kept;
    fv_assign_destroy(&m.assign);
    free(m.pairs);
    free(m.partner);
}

void fv_mot_write(FILE *out, int frame, const fv_object *o) {
    fprintf(out, "%d,%llu,%.2f,%.2f,%.2f,%.2f,%.4g,-1,-1,-1\n", frame, (unsigned long long)o->id,
            (double)o->box.x, (double)o->box.y, (double)o->box.w, (double)o->box.h,
            (double)o->score);
}
