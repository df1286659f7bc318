// Where the elements of a tensor lie: strided views over blocks, and their algebra. Plain data.
//
// Layouts are mere stride patterns. Two of them have names:
//   dense   row-major without gaps, the last dimension innermost;
//   pixels  dimension 1 (channels) innermost, in groups of four, all other dimensions one after the
//           other as "pixels" a fixed pitch apart. Channels beyond the last, up to a multiple of 4,
//           are there and hold zero. This is what convolutions read and write as vec4.
// A view may lie inside another's pixels (a slice of channels, a part of a concatenation).
#pragma once

#include "pipeline/base/value.h"

// The numbers are those of shaders/lib/bind.glsl.
typedef enum { FV_SPACE_ACTIVATIONS, FV_SPACE_WEIGHTS, FV_SPACE_UPLOAD, FV_SPACE_READBACK } fv_space;

typedef struct {
    fv_space space;
    int root;      // activations: index of the run of memory; else 0
    int64_t at;    // of element 0, in floats from the start of the root (or of the block)
    int n_dims;
    int64_t dim[FV_MAX_DIMS], stride[FV_MAX_DIMS]; // in floats; 0 repeats, negative goes backwards
    bool padded;   // after channel dim[1]-1 come zeros up to a multiple of 4
} fv_view;

fv_view fv_view_dense(fv_space space, int root, int64_t at, int n_dims, const int64_t *dim);
fv_view fv_view_pixels(fv_space space, int root, int64_t at, int n_dims, const int64_t *dim);
int64_t fv_view_count(const fv_view *v);        // elements
int64_t fv_pixels_floats(int n_dims, const int64_t *dim); // that the pixels layout of a shape takes

// The same elements in the same row-major order under another shape; false when strides cannot say it.
bool fv_view_reshape(const fv_view *v, int n_dims, const int64_t *dim, fv_view *out);
fv_view fv_view_transpose(const fv_view *v, const int *perm); // dimension i of the result is perm[i]
// Index o along `axis` is index start + o * step of the view.
fv_view fv_view_slice(const fv_view *v, int axis, int64_t start, int64_t step, int64_t n);
// Repeated to a larger shape by NumPy's rules; it must fit.
fv_view fv_view_broadcast(const fv_view *v, int n_dims, const int64_t *dim);

bool fv_view_same(const fv_view *a, const fv_view *b);  // the same elements in the same places
bool fv_view_is_dense(const fv_view *v);

// A view that has the pixels layout, in the units of the kernels.
typedef struct {
    fv_space space;
    int root;
    int64_t at4;                     // vec4 of pixel 0, from the start of the root
    int64_t pitch4;                  // vec4 from pixel to pixel
    int64_t n, c, h, w;              // images, channels, and rows x columns of pixels (1 where there are none)
    int64_t c4;                      // vec4 that hold channels
    int64_t n_pixels;                // n * h * w
} fv_pixel_view;
// False when the view does not have that layout. A tensor of rank 2 has 1 x 1 pixels, of rank 3 rows
// of height 1; beyond rank 4 the last dimensions count as columns.
bool fv_view_as_pixels(const fv_view *v, fv_pixel_view *p);
// Place, pitch and channels are multiples of eight floats.
bool fv_view_in_eights(const fv_pixel_view *p);

// The floats that the view touches, padding included: [*lo, *hi) from the start of its root.
void fv_view_extent(const fv_view *v, int64_t *lo, int64_t *hi);

// Drops dimensions of size 1 and joins neighbours that are one run in every one of the n views (all
// of the same shape). Returns how many dimensions are left (at least 1); the shape goes to dim and
// stride[i] is that of views[i]. Dimension *keep (>= 0) stays on its own; its new number goes there.
int fv_views_collapse(const fv_view *const *views, int n, int *keep, int64_t dim[FV_MAX_DIMS],
                      int64_t (*stride)[FV_MAX_DIMS]);
