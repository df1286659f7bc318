// Ops whose result is a choice by size: TopK, NonMaxSuppression, NonZero.
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/ops.h"

typedef struct {
    double value;
    int64_t index;
} ranked;

static int by_largest(const void *a, const void *b) {
    const ranked *p = a, *q = b;
    return p->value > q->value   ? -1
           : p->value < q->value ? 1
           : p->index < q->index ? -1
                                 : p->index > q->index;
}

static int by_smallest(const void *a, const void *b) {
    const ranked *p = a, *q = b;
    return p->value < q->value   ? -1
           : p->value > q->value ? 1
           : p->index < q->index ? -1
                                 : p->index > q->index;
}

typedef int (*order_fn)(const void *, const void *);

static void swap(ranked *a, ranked *b) {
    ranked t = *a;
    *a = *b, *b = t;
}

enum { MAX_ROUNDS = 64 }; // then the rest is sorted: no line of values takes for ever

// Brings the k first of n to the front, in any order: quickselect. Bounds are tested because
// not-a-numbers have no order.
static void select_first(ranked *v, int64_t n, int64_t k, order_fn order) {
    int64_t lo = 0, hi = n;
    for (int round = 0; round < MAX_ROUNDS && hi - lo > 16 && k > lo && k < hi; round++) {
        ranked pivot = v[lo + (hi - lo) / 2];
        int64_t i = lo, j = hi - 1;
        while (i <= j) {
            while (i < hi && order(&v[i], &pivot) < 0)
                i++;
            while (j >= lo && order(&v[j], &pivot) > 0)
                j--;
            if (i <= j)
                swap(&v[i++], &v[j--]);
        }
        if (k <= j + 1)
            hi = j + 1;
        else if (k > i)
            lo = i;
        else
            return; // between the two lies the pivot
    }
    qsort(v + lo, (size_t)(hi - lo), sizeof *v, order);
}

// ---- TopK ---------------------------------------------------------------------------------------

static void topk_parse(fv_attrs *a, void *attr) {
    fv_arg_attr *p = attr;
    p->axis = fv_attr_int(a, "axis", -1, -FV_MAX_DIMS, FV_MAX_DIMS - 1);
    p->largest = fv_attr_int(a, "largest", 1, 0, 1);
    p->sorted = fv_attr_int(a, "sorted", 1, 0, 1);
    p->k = fv_attr_long(a, "k", -1);
}

static bool topk_shape(const fv_call *c) {
    fv_arg_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int n = 1;
    int64_t dim[FV_MAX_DIMS];
    if (!fv_axis_solve(c, p->axis, x->n_dims, &p->axis) ||
        (fv_call_has(c, 1) && !fv_longs_get(c, 1, &p->k, 1, &n)))
        return false;
    if (n != 1 || p->k < 0 || p->k > x->dim[p->axis])
        return fv_fail(c->err, FV_BAD_INPUT, "its k of %lld does not fit %lld values",
                       (long long)p->k, (long long)x->dim[p->axis]);
    memcpy(dim, x->dim, sizeof dim);
    dim[p->axis] = p->k;
    return fv_shape_set(c, 0, x->dtype, x->n_dims, dim) &&
           fv_shape_set(c, 1, FV_I64, x->n_dims, dim);
}

static void topk_line(const fv_call *c, ranked *line, int64_t from, int64_t to, int64_t step) {
    const fv_arg_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = x->dim[p->axis];
    size_t size = fv_dtype_size(x->dtype);
    for (int64_t i = 0; i < n; i++)
        line[i] = (ranked){fv_element_get(x, from + i * step), i};
    order_fn order = p->largest ? by_largest : by_smallest;
    select_first(line, n, p->k, order);
    qsort(line, (size_t)p->k, sizeof *line, order);
    for (int64_t i = 0; i < p->k; i++) {
        if (c->out[0])
            memcpy((char *)c->out[0]->data + (size_t)(to + i * step) * size,
                   (char *)x->data + (size_t)(from + line[i].index * step) * size, size);
        if (c->n_out > 1 && c->out[1])
            ((int64_t *)c->out[1]->data)[to + i * step] = line[i].index;
    }
}

static bool topk_run(const fv_call *c) {
    const fv_arg_attr *p = c->attr;
    const fv_tensor *x = c->in[0];
    int64_t n = x->dim[p->axis], step = fv_dims_product(x, p->axis + 1, x->n_dims);
    ranked *line = malloc(sizeof *line * (size_t)n + 1);
    if (!line)
        return fv_fail(c->err, FV_MEMORY, "out of memory");
    for (int64_t i = 0; n && i < fv_tensor_count(x) / n; i++)
        topk_line(c, line, i / step * n * step + i % step, i / step * p->k * step + i % step, step);
    free(line);
    return true;
}

static double topk_work(const fv_call *c) {
    return 64.0 * (double)fv_tensor_count(c->in[0]);
}

// ---- NonMaxSuppression --------------------------------------------------------------------------

static void nms_parse(fv_attrs *a, void *attr) {
    *(int *)attr = fv_attr_int(a, "center_point_box", 0, 0, 1);
}

// A box by its corners.
static void corners(const float *v, bool centre, float box[4]) {
    if (centre) {
        box[0] = v[0] - v[2] / 2, box[1] = v[1] - v[3] / 2, box[2] = v[0] + v[2] / 2,
        box[3] = v[1] + v[3] / 2;
        return;
    }
    for (int d = 0; d < 2; d++) {
        box[d] = v[d] < v[d + 2] ? v[d] : v[d + 2];
        box[d + 2] = v[d] < v[d + 2] ? v[d + 2] : v[d];
    }
}

static float overlap(const float a[4], const float b[4]) {
    float w = (a[2] < b[2] ? a[2] : b[2]) - (a[0] > b[0] ? a[0] : b[0]);
    float h = (a[3] < b[3] ? a[3] : b[3]) - (a[1] > b[1] ? a[1] : b[1]);
    float both = w > 0 && h > 0 ? w * h : 0;
    float either = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both;
    return either > 0 ? both / either : 0;
}

static bool is_empty(const float box[4]) {
    return box[2] == box[0] && box[3] == box[1];
}

typedef struct {
    const fv_call *c;
    int64_t batches, classes, boxes, most;
    float iou, score;
    bool has_score;
    ranked *line;
    float (*box)[4];
} nms;

static int64_t nms_class(const nms *k, int64_t b, int64_t cls, int64_t *out) {
    const float *scores = (const float *)k->c->in[1]->data + (b * k->classes + cls) * k->boxes;
    int64_t n = 0, kept = 0;
    for (int64_t i = 0; i < k->boxes; i++)
        if (!k->has_score || scores[i] > k->score)
            k->line[n++] = (ranked){(double)scores[i], i};
    qsort(k->line, (size_t)n, sizeof *k->line, by_largest);
    for (int64_t i = 0; i < n && kept < k->most; i++) {
        float box[4];
        corners((const float *)k->c->in[0]->data + (b * k->boxes + k->line[i].index) * 4,
                *(int *)k->c->attr, box);
        int64_t j = k->iou >= 0 && is_empty(box) ? kept : 0; // it overlaps nothing
        while (j < kept && overlap(box, k->box[j]) <= k->iou)
            j++;
        if (j < kept)
            continue;
        memcpy(k->box[kept], box, sizeof box);
        if (out)
            out[3 * kept] = b, out[3 * kept + 1] = cls, out[3 * kept + 2] = k->line[i].index;
        kept++;
    }
    return kept;
}

static bool nms_init(const fv_call *c, nms *k) {
    const fv_tensor *boxes = c->in[0], *scores = c->in[1];
    *k = (nms){.c = c, .batches = boxes->dim[0], .boxes = boxes->dim[1], .classes = scores->dim[1]};
    int64_t most = fv_call_has(c, 2) ? fv_element_get_long(c->in[2], 0) : 0;
    k->most = most < 0 ? 0 : most < k->boxes ? most : k->boxes;
    k->iou = fv_call_has(c, 3) ? (float)fv_element_get(c->in[3], 0) : 0;
    k->has_score = fv_call_has(c, 4);
    k->score = k->has_score ? (float)fv_element_get(c->in[4], 0) : 0;
    return true;
}

// Selects; rows go to `out` when it is not NULL. Returns how many there are, -1 without memory.
static int64_t nms_select(nms *k, int64_t *out) {
    int64_t n = 0;
    k->line = malloc(sizeof *k->line * (size_t)k->boxes + 1);
    k->box = malloc(sizeof *k->box * (size_t)k->most + 1);
    for (int64_t i = 0; k->line && k->box && i < k->batches * k->classes; i++)
        n += nms_class(k, i / k->classes, i % k->classes, out ? out + 3 * n : NULL);
    n = k->line && k->box ? n : -1;
    free(k->line);
    free(k->box);
    return n;
}

static bool nms_shape(const fv_call *c) {
    const fv_tensor *boxes = c->in[0], *scores = c->in[1];
    nms k;
    if (boxes->n_dims != 3 || scores->n_dims != 3 || boxes->dim[2] != 4 ||
        scores->dim[2] != boxes->dim[1] || scores->dim[0] != boxes->dim[0] ||
        scores->dtype != FV_F32)
        return fv_fail(c->err, FV_BAD_INPUT, "its boxes and scores do not fit each other");
    for (int i = 2; i < c->n_in; i++) {
        if (c->in[i] && !c->in[i]->data)
            return fv_fail(c->err, FV_UNSUPPORTED, "input '%s' is computed at run time",
                           c->in[i]->name);
        if (c->in[i] && fv_tensor_count(c->in[i]) != 1)
            return fv_fail(c->err, FV_BAD_INPUT, "input '%s' is no scalar", c->in[i]->name);
    }
    nms_init(c, &k);
    double work = (double)k.batches * (double)k.classes * (double)k.boxes * (double)(k.most + 1);
    bool known = boxes->data && scores->data && work < 1e8;
    int64_t n = known ? nms_select(&k, NULL) : 0;
    if (n < 0 || (!known && k.batches && k.classes && k.most > (INT32_MAX / k.batches) / k.classes))
        return fv_fail(c->err, FV_BAD_INPUT, "it selects too many boxes");
    return fv_shape_set(c, 0, FV_I64, 2,
                        (int64_t[]){known ? n : k.batches * k.classes * k.most, 3});
}

static bool nms_run(const fv_call *c) {
    nms k;
    int64_t *out = c->out[0]->data, room = c->out[0]->dim[0];
    nms_init(c, &k);
    for (int64_t i = 0; i < 3 * room; i++)
        out[i] = FV_INDEX_NONE;
    return nms_select(&k, out) >= 0 || fv_fail(c->err, FV_MEMORY, "out of memory");
}

static double nms_work(const fv_call *c) {
    nms k;
    nms_init(c, &k);
    return (double)k.batches * (double)k.classes * (double)k.boxes * (double)(k.most + 64);
}

// ---- NonZero ------------------------------------------------------------------------------------

static bool nonzero_shape(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    int64_t n = x->data ? 0 : fv_tensor_count(x);
    for (int64_t i = 0; x->data && i < fv_tensor_count(x); i++)
        n += fv_element_get(x, i) != 0;
    return fv_shape_set(c, 0, FV_I64, 2, (int64_t[]){x->n_dims, n});
}

static bool nonzero_run(const fv_call *c) {
    const fv_tensor *x = c->in[0];
    int64_t *out = c->out[0]->data, n = c->out[0]->dim[1], stride[FV_MAX_DIMS];
    fv_strides_get(x, stride);
    for (int64_t i = 0; i < x->n_dims * n; i++)
        out[i] = FV_INDEX_NONE;
    for (int64_t i = 0, k = 0; i < fv_tensor_count(x) && k < n; i++) {
        if (fv_element_get(x, i) == 0)
            continue;
        for (int d = 0; d < x->n_dims; d++)
            out[d * n + k] = i / stride[d] % x->dim[d];
        k++;
    }
    return true;
}

const fv_op fv_ops_sort[] = {
    {.name = "TopK", .min_in = 1, .max_in = 2, .max_out = 2, .types = FV_TYPES_NUMBER,
     .attr_size = sizeof(fv_arg_attr), .parse = topk_parse, .shape = topk_shape, .run = topk_run,
     .work = topk_work},
    {.name = "NonMaxSuppression", .min_in = 2, .max_in = 5, .max_out = 1, .types = FV_TYPE(FV_F32),
     .attr_size = sizeof(int), .parse = nms_parse, .shape = nms_shape, .run = nms_run,
     .work = nms_work},
    {.name = "NonZero", .min_in = 1, .max_in = 1, .max_out = 1, .types = FV_TYPES_ALL,
     .shape = nonzero_shape, .run = nonzero_run},
    {0},
};
