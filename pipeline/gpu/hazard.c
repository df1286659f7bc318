#include "pipeline/gpu/hazard.h"

#include <stdlib.h>
#include <string.h>

static bool conflict(const fv_gpu_span *a, const fv_gpu_span *b) {
    return (a->written || b->written) && a->block == b->block && a->offset < b->offset + b->size &&
           b->offset < a->offset + a->size;
}

static void append(fv_gpu_hazards *h, const fv_gpu_span *spans, uint32_t n_spans) {
    if (h->n + n_spans > h->room) {
        h->room = 2 * (h->n + n_spans);
        h->v = realloc(h->v, h->room * sizeof *h->v);
        if (!h->v)
            abort();
    }
    memcpy(h->v + h->n, spans, n_spans * sizeof *spans);
    h->n += n_spans;
}

bool fv_gpu_hazards_add(fv_gpu_hazards *h, const fv_gpu_span *spans, uint32_t n_spans) {
    bool barrier = false;
    for (uint32_t i = 0; i < h->n && !barrier; i++)
        for (uint32_t k = 0; k < n_spans && !barrier; k++)
            barrier = conflict(&h->v[i], &spans[k]);
    if (barrier)
        h->n = 0;
    append(h, spans, n_spans);
    return barrier;
}
