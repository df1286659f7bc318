#include "pipeline/base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

bool fv_fail(fv_err *err, fv_code code, const char *format, ...) {
    if (!err)
        return false;
    err->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return false;
}

bool fv_fail_in(fv_err *err, const char *format, ...) {
    if (!err)
        return false;
    char text[sizeof err->text];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text - 2)
        return false;
    snprintf(text + n, sizeof text - (size_t)n, ": %.*s", (int)(sizeof text - (size_t)n - 3),
             err->text);
    memcpy(err->text, text, sizeof text);
    return false;
}

int fv_err_exit_code(const fv_err *err) {
    static const int exit_codes[] = {
        [FV_OK] = 0, [FV_BAD_INPUT] = 2, [FV_UNSUPPORTED] = 2, [FV_IO] = 1, [FV_GPU] = 1, [FV_MEMORY] = 1,
    };
    return exit_codes[err->code];
}

fv_code fv_err_of_write(int error) {
    static const int users[] = {ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM, ENOENT, ENOTDIR, EISDIR};
    for (size_t i = 0; i < sizeof users / sizeof users[0]; i++)
        if (users[i] == error)
            return FV_BAD_INPUT;
    return FV_IO;
}
