#include "pipeline/run/cmd.h"

#include <stdio.h>
#include <string.h>

#include "fovea-config.h"
#include "pipeline/base/option.h"

const fv_command fv_commands[] = {
    {"annotate", "INPUT -o OUT.mp4 [--events E.jsonl [--format F]] [--model M.onnx] [--threshold T] [--classes A,B] [--every N] [--track METHOD] "
     "[--rules FILE] [--frames N] [--report DIR] [--blur A,B] [--trails] [--codec C] [--quality Q] [--no-audio] [--card FILE] [--labels FILE] [--device D] [--precision P] [--quiet]",
     "a video to annotated video and events", fv_cmd_annotate},
    {"run", "FILE.yaml [--set KEY=VALUE]... [--quiet]", "run a description until its end or Ctrl-C", fv_cmd_run},
    {"check", "FILE.yaml [--set KEY=VALUE]...", "report every mistake of a description", fv_cmd_check},
    {"launch", "FILE.yaml [--set KEY=VALUE]...", "print a description as a gst-launch-1.0 line", fv_cmd_launch},
    {"detect", "[--model M.onnx] [--threshold T] [--json] [--draw DIR] IMAGE...", "objects in pictures", fv_cmd_detect},
    {"infer", "M.onnx --in [NAME=]x.npy... --out-dir DIR [--device D] [--precision P]", "tensors through a model, in and out as .npy", fv_cmd_infer},
    {"model", "[--nodes] [--steps] M.onnx", "inputs, outputs, head, ops, work and plan of a model; unsupported ops by node", fv_cmd_model},
    {"eval", "det --model M.onnx --images DIR --labels DIR [--json], or mot --gt DIR --result FILE... [--frames second-half] [--json]",
     "scores of detections (mAP) or tracks (MOTA, IDF1, HOTA) against ground truth", fv_cmd_eval},
    {"track", "--det FILE [--method sort|bytetrack|ocsort] [-o FILE] [--frames A-B|second-half] [--fps N] [--OPTION VALUE...]",
     "detections to tracks, in MOTChallenge form", fv_cmd_track},
    {"events", "--tracks FILE --rules FILE [-o FILE] [--format F] [--explain ID] [--summary] [--report DIR] [--stream NAME] [--size WxH] [--fps N]",
     "stored tracks (JSON Lines or MOTChallenge) through rules, without video", fv_cmd_events},
    {"bench", "MODEL [--runs N] [--device D] [--precision P] [--total] [--json]", "milliseconds of a model and of its layers, beside the device's roofline",
     fv_cmd_bench},
    {"devices", "", "Vulkan devices and cameras, and what each can do", fv_cmd_devices},
    {"doctor", "", "what is missing here, and the package that brings it", fv_cmd_doctor},
    {0},
};

static const fv_command *command_find(const char *name) {
    for (const fv_command *c = fv_commands; c->name; c++)
        if (!strcmp(c->name, name))
            return c;
    return NULL;
}

static void print_help(FILE *out) {
    fprintf(out, "fovea %s: video in, annotated video and event metadata out\n\nusage:\n", FV_VERSION);
    for (const fv_command *c = fv_commands; c->name; c++)
        fprintf(out, "  fovea %s %s\n      %s\n", c->name, c->usage, c->help);
}

static bool is_help(const char *text) {
    return !strcmp(text, "--help") || !strcmp(text, "-h");
}

bool fv_cmd_help(const char *name, int argc, char **argv) {
    const fv_command *c = command_find(name);
    bool wanted = false;
    for (int i = 1; i < argc; i++)
        wanted |= is_help(argv[i]);
    if (wanted)
        printf("usage: fovea %s %s\n%s\n", c->name, c->usage, c->help);
    return wanted;
}

int fv_cmd_usage(const char *name, const char *text) {
    const fv_command *c = command_find(name);
    fprintf(stderr, "fovea %s: %s\nusage: fovea %s %s\n", name, text, name, c ? c->usage : "");
    return 2;
}

static int unknown_command(const char *name) {
    const char *near = fv_name_nearest(name, fv_commands, sizeof fv_commands[0]);
    fprintf(stderr, "fovea: unknown command '%s'%s%s%s; `fovea --help` lists them\n", name,
            near ? ", did you mean '" : "", near ? near : "", near ? "'" : "");
    return 2;
}

int main(int argc, char **argv) {
    if (argc < 2 || is_help(argv[1]) || !strcmp(argv[1], "help")) {
        print_help(argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("fovea %s\n", FV_VERSION);
        return 0;
    }
    const fv_command *c = command_find(argv[1]);
    return c ? c->run(argc - 1, argv + 1) : unknown_command(argv[1]);
}
