// Mean and variance of a run of elements, then (x - mean) / sqrt(variance + epsilon) * scale + bias:
// InstanceNormalization, GroupNormalization, LayerNormalization. A workgroup does one run.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 1) const bool BIAS = true;

layout(push_constant) uniform Push { fv_push_normalize pushed; };
fv_push_normalize push;

shared float partial[LOCAL];

float sum_all(float mine) {
    uint lane = gl_LocalInvocationID.x;
    partial[lane] = mine;
    barrier();
    [[unroll]] for (uint step = LOCAL / 2; step > 0; step /= 2) {
        if (lane < step)
            partial[lane] += partial[lane + step];
        barrier();
    }
    float sum = partial[0];
    barrier();
    return sum;
}

// Where element i of the run lies, from its first one: input, output, scale.
ivec3 place(uint i) {
    ivec3 at = ivec3(0);
    [[unroll]] for (int d = 4; d >= 2; d--) {
        uint k;
        i = divide(i, push.dim[d], k);
        at += int(k) * ivec3(push.in_stride[d], push.out_stride[d], push.scale_stride[d]);
    }
    return at;
}

void main() {
    push = pushed;
    uint run = flat_group(), lane = gl_LocalInvocationID.x;
    if (run >= push.count)
        return;
    uint minor, major = divide(run, push.dim[1], minor);
    ivec3 first = ivec3(push.in_at, push.out_at, 0) +
                  int(major) * ivec3(push.in_stride[0], push.out_stride[0], push.scale_stride[0]) +
                  int(minor) * ivec3(push.in_stride[1], push.out_stride[1], push.scale_stride[1]);
    float sum = 0, square = 0;
    for (uint i = lane; i < push.n; i += LOCAL)
        sum += load1(FROM, uint(first.x + place(i).x));
    float mean = sum_all(sum) / float(push.n);
    for (uint i = lane; i < push.n; i += LOCAL) {
        float x = load1(FROM, uint(first.x + place(i).x)) - mean;
        square += x * x;
    }
    float inverse = 1.0 / sqrt(sum_all(square) / float(push.n) + push.epsilon);
    for (uint i = lane; i < push.n; i += LOCAL) {
        ivec3 at = first + place(i);
        float x = (load1(FROM, uint(at.x)) - mean) * inverse * load1(IN_WEIGHTS, push.scale_at + uint(at.z));
        store1(IN_ACTIVATIONS, uint(at.y), BIAS ? x + load1(IN_WEIGHTS, push.bias_at + uint(at.z)) : x);
    }
}
