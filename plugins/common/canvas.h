// Drawing into a picture as it is: I420, NV12, RGB(A), BGR(A), GRAY8, no conversion, no copy.
//
// Every shape ends in one operation: a rectangle of coverage (A8) is blended with a colour into
// each plane, averaged where the plane is subsampled. Shapes are signed distances (negative
// inside), which gives them smooth borders at any place and width; coverage = 0.5 - distance,
// clamped to 0..1.
// Coordinates are pixels of the picture, (0, 0) the corner of the first one; all is clipped.
// Thread-safety: a canvas belongs to one thread.
#pragma once

#include "pipeline/base/value.h"

typedef struct {
    uint8_t r, g, b, a; // a: opacity
} fv_colour;

// On the stack; owns nothing. `frame` is borrowed and written to.
typedef struct {
    const fv_frame *frame;
} fv_canvas;

// Whole pixels, one opacity.
void fv_canvas_rect(fv_canvas *c, int x, int y, int w, int h, fv_colour colour);
// Coverage, `stride` bytes a row, its corner at x, y.
void fv_canvas_mask(fv_canvas *c, const uint8_t *mask, int stride, int x, int y, int w, int h,
                    fv_colour colour);

// A box with round corners, filled; and its outline, `line` wide, inside the box.
void fv_canvas_round_rect(fv_canvas *c, fv_box box, float radius, fv_colour colour);
void fv_canvas_outline(fv_canvas *c, fv_box box, float radius, float line, fv_colour colour);

void fv_canvas_disc(fv_canvas *c, float x, float y, float radius, fv_colour colour);

// Round ends and joints. `fade`: opacity of the first point, growing to the colour's at the last.
void fv_canvas_polyline(fv_canvas *c, const float (*point)[2], int n, bool closed, float line,
                        float fade, fv_colour colour);
void fv_canvas_polygon(fv_canvas *c, const float (*point)[2], int n, fv_colour colour);

// Makes what is inside unrecognisable, for good: means over blocks of about `block` pixels; and,
// with `smooth`, a blur over them. The border of the blocks is the border of the box.
void fv_canvas_pixelate(fv_canvas *c, fv_box box, int block, bool smooth);
