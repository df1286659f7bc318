// Activations as ops of their own.
#include <float.h>
#include <math.h>
#include <string.h>

#include "pipeline/graph/activation.h"
#include "pipeline/graph/elementwise.h"

// Defaults of the attributes "alpha" and "beta" of each activation.
static const struct {
    float alpha, beta;
    const char *beta_name;
} defaults[FV_N_ACTS] = {
    [FV_ACT_LEAKY_RELU] = {0.01f, 0, NULL},
    [FV_ACT_SILU] = {1, 0, NULL},
    [FV_ACT_HARD_SIGMOID] = {0.2f, 0.5f, "beta"},
    [FV_ACT_HARD_SWISH] = {1 / 6.0f, 0.5f, NULL},
    [FV_ACT_ELU] = {1, 0, NULL},
    [FV_ACT_SELU] = {1.67326319217681884765625f, 1.05070102214813232421875f, "gamma"},
    [FV_ACT_CELU] = {1, 0, NULL},
    [FV_ACT_THRESHOLDED] = {1, 0, NULL},
};

static void parse(fv_attrs *a, void *attr) {
    fv_activation *p = attr;
    p->kind = fv_attrs_variant(a);
    p->alpha = fv_attr_float(a, "alpha", defaults[p->kind].alpha);
    p->beta = defaults[p->kind].beta_name
                  ? fv_attr_float(a, defaults[p->kind].beta_name, defaults[p->kind].beta)
                  : defaults[p->kind].beta;
    if (p->kind == FV_ACT_HARD_SWISH)
        p->alpha = defaults[p->kind].alpha;
}

static void parse_gelu(fv_attrs *a, void *attr) {
    static const char *const kinds[] = {"none", "tanh", NULL};
    fv_activation *p = attr;
    p->kind = fv_attr_choice(a, "approximate", 0, kinds) ? FV_ACT_GELU_TANH : FV_ACT_GELU;
}

static void parse_clip(fv_attrs *a, void *attr) {
    fv_activation *p = attr;
    p->kind = FV_ACT_CLIP;
    p->alpha = fv_attr_float(a, "min", -FLT_MAX);
    p->beta = fv_attr_float(a, "max", FLT_MAX);
}

static bool clip_shape(const fv_call *c) {
    fv_activation *p = c->attr;
    float *bound[] = {&p->alpha, &p->beta};
    for (int k = 1; k <= 2; k++) {
        if (!fv_call_has(c, k))
            continue;
        if (fv_tensor_count(c->in[k]) != 1)
            return fv_fail(c->err, FV_BAD_INPUT, "bound '%s' is no scalar", c->in[k]->name);
        if (c->in[k]->data)
            *bound[k - 1] = (float)fv_element_get(c->in[k], 0);
        else
            p->computed = 1;
    }
    return fv_shape_like(c, 0, c->in[0]);
}

FV_PAIR(max_f, float, float, x < y ? y : x)
FV_PAIR(max_d, double, double, x < y ? y : x)
FV_PAIR(max_l, int64_t, int64_t, x < y ? y : x)
FV_PAIR(max_u, uint64_t, uint64_t, x < y ? y : x)
FV_PAIR(min_f, float, float, x > y ? y : x)
FV_PAIR(min_d, double, double, x > y ? y : x)
FV_PAIR(min_l, int64_t, int64_t, x > y ? y : x)
FV_PAIR(min_u, uint64_t, uint64_t, x > y ? y : x)

static bool clip_inputs(const fv_call *c) {
    static const fv_pair_fn f[2][FV_N_CLASSES] = {{max_f, max_d, max_l, max_u},
                                                  {min_f, min_d, min_l, min_u}};
    fv_class class = fv_class_of(c->in[0]->dtype);
    memcpy(c->out[0]->data, c->in[0]->data, fv_tensor_bytes(c->in[0]));
    for (int k = 1; k <= 2; k++) {
        if (!fv_call_has(c, k))
            continue;
        fv_tensor bound = *c->in[k];
        bound.n_dims = 0;
        fv_pairs_apply(f[k - 1][class], class, false, c->out[0], &bound, c->out[0]);
    }
    return true;
}

static bool run_float(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    memcpy(c->out[0]->data, x->data, fv_tensor_bytes(x));
    fv_activation_apply(c->attr, c->out[0]->data, (size_t)fv_tensor_count(x));
    return true;
}

// Opset 11 and newer: the bounds are inputs of x's own dtype.
static bool clip_run(const fv_call *c) {
    bool real = c->in[0]->dtype == FV_F32;
    return real && c->n_in == 1 ? run_float(c) : clip_inputs(c);
}

static bool relu_run(const fv_call *c) {
    uint64_t zero = 0;
    fv_tensor bound = {.dtype = c->in[0]->dtype, .data = &zero};
    static const fv_pair_fn f[FV_N_CLASSES] = {max_f, max_d, max_l, max_u};
    fv_class class = fv_class_of(c->in[0]->dtype);
    fv_pairs_apply(f[class], class, false, c->in[0], &bound, c->out[0]);
    return true;
}

#define ACT(name_, kind, parse_)                                                                   \
    {.name = name_, .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_FLOAT,               \
     .as_float = true, .variant = kind, .attr_size = sizeof(fv_activation), .parse = parse_,       \
     .run = run_float}

const fv_op fv_ops_activation[] = {
    {.name = "Relu", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_NUMBER,
     .variant = FV_ACT_RELU, .attr_size = sizeof(fv_activation), .parse = parse, .run = relu_run},
    {.name = "Clip", .min_in = 1, .max_in = 3, .max_out = 1, .types = FV_TYPES_NUMBER,
     .variant = FV_ACT_CLIP, .attr_size = sizeof(fv_activation), .parse = parse_clip,
     .shape = clip_shape, .run = clip_run},
    ACT("LeakyRelu", FV_ACT_LEAKY_RELU, parse),
    ACT("Sigmoid", FV_ACT_SIGMOID, parse),
    ACT("HardSigmoid", FV_ACT_HARD_SIGMOID, parse),
    ACT("HardSwish", FV_ACT_HARD_SWISH, parse),
    ACT("Swish", FV_ACT_SILU, parse),
    ACT("Mish", FV_ACT_MISH, parse),
    ACT("Tanh", FV_ACT_TANH, parse),
    ACT("Elu", FV_ACT_ELU, parse),
    ACT("Selu", FV_ACT_SELU, parse),
    ACT("Celu", FV_ACT_CELU, parse),
    ACT("Softplus", FV_ACT_SOFTPLUS, parse),
    ACT("Softsign", FV_ACT_SOFTSIGN, parse),
    ACT("ThresholdedRelu", FV_ACT_THRESHOLDED, parse),
    ACT("Gelu", FV_ACT_GELU, parse_gelu),
    {0},
};
