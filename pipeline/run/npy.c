#include "pipeline/run/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 65536, ALIGNMENT = 64 };
static const int64_t max_elements = (int64_t)1 << 31;

static const char *const descr[FV_N_DTYPES] = {
    [FV_F32] = "<f4", [FV_F16] = "<f2", [FV_F64] = "<f8", [FV_I64] = "<i8",
    [FV_I32] = "<i4", [FV_I16] = "<i2", [FV_I8] = "|i1",  [FV_U64] = "<u8",
    [FV_U32] = "<u4", [FV_U16] = "<u2", [FV_U8] = "|u1",  [FV_BOOL] = "|b1",
};

static bool parse_dtype(const char *header, fv_tensor *t) {
    const char *at = strstr(header, "'descr'");
    at = at ? strchr(at + 7, '\'') : NULL;
    for (int i = 0; at && i < FV_N_DTYPES; i++)
        if (!strncmp(at + 1, descr[i], 3) && at[4] == '\'') {
            t->dtype = (fv_dtype)i;
            return true;
        }
    return false;
}

static bool parse_shape(const char *header, fv_tensor *t) {
    const char *at = strstr(header, "'shape'");
    at = at ? strchr(at, '(') : NULL;
    int64_t count = 1;
    while (at && *++at && *at != ')') {
        if (*at == ' ' || *at == ',')
            continue;
        char *end;
        long long v = strtoll(at, &end, 10);
        if (end == at || v < 0 || v > max_elements || t->n_dims == FV_MAX_DIMS ||
            (v && count > max_elements / v))
            return false;
        count *= t->dim[t->n_dims++] = v;
        at = end - 1;
    }
    return at && *at == ')';
}

static char *read_header(FILE *f, fv_arena *arena) {
    unsigned char start[12];
    if (fread(start, 1, 10, f) != 10 || memcmp(start, "\x93NUMPY", 6))
        return NULL;
    size_t n = start[8] | (size_t)start[9] << 8;
    if (start[6] > 1) {
        if (fread(start + 10, 1, 2, f) != 2)
            return NULL;
        n |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    }
    if (n > MAX_HEADER)
        return NULL;
    char *text = fv_arena_alloc(arena, n + 1);
    return fread(text, 1, n, f) == n ? text : NULL;
}

static bool read_tensor(FILE *f, const char *path, fv_arena *arena, fv_tensor *t, fv_err *err) {
    const char *header = read_header(f, arena);
    if (!header)
        return fv_fail(err, FV_BAD_INPUT, "%s: no .npy file; write it with numpy.save", path);
    if (strstr(header, "'fortran_order': True"))
        return fv_fail(err, FV_BAD_INPUT, "%s: in Fortran order; save numpy.ascontiguousarray(x)",
                       path);
    if (!parse_dtype(header, t) || !parse_shape(header, t))
        return fv_fail(err, FV_BAD_INPUT, "%s: dtype or shape that is not supported: %.120s", path,
                       header);
    size_t bytes = fv_tensor_bytes(t);
    t->data = malloc(bytes ? bytes : 1);
    if (!t->data)
        return fv_fail(err, FV_MEMORY, "%s: out of memory for %zu bytes", path, bytes);
    size_t got = fread(t->data, 1, bytes, f);
    void *own = got == bytes ? fv_arena_memdup(arena, t->data, bytes) : NULL;
    free(t->data);
    t->data = own;
    return own ||
           fv_fail(err, FV_BAD_INPUT, "%s: is cut off: %zu of %zu bytes of data", path, got, bytes);
}

bool fv_npy_load(const char *path, fv_arena *arena, fv_tensor *t, fv_err *err) {
    *t = (fv_tensor){.name = fv_arena_strdup(arena, path)};
    FILE *f = fopen(path, "rb");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be read: %s", path, strerror(errno));
    bool ok = read_tensor(f, path, arena, t, err);
    fclose(f);
    return ok;
}

bool fv_npy_save(const char *path, const fv_tensor *t, fv_err *err) {
    char text[256], shape[128] = "";
    size_t n = 0;
    for (int i = 0; i < t->n_dims; i++)
        n += (size_t)snprintf(shape + n, sizeof shape - n, "%lld,%s", (long long)t->dim[i],
                              i + 1 < t->n_dims ? " " : "");
    int length =
        snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': (%s), }",
                 descr[t->dtype], shape);
    int padded = (10 + length + 1 + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT - 10;
    unsigned char start[10] = {
        0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, (unsigned char)padded, (unsigned char)(padded >> 8)};
    FILE *f = fopen(path, "wb");
    if (!f)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be written: %s", path, strerror(errno));
    fwrite(start, 1, sizeof start, f);
    fprintf(f, "%-*s\n", padded - 1, text);
    fwrite(t->data, 1, fv_tensor_bytes(t), f);
    bool bad = ferror(f);
    bad |= fclose(f) != 0;
    return !bad || fv_fail(err, FV_IO, "%s: writing failed: %s", path, strerror(errno));
}
