#include "tests/graph/build.h"

#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

static void raw(build *b, const void *data, size_t n) {
    b->data = realloc(b->data, b->size + n + 1);
    if (n)
        memcpy(b->data + b->size, data, n);
    b->size += n;
}

static void varint(build *b, uint64_t v) {
    for (; v >= 0x80; v >>= 7)
        raw(b, &(uint8_t){(uint8_t)(v | 0x80)}, 1);
    raw(b, &(uint8_t){(uint8_t)v}, 1);
}

static void number(build *b, int field, int64_t v) {
    varint(b, (uint64_t)field << 3);
    varint(b, (uint64_t)v);
}

static void bytes(build *b, int field, const void *data, size_t n) {
    varint(b, (uint64_t)field << 3 | 2);
    varint(b, n);
    raw(b, data, n);
}

static void text(build *b, int field, const char *s) {
    bytes(b, field, s, strlen(s));
}

static void message(build *b, int field, build *inner) {
    bytes(b, field, inner->data, inner->size);
    free(inner->data);
}

static void each_word(build *b, int field, const char *words) {
    char copy[512], *save = NULL;
    strncpy(copy, words, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        text(b, field, strcmp(w, "-") ? w : "");
}

static void attribute(build *node, char *word) {
    char *value = strchr(word, '=');
    build a = {0};
    *value++ = 0;
    text(&a, 1, word);
    if (*value == '@') {
        text(&a, 21, value + 1);
        message(node, 5, &a);
        return;
    }
    char *end;
    float f = strtof(value, &end);
    if (*end == ',' || (*end == 0 && value[0] == ',')) {
        char *save = NULL;
        for (char *v = strtok_r(value, ",", &save); v; v = strtok_r(NULL, ",", &save))
            number(&a, 8, strtoll(v, NULL, 10));
    } else if (*end) {
        text(&a, 4, value);
    } else if (strchr(value, '.')) {
        varint(&a, 2 << 3 | 5);
        raw(&a, &f, 4);
    } else {
        number(&a, 3, strtoll(value, NULL, 10));
    }
    message(node, 5, &a);
}

void build_node(build *b, const char *op, const char *inputs, const char *outputs,
                const char *attributes) {
    char copy[512], *save = NULL;
    build n = {0};
    each_word(&n, 1, inputs);
    each_word(&n, 2, outputs);
    const char *dot = strchr(op, '.');
    text(&n, 4, dot ? dot + 1 : op);
    if (dot)
        bytes(&n, 7, op, (size_t)(dot - op));
    strncpy(copy, attributes, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
        attribute(&n, w);
    message(b, 1, &n);
}

void build_if(build *b, const char *condition, const char *output, const build *then_body,
              const build *else_body) {
    build n = {0}, a = {0}, c = {0};
    text(&n, 1, condition);
    text(&n, 2, output);
    text(&n, 4, "If");
    text(&a, 1, "then_branch");
    bytes(&a, 6, then_body->data, then_body->size);
    text(&c, 1, "else_branch");
    bytes(&c, 6, else_body->data, else_body->size);
    message(&n, 5, &a);
    message(&n, 5, &c);
    message(b, 1, &n);
}

void build_input(build *b, const char *name, int type, int n_dims, const char *const dim[]) {
    build info = {0}, kind = {0}, tensor = {0}, shape = {0};
    for (int d = 0; d < n_dims; d++) {
        build one = {0};
        if (dim[d][0] >= '0' && dim[d][0] <= '9')
            number(&one, 1, strtoll(dim[d], NULL, 10));
        else
            text(&one, 2, dim[d]);
        message(&shape, 1, &one);
    }
    number(&tensor, 1, type);
    message(&tensor, 2, &shape);
    message(&kind, 1, &tensor);
    text(&info, 1, name);
    message(&info, 2, &kind);
    message(b, 11, &info);
}

void build_output(build *b, const char *name) {
    build info = {0};
    text(&info, 1, name);
    message(b, 12, &info);
}

static void constant(build *b, const char *name, int type, int n_dims, const int64_t *dim,
                     const void *data, size_t size) {
    build t = {0};
    for (int d = 0; d < n_dims; d++)
        number(&t, 1, dim[d]);
    number(&t, 2, type);
    text(&t, 8, name);
    bytes(&t, 9, data, size);
    message(b, 5, &t);
}

void build_floats(build *b, const char *name, int n_dims, const int64_t dim[], const float *data) {
    size_t n = 4;
    for (int d = 0; d < n_dims; d++)
        n *= (size_t)dim[d];
    constant(b, name, 1, n_dims, dim, data, n);
}

void build_raw(build *b, const char *name, int type, int n_dims, const int64_t dim[], const void *data, size_t size) {
    constant(b, name, type, n_dims, dim, data, size);
}

void build_longs(build *b, const char *name, int n, const int64_t *data) {
    constant(b, name, 7, 1, (int64_t[]){n}, data, 8 * (size_t)n);
}

void build_brain(build *b, const char *name, int n, const uint16_t *data) {
    constant(b, name, 16, 1, (int64_t[]){n}, data, 2 * (size_t)n);
}

static void entry(build *t, const char *key, const char *value) {
    build e = {0};
    text(&e, 1, key);
    text(&e, 2, value);
    message(t, 13, &e);
}

void build_external(build *b, const char *name, int n, const char *location, const char *offset) {
    build t = {0};
    number(&t, 1, n);
    number(&t, 2, 1);
    text(&t, 8, name);
    entry(&t, "location", location);
    entry(&t, "offset", offset);
    number(&t, 14, 1);
    message(b, 5, &t);
}

// Nodes are field 1 of a graph and field 7 of a function.
static void nodes_again(build *f, const build *body) {
    for (size_t at = 0; at < body->size;) {
        size_t length = 0;
        at++;
        for (int shift = 0;; shift += 7) {
            uint8_t byte = body->data[at++];
            length |= (size_t)(byte & 127) << shift;
            if (byte < 128)
                break;
        }
        bytes(f, 7, body->data + at, length);
        at += length;
    }
}

void build_function(build *model, const char *name, const char *inputs, const char *outputs,
                    const build *body) {
    build f = {0};
    text(&f, 1, name);
    each_word(&f, 4, inputs);
    each_word(&f, 5, outputs);
    nodes_again(&f, body);
    text(&f, 10, "mine");
    message(model, 25, &f);
}

uint8_t *build_finish(build *b, int opset, size_t *size) {
    build model = {0}, set = {0};
    number(&model, 1, 8);
    message(&model, 7, b);
    number(&set, 2, opset);
    message(&model, 8, &set);
    *size = model.size;
    *b = (build){0};
    return model.data;
}

fv_graph *build_load(build *b, int opset, fv_err *err) {
    size_t size;
    build_output(b, "y");
    uint8_t *file = build_finish(b, opset, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, err);
    free(file);
    return g;
}

void build_check(build *b, int opset, const float *x, const float *expected, int n) {
    fv_err err = {0};
    fv_graph *g = build_load(b, opset, &err);
    for (int optimised = 0; optimised < 2; optimised++) {
        float y[32] = {0};
        CHECK_OK(g && fv_graph_run(g, (const void *[]){x}, (void *[]){y}, &err), err);
        for (int i = 0; g && i < n; i++)
            CHECK_NEAR(y[i], expected[i], 1e-6);
        CHECK_OK(g && fv_graph_optimize(g, &err), err);
    }
    fv_graph_destroy(&g);
}
