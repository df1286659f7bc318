#include <ctype.h>
#include <string.h>

#include "pipeline/graph/ops.h"

enum { MAX_TERMS = 4, MAX_LABELS = 16 };

// The equation, taken apart: a label is an index variable, with its size and, for each operand and
// the result (the last), how far one step of it goes. Labels of the result come first.
typedef struct {
    char text[128];
    int n_labels, n_out, n_terms;
    unsigned char label[MAX_LABELS];
    int64_t size[MAX_LABELS], stride[MAX_TERMS][MAX_LABELS];
} einsum_attr;

static void parse(fv_attrs *a, void *attr) {
    einsum_attr *p = attr;
    const char *text = fv_attr_text(a, "equation", "");
    size_t n = 0;
    for (; *text && n + 1 < sizeof p->text; text++)
        if (!isspace((unsigned char)*text))
            p->text[n++] = *text;
    if (*text)
        fv_attr_refuse(a, "attribute 'equation' is too long");
}

// The labels of one term ("bij", "...ij"): the dimensions of an ellipsis are 1, 2, ... from the
// right.
static int read_term(const char **text, int rank, unsigned char *label) {
    int letters = 0, n = 0;
    for (const char *p = *text; isalpha((unsigned char)*p) || *p == '.'; p++)
        letters += *p != '.';
    for (; isalpha((unsigned char)**text) || **text == '.'; (*text)++) {
        if (**text != '.') {
            if (n == FV_MAX_DIMS)
                return -1;
            label[n++] = (unsigned char)**text;
            continue;
        }
        if (strncmp(*text, "...", 3))
            return -1;
        *text += 2;
        for (int k = rank - letters; k > 0; k--) {
            if (n == FV_MAX_DIMS)
                return -1;
            label[n++] = (unsigned char)k;
        }
    }
    return n;
}

static int label_find(einsum_attr *p, unsigned char label) {
    for (int i = 0; i < p->n_labels; i++)
        if (p->label[i] == label)
            return i;
    if (p->n_labels == MAX_LABELS)
        return -1;
    p->label[p->n_labels] = label;
    p->size[p->n_labels] = 1;
    return p->n_labels++;
}

static bool bad(const fv_call *c) {
    const einsum_attr *p = c->attr;
    return fv_fail(c->err, FV_UNSUPPORTED,
                   "equation '%s' does not fit its inputs or is not supported", p->text);
}

// The result's labels: those behind the arrow, else the ones that occur once, in order.
static int result_labels(einsum_attr *p, const char *arrow, int ellipsis,
                         const unsigned char (*term)[FV_MAX_DIMS], const int *n,
                         unsigned char *label) {
    if (arrow) {
        int letters = 0;
        for (const char *q = arrow; *q; q++)
            letters += *q != '.';
        return read_term(&arrow, letters + ellipsis, label);
    }
    int count[256] = {0}, m = 0;
    for (int t = 0; t < p->n_terms; t++)
        for (int d = 0; d < n[t]; d++)
            count[term[t][d]]++;
    for (int k = ellipsis; k > 0 && m < FV_MAX_DIMS; k--)
        label[m++] = (unsigned char)k;
    for (int l = FV_MAX_DIMS + 1; l < 256 && m < FV_MAX_DIMS; l++)
        if (count[l] == 1)
            label[m++] = (unsigned char)l;
    return m;
}

static bool place_term(const fv_call *c, int t, const unsigned char *label, int n) {
    einsum_attr *p = c->attr;
    int64_t stride[FV_MAX_DIMS];
    fv_strides_get(c->in[t], stride);
    for (int d = 0; d < n; d++) {
        int l = label_find(p, label[d]);
        int64_t size = c->in[t]->dim[d];
        if (l < 0 || (size != 1 && p->size[l] != 1 && size != p->size[l]))
            return false;
        if (p->size[l] == 1)
            p->size[l] = size;
        p->stride[t][l] += size == 1 ? 0 : stride[d];
    }
    return true;
}

static bool einsum_shape(const fv_call *c) {
    einsum_attr *p = c->attr;
    const char *text = p->text, *arrow = strstr(p->text, "->");
    unsigned char term[MAX_TERMS][FV_MAX_DIMS], result[FV_MAX_DIMS];
    int n[MAX_TERMS], ellipsis = 0;
    int64_t dim[FV_MAX_DIMS];
    p->n_terms = c->n_in;
    for (int t = 0; t < c->n_in; t++) {
        n[t] = read_term(&text, c->in[t]->n_dims, term[t]);
        if (n[t] != c->in[t]->n_dims || c->in[t]->dtype != c->in[0]->dtype ||
            (t + 1 < c->n_in && *text++ != ','))
            return bad(c);
        for (int d = 0; d < n[t]; d++)
            ellipsis = term[t][d] <= FV_MAX_DIMS && term[t][d] > ellipsis ? term[t][d] : ellipsis;
    }
    if (*text && text != arrow)
        return bad(c);
    p->n_out = result_labels(p, arrow ? arrow + 2 : NULL, ellipsis,
                             (const unsigned char(*)[FV_MAX_DIMS])term, n, result);
    for (int d = 0; d < p->n_out; d++)
        if (label_find(p, result[d]) != d) // a label twice in the result
            return bad(c);
    for (int t = 0; t < c->n_in; t++)
        if (!place_term(c, t, term[t], n[t]))
            return bad(c);
    if (p->n_out < 0)
        return bad(c);
    for (int d = 0; d < p->n_out; d++)
        dim[d] = p->size[d];
    return fv_shape_set(c, 0, c->in[0]->dtype, p->n_out, dim);
}

static bool einsum_run(const fv_call *c) {
    const einsum_attr *p = c->attr;
    float *out = c->out[0]->data;
    int64_t at[MAX_LABELS] = {0}, from[MAX_TERMS] = {0}, inner = 1;
    for (int l = p->n_out; l < p->n_labels; l++)
        inner *= p->size[l];
    for (int64_t o = 0; o < fv_tensor_count(c->out[0]); o++) {
        double sum = 0;
        for (int64_t i = 0; i < (inner ? inner : 1); i++) {
            double v = inner != 0;
            for (int t = 0; inner && t < p->n_terms; t++)
                v *= (double)((const float *)c->in[t]->data)[from[t]];
            sum += v;
            for (int l = p->n_labels - 1; l >= 0; l--) {
                bool more = ++at[l] < p->size[l];
                for (int t = 0; t < p->n_terms; t++)
                    from[t] += more ? p->stride[t][l] : -(at[l] - 1) * p->stride[t][l];
                if (more)
                    break;
                at[l] = 0;
            }
        }
        out[o] = (float)sum;
    }
    return true;
}

static double einsum_work(const fv_call *c) {
    const einsum_attr *p = c->attr;
    double n = 1;
    for (int l = 0; l < p->n_labels; l++)
        n *= (double)p->size[l];
    return 4 * n;
}

const fv_op fv_ops_einsum[] = {
    {.name = "Einsum", .min_in = 1, .max_in = MAX_TERMS, .max_out = 1, .types = FV_TYPES_FLOAT,
     .as_float = true, .attr_size = sizeof(einsum_attr), .parse = parse, .shape = einsum_shape,
     .run = einsum_run, .work = einsum_work},
    {0},
};
