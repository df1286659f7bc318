// Writes small ONNX files for tests: protobuf by hand, field numbers as in
// pipeline/graph/onnx.proto.
//
//     build b = {0};
//     build_input(&b, "x", 1, 2, (const char *[]){"1", "batch"});
//     build_node(&b, "Relu", "x", "y", "");
//     build_output(&b, "y");
//     size_t size; uint8_t *file = build_finish(&b, 13, &size);   // freed by the caller
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pipeline/graph/graph.h"

typedef struct {
    uint8_t *data;
    size_t size;
} build;

// Names of a node's ports are separated by spaces ("-" is one that is left out). Attributes,
// likewise: "axis=1 alpha=0.5 mode=linear pads=1,1,1,1": a number with a point is a float, a list
// is of ints.
void build_node(build *b, const char *op, const char *inputs, const char *outputs,
                const char *attributes);
// An If node with a body for each branch.
void build_if(build *b, const char *condition, const char *output, const build *then_body,
              const build *else_body);
// `type` as in ONNX (1 float32, 7 int64, ...); dimensions are numbers or names.
void build_input(build *b, const char *name, int type, int n_dims, const char *const dim[]);
void build_output(build *b, const char *name);
void build_floats(build *b, const char *name, int n_dims, const int64_t dim[], const float *data);
void build_longs(build *b, const char *name, int n, const int64_t *data); // one dimension
// Any other type, as it lies in a file.
void build_raw(build *b, const char *name, int type, int n_dims, const int64_t dim[], const void *data, size_t size);
// A tensor [n] of float32 in another file.
void build_external(build *b, const char *name, int n, const char *location, const char *offset);
void build_brain(build *b, const char *name, int n, const uint16_t *data); // bfloat16
// A function of domain "mine" whose nodes are those of `body`; goes behind a finished model.
void build_function(build *model, const char *name, const char *inputs, const char *outputs,
                    const build *body);
uint8_t *build_finish(build *b, int opset, size_t *size);

// Loads what was built, its output "y", as a graph; NULL and the error where it is refused.
fv_graph *build_load(build *b, int opset, fv_err *err);
// A test: output "y" of input x is what is expected within 1e-6 (at most 32 values), as the file says it and as the passes
// have made it.
void build_check(build *b, int opset, const float *x, const float *expected, int n);
