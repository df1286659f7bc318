// What the convolutions over tiles share: which outputs a lane owns, where it reads, and the
// epilogue (bias, residual, activation). What makes it fast on CPUs too (pipeline/README.md, "Speed"):
//  - a lane owns P output pixels side by side, so one fetched input vector serves several taps;
//  - a subgroup owns OB output channels: each lane fetches another weight vector and the lanes
//    exchange them by shuffles with constant lanes;
//  - texel reads outside the block give zero, which is the padding: no branch.
// A kernel defines COLUMNS, the weights of a row of the kernel, and the functions below. One that defines
// KERNEL_HEIGHT too, a constant, has its rows unrolled and computes results when they are asked for.
#ifdef STORE_WIDE
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : enable
#endif
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "lib/act.glsl"
#include "lib/parts.glsl"
#include "push_conv.h"

layout(constant_id = 1) const uint LANES = 16;   // of a subgroup
layout(constant_id = 2) const uint P = 4;        // output pixels of a lane
layout(constant_id = 3) const uint OB = 32;      // output channels of a subgroup
layout(constant_id = 4) const uint KW = 3;       // kernel width
layout(constant_id = 5) const uint STRIDE_X = 1;
layout(constant_id = 6) const uint STRIDE_Y = 1;
layout(constant_id = 7) const uint DILATION_X = 1;
layout(constant_id = 8) const uint ACT = ACT_NONE;
layout(constant_id = 9) const uint RESIDUAL = 0; // fv_residual: 1 before the activation, 2 after it
layout(constant_id = 10) const bool WHOLE = true; // OB divides the channels of a group; false: any number
layout(constant_id = 11) const uint CHANNELS = 4; // of a vector of inputs that are not zero
// 1 x 1 kernels: the input's first (1) or last (2) channels are those of a picture of half the size, each of whose
// pixels counts for two by two; or (3) they lie in several places (lib/parts.glsl), all pictures being one row. The
// loop over the kernel's rows is then one over these parts.
layout(constant_id = 12) const uint PLACES = 0;
const bool NEAR = PLACES == 1 || PLACES == 2, LISTED = PLACES == 3;

layout(constant_id = 13) const bool EIGHTS = false; // the output's place and pitch, and OB, are multiples of eight channels

layout(push_constant) uniform Push { fv_push_tile pushed; };
fv_push_tile push;

const uint SPAN = (P - 1) * STRIDE_X + (KW - 1) * DILATION_X + 1; // input pixels under P outputs
const int OUTSIDE = -0x10000000;

float sum[P][OB];
int at[SPAN]; // vector 0 of every input pixel under the outputs
int channels; // vectors of them

// Before the first row and after the last; one of them begins the sums with the bias.
void begin(uint block, uint lane);
void end(uint block, uint lane);
// Adds row ky of the kernel; its weights begin at w_at, the lane's own, and the function moves it on.
void add_row(uint ky, inout int w_at);
// Channels 4c .. 4c + 3 of output pixel i, before the activation.
vec4 result(uint i, uint c);

#ifdef KERNEL_HEIGHT
#define UNROLLED [[unroll]]
#else
#define UNROLLED // a loop of unknown length: Mesa 25 would unroll it in part, and is slower so
#define KERNEL_HEIGHT push.kernel_height
vec4 result(uint i, uint c) {
    return vec4(sum[i][4 * c], sum[i][4 * c + 1], sum[i][4 * c + 2], sum[i][4 * c + 3]);
}
#endif

void set_bias(uint block, uint lane) {
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

// `left`: channels of the group from the first of this vector on.
vec4 finish(uint i, uint c, uint residual_at, int left) {
    vec4 v = result(i, c);
    if (RESIDUAL == 1)
        v += imageLoad(activation_texels, int(residual_at));
    v = activate(ACT, v, push.alpha, push.beta);
    if (RESIDUAL == 2)
        v += imageLoad(activation_texels, int(residual_at));
    if (!WHOLE)
        v = mix(vec4(0), v, lessThan(ivec4(0, 1, 2, 3), ivec4(left)));
    return v;
}

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, block = gl_WorkGroupID.x;
    uint group = block / push.group_blocks;
    uint q = gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
    uint column, line;
    uint row = divide(q, push.blocks_x, column);
    uint picture = divide(row, uint(push.out_height), line);
    int x = int(column * P), y = int(line);
    bool inside = row < push.rows;

    begin(block, lane);
    int in_x = x * int(STRIDE_X) - push.pad_x, in_y = y * int(STRIDE_Y) - push.pad_y;
    int pitch = int(push.in_pitch4);
    int in_at = int(push.in_at4 + group * push.in_channels4) + (int(picture) * push.height * push.width + in_x) * pitch;
    uint vectors = push.in_channels4 * (PLACES > 0 ? 1 : push.kernel_height) + (NEAR ? push.near_channels4 : 0);
    int w_at = int(push.weights_at4 + block * vectors * (COLUMNS * OB) + lane);
    int near_at = int(push.near_at4 + ((picture * uint(push.height) / 2 + line / 2) * uint(push.width) / 2) * push.near_pitch4);
    channels = int(push.in_channels4);

    UNROLLED for (int ky = 0; ky < KERNEL_HEIGHT; ky++) {
        int from_y = PLACES > 0 ? y : in_y + ky * push.dilation_y;
        bool in_row = inside && uint(from_y) < uint(push.height), near = NEAR && (ky == 0) == (PLACES == 1);
        if (NEAR)
            channels = int(near ? push.near_channels4 : push.in_channels4);
        if (LISTED) {
            part found = find_part(push.parts_at4, ky);
            pitch = found.pitch, channels = found.vectors;
            in_at = found.at + in_x * pitch;
        }
        [[unroll]] for (int i = 0; i < SPAN; i++) {
            bool in_picture = in_row && uint(in_x + i) < uint(push.width);
            int from = in_at + (from_y * push.width + i) * pitch;
            if (NEAR)
                from = near ? near_at + ((x + i) >> 1) * int(push.near_pitch4) : from;
            at[i] = in_picture ? from : OUTSIDE;
        }
        add_row(ky, w_at);
    }
    end(block, lane);

    uint c0 = (block - group * push.group_blocks) * (OB / 4);
    uint group_at = group * ((push.out_channels + 3) / 4) + c0;
    int left = int(push.out_channels) - int(4 * c0);
    uint pixel = row * uint(push.out_width) + uint(x);
    uint out_at = push.out_at4 + pixel * push.out_pitch4 + group_at;
    uint residual_at = push.residual_at4 + pixel * push.residual_pitch4 + group_at;
    [[unroll]] for (uint i = 0; i < P; i++) {
        if (inside && x + int(i) < push.out_width) {
            [[unroll]] for (uint c = 0; c < OB / 4; c += EIGHTS ? 2 : 1) {
                if (WHOLE || int(4 * c) < left) {
                    vec4 v = finish(i, c, residual_at + c, left - int(4 * c));
                    if (EIGHTS)
                        store8(out_at + c, v, finish(i, c + 1, residual_at + c + 1, left - int(4 * c + 4)));
                    else
                        store4(out_at + c, v);
                }
            }
        }
        out_at += push.out_pitch4;
        residual_at += push.residual_pitch4;
    }
}
