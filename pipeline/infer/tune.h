// Private to pipeline/infer: which row of conv_row.h is fastest for a shape on this device.
//
// What fits a shape and can win by its cost (fv_conv_row_cost) is timed once per device and driver,
// on zeros, in scratch memory; winners are kept in "<cache>/<caps.key>.tune":
//     fovea-tune 6
//     <shape> = <row>, <ms> ms
// On CPU devices it is the processors' time that is compared, spread over the cores: other work on the
// machine does not count. A file of another version, or lines that name no row, are ignored.
// The first plan of a model measures for 4.5 s at most, besides what the compiler takes for one row of each shape. That
// is divided over the shapes: fewer rows are compared where it gets short, and at last the row of the lowest cost is kept
// unmeasured (0 ms), so that the next plan measures nothing. The cost of a kernel is put right where measured rows of it are
// far from the formula, which knows one driver. FOVEA_TUNE=0 turns measuring and the file off; then the row
// of the lowest cost is taken.
#pragma once

#include "pipeline/infer/conv_row.h"

typedef struct fv_tuner fv_tuner;

// What one tuner has done; all 0 where the cache knew every shape.
typedef struct {
    int n_measured; // shapes, each with two rows or more
    int n_by_cost;  // shapes for which there was no time: their row is kept as well
    double used_ms;
} fv_tuner_stats;

// One plan's tuner; reads the cache. `n_convs`: how often it will be asked at most, which divides its time. NULL when
// tuning is off, which the others accept.
fv_tuner *fv_tuner_create(fv_gpu *gpu, int n_convs);
// What is known of the shape, and can do it; NULL: nothing.
const fv_conv_row *fv_tune_known(const fv_tuner *t, const fv_gpu *gpu, const fv_conv_shape *s);
// NULL: no row fits. A fault while measuring is logged, and the row of the lowest cost taken.
const fv_conv_row *fv_tune_conv(fv_tuner *t, fv_gpu *gpu, const fv_conv_shape *s);
fv_tuner_stats fv_tuner_get_stats(const fv_tuner *t);
// Writes the cache if there is news, beside it and renamed. Gives kernels back that only it has: a plan takes
// its own before.
void fv_tuner_destroy(fv_tuner **t);
