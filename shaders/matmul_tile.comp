// Matrix product of what is computed, the way conv_tile.comp does it: a lane owns P rows, a subgroup OB
// columns; each lane reads another column's vector and the lanes exchange them. Rows of a and columns of
// b lie along k, in whole vectors.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"

layout(constant_id = 1) const uint LANES = 16;
layout(constant_id = 2) const uint P = 4;
layout(constant_id = 3) const uint OB = 16;
layout(constant_id = 4) const bool VECTORS = true; // four columns of the result are one vector

layout(push_constant) uniform Push { fv_push_matmul_tile pushed; };
fv_push_matmul_tile push;

const int OUTSIDE = -0x10000000; // reads there give zero

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, column = gl_WorkGroupID.x * OB;
    uint row = (gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x) * P;
    uint major = gl_WorkGroupID.z / push.batch1, minor = gl_WorkGroupID.z - major * push.batch1;
    uint a_at = push.a_at4 + major * push.a_b0 + minor * push.a_b1;
    uint b_at = push.b_at4 + major * push.b_b0 + minor * push.b_b1;
    int from[P], columns[(OB + LANES - 1) / LANES];
    float sum[P][OB];
    [[unroll]] for (uint i = 0; i < P; i++) {
        from[i] = row + i < push.m ? int(a_at + (row + i) * push.a_row4) : OUTSIDE;
        [[unroll]] for (uint c = 0; c < OB; c++)
            sum[i][c] = 0;
    }
    [[unroll]] for (uint c = 0; c < OB; c += LANES) {
        uint mine = column + c + lane;
        columns[c / LANES] = mine < push.n ? int(b_at + mine * push.b_column4) : OUTSIDE;
    }
    for (int k = 0; k < int(push.k4); k++) {
        vec4 v[P], w;
        [[unroll]] for (uint i = 0; i < P; i++)
            v[i] = imageLoad(activation_texels, from[i] + k);
        [[unroll]] for (uint c = 0; c < OB; c++) {
            if (c % LANES == 0)
                w = imageLoad(activation_texels, columns[c / LANES] + k);
            vec4 b = subgroupShuffle(w, c % LANES);
            [[unroll]] for (uint i = 0; i < P; i++) {
                sum[i][c] += v[i].x * b.x;
                sum[i][c] += v[i].y * b.y;
                sum[i][c] += v[i].z * b.z;
                sum[i][c] += v[i].w * b.w;
            }
        }
    }
    uint out_at = push.out_at + major * push.out_b0 + minor * push.out_b1 + row * push.out_m + column * push.out_n;
    [[unroll]] for (uint i = 0; i < P; i++) {
        if (row + i < push.m) {
            [[unroll]] for (uint c = 0; c < OB; c += 4) {
                vec4 s = vec4(sum[i][c], sum[i][c + 1], sum[i][c + 2], sum[i][c + 3]);
                uint at = out_at + i * push.out_m + c * push.out_n;
                if (VECTORS) {
                    if (column + c < push.n)
                        store4(at / 4, s);
                } else {
                    [[unroll]] for (uint k = 0; k < 4; k++)
                        if (column + c + k < push.n)
                            store1(IN_ACTIVATIONS, at + k * push.out_n, s[k]);
                }
            }
        }
    }
}
