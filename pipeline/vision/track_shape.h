// Objects that the picture's edge cuts.
//
// A box that ends at the edge shows a part of its object. Taken as it is, it drags the object's
// middle and shape after it: a car that drives out seems to stop, shrink and turn, and passes its
// track on to the next one that comes in there. So a track remembers how large its object is (grows
// within 0.1 s, shrinks within 2 s), and a side at the edge is put where the size says; the sides
// that are seen are measured as they are.
//
//          |<- edge of the picture
//      +- -|-------+
//      :   |       |     the detection ends at the edge; its right side is where the car ends, and
//      +- -|-------+     its left one is as far from it as the car is long
//
// Thread-safety: values; no shared state.
#pragma once

#include "pipeline/base/value.h"

typedef struct {
    float w, h; // 0 0: nothing seen yet
} fv_track_shape;

enum { FV_CUT_LEFT = 1, FV_CUT_RIGHT = 2, FV_CUT_TOP = 4, FV_CUT_BOTTOM = 8 };

// Pixels; {0, 0}: unknown, nothing is cut.
typedef struct {
    float width, height;
} fv_track_picture;

// Sides that end at the edge of the picture, within 0.2 %: bits FV_CUT_*. A box that reaches beyond
// it is not cut: its detector guesses what cannot be seen.
unsigned fv_track_shape_cut(fv_box box, fv_track_picture picture);

// The box with its cut sides put where the remembered size says; never smaller than it was. What is
// cut on both sides stays.
fv_box fv_track_shape_complete(const fv_track_shape *s, fv_box seen, unsigned cut);

// Remembers what is not cut; `dt_s` since the last call.
void fv_track_shape_learn(fv_track_shape *s, fv_box seen, unsigned cut, float dt_s);

// `box` without what lies beyond the edges named by `cut`.
fv_box fv_track_shape_clip(fv_box box, unsigned cut, fv_track_picture picture);
