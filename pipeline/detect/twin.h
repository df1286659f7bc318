// The plain-C twin of a session: device "reference". Slow, and there for comparison.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"
#include "pipeline/graph/graph.h"
#include "pipeline/infer/infer.h"

typedef struct fv_twin fv_twin;

// `g` and `input` are borrowed. Push, pull and pending as fv_session_*; the graph runs during pull.
fv_twin *fv_twin_create(const fv_graph *g, const fv_input *input, int slots, fv_err *err);
bool fv_twin_push(fv_twin *t, const fv_frame *frame, float par, fv_err *err);
bool fv_twin_pull(fv_twin *t, fv_result *result, fv_err *err);
int fv_twin_pending(const fv_twin *t);
void fv_twin_destroy(fv_twin **t);
