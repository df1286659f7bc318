#include "pipeline/vision/kalman.h"

#include "tests/test.h"

// The 2-state filter written out with matrices, as textbooks do: the slow twin.
typedef struct {
    double x[2], p[2][2];
} matrix_filter;

static void matrix_predict(matrix_filter *k, double dt, double qx, double qv) {
    const double f[2][2] = {{1, dt}, {0, 1}}, q[2][2] = {{qx * dt, 0}, {0, qv * dt}};
    double fp[2][2] = {{0}}, p[2][2] = {{0}},
           x[2] = {f[0][0] * k->x[0] + f[0][1] * k->x[1], k->x[1]};
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++)
            for (int m = 0; m < 2; m++)
                fp[i][j] += f[i][m] * k->p[m][j];
    for (int i = 0; i < 2; i++)
        for (int j = 0; j < 2; j++) {
            for (int m = 0; m < 2; m++)
                p[i][j] += fp[i][m] * f[j][m];
            k->p[i][j] = p[i][j] + q[i][j];
        }
    memcpy(k->x, x, sizeof x);
}

static void matrix_update(matrix_filter *k, double z, double r) {
    double s = k->p[0][0] + r, gain[2] = {k->p[0][0] / s, k->p[1][0] / s}, miss = z - k->x[0],
           old[2] = {k->p[0][0], k->p[0][1]};
    for (int i = 0; i < 2; i++) {
        k->x[i] += gain[i] * miss;
        for (int j = 0; j < 2; j++)
            k->p[i][j] -= gain[i] * old[j];
    }
}

static void channel_equals_the_matrix_form(void) {
    fv_kalman k;
    matrix_filter m = {{5, 0}, {{2, 0}, {0, 9}}};
    fv_kalman_init(&k, 5, 2, 9);
    const double z[] = {5.5, 6.2, 7.9, 7.0, 9.1, 12}, dt[] = {0.04, 0.04, 0.12, 0.01, 0.5, 1};
    for (int i = 0; i < 6; i++) {
        fv_kalman_predict(&k, dt[i], 0.3, 0.7);
        matrix_predict(&m, dt[i], 0.3, 0.7);
        if (i != 3) {
            fv_kalman_update(&k, z[i], 0.5);
            matrix_update(&m, z[i], 0.5);
        }
        CHECK_NEAR(k.x, m.x[0], 1e-12);
        CHECK_NEAR(k.v, m.x[1], 1e-12);
        CHECK_NEAR(k.pxv, m.p[0][1], 1e-12);
        CHECK_NEAR(k.pvv, m.p[1][1], 1e-12);
    }
}

static void box_comes_back(void) {
    fv_motion m;
    fv_motion_init(&m, (fv_box){10, 20, 30, 60});
    fv_box b = fv_motion_box(&m);
    CHECK_NEAR(b.x, 10, 1e-4);
    CHECK_NEAR(b.y, 20, 1e-4);
    CHECK_NEAR(b.w, 30, 1e-4);
    CHECK_NEAR(b.h, 60, 1e-4);
}

static float follow(double fps) { // 120 px/s to the right for 2 s, then unseen for half a second
    fv_motion m;
    fv_motion_init(&m, (fv_box){0, 0, 40, 80});
    for (int i = 1; i <= 2 * fps; i++) {
        fv_motion_predict(&m, 1 / fps);
        fv_motion_update(&m, (fv_box){(float)(120 * i / fps), 0, 40, 80}, 1);
    }
    fv_motion_predict(&m, 0.5);
    return fv_motion_box(&m).x;
}

static void constant_speed_is_learned_at_any_rate(void) {
    CHECK_NEAR(follow(5), 300, 6);
    CHECK_NEAR(follow(25), 300, 3);
    CHECK_NEAR(follow(60), 300, 3);
}

// Ten times as uncertain: with a hundredth of the weight beside what is known already.
static void blurred_ones_weigh_less(void) {
    double moved[2];
    for (int i = 0; i < 2; i++) {
        fv_motion m;
        fv_motion_init(&m, (fv_box){0, 0, 40, 40});
        fv_motion_update(&m, (fv_box){10, 0, 40, 40}, i ? 10 : 1);
        moved[i] = (double)fv_motion_box(&m).x;
    }
    CHECK_NEAR(moved[0], 10.0 / 2, 1e-4);
    CHECK_NEAR(moved[1], 10.0 / 101, 1e-4);
}

static void area_never_vanishes(void) {
    fv_motion m;
    fv_motion_init(&m, (fv_box){0, 0, 100, 100});
    for (int i = 1; i < 10; i++) {
        fv_motion_predict(&m, 0.04);
        fv_motion_update(&m, (fv_box){0, 0, 100 - 10 * (float)i, 100 - 10 * (float)i}, 1);
    }
    for (int i = 0; i < 50; i++)
        fv_motion_predict(&m, 0.1);
    fv_box b = fv_motion_box(&m);
    CHECK(isfinite(b.w) && b.w > 0 && b.h > 0 && b.w * b.h >= 0.99f);
    fv_motion_init(&m, (fv_box){0, 0, 0, -5});
    CHECK_NEAR(fv_motion_box(&m).w, 1, 1e-6);
}

const fv_suite kalman_suite = {"kalman",
                               (const fv_case[]){CASE(channel_equals_the_matrix_form),
                                                 CASE(box_comes_back),
                                                 CASE(constant_speed_is_learned_at_any_rate),
                                                 CASE(blurred_ones_weigh_less),
                                                 CASE(area_never_vanishes),
                                                 {0}}};
