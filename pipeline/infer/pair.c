#include "pipeline/infer/plan.h"

#include <stddef.h>
#include <string.h>

#include "shaders/push.h"

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
}
