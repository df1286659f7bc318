// Activations that exporters spell out in several nodes.
#include <math.h>

#include "pipeline/graph/passes.h"

static bool near(float a, float b) {
    return fabsf(a - b) <= 1e-5f * fabsf(b);
}

// A clip to 0..h of x + c: gives x, c and h.
static fv_node *shifted_clip(const fv_passes *p, const fv_node *n, int k, int *x, float *c,
                             float *h) {
    fv_node *clip = fv_pass_sole(p, n, k, "Clip");
    const fv_activation *a = clip ? clip->attr : NULL;
    fv_node *add = clip && !a->computed && a->alpha == 0 ? fv_pass_sole(p, clip, 0, "Add") : NULL;
    int side = add ? fv_pass_scalar_side(p, add, c) : -1;
    if (side < 0)
        return NULL;
    *x = add->in[!side];
    *h = a->beta;
    return clip;
}

// n = Div(m, h) or Mul(m, 1/h): which input is m, -1.
static int divided_side(const fv_passes *p, const fv_node *n, float *h) {
    float v;
    bool div = fv_node_is(n, "Div"), mul = fv_node_is(n, "Mul");
    int side = div || mul ? fv_pass_scalar_side(p, n, &v) : -1;
    if (side < 0 || (div && side == 0) || v == 0)
        return -1;
    *h = div ? v : 1 / v;
    return !side;
}

// clip(x + c, 0, h) / h = hard_sigmoid(x; 1/h, c/h), and x clip(x + c, 0, h) / h = hard_swish.
int fv_pass_hard_sigmoid(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        float h, c, top;
        int x, side = divided_side(p, n, &h);
        if (side < 0)
            continue;
        if (shifted_clip(p, n, side, &x, &c, &top) && near(top, h)) {
            fv_pass_become(p, n, "HardSigmoid", x,
                           (fv_activation){FV_ACT_HARD_SIGMOID, 1 / h, c / h, 0});
            changes++;
            continue;
        }
        fv_node *mul = fv_pass_sole(p, n, side, "Mul");
        for (int k = 0; mul && k < 2; k++) {
            if (!shifted_clip(p, mul, k, &x, &c, &top) || x != mul->in[!k] || !near(top, h))
                continue;
            fv_pass_become(p, n, "HardSwish", x,
                           (fv_activation){FV_ACT_HARD_SWISH, 1 / h, c / h, 0});
            changes++;
            break;
        }
    }
    return changes;
}

// x f(x) with f a sigmoid, a hard sigmoid or tanh(softplus).
int fv_pass_gated(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        for (int k = 0; fv_node_is(n, "Mul") && k < 2; k++) {
            int x = n->in[!k];
            fv_node *sigmoid = fv_pass_sole(p, n, k, "Sigmoid"),
                    *hard = fv_pass_sole(p, n, k, "HardSigmoid");
            fv_node *tanh = fv_pass_sole(p, n, k, "Tanh"),
                    *plus = tanh ? fv_pass_sole(p, tanh, 0, "Softplus") : NULL;
            const fv_activation *a = hard ? hard->attr : NULL;
            if (sigmoid && sigmoid->in[0] == x)
                fv_pass_become(p, n, "Swish", x, (fv_activation){FV_ACT_SILU, 1, 0, 0});
            else if (hard && hard->in[0] == x)
                fv_pass_become(p, n, "HardSwish", x,
                               (fv_activation){FV_ACT_HARD_SWISH, a->alpha, a->beta, 0});
            else if (plus && plus->in[0] == x)
                fv_pass_become(p, n, "Mish", x, (fv_activation){FV_ACT_MISH, 0, 0, 0});
            else
                continue;
            changes++;
        }
    }
    return changes;
}

// erf(x / sqrt 2) + 1, the inner part of GELU: gives x.
static bool erf_part(const fv_passes *p, const fv_node *n, int k, int *x) {
    fv_node *add = fv_pass_sole(p, n, k, "Add");
    float one, h;
    int side = add ? fv_pass_scalar_side(p, add, &one) : -1;
    fv_node *erf = side >= 0 && one == 1 ? fv_pass_sole(p, add, !side, "Erf") : NULL;
    fv_node *div = erf ? fv_pass_sole(p, erf, 0, "Div") : NULL;
    div = erf && !div ? fv_pass_sole(p, erf, 0, "Mul") : div;
    side = div ? divided_side(p, div, &h) : -1;
    if (side < 0 || !near(h, 1.41421356f))
        return false;
    *x = div->in[side];
    return true;
}

// (x (erf(x / sqrt 2) + 1)) 0.5, and with the half at x.
int fv_pass_gelu(fv_passes *p) {
    int changes = 0;
    for (int i = 0; i < p->g->n_nodes; i++) {
        fv_node *n = &p->g->node[i];
        float half;
        int x, side = fv_node_is(n, "Mul") ? fv_pass_scalar_side(p, n, &half) : -1;
        fv_node *mul = side >= 0 && half == 0.5f ? fv_pass_sole(p, n, !side, "Mul") : NULL;
        bool found = false;
        for (int k = 0; mul && !found && k < 2; k++)
            found = erf_part(p, mul, k, &x) && mul->in[!k] == x;
        for (int k = 0; fv_node_is(n, "Mul") && !found && k < 2; k++) {
            fv_node *scaled = fv_pass_sole(p, n, !k, "Mul");
            side = scaled ? fv_pass_scalar_side(p, scaled, &half) : -1;
            found = side >= 0 && half == 0.5f && erf_part(p, n, k, &x) && scaled->in[!side] == x;
        }
        if (!found)
            continue;
        fv_pass_become(p, n, "Gelu", x, (fv_activation){FV_ACT_GELU, 0, 0, 0});
        changes++;
    }
    return changes;
}
