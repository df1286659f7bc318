#define _GNU_SOURCE
#include "plugins/publish/link.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t fv_link_now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static bool is_set(const char *text) {
    return text && *text;
}

static bool read_line(char *text, size_t size, const char *what, const char *path, fv_err *err) {
    FILE *f = fopen(path, "re");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s-file: %s: %s", what, path, strerror(errno));
    bool ok = fgets(text, (int)size, f);
    fclose(f);
    if (ok)
        text[strcspn(text, "\r\n")] = 0;
    return (ok && *text) || fv_fail(err, FV_BAD_INPUT, "%s-file: %s: is empty", what, path);
}

bool fv_link_secret(char *text, size_t size, const char *what, const char *env, const char *file,
                    fv_err *err) {
    *text = 0;
    if (is_set(env) && is_set(file))
        return fv_fail(err, FV_BAD_INPUT, "%s-env and %s-file are both given; leave one out", what,
                       what);
    if (is_set(file))
        return read_line(text, size, what, file, err);
    const char *value = is_set(env) ? getenv(env) : "";
    if (!value || (is_set(env) && !*value))
        return fv_fail(err, FV_BAD_INPUT, "%s-env: the environment variable %s is not set", what,
                       env);
    return (size_t)snprintf(text, size, "%s", value) < size ||
           fv_fail(err, FV_BAD_INPUT, "%s-env: %s is too long", what, env);
}

bool fv_link_file(const char *what, const char *path, fv_err *err) {
    return !is_set(path) || !access(path, R_OK) ||
           fv_fail(err, FV_BAD_INPUT, "%s: %s: %s", what, path, strerror(errno));
}

bool fv_link_is_tls_mistake(const char *why) {
    return strstr(why, "SSL routines");
}
