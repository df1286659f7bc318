// Element-wise ops of two or more tensors, with broadcasting.
#include <math.h>
#include <string.h>

#include "pipeline/graph/elementwise.h"
#include "pipeline/graph/op_math.h"

enum {
    ADD, SUB, MUL, DIV, POW, MOD, FMOD, MIN, MAX, PRELU, EQUAL, GREATER, LESS, GREATER_EQUAL,
    LESS_EQUAL, AND, OR, XOR, BIT_AND, BIT_OR, BIT_XOR, SHIFT_LEFT, SHIFT_RIGHT, MEAN, N_PAIRS
};

// Whole-number division that no input can make trap.
static int64_t divide(int64_t x, int64_t y) {
    return y == 0 ? 0 : y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t remainder_of(int64_t x, int64_t y) {
    return y == 0 || y == -1 ? 0 : x % y;
}

static int64_t modulo(int64_t x, int64_t y) { // the sign of y, as in Python
    int64_t r = remainder_of(x, y);
    return r && (r < 0) != (y < 0) ? r + y : r;
}

static double fmodulo(double x, double y) {
    double r = fmod(x, y);
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static int64_t power(int64_t x, int64_t y) {
    if (y < 0)
        return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
    uint64_t result = 1, base = (uint64_t)x;
    for (; y; y >>= 1, base *= base)
        if (y & 1)
            result *= base;
    return (int64_t)result;
}

#define REAL(name, expression)                                                                     \
    FV_PAIR(name##_f, float, float, expression)                                                    \
    FV_PAIR(name##_d, double, double, expression)
#define WHOLE(name, expression)                                                                    \
    FV_PAIR(name##_l, int64_t, int64_t, expression)                                                \
    FV_PAIR(name##_u, uint64_t, uint64_t, expression)
#define TEST(name, expression)                                                                     \
    FV_PAIR(name##_f, float, uint8_t, expression)                                                  \
    FV_PAIR(name##_d, double, uint8_t, expression)                                                 \
    FV_PAIR(name##_l, int64_t, uint8_t, expression)                                                \
    FV_PAIR(name##_u, uint64_t, uint8_t, expression)

REAL(add, x + y) WHOLE(add, (uint64_t)x + (uint64_t)y)
REAL(sub, x - y) WHOLE(sub, (uint64_t)x - (uint64_t)y)
REAL(mul, x * y) WHOLE(mul, (uint64_t)x * (uint64_t)y)
REAL(div, x / y)
FV_PAIR(div_l, int64_t, int64_t, divide(x, y))
FV_PAIR(div_u, uint64_t, uint64_t, y ? x / y : 0)
FV_PAIR(pow_f, float, float, y == 2 ? x * x : y == 0.5f ? sqrtf(x) : powf(x, y))
FV_PAIR(pow_d, double, double, pow(x, y))
WHOLE(pow, power((int64_t)x, (int64_t)y))
REAL(mod, fmodulo(x, y))
FV_PAIR(mod_l, int64_t, int64_t, modulo(x, y))
FV_PAIR(mod_u, uint64_t, uint64_t, y ? x % y : 0)
REAL(fmod, fmod(x, y)) FV_PAIR(fmod_l, int64_t, int64_t, remainder_of(x, y))
REAL(min, x != x || x < y ? x : y) WHOLE(min, x < y ? x : y)
REAL(max, x != x || x > y ? x : y) WHOLE(max, x > y ? x : y)
REAL(prelu, x < 0 ? x * y : x)
FV_PAIR(prelu_l, int64_t, int64_t, x < 0 ? (uint64_t)x * (uint64_t)y : (uint64_t)x)
FV_PAIR(prelu_u, uint64_t, uint64_t, x + 0 * y)
TEST(equal, x == y)
TEST(greater, x > y)
TEST(less, x < y)
TEST(greater_equal, x >= y)
TEST(less_equal, x <= y)
FV_PAIR(and_u, uint64_t, uint8_t, x && y) FV_PAIR(or_u, uint64_t, uint8_t, x || y)
FV_PAIR(xor_u, uint64_t, uint8_t, !x != !y)
WHOLE(bit_and, x & y) WHOLE(bit_or, x | y) WHOLE(bit_xor, x ^ y)
FV_PAIR(left_u, uint64_t, uint64_t, y < 64 ? x << y : 0)
FV_PAIR(right_u, uint64_t, uint64_t, y < 64 ? x >> y : 0)

#define ALL(name) {name##_f, name##_d, name##_l, name##_u}
static const struct {
    fv_pair_fn f[FV_N_CLASSES];
    bool to_bool;
} pairs[N_PAIRS] = {
    [ADD] = {ALL(add)}, [SUB] = {ALL(sub)}, [MUL] = {ALL(mul)}, [DIV] = {ALL(div)},
    [POW] = {ALL(pow)}, [MOD] = {ALL(mod)}, [FMOD] = {{fmod_f, fmod_d, fmod_l, mod_u}},
    [MIN] = {ALL(min)}, [MAX] = {ALL(max)}, [PRELU] = {ALL(prelu)}, [MEAN] = {ALL(add)},
    [EQUAL] = {ALL(equal), true}, [GREATER] = {ALL(greater), true}, [LESS] = {ALL(less), true},
    [GREATER_EQUAL] = {ALL(greater_equal), true}, [LESS_EQUAL] = {ALL(less_equal), true},
    [AND] = {{NULL, NULL, NULL, and_u}, true}, [OR] = {{NULL, NULL, NULL, or_u}, true},
    [XOR] = {{NULL, NULL, NULL, xor_u}, true}, [BIT_AND] = {{NULL, NULL, bit_and_l, bit_and_u}},
    [BIT_OR] = {{NULL, NULL, bit_or_l, bit_or_u}}, [BIT_XOR] = {{NULL, NULL, bit_xor_l, bit_xor_u}},
    [SHIFT_LEFT] = {{NULL, NULL, NULL, left_u}}, [SHIFT_RIGHT] = {{NULL, NULL, NULL, right_u}},
};

static void parse(fv_attrs *a, void *attr) {
    static const char *const directions[] = {"LEFT", "RIGHT", NULL};
    fv_pair_attr *p = attr;
    p->kind = fv_attrs_variant(a);
    if (p->kind == MOD && fv_attr_long(a, "fmod", 0))
        p->kind = FMOD;
    if (p->kind == SHIFT_LEFT)
        p->kind += fv_attr_choice(a, "direction", 0, directions);
    p->axis = -1;
    if (fv_attrs_opset(a) < 7 && fv_attr_long(a, "broadcast", 0) && fv_attr_has(a, "axis"))
        p->axis = fv_attr_int(a, "axis", 0, 0, FV_MAX_DIMS - 1);
    if (fv_attrs_opset(a) < 7 && p->kind == PRELU)
        p->axis = 1;
}

// Opset < 7 places the second input at an axis of the first: ones are put behind it.
static fv_tensor second(const fv_call *c) {
    const fv_pair_attr *p = c->attr;
    fv_tensor b = *c->in[1];
    for (int to = c->in[0]->n_dims - p->axis;
         p->axis >= 0 && b.n_dims < to && b.n_dims < FV_MAX_DIMS;)
        b.dim[b.n_dims++] = 1;
    return b;
}

static bool pair_shape(const fv_call *c) {
    const fv_pair_attr *p = c->attr;
    fv_tensor b = second(c);
    int n_dims;
    int64_t dim[FV_MAX_DIMS];
    if (p->kind != POW && c->in[0]->dtype != c->in[1]->dtype)
        return fv_fail(c->err, FV_BAD_INPUT, "its inputs are of types %s and %s",
                       fv_dtype_name(c->in[0]->dtype), fv_dtype_name(c->in[1]->dtype));
    if (!fv_shape_broadcast(c, (const fv_tensor *[]){c->in[0], &b}, 2, &n_dims, dim))
        return false;
    return fv_shape_set(c, 0, pairs[p->kind].to_bool ? FV_BOOL : c->in[0]->dtype, n_dims, dim);
}

// Pow alone mixes dtypes; the base says the result's.
static fv_class class_of(const fv_call *c) {
    fv_class a = fv_class_of(c->in[0]->dtype), b = fv_class_of(c->in[1]->dtype);
    bool whole = a >= FV_CLASS_LONG;
    return a == b                           ? a
           : !whole && b != FV_CLASS_DOUBLE ? a
           : whole && b >= FV_CLASS_LONG    ? FV_CLASS_LONG
                                            : FV_CLASS_DOUBLE;
}

static bool pair_run(const fv_call *c) {
    const fv_pair_attr *p = c->attr;
    fv_class class = class_of(c);
    fv_tensor b = second(c);
    fv_pairs_apply(pairs[p->kind].f[class], class, pairs[p->kind].to_bool, c->in[0], &b, c->out[0]);
    return true;
}

// ---- Max, Min, Sum, Mean ------------------------------------------------------------------------

static bool many_shape(const fv_call *c) {
    int n_dims;
    int64_t dim[FV_MAX_DIMS];
    for (int k = 1; k < c->n_in; k++)
        if (!c->in[k] || c->in[k]->dtype != c->in[0]->dtype)
            return fv_fail(c->err, FV_BAD_INPUT, "its inputs are of several types");
    return fv_shape_broadcast(c, c->in, c->n_in, &n_dims, dim) &&
           fv_shape_set(c, 0, c->in[0]->dtype, n_dims, dim);
}

static bool many_run(const fv_call *c) {
    const fv_pair_attr *p = c->attr;
    fv_class class = fv_class_of(c->in[0]->dtype);
    int64_t src[FV_MAX_DIMS], dst[FV_MAX_DIMS];
    fv_tensor *out = c->out[0];
    fv_strides_broadcast(c->in[0], out->n_dims, out->dim, src);
    fv_strides_get(out, dst);
    fv_copy_strided(out->data, dst, c->in[0]->data, src, out->n_dims, out->dim,
                    fv_dtype_size(out->dtype));
    for (int k = 1; k < c->n_in; k++)
        fv_pairs_apply(pairs[p->kind].f[class], class, false, out, c->in[k], out);
    uint64_t n = 0;
    fv_tensor divisor = {.dtype = out->dtype, .data = &n};
    int64_t count = c->n_in;
    fv_convert(&n, out->dtype, &count, FV_I64, 1);
    if (p->kind == MEAN)
        fv_pairs_apply(pairs[DIV].f[class], class, false, out, &divisor, out);
    return true;
}

#define PAIR(name_, kind, types_)                                                                  \
    {.name = name_, .min_in = 2, .max_in = 2, .max_out = 1, .types = types_, .variant = kind,      \
     .attr_size = sizeof(fv_pair_attr), .parse = parse, .shape = pair_shape, .run = pair_run}
#define MANY(name_, kind)                                                                          \
    {.name = name_, .min_in = 1, .max_in = 1 << 16, .max_out = 1, .types = FV_TYPES_NUMBER,        \
     .variant = kind, .attr_size = sizeof(fv_pair_attr), .parse = parse, .shape = many_shape,      \
     .run = many_run}
enum { UNSIGNED = FV_TYPE(FV_U8) | FV_TYPE(FV_U16) | FV_TYPE(FV_U32) | FV_TYPE(FV_U64) };

const fv_op fv_ops_binary[] = {
    PAIR("Add", ADD, FV_TYPES_NUMBER),
    PAIR("Sub", SUB, FV_TYPES_NUMBER),
    PAIR("Mul", MUL, FV_TYPES_NUMBER),
    PAIR("Div", DIV, FV_TYPES_NUMBER),
    PAIR("Pow", POW, FV_TYPES_NUMBER),
    PAIR("Mod", MOD, FV_TYPES_NUMBER),
    PAIR("PRelu", PRELU, FV_TYPES_NUMBER),
    PAIR("Equal", EQUAL, FV_TYPES_ALL),
    PAIR("Greater", GREATER, FV_TYPES_NUMBER),
    PAIR("Less", LESS, FV_TYPES_NUMBER),
    PAIR("GreaterOrEqual", GREATER_EQUAL, FV_TYPES_NUMBER),
    PAIR("LessOrEqual", LESS_EQUAL, FV_TYPES_NUMBER),
    PAIR("And", AND, FV_TYPE(FV_BOOL)),
    PAIR("Or", OR, FV_TYPE(FV_BOOL)),
    PAIR("Xor", XOR, FV_TYPE(FV_BOOL)),
    PAIR("BitwiseAnd", BIT_AND, FV_TYPES_INT),
    PAIR("BitwiseOr", BIT_OR, FV_TYPES_INT),
    PAIR("BitwiseXor", BIT_XOR, FV_TYPES_INT),
    PAIR("BitShift", SHIFT_LEFT, UNSIGNED),
    MANY("Max", MAX),
    MANY("Min", MIN),
    MANY("Sum", ADD),
    MANY("Mean", MEAN),
    {0},
};
