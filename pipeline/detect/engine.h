// Graphs and plans of this process, each made once: detectors of the same model, size and device
// share weights and kernels.
// Thread-safety: all functions, from any thread.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/detect/detect.h"
#include "pipeline/infer/infer.h"

typedef struct {
    const fv_graph *graph;
    const fv_plan *plan;  // NULL before fv_engine_prepare, and on device "reference"
} fv_engine;

// `device` and `validate` as fv_gpu_params; width, height as fv_graph_params; precision as
// fv_plan_params; readback as fv_detector_params. What is there already is given again; making a new one blocks the others that ask.
const fv_engine *fv_engine_get(const char *model, const char *device, int width, int height,
                               fv_precision precision, fv_readback readback, bool validate, fv_err *err);

// Makes the plan, unless it is there. `input`: what pictures look like to the network, which the
// check of float16 draws (infer/infer.h).
bool fv_engine_prepare(const fv_engine *e, const fv_input *input, fv_err *err);

// Gives it back; the last one frees graph, plan and device. NULL is fine; clears *e.
void fv_engine_put(const fv_engine **e);
