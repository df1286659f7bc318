// Private to pipeline/infer: how far the cost formula of conv_row.h is from what was measured, kernel by kernel. The
// formula counts what one driver's compiler makes; on another one it can be off by a factor that is a kernel's own.
#pragma once

#include "pipeline/infer/conv_row.h"

// Zeroed: nothing is known.
typedef struct {
    struct {
        double sum; // of log(measured / cost)
        int n;
    } kernel[FV_N_CONV_KERNELS];
} fv_cost_scale;

// A row of the kernel took `ms` where the formula says `cost`. Nothing is learnt of what is not above 0.
void fv_cost_scale_learn(fv_cost_scale *s, fv_conv_kernel kernel, double cost, double ms);
bool fv_cost_scale_knows(const fv_cost_scale *s, fv_conv_kernel kernel);
// What to multiply a cost with, by the geometric means of the kernel and of the tile kernel, to which all are compared; 1
// where one of them is unknown, or the two are within a factor of 1.5, which the formula is never better than.
double fv_cost_scale_get(const fv_cost_scale *s, fv_conv_kernel kernel);
