#include "tests/run/tiny_onnx.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    unsigned char v[1024];
    size_t n;
} bytes;

static void put_varint(bytes *b, unsigned long v) {
    for (; v > 127; v >>= 7)
        b->v[b->n++] = (unsigned char)(v | 128);
    b->v[b->n++] = (unsigned char)v;
}

static void put_number(bytes *b, unsigned field, unsigned long v) {
    put_varint(b, field << 3);
    put_varint(b, v);
}

static void put_bytes(bytes *b, unsigned field, const void *data, size_t n) {
    put_varint(b, field << 3 | 2);
    put_varint(b, n);
    memcpy(b->v + b->n, data, n);
    b->n += n;
}

static void put_text(bytes *b, unsigned field, const char *text) {
    put_bytes(b, field, text, strlen(text));
}

static void put_value(bytes *graph, unsigned field, const char *name) {
    static const unsigned dims[] = {1, 3, 8, 8};
    bytes shape = {0}, tensor = {0}, type = {0}, value = {0};
    for (int i = 0; i < 4; i++) {
        bytes dim = {0};
        put_number(&dim, 1, dims[i]);
        put_bytes(&shape, 1, dim.v, dim.n);
    }
    put_number(&tensor, 1, 1); // float32
    put_bytes(&tensor, 2, shape.v, shape.n);
    put_bytes(&type, 1, tensor.v, tensor.n);
    put_text(&value, 1, name);
    put_bytes(&value, 2, type.v, type.n);
    put_bytes(graph, field, value.v, value.n);
}

bool tiny_onnx_write(const char *path, const char *op, const char *name) {
    bytes node = {0}, graph = {0}, opset = {0}, model = {0};
    put_text(&node, 1, "images");
    put_text(&node, 2, "out");
    put_text(&node, 3, name);
    put_text(&node, 4, op);
    put_bytes(&graph, 1, node.v, node.n);
    put_text(&graph, 2, "tiny");
    put_value(&graph, 11, "images");
    put_value(&graph, 12, "out");
    put_text(&opset, 1, "");
    put_number(&opset, 2, 13);
    put_number(&model, 1, 8);
    put_bytes(&model, 7, graph.v, graph.n);
    put_bytes(&model, 8, opset.v, opset.n);
    FILE *f = fopen(path, "wb");
    bool ok = f && fwrite(model.v, 1, model.n, f) == model.n;
    return f && !fclose(f) && ok;
}
