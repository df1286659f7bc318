#include "pipeline/detect/twin.h"

#include <stdlib.h>

#include "pipeline/base/arena.h"
#include "pipeline/infer/preprocess.h"

typedef struct {
    float *pixels; // the network's input
    fv_fit fit;
} twin_slot;

struct fv_twin {
    fv_arena *arena;
    const fv_graph *g;
    const fv_input *input;
    int slots, first, pending;
    twin_slot *slot;
    void **out;
    fv_tensor *tensor;
};

fv_twin *fv_twin_create(const fv_graph *g, const fv_input *input, int slots, fv_err *err) {
    const fv_tensor *in = &g->tensor[g->input[0]];
    if (in->dtype != FV_F32) {
        fv_fail(err, FV_UNSUPPORTED, "input %s is %s; device reference takes float32 pictures only",
                in->name, fv_dtype_name(in->dtype));
        return NULL;
    }
    fv_arena *arena = fv_arena_create();
    fv_twin *t = FV_ARENA_NEW(arena, fv_twin, 1);
    *t = (fv_twin){.arena = arena, .g = g, .input = input, .slots = slots};
    t->slot = FV_ARENA_NEW(arena, twin_slot, slots);
    for (int i = 0; i < slots; i++)
        t->slot[i].pixels = fv_arena_alloc(arena, fv_tensor_bytes(in));
    t->out = FV_ARENA_NEW(arena, void *, g->n_outputs + 1);
    t->tensor = FV_ARENA_NEW(arena, fv_tensor, g->n_outputs + 1);
    for (int i = 0; i < g->n_outputs; i++) {
        t->tensor[i] = g->tensor[g->output[i]];
        t->tensor[i].data = t->out[i] = fv_arena_alloc(arena, fv_tensor_bytes(&t->tensor[i]));
    }
    return t;
}

bool fv_twin_push(fv_twin *t, const fv_frame *frame, float par, fv_err *err) {
    if (t->pending == t->slots)
        return fv_fail(err, FV_BAD_INPUT, "all %d slots are in use; pull first", t->slots);
    twin_slot *s = &t->slot[(t->first + t->pending) % t->slots];
    s->fit = fv_preprocess_reference(frame, par, t->input, s->pixels);
    t->pending++;
    return true;
}

bool fv_twin_pull(fv_twin *t, fv_result *result, fv_err *err) {
    if (!t->pending)
        return fv_fail(err, FV_BAD_INPUT, "nothing was pushed");
    twin_slot *s = &t->slot[t->first];
    t->first = (t->first + 1) % t->slots;
    t->pending--;
    *result = (fv_result){.n = t->g->n_outputs, .tensor = t->tensor, .fit = s->fit};
    return fv_graph_run(t->g, (const void *const[]){s->pixels}, t->out, err);
}

int fv_twin_pending(const fv_twin *t) {
    return t->pending;
}

void fv_twin_destroy(fv_twin **t) {
    if (!t || !*t)
        return;
    fv_arena *arena = (*t)->arena;
    *t = NULL;
    fv_arena_destroy(&arena);
}
