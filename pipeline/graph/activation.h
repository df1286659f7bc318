// Activations, alone and fused into a convolution: one enum, one formula table, one place.
#pragma once

#include <stddef.h>

// y = f(x; alpha, beta)
typedef enum {
    FV_ACT_NONE,         // x
    FV_ACT_RELU,         // max(x, 0)
    FV_ACT_LEAKY_RELU,   // x < 0 ? alpha x : x
    FV_ACT_CLIP,         // min(max(x, alpha), beta); ReLU6 is 0, 6
    FV_ACT_SIGMOID,      // 1 / (1 + exp(-x))
    FV_ACT_SILU,         // x sigmoid(alpha x); alpha is 1 but in Swish
    FV_ACT_HARD_SIGMOID, // min(max(alpha x + beta, 0), 1)
    FV_ACT_HARD_SWISH,   // x min(max(alpha x + beta, 0), 1); alpha 1/6, beta 0.5
    FV_ACT_MISH,         // x tanh(ln(1 + exp(x)))
    FV_ACT_TANH,
    FV_ACT_ELU,          // x < 0 ? alpha (exp(x) - 1) : x
    FV_ACT_SELU,         // beta (x < 0 ? alpha (exp(x) - 1) : x)
    FV_ACT_CELU,         // max(0, x) + min(0, alpha (exp(x / alpha) - 1))
    FV_ACT_SOFTPLUS,     // ln(1 + exp(x))
    FV_ACT_SOFTSIGN,     // x / (1 + |x|)
    FV_ACT_GELU,         // x (1 + erf(x / sqrt 2)) / 2
    FV_ACT_GELU_TANH,    // x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
    FV_ACT_THRESHOLDED,  // x > alpha ? x : 0
    FV_N_ACTS
} fv_act;

// Also the attribute struct of every activation op (Relu, LeakyRelu, Clip, Sigmoid, HardSwish,
// ...). Clip whose bounds are constant inputs has them here; only with bounds that are computed in
// the graph `computed` is true, and they are inputs 1 and 2.
typedef struct {
    fv_act kind;
    float alpha, beta;
    int computed;
} fv_activation;

const char *fv_act_name(fv_act kind); // "relu", "silu", ...

// In place over n values. Plain C; vectorised where the formula allows it.
void fv_activation_apply(const fv_activation *a, float *v, size_t n);
