#include "pipeline/graph/ops.h"

#include <math.h>
#include <string.h>

float fv_half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 0x3ff,
             bits;
    if (exponent == 0) {
        float f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exponent == 31 ? 255u : exponent + 112) << 23 | mantissa << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

// IEEE 754 binary32 to binary16, round to nearest even.
uint16_t fv_float_to_half(float f) {
    uint32_t bits;
    memcpy(&bits, &f, 4);
    uint32_t sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
    if (rest >= 0x7f800000)
        return (uint16_t)(sign | 0x7c00 | (rest > 0x7f800000 ? 0x200 : 0));
    if (rest >= 0x477ff000)
        return (uint16_t)(sign | 0x7c00);
    if (rest < 0x38800000) // subnormal: the value in units of 2^-24, rounded by the FPU
        return (uint16_t)(sign | (uint32_t)lrintf(fabsf(f) * 0x1p24f));
    uint32_t odd = rest >> 13 & 1;
    return (uint16_t)(sign | ((rest - 0x38000000 + 0xfff + odd) >> 13));
}

static int64_t to_long(double v) {
    return v != v ? 0 : v >= 0x1p63 ? INT64_MAX : v <= -0x1p63 ? INT64_MIN : (int64_t)v;
}

static uint64_t to_ulong(double v) {
    return v != v ? 0 : v >= 0x1p64 ? UINT64_MAX : v <= -1 ? (uint64_t)to_long(v) : (uint64_t)v;
}

#define CAST(v, T) (T)(v)
#define TO_LONG(v, T) (T)to_long((double)(v))
#define TO_ULONG(v, T) (T)to_ulong((double)(v))
#define TO_HALF(v, T) fv_float_to_half((float)(v))
#define TO_BOOL(v, T) (T)((v) != 0)

#define LOOP(D, HOW, load)                                                                         \
    for (size_t i = 0; i < n; i++)                                                                 \
        ((D *)dst)[i] = HOW(load, D);                                                              \
    return

// From one type to all; `load` reads element i of src. REAL is how a real number becomes an
// integer.
#define FROM(load, REAL, UREAL)                                                                    \
    switch (to) {                                                                                  \
    case FV_F32: LOOP(float, CAST, load);                                                          \
    case FV_F64: LOOP(double, CAST, load);                                                         \
    case FV_F16: LOOP(uint16_t, TO_HALF, load);                                                    \
    case FV_I64: LOOP(int64_t, REAL, load);                                                        \
    case FV_I32: LOOP(int32_t, REAL, load);                                                        \
    case FV_I16: LOOP(int16_t, REAL, load);                                                        \
    case FV_I8: LOOP(int8_t, REAL, load);                                                          \
    case FV_U64: LOOP(uint64_t, UREAL, load);                                                      \
    case FV_U32: LOOP(uint32_t, REAL, load);                                                       \
    case FV_U16: LOOP(uint16_t, REAL, load);                                                       \
    case FV_U8: LOOP(uint8_t, REAL, load);                                                         \
    case FV_BOOL: LOOP(uint8_t, TO_BOOL, load);                                                    \
    default: return;                                                                               \
    }

void fv_convert(void *dst, fv_dtype to, const void *src, fv_dtype from, size_t n) {
    if (to == from) {
        if (n)
            memmove(dst, src, n * fv_dtype_size(to));
        return;
    }
    switch (from) {
    case FV_F32: FROM(((const float *)src)[i], TO_LONG, TO_ULONG)
    case FV_F64: FROM(((const double *)src)[i], TO_LONG, TO_ULONG)
    case FV_F16: FROM(fv_half_to_float(((const uint16_t *)src)[i]), TO_LONG, TO_ULONG)
    case FV_I64: FROM(((const int64_t *)src)[i], CAST, CAST)
    case FV_I32: FROM(((const int32_t *)src)[i], CAST, CAST)
    case FV_I16: FROM(((const int16_t *)src)[i], CAST, CAST)
    case FV_I8: FROM(((const int8_t *)src)[i], CAST, CAST)
    case FV_U64: FROM(((const uint64_t *)src)[i], CAST, CAST)
    case FV_U32: FROM(((const uint32_t *)src)[i], CAST, CAST)
    case FV_U16: FROM(((const uint16_t *)src)[i], CAST, CAST)
    case FV_U8: case FV_BOOL: FROM(((const uint8_t *)src)[i], CAST, CAST)
    default: return;
    }
}

double fv_element_get(const fv_tensor *t, int64_t i) {
    double v = 0;
    fv_convert(&v, FV_F64, (const char *)t->data + (size_t)i * fv_dtype_size(t->dtype), t->dtype,
               1);
    return v;
}

int64_t fv_element_get_long(const fv_tensor *t, int64_t i) {
    int64_t v = 0;
    fv_convert(&v, FV_I64, (const char *)t->data + (size_t)i * fv_dtype_size(t->dtype), t->dtype,
               1);
    return v;
}
