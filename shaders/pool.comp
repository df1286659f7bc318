// Pooling over pixels: an invocation computes four channels of one pixel.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint KIND = 0; // 0 maximum, 1 average, 2 Lp

layout(push_constant) uniform Push { fv_push_pool push; };

void main() {
    uint id = flat_id();
    uint c4 = id % push.c4, pixel = id / push.c4;
    if (pixel >= push.n_pixels)
        return;
    fv_push_window w = push.win;
    int ox = int(pixel) % w.out_w, oy = int(pixel) / w.out_w % w.out_h, image = int(pixel) / (w.out_w * w.out_h);
    vec4 result = vec4(KIND == 0 ? -3.402823466e38 : 0.0);
    float count = 0;
    for (int ky = 0; ky < w.kernel_y; ky++) {
        int iy = oy * w.stride_y - w.pad_y + ky * w.dilation_y;
        for (int kx = 0; kx < w.kernel_x; kx++) {
            int ix = ox * w.stride_x - w.pad_x + kx * w.dilation_x;
            bool inside = iy >= 0 && iy < w.in_h && ix >= 0 && ix < w.in_w;
            int row = image * w.in_h + clamp(iy, 0, w.in_h - 1);
            vec4 x = texelFetch(activation_texels, int(push.in_at4 + c4) +
                                (row * w.in_w + clamp(ix, 0, w.in_w - 1)) * int(push.in_pitch4));
            if (KIND == 0)
                result = inside ? max(result, x) : result;
            else if (KIND == 1)
                result += inside ? x : vec4(0);
            else
                result += inside ? pow(abs(x), vec4(push.p)) : vec4(0);
            bool counts = push.count_pad == 0 ? inside : iy < push.limit_y && ix < push.limit_x;
            count += counts ? 1.0 : 0.0;
        }
    }
    if (KIND == 1)
        result /= max(count, 1.0);
    else if (KIND == 2)
        result = pow(result, vec4(1.0 / push.p));
    activation4[push.out_at4 + pixel * push.out_pitch4 + c4] = result;
}
