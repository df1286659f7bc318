// A parameter, declared once as a row: the element property, the YAML key, the command-line flag
// and the documentation all come from it.
//
//     static const fv_option rows[] = {
//         FV_OPTION_FLOAT(my_params, threshold, "threshold", 0, 1, 0.25, "lowest score that is kept"),
//         {0},
//     };
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "pipeline/base/err.h"

typedef enum {
    FV_OPT_INT,    // int
    FV_OPT_FLOAT,  // float
    FV_OPT_BOOL,   // bool
    FV_OPT_STRING, // const char *, borrowed: the caller of fv_option_parse keeps the text alive
    FV_OPT_ENUM,   // int, index into `choices`
    FV_OPT_TIME,   // int64_t nanoseconds; text is "10s", "250ms", "1.5 min", "2h"; a bare number is seconds
} fv_opt_type;

// One row; a table ends with `{0}`. `name` is in kebab-case. min/max/def count for numbers
// (nanoseconds for FV_OPT_TIME) and `def` for bool and enum; `def_string` for strings.
typedef struct {
    const char *name, *help;
    fv_opt_type type;
    size_t offset;
    double min, max, def;
    const char *def_string;
    const char *const *choices; // NULL-terminated, FV_OPT_ENUM only
    const char *const *choice_helps; // what each choice is; NULL: the names say it
} fv_option;

#define FV_OPTION_INT(s, field, name_, lo, hi, def_, help_)                                        \
    {.name = name_, .help = help_, .type = FV_OPT_INT, .offset = offsetof(s, field), .min = lo, .max = hi, .def = def_}
#define FV_OPTION_FLOAT(s, field, name_, lo, hi, def_, help_)                                      \
    {.name = name_, .help = help_, .type = FV_OPT_FLOAT, .offset = offsetof(s, field), .min = lo, .max = hi, .def = def_}
#define FV_OPTION_BOOL(s, field, name_, def_, help_)                                               \
    {.name = name_, .help = help_, .type = FV_OPT_BOOL, .offset = offsetof(s, field), .max = 1, .def = def_}
#define FV_OPTION_STRING(s, field, name_, def_, help_)                                             \
    {.name = name_, .help = help_, .type = FV_OPT_STRING, .offset = offsetof(s, field), .def_string = def_}
#define FV_OPTION_ENUM(s, field, name_, choices_, def_, help_)                                     \
    {.name = name_, .help = help_, .type = FV_OPT_ENUM, .offset = offsetof(s, field), .choices = choices_, .def = def_}
#define FV_OPTION_CHOICE(s, field, name_, choices_, helps_, def_, help_)                           \
    {.name = name_, .help = help_, .type = FV_OPT_ENUM, .offset = offsetof(s, field), .choices = choices_, \
     .choice_helps = helps_, .def = def_}
#define FV_OPTION_TIME(s, field, name_, lo, hi, def_, help_)                                       \
    {.name = name_, .help = help_, .type = FV_OPT_TIME, .offset = offsetof(s, field), .min = lo, .max = hi, .def = def_}

// Writes every default into `params`.
void fv_options_default(void *params, const fv_option *rows);

// The row of that name, or NULL.
const fv_option *fv_option_find(const fv_option *rows, const char *name);

// The known name nearest to `name` by edit distance, for "did you mean"; NULL when none is near
// (more than a third of its letters differ). Works on any list through `stride`: the first member
// of each element is a `const char *`, the list ends with a NULL name.
const char *fv_name_nearest(const char *name, const void *rows, size_t stride);

// Parses `text` into the row's field. Checks type and range; the error names the row, the text
// and what is allowed.
bool fv_option_parse(void *params, const fv_option *row, const char *text, fv_err *err);

// "threshold" -> "lowest score that is kept (0 .. 1, default 0.25)", for --help and documentation.
void fv_option_describe(const fv_option *row, char *text, size_t size);

// "10s", "250ms", "1.5min", "2h"; a bare number is seconds. False when it is none of these.
bool fv_time_parse(const char *text, int64_t *ns);
