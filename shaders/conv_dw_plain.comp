// Depthwise convolution over pixels: an invocation computes four channels of one pixel.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"
#include "lib/act.glsl"

layout(constant_id = 0) const uint ACT = ACT_NONE;
layout(constant_id = 1) const uint RESIDUAL = 0; // 1: added before the activation, 2: after

layout(push_constant) uniform Push { fv_push_conv_plain pushed; };
fv_push_conv_plain push;

void main() {
    push = pushed;
    uint id = flat_id();
    uint c4, pixel = divide(id, push.c4, c4);
    if (pixel >= push.n_pixels)
        return;
    fv_push_window w = push.win;
    uint column, line;
    int image = int(divide(divide(pixel, uint(w.out_w), column), uint(w.out_h), line));
    int ox = int(column), oy = int(line);
    vec4 sum = imageLoad(weight_texels, int(push.bias_at4 + c4));
    int weight_at = int(push.weight_at4 + c4 * uint(w.kernel_x * w.kernel_y));
    for (int ky = 0; ky < w.kernel_y; ky++) {
        int iy = oy * w.stride_y - w.pad_y + ky * w.dilation_y;
        for (int kx = 0; kx < w.kernel_x; kx++) {
            int ix = ox * w.stride_x - w.pad_x + kx * w.dilation_x;
            float inside = iy >= 0 && iy < w.in_h && ix >= 0 && ix < w.in_w ? 1.0 : 0.0;
            int row = image * w.in_h + clamp(iy, 0, w.in_h - 1);
            int at = int(push.in_at4 + c4) + (row * w.in_w + clamp(ix, 0, w.in_w - 1)) * int(push.in_pitch4);
            sum += imageLoad(activation_texels, at) * inside * imageLoad(weight_texels, weight_at++);
        }
    }
    if (RESIDUAL == 1)
        sum += imageLoad(activation_texels, int(push.add_at4 + pixel * push.add_pitch4 + c4));
    sum = activate(ACT, sum, push.alpha, push.beta);
    if (RESIDUAL == 2)
        sum += imageLoad(activation_texels, int(push.add_at4 + pixel * push.add_pitch4 + c4));
    sum = mix(sum, vec4(0), greaterThanEqual(uvec4(4 * c4) + uvec4(0, 1, 2, 3), uvec4(push.m)));
    store4(push.out_at4 + pixel * push.out_pitch4 + c4, sum);
}
