#include "pipeline/graph/elementwise.h"

#include <string.h>

enum { CHUNK = 512 };

fv_class fv_class_of(fv_dtype dtype) {
    static const fv_class of[FV_N_DTYPES] = {
        [FV_F32] = FV_CLASS_FLOAT, [FV_F16] = FV_CLASS_FLOAT, [FV_F64] = FV_CLASS_DOUBLE,
        [FV_I64] = FV_CLASS_LONG,  [FV_I32] = FV_CLASS_LONG,  [FV_I16] = FV_CLASS_LONG,
        [FV_I8] = FV_CLASS_LONG,   [FV_U64] = FV_CLASS_ULONG, [FV_U32] = FV_CLASS_ULONG,
        [FV_U16] = FV_CLASS_ULONG, [FV_U8] = FV_CLASS_ULONG,  [FV_BOOL] = FV_CLASS_ULONG,
    };
    return of[dtype];
}

fv_dtype fv_class_dtype(fv_class c) {
    static const fv_dtype of[FV_N_CLASSES] = {FV_F32, FV_F64, FV_I64, FV_U64};
    return of[c];
}

// n values from element `at` on with the step of a row (0 or 1 elements), as the class's type.
static const void *load(const fv_tensor *t, int64_t at, int64_t step, size_t n, fv_dtype as,
                        uint64_t *room) {
    const char *p = (const char *)t->data + (size_t)at * fv_dtype_size(t->dtype);
    if (step && t->dtype == as)
        return p;
    fv_convert(room, as, p, t->dtype, step ? n : 1);
    size_t size = fv_dtype_size(as);
    for (size_t i = 1; !step && i < n; i++)
        memcpy((char *)room + i * size, room, size);
    return room;
}

static void *store_at(fv_tensor *t, int64_t at) {
    return (char *)t->data + (size_t)at * fv_dtype_size(t->dtype);
}

// A loop nest with as few dimensions as the strides allow.
typedef struct {
    int n;
    int64_t dim[FV_MAX_DIMS + 1], a[FV_MAX_DIMS + 1], b[FV_MAX_DIMS + 1];
} nest;

static nest nest_of(const fv_tensor *a, const fv_tensor *b, const fv_tensor *out) {
    int64_t sa[FV_MAX_DIMS], sb[FV_MAX_DIMS];
    fv_strides_broadcast(a, out->n_dims, out->dim, sa);
    fv_strides_broadcast(b, out->n_dims, out->dim, sb);
    nest k = {.n = 1, .dim = {1}, .a = {0}, .b = {0}};
    for (int d = 0; d < out->n_dims; d++) {
        int last = k.n - 1;
        if (out->dim[d] == 1)
            continue;
        if (k.dim[last] == 1 ||
            (k.a[last] == sa[d] * out->dim[d] && k.b[last] == sb[d] * out->dim[d]))
            k.dim[last] *= out->dim[d];
        else
            k.dim[last = k.n++] = out->dim[d];
        k.a[last] = sa[d];
        k.b[last] = sb[d];
    }
    return k;
}

static void row_apply(fv_pair_fn f, fv_dtype as, bool direct, const fv_tensor *a, int64_t at_a,
                      int64_t step_a, const fv_tensor *b, int64_t at_b, int64_t step_b,
                      fv_tensor *out, int64_t at, int64_t n, fv_dtype made) {
    uint64_t room_a[CHUNK], room_b[CHUNK], room[CHUNK];
    for (int64_t i = 0; i < n; i += CHUNK) {
        size_t m = (size_t)(n - i < CHUNK ? n - i : CHUNK);
        const void *pa = load(a, at_a + i * step_a, step_a, m, as, room_a);
        const void *pb = load(b, at_b + i * step_b, step_b, m, as, room_b);
        void *po = direct ? store_at(out, at + i) : room;
        f(pa, pb, po, m);
        if (!direct)
            fv_convert(store_at(out, at + i), out->dtype, room, made, m);
    }
}

void fv_pairs_apply(fv_pair_fn f, fv_class c, bool to_bool, const fv_tensor *a, const fv_tensor *b,
                    fv_tensor *out) {
    nest k = nest_of(a, b, out);
    fv_dtype as = fv_class_dtype(c), made = to_bool ? FV_BOOL : as;
    int64_t at[FV_MAX_DIMS + 1] = {0}, at_a = 0, at_b = 0;
    int64_t total = fv_tensor_count(out), row = k.dim[k.n - 1];
    for (int64_t done = 0; done < total; done += row) {
        row_apply(f, as, out->dtype == made, a, at_a, k.a[k.n - 1], b, at_b, k.b[k.n - 1], out,
                  done, row, made);
        for (int d = k.n - 2; d >= 0; d--) {
            at_a += k.a[d], at_b += k.b[d];
            if (++at[d] < k.dim[d])
                break;
            at_a -= at[d] * k.a[d], at_b -= at[d] * k.b[d];
            at[d] = 0;
        }
    }
}

void fv_map_apply(fv_map_fn f, fv_class c, bool to_bool, const fv_tensor *in, fv_tensor *out) {
    uint64_t room_in[CHUNK], room[CHUNK];
    fv_dtype as = fv_class_dtype(c), made = to_bool ? FV_BOOL : as;
    bool direct = out->dtype == made;
    int64_t n = fv_tensor_count(out);
    for (int64_t i = 0; i < n; i += CHUNK) {
        size_t m = (size_t)(n - i < CHUNK ? n - i : CHUNK);
        const void *p = load(in, i, 1, m, as, room_in);
        f(p, direct ? store_at(out, i) : room, m);
        if (!direct)
            fv_convert(store_at(out, i), out->dtype, room, made, m);
    }
}
