// A convolution of a picture and the maximum pooling behind it: the tensor between the two, several times as
// large as what is left of it, is not written. A lane owns P x PY pooled pixels, a subgroup OB output channels;
// from one row of the convolution to the next a lane keeps the maxima that are still open. Columns and rows that
// two windows share are computed once where one lane owns both. The kernel is unrolled: in a loop, a CPU driver
// would carry every sum through memory from turn to turn.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "lib/larger.glsl"
#include "lib/act.glsl"
#include "push_conv.h"

layout(constant_id = 1) const uint LANES = 16;     // of a subgroup
layout(constant_id = 2) const uint P = 2;
layout(constant_id = 3) const uint PY = 8;
layout(constant_id = 4) const uint OB = 24;
layout(constant_id = 5) const uint KW = 3;         // of the convolution
layout(constant_id = 6) const uint KH = 3;
layout(constant_id = 7) const uint STRIDE_X = 2;
layout(constant_id = 8) const uint STRIDE_Y = 2;
layout(constant_id = 9) const uint ACT = ACT_NONE;
layout(constant_id = 10) const uint POOL = 3;      // kernel of the pooling, POOL_STRIDE or one more, both ways
layout(constant_id = 11) const uint POOL_STRIDE = 2;
layout(constant_id = 12) const uint CHANNELS = 3;  // of the input, at most 4
layout(constant_id = 13) const bool WHOLE = true;  // OB divides the output channels

layout(push_constant) uniform Push { fv_push_conv_pool pushed; };
fv_push_conv_pool push;

const uint COLUMNS = (P - 1) * POOL_STRIDE + POOL;     // of the convolution, under the pooled pixels
const uint ROWS = (PY - 1) * POOL_STRIDE + POOL;
const uint SPAN = (COLUMNS - 1) * STRIDE_X + KW;       // input pixels under them
const int OUTSIDE = -0x10000000;                       // fetches there give zero
const float LOWEST = -3.402823466e38;

float sum[COLUMNS][OB];
vec4 open[P * OB / 4]; // maxima of the windows that the rows so far have begun
int at[KH][SPAN];

void set_bias(uint block, uint lane) {
    vec4 w;
    [[unroll]] for (uint c = 0; c < OB / 4; c++) {
        if (c % LANES == 0)
            w = imageLoad(weight_texels, int(push.bias_at4 + block * (OB / 4) + c + lane));
        vec4 b = subgroupShuffle(w, c % LANES);
        [[unroll]] for (uint i = 0; i < COLUMNS; i++) {
            sum[i][4 * c] = b.x;
            sum[i][4 * c + 1] = b.y;
            sum[i][4 * c + 2] = b.z;
            sum[i][4 * c + 3] = b.w;
        }
    }
}

// Adds row ky of the kernel: w_at is the lane's first weight.
void add_row(uint ky, int w_at) {
    vec4 v[SPAN], w[KW];
    [[unroll]] for (uint i = 0; i < SPAN; i++)
        v[i] = imageLoad(activation_texels, at[ky][i]);
    [[unroll]] for (uint c = 0; c < OB; c++) {
        if (c % LANES == 0) {
            [[unroll]] for (uint t = 0; t < KW; t++)
                w[t] = imageLoad(weight_texels, w_at + int((ky * KW + t) * OB + c));
        }
        [[unroll]] for (uint t = 0; t < KW; t++) {
            vec4 b = subgroupShuffle(w[t], c % LANES);
            [[unroll]] for (uint i = 0; i < COLUMNS; i++) {
                vec4 a = v[i * STRIDE_X + t];
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
}

// One row of the convolution into the sums: `picture` begins at in_at, the row's first input is (in_x, in_y).
void convolve(uint block, uint lane, int in_at, int in_x, int in_y, bool inside) {
    int w_at = int(push.weights_at4 + block * (KH * KW * OB) + lane);
    set_bias(block, lane);
    [[unroll]] for (int ky = 0; ky < KH; ky++) {
        int y = in_y + ky;
        bool in_row = inside && uint(y) < uint(push.height);
        [[unroll]] for (int i = 0; i < SPAN; i++) {
            bool in_picture = in_row && uint(in_x + i) < uint(push.width);
            at[ky][i] = in_picture ? in_at + (y * push.width + in_x + i) * int(push.in_pitch4) : OUTSIDE;
        }
    }
    [[unroll]] for (uint ky = 0; ky < KH; ky++)
        add_row(ky, w_at);
}

// Channels 4c .. 4c + 3 of pooled pixel i: the maximum of the row's columns that are there.
vec4 widest(uint i, uint c, int x, bool in_row) {
    vec4 m = vec4(LOWEST);
    [[unroll]] for (uint t = 0; t < POOL; t++) {
        uint j = i * POOL_STRIDE + t;
        vec4 v = activate(ACT, vec4(sum[j][4 * c], sum[j][4 * c + 1], sum[j][4 * c + 2], sum[j][4 * c + 3]),
                          push.alpha, push.beta);
        bool there = in_row && uint(x + int(j)) < uint(push.between_width);
        m = larger(m, v, there);
    }
    return m;
}

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, block = gl_WorkGroupID.x, column, line;
    uint row = divide(gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x, push.blocks_x, column);
    uint picture = divide(row, push.blocks_y, line);
    int out_x = int(column * P), out_y = int(line * PY);
    int x = out_x * int(POOL_STRIDE) - push.pool_pad_x, y = out_y * int(POOL_STRIDE) - push.pool_pad_y;
    bool inside = picture < push.pictures;
    int in_at = int(push.in_at4) + int(picture) * push.height * push.width * int(push.in_pitch4);
    int left = int(push.out_channels) - int(block * OB);
    [[unroll]] for (uint c = 0; c < P * OB / 4; c++)
        open[c] = vec4(LOWEST);

    for (int r = 0; r < int(ROWS); r++) {
        bool in_row = uint(y + r) < uint(push.between_height);
        convolve(block, lane, in_at, x * int(STRIDE_X) - push.pad_x, (y + r) * int(STRIDE_Y) - push.pad_y, inside && in_row);
        int done = r + 1 - int(POOL); // rows after the first window's end
        uint stores = uint(max(done, 0)) / POOL_STRIDE;
        bool ends = done == int(stores * POOL_STRIDE), begins = uint(r) % POOL_STRIDE == 0;
        uint pixel = (picture * uint(push.out_height) + uint(out_y) + stores) * uint(push.out_width) + uint(out_x);
        bool out_row = inside && ends && out_y + int(stores) < push.out_height;
        [[unroll]] for (uint i = 0; i < P; i++) {
            uint out_at = push.out_at4 + (pixel + i) * push.out_pitch4 + block * (OB / 4);
            bool is_out = out_row && out_x + int(i) < push.out_width;
            [[unroll]] for (uint c = 0; c < OB / 4; c++) {
                vec4 m = widest(i, c, x, in_row), whole = larger(open[i * OB / 4 + c], m, true);
                open[i * OB / 4 + c] = begins ? m : whole;
                if (is_out && (WHOLE || int(4 * c) < left))
                    store4(out_at + c, WHOLE ? whole : mix(vec4(0), whole, lessThan(ivec4(0, 1, 2, 3), ivec4(left - int(4 * c)))));
            }
        }
    }
}
