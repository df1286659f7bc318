// Runs a pipeline to its end: messages, signals, outputs that fail, progress, summary.
#pragma once

#include "pipeline/run/build.h"

typedef struct {
    const fv_desc *desc;
    const fv_probe *probes;   // one per stream
    const fv_words_out *words;
    bool progress;            // a bar on standard error when that is a terminal
    bool summary;             // on standard error at the end
} fv_loop_params;

// Returns the exit code: 0 done (also after the first Ctrl-C, which ends the streams so that files
// are finished), 1 something failed while running, 2 the input is wrong. Errors are printed as they
// happen, one line each: "fovea: error: ...". An output that fails is given up; the others go on,
// and the run ends with 2 where the user can mend it (no room), else with 1. A second Ctrl-C ends at once.
// What cannot be linked ends the run with 1, as does a stream that stands still for 10 s after a Ctrl-C.
int fv_loop_run(const fv_loop_params *params);
