#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/desc/format.h"
#include "pipeline/desc/record_read.h"
#include "pipeline/desc/rules.h"
#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"
#include "pipeline/vision/grow.h"
#include "pipeline/vision/heatmap.h"
#include "pipeline/vision/mot.h"
#include "pipeline/vision/rules.h"

enum { BATCH = 64 };

typedef struct {
    const char *tracks, *rules, *out, *size, *stream;
    int explain, format;
    float fps;
    bool summary;
    const char *report;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, tracks, "tracks", NULL,
                     "what was tracked: JSON Lines (fvpublish) or a MOTChallenge result; - is standard input"),
    FV_OPTION_STRING(arguments, rules, "rules", NULL, "YAML file of lines, zones and conditions"),
    FV_OPTION_STRING(arguments, out, "out", NULL,
                     "where the events go; standard output without it"),
    FV_OPTION_ENUM(arguments, format, "format", fv_format_names, FV_FORMAT_FOVEA,
                   "whose form the events have"),
    FV_OPTION_STRING(arguments, stream, "stream", NULL, "only this stream of the records"),
    FV_OPTION_STRING(
        arguments, size, "size", NULL,
        "size of the picture, 1920x1080 (MOTChallenge only; needed for points in fractions)"),
    FV_OPTION_FLOAT(arguments, fps, "fps", 0.01, 1000, 30, "frames a second (MOTChallenge only)"),
    FV_OPTION_INT(arguments, explain, "explain", 0, 2147483647, 0,
                  "instead of events: what every rule made of this object in every frame"),
    FV_OPTION_STRING(arguments, report, "report", NULL,
                     "folder for heat maps and counts per minute, as CSV and PNG (first stream)"),
    FV_OPTION_BOOL(arguments, summary, "summary", false,
                   "totals of each rule at the end, on standard error"),
    {0},
};

// MOT16, table 3.
static const char *const mot_names[] = {"none",
                                        "person",
                                        "person on vehicle",
                                        "car",
                                        "bicycle",
                                        "motorbike",
                                        "vehicle",
                                        "static person",
                                        "distractor",
                                        "occluder",
                                        "occluder on ground",
                                        "occluder full",
                                        "reflection"};
static const fv_labels mot_labels = {sizeof mot_names / sizeof mot_names[0], mot_names};

// One stream and its own memory of what happened.
typedef struct {
    fv_watch *watch;
    fv_formatter *formatter;
    fv_record last; // without objects
} scene;

typedef struct {
    const arguments *a;
    fv_arena *arena;
    fv_rules rules;
    FILE *out;
    fv_document document;
    scene *scenes;
    int n_scenes, scenes_capacity;
    uint64_t said, frames;
    fv_heatmap *heatmap; // NULL: no report
} replay;

static void say(void *user, const char *text) {
    replay *r = user;
    r->said++;
    fprintf(r->out, "%s\n", text);
}

static scene *scene_of(replay *r, const char *stream, fv_err *err) {
    for (int i = 0; i < r->n_scenes; i++)
        if (!strcmp(r->scenes[i].last.stream, stream))
            return &r->scenes[i];
    fv_watch *w = fv_watch_create(&r->rules, NULL, err);
    if (!w)
        return NULL;
    if (r->a->explain)
        fv_watch_explain(w, (uint64_t)r->a->explain, say, r);
    FV_GROW(r->scenes, r->scenes_capacity, r->n_scenes + 1);
    r->scenes[r->n_scenes] = (scene){
        .watch = w,
        .formatter = fv_formatter_create((fv_format)r->a->format, FV_WHAT_EVENTS, fv_document_add,
                                         &r->document)};
    return &r->scenes[r->n_scenes++];
}

static bool play(replay *r, const fv_record *record, fv_err *err) {
    fv_event events[BATCH];
    if (r->a->stream && strcmp(r->a->stream, record->stream))
        return true;
    r->frames++;
    scene *s = scene_of(r, record->stream, err);
    if (!s)
        return false;
    s->last = *record;
    s->last.objects = (fv_objects){0};
    int n = fv_watch_update(s->watch, record, events, BATCH);
    if (!r->a->explain)
        fv_formatter_frame(s->formatter, record, events, n);
    if (r->heatmap && s == r->scenes)
        fv_heatmap_add(r->heatmap, record, events, n);
    return true;
}

// What lasts ends with the stream.
static void end_scene(replay *r, scene *s) {
    fv_event events[BATCH];
    for (int n; (n = fv_watch_finish(s->watch, events, BATCH)) > 0;) {
        if (!r->a->explain)
            fv_formatter_events(s->formatter, &s->last, events, n);
        if (r->heatmap && s == r->scenes)
            fv_heatmap_add_events(r->heatmap, events, n);
    }
    if (!r->a->explain)
        fv_formatter_finish(s->formatter);
}

// Takes the file.
static bool play_records(replay *r, FILE *file, fv_err *err) {
    fv_record_reader *reader = fv_record_reader_take(file, r->a->tracks);
    bool ok = true;
    for (const fv_record *record; ok && (record = fv_record_reader_next(reader, err));)
        ok = play(r, record, err);
    // Streams and labels are the reader's: what lasts must end while it is there.
    for (int i = 0; ok && !err->code && i < r->n_scenes; i++) {
        end_scene(r, &r->scenes[i]);
        r->scenes[i].last.stream = fv_arena_strdup(r->arena, r->scenes[i].last.stream);
    }
    fv_record_reader_destroy(&reader);
    if (ok && !err->code && !r->frames)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s: no frames%s%s; records hold them unless `what` is events",
                       r->a->tracks, r->a->stream ? " of stream " : "",
                       r->a->stream ? r->a->stream : "");
    return ok && !err->code;
}

// Rows are in the order of frames.
static bool check_ids(const replay *r, const fv_mot_rows *tracks, fv_err *err) {
    for (int i = 0; i < tracks->n; i++)
        for (int k = i - 1; k >= 0 && tracks->v[k].frame == tracks->v[i].frame; k--)
            if (tracks->v[k].id == tracks->v[i].id && tracks->v[i].id > 0)
                return fv_fail(err, FV_BAD_INPUT, "%s: two rows of frame %d have the id %lld",
                               r->a->tracks, tracks->v[i].frame, (long long)tracks->v[i].id);
    return true;
}

static bool play_mot(replay *r, FILE *file, fv_err *err) {
    fv_mot_rows tracks;
    fv_objects objects = {0};
    const char *slash = strrchr(r->a->tracks, '/');
    fv_record record = {
        .stream = slash ? slash + 1 : r->a->tracks, .utc_ns = FV_TIME_NONE, .labels = &mot_labels};
    char end;
    if (r->a->size && sscanf(r->a->size, "%dx%d%c", &record.width, &record.height, &end) != 2)
        return fv_fail(err, FV_BAD_INPUT, "--size %s: write WIDTHxHEIGHT", r->a->size);
    if (!fv_mot_read_rest(file, r->a->tracks, &tracks, err))
        return false;
    bool ok = check_ids(r, &tracks, err);
    int last = tracks.n ? tracks.v[tracks.n - 1].frame : 0;
    for (int frame = 1, from, to = 0; ok && frame <= last; frame++) {
        fv_mot_frame(&tracks, frame, &from, &to);
        FV_GROW(objects.v, objects.capacity, to - from);
        objects.n = 0;
        for (int i = from; i < to; i++) {
            const fv_mot_row *t = &tracks.v[i];
            objects.v[objects.n++] = (fv_object){
                .box = {(float)t->x, (float)t->y, (float)t->w, (float)t->h},
                .score = (float)t->score,
                .label = t->class_id < 0 ? FV_MOT_PEDESTRIAN : t->class_id,
                .id = t->id > 0 ? (uint64_t)t->id : 0,
                .state = FV_STATE_CONFIRMED};
        }
        record.frame = (uint64_t)frame - 1;
        record.pts_ns = (int64_t)((frame - 1) * 1e9 / (double)r->a->fps);
        record.objects = objects;
        ok = play(r, &record, err);
    }
    if (ok && r->n_scenes)
        end_scene(r, &r->scenes[0]);
    free(objects.v);
    fv_mot_finish(&tracks);
    return ok;
}

static bool needs_size(const replay *r) {
    for (int i = 0; i < r->rules.n; i++)
        if (r->rules.v[i].n_points && r->rules.v[i].relative)
            return true;
    return r->rules.calibration && r->rules.calibration->relative;
}

// The first character that is none between words; it stays to be read.
static int first_character(FILE *f) {
    int c;
    while ((c = getc(f)) == ' ' || c == '\n' || c == '\r' || c == '\t')
        ;
    if (!ferror(f) && fseek(f, 0, SEEK_SET)) { // a pipe has been read only so far
        clearerr(f);
        ungetc(c, f);
    }
    return c;
}

static bool play_rows(replay *r, FILE *f, fv_err *err) {
    if (!r->a->size && needs_size(r))
        return fv_fail(err, FV_BAD_INPUT,
                       "%s is in MOTChallenge form, which does not say how large the picture is, "
                       "and the rules are in fractions of it: give --size WIDTHxHEIGHT",
                       r->a->tracks);
    if (!r->a->size && r->a->format != FV_FORMAT_FOVEA && !r->a->explain)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s is in MOTChallenge form, which does not say how large the picture is, "
                       "and format %s needs it: give --size WIDTHxHEIGHT",
                       r->a->tracks, fv_format_names[r->a->format]);
    return play_mot(r, f, err);
}

static bool play_file(replay *r, fv_err *err) {
    FILE *f = fopen(r->a->tracks, "r");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: %s", r->a->tracks, strerror(errno));
    int c = first_character(f);
    bool broken = ferror(f);
    if (broken)
        fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", r->a->tracks, strerror(errno));
    else if (c == '{')
        return play_records(r, f, err);
    bool ok = !broken && play_rows(r, f, err);
    fclose(f);
    return ok;
}

static void print_summary(const replay *r) {
    for (int i = 0; i < r->n_scenes; i++) {
        const fv_rule_count *c = fv_watch_counts(r->scenes[i].watch);
        for (int k = 0; k < r->rules.n; k++) {
            const fv_rule *rule = &r->rules.v[k];
            fprintf(stderr, "%s: ", r->scenes[i].last.stream);
            if (rule->kind == FV_RULE_LINE)
                fprintf(stderr, "line %s: %llu %s, %llu %s\n", rule->name,
                        (unsigned long long)c[k].crossed[0], rule->direction_names[0],
                        (unsigned long long)c[k].crossed[1], rule->direction_names[1]);
            else if (rule->kind == FV_RULE_ZONE)
                fprintf(stderr, "zone %s: %llu entered, %llu left, %d inside\n", rule->name,
                        (unsigned long long)c[k].entered, (unsigned long long)c[k].left,
                        c[k].inside);
            else
                fprintf(stderr, "when %s\n", rule->name);
        }
    }
}

static bool run(replay *r, fv_err *err) {
    if (!fv_format_check((fv_format)r->a->format, FV_WHAT_EVENTS, false, err) ||
        !fv_rules_load(&r->rules, r->arena, r->a->rules, err))
        return false;
    if (r->a->out && !(r->out = fopen(r->a->out, "w")))
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", r->a->out, strerror(errno));
    r->document = (fv_document){.out = r->out, .row = &fv_format_rows[r->a->format]};
    if (!r->a->explain)
        fv_document_begin(&r->document);
    bool ok = play_file(r, err);
    if (!r->a->explain)
        fv_document_end(&r->document);
    bool bad = ferror(r->out) | fflush(r->out);
    if (r->out != stdout)
        bad |= fclose(r->out) != 0;
    if (ok && bad)
        ok = fv_fail(err, FV_IO, "%s: writing failed: %s",
                     r->a->out ? r->a->out : "standard output", strerror(errno));
    if (ok && r->a->explain && !r->said)
        ok = fv_fail(err, FV_BAD_INPUT, "%s: no confirmed object has the id %d", r->a->tracks,
                     r->a->explain);
    if (ok && r->heatmap)
        ok = fv_heatmap_write(r->heatmap, r->a->report, err);
    if (ok && r->a->summary)
        print_summary(r);
    return ok;
}

int fv_cmd_events(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    fv_options_default(&a, rows);
    if (fv_args_help("events --tracks FILE --rules FILE [--explain ID]", rows, argc, argv))
        return 0;
    if (!fv_args_take(&a, rows, argc, argv, NULL, NULL, &err))
        return fv_cmd_usage("events", err.text);
    if (!a.tracks || !a.rules)
        return fv_cmd_usage("events", "give --tracks FILE and --rules FILE");
    if (!strcmp(a.tracks, "-"))
        a.tracks = "/dev/stdin";
    replay r = {.a = &a,
                .arena = fv_arena_create(),
                .out = stdout,
                .heatmap = a.report ? fv_heatmap_create() : NULL};
    if (!run(&r, &err))
        fprintf(stderr, "fovea events: %s\n", err.text);
    for (int i = 0; i < r.n_scenes; i++)
        fv_watch_destroy(&r.scenes[i].watch), fv_formatter_destroy(&r.scenes[i].formatter);
    free(r.scenes);
    fv_heatmap_destroy(&r.heatmap);
    fv_arena_destroy(&r.arena);
    return fv_err_exit_code(&err);
}
