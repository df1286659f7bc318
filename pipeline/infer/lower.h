// Private to pipeline/infer: the table from ops to kernels. A row's `fits` looks at a node and says
// whether its kernel can do it; `lower` adds the steps. Nodes without a fitting row run on the host.
#pragma once

#include "pipeline/infer/plan.h"

typedef struct {
    const char *op;
    uint32_t kind; // which of its family: a number of shaders/eltwise.h, ...
    bool (*fits)(const fv_plan *p, const fv_node *n, uint32_t kind);
    void (*lower)(fv_plan *p, const fv_node *n, uint32_t kind);
} fv_lowering;

const fv_lowering *fv_lower_find(const fv_plan *p, const fv_node *n);

// Whether every input and output that is there is float32 (constants of other types are parameters)
// and none is empty.
bool fv_lower_is_float(const fv_plan *p, const fv_node *n);

// The families, each a table that ends with a NULL op.
extern const fv_lowering fv_lower_conv_rows[], fv_lower_pool_rows[], fv_lower_resize_rows[],
    fv_lower_eltwise_rows[], fv_lower_shape_rows[], fv_lower_concat_rows[], fv_lower_matmul_rows[],
    fv_lower_reduce_rows[], fv_lower_norm_rows[], fv_lower_grid_rows[], fv_lower_deform_rows[];

// Unary function of a fused or single activation (shaders/eltwise.h), with its parameters.
void fv_lower_unary(fv_plan *p, const fv_node *n, int in, int out, uint32_t unary, float alpha, float beta);

// Two nodes in one step, the second of which alone reads what the first gives. `find` is given the first and returns
// the second, or NULL where that cannot be (or would not pay).
typedef struct {
    const fv_node *(*find)(const fv_plan *p, const fv_node *first);
    void (*lower)(fv_plan *p, const fv_node *first, const fv_node *second);
} fv_joint;
extern const fv_joint fv_joint_separable; // a depthwise convolution and a 1 x 1
extern const fv_joint fv_joint_conv_pool; // a convolution and a maximum pooling
extern const fv_joint fv_joint_near;      // a doubled picture and its concatenation with another, for a 1 x 1: no step
// Whether the concatenation will be the second of such two.
bool fv_near_is_read_in_place(const fv_plan *p, const fv_node *concat);
// The one node that reads the only output of `n`; NULL: none, or several.
const fv_node *fv_joint_reader(const fv_plan *p, const fv_node *n);

// One convolution, for lower_conv.c and its tuner: `add` NULL without a residual. The output's
// channels beyond the last are zeroed.
bool fv_lower_conv_fits(const fv_plan *p, const fv_node *n, uint32_t kind);
void fv_lower_conv(fv_plan *p, const fv_node *n, uint32_t kind);
