#include "pipeline/vision/kalman.h"

#include <math.h>

// Standard deviations in units of L, L^2 and r; see the header.
static const double measured_place = 0.05, measured_area = 0.1, measured_ratio = 0.1;
static const double wander_place = 0.05 * 0.05 * 30, wander_area = 0.1 * 0.1 * 3,
                    wander_ratio = 0.1 * 0.1 * 3;
static const double wander_speed = 0.2 * 0.2 * 30, wander_growth = 0.1 * 0.1 * 30;
static const double born_speed = 2, born_growth = 1;

static double square(double x) {
    return x * x;
}

void fv_kalman_init(fv_kalman *k, double x, double var_x, double var_v) {
    *k = (fv_kalman){.x = x, .pxx = var_x, .pvv = var_v};
}

void fv_kalman_predict(fv_kalman *k, double dt_s, double q_x, double q_v) {
    k->x += k->v * dt_s;
    k->pxx += dt_s * (2 * k->pxv + dt_s * k->pvv) + q_x * dt_s;
    k->pxv += dt_s * k->pvv;
    k->pvv += q_v * dt_s;
}

void fv_kalman_update(fv_kalman *k, double z, double var_z) {
    double gain_x = k->pxx / (k->pxx + var_z), gain_v = k->pxv / (k->pxx + var_z), miss = z - k->x;
    k->x += gain_x * miss;
    k->v += gain_v * miss;
    k->pvv -= gain_v * k->pxv;
    k->pxv -= gain_v * k->pxx;
    k->pxx -= gain_x * k->pxx;
}

static void measure(fv_box box, double *u, double *v, double *s, double *r) {
    double w = fmax(box.w, 1), h = fmax(box.h, 1);
    *u = box.x + w / 2;
    *v = box.y + h / 2;
    *s = w * h;
    *r = w / h;
}

void fv_motion_init(fv_motion *m, fv_box box) {
    double u, v, s, r;
    measure(box, &u, &v, &s, &r);
    fv_kalman_init(&m->u, u, square(measured_place) * s, square(born_speed) * s);
    fv_kalman_init(&m->v, v, square(measured_place) * s, square(born_speed) * s);
    fv_kalman_init(&m->s, s, square(measured_area * s), square(born_growth * s));
    fv_kalman_init(&m->r, r, square(measured_ratio * r), 0);
}

void fv_motion_predict(fv_motion *m, double dt_s) {
    double s = m->s.x, r = m->r.x;
    if (s + m->s.v * dt_s < 1)
        m->s.v = 0;
    fv_kalman_predict(&m->u, dt_s, wander_place * s, wander_speed * s);
    fv_kalman_predict(&m->v, dt_s, wander_place * s, wander_speed * s);
    fv_kalman_predict(&m->s, dt_s, wander_area * square(s), wander_growth * square(s));
    fv_kalman_predict(&m->r, dt_s, wander_ratio * square(r), 0);
}

void fv_motion_update(fv_motion *m, fv_box measured, double blur) {
    double u, v, s, r;
    measure(measured, &u, &v, &s, &r);
    fv_kalman_update(&m->u, u, square(measured_place * blur) * s);
    fv_kalman_update(&m->v, v, square(measured_place * blur) * s);
    fv_kalman_update(&m->s, s, square(measured_area * blur * s));
    fv_kalman_update(&m->r, r, square(measured_ratio * blur * r));
    m->s.x = fmax(m->s.x, 1);
    m->r.x = fmax(m->r.x, 1e-3);
}

static void scale(fv_kalman *k, double by) {
    *k = (fv_kalman){k->x * by, k->v * by, k->pxx * by * by, k->pxv * by * by, k->pvv * by * by};
}

void fv_motion_scale(fv_motion *m, double x, double y) {
    scale(&m->u, x);
    scale(&m->v, y);
    scale(&m->s, x * y);
    scale(&m->r, x / y);
}

fv_box fv_motion_box(const fv_motion *m) {
    double w = sqrt(m->s.x * m->r.x), h = m->s.x / w;
    return (fv_box){(float)(m->u.x - w / 2), (float)(m->v.x - h / 2), (float)w, (float)h};
}
