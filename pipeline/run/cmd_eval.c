#include <stdio.h>
#include <string.h>

#include "pipeline/run/cmd.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} kinds[] = {
    {"det", fv_cmd_eval_det},
    {"mot", fv_cmd_eval_mot},
};

int fv_cmd_eval(int argc, char **argv) {
    if (argc == 2 && fv_cmd_help("eval", argc, argv))
        return 0;
    for (size_t i = 0; argc > 1 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (!strcmp(argv[1], kinds[i].name))
            return kinds[i].run(argc - 1, argv + 1);
    char text[128];
    snprintf(text, sizeof text, argc > 1 ? "'%s' cannot be evaluated" : "what? see the usage", argc > 1 ? argv[1] : "");
    return fv_cmd_usage("eval", text);
}
