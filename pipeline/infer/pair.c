#include "pipeline/infer/plan.h"

#include <stddef.h>
#include <string.h>

#include "shaders/push.h"
#include "shaders/push_conv.h"

enum { LOCAL = 64 };

static bool is_copy4(const fv_step *s) {
    return s->kernel && !strncmp(s->kernel, "copy4", 5);
}

// Takes every second channel of some pixels and writes pixels.
static bool takes_half(const fv_step *s, fv_push_copy4 *push) {
    enum { FROM, TO, N_DIMS, IN4, OUT4 };
    if (!is_copy4(s) || s->spec[FROM] != FV_SPACE_ACTIVATIONS || s->spec[TO] != FV_SPACE_ACTIVATIONS ||
        s->spec[IN4] || !s->spec[OUT4] || s->spec[N_DIMS] > FV_UNZIP_DIMS)
        return false;
    memcpy(push, s->push, sizeof *push);
    for (uint32_t d = FV_COPY_DIMS - s->spec[N_DIMS]; d < FV_COPY_DIMS; d++)
        if (push->in_stride[d] % 4 && push->dim[d] > 1)
            return false;
    return push->in_c_stride == 2 && push->c % 4 == 0;
}

static bool belong_together(const fv_step *a, const fv_push_copy4 *x, const fv_step *b, const fv_push_copy4 *y) {
    size_t dims = sizeof x->dim;
    uint32_t low = x->in_at < y->in_at ? x->in_at : y->in_at;
    return a->touch[0].root == b->touch[0].root && a->spec[2] == b->spec[2] && x->in_at + y->in_at == 2 * low + 1 &&
           low % 4 == 0 && x->c == y->c && x->channel_dim == y->channel_dim && !memcmp(x->dim, y->dim, dims) &&
           !memcmp(x->in_stride, y->in_stride, dims);
}

// Dimensions right-aligned, the channels last, so that neighbouring invocations touch neighbouring memory.
static fv_push_unzip merge(const fv_push_copy4 *even, const fv_push_copy4 *odd, int n_dims) {
    fv_push_unzip u = {.in_at = even->in_at, .even_at = even->out_at, .odd_at = odd->out_at, .count = even->count};
    int channel = (int)even->channel_dim, k = FV_UNZIP_DIMS - n_dims;
    for (int d = FV_COPY_DIMS - n_dims; d <= FV_COPY_DIMS; d++) {
        int from = d == FV_COPY_DIMS ? channel : d;
        if (d == channel)
            continue;
        u.dim[k] = even->dim[from];
        u.in_stride[k] = even->in_stride[from];
        u.even_stride[k] = even->out_stride[from];
        u.odd_stride[k++] = odd->out_stride[from];
    }
    return u;
}

static void replace(fv_plan *p, int first, int second) {
    fv_step a = p->step[first], b = p->step[second];
    fv_push_copy4 x, y;
    takes_half(&a, &x), takes_half(&b, &y);
    bool swap = x.in_at > y.in_at;
    int n_dims = (int)a.spec[2];
    fv_push_unzip push = merge(swap ? &y : &x, swap ? &x : &y, n_dims);
    fv_step *s = fv_plan_dispatch(p, a.node ? a.node : b.node, "unzip", (uint32_t[]){(uint32_t)n_dims}, 1, &push,
                                  sizeof push, push.count, LOCAL);
    const fv_step *even = swap ? &b : &a, *odd = swap ? &a : &b;
    s->note = "shuffle";
    s->bytes = a.bytes + b.bytes;
    s->touch[0] = even->touch[0];
    s->touch[0].hi += 4 * 4; // both halves are read
    s->touch[1] = even->touch[1];
    s->touch[2] = odd->touch[1];
    s->n_touches = s->n_refs = 3;
    s->ref[0] = (fv_ref){offsetof(fv_push_unzip, in_at) / 4, s->touch[0].root, 4};
    s->ref[1] = (fv_ref){offsetof(fv_push_unzip, even_at) / 4, s->touch[1].root, 4};
    s->ref[2] = (fv_ref){offsetof(fv_push_unzip, odd_at) / 4, s->touch[2].root, 4};
    p->step[first] = *s;
    p->n_steps--;
    memmove(&p->step[second], &p->step[second + 1], (size_t)(p->n_steps - second - 1) * sizeof *p->step);
    p->n_steps--;
}

// ---- a shuffle and the 1 x 1 convolution of one half of it ------------------------------------------

// Nobody else reads what the shuffle makes for the convolution.
static bool sole_reader(const fv_plan *p, int root, int shuffle, int conv) {
    for (int i = 0; i < p->n_steps; i++)
        for (int t = 0; t < p->step[i].n_touches; t++)
            if (p->step[i].touch[t].space == FV_SPACE_ACTIVATIONS && p->step[i].touch[t].root == root && i != shuffle &&
                i != conv)
                return false;
    return !p->root[root].kept;
}

// Step `at` is a shuffle: finds the dense 1 x 1 convolution of all of one of its halves; its index or -1.
static int find_reader(const fv_plan *p, int at, bool *odd) {
    enum { KERNEL_X = 4, STRIDE_X, STRIDE_Y, RESIDUAL = 9 };
    const fv_step *s = &p->step[at];
    for (int i = at + 1; i < p->n_steps; i++) {
        const fv_step *c = &p->step[i];
        if (!c->kernel || (strcmp(c->kernel, "conv_tile") && strcmp(c->kernel, "conv_tile_wide")) ||
            c->spec[KERNEL_X] * c->spec[STRIDE_X] * c->spec[STRIDE_Y] != 1 || c->spec[RESIDUAL] || c->n_touches != 2)
            continue;
        for (int half = 1; half <= 2; half++) {
            const fv_touch *in = &c->touch[0], *made = &s->touch[half];
            *odd = half == 2;
            if (in->root == made->root && in->lo == made->lo && in->hi == made->hi && in->root != s->touch[3 - half].root &&
                sole_reader(p, in->root, at, i))
                return i;
        }
    }
    return -1;
}

// Pixels and channels are one dimension each, for both.
static bool is_flat(const fv_step *shuffle, const fv_push_unzip *u, const fv_step *conv, const fv_push_tile *c) {
    enum { PIXELS = FV_UNZIP_DIMS - 2, CHANNELS };
    return shuffle->spec[0] == 2 && u->in_stride[CHANNELS] == 8 && u->even_stride[CHANNELS] == 4 &&
           u->odd_stride[CHANNELS] == 4 && c->rows == 1 && c->kernel_height == 1 && c->group_blocks == conv->groups[0] &&
           c->out_width == c->width && c->width == (int)u->dim[PIXELS] && c->in_channels4 == u->dim[CHANNELS] &&
           u->even_at % 4 == 0 && u->odd_at % 4 == 0;
}

static void join(fv_plan *p, int shuffle, int conv, bool odd) {
    enum { PIXELS = FV_UNZIP_DIMS - 2, P = 2, OB = 3, ACT = 8, WHOLE = 10, EIGHTS = 13 };
    fv_step a = p->step[shuffle], b = p->step[conv];
    fv_push_unzip u;
    fv_push_tile c;
    memcpy(&u, a.push, sizeof u);
    memcpy(&c, b.push, sizeof c);
    const fv_touch *kept = &a.touch[odd ? 1 : 2];
    fv_push_shuffle push = {
        .in_at4 = u.in_at / 4, .in_pitch4 = (uint32_t)u.in_stride[PIXELS] / 4, .n_pixels = u.dim[PIXELS],
        .channels4 = c.in_channels4, .kept_at4 = (odd ? u.even_at : u.odd_at) / 4,
        .kept_pitch4 = (uint32_t)(odd ? u.even_stride : u.odd_stride)[PIXELS] / 4, .out_at4 = c.out_at4,
        .out_pitch4 = c.out_pitch4, .out_channels = c.out_channels, .weights_at4 = c.weights_at4, .bias_at4 = c.bias_at4,
        .alpha = c.alpha, .beta = c.beta};
    uint32_t spec[] = {b.spec[0], b.spec[1], b.spec[P], b.spec[OB], b.spec[ACT], b.spec[WHOLE], odd,
                       b.spec[EIGHTS]};
    fv_step *s = fv_plan_dispatch(p, b.node, "conv_shuffle", spec, 8, &push, sizeof push, 1, 1);
    memcpy(s->groups, b.groups, sizeof s->groups);
    s->note = "shuffle + 1x1";
    s->macs = b.macs;
    s->bytes = a.bytes + b.bytes - 32.0 * c.in_channels4 * u.dim[PIXELS]; // less what was between the two
    s->touch[0] = a.touch[0], s->touch[1] = *kept, s->touch[2] = b.touch[1];
    s->n_touches = s->n_refs = 3;
    s->ref[0] = (fv_ref){offsetof(fv_push_shuffle, in_at4) / 4, a.touch[0].root, 16};
    s->ref[1] = (fv_ref){offsetof(fv_push_shuffle, kept_at4) / 4, kept->root, 16};
    s->ref[2] = (fv_ref){offsetof(fv_push_shuffle, out_at4) / 4, b.touch[1].root, 16};
    p->step[shuffle] = *s;
    p->n_steps--;
    memmove(&p->step[conv], &p->step[conv + 1], (size_t)(p->n_steps - conv - 1) * sizeof *p->step);
    p->n_steps--;
}

static void join_shuffles(fv_plan *p) {
    for (int i = p->n_import; i < p->n_steps; i++) {
        fv_push_unzip u;
        fv_push_tile c;
        bool odd;
        if (!p->step[i].kernel || strncmp(p->step[i].kernel, "unzip", 5))
            continue;
        int conv = find_reader(p, i, &odd);
        if (conv < 0)
            continue;
        memcpy(&u, p->step[i].push, sizeof u);
        memcpy(&c, p->step[conv].push, sizeof c);
        if (is_flat(&p->step[i], &u, &p->step[conv], &c))
            join(p, i, conv, odd);
    }
}

// Nothing is written twice in a plan, so the later copy may as well happen with the first.
void fv_plan_pair_copies(fv_plan *p) {
    fv_push_copy4 x, y;
    for (int i = p->n_import; i < p->n_steps; i++) {
        if (!takes_half(&p->step[i], &x))
            continue;
        for (int k = i + 1; k < p->n_steps; k++) {
            if (takes_half(&p->step[k], &y) && belong_together(&p->step[i], &x, &p->step[k], &y)) {
                replace(p, i, k);
                break;
            }
        }
    }
    if (!p->half)
        join_shuffles(p);
}
