// Between the files of the importer; nobody else includes it.
#pragma once

#include "pipeline/graph/graph.h"
#include "pipeline/graph/onnx.pb-c.h"
#include "pipeline/graph/ops.h"

// ---- unpacking ----------------------------------------------------------------------------------

// A protobuf allocator that gives up when a file asks for far more memory than its size can need:
// an empty message takes two bytes in a file and a hundred in memory.
typedef struct {
    ProtobufCAllocator allocator;
    size_t left; // bytes
} fv_budget;

void fv_budget_init(fv_budget *b, size_t file_size);

// A read-only view of a whole file.
typedef struct {
    void *data;
    size_t size;
} fv_mapping;

bool fv_mapping_open(fv_mapping *m, const char *path, fv_err *err);
void fv_mapping_close(fv_mapping *m);

// Checks that it is a model with a graph; free it with fovea__onnx__model__free_unpacked(m,
// &b->allocator).
Fovea__Onnx__Model *fv_onnx_unpack(const void *data, size_t size, fv_budget *b, fv_err *err);
int64_t fv_onnx_opset(const Fovea__Onnx__Model *m);

// ---- tensors ------------------------------------------------------------------------------------

// FV_N_DTYPES for an ONNX element type that is none of ours.
fv_dtype fv_onnx_dtype(int onnx_type);
const char *fv_onnx_dtype_text(int onnx_type); // for messages: "string", "bfloat16", ...

// Checks dimensions and the amount of data against each other; at most `max_bytes`.
bool fv_onnx_tensor(const Fovea__Onnx__Tensor *p, fv_arena *arena, size_t max_bytes, fv_tensor *t,
                    fv_err *err);

// Elements and bytes of a shape without overflow; false when it is negative or larger than
// `max_bytes`.
bool fv_shape_check(const fv_tensor *t, size_t max_bytes, fv_err *err);

// Every float16 tensor of the graph becomes float32, inputs and outputs too.
void fv_graph_widen(fv_graph *g);

// ---- attributes ---------------------------------------------------------------------------------

struct fv_attrs {
    const Fovea__Onnx__Node *node;
    const fv_op *op;
    fv_arena *arena;
    int64_t opset;
    size_t max_bytes;
    fv_err *err;
};

// ---- names --------------------------------------------------------------------------------------

// Tensor names in nested scopes, newest first. {0} is empty; keys are borrowed.
typedef struct {
    int n, capacity, n_buckets;
    struct fv_name { const char *key; int value, next; } *entry;
    int *bucket;
} fv_names;

void fv_names_add(fv_names *names, const char *key, int value);
int fv_names_find(const fv_names *names, const char *key); // -1: not there
void fv_names_cut(fv_names *names, int n);                 // forgets all but the first n
void fv_names_finish(fv_names *names);
