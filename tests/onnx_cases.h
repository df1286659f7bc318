// The conformance cases of libonnx-testdata: a folder a case with model.onnx and sets of input_N.pb
// and output_N.pb. One walker for every executor: the C reference and the GPU run the same cases.
#pragma once

#include "pipeline/graph/graph.h"

// Runs a loaded graph, as fv_graph_run does. Receives the graph before any pass.
typedef bool (*fv_executor_fn)(void *user, fv_graph *g, const void *const in[], void *const out[],
                               fv_err *err);

typedef struct {
    int passed, failed,
        skipped; // cases of ops in our table: `skipped` is listed in the table of reasons
    int foreign;                 // cases that need an op that is not in our table
} fv_cases_tally;

// Walks the cases of a set ("node", "pytorch-converted", "pytorch-operator", "simple") in order of
// their names and prints a line for each failure and a table by op. `filter` is NULL or a part of
// the names to run. Where shapes depend on inputs, these are bound as constants. Returns false when
// the set is not installed.
bool fv_cases_run(const char *set, const char *filter, fv_executor_fn run, void *user,
                  fv_cases_tally *tally);

// Prints the skipped patterns with their reasons.
void fv_cases_print_skips(void);
