// Element-wise ops of one tensor that are no activations.
#include <math.h>
#include <string.h>

#include "pipeline/graph/elementwise.h"
#include "pipeline/graph/op_math.h"

#define REAL(name, expression)                                                                     \
    FV_MAP(name##_f, float, float, expression)                                                     \
    FV_MAP(name##_d, double, double, expression)

FV_MAP(abs_f, float, float, fabsf(x)) FV_MAP(abs_d, double, double, fabs(x))
FV_MAP(abs_l, int64_t, int64_t, x < 0 ? 0 - (uint64_t)x : (uint64_t)x)
FV_MAP(same_u, uint64_t, uint64_t, x)
REAL(neg, -x)
FV_MAP(neg_l, int64_t, int64_t, 0 - (uint64_t)x)
FV_MAP(neg_u, uint64_t, uint64_t, 0 - x)
REAL(sign, x > 0 ? 1 : x < 0 ? -1 : 0) FV_MAP(sign_l, int64_t, int64_t, x > 0 ? 1 : x < 0 ? -1 : 0)
FV_MAP(sign_u, uint64_t, uint64_t, x > 0)
REAL(ceil, ceil(x)) REAL(floor, floor(x)) REAL(round, rint(x)) REAL(reciprocal, 1 / x)
FV_MAP(sqrt_f, float, float, sqrtf(x)) FV_MAP(sqrt_d, double, double, sqrt(x))
FV_MAP(exp_f, float, float, expf(x)) FV_MAP(exp_d, double, double, exp(x))
FV_MAP(log_f, float, float, logf(x)) FV_MAP(log_d, double, double, log(x))
FV_MAP(erf_f, float, float, erff(x)) FV_MAP(erf_d, double, double, erf(x))
REAL(sin, sin(x))
REAL(cos, cos(x))
REAL(tan, tan(x))
REAL(asin, asin(x))
REAL(acos, acos(x))
REAL(atan, atan(x))
REAL(sinh, sinh(x))
REAL(cosh, cosh(x))
REAL(asinh, asinh(x))
REAL(acosh, acosh(x))
REAL(atanh, atanh(x))
FV_MAP(not_u, uint64_t, uint8_t, !x)
FV_MAP(bit_not_l, int64_t, int64_t, ~x)
FV_MAP(bit_not_u, uint64_t, uint64_t, ~x)
FV_MAP(nan_f, float, uint8_t, x != x) FV_MAP(nan_d, double, uint8_t, x != x)

enum {
    ABS, NEG, SIGN, CEIL, FLOOR, ROUND, RECIPROCAL, SQRT, EXP, LOG, ERF, SIN, COS, TAN, ASIN, ACOS,
    ATAN, SINH, COSH, ASINH, ACOSH, ATANH, NOT, BIT_NOT, IS_NAN, N_MAPS
};

#define BOTH(name) {name##_f, name##_d}
static const struct {
    fv_map_fn f[FV_N_CLASSES];
    bool to_bool;
} maps[N_MAPS] = {
    [ABS] = {{abs_f, abs_d, abs_l, same_u}}, [NEG] = {{neg_f, neg_d, neg_l, neg_u}},
    [SIGN] = {{sign_f, sign_d, sign_l, sign_u}}, [CEIL] = {BOTH(ceil)}, [FLOOR] = {BOTH(floor)},
    [ROUND] = {BOTH(round)}, [RECIPROCAL] = {BOTH(reciprocal)}, [SQRT] = {BOTH(sqrt)},
    [EXP] = {BOTH(exp)}, [LOG] = {BOTH(log)}, [ERF] = {BOTH(erf)}, [SIN] = {BOTH(sin)},
    [COS] = {BOTH(cos)}, [TAN] = {BOTH(tan)}, [ASIN] = {BOTH(asin)}, [ACOS] = {BOTH(acos)},
    [ATAN] = {BOTH(atan)}, [SINH] = {BOTH(sinh)}, [COSH] = {BOTH(cosh)}, [ASINH] = {BOTH(asinh)},
    [ACOSH] = {BOTH(acosh)}, [ATANH] = {BOTH(atanh)}, [NOT] = {{NULL, NULL, NULL, not_u}, true},
    [BIT_NOT] = {{NULL, NULL, bit_not_l, bit_not_u}}, [IS_NAN] = {BOTH(nan), true},
};

static bool map_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    return fv_shape_set(c, 0, maps[c->op->variant].to_bool ? FV_BOOL : x->dtype, x->n_dims, x->dim);
}

static bool map_run(const fv_call *c) {
    fv_class class = fv_class_of(c->in[0]->dtype);
    fv_map_apply(maps[c->op->variant].f[class], class, maps[c->op->variant].to_bool, c->in[0],
                 c->out[0]);
    return true;
}

// ---- IsInf --------------------------------------------------------------------------------------

typedef struct {
    int negative, positive;
} inf_attr;

static void inf_parse(fv_attrs *a, void *attr) {
    *(inf_attr *)attr = (inf_attr){fv_attr_int(a, "detect_negative", 1, 0, 1),
                                   fv_attr_int(a, "detect_positive", 1, 0, 1)};
}

static bool inf_shape(const fv_call *c) {
    return fv_shape_set(c, 0, FV_BOOL, c->in[0]->n_dims, c->in[0]->dim);
}

static bool inf_run(const fv_call *c) {
    const inf_attr *p = c->attr;
    uint8_t *o = c->out[0]->data;
    for (int64_t i = 0; i < fv_tensor_count(c->in[0]); i++) {
        double x = fv_element_get(c->in[0], i);
        o[i] = (p->positive && x == INFINITY) || (p->negative && x == -INFINITY);
    }
    return true;
}

// ---- Shrink -------------------------------------------------------------------------------------

typedef struct {
    float bias, lambda;
} shrink_attr;

static void shrink_parse(fv_attrs *a, void *attr) {
    *(shrink_attr *)attr =
        (shrink_attr){fv_attr_float(a, "bias", 0), fv_attr_float(a, "lambd", 0.5f)};
}

static bool shrink_run(const fv_call *c) {
    const shrink_attr *p = c->attr;
    const float *x = c->in[0]->data;
    float *o = c->out[0]->data;
    for (int64_t i = 0; i < fv_tensor_count(c->in[0]); i++)
        o[i] = x[i] < -p->lambda ? x[i] + p->bias : x[i] > p->lambda ? x[i] - p->bias : 0;
    return true;
}

// ---- Cast ---------------------------------------------------------------------------------------

static bool cast_shape(const fv_call *c) {
    const fv_cast_attr *p = c->attr;
    return fv_shape_set(c, 0, c->n_in == 2 ? c->in[1]->dtype : p->to, c->in[0]->n_dims,
                        c->in[0]->dim);
}

static bool cast_run(const fv_call *c) {
    fv_convert(c->out[0]->data, c->out[0]->dtype, c->in[0]->data, c->in[0]->dtype,
               (size_t)fv_tensor_count(c->in[0]));
    return true;
}

static void cast_parse(fv_attrs *a, void *attr) {
    ((fv_cast_attr *)attr)->to = fv_attr_dtype(a, "to", FV_F32);
}

#define MAP(name_, kind, types_)                                                                   \
    {.name = name_, .min_in = 1, .max_in = 1, .max_out = 1, .types = types_, .variant = kind,      \
     .shape = map_shape, .run = map_run}

const fv_op fv_ops_unary[] = {
    MAP("Abs", ABS, FV_TYPES_NUMBER),
    MAP("Neg", NEG, FV_TYPES_NUMBER),
    MAP("Sign", SIGN, FV_TYPES_NUMBER),
    MAP("Ceil", CEIL, FV_TYPES_FLOAT),
    MAP("Floor", FLOOR, FV_TYPES_FLOAT),
    MAP("Round", ROUND, FV_TYPES_FLOAT),
    MAP("Reciprocal", RECIPROCAL, FV_TYPES_FLOAT),
    MAP("Sqrt", SQRT, FV_TYPES_FLOAT),
    MAP("Exp", EXP, FV_TYPES_FLOAT),
    MAP("Log", LOG, FV_TYPES_FLOAT),
    MAP("Erf", ERF, FV_TYPES_FLOAT),
    MAP("Sin", SIN, FV_TYPES_FLOAT),
    MAP("Cos", COS, FV_TYPES_FLOAT),
    MAP("Tan", TAN, FV_TYPES_FLOAT),
    MAP("Asin", ASIN, FV_TYPES_FLOAT),
    MAP("Acos", ACOS, FV_TYPES_FLOAT),
    MAP("Atan", ATAN, FV_TYPES_FLOAT),
    MAP("Sinh", SINH, FV_TYPES_FLOAT),
    MAP("Cosh", COSH, FV_TYPES_FLOAT),
    MAP("Asinh", ASINH, FV_TYPES_FLOAT),
    MAP("Acosh", ACOSH, FV_TYPES_FLOAT),
    MAP("Atanh", ATANH, FV_TYPES_FLOAT),
    MAP("Not", NOT, FV_TYPE(FV_BOOL)),
    MAP("BitwiseNot", BIT_NOT, FV_TYPES_INT),
    MAP("IsNaN", IS_NAN, FV_TYPES_FLOAT),
    {.name = "IsInf", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_FLOAT,
     .attr_size = sizeof(inf_attr), .parse = inf_parse, .shape = inf_shape, .run = inf_run},
    {.name = "Shrink", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(shrink_attr), .parse = shrink_parse, .run = shrink_run},
    {.name = "Cast", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_ALL,
     .attr_size = sizeof(fv_cast_attr), .parse = cast_parse, .shape = cast_shape, .run = cast_run},
    {.name = "CastLike", .min_in = 2, .max_in = 2, .max_out = 1, .types = FV_TYPES_ALL,
     .attr_size = sizeof(fv_cast_attr), .shape = cast_shape, .run = cast_run},
    {0},
};
