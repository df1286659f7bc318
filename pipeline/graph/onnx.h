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
// Version of the standard operator set among those that a model or a function names; 1 without one.
int64_t fv_onnx_opset(Fovea__Onnx__OperatorSet *const *set, size_t n);
bool fv_onnx_is_standard(const char *domain);
// The function that a node of this domain and op calls, or NULL.
const Fovea__Onnx__Function *fv_onnx_function(const Fovea__Onnx__Model *m,
                                              const Fovea__Onnx__Node *call);

// ---- files beside the model ---------------------------------------------------------------------

// Tensors may lie in files beside the model ("external data"). Only files under the model's own
// folder are opened: no absolute path, no "..". {.model_path = NULL}: a model that came from memory,
// which has none.
typedef struct {
    const char *model_path;
    int n;
    struct fv_external { char *location; fv_mapping file; } *file;
} fv_externals;

// The bytes of a tensor that says it is external; `expected` of them. NULL with the error filled.
const void *fv_externals_find(fv_externals *x, const Fovea__Onnx__Tensor *p, size_t expected,
                              fv_err *err);
void fv_externals_finish(fv_externals *x);

// ---- tensors ------------------------------------------------------------------------------------

// FV_N_DTYPES for an ONNX element type that is none of ours.
fv_dtype fv_onnx_dtype(int onnx_type);
const char *fv_onnx_dtype_text(int onnx_type); // for messages: "string", "bfloat16", ...

// Four bits an element: int4, uint4.
bool fv_onnx_is_packed(const Fovea__Onnx__Tensor *p);

// Checks dimensions and the amount of data against each other; at most `max_bytes`. bfloat16 becomes
// float32, int4 int8, uint4 uint8.
bool fv_onnx_tensor(const Fovea__Onnx__Tensor *p, fv_externals *x, fv_arena *arena,
                    size_t max_bytes, fv_tensor *t, fv_err *err);

// Elements and bytes of a shape without overflow; false when it is negative or larger than
// `max_bytes`.
bool fv_shape_check(const fv_tensor *t, size_t max_bytes, fv_err *err);

// Every float16 tensor of the graph becomes float32, inputs and outputs too.
void fv_graph_widen(fv_graph *g);

// ---- attributes ---------------------------------------------------------------------------------

// Inside a function: the node that called it. Attributes may refer to those of the call, and have
// defaults.
typedef struct fv_caller {
    const Fovea__Onnx__Node *node;
    const Fovea__Onnx__Function *function;
    const struct fv_caller *outer; // NULL: the call stands in the graph
} fv_caller;

struct fv_attrs {
    const Fovea__Onnx__Node *node;
    const fv_caller *caller; // NULL outside functions
    fv_externals *externals;
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

// In fv_names: an input of a function that its call leaves out.
enum { FV_LEFT_OUT = -2 };

// ---- the importer -------------------------------------------------------------------------------

typedef struct {
    const fv_graph_params *params;
    const Fovea__Onnx__Model *model;
    fv_graph *g;
    fv_names names, packed; // packed: initialisers of four bits an element
    fv_externals externals;
    const fv_caller *caller; // of the function that is being read
    int tensor_capacity, node_capacity, depth, n_seen;
    size_t max_tensor, left; // bytes: of one tensor; of all constants that may still be computed
    double work_left;
    fv_err *err;
} fv_importer;

bool fv_import_initializers(fv_importer *im, const Fovea__Onnx__Graph *p);
bool fv_import_node(fv_importer *im, const Fovea__Onnx__Node *p);
// All of a graph's, a branch's or a function's (order.c): those that others need first, else as they stand.
// ONNX asks for that order, but converters append nodes.
bool fv_import_nodes(fv_importer *im, Fovea__Onnx__Node **node, size_t n_nodes);
// Index of the tensor `name`; -1 where the name is empty. Fails when nothing before made it.
bool fv_import_find(fv_importer *im, const char *name, int *index);
// Nodes with nodes in them are replaced by these: an If by the branch that its constant condition
// takes, a call by the function's body.
bool fv_import_if(fv_importer *im, const Fovea__Onnx__Node *p);
bool fv_import_call(fv_importer *im, const Fovea__Onnx__Node *p, const Fovea__Onnx__Function *f);
