#include "pipeline/vision/geometry.h"

#include <math.h>
#include <string.h>

static const double anchor_height[FV_N_ANCHORS] = {
    [FV_ANCHOR_BOTTOM] = 1, [FV_ANCHOR_CENTER] = 0.5, [FV_ANCHOR_TOP] = 0};

fv_point fv_geometry_anchor(fv_box box, fv_anchor anchor) {
    return (fv_point){(double)box.x + (double)box.w / 2 + 1.2345e-5,
                      (double)box.y + (double)box.h * anchor_height[anchor] + 0.9871e-5};
}

// > 0: p is right of the way from a to b.
static double side(fv_point a, fv_point b, fv_point p) {
    return (b.x - a.x) * (p.y - a.y) - (b.y - a.y) * (p.x - a.x);
}

int fv_geometry_crossings(const fv_point *line, int n, fv_point from, fv_point to) {
    int net = 0;
    for (int i = 0; i + 1 < n; i++) {
        bool from_left = side(line[i], line[i + 1], from) < 0,
             to_left = side(line[i], line[i + 1], to) < 0;
        if (from_left != to_left &&
            (side(from, to, line[i]) < 0) != (side(from, to, line[i + 1]) < 0))
            net += from_left ? 1 : -1;
    }
    return net;
}

bool fv_geometry_inside(const fv_point *v, int n, fv_point p) {
    bool inside = false;
    for (int i = 0, j = n - 1; i < n; j = i++)
        if ((v[i].y > p.y) != (v[j].y > p.y) &&
            p.x < (v[j].x - v[i].x) * (p.y - v[i].y) / (v[j].y - v[i].y) + v[i].x)
            inside = !inside;
    return inside;
}

static double distance_to_segment(fv_point a, fv_point b, fv_point p) {
    double dx = b.x - a.x, dy = b.y - a.y, length = dx * dx + dy * dy;
    double t = length > 0 ? ((p.x - a.x) * dx + (p.y - a.y) * dy) / length : 0;
    t = fmin(1, fmax(0, t));
    double x = a.x + t * dx - p.x, y = a.y + t * dy - p.y;
    return sqrt(x * x + y * y);
}

double fv_geometry_distance(const fv_point *line, int n, bool closed, fv_point p) {
    double least = INFINITY;
    for (int i = 0; i + 1 < n; i++)
        least = fmin(least, distance_to_segment(line[i], line[i + 1], p));
    return closed && n > 2 ? fmin(least, distance_to_segment(line[n - 1], line[0], p)) : least;
}

double fv_geometry_breadth(const fv_point *v, int n) {
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (int i = 0; i < n; i++) {
        x0 = fmin(x0, v[i].x), x1 = fmax(x1, v[i].x);
        y0 = fmin(y0, v[i].y), y1 = fmax(y1, v[i].y);
    }
    return fmin(x1 - x0, y1 - y0) / 2;
}

// Eight linear equations by elimination with pivots.
static bool solve(double a[8][9]) {
    for (int c = 0; c < 8; c++) {
        int pivot = c;
        for (int r = c + 1; r < 8; r++)
            if (fabs(a[r][c]) > fabs(a[pivot][c]))
                pivot = r;
        if (fabs(a[pivot][c]) < 1e-9)
            return false;
        double swap[9];
        memcpy(swap, a[c], sizeof swap);
        memcpy(a[c], a[pivot], sizeof swap);
        memcpy(a[pivot], swap, sizeof swap);
        for (int r = 0; r < 8; r++) {
            double f = r == c ? 0 : a[r][c] / a[c][c];
            for (int k = c; k < 9; k++)
                a[r][k] -= f * a[c][k];
        }
    }
    return true;
}

static bool on_a_line(const fv_point p[4]) {
    static const int three[4][3] = {{0, 1, 2}, {0, 1, 3}, {0, 2, 3}, {1, 2, 3}};
    double breadth = fmax(fv_geometry_breadth(p, 4), 1e-12);
    for (int i = 0; i < 4; i++)
        if (fabs(side(p[three[i][0]], p[three[i][1]], p[three[i][2]])) < 1e-6 * breadth * breadth)
            return true;
    return false;
}

bool fv_geometry_ground(const fv_point picture[4], const fv_point ground[4], double h[9]) {
    double a[8][9];
    if (on_a_line(picture) || on_a_line(ground))
        return false;
    for (int i = 0; i < 4; i++) {
        double x = picture[i].x, y = picture[i].y, u = ground[i].x, v = ground[i].y;
        memcpy(a[2 * i], (double[9]){x, y, 1, 0, 0, 0, -u * x, -u * y, u}, sizeof a[0]);
        memcpy(a[2 * i + 1], (double[9]){0, 0, 0, x, y, 1, -v * x, -v * y, v}, sizeof a[0]);
    }
    if (!solve(a))
        return false;
    for (int i = 0; i < 8; i++)
        h[i] = a[i][8] / a[i][i];
    h[8] = 1;
    return true;
}

fv_point fv_geometry_project(const double h[9], fv_point p) {
    double w = h[6] * p.x + h[7] * p.y + h[8];
    return (fv_point){(h[0] * p.x + h[1] * p.y + h[2]) / w, (h[3] * p.x + h[4] * p.y + h[5]) / w};
}
