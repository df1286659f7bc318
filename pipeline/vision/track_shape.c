#include "pipeline/vision/track_shape.h"

#include <math.h>

static const float edge_share = 0.002f, grow_s = 0.1f, shrink_s = 2;

unsigned fv_track_shape_cut(fv_box b, fv_track_picture p) {
    float x = edge_share * p.width, y = edge_share * p.height;
    if (p.width <= 0)
        return 0;
    return (fabsf(b.x) <= x ? FV_CUT_LEFT : 0u) |
           (fabsf(b.x + b.w - p.width) <= x ? FV_CUT_RIGHT : 0u) |
           (fabsf(b.y) <= y ? FV_CUT_TOP : 0u) |
           (fabsf(b.y + b.h - p.height) <= y ? FV_CUT_BOTTOM : 0u);
}

fv_box fv_track_shape_complete(const fv_track_shape *s, fv_box seen, unsigned cut) {
    float more_x = fmaxf(0, s->w - seen.w), more_y = fmaxf(0, s->h - seen.h);
    bool left = cut & FV_CUT_LEFT, right = cut & FV_CUT_RIGHT, top = cut & FV_CUT_TOP,
         bottom = cut & FV_CUT_BOTTOM;
    if (left != right) {
        seen.x -= left ? more_x : 0;
        seen.w += more_x;
    }
    if (top != bottom) {
        seen.y -= top ? more_y : 0;
        seen.h += more_y;
    }
    return seen;
}

static void learn(float *size, float seen, bool cut, float dt_s) {
    if (*size <= 0)
        *size = seen;
    else if (seen > *size)
        *size += (seen - *size) * fminf(1, dt_s / grow_s);
    else if (!cut)
        *size += (seen - *size) * fminf(1, dt_s / shrink_s);
}

void fv_track_shape_learn(fv_track_shape *s, fv_box seen, unsigned cut, float dt_s) {
    learn(&s->w, seen.w, cut & (FV_CUT_LEFT | FV_CUT_RIGHT), dt_s);
    learn(&s->h, seen.h, cut & (FV_CUT_TOP | FV_CUT_BOTTOM), dt_s);
}

fv_box fv_track_shape_clip(fv_box box, unsigned cut, fv_track_picture picture) {
    float x0 = box.x, y0 = box.y, x1 = box.x + box.w, y1 = box.y + box.h;
    x0 = cut & FV_CUT_LEFT ? fmaxf(x0, 0) : x0;
    y0 = cut & FV_CUT_TOP ? fmaxf(y0, 0) : y0;
    x1 = cut & FV_CUT_RIGHT ? fminf(x1, picture.width) : x1;
    y1 = cut & FV_CUT_BOTTOM ? fminf(y1, picture.height) : y1;
    return (fv_box){x0, y0, fmaxf(0, x1 - x0), fmaxf(0, y1 - y0)};
}
