// The functions of the element-wise kernels; for GLSL and C. Unary ones below UNARY_MATH are the
// activations of act.h.
#ifndef FV_ELTWISE_NUMBERS_H
#define FV_ELTWISE_NUMBERS_H

#define BINARY_NONE 0 // a
#define BINARY_ADD 1
#define BINARY_SUB 2
#define BINARY_MUL 3
#define BINARY_DIV 4
#define BINARY_POW 5
#define BINARY_MIN 6
#define BINARY_MAX 7
#define BINARY_PRELU 8 // a < 0 ? a b : a

#define UNARY_MATH 32
#define UNARY_EXP 32
#define UNARY_LOG 33
#define UNARY_SQRT 34
#define UNARY_ABS 35
#define UNARY_NEG 36
#define UNARY_FLOOR 37
#define UNARY_CEIL 38
#define UNARY_ROUND 39 // half to even
#define UNARY_RECIPROCAL 40
#define UNARY_SIN 41
#define UNARY_COS 42
#define UNARY_ERF 43
#define UNARY_SIGN 44
#define UNARY_SCALE 45 // alpha x + beta

#endif
