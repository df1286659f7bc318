// Even channels to one tensor, odd ones to another: the channel shuffle of ShuffleNet and its kin.
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const uint N_DIMS = FV_UNZIP_DIMS; // the last N_DIMS dimensions are used

layout(push_constant) uniform Push { fv_push_unzip pushed; };
fv_push_unzip push;

void main() {
    push = pushed;
    uint rest = flat_id();
    if (rest >= push.count)
        return;
    int from = int(push.in_at), even = int(push.even_at), odd = int(push.odd_at);
    [[unroll]] for (uint k = 0; k < N_DIMS; k++) {
        uint d = FV_UNZIP_DIMS - 1 - k;
        uint i = rest;
        if (k + 1 < N_DIMS)
            rest = divide(rest, push.dim[d], i);
        from += int(i) * push.in_stride[d];
        even += int(i) * push.even_stride[d];
        odd += int(i) * push.odd_stride[d];
    }
    vec4 a = imageLoad(activation_texels, from / 4), b = imageLoad(activation_texels, from / 4 + 1);
    store4(uint(even) / 4, vec4(a.xz, b.xz));
    store4(uint(odd) / 4, vec4(a.yw, b.yw));
}
