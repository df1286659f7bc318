// Activations that the epilogue of a kernel applies (lib/act.glsl); for GLSL and C.
// The parameters `a`, `b` are pushed: slope of LEAKY_RELU, bounds of CLIP, slope and offset of
// HARD_SIGMOID and HARD_SWISH, alpha of ELU.
#ifndef FV_ACT_H
#define FV_ACT_H

#define FV_ACT_NONE 0
#define FV_ACT_RELU 1
#define FV_ACT_LEAKY_RELU 2   // x < 0 ? a x : x
#define FV_ACT_CLIP 3         // min(max(x, a), b)
#define FV_ACT_SIGMOID 4
#define FV_ACT_SILU 5         // x sigmoid(x)
#define FV_ACT_HARD_SIGMOID 6 // clamp(a x + b, 0, 1)
#define FV_ACT_HARD_SWISH 7   // x clamp(a x + b, 0, 1)
#define FV_ACT_MISH 8         // x tanh(softplus(x))
#define FV_ACT_TANH 9
#define FV_ACT_ELU 10         // x < 0 ? a (exp(x) - 1) : x
#define FV_ACT_GELU 11        // 0.5 x (1 + erf(x / sqrt 2))
#define FV_ACT_SOFTPLUS 12
#define FV_N_ACTS 13

#endif
