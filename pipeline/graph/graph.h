// What the network is: tensors and nodes in topological order. Knows no GPU.
#pragma once

#include <stdio.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef struct fv_op fv_op; // a row of the op table (graph/ops.h)

// `in` and `out` index graph->tensor; an optional input that is absent is -1.
typedef struct {
    const fv_op *op;
    const char *name; // as the file says, or "Conv_12" where it says nothing
    int n_in, n_out;
    int *in, *out;
    void *attr;       // parsed attributes (op->attr_size bytes; structs in graph/op_*.h), or NULL
} fv_node;

// What values a picture is fed with: as the head's family is trained; 0 .. 255, since the graph normalises it
// itself; bytes in the file, see fv_graph_take_bytes.
typedef enum { FV_PICTURE_AS_TRAINED, FV_PICTURE_TO_255, FV_PICTURE_BYTES } fv_picture_kind;

// Everything lives in `arena`, but what the tensors hold: that is in `data`. A tensor with `data` is a
// constant. Shapes are all known.
typedef struct {
    fv_arena *arena, *data;
    const char *name;
    int64_t opset;
    int n_tensors, n_nodes, n_inputs, n_outputs;
    fv_tensor *tensor;
    fv_node *node;
    int *input, *output; // indices into tensor; constants are no inputs
    int n_metadata;
    const char *(*metadata)[2]; // key and text, as the exporter wrote them
    fv_picture_kind picture;    // after fv_graph_take_bytes
} fv_graph;

// A dynamic dimension's value by its name in the file ("batch", "height", ...). Names that are not
// given: the first dimension of an input is 1, channels of a 4-D input 3, spatial ones
// `default_size`, all others 1.
typedef struct { const char *name; int64_t value; } fv_dim;
typedef struct {
    const fv_dim *dim;
    int n_dims;
    int64_t default_size;     // 0 means 640
    int64_t width, height;    // override the open spatial size of 4-D image inputs; 0: not set
    const fv_tensor *constant; // inputs that are to be constants, by name; data is copied
    int n_constants;
    bool keep_half;           // float16 stays; else all becomes float32, inputs and outputs too
    // One tensor may have a quarter of it, constants that are computed at load 512 MiB together (or
    // max_bytes, if that is less); 0 means 4 GiB.
    size_t max_bytes;
} fv_graph_params;

// Reads an ONNX file, checks it, solves every shape, folds constants. Opset 7 and newer; older ones
// as far as their ops have not changed since. An `If` with a constant condition becomes its branch, a
// call of a function of the file that function's nodes. Tensors may lie in files under the model's own
// folder ("external data"). float16 and bfloat16 weights become float32.
// A file is untrusted: bounded sizes, bounded time, never a crash. Errors name the file, the node
// and the op. `params` may be NULL. A shape that depends on what is computed at run time is an
// error, but for NonMaxSuppression and NonZero, which get room for everything that may be selected and
// FV_INDEX_NONE (graph/op_shape.h) at the end: what is gathered by it is 0.
fv_graph *fv_graph_load(const char *path, const fv_graph_params *params, fv_err *err);
fv_graph *fv_graph_load_memory(const void *data, size_t size, const fv_graph_params *params,
                               fv_err *err);

// For detectors, before any pass: notes what the picture (a 4-D input) is fed with, and where it is bytes
// (uint8) makes it float32, which the graph then rounds and holds to 0 .. 255 itself: pictures are made as
// floats. A picture that the file divides by 20 and more, multiplies by 0.05 and less, or takes 20 and more
// from, is one of 0 .. 255.
void fv_graph_take_bytes(fv_graph *g);

// Calls `each` for every node of the file, also of branches, without loading the model. `op` has
// the domain in front where it is not the standard one. Returns how many nodes there are, or -1
// when the file cannot be read.
typedef void (*fv_survey_fn)(void *user, const char *node, const char *op, bool supported);
int fv_graph_survey(const char *path, fv_survey_fn each, void *user, fv_err *err);

// Calls `each` for every node of the file whose op is not in the table. Returns how many there are,
// or -1 when the file cannot be read. `op` has the domain in front where it is not the standard
// one.
typedef void (*fv_unsupported_fn)(void *user, const char *node, const char *op);
int fv_graph_unsupported(const char *path, fv_unsupported_fn each, void *user, fv_err *err);

// Reads one tensor of a file that holds an ONNX TensorProto (.pb); name and data live in `arena`.
bool fv_tensor_load(const char *path, fv_arena *arena, fv_tensor *t, fv_err *err);

// The passes table (graph/passes.c): drop identities, fold Conv+BN, fuse activations and residual
// adds into Conv, recognise SiLU/HardSwish/... patterns. The result is equal within rounding;
// inputs and outputs keep their order, names and shapes.
bool fv_graph_optimize(fv_graph *g, fv_err *err);

// Plain-C reference, the slow twin. `in[i]` / `out[i]` are the data of input[i] / output[i], in the
// graph's own dtypes and row-major shapes.
bool fv_graph_run(const fv_graph *g, const void *const in[], void *const out[], fv_err *err);

// Called with each tensor that a node has written, before its memory is used again.
typedef void (*fv_watch_fn)(void *user, const fv_node *n, const fv_tensor *out);
bool fv_graph_run_watched(const fv_graph *g, const void *const in[], void *const out[],
                          fv_watch_fn watch, void *user, fv_err *err);

// Runs one node: `in[k]` NULL where absent. Data pointers set by the caller, shapes as in the
// graph.
bool fv_node_run(const fv_graph *g, const fv_node *n, const fv_tensor *const in[],
                 fv_tensor *const out[], fv_err *err);

// The text under `key` in the file's metadata ("names", "stride", ...), or NULL.
const char *fv_graph_metadata(const fv_graph *g, const char *key);

const char *fv_node_op(const fv_node *n);      // the op's name
int64_t fv_node_macs(const fv_graph *g, const fv_node *n); // 0 for ops without products
int64_t fv_graph_macs(const fv_graph *g);      // multiply-accumulates of Conv, Gemm, MatMul, Attention
// Frees the data of all constants but those that `keep` (one flag a tensor) names: of a graph that has been
// lowered. It can be looked at from then on, not run.
void fv_graph_drop_constants(fv_graph *g, const bool *keep);
// Bytes of the constants that a node or an output uses: the weights.
size_t fv_graph_constant_bytes(const fv_graph *g);
void fv_graph_print(const fv_graph *g, FILE *out); // one line a node
void fv_graph_destroy(fv_graph **g);
