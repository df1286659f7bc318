// A deformable convolution becomes the values under its windows and a 1 x 1 convolution of these.
#include "pipeline/graph/op_deform.h"
#include "pipeline/graph/passes.h"

enum { X, WEIGHTS, OFFSET, BIAS, MASK };
static const double MOST_VALUES = 1 << 26; // of all windows together: 256 MiB

static int input(const fv_node *n, int k) {
    return k < n->n_in ? n->in[k] : -1;
}

// [M][C][ky][kx] to [M][ky kx C].
static int turn_weights(fv_passes *p, int weights) {
    const int64_t *dim = p->g->tensor[weights].dim, outs = dim[0], channels = dim[1], taps = dim[2] * dim[3];
    int turned = fv_pass_add_constant(p, weights, 4, (int64_t[]){outs, channels * taps, 1, 1});
    const float *from = p->g->tensor[weights].data;
    float *to = p->g->tensor[turned].data;
    for (int64_t m = 0; m < outs; m++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t t = 0; t < taps; t++)
                to[(m * taps + t) * channels + c] = *from++;
    return turned;
}

static fv_node make(fv_passes *p, const fv_node *n, const char *op, const int in[3], int out, const void *attr, size_t size) {
    fv_node made = fv_pass_make_node(p, n, op, in[0], out, attr, size);
    made.n_in = 3;
    made.in = fv_arena_memdup(p->g->arena, in, 3 * sizeof *in);
    return made;
}

static int replace(fv_passes *p, const fv_node *n, fv_node *to) {
    if (!fv_node_is(n, "DeformConv") || !fv_pass_constant(p, n->in[WEIGHTS]) || p->tensor_room < 2 ||
        p->g->tensor[n->in[X]].dtype != FV_F32 || (input(n, BIAS) >= 0 && !fv_pass_constant(p, n->in[BIAS])))
        return 0;
    const fv_deform_attr *a = n->attr;
    fv_tensor t = p->g->tensor[n->out[0]];
    t.dim[1] = p->g->tensor[n->in[X]].dim[1] * a->conv.kernel[0] * a->conv.kernel[1];
    if ((double)t.dim[0] * (double)t.dim[1] * (double)t.dim[2] * (double)t.dim[3] > MOST_VALUES)
        return 0;
    int columns = fv_pass_add_tensor(p, &t);
    const fv_conv_attr pointwise = {.kernel = {1, 1}, .stride = {1, 1}, .dilation = {1, 1}, .group = a->conv.group};
    to[0] = make(p, n, "DeformColumns", (int[]){n->in[X], n->in[OFFSET], input(n, MASK)}, columns, a, sizeof *a);
    to[1] = make(p, n, "Conv", (int[]){columns, turn_weights(p, n->in[WEIGHTS]), input(n, BIAS)}, n->out[0], &pointwise,
                 sizeof pointwise);
    return 2;
}

int fv_pass_deform(fv_passes *p) {
    return fv_pass_replace(p, 2, replace);
}
