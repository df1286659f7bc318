#include "pipeline/run/job.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/run/gst.h"
#include "pipeline/run/loop.h"
#include "pipeline/run/output.h"

struct fv_job {
    fv_arena *arena;
    fv_yaml *yaml;
    fv_yaml_node *root;
    fv_desc desc;
    fv_probe *probes;
    fv_words_out words;
    fv_err gst;
};

static int fail(const fv_err *err) {
    fprintf(stderr, "fovea: error: %s\n", err->text);
    return fv_err_exit_code(err);
}

fv_job *fv_job_create(void) {
    fv_arena *arena = fv_arena_create();
    fv_job *job = FV_ARENA_NEW(arena, fv_job, 1);
    job->arena = arena;
    job->yaml = fv_yaml_create(arena);
    fv_gst_init(&job->gst);
    signal(SIGPIPE, SIG_IGN); // a reader of standard output that goes away is an error of that output
    signal(SIGXFSZ, SIG_IGN); // as is a file that may not grow any more
    return job;
}

void fv_job_destroy(fv_job **job) {
    if (!job || !*job)
        return;
    for (int i = 0; (*job)->probes && i < (*job)->desc.streams.n; i++)
        fv_probe_finish(&(*job)->probes[i]);
    fv_arena *arena = (*job)->arena;
    fv_arena_destroy(&arena);
    *job = NULL;
}

static int report(const fv_job *job) {
    if (!fv_yaml_mistakes(job->yaml))
        return 0;
    fputs(fv_yaml_report(job->yaml), stderr);
    return 2;
}

int fv_job_load(fv_job *job, const char *path) {
    job->root = fv_yaml_load(job->yaml, path);
    return job->root ? 0 : report(job);
}

int fv_job_parse(fv_job *job, const char *text) {
    job->root = fv_yaml_parse(job->yaml, "description", "", text, NULL);
    return job->root ? 0 : report(job);
}

void fv_job_set(fv_job *job, const char *assignment) {
    if (job->root)
        fv_yaml_set(job->yaml, &job->root, assignment);
}

void fv_job_put(fv_job *job, const char *key, const char *text, const char *shown) {
    if (job->root)
        fv_yaml_put(job->yaml, &job->root, key, text, shown);
}

int fv_job_check(fv_job *job) {
    if (job->gst.code)
        return fail(&job->gst);
    fv_desc_read(&job->desc,
                 &(fv_schema_reader){.yaml = job->yaml, .rows = fv_gst_rows, .user = job->arena},
                 job->root);
    return report(job);
}

static bool plan(fv_job *job, fv_err *err) {
    int n = job->desc.streams.n;
    job->probes = FV_ARENA_NEW(job->arena, fv_probe, n);
    for (int i = 0; i < n; i++)
        if (!fv_probe_source(&job->probes[i], job->arena,
                             ((const fv_desc_stream *)job->desc.streams.v)[i].source, err))
            return false;
    if (!fv_build(&job->words, job->arena, &job->desc, job->probes, err))
        return false;
    for (int i = 0; i < job->words.n_notes; i++)
        fprintf(stderr, "fovea: note: %s\n", job->words.notes[i]);
    return true;
}

int fv_job_launch(fv_job *job) {
    fv_err err = {0};
    if (!plan(job, &err))
        return fail(&err);
    puts(fv_build_shell(job->arena, &job->words));
    return 0;
}

int fv_job_run(fv_job *job, bool quiet) {
    fv_err err = {0};
    if (!plan(job, &err) || !fv_output_try(&job->desc, &err))
        return fail(&err);
    return fv_loop_run(&(fv_loop_params){.desc = &job->desc,
                                         .probes = job->probes,
                                         .words = &job->words,
                                         .progress = !quiet,
                                         .summary = !quiet});
}
