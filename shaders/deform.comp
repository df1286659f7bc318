// What lies under the windows of a deformable convolution; an invocation computes four channels of one point of a window.
// Equal to DeformColumns in graph/op_deform.c.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const bool MASKED = false;

layout(push_constant) uniform Push { fv_push_deform pushed; };
fv_push_deform push;

// Four channels between pixels; what lies outside the picture is 0.
vec4 sample_at(uint first, vec2 at) {
    vec2 size = vec2(push.win.in_w, push.win.in_h), low = floor(at);
    vec4 sum = vec4(0);
    bool reached = at.x > -1 && at.y > -1 && at.x < size.x && at.y < size.y;
    [[unroll]] for (int k = 0; k < 4; k++) {
        vec2 corner = low + vec2(k & 1, k >> 1), weight = 1 - abs(at - corner);
        bool inside = reached && corner.x >= 0 && corner.y >= 0 && corner.x < size.x && corner.y < size.y;
        ivec2 i = inside ? ivec2(corner) : ivec2(0);
        vec4 v = imageLoad(activation_texels, int(first) + (i.y * push.win.in_w + i.x) * int(push.in_pitch4));
        sum += inside ? weight.x * weight.y * v : vec4(0);
    }
    return sum;
}

void main() {
    push = pushed;
    uint c4, x, y, pixel = divide(flat_id(), push.c4, c4);
    if (pixel >= push.n_pixels)
        return;
    uint image = divide(divide(pixel, uint(push.win.out_w), x), uint(push.win.out_h), y);
    uint channel, tap, column, taps = uint(push.win.kernel_x * push.win.kernel_y), unused;
    uint group = divide(divide(c4, push.group_channels4, channel), taps, tap);
    uint row = divide(tap, uint(push.win.kernel_x), column);
    channel += group * push.group_channels4;
    uint point = divide(channel, push.moved_channels4, unused) * taps + tap;
    uint offset_at = 4 * (push.offset_at4 + pixel * push.offset_pitch4) + 2 * point;
    vec2 at = vec2(int(x) * push.win.stride_x - push.win.pad_x + int(column) * push.win.dilation_x,
                   int(y) * push.win.stride_y - push.win.pad_y + int(row) * push.win.dilation_y);
    at += vec2(load1(IN_ACTIVATIONS, offset_at + 1), load1(IN_ACTIVATIONS, offset_at));
    vec4 v = sample_at(push.in_at4 + image * uint(push.win.in_w * push.win.in_h) * push.in_pitch4 + channel, at);
    if (MASKED)
        v *= load1(IN_ACTIVATIONS, 4 * (push.mask_at4 + pixel * push.mask_pitch4) + point);
    store4(push.out_at4 + pixel * push.out_pitch4 + c4, v);
}
