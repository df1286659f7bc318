// What every CUnit test file shares.
//
// A folder's executable is its list of suites:
//     int main(int argc, char **argv) { return fv_test_main(argc, argv, (const fv_suite *[]){&arena_suite, NULL}); }
// and a file exports one suite:
//     const fv_suite arena_suite = {"arena", (const fv_case[]){CASE(strings_are_copied), {0}}};
//
// Output: one line a case, at the end "N passed, N failed, N skipped". Arguments: names of cases
// (substrings) to run.
#pragma once

#include <CUnit/CUnit.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/base/err.h"

typedef struct {
    const char *name;
    void (*run)(void);
} fv_case;

typedef struct {
    const char *name;
    const fv_case *cases; // ends with {0}
} fv_suite;

#define CASE(function) {#function, function}

int fv_test_main(int argc, char **argv, const fv_suite *const suites[]);

// Marks the running case as skipped and says why; return from the case after it.
void fv_test_skip(const char *why);

// Path of a file in the source tree / of test material in shared/ beside the checkout (or
// $FOVEA_SHARED). The latter is NULL, and the case marked skipped, when the file is not there.
// Both return a buffer of a small ring: valid for the next 7 calls.
const char *fv_test_source(const char *path);
const char *fv_test_shared(const char *path);

// A fresh empty folder under the build's temporary folder, removed at exit. Static ring as above.
const char *fv_test_tmp(const char *name);

// A whole file as text (malloc'ed, NUL-terminated), NULL when it cannot be read.
char *fv_test_read(const char *path);

// Runs a shell command; `output` (size bytes, may be NULL) gets stdout and stderr. Returns the exit code.
int fv_test_shell(const char *command, char *output, size_t size);

// A monotonic clock for "within so many seconds", exact to some ms. It stands still while the machine
// does not let this process run (a stalled virtual machine, more work than processors), so that such a
// check fails for what was waited for, never for what somebody else did. Not in a forked child.
double fv_test_seconds(void);

#define CHECK(condition) CU_ASSERT(condition)
#define CHECK_EQUAL(actual, expected)                                                              \
    do {                                                                                           \
        long long a_ = (long long)(actual), e_ = (long long)(expected);                            \
        if (a_ != e_)                                                                              \
            fprintf(stderr, "%s:%d: %s is %lld, expected %lld\n", __FILE__, __LINE__, #actual, a_, e_); \
        CU_ASSERT(a_ == e_);                                                                       \
    } while (0)
#define CHECK_NEAR(actual, expected, tolerance)                                                    \
    do {                                                                                           \
        double a_ = (actual), e_ = (expected);                                                     \
        bool ok_ = fabs(a_ - e_) <= (tolerance);                                                   \
        if (!ok_)                                                                                  \
            fprintf(stderr, "%s:%d: %s is %.9g, expected %.9g\n", __FILE__, __LINE__, #actual, a_, e_); \
        CU_ASSERT(ok_);                                                                            \
    } while (0)
#define CHECK_TEXT(actual, expected)                                                               \
    do {                                                                                           \
        const char *a_ = (actual), *e_ = (expected);                                               \
        bool ok_ = a_ && e_ && !strcmp(a_, e_);                                                    \
        if (!ok_)                                                                                  \
            fprintf(stderr, "%s:%d: %s is\n  %s\nexpected\n  %s\n", __FILE__, __LINE__, #actual, a_ ? a_ : "NULL", e_ ? e_ : "NULL"); \
        CU_ASSERT(ok_);                                                                            \
    } while (0)
#define CHECK_CONTAINS(text, part)                                                                 \
    do {                                                                                           \
        const char *t_ = (text), *p_ = (part);                                                     \
        bool ok_ = t_ && strstr(t_, p_);                                                           \
        if (!ok_)                                                                                  \
            fprintf(stderr, "%s:%d: '%s' is not in\n%s\n", __FILE__, __LINE__, p_, t_ ? t_ : "NULL"); \
        CU_ASSERT(ok_);                                                                            \
    } while (0)
// For calls that must succeed / fail; prints err.text.
#define CHECK_OK(call, err)                                                                        \
    do {                                                                                           \
        bool ok_ = (call);                                                                         \
        if (!ok_)                                                                                  \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #call, (err).text);             \
        CU_ASSERT(ok_);                                                                            \
    } while (0)
#define CHECK_FAILS(call, err, part)                                                               \
    do {                                                                                           \
        (err) = (fv_err){0};                                                                       \
        CU_ASSERT(!(call));                                                                        \
        CHECK_CONTAINS((err).text, part);                                                          \
    } while (0)
