// activate(kind, x, a, b): the epilogue's activation; `kind` is a specialization constant, so that
// only one branch is left in the pipeline. With FEW_ACTS those beyond ACT_LAST_OF_FEW are left out: a CPU
// driver keeps what it made of every branch.
#include "act.h"

// exp() of a large argument is inf, and inf * 0 is not a number: stay inside.
vec4 exp_safe(vec4 x) {
    return exp(clamp(x, vec4(-87.0), vec4(88.0)));
}

// Of whole numbers, as which floats from 0 on compare as well: CPU drivers take floating-point minima and maxima apart.
vec4 from_zero(vec4 x) {
    return intBitsToFloat(max(floatBitsToInt(x), ivec4(0)));
}
vec4 from_zero_to_one(vec4 x) {
    return intBitsToFloat(clamp(floatBitsToInt(x), ivec4(0), ivec4(floatBitsToInt(1.0))));
}

// Far out this is inf, and what is divided by it 0.
vec4 one_and_exp(vec4 x) {
    return 1.0 + exp2(x * 1.44269504);
}

#ifndef FEW_ACTS
vec4 softplus(vec4 x) {
    return max(x, vec4(0)) + log(1.0 + exp_safe(-abs(x)));
}

// tanh(softplus(x)) without cancellation: with e = exp(x), (e^2 + 2e) / (e^2 + 2e + 2).
vec4 mish(vec4 x) {
    vec4 e = exp_safe(min(x, vec4(20)));
    vec4 n = e * (e + 2.0);
    return x * (n / (n + 2.0));
}

vec4 tanh_safe(vec4 x) {
    vec4 e = exp_safe(-2.0 * abs(x));
    vec4 far = (1.0 - e) / (1.0 + e);
    vec4 square = x * x; // near zero: the series, which does not cancel
    vec4 near = abs(x) * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 - square * (17.0 / 315.0))));
    return sign(x) * mix(far, near, lessThan(abs(x), vec4(0.15)));
}

// Abramowitz and Stegun 7.1.26 is too coarse (1.5e-7 absolute is fine far out, not near zero), so:
// Maclaurin series below 1, 7.1.26 above.
vec4 erf_(vec4 x) {
    vec4 a = min(abs(x), vec4(6));
    vec4 t = 1.0 / (1.0 + 0.3275911 * a);
    vec4 far = 1.0 - t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 +
               t * 1.061405429)))) * exp(-a * a);
    vec4 s = a * a;
    vec4 near = a * 1.1283791671 * (1.0 + s * (-1.0 / 3.0 + s * (1.0 / 10.0 + s * (-1.0 / 42.0 +
                s * (1.0 / 216.0 + s * (-1.0 / 1320.0 + s * (1.0 / 9360.0 + s * (-1.0 / 75600.0))))))));
    return sign(x) * mix(far, near, lessThan(a, vec4(1)));
}

vec4 elu(vec4 x, float a) {
    return mix(a * (exp_safe(min(x, vec4(0))) - 1.0), x, greaterThanEqual(x, vec4(0)));
}

#endif

vec4 activate(uint kind, vec4 x, float a, float b) {
    vec4 y = x;
    if (kind == ACT_RELU)
        y = from_zero(x);
    else if (kind == ACT_LEAKY_RELU)
        y = mix(x * a, x, greaterThanEqual(x, vec4(0)));
    else if (kind == ACT_CLIP)
        y = min(max(x, vec4(a)), vec4(b));
    else if (kind == ACT_SIGMOID)
        y = 1.0 / one_and_exp(-x);
    else if (kind == ACT_SILU)
        y = x / one_and_exp(-a * x);
    else if (kind == ACT_HARD_SIGMOID)
        y = from_zero_to_one(a * x + b);
    else if (kind == ACT_HARD_SWISH)
        y = x * from_zero_to_one(a * x + b);
#ifndef FEW_ACTS
    else if (kind == ACT_MISH)
        y = mish(x);
    else if (kind == ACT_TANH)
        y = tanh_safe(x);
    else if (kind == ACT_ELU)
        y = elu(x, a);
    else if (kind == ACT_SELU)
        y = b * elu(x, a);
    else if (kind == ACT_CELU)
        y = max(x, vec4(0)) + min(a * (exp_safe(x / a) - 1.0), vec4(0));
    else if (kind == ACT_SOFTPLUS)
        y = softplus(x);
    else if (kind == ACT_SOFTSIGN)
        y = x / (1.0 + abs(x));
    else if (kind == ACT_GELU)
        y = 0.5 * x * (1.0 + erf_(x * 0.70710678118));
    else if (kind == ACT_GELU_TANH)
        y = 0.5 * x * (1.0 + tanh_safe(0.79788456080 * (x + 0.044715 * x * x * x)));
    else if (kind == ACT_THRESHOLDED)
        y = mix(vec4(0), x, greaterThan(x, vec4(a)));
#endif
    return y;
}
