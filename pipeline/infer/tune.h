// Private to pipeline/infer: which row of conv_row.h is fastest for a shape on this device.
//
// What fits a shape and can win by its cost (fv_conv_row_cost) is timed once per device and driver,
// on zeros, in scratch memory; winners are kept in "<cache>/<caps.key>.tune":
//     fovea-tune 4
//     <shape> = <row>, <ms> ms
// On CPU devices it is the processors' time that is compared, spread over the cores: other work on the
// machine does not count. A file of another version, or lines that name no row, are ignored. FOVEA_TUNE=0 turns measuring and
// the file off: then, and when the time for measuring is used up, the row of the lowest cost is taken.
#pragma once

#include "pipeline/infer/conv_row.h"

typedef struct fv_tuner fv_tuner;

// One plan's tuner; reads the cache. NULL when tuning is off, which the others accept.
fv_tuner *fv_tuner_create(fv_gpu *gpu);
// What is known of the shape, and can do it; NULL: nothing.
const fv_conv_row *fv_tune_known(const fv_tuner *t, const fv_gpu *gpu, const fv_conv_shape *s);
// NULL: no row fits. A fault while measuring is logged, and the row of the lowest cost taken.
const fv_conv_row *fv_tune_conv(fv_tuner *t, fv_gpu *gpu, const fv_conv_shape *s);
// Writes the cache if there is news, beside it and renamed. Gives kernels back that only it has: a plan takes
// its own before.
void fv_tuner_destroy(fv_tuner **t);
