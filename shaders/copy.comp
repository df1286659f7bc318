// Strided copy: layout changes, transposes, slices, concatenation, padding, import and export.
// One invocation writes one element.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint FROM = IN_ACTIVATIONS;
layout(constant_id = 1) const uint TO = IN_ACTIVATIONS;
layout(constant_id = 2) const uint N_DIMS = FV_COPY_DIMS; // the last N_DIMS dimensions are used
layout(constant_id = 3) const bool BOUNDED = false;       // valid_dim is used

layout(push_constant) uniform Push { fv_push_copy pushed; };
fv_push_copy push;

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int from = int(push.in_at), to = int(push.out_at);
    bool ok = true;
    [[unroll]] for (uint k = 0; k < N_DIMS; k++) {
        uint d = FV_COPY_DIMS - 1 - k;
        uint i = rest;
        if (k + 1 < N_DIMS)
            rest = divide(rest, push.dim[d], i);
        from += int(i) * push.in_stride[d];
        to += int(i) * push.out_stride[d];
        ok = ok && (!BOUNDED || d != push.valid_dim || i < push.valid);
    }
    float value = push.fill;
    if (ok)
        value = load1(FROM, uint(from));
    store1(TO, uint(to), value);
}
