#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"
#include "pipeline/vision/grow.h"
#include "pipeline/vision/mot.h"
#include "pipeline/vision/track.h"

typedef struct {
    fv_track_params params;
    const char *detections, *out, *frames;
    float fps;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, detections, "det", NULL, "detections in MOTChallenge form"),
    FV_OPTION_STRING(arguments, out, "out", NULL,
                     "where the tracks go; standard output without it"),
    FV_OPTION_STRING(arguments, frames, "frames", NULL,
                     "first-last, or second-half (needs seqinfo.ini)"),
    FV_OPTION_FLOAT(arguments, fps, "fps", 0, 1000, 0,
                    "frames a second; 0: as in seqinfo.ini, else 30"),
    {0},
};

static bool take_option(arguments *a, const char *name, const char *text, fv_err *err) {
    const fv_option *row = fv_option_find(rows, name);
    if (row)
        return fv_option_parse(a, row, text, err);
    row = fv_option_find(fv_track_options, name);
    if (row)
        return fv_option_parse(&a->params, row, text, err);
    const char *near = fv_name_nearest(name, fv_track_options, sizeof fv_track_options[0]);
    return fv_fail(err, FV_BAD_INPUT, "unknown option --%s%s%s", name,
                   near ? "; did you mean --" : "", near ? near : "");
}

static bool take_arguments(arguments *a, int argc, char **argv, fv_err *err) {
    for (int i = 1; i < argc; i += 2) {
        const char *name = !strcmp(argv[i], "-o")      ? "out"
                           : strncmp(argv[i], "--", 2) ? NULL
                                                       : argv[i] + 2;
        if (!name)
            return fv_fail(err, FV_BAD_INPUT, "'%s' is not an option", argv[i]);
        if (i + 1 >= argc)
            return fv_fail(err, FV_BAD_INPUT, "%s needs a value", argv[i]);
        if (!take_option(a, name, argv[i + 1], err))
            return false;
    }
    return a->detections || fv_fail(err, FV_BAD_INPUT, "which detections? give --det FILE");
}

// seqinfo.ini lies beside det/, so it is ../seqinfo.ini of the file's folder.
static bool read_sequence(const char *detections, fv_mot_sequence *sequence) {
    char path[4096];
    const char *slash = strrchr(detections, '/');
    snprintf(path, sizeof path, "%.*s../seqinfo.ini", slash ? (int)(slash - detections + 1) : 0,
             detections);
    return fv_mot_read_sequence(path, sequence, NULL);
}

static bool choose_frames(const arguments *a, const fv_mot_sequence *sequence, int *first,
                          int *last, fv_err *err) {
    if (!a->frames)
        return true;
    if (!strcmp(a->frames, "second-half")) {
        *first = fv_mot_second_half(sequence);
        return sequence->length > 0 ||
               fv_fail(err, FV_BAD_INPUT,
                       "--frames second-half needs seqLength in %s's ../seqinfo.ini",
                       a->detections);
    }
    char end;
    return (sscanf(a->frames, "%d-%d%c", first, last, &end) == 2 && *first <= *last) ||
           fv_fail(err, FV_BAD_INPUT,
                   "--frames %s: write first-last, for example 302-600, or second-half", a->frames);
}

static void track_frame(fv_tracker *t, const fv_mot_rows *rows_, int from, int to, int64_t pts_ns,
                        fv_objects *in, fv_objects *out) {
    in->n = 0;
    for (int i = from; i < to; i++) {
        const fv_mot_row *r = &rows_->v[i];
        FV_GROW(in->v, in->capacity, in->n + 1);
        in->v[in->n++] = (fv_object){.box = {(float)r->x, (float)r->y, (float)r->w, (float)r->h},
                                     .score = (float)r->score,
                                     .label = r->class_id < 0 ? 0 : r->class_id,
                                     .detection = -1};
    }
    FV_GROW(out->v, out->capacity, fv_tracker_count(t) + in->n);
    fv_tracker_update(t, in, pts_ns, out);
}

static void track_all(fv_tracker *t, const fv_mot_rows *detections, double fps, int first,
                      FILE *out) {
    fv_objects in = {0}, tracks = {0};
    int last = detections->n ? detections->v[detections->n - 1].frame : 0;
    for (int frame = first, from, to = 0; frame <= last; frame++) {
        fv_mot_frame(detections, frame, &from, &to);
        track_frame(t, detections, from, to, (int64_t)((frame - 1) * 1e9 / fps), &in, &tracks);
        for (int i = 0; i < tracks.n; i++)
            if (tracks.v[i].id)
                fv_mot_write(out, frame, &tracks.v[i]);
    }
    free(in.v);
    free(tracks.v);
}

static bool run(const arguments *a, fv_err *err) {
    fv_mot_rows detections;
    fv_mot_sequence sequence = {0};
    if (!fv_mot_read(a->detections, &detections, err))
        return false;
    read_sequence(a->detections, &sequence);
    int first = 1, last = INT_MAX;
    fv_tracker *t = NULL;
    FILE *out = stdout;
    bool ok = choose_frames(a, &sequence, &first, &last, err) &&
              (t = fv_tracker_create(&a->params, err));
    if (ok && a->out && !(out = fopen(a->out, "w")))
        ok = fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", a->out, strerror(errno));
    if (ok) {
        fv_mot_cut(&detections, first, last);
        fv_tracker_set_picture(t, sequence.width, sequence.height);
        track_all(t, &detections,
                  a->fps > 0         ? (double)a->fps
                  : sequence.fps > 0 ? sequence.fps
                                     : 30,
                  first, out);
        bool bad = ferror(out) | fflush(out);
        if (out != stdout)
            bad |= fclose(out) != 0;
        ok = !bad || fv_fail(err, FV_IO, "%s: writing failed: %s",
                             a->out ? a->out : "standard output", strerror(errno));
    }
    fv_tracker_destroy(&t);
    fv_mot_finish(&detections);
    return ok;
}

int fv_cmd_track(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    fv_options_default(&a, rows);
    fv_options_default(&a.params, fv_track_options);
    if (fv_args_help("track --det FILE [OPTION...]", rows, argc, argv)) {
        fv_args_print(fv_track_options);
        return 0;
    }
    if (!take_arguments(&a, argc, argv, &err))
        return fv_cmd_usage("track", err.text);
    if (!run(&a, &err))
        fprintf(stderr, "fovea track: %s\n", err.text);
    return fv_err_exit_code(&err);
}
