// ONNX files of one node (or a chain of nodes), written from a line of text, for tests.
#pragma once

#include <stddef.h>

// One node. `inputs`, by spaces: "1x8x9x7" computed, float32; "c16x8x3x3" a constant of random values;
// "i[0,2]" constant int64; "f[1,2]" constant float32; "-" absent; "@" the output of the node before, "@3" of node 3.
// `attrs`, by spaces: "pads:ints=1,1,1,1 axis:i=1 alpha:f=0.1 mode:s=nearest".
typedef struct {
    const char *op, *inputs, *attrs;
    int n_out; // 0 means 1
} fv_one_node;

// The file's bytes (malloc'ed) of `n` nodes, one after the other; the outputs of the last are the
// graph's.
void *fv_one_node_model(const fv_one_node *nodes, int n, int opset, size_t *size);

// A float in -1..1 of a small generator; *state any value.
float fv_random(unsigned *state);
