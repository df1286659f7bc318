// out = unary(binary(a, b)) with any strides and broadcasting; one element an invocation.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"
#include "lib/eltwise.glsl"

layout(constant_id = 0) const uint BINARY = BINARY_NONE;
layout(constant_id = 1) const uint UNARY = ACT_NONE;
layout(constant_id = 2) const uint FROM_A = IN_ACTIVATIONS;
layout(constant_id = 3) const uint FROM_B = IN_ACTIVATIONS;
layout(constant_id = 4) const uint N_DIMS = FV_ELTWISE_DIMS;

layout(push_constant) uniform Push { fv_push_eltwise1 pushed; };
fv_push_eltwise1 push;

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int a = int(push.a_at), b = int(push.b_at), to = int(push.out_at);
    [[unroll]] for (uint k = 0; k < N_DIMS; k++) {
        uint d = FV_ELTWISE_DIMS - 1 - k;
        uint i = rest;
        if (k + 1 < N_DIMS)
            rest = divide(rest, push.dim[d], i);
        a += int(i) * push.a_stride[d];
        b += int(i) * push.b_stride[d];
        to += int(i) * push.out_stride[d];
    }
    vec4 v = vec4(load1(FROM_A, uint(a)));
    if (BINARY != BINARY_NONE)
        v = binary(BINARY, v, vec4(load1(FROM_B, uint(b))));
    store1(IN_ACTIVATIONS, uint(to), unary(UNARY, v, push.alpha, push.beta).x);
}
