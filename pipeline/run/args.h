// Command-line arguments from option rows.
#pragma once

#include "pipeline/base/option.h"

// "--name VALUE", "--name=VALUE", "-o VALUE" for the row "out"; boolean rows stand alone
// ("--json"). What is no option goes to `rest`, argv's own texts, room for argc of them; "--" ends
// the options. Rows without `rest` (NULL) refuse other words. Errors name the option, with the
// nearest known one.
bool fv_args_take(void *params, const fv_option *rows, int argc, char **argv, const char **rest,
                  int *n_rest, fv_err *err);

// True when "--help" or "-h" is among the arguments: prints usage and rows on stdout.
bool fv_args_help(const char *usage, const fv_option *rows, int argc, char **argv);
void fv_args_print(const fv_option *rows); // a line each, to standard output
