// Element-wise work over any dtype: values are loaded in chunks into one of four classes of
// numbers, worked on by a plain loop, and stored. float32 in and out is never copied.
#pragma once

#include "pipeline/graph/ops.h"

// The arithmetic that a dtype is computed in: float16 in float, narrow integers in 64 bits, bool as
// unsigned.
typedef enum {
    FV_CLASS_FLOAT,
    FV_CLASS_DOUBLE,
    FV_CLASS_LONG,
    FV_CLASS_ULONG,
    FV_N_CLASSES
} fv_class;

fv_class fv_class_of(fv_dtype dtype);
fv_dtype fv_class_dtype(fv_class c);

// Arrays are of the class's type; `out` of comparisons is one byte a value.
typedef void (*fv_pair_fn)(const void *a, const void *b, void *out, size_t n);
typedef void (*fv_map_fn)(const void *in, void *out, size_t n);

// out = f(a, b) with NumPy broadcasting into the shape of `out`. `out` may be `a` where shapes are
// equal.
void fv_pairs_apply(fv_pair_fn f, fv_class c, bool to_bool, const fv_tensor *a, const fv_tensor *b,
                    fv_tensor *out);
// out = f(in), equal shapes.
void fv_map_apply(fv_map_fn f, fv_class c, bool to_bool, const fv_tensor *in, fv_tensor *out);

// Loops over an expression of x (and y); the name gets the type as a suffix by hand.
#define FV_PAIR(name, T, R, expression)                                                            \
    static void name(const void *pa, const void *pb, void *po, size_t n) {                         \
        const T *a = pa, *b = pb;                                                                  \
        R *o = po;                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            T x = a[i], y = b[i];                                                                  \
            o[i] = (R)(expression);                                                                \
        }                                                                                          \
    }
#define FV_MAP(name, T, R, expression)                                                             \
    static void name(const void *pa, void *po, size_t n) {                                         \
        const T *a = pa;                                                                           \
        R *o = po;                                                                                 \
        for (size_t i = 0; i < n; i++) {                                                           \
            T x = a[i];                                                                            \
            o[i] = (R)(expression);                                                                \
        }                                                                                          \
    }
