// Activations that the epilogue of a kernel applies (lib/act.glsl); for GLSL and C. The numbers and
// formulas are those of fv_act in pipeline/graph/activation.h.
#ifndef FV_ACT_NUMBERS_H
#define FV_ACT_NUMBERS_H

#define ACT_NONE 0
#define ACT_RELU 1
#define ACT_LEAKY_RELU 2
#define ACT_CLIP 3
#define ACT_SIGMOID 4
#define ACT_SILU 5
#define ACT_HARD_SIGMOID 6
#define ACT_HARD_SWISH 7
#define ACT_MISH 8
#define ACT_TANH 9
#define ACT_ELU 10
#define ACT_SELU 11
#define ACT_CELU 12
#define ACT_SOFTPLUS 13
#define ACT_SOFTSIGN 14
#define ACT_GELU 15
#define ACT_GELU_TANH 16
#define ACT_THRESHOLDED 17

#define ACT_LAST_OF_FEW ACT_HARD_SWISH // what nearly all networks have; kernels NAME_any have the others

#endif
