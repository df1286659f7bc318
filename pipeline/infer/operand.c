#include "pipeline/infer/plan.h"

#include <stdlib.h>
#include <string.h>

const fv_tensor *fv_plan_tensor(const fv_plan *p, int tensor) {
    return &p->graph->tensor[tensor];
}

float *fv_plan_weights(fv_plan *p, size_t n, int64_t *at) {
    size_t room = (n + 3) / 4 * 4;
    if (p->n_weights + room > p->weights_room) {
        p->weights_room = 2 * (p->n_weights + room);
        p->weights = realloc(p->weights, p->weights_room * sizeof *p->weights);
        if (!p->weights)
            abort();
    }
    *at = (int64_t)p->n_weights;
    p->n_weights += room;
    return memset(p->weights + *at, 0, room * sizeof *p->weights);
}

int fv_plan_add_root(fv_plan *p, int64_t floats) {
    if (p->n_roots == p->roots_room) {
        p->roots_room = 2 * p->roots_room + 64;
        p->root = realloc(p->root, (size_t)p->roots_room * sizeof *p->root);
        if (!p->root)
            abort();
    }
    p->root[p->n_roots] = (fv_root){.bytes = ((size_t)floats * p->element + 63) / 64 * 64, .first = -1, .last = -1};
    return p->n_roots++;
}

void fv_plan_add_view(fv_plan *p, int tensor, const fv_view *view) {
    fv_place *place = &p->place[tensor];
    if (place->n_views < FV_PLACE_MAX_VIEWS)
        place->view[place->n_views++] = *view;
    else // the newest is what the caller is about to use
        place->view[FV_PLACE_MAX_VIEWS - 1] = *view;
}

// A constant goes into the weight block when it is first asked for, row-major.
static void bring_constant(fv_plan *p, int tensor) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    size_t n = (size_t)fv_tensor_count(t);
    int64_t at;
    memcpy(fv_plan_weights(p, n, &at), t->data, n * sizeof(float));
    fv_view view = fv_view_dense(FV_SPACE_WEIGHTS, 0, at, t->n_dims, t->dim);
    fv_plan_add_view(p, tensor, &view);
}

const fv_view *fv_plan_any(fv_plan *p, int tensor) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    if (!p->place[tensor].n_views && t->data && t->dtype == FV_F32)
        bring_constant(p, tensor);
    if (p->place[tensor].n_views)
        return &p->place[tensor].view[0];
    fv_plan_fail(p, FV_GPU, "tensor '%s' is not on the device", t->name ? t->name : "");
    return NULL;
}

bool fv_plan_has_pixels(const fv_plan *p, int tensor, fv_pixel_view *v) {
    for (int i = 0; i < p->place[tensor].n_views; i++)
        if (p->place[tensor].view[i].space == FV_SPACE_ACTIVATIONS && fv_view_as_pixels(&p->place[tensor].view[i], v))
            return true;
    return false;
}

const fv_view *fv_plan_pixels(fv_plan *p, int tensor) {
    fv_pixel_view v;
    const fv_view *any = fv_plan_any(p, tensor);
    if (!any)
        return NULL;
    fv_place *place = &p->place[tensor];
    for (int i = 0; i < place->n_views; i++)
        if (place->view[i].space == FV_SPACE_ACTIVATIONS && fv_view_as_pixels(&place->view[i], &v))
            return &place->view[i];
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    fv_view made = fv_plan_scratch(p, t->n_dims, t->dim, true);
    fv_plan_copy(p, NULL, any, &made, "to pixels");
    fv_plan_add_view(p, tensor, &made);
    return &place->view[place->n_views - 1];
}

const fv_view *fv_plan_dense(fv_plan *p, int tensor) {
    const fv_view *any = fv_plan_any(p, tensor);
    if (!any)
        return NULL;
    fv_place *place = &p->place[tensor];
    for (int i = 0; i < place->n_views; i++)
        if (place->view[i].space == FV_SPACE_ACTIVATIONS && fv_view_is_dense(&place->view[i]))
            return &place->view[i];
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    fv_view made = fv_plan_scratch(p, t->n_dims, t->dim, false);
    fv_plan_copy(p, NULL, any, &made, "to dense");
    fv_plan_add_view(p, tensor, &made);
    return &place->view[place->n_views - 1];
}

fv_view fv_plan_scratch(fv_plan *p, int n_dims, const int64_t *dim, bool pixels) {
    int64_t count = 1;
    for (int d = 0; d < n_dims; d++)
        count *= dim[d];
    int root = fv_plan_add_root(p, pixels ? fv_pixels_floats(n_dims, dim) : count);
    return pixels ? fv_view_pixels(FV_SPACE_ACTIVATIONS, root, 0, n_dims, dim)
                  : fv_view_dense(FV_SPACE_ACTIVATIONS, root, 0, n_dims, dim);
}

static fv_view make(fv_plan *p, int tensor, bool pixels) {
    const fv_tensor *t = fv_plan_tensor(p, tensor);
    const fv_place *place = &p->place[tensor];
    fv_pixel_view v;
    bool home = place->has_home && (pixels ? fv_view_as_pixels(&place->home, &v) : fv_view_is_dense(&place->home));
    fv_view view = home ? place->home : fv_plan_scratch(p, t->n_dims, t->dim, pixels);
    fv_plan_add_view(p, tensor, &view);
    return view;
}

fv_view fv_plan_make_pixels(fv_plan *p, int tensor) {
    return make(p, tensor, true);
}

fv_view fv_plan_make_dense(fv_plan *p, int tensor) {
    return make(p, tensor, false);
}
