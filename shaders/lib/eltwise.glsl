// binary(op, a, b) and unary(op, x, alpha, beta); ops are specialization constants.
#include "eltwise.h"
#include "lib/act.glsl"

// x^y for negative x as well, where y is whole (else not a number); 0^0 is 1.
vec4 power(vec4 x, vec4 y) {
    vec4 p = pow(abs(x), y);
    bvec4 odd = equal(fract(abs(y) * 0.5), vec4(0.5));
    p = mix(p, -p, bvec4(uvec4(lessThan(x, vec4(0))) & uvec4(odd)));
    bvec4 negative = lessThan(x, vec4(0)), broken = notEqual(fract(y), vec4(0));
    p = mix(p, vec4(uintBitsToFloat(0x7fc00000u)), bvec4(uvec4(negative) & uvec4(broken)));
    p = mix(p, x * x, equal(y, vec4(2)));
    return mix(p, vec4(1), equal(y, vec4(0)));
}

vec4 binary(uint op, vec4 a, vec4 b) {
    switch (op) {
    case BINARY_ADD: return a + b;
    case BINARY_SUB: return a - b;
    case BINARY_MUL: return a * b;
    case BINARY_DIV: return a / b;
    case BINARY_POW: return power(a, b);
    case BINARY_MIN: return min(a, b);
    case BINARY_MAX: return max(a, b);
    case BINARY_PRELU: return mix(a * b, a, greaterThanEqual(a, vec4(0)));
    }
    return a;
}

vec4 unary(uint op, vec4 x, float alpha, float beta) {
    switch (op) {
    case UNARY_EXP: return exp(x);
    case UNARY_LOG: return log(x);
    case UNARY_SQRT: return sqrt(x);
    case UNARY_ABS: return abs(x);
    case UNARY_NEG: return -x;
    case UNARY_FLOOR: return floor(x);
    case UNARY_CEIL: return ceil(x);
    case UNARY_ROUND: return roundEven(x);
    case UNARY_RECIPROCAL: return 1.0 / x;
    case UNARY_SIN: return sin(x);
    case UNARY_COS: return cos(x);
    case UNARY_ERF: return erf_(x);
    case UNARY_SIGN: return sign(x);
    case UNARY_SCALE: return alpha * x + beta;
    }
    return activate(op, x, alpha, beta);
}
