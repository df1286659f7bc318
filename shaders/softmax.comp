// Softmax along any stride: an invocation computes one line.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 1) const bool LOGARITHM = false;

layout(push_constant) uniform Push { fv_push_softmax pushed; };
fv_push_softmax push;

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
