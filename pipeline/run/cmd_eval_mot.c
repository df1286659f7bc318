#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/run/cmd.h"
#include "pipeline/vision/mot_score.h"

typedef struct {
    const char *truth;
    char **results;
    int n_results;
    bool second_half, json;
} arguments;

static bool take_arguments(arguments *a, int argc, char **argv, fv_err *err) {
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--gt") && i + 1 < argc)
            a->truth = argv[++i];
        else if (!strcmp(argv[i], "--frames") && i + 1 < argc &&
                 !strcmp(argv[i + 1], "second-half"))
            a->second_half = true, i++;
        else if (!strcmp(argv[i], "--json"))
            a->json = true;
        else if (!strcmp(argv[i], "--result") && i + 1 < argc) {
            a->results = argv + i + 1;
            while (i + 1 < argc && strncmp(argv[i + 1], "--", 2))
                a->n_results++, i++;
        } else
            return fv_fail(err, FV_BAD_INPUT, "'%s' is not an option, or its value is missing",
                           argv[i]);
    }
    return (a->truth && a->n_results) ||
           fv_fail(err, FV_BAD_INPUT, "give --gt DIR and --result FILE...");
}

// "out/MOT17-04-FRCNN.txt" -> "MOT17-04-FRCNN".
static void name_of(const char *file, char *name, size_t size) {
    const char *slash = strrchr(file, '/'), *start = slash ? slash + 1 : file,
               *dot = strrchr(start, '.');
    snprintf(name, size, "%.*s", dot && dot > start ? (int)(dot - start) : (int)strlen(start),
             start);
}

// DIR is one sequence, or holds DIR/NAME; of a NAME like MOT17-04-FRCNN the detector may be missing
// there.
static bool find_sequence(const char *dir, const char *name, char *path, size_t size, fv_err *err) {
    char file[4200];
    const char *dash = strrchr(name, '-');
    const int lengths[] = {0, (int)strlen(name), dash ? (int)(dash - name) : 0};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        snprintf(path, size, "%s%s%.*s", dir, lengths[i] ? "/" : "", lengths[i], name);
        snprintf(file, sizeof file, "%s/gt/gt.txt", path);
        if (!access(file, R_OK))
            return true;
    }
    return fv_fail(err, FV_BAD_INPUT,
                   "no ground truth for %s: neither %s/gt/gt.txt nor %s/%s/gt/gt.txt is there; "
                   "name the result after its sequence",
                   name, dir, dir, name);
}

static bool score_file(const arguments *a, const char *result_path, const char *name,
                       fv_mot_sums *sums, fv_err *err) {
    char dir[4096], path[4200];
    fv_mot_rows truth = {0}, result = {0};
    if (!find_sequence(a->truth, name, dir, sizeof dir, err))
        return false;
    snprintf(path, sizeof path, "%s/gt/gt.txt", dir);
    bool ok = fv_mot_read(path, &truth, err) && fv_mot_read(result_path, &result, err);
    if (ok && a->second_half) {
        fv_mot_sequence sequence;
        snprintf(path, sizeof path, "%s/seqinfo.ini", dir);
        ok = fv_mot_read_sequence(path, &sequence, err);
        fv_mot_cut(&truth, fv_mot_second_half(&sequence), INT_MAX);
        fv_mot_cut(&result, fv_mot_second_half(&sequence), INT_MAX);
    }
    if (ok) {
        fv_mot_prepare(&truth, &result);
        ok = fv_mot_score(&truth, &result, sums, err) || fv_fail_in(err, "%s", result_path);
    }
    fv_mot_finish(&truth);
    fv_mot_finish(&result);
    return ok;
}

static void print_head(const arguments *a) {
    if (!a->json)
        printf("%-16s %6s %6s %6s %6s %6s %6s %6s %6s %6s %6s %4s %4s %4s %4s %6s %6s %5s %5s\n",
               "sequence", "MOTA", "MOTP", "IDF1", "IDP", "IDR", "HOTA", "DetA", "AssA", "Rcll",
               "Prcn", "GT", "MT", "PT", "ML", "FP", "FN", "IDSW", "FM");
}

static void print_row(const arguments *a, const char *name, const fv_mot_sums *s) {
    fv_mot_rates r = fv_mot_rate(s);
    if (a->json) {
        printf("{\"sequence\":\"%s\",\"mota\":%.6f,\"motp\":%.6f,\"idf1\":%.6f,\"idp\":%.6f,"
               "\"idr\":%.6f,\"hota\":%.6f,\"deta\":%.6f,"
               "\"assa\":%.6f,\"recall\":%.6f,\"precision\":%.6f,\"objects\":%d,\"mt\":%d,\"pt\":%"
               "d,\"ml\":%d,\"fp\":%lld,\"fn\":%lld,"
               "\"idsw\":%lld,\"fm\":%lld,\"boxes\":%lld}\n",
               name, r.mota, r.motp, r.idf1, r.idp, r.idr, r.hota, r.deta, r.assa, r.recall,
               r.precision, s->objects, s->mt, s->pt, s->ml, (long long)s->fp, (long long)s->fn,
               (long long)s->idsw, (long long)s->fm, (long long)s->truths);
        return;
    }
    const double rates[] = {r.mota, r.motp, r.idf1, r.idp,    r.idr,
                            r.hota, r.deta, r.assa, r.recall, r.precision};
    printf("%-16s", name);
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        printf(" %6.2f", 100 * rates[i]);
    printf(" %4d %4d %4d %4d %6lld %6lld %5lld %5lld\n", s->objects, s->mt, s->pt, s->ml,
           (long long)s->fp, (long long)s->fn, (long long)s->idsw, (long long)s->fm);
}

int fv_cmd_eval_mot(int argc, char **argv) {
    arguments a = {0};
    fv_err err = {0};
    if (fv_cmd_help("eval", argc, argv))
        return 0;
    if (!take_arguments(&a, argc, argv, &err))
        return fv_cmd_usage("eval", err.text);
    fv_mot_sums total = {0}, sums;
    print_head(&a);
    for (int i = 0; i < a.n_results && !err.code; i++) {
        char name[256];
        name_of(a.results[i], name, sizeof name);
        if (!score_file(&a, a.results[i], name, &sums, &err))
            break;
        print_row(&a, name, &sums);
        fv_mot_add(&total, &sums);
    }
    if (err.code)
        fprintf(stderr, "fovea eval mot: %s\n", err.text);
    else if (a.n_results > 1)
        print_row(&a, "OVERALL", &total);
    return fv_err_exit_code(&err);
}
