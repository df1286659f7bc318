// Anti-aliased, shaded shapes on an RGB picture, for the drawn sample clip. Coverage comes from the
// signed distance to a shape, light from the normal of the solid that the shape is a picture of.
#pragma once

#include <stdint.h>

typedef struct {
    float r, g, b; // linear in display values, 0..1
} colour;

// `owner` names the object that is seen at a pixel (0: background), so that the visible part of
// each object is known exactly.
typedef struct {
    int width, height;
    colour *pixel;
    uint16_t *owner;
} picture;

// What is drawn between two calls of brush_begin belongs to one object: its extent (also outside
// the picture) and how many pixels inside the picture it covers, seen or hidden later.
typedef struct {
    picture *picture;
    uint16_t owner;
    float x0, y0, x1, y1;
    int covered;
    float light; // overall brightness
} brush;

brush brush_begin(picture *p, uint16_t owner, float light);

// A cone with round ends from (ax, ay) to (bx, by), radii ra and rb, lit from the upper left.
void paint_limb(brush *b, float ax, float ay, float bx, float by, float ra, float rb, colour c);

// A polygon with corners rounded by `round` pixels; brighter at the top by `slope`.
void paint_polygon(brush *b, const float (*point)[2], int n, float round, colour c, float slope);

void paint_rectangle(brush *b, float x0, float y0, float x1, float y1, colour c, float slope);

// A soft dark ellipse on the ground; belongs to nobody and has no extent.
void paint_shadow(picture *p, float x, float y, float rx, float ry, float strength);

colour colour_mix(colour a, colour b, float share_of_b);
