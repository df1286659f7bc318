// What becomes part of a convolution's weights, bias and padding.
#include <math.h>
#include <string.h>

#include "pipeline/graph/op_math.h"
#include "pipeline/graph/op_pool.h"
#include "pipeline/graph/op_shape.h"
#include "pipeline/graph/passes.h"

// y[ch] = x[ch] * scale[ch] + shift[ch]; steps 0 repeat a single value
typedef struct {
    const float *scale, *shift;
    int scale_step, shift_step;
    bool divide, subtract;
} affine;

// A constant of this pass alone may be changed where it lies; others are copied first. The input of
// the node then is the copy. NULL when there is no room.
static float *own_data(fv_passes *p, fv_node *n, int k) {
    int t = n->in[k];
    if (p->readers[t] == 1 && !p->kept[t])
        return p->g->tensor[t].data;
    fv_tensor copy = p->g->tensor[t];
    int index = fv_pass_add_tensor(p, &copy);
    if (index < 0)
        return NULL;
    p->g->tensor[index].data = fv_arena_memdup(p->g->data, copy.data, fv_tensor_bytes(&copy));
    p->readers[t]--;
    n->in[k] = index;
    return p->g->tensor[index].data;
}

// A convolution without a bias gets one of zeros.
static bool add_bias(fv_passes *p, fv_node *conv, int64_t channels) {
    if (conv->n_in > 2 && conv->in[2] >= 0)
        return true;
    fv_tensor bias = {.name = fv_arena_printf(p->g->arena, "%s_bias", conv->name),
                      .dtype = FV_F32,
                      .n_dims = 1,
                      .dim = {channels}};
    bias.data = fv_arena_alloc(p->g->data, fv_tensor_bytes(&bias));
    int index = fv_pass_add_tensor(p, &bias), *in = FV_ARENA_NEW(p->g->arena, int, 3);
    if (index < 0)
        return false;
    in[0] = conv->in[0], in[1] = conv->in[1], in[2] = index;
    conv->in = in;
    conv->n_in = 3;
    return true;
}

static bool apply(fv_passes *p, fv_node *conv, affine f) {
    int64_t channels = p->g->tensor[conv->in[1]].dim[0], each;
    if (!add_bias(p, conv, channels))
        return false;
    float *w = own_data(p, conv, 1), *b = own_data(p, conv, 2);
    if (!w || !b || channels == 0)
        return false;
    each = fv_tensor_count(&p->g->tensor[conv->in[1]]) / channels;
    for (int64_t m = 0; m < channels; m++) {
        float s = f.scale ? f.scale[m * f.scale_step] : 1,
              t = f.shift ? f.shift[m * f.shift_step] : 0;
        s = f.divide ? 1 / s : s;
        for (int64_t i = 0; f.scale && i < each; i++)
            w[m * each + i] *= s;
        b[m] = b[m] * s + (f.subtract ? -t : t);
    }
    return true;
}

// A plain Conv with constant float32 weights that feeds input k of n alone.
static fv_node *plain_conv(const fv_passes *p, const fv_node *n, int k) {
    fv_node *conv = fv_pass_sole(p, n, k, "Conv");
    if (!conv || !fv_pass_constant(p, conv->in[1]) ||
        (conv->n_in > 2 && conv->in[2] >= 0 && !fv_pass_constant(p, conv->in[2])))
        return NULL;
    const fv_conv_attr *a = conv->attr;
    return a->activation.kind || a->residual ? NULL : conv;
}

static bool fold_batch_norm(fv_passes *p, fv_node *n) {
    fv_node *conv = plain_conv(p, n, 0);
    for (int k = 1; conv && k < 5; k++)
        if (!fv_pass_constant(p, n->in[k]))
            return false;
    if (!conv)
        return false;
    const float *v[5];
    for (int k = 1; k < 5; k++)
        v[k] = p->g->tensor[n->in[k]].data;
    int64_t channels = p->g->tensor[conv->in[1]].dim[0];
    float *scale = FV_ARENA_NEW(p->g->arena, float, 2 * channels), *shift = scale + channels;
    for (int64_t m = 0; m < channels; m++) {
        scale[m] = v[1][m] / sqrtf(v[4][m] + ((fv_norm_attr *)n->attr)->epsilon);
        shift[m] = v[2][m] - v[3][m] * scale[m];
    }
    return apply(p, conv,
                 (affine){.scale = scale, .shift = shift, .scale_step = 1, .shift_step = 1}) &&
           (fv_pass_merge(conv, n), true);
}

// 0: one value for all channels, 1: one a channel of an output of rank `n_dims`; -1: neither.
static int channel_step(const fv_tensor *t, int n_dims, int64_t channels) {
    if (fv_tensor_count(t) == 1 && t->n_dims <= n_dims)
        return 0;
    int at = t->n_dims - (n_dims - 1); // where the channels are when aligned to the right
    return at >= 0 && at < t->n_dims && t->dim[at] == channels && fv_tensor_count(t) == channels &&
                   t->n_dims <= n_dims
               ? 1
               : -1;
}

static bool fold_factor(fv_passes *p, fv_node *n) {
    bool mul = fv_node_is(n, "Mul"), div = fv_node_is(n, "Div"), sub = fv_node_is(n, "Sub");
    for (int k = 0; k < (div || sub ? 1 : 2); k++) {
        fv_node *conv = n->n_in == 2 && fv_pass_constant(p, n->in[!k]) ? plain_conv(p, n, k) : NULL;
        if (!conv || ((fv_pair_attr *)n->attr)->axis >= 0)
            continue;
        const fv_tensor *t = &p->g->tensor[n->in[!k]];
        int step =
            channel_step(t, p->g->tensor[n->out[0]].n_dims, p->g->tensor[conv->in[1]].dim[0]);
        affine f = {.divide = div, .subtract = sub};
        if (mul || div)
            f.scale = t->data, f.scale_step = step;
        else
            f.shift = t->data, f.shift_step = step;
        if (step >= 0 && apply(p, conv, f)) {
            fv_pass_merge(conv, n);
            return true;
        }
    }
    return false;
}

int fv_pass_scale(fv_passes *p) {
    static const struct {
        const char *op;
        bool (*fold)(fv_passes *p, fv_node *n);
    } rows[] = {{"BatchNormalization", fold_batch_norm},
                {"Mul", fold_factor},
                {"Div", fold_factor},
                {"Add", fold_factor},
                {"Sub", fold_factor}};
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++)
        for (size_t r = 0; r < sizeof rows / sizeof rows[0]; r++) {
            fv_node *n = &p->g->node[i];
            if (!fv_node_is(n, rows[r].op) || !rows[r].fold(p, n))
                continue;
            p->producer[n->out[0]] = i;
            changes++;
        }
    return changes;
}

// ---- Pad ----------------------------------------------------------------------------------------

static bool only_spatial(const fv_passes *p, const fv_node *pad) {
    const fv_pad_attr *a = pad->attr;
    bool fits = a->mode == FV_PAD_CONSTANT && a->value == 0 && p->g->tensor[pad->in[0]].n_dims == 4;
    for (int d = 0; fits && d < 4; d++)
        fits = a->begin[d] >= 0 && a->end[d] >= 0 && a->begin[d] < 1 << 16 && a->end[d] < 1 << 16 &&
               (d >= 2 || (a->begin[d] == 0 && a->end[d] == 0));
    return fits;
}

static void add_pads(int pad[4], const fv_pad_attr *a) {
    for (int d = 0; d < 2; d++)
        pad[d] += (int)a->begin[2 + d], pad[2 + d] += (int)a->end[2 + d];
}

int fv_pass_pad(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i], *pad = fv_pass_sole(p, n, 0, "Pad");
        bool conv = fv_node_is(n, "Conv"), pool = fv_node_is(n, "AveragePool");
        if (!pad || !(conv || pool) || !only_spatial(p, pad))
            continue;
        fv_pool_attr *a = n->attr;
        if (pool &&
            ((a->count_include_pad == 0 && (a->pad[0] | a->pad[1] | a->pad[2] | a->pad[3])) ||
             a->ceil_mode))
            continue;
        if (pool)
            a->count_include_pad = 1;
        add_pads(pool ? a->pad : ((fv_conv_attr *)n->attr)->pad, pad->attr);
        n->in[0] = pad->in[0];
        fv_pass_drop(pad);
        changes++;
    }
    return changes;
}
