// Convolution as conv_tile.comp does it, but products and sums are float16, those of two input channels at
// a time: twice the rate where a device has packed arithmetic. The bias is added in float32.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#define COLUMNS KW
#include "lib/conv_tile.glsl"

f16vec2 pair[P][OB]; // sums over the even and the odd input channels

void begin(uint block, uint lane) {
    [[unroll]] for (uint i = 0; i < P; i++)
        [[unroll]] for (uint c = 0; c < OB; c++)
            pair[i][c] = f16vec2(0);
}

uvec2 pack_half(vec4 v) {
    return uvec2(packHalf2x16(v.xy), packHalf2x16(v.zw));
}

void add_row(uint ky, inout int w_at) {
    for (int k = 0; k < channels; k++) {
        f16vec4 v[SPAN];
        uvec2 w[KW];
        [[unroll]] for (uint i = 0; i < SPAN; i++)
            v[i] = f16vec4(imageLoad(activation_texels, at[i] + k));
        [[unroll]] for (uint c = 0; c < OB; c++) {
            if (c % LANES == 0) {
                [[unroll]] for (uint t = 0; t < KW; t++)
                    w[t] = pack_half(imageLoad(weight_texels, w_at + int(t * OB + c)));
            }
            [[unroll]] for (uint t = 0; t < KW; t++) {
                uvec2 b = subgroupShuffle(w[t], c % LANES);
                [[unroll]] for (uint i = 0; i < P; i++) {
                    f16vec4 a = v[i * STRIDE_X + t * DILATION_X];
                    pair[i][c] += a.xy * unpackFloat2x16(b.x);
                    if (CHANNELS > 2)
                        pair[i][c] += a.zw * unpackFloat2x16(b.y);
                }
            }
        }
        w_at += int(KW * OB);
    }
}

void end(uint block, uint lane) {
    set_bias(block, lane);
    [[unroll]] for (uint i = 0; i < P; i++)
        [[unroll]] for (uint c = 0; c < OB; c++)
            sum[i][c] += float(pair[i][c].x) + float(pair[i][c].y);
}
