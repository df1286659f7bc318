// What one family of ops lends to another; for the op_*.c files only.
#pragma once

#include "pipeline/graph/ops.h"

// Conv's shape rule with its weights and bias at other places among the inputs (quantised forms).
bool fv_conv_shape_at(const fv_call *c, int weights, int bias, fv_dtype dtype);
void fv_conv_parse(fv_attrs *a, void *attr);
double fv_conv_work_at(const fv_call *c, int weights);

// MatMul's, likewise.
bool fv_matmul_shape_at(const fv_call *c, int a, int b, fv_dtype dtype);
// Calls `f` for every pair of matrices that broadcasting brings together, with the elements at
// which a, b and the result start and the sizes m, k, n.
typedef void (*fv_matmul_fn)(void *user, const int64_t at[3], const int64_t mkn[3]);
bool fv_matmul_each(const fv_call *c, int a, int b, fv_matmul_fn f, void *user);
