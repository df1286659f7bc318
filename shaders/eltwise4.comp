// out = unary(binary(a, b)) over pixels, four channels an invocation; also over dense tensors as
// one long row of "pixels" of four channels.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"
#include "lib/eltwise.glsl"

layout(constant_id = 0) const uint BINARY = BINARY_NONE;
layout(constant_id = 1) const uint UNARY = ACT_NONE;
layout(constant_id = 2) const uint FROM_A = IN_ACTIVATIONS;
layout(constant_id = 3) const uint FROM_B = IN_ACTIVATIONS;
layout(constant_id = 4) const bool SPLAT_A = false; // channel 0 of the operand serves all channels
layout(constant_id = 5) const bool SPLAT_B = false;
layout(constant_id = 6) const bool MASK = false;    // zero the channels beyond c

layout(push_constant) uniform Push { fv_push_eltwise4 pushed; };
fv_push_eltwise4 push;

vec4 operand(uint from, bool splat, fv_push_operand o, uint pixel, uint item, uint c4) {
    vec4 v = load4(from, o.at4 + pixel * o.pixel_stride4 + item * o.item_stride4 + c4 * o.c_stride4);
    return splat ? v.xxxx : v;
}

void main() {
    push = pushed;
    uint id = flat_id();
    uint c4, place, pixel = divide(id, push.c4, c4);
    if (pixel >= push.n_pixels)
        return;
    uint item = divide(pixel, push.item_pixels, place);
    vec4 v = operand(FROM_A, SPLAT_A, push.a, pixel, item, c4);
    if (BINARY != BINARY_NONE)
        v = binary(BINARY, v, operand(FROM_B, SPLAT_B, push.b, pixel, item, c4));
    v = unary(UNARY, v, push.alpha, push.beta);
    if (MASK)
        v = mix(v, vec4(0), greaterThanEqual(uvec4(4 * c4) + uvec4(0, 1, 2, 3), uvec4(push.c)));
    store4(push.out_at4 + pixel * push.out_pitch4 + c4, v);
}
