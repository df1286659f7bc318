// What the network is: tensors and nodes in topological order. Knows no GPU.
#pragma once

#include <stdio.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef struct fv_op fv_op; // a row of the table in graph/ops.c

// `in` and `out` index graph->tensor; an optional input that is absent is -1.
typedef struct {
    const fv_op *op;
    const char *name; // as the file says, or "Conv_12" where it says nothing
    int n_in, n_out;
    int *in, *out;
    void *attr;       // the op's parsed attributes (op->attr_size bytes), or NULL
} fv_node;

// Everything lives in `arena`. A tensor with `data` is a constant. Shapes are all known.
typedef struct {
    fv_arena *arena;
    const char *name;
    int64_t opset;
    int n_tensors, n_nodes, n_inputs, n_outputs;
    fv_tensor *tensor;
    fv_node *node;
    int *input, *output; // indices into tensor; constants are no inputs
} fv_graph;

// A dynamic dimension's value by its name in the file ("batch", "height", ...). Names that are not
// given: the first dimension of an input is 1, spatial ones are `default_size`.
typedef struct { const char *name; int64_t value; } fv_dim;
typedef struct {
    const fv_dim *dim;
    int n_dims;
    int64_t default_size;     // 0 means 640
    int64_t width, height;    // override the spatial size of 4-D image inputs that are dynamic; 0: not set
} fv_graph_params;

// Reads an ONNX file (opset 7 and newer), checks it, solves every shape, folds constants.
// A file is untrusted: bounded sizes, never a crash. Errors name the file, the node and the op.
// `params` may be NULL.
fv_graph *fv_graph_load(const char *path, const fv_graph_params *params, fv_err *err);
fv_graph *fv_graph_load_memory(const void *data, size_t size, const fv_graph_params *params, fv_err *err);

// The passes table (graph/passes.c): drop identities, fold Conv+BN, fuse activations and residual
// adds into Conv, recognise SiLU/HardSwish/... patterns. The result is equal within rounding.
bool fv_graph_optimize(fv_graph *g, fv_err *err);

// Plain-C reference, the slow twin. `in[i]` / `out[i]` are the data of input[i] / output[i], in the
// graph's own dtypes and row-major shapes.
bool fv_graph_run(const fv_graph *g, const void *const in[], void *const out[], fv_err *err);

// Runs one node: `in[k]` NULL where absent. Data pointers set by the caller, shapes as in the graph.
bool fv_node_run(const fv_graph *g, const fv_node *n, const fv_tensor *const in[], fv_tensor *const out[],
                 fv_err *err);

int64_t fv_graph_macs(const fv_graph *g);      // multiply-accumulates of Conv, Gemm, MatMul
void fv_graph_print(const fv_graph *g, FILE *out); // one line a node
void fv_graph_destroy(fv_graph **g);
