#include "tests/infer/one_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

float fv_random(unsigned *state) {
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1;
}

// ---- protocol buffers ------------------------------------------------------------------------------

typedef struct {
    unsigned char *v;
    size_t n, room;
} bytes;

static void put(bytes *b, const void *v, size_t n) {
    if (b->n + n > b->room)
        b->v = realloc(b->v, b->room = 2 * (b->n + n));
    if (n)
        memcpy(b->v + b->n, v, n);
    b->n += n;
}

static void put_varint(bytes *b, unsigned long long v) {
    do {
        unsigned char c = (unsigned char)((v & 127) | (v > 127 ? 128 : 0));
        put(b, &c, 1);
        v >>= 7;
    } while (v);
}

static void put_int(bytes *b, int field, long long v) {
    put_varint(b, (unsigned long long)field << 3);
    put_varint(b, (unsigned long long)v);
}

static void put_float(bytes *b, int field, float v) {
    put_varint(b, (unsigned long long)field << 3 | 5);
    put(b, &v, 4);
}

static void put_block(bytes *b, int field, const void *v, size_t n) {
    put_varint(b, (unsigned long long)field << 3 | 2);
    put_varint(b, n);
    put(b, v, n);
}

static void put_text(bytes *b, int field, const char *text) {
    put_block(b, field, text, strlen(text));
}

static void put_message(bytes *b, int field, bytes *m) {
    put_block(b, field, m->v, m->n);
    free(m->v);
    *m = (bytes){0};
}

// ---- the parts of a model --------------------------------------------------------------------------

enum { FLOAT = 1, INT64 = 7 };

static int parse_list(const char *text, char separator, double *v, int max) {
    int n = 0;
    char *end;
    while (n < max && *text && *text != ']') {
        v[n++] = strtod(text, &end);
        text = *end == separator ? end + 1 : "";
    }
    return n;
}

static void put_value_info(bytes *graph, int field, const char *name, const double *dim, int n_dims) {
    bytes info = {0}, type = {0}, tensor = {0}, shape = {0}, d = {0};
    for (int i = 0; i < n_dims; i++) {
        put_int(&d, 1, (long long)dim[i]);
        put_message(&shape, 1, &d);
    }
    put_text(&info, 1, name);
    put_int(&tensor, 1, FLOAT);
    if (n_dims >= 0 && dim)
        put_message(&tensor, 2, &shape);
    put_message(&type, 1, &tensor);
    put_message(&info, 2, &type);
    put_message(graph, field, &info);
}

static void put_constant(bytes *graph, const char *name, const char *token, unsigned *seed) {
    bytes t = {0}, data = {0};
    double v[256];
    int n, type = token[0] == 'i' ? INT64 : FLOAT;
    if (token[0] == 'c') {
        n = parse_list(token + 1, 'x', v, 8);
        long long count = 1;
        for (int i = 0; i < n; i++) {
            put_int(&t, 1, (long long)v[i]);
            count *= (long long)v[i];
        }
        for (long long i = 0; i < count; i++) {
            float f = fv_random(seed);
            put(&data, &f, 4);
        }
    } else {
        n = parse_list(token + 2, ',', v, 256);
        put_int(&t, 1, n);
        for (int i = 0; i < n; i++) {
            long long l = (long long)v[i];
            float f = (float)v[i];
            put(&data, type == INT64 ? (void *)&l : (void *)&f, type == INT64 ? 8 : 4);
        }
    }
    put_int(&t, 2, type);
    put_text(&t, 8, name);
    put_block(&t, 9, data.v, data.n);
    free(data.v);
    put_message(graph, 5, &t);
}

static void put_attribute(bytes *node, char *token) {
    enum { A_FLOAT = 1, A_INT = 2, A_STRING = 3, A_INTS = 7 };
    char *colon = strchr(token, ':'), *equals = strchr(token, '=');
    bytes a = {0};
    double v[64];
    *colon = *equals = 0;
    put_text(&a, 1, token);
    if (!strcmp(colon + 1, "ints")) {
        int n = parse_list(equals + 1, ',', v, 64);
        for (int i = 0; i < n; i++)
            put_int(&a, 8, (long long)v[i]);
        put_int(&a, 20, A_INTS);
    } else if (!strcmp(colon + 1, "f")) {
        put_float(&a, 2, strtof(equals + 1, NULL));
        put_int(&a, 20, A_FLOAT);
    } else if (!strcmp(colon + 1, "s")) {
        put_text(&a, 4, equals + 1);
        put_int(&a, 20, A_STRING);
    } else {
        put_int(&a, 3, atoll(equals + 1));
        put_int(&a, 20, A_INT);
    }
    put_message(node, 5, &a);
}

static void put_node(bytes *graph, const fv_one_node *row, int number, unsigned *seed) {
    bytes node = {0};
    char text[512], name[32], *rest, *token;
    snprintf(text, sizeof text, "%s", row->inputs);
    int k = 0;
    for (token = strtok_r(text, " ", &rest); token; token = strtok_r(NULL, " ", &rest), k++) {
        snprintf(name, sizeof name, "in%d_%d", number, k);
        double dim[8];
        if (token[0] == '@')
            snprintf(name, sizeof name, "out%d_0", token[1] ? atoi(token + 1) : number - 1);
        else if (token[0] == '-')
            name[0] = 0;
        else if (token[0] >= '0' && token[0] <= '9')
            put_value_info(graph, 11, name, dim, parse_list(token, 'x', dim, 8));
        else
            put_constant(graph, name, token, seed);
        put_text(&node, 1, name);
    }
    for (int i = 0; i < (row->n_out ? row->n_out : 1); i++) {
        snprintf(name, sizeof name, "out%d_%d", number, i);
        put_text(&node, 2, name);
    }
    snprintf(name, sizeof name, "%s_%d", row->op, number);
    put_text(&node, 3, name);
    put_text(&node, 4, row->op);
    snprintf(text, sizeof text, "%s", row->attrs ? row->attrs : "");
    for (token = strtok_r(text, " ", &rest); token; token = strtok_r(NULL, " ", &rest))
        put_attribute(&node, token);
    put_message(graph, 1, &node);
}

void *fv_one_node_model(const fv_one_node *nodes, int n, int opset, size_t *size) {
    bytes model = {0}, graph = {0}, set = {0};
    unsigned seed = 7;
    char name[32];
    for (int i = 0; i < n; i++)
        put_node(&graph, &nodes[i], i, &seed);
    put_text(&graph, 2, "test");
    for (int i = 0; i < (nodes[n - 1].n_out ? nodes[n - 1].n_out : 1); i++) {
        snprintf(name, sizeof name, "out%d_%d", n - 1, i);
        put_value_info(&graph, 12, name, NULL, 0);
    }
    put_int(&model, 1, 8);
    put_message(&model, 7, &graph);
    put_int(&set, 2, opset);
    put_message(&model, 8, &set);
    *size = model.n;
    return model.v;
}
