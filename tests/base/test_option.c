#include "pipeline/base/option.h"

#include "tests/test.h"

typedef struct {
    int every, method;
    float threshold;
    bool loop;
    const char *model;
    int64_t timeout_ns;
} params;

static const char *const methods[] = {"sort", "bytetrack", NULL};
static const fv_option rows[] = {
    FV_OPTION_INT(params, every, "every", 1, 100, 1, "infer on every Nth frame"),
    FV_OPTION_ENUM(params, method, "method", methods, 1, "tracker"),
    FV_OPTION_FLOAT(params, threshold, "threshold", 0, 1, 0.25, "lowest score"),
    FV_OPTION_BOOL(params, loop, "loop", false, "start again at the end"),
    FV_OPTION_STRING(params, model, "model", "m.onnx", "model file"),
    FV_OPTION_TIME(params, timeout_ns, "timeout", 0, 3600e9, 10e9, "give up after"),
    {0},
};

static void defaults_come_from_the_rows(void) {
    params p;
    fv_options_default(&p, rows);
    CHECK_EQUAL(p.every, 1);
    CHECK_EQUAL(p.method, 1);
    CHECK_NEAR(p.threshold, 0.25, 0);
    CHECK(!p.loop);
    CHECK_TEXT(p.model, "m.onnx");
    CHECK_EQUAL(p.timeout_ns, 10000000000);
}

static void texts_are_parsed(void) {
    params p;
    fv_err err = {0};
    fv_options_default(&p, rows);
    CHECK_OK(fv_option_parse(&p, &rows[0], "3", &err), err);
    CHECK_OK(fv_option_parse(&p, &rows[1], "sort", &err), err);
    CHECK_OK(fv_option_parse(&p, &rows[2], "0.5", &err), err);
    CHECK_OK(fv_option_parse(&p, &rows[3], "yes", &err), err);
    CHECK_OK(fv_option_parse(&p, &rows[5], "1.5 min", &err), err);
    CHECK(p.every == 3 && p.method == 0 && p.threshold == 0.5f && p.loop);
    CHECK_EQUAL(p.timeout_ns, 90000000000);
}

static void wrong_texts_say_what_is_allowed(void) {
    params p;
    fv_err err;
    fv_options_default(&p, rows);
    CHECK_FAILS(fv_option_parse(&p, &rows[0], "2.5", &err), err, "'2.5' is not a whole number");
    CHECK_FAILS(fv_option_parse(&p, &rows[0], "101", &err), err, "allowed is 1 to 100");
    CHECK_FAILS(fv_option_parse(&p, &rows[1], "kcf", &err), err, "is not one of sort, bytetrack");
    CHECK_FAILS(fv_option_parse(&p, &rows[2], "nan", &err), err, "is not a number");
    CHECK_FAILS(fv_option_parse(&p, &rows[2], "0.5x", &err), err, "is not a number");
    CHECK_FAILS(fv_option_parse(&p, &rows[5], "10 parsecs", &err), err, "is not a time");
    CHECK(p.every == 1 && p.method == 1);
}

static void help_says_what_is_allowed(void) {
    char text[200];
    fv_option_describe(&rows[1], text, sizeof text);
    CHECK_TEXT(text, "tracker (sort, bytetrack; default bytetrack)");
    fv_option_describe(&rows[2], text, sizeof text);
    CHECK_TEXT(text, "lowest score (0 .. 1, default 0.25)");
}

static void nearest_name(void) {
    CHECK_TEXT(fv_name_nearest("treshold", rows, sizeof rows[0]), "threshold");
    CHECK_TEXT(fv_name_nearest("modle", rows, sizeof rows[0]), "model");
    CHECK(!fv_name_nearest("colour", rows, sizeof rows[0]));
}

const fv_suite option_suite = {"option", (const fv_case[]){CASE(defaults_come_from_the_rows), CASE(texts_are_parsed),
                                                           CASE(wrong_texts_say_what_is_allowed), CASE(nearest_name), CASE(help_says_what_is_allowed), {0}}};
