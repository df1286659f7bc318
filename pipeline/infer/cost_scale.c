#include "pipeline/infer/cost_scale.h"

#include <math.h>

static const double FAR = 1.5;

void fv_cost_scale_learn(fv_cost_scale *s, fv_conv_kernel kernel, double cost, double ms) {
    if (!(ms > 0 && cost > 0))
        return;
    s->kernel[kernel].sum += log(ms / cost);
    s->kernel[kernel].n++;
}

bool fv_cost_scale_knows(const fv_cost_scale *s, fv_conv_kernel kernel) {
    return s->kernel[kernel].n > 0;
}

static double mean(const fv_cost_scale *s, fv_conv_kernel kernel) {
    return s->kernel[kernel].sum / s->kernel[kernel].n;
}

double fv_cost_scale_get(const fv_cost_scale *s, fv_conv_kernel kernel) {
    if (!fv_cost_scale_knows(s, kernel) || !fv_cost_scale_knows(s, FV_CONV_TILE))
        return 1;
    double off = exp(mean(s, kernel) - mean(s, FV_CONV_TILE));
    return off > FAR || off < 1 / FAR ? off : 1;
}
