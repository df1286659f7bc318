// Convolution, dense or in groups; any kernel, stride, dilation. One fetched input vector serves up to KW
// taps (lib/conv_tile.glsl).
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define COLUMNS KW
#include "lib/conv_tile.glsl"

void begin(uint block, uint lane) {
    set_bias(block, lane);
}

void add_row(uint ky, inout int w_at) {
    for (int k = 0; k < channels; k++) {
        vec4 v[SPAN], w[KW];
        [[unroll]] for (uint i = 0; i < SPAN; i++)
            v[i] = imageLoad(activation_texels, at[i] + k);
        [[unroll]] for (uint c = 0; c < OB; c++) {
            if (c % LANES == 0) {
                [[unroll]] for (uint t = 0; t < KW; t++)
                    w[t] = imageLoad(weight_texels, w_at + int(t * OB + c));
            }
            [[unroll]] for (uint t = 0; t < KW; t++) {
                vec4 b = subgroupShuffle(w[t], c % LANES);
                [[unroll]] for (uint i = 0; i < P; i++) {
                    vec4 a = v[i * STRIDE_X + t * DILATION_X];
                    float s = sum[i][c] + a.x * b.x;
                    if (CHANNELS > 1)
                        s += a.y * b.y;
                    if (CHANNELS > 2)
                        s += a.z * b.z;
                    if (CHANNELS > 3)
                        s += a.w * b.w;
                    sum[i][c] = s;
                }
            }
        }
        w_at += int(KW * OB);
    }
}

void end(uint block, uint lane) {}
