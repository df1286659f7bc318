// One run of a description: read, checked, probed, built, run. `fovea run`, `check`, `launch` and
// `annotate` are different ways in and out of the same job.
//
//     fv_job *job = fv_job_create("fovea run");
//     int code = fv_job_load(job, "gate.yaml");
//     code = code ? code : fv_job_check(job);
//     code = code ? code : fv_job_run(job, true);
//     fv_job_destroy(&job);
//
// Every function that returns an int returns an exit code, 0 for success, and has then printed on
// standard error what is wrong.
#pragma once

#include "pipeline/desc/desc.h"

typedef struct fv_job fv_job;

// Starts GStreamer; a missing plugin is told by fv_job_check.
fv_job *fv_job_create(void);

int fv_job_load(fv_job *job, const char *path);           // a description's file
int fv_job_parse(fv_job *job, const char *text);          // the text of one
void fv_job_set(fv_job *job, const char *assignment);     // --set
// An option of the command line, see fv_yaml_put.
void fv_job_put(fv_job *job, const char *key, const char *text, const char *shown);

int fv_job_check(fv_job *job);                            // all mistakes, in one pass
int fv_job_launch(fv_job *job);                           // prints the gst-launch line
int fv_job_run(fv_job *job, bool quiet);                  // until the end; `quiet`: neither bar nor summary

void fv_job_destroy(fv_job **job);
