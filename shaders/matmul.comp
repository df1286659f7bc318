// Matrix product with any strides: an invocation computes one element.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM_A = IN_ACTIVATIONS;
layout(constant_id = 1) const uint FROM_B = IN_ACTIVATIONS;
layout(constant_id = 2) const uint FROM_C = IN_ACTIVATIONS;
layout(constant_id = 3) const bool ADD = false;

layout(push_constant) uniform Push { fv_push_matmul pushed; };
fv_push_matmul push;

void main() {
    push = pushed;
    uint id = flat_id();
    uint n, m, batch = divide(divide(id, push.n, n), push.m, m);
    if (batch >= push.batch0 * push.batch1)
        return;
    int b1 = int(batch % push.batch1), b0 = int(batch / push.batch1);
    int a = int(push.a_at) + b0 * push.a_b0 + b1 * push.a_b1 + int(m) * push.a_m;
    int b = int(push.b_at) + b0 * push.b_b0 + b1 * push.b_b1 + int(n) * push.b_n;
    float sum = 0;
    for (uint k = 0; k < push.k; k++) {
        sum += load1(FROM_A, uint(a)) * load1(FROM_B, uint(b));
        a += push.a_k;
        b += push.b_k;
    }
    sum *= push.alpha;
    if (ADD)
        sum += push.beta * load1(FROM_C, uint(int(push.c_at) + b0 * push.c_b0 + b1 * push.c_b1 + int(m) * push.c_m +
                                              int(n) * push.c_n));
    int to = int(push.out_at) + b0 * push.out_b0 + b1 * push.out_b1 + int(m) * push.out_m + int(n) * push.out_n;
    store1(IN_ACTIVATIONS, uint(to), sum);
}
