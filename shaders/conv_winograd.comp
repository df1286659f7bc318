// Convolution with kernels of three columns and no stride along x (a stride of s and 3 s columns are the same of s times
// the channels), by Winograd's F(4, 3) along x: six
// products instead of twelve for four outputs and a row of the kernel. Input, weights (when packed, by
// infer/conv_row.c) and sums are transformed with the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray,
// arXiv 1509.09308, section 4); along y it is a plain convolution.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define COLUMNS 6
#include "lib/conv_tile.glsl"

const uint TILES = P / 4;

float product[COLUMNS * TILES][OB]; // summed over rows and input channels

void begin(uint block, uint lane) {
    [[unroll]] for (uint i = 0; i < COLUMNS * TILES; i++)
        [[unroll]] for (uint c = 0; c < OB; c++)
            product[i][c] = 0;
}

void add_row(uint ky, inout int w_at) {
    for (int k = 0; k < channels; k++) {
        vec4 d[SPAN], v[COLUMNS * TILES], w;
        [[unroll]] for (uint i = 0; i < SPAN; i++)
            d[i] = imageLoad(activation_texels, at[i] + k);
        [[unroll]] for (uint t = 0; t < TILES; t++) {
            uint i = 4 * t, o = COLUMNS * t;
            vec4 a = d[i + 4] - 4 * d[i + 2], b = d[i + 3] - 4 * d[i + 1];
            vec4 c = d[i + 4] - d[i + 2], e = 2 * (d[i + 3] - d[i + 1]);
            v[o] = 4 * d[i] - 5 * d[i + 2] + d[i + 4];
            v[o + 1] = a + b;
            v[o + 2] = a - b;
            v[o + 3] = c + e;
            v[o + 4] = c - e;
            v[o + 5] = 4 * d[i + 1] - 5 * d[i + 3] + d[i + 5];
        }
        [[unroll]] for (uint i = 0; i < COLUMNS * OB; i++) {
            if (i % LANES == 0)
                w = imageLoad(weight_texels, w_at + int(i));
            vec4 b = subgroupShuffle(w, i % LANES);
            [[unroll]] for (uint t = 0; t < TILES; t++) {
                vec4 a = v[COLUMNS * t + i / OB];
                float s = CHANNELS > 1 ? a.x * b.x + a.y * b.y : a.x * b.x;
                if (CHANNELS > 2)
                    s += CHANNELS > 3 ? a.z * b.z + a.w * b.w : a.z * b.z;
                product[COLUMNS * t + i / OB][i % OB] += s;
            }
        }
        w_at += int(COLUMNS * OB);
    }
}

void end(uint block, uint lane) {
    set_bias(block, lane);
    [[unroll]] for (uint t = 0; t < TILES; t++) {
        [[unroll]] for (uint c = 0; c < OB; c++) {
            float m[COLUMNS];
            [[unroll]] for (uint i = 0; i < COLUMNS; i++)
                m[i] = product[COLUMNS * t + i][c];
            float a = m[1] + m[2], b = m[1] - m[2], d = m[3] + m[4], e = m[3] - m[4];
            sum[4 * t][c] += m[0] + a + d;
            sum[4 * t + 1][c] += b + 2 * e;
            sum[4 * t + 2][c] += a + 4 * d;
            sum[4 * t + 3][c] += b + 8 * e + m[5];
        }
    }
}
