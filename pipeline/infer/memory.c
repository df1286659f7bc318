#include "pipeline/infer/plan.h"

#include <stdlib.h>

// Largest first, each at the lowest place where it overlaps no root that lives at the same time.
static int by_size(const void *a, const void *b) {
    const fv_root *const *x = a, *const *y = b;
    if ((*x)->bytes != (*y)->bytes)
        return (*x)->bytes < (*y)->bytes ? 1 : -1;
    return (*x)->first != (*y)->first ? ((*x)->first < (*y)->first ? -1 : 1) : (*x < *y ? -1 : *x > *y);
}

static bool live_together(const fv_root *a, const fv_root *b) {
    return a->first <= b->last && b->first <= a->last;
}

static size_t lowest_place(fv_root *const *placed, int n, const fv_root *r) {
    size_t at = 0;
    for (bool moved = true; moved;) {
        moved = false;
        for (int i = 0; i < n; i++) {
            const fv_root *o = placed[i];
            if (live_together(o, r) && o->offset < at + r->bytes && at < o->offset + o->bytes) {
                at = o->offset + o->bytes;
                moved = true;
            }
        }
    }
    return at;
}

size_t fv_roots_place(fv_root *roots, int n) {
    fv_root **order = malloc(((size_t)n + 1) * sizeof *order);
    if (!order)
        abort();
    int n_used = 0;
    for (int i = 0; i < n; i++)
        if (roots[i].first >= 0)
            order[n_used++] = &roots[i];
    qsort(order, (size_t)n_used, sizeof *order, by_size);
    size_t total = 0;
    for (int i = 0; i < n_used; i++) {
        order[i]->offset = lowest_place(order, i, order[i]);
        size_t end = order[i]->offset + order[i]->bytes;
        total = end > total ? end : total;
    }
    free(order);
    return total;
}

// A root lives from the first step that touches it to the last; host steps touch what their node names.
bool fv_plan_place_roots(fv_plan *p, fv_err *err) {
    for (int i = 0; i < p->n_steps; i++) {
        for (int t = 0; t < p->step[i].n_touches; t++) {
            if (p->step[i].touch[t].space != FV_SPACE_ACTIVATIONS)
                continue;
            fv_root *r = &p->root[p->step[i].touch[t].root];
            r->first = r->first < 0 ? i : r->first;
            r->last = i;
        }
    }
    for (int i = 0; i < p->n_roots; i++) {
        if (p->root[i].kept)
            p->root[i].last = p->n_steps;
        if (i == p->frame_root || p->root[i].brought) {
            p->root[i].first = 0;
            p->root[i].last = p->root[i].last < 0 ? 0 : p->root[i].last;
        }
        if (p->root[i].kept && p->root[i].first < 0)
            p->root[i].first = p->n_steps; // the host alone writes it, at the end
    }
    p->activation_bytes = fv_roots_place(p->root, p->n_roots);
    if (p->activation_bytes > (size_t)4 * UINT32_MAX)
        return fv_fail(err, FV_UNSUPPORTED, "the model needs %zu MiB of activations; use a smaller input size",
                       p->activation_bytes >> 20);
    return true;
}
