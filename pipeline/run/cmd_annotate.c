// A description in memory, from options; then the same job as `fovea run`.
#include <stdio.h>
#include <string.h>

#include "pipeline/base/option.h"
#include "pipeline/run/cmd.h"
#include "pipeline/run/job.h"

// The option's place in the description. `value` NULL: it needs one; else it has none and this is it.
static const struct {
    const char *name, *key, *value, *help;
} options[] = {
    {"-o", "streams.0.outputs.0.file.path", NULL, "the annotated video: .mp4, .mov, .mkv or .webm"},
    {"--events", "streams.0.outputs.1.publish.to", NULL, "what is found, to a file or an address (tcp://, mqtt://, http:// ...)"},
    {"--format", "streams.0.outputs.1.publish.format", NULL, "the records' form: fovea, dlstreamer, ..."},
    {"--model", "streams.0.detect.model", NULL, "the detector, an .onnx file; the default detector without it"},
    {"--card", "streams.0.detect.card", NULL, "its model card; <model>.yaml without it"},
    {"--labels", "streams.0.detect.labels", NULL, "class names, one a line"},
    {"--threshold", "streams.0.detect.threshold", NULL, "lowest score of an object, 0..1"},
    {"--classes", "streams.0.detect.classes", NULL, "only these, with commas between"},
    {"--every", "streams.0.detect.every", NULL, "detect in every Nth picture, predict in the others"},
    {"--device", "streams.0.detect.device", NULL, "number or part of a name of `fovea devices`"},
    {"--precision", "streams.0.detect.precision", NULL, "auto, fp32 or fp16"},
    {"--track", "streams.0.track.method", NULL, "sort, bytetrack or ocsort"},
    {"--rules", "streams.0.events", NULL, "lines, zones and other rules, a YAML file"},
    {"--report", "streams.0.report", NULL, "folder for counts, occupancy and heat maps"},
    {"--frames", "streams.0.source.frames", NULL, "stop after so many pictures"},
    {"--blur", "streams.0.overlay.blur", NULL, "classes that are made unrecognisable"},
    {"--trails", "streams.0.overlay.trails", "true", "draw where objects were"},
    {"--codec", "streams.0.outputs.0.file.codec", NULL, "h264, h265, vp9 or mjpeg"},
    {"--quality", "streams.0.outputs.0.file.quality", NULL, "of the video, 1..100"},
    {"--no-audio", "streams.0.outputs.0.file.audio", "false", "leave the sound out"},
    {0},
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

static bool help(int argc, char **argv) {
    if (!fv_cmd_help("annotate", argc, argv))
        return false;
    for (int i = 0; options[i].name; i++)
        printf("  %-13s %s\n", options[i].name, options[i].help);
    return true;
}

int fv_cmd_annotate(int argc, char **argv) {
    if (help(argc, argv))
        return 0;
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
