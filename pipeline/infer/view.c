#include "pipeline/infer/view.h"

#include <string.h>

static int64_t round4(int64_t n) {
    return (n + 3) / 4 * 4;
}

fv_view fv_view_dense(fv_space space, int root, int64_t at, int n_dims, const int64_t *dim) {
    fv_view v = {.space = space, .root = root, .at = at, .n_dims = n_dims};
    int64_t stride = 1;
    for (int d = n_dims - 1; d >= 0; d--) {
        v.dim[d] = dim[d];
        v.stride[d] = stride;
        stride *= dim[d];
    }
    return v;
}

fv_view fv_view_pixels(fv_space space, int root, int64_t at, int n_dims, const int64_t *dim) {
    fv_view v = {.space = space, .root = root, .at = at, .n_dims = n_dims, .padded = true};
    int64_t stride = round4(n_dims > 1 ? dim[1] : 1);
    for (int d = n_dims - 1; d >= 0; d--) {
        v.dim[d] = dim[d];
        v.stride[d] = d == 1 ? 1 : stride;
        stride *= d == 1 ? 1 : dim[d];
    }
    return v;
}

int64_t fv_view_count(const fv_view *v) {
    int64_t n = 1;
    for (int d = 0; d < v->n_dims; d++)
        n *= v->dim[d];
    return n;
}

int64_t fv_pixels_floats(int n_dims, const int64_t *dim) {
    int64_t n = 1;
    for (int d = 0; d < n_dims; d++)
        n *= d == 1 ? round4(dim[d]) : dim[d];
    return n_dims > 1 ? n : n * 4;
}

// The runs of old dimensions and of new ones that hold the same elements are found from the left;
// within a run the old ones must be contiguous with each other.
bool fv_view_reshape(const fv_view *v, int n_dims, const int64_t *dim, fv_view *out) {
    fv_view r = {.space = v->space, .root = v->root, .at = v->at, .n_dims = n_dims};
    memcpy(r.dim, dim, (size_t)n_dims * sizeof *dim);
    int64_t old_dim[FV_MAX_DIMS], old_stride[FV_MAX_DIMS];
    int n_old = 0, i = 0, k = 0;
    for (int d = 0; d < v->n_dims; d++)
        if (v->dim[d] != 1)
            old_dim[n_old] = v->dim[d], old_stride[n_old++] = v->stride[d];
    while (i < n_old && k < n_dims) {
        int i_end = i + 1, k_end = k + 1;
        int64_t old_size = old_dim[i], new_size = dim[k];
        while (old_size != new_size) {
            if (old_size < new_size) {
                if (i_end == n_old)
                    return false;
                old_size *= old_dim[i_end++];
            } else {
                if (k_end == n_dims)
                    return false;
                new_size *= dim[k_end++];
            }
        }
        for (int d = i; d + 1 < i_end; d++)
            if (old_stride[d] != old_dim[d + 1] * old_stride[d + 1])
                return false;
        r.stride[k_end - 1] = old_stride[i_end - 1];
        for (int d = k_end - 1; d > k; d--)
            r.stride[d - 1] = r.stride[d] * dim[d];
        i = i_end, k = k_end;
    }
    for (int64_t last = k ? r.stride[k - 1] : 1; k < n_dims; k++)
        r.stride[k] = last; // sizes of 1 at the end
    r.padded = v->padded && v->n_dims > 1 && n_dims > 1 && dim[1] == v->dim[1] &&
               (r.stride[1] == v->stride[1] || dim[1] == 1) && dim[0] == v->dim[0];
    *out = r;
    return true;
}

fv_view fv_view_transpose(const fv_view *v, const int *perm) {
    fv_view r = *v;
    for (int d = 0; d < v->n_dims; d++) {
        r.dim[d] = v->dim[perm[d]];
        r.stride[d] = v->stride[perm[d]];
    }
    r.padded = v->padded && v->n_dims > 1 && perm[1] == 1;
    return r;
}

fv_view fv_view_slice(const fv_view *v, int axis, int64_t start, int64_t step, int64_t n) {
    fv_view r = *v;
    r.at += start * v->stride[axis];
    r.stride[axis] *= step;
    r.dim[axis] = n;
    r.padded = v->padded && (axis != 1 || (step == 1 && start + n == v->dim[1]));
    return r;
}

fv_view fv_view_broadcast(const fv_view *v, int n_dims, const int64_t *dim) {
    fv_view r = {.space = v->space, .root = v->root, .at = v->at, .n_dims = n_dims};
    for (int d = 0; d < n_dims; d++) {
        int old = d - (n_dims - v->n_dims);
        r.dim[d] = dim[d];
        r.stride[d] = old >= 0 && v->dim[old] != 1 ? v->stride[old] : 0;
    }
    return r;
}

bool fv_view_same(const fv_view *a, const fv_view *b) {
    if (a->space != b->space || a->root != b->root || a->at != b->at || a->n_dims != b->n_dims)
        return false;
    for (int d = 0; d < a->n_dims; d++)
        if (a->dim[d] != b->dim[d] || (a->dim[d] != 1 && a->stride[d] != b->stride[d]))
            return false;
    return true;
}

bool fv_view_is_dense(const fv_view *v) {
    int64_t stride = 1;
    for (int d = v->n_dims - 1; d >= 0; d--) {
        if (v->dim[d] != 1 && v->stride[d] != stride)
            return false;
        stride *= v->dim[d];
    }
    return true;
}

bool fv_view_as_pixels(const fv_view *v, fv_pixel_view *p) {
    if (v->n_dims < 2 || v->at % 4)
        return false;
    int64_t c = v->dim[1], pitch = 0, next = 0;
    if ((c > 1 && v->stride[1] != 1) || (c % 4 && !v->padded))
        return false;
    for (int d = v->n_dims - 1; d >= 0; d--) {
        if (d == 1 || v->dim[d] == 1)
            continue;
        if (v->stride[d] <= 0 || (pitch && v->stride[d] != next))
            return false;
        pitch = pitch ? pitch : v->stride[d];
        next = v->stride[d] * v->dim[d];
    }
    pitch = pitch ? pitch : round4(c);
    if (pitch % 4 || pitch < round4(c))
        return false;
    *p = (fv_pixel_view){.space = v->space, .root = v->root, .at4 = v->at / 4, .pitch4 = pitch / 4,
                         .n = v->dim[0], .c = c, .h = v->n_dims > 3 ? v->dim[2] : 1, .w = 1, .c4 = round4(c) / 4};
    for (int d = v->n_dims > 3 ? 3 : 2; d < v->n_dims; d++)
        p->w *= v->dim[d];
    p->n_pixels = p->n * p->h * p->w;
    return true;
}

bool fv_view_in_eights(const fv_pixel_view *p) {
    return p->at4 % 2 == 0 && p->pitch4 % 2 == 0 && p->c % 8 == 0;
}

void fv_view_extent(const fv_view *v, int64_t *lo, int64_t *hi) {
    *lo = *hi = v->at;
    for (int d = 0; d < v->n_dims; d++) {
        int64_t reach = (v->dim[d] - 1) * v->stride[d];
        *(reach < 0 ? lo : hi) += reach;
    }
    *hi += v->padded ? round4(v->dim[1]) - v->dim[1] + 1 : 1;
}

int fv_views_collapse(const fv_view *const *views, int n, int *keep, int64_t dim[FV_MAX_DIMS],
                      int64_t (*stride)[FV_MAX_DIMS]) {
    int n_dims = 0, kept = keep ? *keep : -1, last = -1;
    for (int d = 0; d < views[0]->n_dims; d++) {
        if (views[0]->dim[d] == 1 && d != kept)
            continue;
        bool joins = n_dims > 0 && d != kept && last != kept;
        for (int i = 0; i < n && joins; i++)
            joins = stride[i][n_dims - 1] == views[i]->stride[d] * views[i]->dim[d];
        n_dims += !joins;
        dim[n_dims - 1] = joins ? dim[n_dims - 1] * views[0]->dim[d] : views[0]->dim[d];
        for (int i = 0; i < n; i++)
            stride[i][n_dims - 1] = views[i]->stride[d];
        if (d == kept)
            *keep = n_dims - 1;
        last = d;
    }
    if (n_dims)
        return n_dims;
    dim[0] = 1;
    for (int i = 0; i < n; i++)
        stride[i][0] = 0;
    return 1;
}
