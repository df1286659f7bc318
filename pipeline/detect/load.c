#include "pipeline/detect/load.h"

#include <string.h>

enum { MAX_SIDE = 8 };

typedef struct {
    const char *name;
    int of[2]; // what its two numbers are
} side_input;

enum { ONE, WIDTH, HEIGHT };
static const side_input side_inputs[] = {
    {"scale_factor", {ONE, ONE}},
    {"im_shape", {HEIGHT, WIDTH}},
    {"orig_target_sizes", {WIDTH, HEIGHT}},
};

static const fv_tensor *picture_of(const fv_graph *g) {
    for (int i = 0; i < g->n_inputs; i++)
        if (g->tensor[g->input[i]].n_dims == 4)
            return &g->tensor[g->input[i]];
    return NULL;
}

static const side_input *side_of(const fv_tensor *t) {
    bool pair = t->n_dims == 2 && t->dim[0] == 1 && (t->dim[1] == 2 || t->dim[1] == 1);
    for (size_t i = 0; pair && i < sizeof side_inputs / sizeof *side_inputs; i++)
        if (t->name && !strcmp(t->name, side_inputs[i].name))
            return &side_inputs[i];
    return NULL;
}

// One constant for each known side input; data in the arena.
static int make_constants(const fv_graph *g, fv_arena *arena, fv_tensor *constant) {
    const fv_tensor *picture = picture_of(g);
    int n = 0;
    for (int i = 0; picture && i < g->n_inputs && n < MAX_SIDE; i++) {
        const fv_tensor *t = &g->tensor[g->input[i]];
        const side_input *side = side_of(t);
        if (!side || (t->dtype != FV_F32 && t->dtype != FV_I64))
            continue;
        bool last = picture->dim[1] != 3 && picture->dim[3] == 3;
        const int64_t value[] = {1, picture->dim[last ? 2 : 3], picture->dim[last ? 1 : 2]};
        constant[n] = *t;
        constant[n].dim[1] = 2;
        constant[n].name = fv_arena_strdup(arena, t->name);
        constant[n].data = fv_arena_alloc(arena, 2 * sizeof(int64_t));
        for (int k = 0; k < 2; k++) {
            if (t->dtype == FV_I64)
                ((int64_t *)constant[n].data)[k] = value[side->of[k]];
            else
                ((float *)constant[n].data)[k] = (float)value[side->of[k]];
        }
        n++;
    }
    return n;
}

// With the side inputs as constants.
static fv_graph *load_again(fv_graph *g, const char *path, fv_graph_params params, fv_err *err) {
    fv_arena *arena = fv_arena_create();
    fv_tensor constant[MAX_SIDE];
    params.constant = constant;
    params.n_constants = make_constants(g, arena, constant);
    if (params.n_constants) {
        fv_graph_destroy(&g);
        g = fv_graph_load(path, &params, err);
    }
    fv_arena_destroy(&arena);
    return g;
}

fv_graph *fv_detect_load(const char *path, int width, int height, fv_err *err) {
    fv_graph_params params = {.width = width, .height = height, .default_size = width};
    fv_graph *g = fv_graph_load(path, &params, err);
    if (g && g->n_inputs > 1)
        g = load_again(g, path, params, err);
    if (g)
        fv_graph_take_bytes(g);
    return g;
}
