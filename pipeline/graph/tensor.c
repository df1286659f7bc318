#include "pipeline/graph/onnx.h"

#include <string.h>

// ONNX TensorProto.DataType
static const struct {
    const char *name;
    fv_dtype dtype;
} type_rows[] = {
    {"undefined", FV_N_DTYPES}, {"float32", FV_F32},
    {"uint8", FV_U8},           {"int8", FV_I8},
    {"uint16", FV_U16},         {"int16", FV_I16},
    {"int32", FV_I32},          {"int64", FV_I64},
    {"string", FV_N_DTYPES},    {"bool", FV_BOOL},
    {"float16", FV_F16},        {"float64", FV_F64},
    {"uint32", FV_U32},         {"uint64", FV_U64},
    {"complex64", FV_N_DTYPES}, {"complex128", FV_N_DTYPES},
    {"bfloat16", FV_F32},       {"float8e4m3fn", FV_N_DTYPES},
    {"float8e4m3fnuz", FV_N_DTYPES}, {"float8e5m2", FV_N_DTYPES},
    {"float8e5m2fnuz", FV_N_DTYPES}, {"uint4", FV_N_DTYPES},
    {"int4", FV_N_DTYPES},      {"float4e2m1", FV_N_DTYPES},
};
enum { N_TYPES = sizeof type_rows / sizeof type_rows[0], BFLOAT16 = 16, UINT4 = 21, INT4 = 22 };

fv_dtype fv_onnx_dtype(int onnx_type) {
    return onnx_type >= 0 && onnx_type < N_TYPES ? type_rows[onnx_type].dtype : FV_N_DTYPES;
}

const char *fv_onnx_dtype_text(int onnx_type) {
    return onnx_type >= 0 && onnx_type < N_TYPES ? type_rows[onnx_type].name : "unknown";
}

bool fv_shape_check(const fv_tensor *t, size_t max_bytes, fv_err *err) {
    size_t bytes = fv_dtype_size(t->dtype);
    for (int d = 0; d < t->n_dims; d++) {
        if (t->dim[d] < 0)
            return fv_fail(err, FV_BAD_INPUT, "a dimension of '%s' is %lld", t->name ? t->name : "",
                           (long long)t->dim[d]);
        size_t factor = t->dim[d] > 1 ? (size_t)t->dim[d] : 1;
        if (factor > max_bytes / bytes)
            return fv_fail(err, FV_BAD_INPUT, "tensor '%s' is larger than %zu MiB",
                           t->name ? t->name : "", max_bytes >> 20);
        bytes *= factor;
    }
    return true;
}

// Fields of a TensorProto besides raw_data: narrow types share int32_data, one element a value.
static bool typed_data(const Fovea__Onnx__Tensor *p, fv_tensor *t, size_t count) {
    const void *data = NULL;
    size_t n = 0, width = 0;
    switch (t->dtype) {
    case FV_F32: data = p->float_data, n = p->n_float_data, width = 4; break;
    case FV_F64: data = p->double_data, n = p->n_double_data, width = 8; break;
    case FV_I64: data = p->int64_data, n = p->n_int64_data, width = 8; break;
    case FV_U64: case FV_U32: data = p->uint64_data, n = p->n_uint64_data, width = 8; break;
    default: data = p->int32_data, n = p->n_int32_data, width = 4; break;
    }
    if (n != count)
        return false;
    size_t size = fv_dtype_size(t->dtype);
    for (size_t i = 0; i < count; i++) // little endian: the low bytes come first
        memcpy((char *)t->data + i * size, (const char *)data + i * width, size);
    return true;
}

// The upper halves of float32: 16 bits each, or one in an int32.
static bool halves_data(const Fovea__Onnx__Tensor *p, const uint8_t *raw, fv_tensor *t,
                        size_t count) {
    if (!raw && p->n_int32_data != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint16_t upper = raw ? 0 : (uint16_t)p->int32_data[i];
        if (raw)
            memcpy(&upper, raw + 2 * i, 2);
        ((uint32_t *)t->data)[i] = (uint32_t)upper << 16;
    }
    return true;
}

bool fv_onnx_is_packed(const Fovea__Onnx__Tensor *p) {
    return p->data_type == UINT4 || p->data_type == INT4;
}

// Two a byte, the first in the lower half; or one such byte in an int32.
static bool packed_data(const Fovea__Onnx__Tensor *p, const uint8_t *raw, fv_tensor *t, size_t count) {
    if (!raw && p->n_int32_data != (count + 1) / 2)
        return false;
    for (size_t i = 0; i < count; i++) {
        uint8_t both = raw ? raw[i / 2] : (uint8_t)p->int32_data[i / 2], v = both >> i % 2 * 4 & 15;
        ((uint8_t *)t->data)[i] = p->data_type == INT4 && v > 7 ? (uint8_t)(v | 0xf0) : v;
    }
    return true;
}

static size_t bytes_stored(const Fovea__Onnx__Tensor *p, const fv_tensor *t) {
    if (fv_onnx_is_packed(p))
        return ((size_t)fv_tensor_count(t) + 1) / 2;
    return (size_t)fv_tensor_count(t) * (p->data_type == BFLOAT16 ? 2 : fv_dtype_size(t->dtype));
}

// `raw` has bytes_stored; NULL where the values are typed.
static bool fill(const Fovea__Onnx__Tensor *p, const void *raw, fv_tensor *t, fv_err *err) {
    size_t count = (size_t)fv_tensor_count(t), bytes = fv_tensor_bytes(t);
    bool ok = true;
    if (p->data_type == BFLOAT16)
        ok = halves_data(p, raw, t, count);
    else if (fv_onnx_is_packed(p))
        ok = packed_data(p, raw, t, count);
    else if (!raw)
        ok = typed_data(p, t, count);
    else if (bytes)
        memcpy(t->data, raw, bytes);
    for (size_t i = 0; ok && t->dtype == FV_BOOL && i < count; i++)
        ((uint8_t *)t->data)[i] = ((uint8_t *)t->data)[i] != 0;
    return ok || fv_fail(err, FV_BAD_INPUT,
                         "the data of '%s' does not fit its shape; the file is damaged", t->name);
}

// Where the stored bytes of `t` are (NULL: typed values); fails when there are not enough of them.
static bool find_data(const Fovea__Onnx__Tensor *p, fv_externals *x, const fv_tensor *t,
                      const void **raw, fv_err *err) {
    size_t bytes = bytes_stored(p, t),
           values = p->n_float_data + p->n_int32_data + p->n_int64_data + p->n_double_data +
                    p->n_uint64_data;
    *raw = p->has_raw_data ? p->raw_data.data : NULL;
    if (p->data_location == 1 || p->n_external_data) {
        *raw = fv_externals_find(x, p, bytes, err);
        return *raw;
    }
    if (p->has_raw_data && !*raw)
        *raw = ""; // no bytes at all
    if (p->has_raw_data ? p->raw_data.len == bytes : bytes <= 8 * values)
        return true;
    return fv_fail(err, FV_BAD_INPUT,
                   "the data of '%s' does not fit its shape; the file is damaged", t->name);
}

bool fv_onnx_tensor(const Fovea__Onnx__Tensor *p, fv_externals *x, fv_arena *arena,
                    size_t max_bytes, fv_tensor *t, fv_err *err) {
    const void *raw;
    *t = (fv_tensor){.name = fv_arena_strdup(arena, p->name ? p->name : ""),
                     .dtype = p->data_type == INT4    ? FV_I8
                              : p->data_type == UINT4 ? FV_U8
                                                      : fv_onnx_dtype(p->data_type)};
    if (t->dtype == FV_N_DTYPES)
        return fv_fail(err, FV_UNSUPPORTED, "'%s' is of type %s, which is not supported", t->name,
                       fv_onnx_dtype_text(p->data_type));
    if (p->n_dims > FV_MAX_DIMS)
        return fv_fail(err, FV_UNSUPPORTED, "'%s' has %zu dimensions; supported are %d", t->name,
                       p->n_dims, FV_MAX_DIMS);
    t->n_dims = (int)p->n_dims;
    for (int d = 0; d < t->n_dims; d++)
        t->dim[d] = p->dims[d];
    if (!fv_shape_check(t, max_bytes, err) || !find_data(p, x, t, &raw, err))
        return false;
    t->data = fv_arena_alloc(arena, fv_tensor_bytes(t) + 1);
    return fill(p, raw, t, err);
}

static bool tensor_read(const fv_mapping *m, fv_arena *arena, fv_tensor *t, fv_err *err) {
    fv_budget b;
    fv_budget_init(&b, m->size);
    Fovea__Onnx__Tensor *p = fovea__onnx__tensor__unpack(&b.allocator, m->size, m->data);
    if (!p)
        return fv_fail(err, FV_BAD_INPUT, "not an ONNX tensor");
    bool ok = fv_onnx_tensor(p, NULL, arena, (size_t)1 << 30, t, err);
    fovea__onnx__tensor__free_unpacked(p, &b.allocator);
    return ok;
}

bool fv_tensor_load(const char *path, fv_arena *arena, fv_tensor *t, fv_err *err) {
    fv_mapping m;
    if (!fv_mapping_open(&m, path, err))
        return false;
    bool ok = tensor_read(&m, arena, t, err) || fv_fail_in(err, "%s", path);
    fv_mapping_close(&m);
    return ok;
}
