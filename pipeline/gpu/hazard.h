// Private to pipeline/gpu: which dispatches must wait for which. Knows no Vulkan.
#pragma once

#include "pipeline/gpu/gpu.h"

// The spans that dispatches since the last barrier touch. {0} is empty; release with free(v).
typedef struct {
    uint32_t n, room;
    fv_gpu_span *v;
} fv_gpu_hazards;

// Takes the spans of the next dispatch. True when a barrier must come before it: it reads or
// overwrites bytes that an earlier one since the last barrier wrote, or overwrites bytes that one read.
bool fv_gpu_hazards_add(fv_gpu_hazards *h, const fv_gpu_span *spans, uint32_t n_spans);
