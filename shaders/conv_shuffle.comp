// A channel shuffle and the 1 x 1 convolution of one half of it: of every pixel the channels of one parity are
// convolved, those of the other are copied to where they stay (ShuffleNet's unit and its kin). A lane owns P
// pixels side by side, a subgroup OB output channels, as in conv_tile.comp.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "lib/act.glsl"

layout(constant_id = 1) const uint LANES = 16; // of a subgroup
layout(constant_id = 2) const uint P = 4;
layout(constant_id = 3) const uint OB = 32;
layout(constant_id = 4) const uint ACT = ACT_NONE;
layout(constant_id = 5) const bool WHOLE = true; // OB divides the output channels
layout(constant_id = 6) const bool ODD = true;   // channels 1, 3, 5, ... are convolved
layout(constant_id = 7) const bool EIGHTS = false; // the output's place and pitch, and OB, are multiples of eight channels

layout(push_constant) uniform Push { fv_push_shuffle pushed; };
fv_push_shuffle push;

float sum[P][OB];

void start(uint block, uint lane) {
    vec4 w;
    [[unroll]] for (uint c = 0; c < OB / 4; c++) {
        if (c % LANES == 0)
            w = imageLoad(weight_texels, int(push.bias_at4 + block * (OB / 4) + c + lane));
        vec4 b = subgroupShuffle(w, c % LANES);
        [[unroll]] for (uint i = 0; i < P; i++) {
            sum[i][4 * c] = b.x;
            sum[i][4 * c + 1] = b.y;
            sum[i][4 * c + 2] = b.z;
            sum[i][4 * c + 3] = b.w;
        }
    }
}

// `left`: output channels from the first of this vector on.
vec4 finish(uint i, uint c, int left) {
    vec4 s = activate(ACT, vec4(sum[i][4 * c], sum[i][4 * c + 1], sum[i][4 * c + 2], sum[i][4 * c + 3]), push.alpha, push.beta);
    return WHOLE ? s : mix(vec4(0), s, lessThan(ivec4(0, 1, 2, 3), ivec4(left)));
}

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, block = gl_WorkGroupID.x;
    uint first = (gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x) * P;
    start(block, lane);
    int in_at = int(push.in_at4 + first * push.in_pitch4);
    int w_at = int(push.weights_at4 + block * push.channels4 * OB + lane);
    for (int k = 0; k < int(push.channels4); k++) {
        vec4 v[P], w;
        [[unroll]] for (uint i = 0; i < P; i++) { // beyond the last pixel: of no use, but harmless
            vec4 a = imageLoad(activation_texels, in_at + int(i * push.in_pitch4) + 2 * k),
                 b = imageLoad(activation_texels, in_at + int(i * push.in_pitch4) + 2 * k + 1);
            v[i] = ODD ? vec4(a.yw, b.yw) : vec4(a.xz, b.xz);
            if (block == 0 && first + i < push.n_pixels)
                store4(push.kept_at4 + (first + i) * push.kept_pitch4 + uint(k), ODD ? vec4(a.xz, b.xz) : vec4(a.yw, b.yw));
        }
        [[unroll]] for (uint c = 0; c < OB; c++) {
            if (c % LANES == 0)
                w = imageLoad(weight_texels, w_at + int(c));
            vec4 b = subgroupShuffle(w, c % LANES);
            [[unroll]] for (uint i = 0; i < P; i++) {
                float s = sum[i][c] + v[i].x * b.x;
                s += v[i].y * b.y;
                s += v[i].z * b.z;
                s += v[i].w * b.w;
                sum[i][c] = s;
            }
        }
        w_at += int(OB);
    }
    [[unroll]] for (uint i = 0; i < P; i++) {
        if (first + i < push.n_pixels) {
            uint out_at = push.out_at4 + (first + i) * push.out_pitch4 + block * (OB / 4);
            int left = int(push.out_channels) - int(block * OB);
            [[unroll]] for (int c = 0; c < OB / 4; c += EIGHTS ? 2 : 1) {
                if (WHOLE || 4 * c < left) {
                    vec4 s = finish(i, c, left - 4 * c);
                    if (EIGHTS)
                        store8(out_at + c, s, finish(i, c + 1, left - 4 * c - 4));
                    else
                        store4(out_at + c, s);
                }
            }
        }
    }
}
