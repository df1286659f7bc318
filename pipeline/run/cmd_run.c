#include <stdio.h>
#include <string.h>

#include "pipeline/run/cmd.h"
#include "pipeline/run/job.h"

// FILE [--set KEY=VALUE]... [--quiet] of run, check and launch: loads and checks. Fills *quiet.
static int open_job(fv_job *job, int argc, char **argv, bool *quiet) {
    const char *file = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--set")) {
            if (++i >= argc)
                return fv_cmd_usage(argv[0], "--set needs KEY=VALUE");
        } else if (!strcmp(argv[i], "--quiet")) {
            *quiet = true;
        } else if (argv[i][0] == '-' && argv[i][1]) {
            return fv_cmd_usage(argv[0], "options are --set KEY=VALUE and --quiet");
        } else if (file) {
            return fv_cmd_usage(argv[0], "one description, please");
        } else {
            file = argv[i];
        }
    }
    if (!file)
        return fv_cmd_usage(argv[0], "which description?");
    int code = fv_job_load(job, file);
    for (int i = 1; i + 1 < argc && !code; i++)
        if (!strcmp(argv[i], "--set"))
            fv_job_set(job, argv[++i]);
    return code ? code : fv_job_check(job);
}

int fv_cmd_run(int argc, char **argv) {
    if (fv_cmd_help(argv[0], argc, argv))
        return 0;
    bool quiet = false;
    fv_job *job = fv_job_create();
    int code = open_job(job, argc, argv, &quiet);
    code = code ? code : fv_job_run(job, quiet);
    fv_job_destroy(&job);
    return code;
}

int fv_cmd_check(int argc, char **argv) {
    if (fv_cmd_help(argv[0], argc, argv))
        return 0;
    bool quiet = false;
    fv_job *job = fv_job_create();
    int code = open_job(job, argc, argv, &quiet);
    if (!code && !quiet)
        puts("no mistakes");
    fv_job_destroy(&job);
    return code;
}

int fv_cmd_launch(int argc, char **argv) {
    if (fv_cmd_help(argv[0], argc, argv))
        return 0;
    bool quiet = false;
    fv_job *job = fv_job_create();
    int code = open_job(job, argc, argv, &quiet);
    code = code ? code : fv_job_launch(job);
    fv_job_destroy(&job);
    return code;
}
