// A description in memory, from options; then the same job as `fovea run`.
#include <stdio.h>
#include <string.h>

#include "pipeline/base/option.h"
#include "pipeline/run/cmd.h"
#include "pipeline/run/job.h"

// The option's place in the description. `value` NULL: it needs one; else it has none and this is it.
static const struct {
    const char *name, *key, *value;
} options[] = {
    {"-o", "streams.0.outputs.0.file.path", NULL},
    {"--events", "streams.0.outputs.1.publish.to", NULL},
    {"--format", "streams.0.outputs.1.publish.format", NULL},
    {"--model", "streams.0.detect.model", NULL},
    {"--card", "streams.0.detect.card", NULL},
    {"--labels", "streams.0.detect.labels", NULL},
    {"--threshold", "streams.0.detect.threshold", NULL},
    {"--classes", "streams.0.detect.classes", NULL},
    {"--every", "streams.0.detect.every", NULL},
    {"--device", "streams.0.detect.device", NULL},
    {"--precision", "streams.0.detect.precision", NULL},
    {"--track", "streams.0.track.method", NULL},
    {"--rules", "streams.0.events", NULL},
    {"--report", "streams.0.report", NULL},
    {"--frames", "streams.0.source.frames", NULL},
    {"--blur", "streams.0.overlay.blur", NULL},
    {"--trails", "streams.0.overlay.trails", "true"},
    {"--codec", "streams.0.outputs.0.file.codec", NULL},
    {"--quality", "streams.0.outputs.0.file.quality", NULL},
    {"--no-audio", "streams.0.outputs.0.file.audio", "false"},
    {NULL, NULL, NULL},
};

static const char with_events[] =
    "{fovea: 1, streams: [{source: {}, detect: {}, track: {}, overlay: {}, outputs: [{file: {}}, {publish: {}}]}]}";
static const char without_events[] =
    "{fovea: 1, streams: [{source: {}, detect: {}, track: {}, overlay: {}, outputs: [{file: {}}]}]}";

static int option_at(const char *name) {
    for (int i = 0; options[i].name; i++)
        if (!strcmp(options[i].name, name))
            return i;
    return -1;
}

static int unknown(const char *name) {
    const char *near = fv_name_nearest(name, options, sizeof options[0]);
    char text[300];
    snprintf(text, sizeof text, "unknown option %.100s%s%s", name, near ? ", did you mean " : "",
             near ? near : "");
    return fv_cmd_usage("annotate", text);
}

// Options and the one INPUT. Returns 0, or the exit code after a message.
static int scan(int argc, char **argv, const char **input, bool *events, bool *out, bool *quiet) {
    bool format = false;
    for (int i = 1; i < argc; i++) {
        int o = option_at(argv[i]);
        if (o >= 0 && !options[o].value && ++i >= argc)
            return fv_cmd_usage("annotate", "the last option lacks its value");
        if (o >= 0) {
            *events |= !strcmp(options[o].name, "--events");
            *out |= !strcmp(options[o].name, "-o");
            format |= !strcmp(options[o].name, "--format");
        } else if (!strcmp(argv[i], "--quiet")) {
            *quiet = true;
        } else if (argv[i][0] == '-') {
            return unknown(argv[i]);
        } else if (*input) {
            return fv_cmd_usage("annotate", "one INPUT, please");
        } else {
            *input = argv[i];
        }
    }
    return !*input || !**input ? fv_cmd_usage("annotate", "which INPUT?")
           : !*out ? fv_cmd_usage("annotate", "where to? give -o OUT.mp4")
           : format && !*events
               ? fv_cmd_usage("annotate", "--format is that of --events; give --events FILE")
               : 0;
}

static void put_options(fv_job *job, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        int o = option_at(argv[i]);
        if (o < 0)
            continue;
        const char *value = options[o].value ? options[o].value : argv[++i];
        char shown[300];
        snprintf(shown, sizeof shown, "fovea annotate: %s %.200s", options[o].name,
                 options[o].value ? "" : value);
        fv_job_put(job, options[o].key, value, shown);
    }
}

int fv_cmd_annotate(int argc, char **argv) {
    const char *input = NULL;
    bool events = false, out = false, quiet = false;
    int code = scan(argc, argv, &input, &events, &out, &quiet);
    if (code)
        return code;
    fv_job *job = fv_job_create();
    code = fv_job_parse(job, events ? with_events : without_events);
    if (!code) {
        fv_job_put(job, "streams.0.source.uri", input, "fovea annotate");
        put_options(job, argc, argv);
        code = fv_job_check(job);
    }
    code = code ? code : fv_job_run(job, quiet);
    fv_job_destroy(&job);
    return code;
}
