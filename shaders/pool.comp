// Pooling over pixels: an invocation computes four channels of P pixels side by side, whose windows
// share what is fetched.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"
#include "lib/larger.glsl"

const uint MAXIMUM = 0, AVERAGE = 1, LP = 2; // fv_pool_kind

layout(constant_id = 0) const uint KIND = MAXIMUM;
layout(constant_id = 1) const uint P = 1;
layout(constant_id = 2) const uint KX = 0; // columns of the window; 0: as pushed, P is 1
layout(constant_id = 3) const uint STRIDE = 1;
layout(constant_id = 4) const uint DILATION = 1;

layout(push_constant) uniform Push { fv_push_pool pushed; };
fv_push_pool push;

const uint SPAN = (P - 1) * STRIDE + (KX > 0 ? KX - 1 : 0) * DILATION + 1;

vec4 result[P];
float count[P];

void take(uint i, vec4 x, bool inside, bool counts) {
    if (KIND == MAXIMUM) {
        result[i] = larger(result[i], x, inside);
        return;
    }
    vec4 add = KIND == LP ? pow(abs(x), vec4(push.p)) : x;
    result[i] += inside ? add : vec4(0);
    count[i] += counts ? 1.0 : 0.0;
}

vec4 finish(uint i) {
    if (KIND == AVERAGE)
        return result[i] / max(count[i], 1.0);
    return KIND == LP ? pow(result[i], vec4(1.0 / push.p)) : result[i];
}

void main() {
    push = pushed;
    uint c4, block, line;
    uint row = divide(divide(flat_id(), push.c4, c4), push.blocks_x, block);
    if (row >= push.rows)
        return;
    fv_push_window w = push.win;
    int image = int(divide(row, uint(w.out_h), line));
    int ox = int(block * P), x0 = ox * w.stride_x - w.pad_x;
    [[unroll]] for (uint i = 0; i < P; i++) {
        result[i] = vec4(KIND == MAXIMUM ? -3.402823466e38 : 0.0);
        count[i] = 0;
    }
    for (int ky = 0; ky < w.kernel_y; ky++) {
        int iy = int(line) * w.stride_y - w.pad_y + ky * w.dilation_y;
        bool row_inside = iy >= 0 && iy < w.in_h, row_counts = push.count_pad != 0 ? iy < push.limit_y : row_inside;
        int at = int(push.in_at4 + c4) + (image * w.in_h + clamp(iy, 0, w.in_h - 1)) * w.in_w * int(push.in_pitch4);
        if (KX > 0) {
            [[unroll]] for (uint j = 0; j < SPAN; j++) {
                int ix = x0 + int(j);
                vec4 x = imageLoad(activation_texels, at + clamp(ix, 0, w.in_w - 1) * int(push.in_pitch4));
                bool inside = row_inside && ix >= 0 && ix < w.in_w;
                bool counts = push.count_pad != 0 ? row_counts && ix < push.limit_x : inside;
                [[unroll]] for (uint i = 0; i < P; i++) {
                    uint step = j - i * STRIDE; // huge where j lies before the window
                    if (step % DILATION == 0 && step / DILATION < KX)
                        take(i, x, inside, counts);
                }
            }
        } else {
            for (int kx = 0; kx < w.kernel_x; kx++) {
                int ix = x0 + kx * w.dilation_x;
                vec4 x = imageLoad(activation_texels, at + clamp(ix, 0, w.in_w - 1) * int(push.in_pitch4));
                bool inside = row_inside && ix >= 0 && ix < w.in_w;
                take(0, x, inside, push.count_pad != 0 ? row_counts && ix < push.limit_x : inside);
            }
        }
    }
    uint pixel = row * uint(w.out_w) + uint(ox);
    [[unroll]] for (uint i = 0; i < P; i++)
        if (ox + int(i) < w.out_w)
            store4(push.out_at4 + (pixel + i) * push.out_pitch4 + c4, finish(i));
}
