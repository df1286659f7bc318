// The one set of bindings that every kernel shares (pipeline/gpu/gpu.h says what they hold), and
// the push constants' plumbing. A kernel includes this first, then declares
//     layout(push_constant) uniform Push { fv_push_NAME pushed; };
//     fv_push_NAME push;
// with the struct from push.h, which the host includes as well. main() begins with push = pushed: a CPU
// driver broadcasts a push constant that is read there and gathers it lane by lane behind any branch.
#extension GL_EXT_control_flow_attributes : enable
#ifdef STORE_WIDE
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : enable
#endif
#ifdef HALF
#extension GL_EXT_shader_16bit_storage : enable
#endif

// The size of a workgroup must be known before flat_id() is compiled: a kernel defines LOCAL, or
// LOCAL_ID (the specialization constant that says it), before it includes this.
#ifdef LOCAL_ID
layout(local_size_x_id = LOCAL_ID) in;
#else
#ifndef LOCAL
#define LOCAL 64
#endif
layout(local_size_x = LOCAL) in;
#endif

// With HALF the activation and the weight block hold float16, which a texel fetch makes float32; all
// arithmetic is float32. Kernels write through store4() and store1() alone.
#ifdef HALF
#define STORED float16_t
#define STORED4 f16vec4
#define TEXEL rgba16f
#else
#define STORED float
#define STORED4 vec4
#define TEXEL rgba32f
#endif

// Read these: a CPU driver gathers 16 texels in 25 cycles. It calls a function for a sampler's texel and
// reads storage buffers lane by lane.
layout(binding = 0, TEXEL) uniform readonly imageBuffer activation_texels;
layout(binding = 1, TEXEL) uniform readonly imageBuffer weight_texels;
layout(binding = 2, std430) buffer Activations { STORED activation[]; };
layout(binding = 2, std430) buffer Activations4 { STORED4 activation4[]; };
layout(binding = 3, std430) readonly buffer Weights { STORED weight[]; };
layout(binding = 3, std430) readonly buffer Weights4 { STORED4 weight4[]; };
layout(binding = 4, std430) readonly buffer Upload { uint upload[]; };
layout(binding = 5, std430) writeonly buffer Readback { float readback[]; };
layout(binding = 6) uniform usamplerBuffer upload_bytes;

#include "push.h"

// Stores cost CPUs an instruction sequence a lane and element, and part of it for all elements at an index: in
// halves they are cheaper, two vectors at once still more (store8, whose index is even). The host takes the variant
// where the device has 64-bit integers.
// The host's blocks are smaller than this; min() with it keeps a CPU driver from computing the index
// anew, from its parts, for every lane.
const uint BEYOND4 = 0x0fffffffu;
#ifdef STORE_WIDE
layout(binding = 2, std430) writeonly buffer ActivationsInHalves { u64vec2 activation_halves[]; };
layout(binding = 2, std430) writeonly buffer ActivationsInEights { u64vec4 activation_eights[]; };
u64vec2 in_halves(vec4 v) {
    return u64vec2(packUint2x32(floatBitsToUint(v.xy)), packUint2x32(floatBitsToUint(v.zw)));
}
void store4(uint index, vec4 v) {
    activation_halves[min(index, BEYOND4)] = in_halves(v);
}
void store8(uint index, vec4 a, vec4 b) {
    activation_eights[min(index / 2, BEYOND4)] = u64vec4(in_halves(a), in_halves(b));
}
#else
void store4(uint index, vec4 v) {
    activation4[index] = STORED4(v);
}
void store8(uint index, vec4 a, vec4 b) {
    store4(index, a);
    store4(index + 1, b);
}
#endif

// Where an operand lives: a specialization constant of many kernels.
const uint IN_ACTIVATIONS = 0, IN_WEIGHTS = 1, IN_UPLOAD = 2, IN_READBACK = 3;

vec4 load4(uint from, uint index) {
    return from == IN_WEIGHTS ? imageLoad(weight_texels, int(index)) : imageLoad(activation_texels, int(index));
}

float load1(uint from, uint index) {
    if (from == IN_UPLOAD)
        return uintBitsToFloat(upload[index]);
    vec4 v = load4(from, index >> 2);
    uint k = index & 3;
    return k < 2 ? (k == 0 ? v.x : v.y) : (k == 2 ? v.z : v.w);
}

void store1(uint to, uint index, float value) {
    if (to == IN_READBACK)
        readback[index] = value;
    else
        activation[index] = STORED(value);
}

// The number of this invocation in a dispatch of any size: fv_groups() on the host folds what is
// beyond 65535 groups into y.
uint flat_group() {
    return gl_WorkGroupID.y * gl_NumWorkGroups.x + gl_WorkGroupID.x;
}
uint flat_id() {
    return flat_group() * gl_WorkGroupSize.x + gl_LocalInvocationID.x;
}

// i / d, and what is left. CPUs divide integers lane by lane; this stays in vectors: a float estimate
// (24 bits), a second one for what it left over, then at most one step. Exact for i < 2^31.
uint divide(uint i, uint d, out uint rest) {
    float inverse = 1.0 / float(d);
    uint q = uint(float(i) * inverse);
    int r = int(i - q * d);
    q += uint(int(floor(float(r) * inverse)));
    r = int(i - q * d);
    int step = (r >= int(d) ? 1 : 0) - (r < 0 ? 1 : 0);
    rest = uint(r - step * int(d));
    return q + uint(step);
}
