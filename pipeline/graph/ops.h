// The op table: one const row an op, in the family files op_*.c; ops.c lists the families.
//
// A row says everything the rest of the house needs: how attributes are read, what shapes come out,
// and the plain-C reference. `infer` looks at `name`, `view` and the attribute structs of op_*.h.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

// ---- reading attributes -------------------------------------------------------------------------

// A node's attributes while it is loaded. The getters return the default when the attribute is not
// there; a value out of range fills the error, which the importer looks at after `parse`.
typedef struct fv_attrs fv_attrs;

int64_t fv_attrs_opset(const fv_attrs *a);
int fv_attrs_variant(const fv_attrs *a); // fv_op.variant of the row
bool fv_attr_has(const fv_attrs *a, const char *name);
int64_t fv_attr_long(fv_attrs *a, const char *name, int64_t def);
int fv_attr_int(fv_attrs *a, const char *name, int def, int lo, int hi);
float fv_attr_float(fv_attrs *a, const char *name, float def);
const char *fv_attr_text(fv_attrs *a, const char *name, const char *def);
// Index of the text in `choices` (ends with NULL).
int fv_attr_choice(fv_attrs *a, const char *name, int def, const char *const *choices);
// A list of at most `max` values; returns how many, 0 when it is not there.
int fv_attr_longs(fv_attrs *a, const char *name, int64_t *v, int max);
int fv_attr_ints(fv_attrs *a, const char *name, int *v, int max, int lo, int hi);
int fv_attr_floats(fv_attrs *a, const char *name, float *v, int max);
// A tensor (also from a "value_int", "value_floats", ... spelling); data lives in the graph's
// arena.
bool fv_attr_tensor(fv_attrs *a, const char *name, fv_tensor *t);
// A copy that lives as long as the graph.
void *fv_attr_memdup(fv_attrs *a, const void *data, size_t size);
// A dtype by its number in ONNX.
fv_dtype fv_attr_dtype(fv_attrs *a, const char *name, fv_dtype def);
// An attribute, or a use of one, that this op does not offer.
void fv_attr_refuse(fv_attrs *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

// ---- the row ------------------------------------------------------------------------------------

// What a shape rule and a reference get. An optional input or output that is absent is NULL.
typedef struct {
    const struct fv_op *op;
    fv_arena *arena;              // the graph's; shape rules only
    int64_t opset;
    void *attr;                   // shape rules solve it in place; references only read it
    int n_in, n_out;
    const fv_tensor *const *in;   // shape rules: `data` only where the input is constant
    fv_tensor *const *out;        // shape rules fill dtype, n_dims, dim; references write data
    fv_err *err;
} fv_call;

// dtypes as bits, for fv_op.types
#define FV_TYPE(t) (1u << (t))
enum {
    FV_TYPES_FLOAT = FV_TYPE(FV_F32) | FV_TYPE(FV_F16) | FV_TYPE(FV_F64),
    FV_TYPES_BYTE = FV_TYPE(FV_I8) | FV_TYPE(FV_U8),
    FV_TYPES_INT = FV_TYPES_BYTE | FV_TYPE(FV_I16) | FV_TYPE(FV_I32) | FV_TYPE(FV_I64) |
                   FV_TYPE(FV_U16) | FV_TYPE(FV_U32) | FV_TYPE(FV_U64),
    FV_TYPES_NUMBER = FV_TYPES_FLOAT | FV_TYPES_INT,
    FV_TYPES_ALL = FV_TYPES_NUMBER | FV_TYPE(FV_BOOL),
};

typedef struct fv_op {
    const char *name;
    int min_in, max_in, max_out;
    unsigned types;           // what input 0 may be
    // The reference knows float32 alone; the caller converts float16 and float64 around it. All
    // inputs are of one kind then, unless `mixed` (Resize: sizes beside the picture).
    bool as_float, mixed;
    bool view;                // output 0 is the data of input 0 under another shape
    bool of_shape;            // the result depends on the input's shape alone: always folded
    int variant;              // which of its family the row is
    size_t attr_size;
    void (*parse)(fv_attrs *a, void *attr); // NULL: no attributes
    bool (*shape)(const fv_call *c);        // NULL: output 0 is like input 0
    bool (*run)(const fv_call *c);
    double (*work)(const fv_call *c);       // elementary steps; NULL: elements in and out
} fv_op;

// The row of an op of the standard domain, or NULL.
const fv_op *fv_op_find(const char *name);
// All rows, `index` from 0; NULL after the last.
const fv_op *fv_op_at(int index);

// ---- helpers of the families --------------------------------------------------------------------

// Fills a shape: dtype and dimensions.
bool fv_shape_set(const fv_call *c, int out, fv_dtype dtype, int n_dims, const int64_t *dim);
bool fv_shape_like(const fv_call *c, int out, const fv_tensor *t);
// NumPy broadcasting of n shapes; fails naming both shapes.
bool fv_shape_broadcast(const fv_call *c, const fv_tensor *const *t, int n, int *n_dims,
                        int64_t dim[FV_MAX_DIMS]);
// `axis` of a tensor of rank n, negative counts from the end; fails when it is out of range.
bool fv_axis_solve(const fv_call *c, int64_t axis, int n, int *solved);
// Values of a constant integer input; fails when it is computed at run time or longer than `max`.
bool fv_longs_get(const fv_call *c, int in, int64_t *v, int max, int *n);
bool fv_floats_get(const fv_call *c, int in, float *v, int max, int *n);
bool fv_call_has(const fv_call *c, int in); // the optional input is there
// Product of dimensions [from, to).
int64_t fv_dims_product(const fv_tensor *t, int from, int to);
// Elements of row-major strides for a shape.
void fv_strides_get(const fv_tensor *t, int64_t stride[FV_MAX_DIMS]);
// Strides under which `t` runs along with a broadcast shape: 0 where it is repeated.
void fv_strides_broadcast(const fv_tensor *t, int n_dims, const int64_t *dim,
                          int64_t stride[FV_MAX_DIMS]);
// Copies elements of `size` bytes: dst[sum o_d dst_stride_d] = src[sum o_d src_stride_d] over dim;
// strides in elements, any sign.
void fv_copy_strided(void *dst, const int64_t *dst_stride, const void *src,
                     const int64_t *src_stride, int n_dims, const int64_t *dim, size_t size);

// Conversion between dtypes of n elements as ONNX's Cast does (floats truncate towards zero,
// out-of-range values saturate, bool is x != 0).
void fv_convert(void *dst, fv_dtype to, const void *src, fv_dtype from, size_t n);
float fv_half_to_float(uint16_t h);
uint16_t fv_float_to_half(float f);
// One element as a number.
double fv_element_get(const fv_tensor *t, int64_t i);
int64_t fv_element_get_long(const fv_tensor *t, int64_t i);
