// Points, polylines and the ground plane. All in pixels, x to the right, y down, doubles.
//
// Left and right are as on the screen, walking from the first point to the last:
//
//          left
//     0 ---------> 1        a move from above to below this line goes left-to-right
//          right
//
// Nothing here treats touching as a special case: a point on a line is on its right, a path through
// a vertex belongs to exactly one of the two segments. fv_geometry_anchor keeps real points off
// such places.
// Thread-safety: functions of their arguments.
#pragma once

#include <stdbool.h>

#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

typedef struct {
    double x, y;
} fv_point;

// The point of an object that rules look at, moved by about 1e-5 pixels: boxes lie on a grid that
// lines lie on too, and after the move an anchor is practically never exactly on a line nor its
// path through a vertex.
fv_point fv_geometry_anchor(fv_box box, fv_anchor anchor);

// How often the straight path crosses the polyline left-to-right, minus right-to-left.
int fv_geometry_crossings(const fv_point *line, int n, fv_point from, fv_point to);

// Even-odd rule: where a polygon overlaps itself is outside.
bool fv_geometry_inside(const fv_point *polygon, int n, fv_point p);

// To the nearest point of the polyline, or of the polygon's border.
double fv_geometry_distance(const fv_point *line, int n, bool closed, fv_point p);

// Half the smaller side of the bounding box: a point inside can hardly be farther from the border.
double fv_geometry_breadth(const fv_point *polygon, int n);

// The plane that four points of the picture show: out = H (x, y, 1), divided by its last component.
// False when three of the points lie on a line.
bool fv_geometry_ground(const fv_point picture[4], const fv_point ground[4], double h[9]);
fv_point fv_geometry_project(const double h[9], fv_point p);
