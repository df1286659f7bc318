// Private to pipeline/infer: the steps behind a plan's last that bring back candidates.
#pragma once

#include "pipeline/base/candidates.h"
#include "pipeline/infer/plan.h"

typedef struct {
    fv_candidates of;
    uint32_t n_cells, room, row;  // rows that are brought back at most; floats of a row
    size_t scratch_at, out_at;    // elements of the activation block, floats of the readback block
    size_t activation_bytes, readback_bytes; // of a slot, the plan's included
    fv_gpu_kernel *kernel[3];     // mark, list, bring
} fv_picker;

// Takes a zeroed picker. Without an error room stays 0 where the plan's outputs cannot be picked from: it was
// made without `candidates`, or an output is not on the device.
bool fv_picker_init(fv_picker *k, const fv_plan *p, const fv_candidates *c, fv_err *err);
void fv_picker_finish(fv_picker *k, fv_gpu *gpu);
void fv_picker_add(const fv_picker *k, const fv_plan *p, fv_gpu_program *program);
// Puts the rows into their places in the outputs and the cells' numbers into `cell` (room of them), ascending.
// Returns how many; -1: there were more than `room`.
int fv_picker_take(const fv_picker *k, const float *readback, const fv_tensor *output, uint32_t *cell);
