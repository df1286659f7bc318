// The error value. Every fallible function takes `fv_err *err` last, returns false (or NULL) and
// fills `err` once, where the fault is known:
//
//     return fv_fail(err, FV_BAD_INPUT, "%s: not an ONNX file; give the .onnx your trainer exports", path);
//
// A text says what happened, where, and what to do, in one line. Callers add at most a "where".
#pragma once

#include <stdbool.h>

// The kind decides the exit code of the command: FV_BAD_INPUT and FV_UNSUPPORTED -> 2, others -> 1.
typedef enum {
    FV_OK,
    FV_BAD_INPUT,   // the user's file, option or description is wrong
    FV_UNSUPPORTED, // well formed, but asks for something Fovea does not do
    FV_IO,          // reading or writing failed
    FV_GPU,         // Vulkan failed
    FV_MEMORY,      // an allocation failed
} fv_code;

// `{0}` is "no error". Lives on the caller's stack; owns nothing.
typedef struct {
    fv_code code;
    char text[1020]; // one line, no trailing newline, UTF-8
} fv_err;

// Fills `err` (may be NULL). Always returns false, so that `return fv_fail(...)` reads well.
bool fv_fail(fv_err *err, fv_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

// Puts "<where>: " before a text that is already there. Always returns false.
bool fv_fail_in(fv_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

// The kind of a write that failed with errno `error`: room, rights and places are the user's to mend
// (FV_BAD_INPUT), the rest is FV_IO.
fv_code fv_err_of_write(int error);

// The exit code that belongs to `err`: 0 done, 1 failed while running, 2 the user's input is wrong.
int fv_err_exit_code(const fv_err *err);
