// Graphs and plans of this process, each made once: detectors of the same model, size and device
// share weights and kernels.
// Thread-safety: all functions, from any thread.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/infer/infer.h"

typedef struct {
    const fv_graph *graph;
    const fv_plan *plan;  // NULL on device "reference"
} fv_engine;

// `device` and `validate` as fv_gpu_params; width, height as fv_graph_params. What is there already
// is given again; making a new one blocks the others that ask.
const fv_engine *fv_engine_get(const char *model, const char *device, int width, int height,
                               bool validate, fv_err *err);

// Gives it back; the last one frees graph, plan and device. NULL is fine; clears *e.
void fv_engine_put(const fv_engine **e);
