// What lies in a file besides a plain graph: functions, weights in other files, types of storage.
#include <stdlib.h>

#include "pipeline/graph/graph.h"
#include "tests/graph/build.h"
#include "tests/test.h"

static fv_graph *load_with(build *b, const build *functions, fv_err *err) {
    size_t size;
    uint8_t *file = build_finish(b, 16, &size), *whole = malloc(size + functions->size + 1);
    memcpy(whole, file, size);
    if (functions->size)
        memcpy(whole + size, functions->data, functions->size);
    *err = (fv_err){0};
    fv_graph *g = fv_graph_load_memory(whole, size + functions->size, NULL, err);
    free(whole);
    free(file);
    free(functions->data);
    return g;
}

static void check_values(fv_graph *g, const float x[2], float y0, float y1, fv_err *err) {
    float y[2] = {0};
    CHECK_OK(g, *err);
    if (g)
        CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void *[]){y}, err), *err);
    CHECK_NEAR(y[0], y0, 1e-6);
    CHECK_NEAR(y[1], y1, 1e-6);
    fv_graph_destroy(&g);
}

// Outer(x, , k) = Inner(x) * 2 with Inner's slope from the call of Outer; inner names are its own.
static void functions_are_inlined(void) {
    fv_err err;
    build b = {0}, inner = {0}, outer = {0}, functions = {0};
    build_node(&inner, "LeakyRelu", "x", "t", "alpha=@slope");
    build_node(&inner, "Identity", "t", "y", "");
    build_node(&outer, "mine.Inner", "k", "t", "slope=@by");
    build_node(&outer, "Clip", "t low", "u", "");
    build_node(&outer, "Add", "u u", "z", "");
    build_function(&functions, "Inner", "x", "y", &inner);
    build_function(&functions, "Outer", "low k", "z", &outer);
    free(inner.data);
    free(outer.data);
    build_input(&b, "x", 1, 1, (const char *[]){"2"});
    build_node(&b, "mine.Outer", "- x", "y", "by=0.5");
    build_output(&b, "y");
    fv_graph *g = load_with(&b, &functions, &err);
    check_values(g, (float[]){-4, 3}, -4, 6, &err);
}

static void a_function_that_calls_itself_is_refused(void) {
    fv_err err;
    build b = {0}, body = {0}, functions = {0};
    build_node(&body, "mine.Loop", "x", "t", "");
    build_node(&body, "mine.Loop", "t", "y", "");
    build_function(&functions, "Loop", "x", "y", &body);
    free(body.data);
    build_input(&b, "x", 1, 1, (const char *[]){"2"});
    build_node(&b, "mine.Loop", "x", "y", "");
    build_output(&b, "y");
    CHECK_FAILS(load_with(&b, &functions, &err), err, "functions call each other too deep");
}

static void bfloat16_becomes_float(void) {
    fv_err err;
    build b = {0};
    build_brain(&b, "w", 2, (uint16_t[]){0x3fc0, 0xc000}); // 1.5, -2
    build_input(&b, "x", 1, 1, (const char *[]){"2"});
    build_node(&b, "Cast", "w", "v", "to=1");
    build_node(&b, "Mul", "x v", "y", "");
    build_output(&b, "y");
    check_values(load_with(&b, &(build){0}, &err), (float[]){2, 3}, 3, -6, &err);
}

// ---- weights beside the model -------------------------------------------------------------------

static void write_file(const char *path, const void *data, size_t size) {
    FILE *f = fopen(path, "wb");
    fwrite(data, 1, size, f);
    fclose(f);
}

static fv_graph *load_beside(const char *location, const char *offset, fv_err *err) {
    char path[1100];
    build b = {0};
    size_t size;
    build_external(&b, "w", 2, location, offset);
    build_input(&b, "x", 1, 1, (const char *[]){"2"});
    build_node(&b, "Mul", "x w", "y", "");
    build_output(&b, "y");
    uint8_t *file = build_finish(&b, 13, &size);
    snprintf(path, sizeof path, "%s/beside.onnx", fv_test_tmp("beside"));
    write_file(path, file, size);
    free(file);
    *err = (fv_err){0};
    return fv_graph_load(path, NULL, err);
}

static void weights_beside_the_model(void) {
    fv_err err;
    char path[1100];
    snprintf(path, sizeof path, "%s/w.data", fv_test_tmp("beside"));
    write_file(path, (float[]){9, 9, 5, -7}, 16);
    check_values(load_beside("w.data", "8", &err), (float[]){2, 3}, 10, -21, &err);
    CHECK_FAILS(load_beside("w.data", "12", &err), err, "'w' needs 8 bytes of 'w.data'");
    CHECK_FAILS(load_beside("w.data", "18446744073709551612", &err), err, "which are not there");
    CHECK_FAILS(load_beside("w.data", "-4", &err), err, "which are not there");
    CHECK_FAILS(load_beside("no.data", "0", &err), err,
                "'w' lies in another file, which belongs beside the model");
    CHECK_FAILS(load_beside("../beside/w.data", "0", &err), err, "outside the model's folder");
    CHECK_FAILS(load_beside("sub/../../w.data", "0", &err), err, "outside the model's folder");
    CHECK_FAILS(load_beside("/etc/passwd", "0", &err), err, "outside the model's folder");
}

const fv_suite files_suite = {
    "files",
    (const fv_case[]){CASE(functions_are_inlined), CASE(a_function_that_calls_itself_is_refused),
                      CASE(bfloat16_becomes_float), CASE(weights_beside_the_model), {0}},
};
