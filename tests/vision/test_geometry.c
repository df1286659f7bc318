#include "pipeline/vision/geometry.h"

#include "tests/test.h"

static const fv_point corner[] = {{0, 100}, {100, 100}, {100, 0}};

static void crossings_have_a_sign(void) {
    CHECK_EQUAL(fv_geometry_crossings(corner, 2, (fv_point){50, 50}, (fv_point){50, 150}),
                1); // above is left of a line to the right
    CHECK_EQUAL(fv_geometry_crossings(corner, 2, (fv_point){50, 150}, (fv_point){50, 50}), -1);
    CHECK_EQUAL(fv_geometry_crossings(corner, 2, (fv_point){150, 50}, (fv_point){150, 150}),
                0); // beside it
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){50, 50}, (fv_point){50, 50}), 0);
}

static void a_vertex_is_crossed_once(void) {
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){50, 50}, (fv_point){150, 150}),
                1); // exactly through the corner
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){150, 150}, (fv_point){50, 50}), -1);
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){50, 150}, (fv_point){150, 50}),
                0); // only touches it
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){80, 90}, (fv_point){120, 110}), 1);
    CHECK_EQUAL(fv_geometry_crossings(corner, 3, (fv_point){50, 120}, (fv_point){120, 50}),
                0); // in through one, out through the other
}

static void polygons_hold_points(void) {
    const fv_point u[] = {{0, 0},   {90, 0},  {90, 60}, {60, 60},
                          {60, 30}, {30, 30}, {30, 60}, {0, 60}};
    CHECK(fv_geometry_inside(u, 8, (fv_point){15, 45}));
    CHECK(!fv_geometry_inside(u, 8, (fv_point){45, 45}));
    CHECK(fv_geometry_inside(u, 8, (fv_point){45, 15}));
    CHECK_NEAR(fv_geometry_distance(u, 8, true, (fv_point){45, 45}), 15, 1e-9);
    CHECK_NEAR(fv_geometry_distance(u, 8, true, (fv_point){-3, 30}), 3, 1e-9); // the closing side
    CHECK_NEAR(fv_geometry_distance(u, 8, false, (fv_point){-3, 30}), sqrt(9 + 900), 1e-9);
    CHECK_NEAR(fv_geometry_breadth(u, 8), 30, 1e-9);
}

static void four_points_make_a_ground(void) {
    const fv_point picture[] = {{400, 300}, {800, 300}, {1100, 700}, {100, 700}},
                   ground[] = {{0, 40}, {8, 40}, {8, 0}, {0, 0}};
    double h[9];
    CHECK(fv_geometry_ground(picture, ground, h));
    for (int i = 0; i < 4; i++) {
        fv_point p = fv_geometry_project(h, picture[i]);
        CHECK_NEAR(p.x, ground[i].x, 1e-9);
        CHECK_NEAR(p.y, ground[i].y, 1e-9);
    }
    CHECK_NEAR(fv_geometry_project(h, (fv_point){600, 500}).x, 4,
               1e-9); // the middle of the road stays the middle
    const fv_point line[] = {{0, 0}, {1, 1}, {2, 2}, {0, 5}};
    CHECK(!fv_geometry_ground(line, ground, h));
    CHECK(!fv_geometry_ground(picture, line, h));
}

const fv_suite geometry_suite = {"geometry", (const fv_case[]){CASE(crossings_have_a_sign),
                                                               CASE(a_vertex_is_crossed_once),
                                                               CASE(polygons_hold_points),
                                                               CASE(four_points_make_a_ground),
                                                               {0}}};
