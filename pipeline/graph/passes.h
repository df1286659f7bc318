// Between the files of the passes; nobody else includes it.
#pragma once

#include "pipeline/graph/activation.h"
#include "pipeline/graph/graph.h"
#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/ops.h"

// The graph and what is known of it. A pass sweeps once over the nodes in order; a node that it
// drops gets op NULL. All tables are made anew before each pass.
typedef struct {
    fv_graph *g;
    int *producer; // per tensor: index of the node that makes it, -1
    int *readers;  // per tensor: how many node inputs and graph outputs read it
    bool *kept;    // per tensor: a graph input or output
    int *alias;    // per tensor: the tensor that takes its place after the pass (itself: none)
    int tensor_room; // tensors that may still be added
} fv_passes;

// A pass returns how many changes it has made.
typedef int (*fv_pass_fn)(fv_passes *p);
int fv_pass_identity(fv_passes *p);     // pass_clean.c
int fv_pass_dead(fv_passes *p);
int fv_pass_scale(fv_passes *p);        // pass_fold.c
int fv_pass_pad(fv_passes *p);
int fv_pass_quant(fv_passes *p);      // pass_quant.c
int fv_pass_quant_room(const fv_graph *g); // how many tensors it may add
int fv_pass_focus(fv_passes *p);        // pass_focus.c
int fv_pass_hard_sigmoid(fv_passes *p); // pass_pattern.c
int fv_pass_gated(fv_passes *p);
int fv_pass_gelu(fv_passes *p);
int fv_pass_activation(fv_passes *p);   // pass_fuse.c
int fv_pass_residual(fv_passes *p);
int fv_pass_hoist(fv_passes *p);        // pass_hoist.c
int fv_pass_transpose(fv_passes *p);    // pass_transpose.c
int fv_pass_deform(fv_passes *p);       // pass_deform.c
int fv_pass_matmul(fv_passes *p);       // pass_matmul.c
int fv_pass_layer_norm(fv_passes *p);   // pass_norm.c
int fv_pass_twins(fv_passes *p);        // pass_twins.c
int fv_pass_shuffle(fv_passes *p);      // pass_shuffle.c

// ---- asking -------------------------------------------------------------------------------------

bool fv_node_is(const fv_node *n, const char *op);
// The node that makes input k of n if it is such an op and nothing else reads what it makes; else
// NULL.
fv_node *fv_pass_sole(const fv_passes *p, const fv_node *n, int k, const char *op);
// The only node that reads tensor t, which n makes; NULL where there is none or others need it.
fv_node *fv_pass_reader(const fv_passes *p, const fv_node *n, int t);
// The attributes of an activation that is known while the graph is made; NULL where n is none.
const fv_activation *fv_pass_activation_of(const fv_node *n);
// Input k of n is a constant float32 with one value: gives it.
bool fv_pass_scalar(const fv_passes *p, const fv_node *n, int k, float *value);
// Tensor t is a constant float32 (-1: it is not).
bool fv_pass_constant(const fv_passes *p, int t);
// Of a node with two inputs, one of them a constant scalar: which one it is, -1.
int fv_pass_scalar_side(const fv_passes *p, const fv_node *n, float *value);

// ---- changing -----------------------------------------------------------------------------------

void fv_pass_drop(fv_node *n);
// `n` becomes a one-input activation of tensor x.
void fv_pass_become(fv_passes *p, fv_node *n, const char *op, int x, fv_activation activation);
// Moves `early`, which feeds `late` alone, to the place of `late` and lets it make late's output.
void fv_pass_merge(fv_node *early, fv_node *late);
// A tensor of the graph; -1 when there is no more room.
int fv_pass_add_tensor(fv_passes *p, const fv_tensor *t);
// A constant float32, zeroed, with the name of another tensor; -1 when there is no more room.
int fv_pass_add_constant(fv_passes *p, int named, int n_dims, const int64_t *dim);
// A node with one input and one output; `attr` is copied. Its name is that of n.
fv_node fv_pass_make_node(fv_passes *p, const fv_node *n, const char *op, int in, int out,
                          const void *attr, size_t size);
// Every node may become up to `most` others: `replace` writes these and returns how many, 0 leaves it.
// It may drop later nodes. Returns how many nodes were replaced.
int fv_pass_replace(fv_passes *p, int most,
                    int (*replace)(fv_passes *p, const fv_node *n, fv_node *to));
