#include "pipeline/graph/activation.h"

#include <math.h>

static const char *const names[FV_N_ACTS] = {
    "none",         "relu",       "leaky_relu", "clip", "sigmoid",   "silu",
    "hard_sigmoid", "hard_swish", "mish",       "tanh", "elu",       "selu",
    "celu",         "softplus",   "softsign",   "gelu", "gelu_tanh", "thresholded",
};

const char *fv_act_name(fv_act kind) {
    return names[kind];
}

static float sigmoid(float x) {
    return 1 / (1 + expf(-x));
}

static float unit(float x) {
    return x < 0 ? 0 : x > 1 ? 1 : x;
}

static float softplus(float x) {
    return x > 0 ? x + log1pf(expf(-x)) : log1pf(expf(x));
}

#define EACH(expression)                                                                           \
    for (size_t i = 0; i < n; i++) {                                                               \
        float x = v[i];                                                                            \
        v[i] = (expression);                                                                       \
    }                                                                                              \
    return

void fv_activation_apply(const fv_activation *act, float *v, size_t n) {
    const float a = act->alpha, b = act->beta;
    switch (act->kind) {
    case FV_ACT_RELU: EACH(x < 0 ? 0 : x);
    case FV_ACT_LEAKY_RELU: EACH(x < 0 ? a * x : x);
    case FV_ACT_CLIP: EACH(x < a ? (a > b ? b : a) : x > b ? b : x);
    case FV_ACT_SIGMOID: EACH(sigmoid(x));
    case FV_ACT_SILU: EACH(x * sigmoid(a * x));
    case FV_ACT_HARD_SIGMOID: EACH(unit(a * x + b));
    case FV_ACT_HARD_SWISH: EACH(x * unit(a * x + b));
    case FV_ACT_MISH: EACH(x * tanhf(softplus(x)));
    case FV_ACT_TANH: EACH(tanhf(x));
    case FV_ACT_ELU: EACH(x < 0 ? a * expm1f(x) : x);
    case FV_ACT_SELU: EACH(b * (x <= 0 ? a * expm1f(x) : x));
    case FV_ACT_CELU: EACH(x < 0 ? a * expm1f(x / a) : x);
    case FV_ACT_SOFTPLUS: EACH(softplus(x));
    case FV_ACT_SOFTSIGN: EACH(x / (1 + fabsf(x)));
    case FV_ACT_GELU: EACH(0.5f * x * (1 + erff(x * 0.70710678f)));
    case FV_ACT_GELU_TANH:
        EACH(0.5f * x * (1 + tanhf(0.7978845608f * (x + 0.044715f * x * x * x))));
    case FV_ACT_THRESHOLDED: EACH(x > a ? x : 0);
    default: return;
    }
}
