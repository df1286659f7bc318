// GridSample: a picture read at coordinates -1 .. 1; an invocation computes four channels of one point.
// Equal to graph/op_grid.c.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

const uint BILINEAR = 0, NEAREST = 1, BICUBIC = 2; // fv_grid_mode
const uint ZEROS = 0, BORDER = 1, REFLECTION = 2;  // fv_grid_padding

layout(constant_id = 0) const uint MODE = BILINEAR;
layout(constant_id = 1) const uint PADDING = ZEROS;
layout(constant_id = 2) const bool ALIGN = false; // -1 and 1 are the centres of the outermost pixels
layout(constant_id = 3) const uint FROM = IN_ACTIVATIONS; // the grid

layout(push_constant) uniform Push { fv_push_grid pushed; };
fv_push_grid push;

vec2 size;

float limited(float x) {
    return x > -16777216.0 && x < 16777216.0 ? x : -16777216.0;
}

float reflected(float x, float lo, float hi) {
    float span = hi - lo;
    if (span <= 0)
        return lo;
    float t = mod(abs(x - lo), 2 * span);
    return t <= span ? lo + t : lo + 2 * span - t;
}

vec2 padded(vec2 at) {
    vec2 lo = vec2(ALIGN ? 0 : -0.5), hi = size - (ALIGN ? 1.0 : 0.5);
    if (PADDING == REFLECTION)
        at = vec2(reflected(at.x, lo.x, hi.x), reflected(at.y, lo.y, hi.y));
    return PADDING == ZEROS ? at : clamp(at, vec2(0), size - 1);
}

vec4 read(uint first, vec2 at) {
    at = roundEven(padded(at));
    bool inside = at.x >= 0 && at.y >= 0 && at.x < size.x && at.y < size.y;
    ivec2 i = inside ? ivec2(at) : ivec2(0);
    vec4 v = imageLoad(activation_texels, int(first) + (i.y * int(push.in_w) + i.x) * int(push.in_pitch4));
    return inside ? v : vec4(0);
}

float cubic(float x) {
    const float a = -0.75;
    x = abs(x);
    return x < 1 ? ((a + 2) * x - (a + 3)) * x * x + 1 : x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}

void main() {
    push = pushed;
    uint c4, point = divide(flat_id(), push.c4, c4);
    if (point >= push.n_points)
        return;
    uint place, image = divide(point, push.points, place);
    size = vec2(push.in_w, push.in_h);
    vec2 at = vec2(load1(FROM, push.grid_at + 2 * point), load1(FROM, push.grid_at + 2 * point + 1));
    at = ALIGN ? (at + 1) / 2 * (size - 1) : ((at + 1) * size - 1) / 2;
    at = vec2(limited(at.x), limited(at.y));
    uint first = push.in_at4 + image * push.in_w * push.in_h * push.in_pitch4 + c4;
    if (MODE != BICUBIC)
        at = padded(at);
    vec4 sum = vec4(0);
    if (MODE == NEAREST) {
        sum = read(first, roundEven(at));
    } else {
        const int REACH = MODE == BICUBIC ? 2 : 1;
        vec2 low = floor(at);
        for (int j = 1 - REACH; j <= REACH; j++)
            for (int i = 1 - REACH; i <= REACH; i++) {
                vec2 d = at - (low + vec2(i, j));
                vec2 w = MODE == BICUBIC ? vec2(cubic(d.x), cubic(d.y)) : 1 - abs(d);
                sum += w.x * w.y * read(first, low + vec2(i, j));
            }
    }
    store4(push.out_at4 + point * push.out_pitch4 + c4, sum);
}
