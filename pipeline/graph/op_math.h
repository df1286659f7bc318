// Attributes of element-wise ops, matrix products, reductions and normalisations.
// Binary and n-ary element-wise ops (Add, Mul, Max, Where, ...) broadcast by NumPy's rules and have
// no attributes that matter after the load; Softmax and friends below.
#pragma once

#include "pipeline/base/value.h"

typedef struct { // Add, Mul, Pow, Max, ...
    int kind; // which op, for the reference
    int axis; // opset < 7: the second input lies at dimension `axis` of the first; else -1
} fv_pair_attr;

typedef struct { // Cast, CastLike; the output's dtype says the same
    fv_dtype to;
} fv_cast_attr;

typedef struct { // Softmax, LogSoftmax, Hardmax
    int axis;
    int flat; // opset < 13: over all the dimensions from `axis` on, as one
    int kind; // 0 Softmax, 1 LogSoftmax, 2 Hardmax
} fv_softmax_attr;

typedef struct { // y = alpha op(A) op(B) + beta C
    float alpha, beta;
    int trans_a, trans_b;
} fv_gemm_attr;

typedef enum {
    FV_REDUCE_SUM, FV_REDUCE_MEAN, FV_REDUCE_MAX, FV_REDUCE_MIN, FV_REDUCE_PROD,
    FV_REDUCE_L1, FV_REDUCE_L2, FV_REDUCE_LOG_SUM, FV_REDUCE_LOG_SUM_EXP, FV_REDUCE_SUM_SQUARE
} fv_reduce_kind;
typedef struct {
    fv_reduce_kind kind;
    uint32_t axes; // bit d: dimension d is reduced
    int keep_dims;
    int noop_with_empty_axes, n_axes; // as the file says
    int64_t file_axes[8];
} fv_reduce_attr;

typedef struct { // ArgMax, ArgMin, TopK
    int axis, keep_dims, select_last, largest, sorted;
    int64_t k;
} fv_arg_attr;

typedef struct { // QuantizeLinear, DequantizeLinear
    int axis;       // -1 after the load: one scale for all
    int64_t block;  // elements along the axis that share a scale; 0: all of a channel do
    fv_dtype dtype; // QuantizeLinear without a zero point
} fv_quant_attr;

typedef struct { // Batch-, Instance-, Layer-, GroupNormalization, LpNormalization, LRN
    float epsilon;
    int axis;   // LayerNormalization: first dimension that is normalised
    int groups; // GroupNormalization
    int training;
    int size;   // LRN
    float alpha, beta, bias;
} fv_norm_attr;
