#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/families.h"
#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

// y[m,n] += a[m,k] b[k,n], row-major
static void multiply(const float *a, const float *b, float *y, int64_t m, int64_t k, int64_t n) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < k; j++) {
            float v = a[i * k + j];
            const float *row = b + j * n;
            float *to = y + i * n;
            for (int64_t q = 0; q < n; q++)
                to[q] += v * row[q];
        }
}

// ---- MatMul -------------------------------------------------------------------------------------

// NumPy's matmul: a 1-D operand gets a dimension that is dropped from the result again. The tensors
// come back with at least two dimensions.
static bool operands(const fv_call *c, int ia, int ib, fv_tensor *a, fv_tensor *b) {
    *a = *c->in[ia], *b = *c->in[ib];
    if (a->n_dims == 0 || b->n_dims == 0)
        return fv_fail(c->err, FV_BAD_INPUT, "an operand is a scalar");
    if (a->n_dims == 1)
        a->n_dims = 2, a->dim[1] = a->dim[0], a->dim[0] = 1;
    if (b->n_dims == 1)
        b->n_dims = 2, b->dim[1] = 1;
    if (a->dim[a->n_dims - 1] != b->dim[b->n_dims - 2]) {
        char as[128], bs[128];
        return fv_fail(c->err, FV_BAD_INPUT, "%s times %s does not fit",
                       fv_tensor_shape_text(c->in[ia], as, sizeof as),
                       fv_tensor_shape_text(c->in[ib], bs, sizeof bs));
    }
    return true;
}

bool fv_matmul_shape_at(const fv_call *c, int ia, int ib, fv_dtype dtype) {
    fv_tensor a, b;
    int n_dims;
    int64_t dim[FV_MAX_DIMS];
    if (!operands(c, ia, ib, &a, &b))
        return false;
    int64_t m = a.dim[a.n_dims - 2], n = b.dim[b.n_dims - 1];
    a.n_dims -= 2, b.n_dims -= 2;
    if (!fv_shape_broadcast(c, (const fv_tensor *[]){&a, &b}, 2, &n_dims, dim))
        return false;
    if (c->in[ia]->n_dims > 1)
        dim[n_dims++] = m;
    if (c->in[ib]->n_dims > 1)
        dim[n_dims++] = n;
    return fv_shape_set(c, 0, dtype, n_dims, dim);
}

bool fv_matmul_each(const fv_call *c, int ia, int ib, fv_matmul_fn f, void *user) {
    fv_tensor a, b;
    if (!operands(c, ia, ib, &a, &b))
        return false;
    int64_t mkn[] = {a.dim[a.n_dims - 2], a.dim[a.n_dims - 1], b.dim[b.n_dims - 1]},
            dim[FV_MAX_DIMS];
    int64_t sa[FV_MAX_DIMS], sb[FV_MAX_DIMS], index[FV_MAX_DIMS] = {0}, at[3] = {0}, total = 1;
    int n;
    a.n_dims -= 2, b.n_dims -= 2;
    fv_shape_broadcast(c, (const fv_tensor *[]){&a, &b}, 2, &n, dim);
    fv_strides_broadcast(&a, n, dim, sa);
    fv_strides_broadcast(&b, n, dim, sb);
    for (int d = 0; d < n; d++)
        total *= dim[d];
    for (int64_t i = 0; i < total; i++) {
        at[0] = at[1] = 0;
        for (int d = 0; d < n; d++)
            at[0] += index[d] * sa[d] * mkn[0] * mkn[1],
                at[1] += index[d] * sb[d] * mkn[1] * mkn[2];
        at[2] = i * mkn[0] * mkn[2];
        f(user, at, mkn);
        for (int d = n - 1; d >= 0 && ++index[d] == dim[d]; d--)
            index[d] = 0;
    }
    return true;
}

static bool matmul_shape(const fv_call *c) {
    return fv_matmul_shape_at(c, 0, 1, c->in[0]->dtype);
}

static void matmul_one(void *user, const int64_t at[3], const int64_t mkn[3]) {
    const fv_call *c = user;
    float *y = (float *)c->out[0]->data + at[2];
    memset(y, 0, sizeof *y * (size_t)(mkn[0] * mkn[2]));
    multiply((const float *)c->in[0]->data + at[0], (const float *)c->in[1]->data + at[1], y,
             mkn[0], mkn[1], mkn[2]);
}

static bool matmul_run(const fv_call *c) {
    if (c->in[0]->dtype == FV_F32)
        return fv_matmul_each(c, 0, 1, matmul_one, (void *)c);
    fv_tensor wide[3] = {*c->in[0], *c->in[1], *c->out[0]}; // whole numbers: exact below 2^24
    for (int k = 0; k < 3; k++) {
        size_t n = (size_t)fv_tensor_count(&wide[k]);
        wide[k].data = malloc(n * sizeof(float) + 1);
        if (wide[k].data && k < 2)
            fv_convert(wide[k].data, FV_F32, c->in[k]->data, c->in[k]->dtype, n);
        wide[k].dtype = FV_F32;
    }
    fv_call f = *c;
    f.in = (const fv_tensor *[]){&wide[0], &wide[1]};
    f.out = (fv_tensor *[]){&wide[2]};
    bool ok =
        wide[0].data && wide[1].data && wide[2].data && fv_matmul_each(&f, 0, 1, matmul_one, &f);
    if (ok)
        fv_convert(c->out[0]->data, c->out[0]->dtype, wide[2].data, FV_F32,
                   (size_t)fv_tensor_count(c->out[0]));
    for (int k = 0; k < 3; k++)
        free(wide[k].data);
    return ok || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double matmul_work(const fv_call *c) {
    const fv_tensor *a = c->in[0];
    return (double)fv_tensor_count(c->out[0]) * (double)(a->n_dims ? a->dim[a->n_dims - 1] : 1);
}

// ---- Gemm ---------------------------------------------------------------------------------------

static void gemm_parse(fv_attrs *a, void *attr) {
    fv_gemm_attr *p = attr;
    p->alpha = fv_attr_float(a, "alpha", 1);
    p->beta = fv_attr_float(a, "beta", 1);
    p->trans_a = fv_attr_long(a, "transA", 0) != 0;
    p->trans_b = fv_attr_long(a, "transB", 0) != 0;
}

static bool gemm_shape(const fv_call *c) {
    const fv_gemm_attr *p = c->attr;
    const fv_tensor *a = c->in[0], *b = c->in[1];
    if (a->n_dims != 2 || b->n_dims != 2 || a->dim[!p->trans_a] != b->dim[p->trans_b])
        return fv_fail(c->err, FV_BAD_INPUT, "its matrices do not fit");
    fv_tensor y = {.name = "result", .n_dims = 2, .dim = {a->dim[p->trans_a], b->dim[!p->trans_b]}};
    if (fv_call_has(c, 2)) {
        int n;
        int64_t dim[FV_MAX_DIMS];
        if (!fv_shape_broadcast(c, (const fv_tensor *[]){&y, c->in[2]}, 2, &n, dim) || n != 2 ||
            dim[0] != y.dim[0] || dim[1] != y.dim[1])
            return c->err->code ? false : fv_fail(c->err, FV_BAD_INPUT, "its C does not fit");
    }
    return fv_shape_set(c, 0, a->dtype, 2, y.dim);
}

static void gemm_rows(const fv_gemm_attr *p, const float *a, const float *b, float *y, int64_t m,
                      int64_t k, int64_t n) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t q = 0; q < n; q++) {
            float sum = 0;
            for (int64_t j = 0; j < k; j++)
                sum += (p->trans_a ? a[j * m + i] : a[i * k + j]) *
                       (p->trans_b ? b[q * k + j] : b[j * n + q]);
            y[i * n + q] += p->alpha * sum;
        }
}

static bool gemm_run(const fv_call *c) {
    const fv_gemm_attr *p = c->attr;
    const fv_tensor *a = c->in[0], *y = c->out[0];
    float *out = y->data;
    int64_t count = fv_tensor_count(y), stride[FV_MAX_DIMS] = {0};
    if (fv_call_has(c, 2))
        fv_strides_broadcast(c->in[2], 2, y->dim, stride);
    for (int64_t i = 0; i < count; i++)
        out[i] = fv_call_has(c, 2)
                     ? p->beta * ((float *)c->in[2]
                                      ->data)[i / y->dim[1] * stride[0] + i % y->dim[1] * stride[1]]
                     : 0;
    gemm_rows(p, a->data, c->in[1]->data, out, y->dim[0], a->dim[!p->trans_a], y->dim[1]);
    return true;
}

static double gemm_work(const fv_call *c) {
    const fv_gemm_attr *p = c->attr;
    return (double)fv_tensor_count(c->out[0]) * (double)c->in[0]->dim[!p->trans_a];
}

const fv_op fv_ops_matmul[] = {
    {.name = "MatMul", .min_in = 2, .max_in = 2, .max_out = 1, .types = FV_TYPES_NUMBER,
     .as_float = true, .shape = matmul_shape, .run = matmul_run, .work = matmul_work},
    {.name = "Gemm", .min_in = 2, .max_in = 3, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(fv_gemm_attr), .parse = gemm_parse, .shape = gemm_shape,
     .run = gemm_run, .work = gemm_work},
    {0},
};
