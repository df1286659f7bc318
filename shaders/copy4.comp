// Strided copy, four channels an invocation: between pixels and any other layout.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 1) const uint TO = IN_ACTIVATIONS;
layout(constant_id = 2) const uint N_DIMS = FV_COPY_DIMS;
layout(constant_id = 3) const bool IN4 = true;  // the input side can be read as vec4
layout(constant_id = 4) const bool OUT4 = true; // the output side can be written as vec4

layout(push_constant) uniform Push { fv_push_copy4 pushed; };
fv_push_copy4 push;

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int from = int(push.in_at), to = int(push.out_at);
    uint c = 0;
    [[unroll]] for (uint k = 0; k < N_DIMS; k++) {
        uint d = FV_COPY_DIMS - 1 - k;
        uint i = rest;
        if (k + 1 < N_DIMS)
            rest = divide(rest, push.dim[d], i);
        from += int(i) * push.in_stride[d];
        to += int(i) * push.out_stride[d];
        c = d == push.channel_dim ? 4 * i : c;
    }
    uint valid = min(push.c - c, 4);
    vec4 v = vec4(0);
    if (IN4) {
        v = load4(FROM, uint(from) >> 2);
    } else {
        v.x = load1(FROM, uint(from));
        if (valid > 1)
            v.y = load1(FROM, uint(from + push.in_c_stride));
        if (valid > 2)
            v.z = load1(FROM, uint(from + 2 * push.in_c_stride));
        if (valid > 3)
            v.w = load1(FROM, uint(from + 3 * push.in_c_stride));
    }
    if (OUT4) {
        store4(uint(to) >> 2, mix(v, vec4(0), greaterThanEqual(uvec4(0, 1, 2, 3), uvec4(valid))));
    } else {
        store1(TO, uint(to), v.x);
        if (valid > 1)
            store1(TO, uint(to + push.out_c_stride), v.y);
        if (valid > 2)
            store1(TO, uint(to + 2 * push.out_c_stride), v.z);
        if (valid > 3)
            store1(TO, uint(to + 3 * push.out_c_stride), v.w);
    }
}
