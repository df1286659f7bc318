#include "pipeline/vision/mot_score.h"

#include <stdlib.h>

#include "tests/test.h"

static fv_mot_rows rows_of(const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/rows.txt", fv_test_tmp("mot"));
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    fv_mot_rows rows;
    fv_err err = {0};
    CHECK_OK(fv_mot_read(path, &rows, &err), err);
    return rows;
}

static fv_mot_sums score_texts(const char *truth_text, const char *result_text) {
    fv_mot_rows truth = rows_of(truth_text), result = rows_of(result_text);
    fv_mot_sums s;
    fv_err err = {0};
    fv_mot_prepare(&truth, &result);
    CHECK_OK(fv_mot_score(&truth, &result, &s, &err), err);
    fv_mot_finish(&truth);
    fv_mot_finish(&result);
    return s;
}

static void perfect_result(void) {
    const char *text = "1,1,0,0,10,10,1\n1,2,50,0,10,10,1\n2,1,1,0,10,10,1\n";
    fv_mot_sums s = score_texts(text, text);
    fv_mot_rates r = fv_mot_rate(&s);
    CHECK_NEAR(r.mota, 1, 0);
    CHECK_NEAR(r.motp, 1, 0);
    CHECK_NEAR(r.idf1, 1, 0);
    CHECK_NEAR(r.hota, 1, 1e-12);
    CHECK(s.mt == 2 && !s.fp && !s.fn && !s.idsw && !s.fm);
}

// One object, four frames; the result changes its id in the middle and misses nothing.
// TPA 2, FNA 2, FPA 0 for each of the four: AssA 1/2, DetA 1.
static void one_switch(void) {
    fv_mot_sums s = score_texts(
        "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n3,1,0,0,10,10,1\n4,1,0,0,10,10,1\n",
        "1,7,0,0,10,10,1\n2,7,0,0,10,10,1\n3,8,0,0,10,10,1\n4,8,0,0,10,10,1\n");
    fv_mot_rates r = fv_mot_rate(&s);
    CHECK_EQUAL(s.idsw, 1);
    CHECK_NEAR(r.mota, 0.75, 1e-12);
    CHECK_NEAR(r.idf1, 2 * 2.0 / 8, 1e-12);
    CHECK_NEAR(r.assa, 0.5, 1e-12);
    CHECK_NEAR(r.hota, sqrt(0.5), 1e-12);
}

// Seen, missed twice, seen: one fragmentation, no switch, tracked in half its frames; IoU 0.6
// passes 12 of the 19 limits.
static void gap_and_overlap(void) {
    fv_mot_sums s = score_texts(
        "1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n3,1,0,0,10,10,1\n4,1,0,0,10,10,1\n",
        "1,7,2.5,0,10,10,1\n4,7,2.5,0,10,10,1\n");
    CHECK(s.fm == 1 && s.idsw == 0 && s.fn == 2 && s.pt == 1);
    CHECK_NEAR(fv_mot_rate(&s).motp, 0.6, 1e-9);
    CHECK_NEAR(s.hota_tp[11], 2, 0);
    CHECK_NEAR(s.hota_tp[12], 0, 0);
    CHECK_NEAR(fv_mot_rate(&s).deta, 0.5 * 12 / 19, 1e-9);
}

// A pair of the past stays together while it overlaps by half, even where another result overlaps
// more.
static void past_pairs_stay(void) {
    fv_mot_sums s = score_texts("1,1,0,0,10,10,1\n2,1,0,0,10,10,1\n",
                                "1,7,0,0,10,10,1\n2,7,3,0,10,10,1\n2,8,0,0,10,10,1\n");
    CHECK(s.idsw == 0 && s.fp == 1);
}

// MOT17: a result on a distractor (class 8) is taken out, one on an unmarked pedestrian is a false
// positive only because its truth is gone; one on a marked pedestrian counts.
static void ignored_classes(void) {
    fv_mot_sums s = score_texts(
        "1,1,0,0,10,10,1,1,1\n1,2,50,0,10,10,0,8,1\n1,3,100,0,10,10,0,1,1\n1,4,150,0,10,10,0,3,1\n",
        "1,1,0,0,10,10,1\n1,2,50,0,10,10,1\n1,3,100,0,10,10,1\n1,4,150,0,10,10,1\n");
    CHECK_EQUAL(s.truths, 1);
    CHECK_EQUAL(s.results, 3);
    CHECK_EQUAL(s.tp, 1);
    CHECK_EQUAL(s.fp, 2);
}

static void bad_files_are_named(void) {
    fv_mot_rows rows;
    fv_err err = {0};
    CHECK_FAILS(fv_mot_read("/nonexistent/gt.txt", &rows, &err), err, "/nonexistent/gt.txt");
    const char *const bad[] = {"1,1,0,0,10,10\nhello\n", "1,1,0,0\n", "0,1,0,0,5,5\n",
                               "1,1,nan,0,5,5\n", "1,1.5,0,0,5,5\n", "1.5,1,0,0,5,5\n"};
    char path[512];
    snprintf(path, sizeof path, "%s/bad.txt", fv_test_tmp("mot-bad"));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        FILE *f = fopen(path, "w");
        fputs(bad[i], f);
        fclose(f);
        CHECK_FAILS(fv_mot_read(path, &rows, &err), err, i ? "bad.txt:1" : "bad.txt:2");
    }
    fv_mot_rows twice = rows_of("1,1,0,0,10,10,1\n1,1,5,0,10,10,1\n"), none = {0};
    fv_mot_sums sums;
    CHECK_FAILS(fv_mot_score(&none, &twice, &sums, &err), err, "id 1 twice in frame 1");
    fv_mot_finish(&twice);
    CHECK_OK(fv_mot_score(&none, &none, &sums, &err), err);
}

static void order_of_lines_does_not_matter(void) {
    fv_mot_rows rows = rows_of("3,1,0,0,1,1\n1,2,0,0,1,1\n2,3,0,0,1,1\n1,1,0,0,1,1\n");
    CHECK_EQUAL(rows.n, 4);
    CHECK(rows.v[0].id == 2 && rows.v[1].id == 1 && rows.v[2].frame == 2 && rows.v[3].frame == 3);
    fv_mot_finish(&rows);
}

typedef struct {
    const char *name;
    double idf1, idp, idr, recall, precision;
    int objects, mt, pt, ml, fp, fn, idsw, fm;
    double mota, distance;
} reference;

static void check_reference(const fv_mot_sums *s, const reference *e) {
    fv_mot_rates r = fv_mot_rate(s);
    const double got[] = {r.idf1, r.idp, r.idr, r.recall, r.precision, r.mota, 1 - r.motp};
    const double want[] = {e->idf1, e->idp, e->idr, e->recall, e->precision, e->mota, e->distance};
    for (int i = 0; i < 7; i++)
        CHECK_NEAR(got[i], want[i], 1e-6);
    CHECK(s->objects == e->objects && s->mt == e->mt && s->pt == e->pt && s->ml == e->ml);
    CHECK(s->fp == e->fp && s->fn == e->fn && s->idsw == e->idsw && s->fm == e->fm);
}

static bool score_shared(const char *name, fv_mot_sums *s) {
    char gt[128], result[128];
    snprintf(gt, sizeof gt, "mot/%s/gt/gt.txt", name);
    snprintf(result, sizeof result, "mot/%s/tracker/py-motmetrics_test.txt", name);
    const char *gt_path = fv_test_shared(gt), *result_path = fv_test_shared(result);
    fv_mot_rows truth, tracks;
    fv_err err = {0};
    if (!gt_path || !result_path)
        return false;
    CHECK_OK(fv_mot_read(gt_path, &truth, &err) && fv_mot_read(result_path, &tracks, &err), err);
    fv_mot_prepare(&truth, &tracks);
    CHECK_OK(fv_mot_score(&truth, &tracks, s, &err), err);
    fv_mot_finish(&truth);
    fv_mot_finish(&tracks);
    return true;
}

static void published_scores(void) {
    const reference expected[] = {
        {"TUD-Campus", 0.557659, 0.729730, 0.451253, 0.582173, 0.941441, 8, 1, 6, 1, 13, 150, 7, 7,
         0.526462, 0.277201},
        {"TUD-Stadtmitte", 0.644619, 0.819760, 0.531142, 0.608997, 0.939920, 10, 5, 4, 1, 45, 452,
         7, 6, 0.564014, 0.345904},
        {"both", 0.624296, 0.799176, 0.512211, 0.602640, 0.940268, 18, 6, 10, 2, 58, 602, 14, 13,
         0.555116, 0.330177},
    };
    fv_mot_sums total = {0};
    for (int i = 0; i < 2; i++) {
        fv_mot_sums s;
        if (!score_shared(expected[i].name, &s))
            return;
        check_reference(&s, &expected[i]);
        fv_mot_add(&total, &s);
    }
    check_reference(&total, &expected[2]);
}

const fv_suite mot_suite = {"mot", (const fv_case[]){CASE(perfect_result),
                                                     CASE(one_switch),
                                                     CASE(gap_and_overlap),
                                                     CASE(past_pairs_stay),
                                                     CASE(ignored_classes),
                                                     CASE(bad_files_are_named),
                                                     CASE(order_of_lines_does_not_matter),
                                                     CASE(published_scores),
                                                     {0}}};
