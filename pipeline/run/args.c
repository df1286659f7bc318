#include "pipeline/run/args.h"

#include <string.h>

static bool unknown(const char *name, const fv_option *rows, fv_err *err) {
    const char *near = fv_name_nearest(name, rows, sizeof *rows);
    return fv_fail(err, FV_BAD_INPUT, "unknown option --%s%s%s", name,
                   near ? "; did you mean --" : "", near ? near : "");
}

static bool take_option(void *params, const fv_option *rows, int argc, char **argv, int *i,
                        fv_err *err) {
    const char *word = argv[*i] + 2, *value = strchr(word, '=');
    char name[64];
    if (!strcmp(argv[*i], "-o"))
        word = "out";
    snprintf(name, sizeof name, "%.*s", value ? (int)(value - word) : (int)strlen(word), word);
    const fv_option *row = fv_option_find(rows, name);
    if (!row)
        return unknown(name, rows, err);
    if (value)
        return fv_option_parse(params, row, value + 1, err);
    if (row->type == FV_OPT_BOOL)
        return fv_option_parse(params, row, "true", err);
    if (*i + 1 >= argc)
        return fv_fail(err, FV_BAD_INPUT, "--%s needs a value", name);
    return fv_option_parse(params, row, argv[++*i], err);
}

bool fv_args_take(void *params, const fv_option *rows, int argc, char **argv, const char **rest,
                  int *n_rest, fv_err *err) {
    bool options = true;
    if (rest)
        *n_rest = 0;
    for (int i = 1; i < argc; i++) {
        if (options && !strcmp(argv[i], "--"))
            options = false;
        else if (options && (!strncmp(argv[i], "--", 2) || !strcmp(argv[i], "-o"))) {
            if (!take_option(params, rows, argc, argv, &i, err))
                return false;
        } else if (rest)
            rest[(*n_rest)++] = argv[i];
        else
            return fv_fail(err, FV_BAD_INPUT, "'%s' is not an option", argv[i]);
    }
    return true;
}

void fv_args_print(const fv_option *rows) {
    for (const fv_option *r = rows; r->name; r++) {
        char text[256];
        fv_option_describe(r, text, sizeof text);
        printf("  --%-16s %s\n", r->name, text);
    }
}

bool fv_args_help(const char *usage, const fv_option *rows, int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") && strcmp(argv[i], "-h"))
            continue;
        printf("usage: fovea %s\n", usage);
        fv_args_print(rows);
        return true;
    }
    return false;
}
