// Convolution of a picture, that is of at most four channels, by a small kernel: a lane fetches all inputs under
// its outputs and all weights first and then finishes four channels of an output after the other. Sums so stay in
// registers, where conv_tile.comp has more of them than a CPU has.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
layout(constant_id = 14) const uint KH = 3;
#define COLUMNS KW
#define KERNEL_HEIGHT KH
#include "lib/conv_tile.glsl"

const uint PARTS = (OB + LANES - 1) / LANES; // of the weights of a tap: a vector a lane each

vec4 v[KH * SPAN], w[KH * KW * PARTS], bias[(OB / 4 + LANES - 1) / LANES];

void begin(uint block, uint lane) {
    [[unroll]] for (uint c = 0; c < OB / 4; c += LANES)
        bias[c / LANES] = imageLoad(weight_texels, int(push.bias_at4 + block * (OB / 4) + c + lane));
}

void add_row(uint ky, inout int w_at) {
    [[unroll]] for (uint i = 0; i < SPAN; i++)
        v[ky * SPAN + i] = imageLoad(activation_texels, at[i]);
    [[unroll]] for (uint i = 0; i < KW * PARTS; i++)
        w[ky * KW * PARTS + i] = imageLoad(weight_texels, w_at + int(i / PARTS * OB + i % PARTS * LANES));
    w_at += int(KW * OB);
}

void end(uint block, uint lane) {}

vec4 result(uint i, uint c) {
    vec4 s = subgroupShuffle(bias[c / LANES], c % LANES);
    [[unroll]] for (uint t = 0; t < KH * KW; t++) {
        vec4 a = v[t / KW * SPAN + i * STRIDE_X + t % KW * DILATION_X], b[4];
        [[unroll]] for (uint o = 0; o < 4; o++)
            b[o] = subgroupShuffle(w[t * PARTS + (4 * c + o) / LANES], (4 * c + o) % LANES);
        s += a.x * vec4(b[0].x, b[1].x, b[2].x, b[3].x);
        if (CHANNELS > 1)
            s += a.y * vec4(b[0].y, b[1].y, b[2].y, b[3].y);
        if (CHANNELS > 2)
            s += a.z * vec4(b[0].z, b[1].z, b[2].z, b[3].z);
        if (CHANNELS > 3)
            s += a.w * vec4(b[0].w, b[1].w, b[2].w, b[3].w);
    }
    return s;
}
