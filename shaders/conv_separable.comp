// A depthwise convolution and the 1 x 1 convolution behind it: what conv_tile.comp does, but the input
// vectors are computed instead of fetched. A lane owns P x PY output pixels, a subgroup OB output channels.
#version 450
#extension GL_GOOGLE_include_directive : enable
#extension GL_KHR_shader_subgroup_basic : enable
#extension GL_KHR_shader_subgroup_shuffle : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "lib/act.glsl"
#include "lib/parts.glsl"

layout(constant_id = 1) const uint LANES = 16; // of a subgroup
layout(constant_id = 2) const uint P = 4;
layout(constant_id = 3) const uint OB = 32;
layout(constant_id = 4) const uint KW = 3;     // of the depthwise kernel
layout(constant_id = 5) const uint KH = 3;
layout(constant_id = 6) const uint STRIDE = 1; // in both directions
layout(constant_id = 7) const uint ACT = ACT_NONE;
layout(constant_id = 8) const uint RESIDUAL = 0; // fv_residual: 1 before the activation, 2 after it
layout(constant_id = 9) const uint DEPTHWISE_ACT = ACT_NONE;
layout(constant_id = 10) const uint PY = 1;
layout(constant_id = 11) const bool WHOLE = true; // OB divides the output channels
layout(constant_id = 12) const bool EIGHTS = false; // the output's place and pitch, and OB, are multiples of eight channels
layout(constant_id = 13) const bool LISTED = false; // the input lies in several places (lib/parts.glsl)

layout(push_constant) uniform Push { fv_push_separable pushed; };
fv_push_separable push;

const uint TAPS = KW * KH;
const uint SPAN = (P - 1) * STRIDE + KW; // input pixels in a row under P outputs
const uint SPAN_Y = (PY - 1) * STRIDE + KH;
const int OUTSIDE = -0x10000000;         // fetches there give zero

float sum[PY * P][OB];
int at[SPAN_Y][SPAN];
vec4 v[PY * P], tap[TAPS + 1];

// What a pixel of input row r, column j adds to the outputs whose windows it lies in.
void spread(vec4 x, uint r, uint j) {
    [[unroll]] for (uint py = 0; py < PY; py++) {
        uint ky = r - py * STRIDE; // huge where it lies before the window
        if (ky < KH) {
            [[unroll]] for (uint i = 0; i < P; i++) {
                uint kx = j - i * STRIDE;
                if (kx < KW)
                    v[py * P + i] += x * tap[ky * KW + kx];
            }
        }
    }
}

// The depthwise kernel on four channels of the lane's pixels: vector k of the input, or of a part of it, which is vector
// c of all.
void depthwise(int k, int c, uint lane) {
    vec4 w;
    [[unroll]] for (uint t = 0; t <= TAPS; t++) {
        if (t % LANES == 0)
            w = imageLoad(weight_texels, int(push.depthwise_at4 + uint(c) * (TAPS + 1) + t + lane));
        tap[t] = subgroupShuffle(w, t % LANES);
    }
    [[unroll]] for (uint i = 0; i < PY * P; i++)
        v[i] = tap[TAPS];
    [[unroll]] for (uint r = 0; r < SPAN_Y; r++) {
        [[unroll]] for (uint j = 0; j < SPAN; j++)
            spread(imageLoad(activation_texels, at[r][j] + k), r, j);
    }
    [[unroll]] for (uint i = 0; i < PY * P; i++)
        v[i] = activate(DEPTHWISE_ACT, v[i], push.depthwise_alpha, push.depthwise_beta);
}

// What four channels add to the sums; the lane's own weights begin at w_at.
void pointwise(int w_at) {
    vec4 w;
    [[unroll]] for (uint c = 0; c < OB; c++) {
        if (c % LANES == 0)
            w = imageLoad(weight_texels, w_at + int(c));
        vec4 b = subgroupShuffle(w, c % LANES);
        [[unroll]] for (uint i = 0; i < PY * P; i++) {
            float s = sum[i][c] + v[i].x * b.x;
            s += v[i].y * b.y;
            s += v[i].z * b.z;
            sum[i][c] = s + v[i].w * b.w;
        }
    }
}

void find_inputs(part from, uint picture, int in_x, int in_y, bool inside) {
    [[unroll]] for (int r = 0; r < SPAN_Y; r++) {
        int y = in_y + r;
        bool in_row = inside && uint(y) < uint(push.height);
        int first = from.at + (int(picture) * push.height + y) * push.width * from.pitch;
        [[unroll]] for (int j = 0; j < SPAN; j++)
            at[r][j] = in_row && uint(in_x + j) < uint(push.width) ? first + (in_x + j) * from.pitch : OUTSIDE;
    }
}

// Vector c of all is the part's first; both c and w_at move on.
void add_part(part from, uint lane, inout int c, inout int w_at) {
    for (int k = 0; k < from.vectors; k++) {
        depthwise(k, c++, lane);
        pointwise(w_at);
        w_at += int(OB);
    }
}

void start(uint block, uint lane) {
    vec4 w;
    [[unroll]] for (uint c = 0; c < OB / 4; c++) {
        if (c % LANES == 0)
            w = imageLoad(weight_texels, int(push.bias_at4 + block * (OB / 4) + c + lane));
        vec4 b = subgroupShuffle(w, c % LANES);
        [[unroll]] for (uint i = 0; i < PY * P; i++) {
            sum[i][4 * c] = b.x;
            sum[i][4 * c + 1] = b.y;
            sum[i][4 * c + 2] = b.z;
            sum[i][4 * c + 3] = b.w;
        }
    }
}

// `left`: output channels from the first of this vector on.
vec4 finish(uint i, uint c, int residual_at, int left) {
    vec4 s = vec4(sum[i][4 * c], sum[i][4 * c + 1], sum[i][4 * c + 2], sum[i][4 * c + 3]);
    if (RESIDUAL == 1)
        s += imageLoad(activation_texels, residual_at);
    s = activate(ACT, s, push.alpha, push.beta);
    if (RESIDUAL == 2)
        s += imageLoad(activation_texels, residual_at);
    return WHOLE ? s : mix(vec4(0), s, lessThan(ivec4(0, 1, 2, 3), ivec4(left)));
}

void main() {
    push = pushed;
    uint lane = gl_SubgroupInvocationID, block = gl_WorkGroupID.x, column, line;
    uint row = divide(gl_WorkGroupID.y * gl_WorkGroupSize.x + gl_LocalInvocationID.x, push.blocks_x, column);
    uint picture = divide(row, push.blocks_y, line);
    int x = int(column * P), y = int(line * PY);
    bool inside = picture * uint(push.out_height) < push.rows;
    start(block, lane);
    int in_x = x * int(STRIDE) - push.pad_x, in_y = y * int(STRIDE) - push.pad_y, c = 0;
    int w_at = int(push.weights_at4 + block * push.channels4 * OB + lane);
    if (!LISTED) { // no loop: a CPU driver would keep it
        part all = part(int(push.in_at4), int(push.in_pitch4), int(push.channels4));
        find_inputs(all, picture, in_x, in_y, inside);
        add_part(all, lane, c, w_at);
    } else {
        for (int i = 0; i < int(push.n_parts); i++) {
            part from = find_part(push.parts_at4, i);
            find_inputs(from, picture, in_x, in_y, inside);
            add_part(from, lane, c, w_at);
        }
    }
    uint first = (picture * uint(push.out_height) + uint(y)) * uint(push.out_width) + uint(x);
    [[unroll]] for (uint i = 0; i < PY * P; i++) {
        uint pixel = first + i / P * uint(push.out_width) + i % P;
        if (inside && x + int(i % P) < push.out_width && y + int(i / P) < push.out_height) {
            uint out_at = push.out_at4 + pixel * push.out_pitch4 + block * (OB / 4);
            int residual_at = int(push.residual_at4 + pixel * push.residual_pitch4 + block * (OB / 4));
            int left = int(push.out_channels) - int(block * OB);
            [[unroll]] for (int c = 0; c < OB / 4; c += EIGHTS ? 2 : 1) {
                if (WHOLE || 4 * c < left) {
                    vec4 s = finish(i, c, residual_at + c, left - 4 * c);
                    if (EIGHTS)
                        store8(out_at + c, s, finish(i, c + 1, residual_at + c + 1, left - 4 * c - 4));
                    else
                        store4(out_at + c, s);
                }
            }
        }
    }
}
