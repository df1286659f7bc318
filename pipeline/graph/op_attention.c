// Attention of opset 23: softmax(Q K' scale + mask) V, heads as a dimension of their own or side by side. What
// generates text with it (keys of earlier calls, softcap) is refused.
#include <math.h>
#include <stdlib.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/ops.h"

enum { Q, K, V, MASK, PAST_KEY }; // inputs

typedef struct {
    int causal, q_heads, kv_heads;
    float scale; // 0: 1 / sqrt of a head's size
} attention_attr;

static void parse(fv_attrs *a, void *attr) {
    attention_attr *p = attr;
    p->causal = fv_attr_int(a, "is_causal", 0, 0, 1);
    p->q_heads = fv_attr_int(a, "q_num_heads", 0, 0, 1 << 16);
    p->kv_heads = fv_attr_int(a, "kv_num_heads", 0, 0, 1 << 16);
    p->scale = fv_attr_float(a, "scale", 0);
    if (fv_attr_float(a, "softcap", 0) != 0)
        fv_attr_refuse(a, "attribute 'softcap' is not supported; write it as Div, Tanh, Mul");
}

// Rows of a head and where they lie in a tensor [batch, heads, rows, size] or [batch, rows, heads x size].
typedef struct {
    int64_t heads, rows, size;
    int64_t batch_step, head_step, row_step;
    float *v;
} heads;

static bool heads_of(const fv_tensor *t, int n, heads *h) {
    bool flat = t->n_dims == 3;
    if (t->n_dims != 4 && (!flat || n < 1 || t->dim[2] % n))
        return false;
    *h = (heads){.heads = flat ? n : t->dim[1], .rows = t->dim[flat ? 1 : 2],
                 .size = flat ? t->dim[2] / n : t->dim[3], .v = t->data};
    h->row_step = flat ? t->dim[2] : h->size;
    h->head_step = flat ? h->size : h->rows * h->size;
    h->batch_step = h->heads * h->rows * h->size;
    return true;
}

static bool find_heads(const fv_call *c, heads h[3]) {
    const attention_attr *p = c->attr;
    bool fits = heads_of(c->in[Q], p->q_heads, &h[Q]) && heads_of(c->in[K], p->kv_heads, &h[K]) &&
                heads_of(c->in[V], p->kv_heads, &h[V]);
    return fits && h[Q].size == h[K].size && h[K].rows == h[V].rows && h[K].heads == h[V].heads &&
           h[K].heads > 0 && h[Q].heads % h[K].heads == 0 && c->in[Q]->dim[0] == c->in[K]->dim[0] &&
           c->in[Q]->dim[0] == c->in[V]->dim[0] && c->in[Q]->n_dims == c->in[K]->n_dims &&
           c->in[Q]->n_dims == c->in[V]->n_dims;
}

static bool mask_fits(const fv_tensor *mask, const int64_t dim[4]) {
    bool fits = mask->n_dims <= 4;
    for (int d = 0; fits && d < mask->n_dims; d++) {
        int64_t n = mask->dim[mask->n_dims - 1 - d];
        fits = n == 1 || n == dim[3 - d];
    }
    return fits;
}

static bool shape(const fv_call *c) {
    heads h[3];
    for (int k = PAST_KEY; k < c->n_in; k++)
        if (fv_call_has(c, k))
            return fv_fail(c->err, FV_UNSUPPORTED, "input '%s' (keys and values of earlier calls) is not supported; "
                           "export the model without a cache", c->in[k]->name);
    bool alike = c->in[K]->dtype == c->in[Q]->dtype && c->in[V]->dtype == c->in[Q]->dtype;
    if (!alike || !find_heads(c, h))
        return fv_fail(c->err, FV_BAD_INPUT, "its query, key and value do not fit each other");
    const fv_tensor *q = c->in[Q];
    bool flat = q->n_dims == 3;
    if (fv_call_has(c, MASK) && !mask_fits(c->in[MASK], (int64_t[]){q->dim[0], h[Q].heads, h[Q].rows, h[K].rows}))
        return fv_fail(c->err, FV_BAD_INPUT, "its mask '%s' does not fit", c->in[MASK]->name);
    return fv_shape_set(c, 0, q->dtype, q->n_dims,
                        flat ? (int64_t[]){q->dim[0], h[Q].rows, h[Q].heads * h[V].size}
                             : (int64_t[]){q->dim[0], h[Q].heads, h[Q].rows, h[V].size});
}

static float dot(const float *a, const float *b, int64_t n) {
    float sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void softmax(float *v, int64_t n) {
    float largest = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        largest = v[i] > largest ? v[i] : largest;
    for (int64_t i = 0; i < n; i++)
        sum += v[i] = largest > -INFINITY ? expf(v[i] - largest) : 0; // nothing to attend to: zeros
    for (int64_t i = 0; i < n && sum > 0; i++)
        v[i] /= sum;
}

typedef struct {
    const fv_tensor *tensor; // NULL: none
    int64_t stride[FV_MAX_DIMS];
} mask;

static float masked(const mask *m, int64_t b, int64_t head, int64_t row, int64_t column) {
    if (!m->tensor)
        return 0;
    int64_t at = b * m->stride[0] + head * m->stride[1] + row * m->stride[2] + column * m->stride[3];
    double v = fv_element_get(m->tensor, at);
    return m->tensor->dtype != FV_BOOL ? (float)v : v != 0 ? 0 : -INFINITY;
}

// One row of the result; `score` has room for a number a key.
static void attend(const fv_call *c, const heads h[3], const mask *m, const int64_t at[3], float *score, float *to) {
    const attention_attr *p = c->attr;
    int64_t shared = at[1] / (h[Q].heads / h[K].heads);
    const float *q = h[Q].v + at[0] * h[Q].batch_step + at[1] * h[Q].head_step + at[2] * h[Q].row_step,
                *k = h[K].v + at[0] * h[K].batch_step + shared * h[K].head_step,
                *v = h[V].v + at[0] * h[V].batch_step + shared * h[V].head_step;
    float scale = p->scale != 0 ? p->scale : 1 / sqrtf((float)h[Q].size);
    for (int64_t i = 0; i < h[K].rows; i++)
        score[i] = p->causal && i > at[2] ? -INFINITY
                                          : dot(q, k + i * h[K].row_step, h[Q].size) * scale +
                                                masked(m, at[0], at[1], at[2], i);
    softmax(score, h[K].rows);
    for (int64_t d = 0; d < h[V].size; d++)
        to[d] = 0;
    for (int64_t i = 0; i < h[K].rows; i++)
        for (int64_t d = 0; d < h[V].size; d++)
            to[d] += score[i] * v[i * h[V].row_step + d];
}

static bool run(const fv_call *c) {
    heads h[4];
    mask m = {.tensor = fv_call_has(c, MASK) ? c->in[MASK] : NULL};
    find_heads(c, h);
    heads_of(c->out[0], (int)h[Q].heads, &h[3]);
    int64_t n = fv_tensor_count(c->out[0]) ? c->in[Q]->dim[0] * h[Q].heads * h[Q].rows : 0;
    float *score = malloc(sizeof *score * (size_t)h[K].rows + 1);
    if (!score)
        return fv_fail(c->err, FV_MEMORY, "out of memory");
    if (m.tensor)
        fv_strides_broadcast(m.tensor, 4, (int64_t[]){c->in[Q]->dim[0], h[Q].heads, h[Q].rows, h[K].rows}, m.stride);
    for (int64_t i = 0; i < n; i++) {
        int64_t at[3] = {i / h[Q].rows / h[Q].heads, i / h[Q].rows % h[Q].heads, i % h[Q].rows};
        attend(c, h, &m, at, score, h[3].v + at[0] * h[3].batch_step + at[1] * h[3].head_step + at[2] * h[3].row_step);
    }
    free(score);
    return true;
}

static double work(const fv_call *c) {
    heads h[3];
    if (!find_heads(c, h))
        return 0;
    double rows = (double)c->in[Q]->dim[0] * (double)h[Q].heads * (double)h[Q].rows;
    return 2 * rows * (double)(h[K].rows + 1) * (double)(h[Q].size + h[V].size + 1);
}

const fv_op fv_ops_attention[] = {
    {.name = "Attention", .min_in = 3, .max_in = 7, .max_out = 1, .types = FV_TYPES_FLOAT, .as_float = true,
     .mixed = true, .attr_size = sizeof(attention_attr), .parse = parse, .shape = shape, .run = run, .work = work},
    {0},
};
