#include "pipeline/base/err.h"

#include "tests/test.h"

static void first_text_then_where(void) {
    fv_err err = {0};
    CHECK(!fv_fail(&err, FV_UNSUPPORTED, "op '%s' is not known", "Foo"));
    CHECK(!fv_fail_in(&err, "%s: node %d", "m.onnx", 3));
    CHECK_TEXT(err.text, "m.onnx: node 3: op 'Foo' is not known");
    CHECK_EQUAL(err.code, FV_UNSUPPORTED);
    CHECK(!fv_fail(NULL, FV_IO, "nobody listens"));
}

static void long_texts_are_cut(void) {
    fv_err err = {0};
    char text[3000];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    fv_fail(&err, FV_IO, "%s", text);
    fv_fail_in(&err, "where");
    CHECK(strlen(err.text) < sizeof err.text);
    CHECK(!strncmp(err.text, "where: aaa", 10));
}

static void exit_codes_follow_the_kind(void) {
    CHECK_EQUAL(fv_err_exit_code(&(fv_err){FV_OK, ""}), 0);
    CHECK_EQUAL(fv_err_exit_code(&(fv_err){FV_IO, ""}), 1);
    CHECK_EQUAL(fv_err_exit_code(&(fv_err){FV_BAD_INPUT, ""}), 2);
    CHECK_EQUAL(fv_err_exit_code(&(fv_err){FV_UNSUPPORTED, ""}), 2);
}

const fv_suite err_suite = {
    "err", (const fv_case[]){CASE(first_text_then_where), CASE(long_texts_are_cut), CASE(exit_codes_follow_the_kind), {0}}};
