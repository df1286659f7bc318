#include "pipeline/infer/view.h"
#include "tests/test.h"

static int64_t place(const fv_view *v, const int64_t *index) {
    int64_t at = v->at;
    for (int d = 0; d < v->n_dims; d++)
        at += index[d] * v->stride[d];
    return at;
}

// Walks both in row-major order and compares where the elements lie.
static bool same_order(const fv_view *a, const fv_view *b) {
    int64_t n = fv_view_count(a);
    for (int64_t i = 0; i < n; i++) {
        int64_t ia[FV_MAX_DIMS], ib[FV_MAX_DIMS], ra = i, rb = i;
        for (int d = a->n_dims - 1; d >= 0; d--)
            ia[d] = ra % a->dim[d], ra /= a->dim[d];
        for (int d = b->n_dims - 1; d >= 0; d--)
            ib[d] = rb % b->dim[d], rb /= b->dim[d];
        if (place(a, ia) != place(b, ib))
            return false;
    }
    return n == fv_view_count(b);
}

static void pixels_are_recognised(void) {
    fv_pixel_view p;
    fv_view v = fv_view_pixels(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 6, 3, 5});
    CHECK(fv_view_as_pixels(&v, &p));
    CHECK_EQUAL(p.pitch4, 2);
    CHECK_EQUAL(p.c4, 2);
    CHECK_EQUAL(p.n_pixels, 15);
    v = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 6, 3, 5});
    CHECK(!fv_view_as_pixels(&v, &p));
    v = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 8, 1, 1});
    CHECK(fv_view_as_pixels(&v, &p));
    v = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 7, 1, 1}); // no zero behind
    CHECK(!fv_view_as_pixels(&v, &p));
}

static void slices_of_channels_stay_pixels(void) {
    fv_pixel_view p;
    fv_view v = fv_view_pixels(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 10, 3, 5});
    fv_view s = fv_view_slice(&v, 1, 4, 1, 4);
    CHECK(fv_view_as_pixels(&s, &p));
    CHECK_EQUAL(p.at4, 1);
    CHECK_EQUAL(p.pitch4, 3);
    CHECK_EQUAL(p.c4, 1);
    s = fv_view_slice(&v, 1, 4, 1, 6); // ends where the zeros begin
    CHECK(fv_view_as_pixels(&s, &p));
    s = fv_view_slice(&v, 1, 4, 1, 5); // channel 9 would stand where a zero must
    CHECK(!fv_view_as_pixels(&s, &p));
    s = fv_view_slice(&v, 1, 2, 1, 4);
    CHECK(!fv_view_as_pixels(&s, &p));
}

static void reshapes_keep_the_order(void) {
    fv_view v = fv_view_pixels(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 8, 3, 4}), r, s;
    fv_pixel_view p;
    CHECK(fv_view_reshape(&v, 3, (int64_t[]){1, 8, 12}, &r) && same_order(&v, &r));
    CHECK(fv_view_as_pixels(&r, &p) && p.n_pixels == 12);
    CHECK(fv_view_reshape(&v, 5, (int64_t[]){1, 2, 4, 3, 4}, &r) && same_order(&v, &r));
    s = fv_view_transpose(&r, (int[]){0, 2, 1, 3, 4}); // the shuffle of channels
    CHECK(!fv_view_reshape(&s, 4, (int64_t[]){1, 8, 3, 4}, &r));
    CHECK(!fv_view_reshape(&v, 2, (int64_t[]){1, 96}, &r)); // channels are innermost
    v = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 7, 3, (int64_t[]){2, 6, 5});
    CHECK(fv_view_reshape(&v, 4, (int64_t[]){4, 3, 1, 5}, &r) && same_order(&v, &r) && fv_view_is_dense(&r));
    CHECK(fv_view_reshape(&v, 5, (int64_t[]){2, 6, 5, 1, 1}, &r) && same_order(&v, &r));
}

static void broadcasts_repeat(void) {
    fv_view v = fv_view_dense(FV_SPACE_WEIGHTS, 0, 3, 2, (int64_t[]){4, 1});
    fv_view r = fv_view_broadcast(&v, 3, (int64_t[]){2, 4, 5});
    CHECK_EQUAL(place(&r, (int64_t[]){1, 2, 4}), 5);
}

static void extents_reach_both_ways(void) {
    int64_t lo, hi;
    fv_view v = fv_view_pixels(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 6, 3, 5});
    fv_view_extent(&v, &lo, &hi);
    CHECK_EQUAL(lo, 0);
    CHECK_EQUAL(hi, 120);
    v = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 0, 1, (int64_t[]){10});
    v = fv_view_slice(&v, 0, 9, -3, 3);
    fv_view_extent(&v, &lo, &hi);
    CHECK_EQUAL(lo, 3);
    CHECK_EQUAL(hi, 10);
}

static void runs_are_joined(void) {
    fv_view a = fv_view_pixels(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 8, 3, 5});
    fv_view b = fv_view_dense(FV_SPACE_ACTIVATIONS, 0, 0, 4, (int64_t[]){1, 8, 3, 5});
    int64_t dim[FV_MAX_DIMS], stride[2][FV_MAX_DIMS];
    CHECK_EQUAL(fv_views_collapse((const fv_view *[]){&a, &b}, 2, NULL, dim, stride), 2);
    CHECK_EQUAL(dim[0], 8);
    CHECK_EQUAL(dim[1], 15);
    CHECK_EQUAL(stride[0][1], 8);
    CHECK_EQUAL(stride[1][0], 15);
    CHECK_EQUAL(fv_views_collapse((const fv_view *[]){&b, &b}, 2, NULL, dim, stride), 1);
    CHECK_EQUAL(dim[0], 120);
}

const fv_suite view_suite = {"view", (const fv_case[]){
    CASE(pixels_are_recognised), CASE(slices_of_channels_stay_pixels), CASE(reshapes_keep_the_order),
    CASE(broadcasts_repeat), CASE(extents_reach_both_ways), CASE(runs_are_joined), {0}}};
