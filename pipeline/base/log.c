#include "pipeline/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {"error", "warn", "info", "debug"};
enum { N_LEVELS = sizeof level_names / sizeof level_names[0] };

static void to_stderr(void *user, fv_log_level level, const char *text) {
    (void)user;
    fprintf(stderr, "fovea: %s: %s\n", level == FV_LOG_WARN ? "warning" : level_names[level], text);
}

static struct {
    fv_log_level level;
    fv_log_sink sink;
    void *user;
    bool set;
} state;

static fv_log_level level_from_environment(void) {
    const char *name = getenv("FOVEA_LOG");
    for (int i = 0; name && i < N_LEVELS; i++)
        if (!strcmp(name, level_names[i]))
            return (fv_log_level)i;
    return FV_LOG_WARN;
}

void fv_log_set(fv_log_level level, fv_log_sink sink, void *user) {
    state.level = level;
    state.sink = sink;
    state.user = user;
    state.set = true;
}

void fv_log(fv_log_level level, const char *format, ...) {
    if (level > (state.set ? state.level : level_from_environment()))
        return;
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (state.sink ? state.sink : to_stderr)(state.user, level, text);
}
