// A graph on the device against the same graph on the host.
#pragma once

#include "pipeline/gpu/gpu.h"
#include "pipeline/graph/graph.h"
#include "tests/infer/one_node.h"

// The device of this run, with validation and without a cache; made when first asked for, NULL (and the
// case failed) when there is none. Lives until fv_compare_finish.
fv_gpu *fv_compare_gpu(void);
void fv_compare_finish(void);

// Runs both on the same random inputs of -1..1 times `scale` plus `shift` and returns the largest
// max|a-b| / max|ref| of the outputs, or a negative number (and a line on stderr) when one could not run.
double fv_compare_run(const fv_graph *g, float scale, float shift, int *n_host_steps);
// The same with float16 in memory on the device, unchecked; the reference stays float32. What one op
// loses is what rounding its inputs and outputs to 11 bits costs: FV_HALF_LOSS of the largest output.
double fv_compare_half(const fv_graph *g, float scale, float shift, int *n_host_steps);
#define FV_HALF_LOSS 2e-3

// A test of n nodes: the same on the device, as float32 (1e-5) and as float16, no step on the host, fewer dispatches
// than that. Inputs that the host brings to a CPU count as if a kernel did.
void fv_compare_chain(const fv_one_node *chain, int n, int n_dispatches_less_than);
