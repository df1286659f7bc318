// Depthwise convolution: every channel has its own kernel. A lane owns P x PY output pixels of four or eight
// channels, the lanes of a subgroup lie side by side and share the channels: the weights of all taps
// are fetched once, each lane another tap, and exchanged by shuffles with constant lanes.
// Everything is unrolled: one loop would put every instruction under a mask on CPUs.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "lib/act.glsl"
#include "push_conv.h"

layout(constant_id = 1) const uint LANES = 16; // of a subgroup
layout(constant_id = 2) const uint P = 4;      // output pixels of a lane in x
layout(constant_id = 3) const uint PY = 1;     // and in y
layout(constant_id = 4) const uint KW = 3;
layout(constant_id = 5) const uint KH = 3;
layout(constant_id = 6) const uint STRIDE_X = 1;
layout(constant_id = 7) const uint STRIDE_Y = 1;
layout(constant_id = 8) const uint DILATION_X = 1;
layout(constant_id = 9) const uint DILATION_Y = 1;
layout(constant_id = 10) const uint ACT = ACT_NONE;
layout(constant_id = 11) const uint RESIDUAL = 0; // fv_residual: 1 before the activation, 2 after it
layout(constant_id = 12) const bool WHOLE = true; // 4 divides the channels
layout(constant_id = 13) const bool EIGHTS = false; // 8 does, and the output's place and pitch: a lane has eight of them

layout(push_constant) uniform Push { fv_push_tile pushed; };
fv_push_tile push;

const uint SPAN = (P - 1) * STRIDE_X + (KW - 1) * DILATION_X + 1;
const uint SPAN_Y = (PY - 1) * STRIDE_Y + (KH - 1) * DILATION_Y + 1;
const uint TAPS = KW * KH, VECTORS = EIGHTS ? 2 : 1;
const int OUTSIDE = -0x10000000;

vec4 sum[VECTORS][PY * P], v[SPAN], w[VECTORS][(TAPS + LANES - 1) / LANES];

// What row r of the inputs adds to row py of the outputs, by row ky of the kernel.
void add_row(uint k, uint py, uint ky) {
    [[unroll]] for (uint kx = 0; kx < KW; kx++) {
        uint t = ky * KW + kx;
        vec4 b = subgroupShuffle(w[k][t / LANES], t % LANES);
        [[unroll]] for (uint i = 0; i < P; i++)
            sum[k][py * P + i] += v[i * STRIDE_X + kx * DILATION_X] * b;
    }
}

vec4 finish(vec4 s, uint residual_at, uint channel) {
    if (RESIDUAL == 1)
        s += imageLoad(activation_texels, int(residual_at));
    s = activate(ACT, s, push.alpha, push.beta);
    if (RESIDUAL == 2)
        s += imageLoad(activation_texels, int(residual_at));
    return WHOLE ? s : mix(vec4(0), s, lessThan(uvec4(4 * channel) + uvec4(0, 1, 2, 3), uvec4(push.out_channels)));
}

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, channel = gl_WorkGroupID.x * VECTORS;
    uint blocks_y = (uint(push.out_height) + PY - 1) / PY;
    uint q = gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    uint column, row;
    uint line = divide(q, push.blocks_x, column);
    int x = int(column * P);
    uint picture = divide(line, blocks_y, row);
    int y = int(row * PY);
    bool inside = picture * uint(push.out_height) < push.rows;

    vec4 bias[VECTORS];
    [[unroll]] for (uint k = 0; k < VECTORS; k++) {
        bias[k] = imageLoad(weight_texels, int(push.bias_at4 + channel + k));
        [[unroll]] for (uint t = 0; t < TAPS; t += LANES)
            w[k][t / LANES] = imageLoad(weight_texels, int(push.weights_at4 + (channel + k) * TAPS + t + lane));
    }

    int in_x = x * int(STRIDE_X) - push.pad_x, in_y = y * int(STRIDE_Y) - push.pad_y;
    int pitch = int(push.in_pitch4);
    int in_at = int(push.in_at4 + channel) + (int(picture) * push.height * push.width + in_x) * pitch;
    int line_pitch = push.width * pitch;
    [[unroll]] for (uint r = 0; r < SPAN_Y; r++) {
        int from_y = in_y + int(r);
        bool in_row = inside && uint(from_y) < uint(push.height);
        int row_at = in_row ? in_at + from_y * line_pitch : OUTSIDE;
        [[unroll]] for (uint k = 0; k < VECTORS; k++) {
            [[unroll]] for (uint i = 0; i < SPAN; i++)
                v[i] = imageLoad(activation_texels, uint(in_x + int(i)) < uint(push.width) ? row_at + int(i) * pitch + int(k) : OUTSIDE);
            [[unroll]] for (uint py = 0; py < PY; py++) {
                uint from = r - py * STRIDE_Y, ky = from / DILATION_Y; // huge above the first row of the window
                if (from == 0)
                    [[unroll]] for (uint i = 0; i < P; i++)
                        sum[k][py * P + i] = bias[k];
                if (from % DILATION_Y == 0 && ky < KH)
                    add_row(k, py, ky);
            }
        }
        // Rows that are whole go at once: the fewer sums are alive, the more of them stay in registers.
        [[unroll]] for (uint py = 0; py < PY; py++) {
            uint pixel = (picture * uint(push.out_height) + uint(y) + py) * uint(push.out_width) + uint(x);
            if (r == py * STRIDE_Y + (KH - 1) * DILATION_Y) {
                [[unroll]] for (uint i = 0; i < P; i++) {
                    uint out_at = push.out_at4 + (pixel + i) * push.out_pitch4 + channel;
                    uint residual_at = push.residual_at4 + (pixel + i) * push.residual_pitch4 + channel;
                    if (inside && x + int(i) < push.out_width && y + int(py) < push.out_height) {
                        vec4 s = finish(sum[0][py * P + i], residual_at, channel);
                        if (EIGHTS)
                            store8(out_at, s, finish(sum[VECTORS - 1][py * P + i], residual_at + 1, channel + 1));
                        else
                            store4(out_at, s);
                    }
                }
            }
        }
    }
}
