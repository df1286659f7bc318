// Softmax along any stride: an invocation computes one line.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 1) const bool LOGARITHM = false;
layout(constant_id = 2) const bool VECTORS = false; // lines lie one element after the other, in whole vectors
layout(constant_id = 3) const uint FEW = 0;         // so many of these, which a lane keeps; 0: any number

layout(push_constant) uniform Push { fv_push_softmax pushed; };
fv_push_softmax push;

float largest_of(vec4 v) {
    return max(max(v.x, v.y), max(v.z, v.w));
}

void in_few_vectors(uint from, uint to) {
    vec4 x[FEW + 1], largest = vec4(-3.402823466e38), sum = vec4(0);
    [[unroll]] for (uint i = 0; i < FEW; i++) {
        x[i] = load4(FROM, from + i);
        largest = max(largest, x[i]);
    }
    float top = largest_of(largest);
    [[unroll]] for (uint i = 0; i < FEW; i++) {
        vec4 power = exp(x[i] - top);
        x[i] = LOGARITHM ? x[i] - top : power;
        sum += power;
    }
    float all = dot(sum, vec4(1)), scale = LOGARITHM ? log(all) : 1.0 / all;
    [[unroll]] for (uint i = 0; i < FEW; i++)
        store4(to + i, LOGARITHM ? x[i] - scale : x[i] * scale);
}

void in_vectors(uint from, uint to) {
    vec4 largest = vec4(-3.402823466e38), sum = vec4(0);
    for (uint i = 0; i < push.n / 4; i++)
        largest = max(largest, load4(FROM, from + i));
    float top = largest_of(largest);
    for (uint i = 0; i < push.n / 4; i++)
        sum += exp(load4(FROM, from + i) - top);
    float all = dot(sum, vec4(1)), scale = LOGARITHM ? log(all) : 1.0 / all;
    for (uint i = 0; i < push.n / 4; i++) {
        vec4 x = load4(FROM, from + i) - top;
        store4(to + i, LOGARITHM ? x - scale : exp(x) * scale);
    }
}

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int from = int(push.in_at), to = int(push.out_at);
    [[unroll]] for (int d = 3; d >= 0; d--) {
        uint i;
        rest = divide(rest, push.dim[d], i);
        from += int(i) * push.in_dim_stride[d];
        to += int(i) * push.out_dim_stride[d];
    }
    if (FEW > 0) {
        in_few_vectors(uint(from) / 4, uint(to) / 4);
        return;
    }
    if (VECTORS) {
        in_vectors(uint(from) / 4, uint(to) / 4);
        return;
    }
    float largest = -3.402823466e38, sum = 0;
    for (uint i = 0; i < push.n; i++)
        largest = max(largest, load1(FROM, uint(from + int(i) * push.in_stride)));
    for (uint i = 0; i < push.n; i++)
        sum += exp(load1(FROM, uint(from + int(i) * push.in_stride)) - largest);
    float scale = LOGARITHM ? log(sum) : 1.0 / sum;
    for (uint i = 0; i < push.n; i++) {
        float x = load1(FROM, uint(from + int(i) * push.in_stride)) - largest;
        store1(IN_ACTIVATIONS, uint(to + int(i) * push.out_stride), LOGARITHM ? x - scale : exp(x) * scale);
    }
}
