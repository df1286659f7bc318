// The `fovea` command: one row, one file (cmd_<name>.c) per subcommand.
#pragma once

#include <stdbool.h>

// argv[0] is the subcommand's name. Returns the exit code: 0 done, 1 failed while running,
// 2 the user's input is wrong.
typedef struct {
    const char *name, *usage, *help;
    int (*run)(int argc, char **argv);
} fv_command;

extern const fv_command fv_commands[]; // ends with {0}

// True where --help or -h is among the arguments; then it has printed the usage and what the command is for.
bool fv_cmd_help(const char *name, int argc, char **argv);

// Prints `text` and the usage on stderr; returns 2.
int fv_cmd_usage(const char *name, const char *text);

int fv_cmd_bench(int argc, char **argv);
int fv_cmd_eval(int argc, char **argv);     // `eval KIND ...` hands over to one of the next
int fv_cmd_eval_det(int argc, char **argv);
int fv_cmd_eval_mot(int argc, char **argv);
int fv_cmd_annotate(int argc, char **argv);
int fv_cmd_check(int argc, char **argv);
int fv_cmd_detect(int argc, char **argv);
int fv_cmd_devices(int argc, char **argv);
int fv_cmd_doctor(int argc, char **argv);
int fv_cmd_infer(int argc, char **argv);
int fv_cmd_launch(int argc, char **argv);
int fv_cmd_model(int argc, char **argv);
int fv_cmd_events(int argc, char **argv);
int fv_cmd_run(int argc, char **argv);
int fv_cmd_track(int argc, char **argv);
