// What the device can move at most: texels read and stored side by side, nothing else. A subgroup copies a run of
// 8 x LOCAL texels, one of each row of groups the same. `fovea bench` runs it on a block that CPUs keep in their caches, as they do a layer.
#version 450
#extension GL_GOOGLE_include_directive : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"

layout(push_constant) uniform Push { uint to_at4; };

void main() {
    uint from = gl_WorkGroupID.x * gl_WorkGroupSize.x * 8 + gl_LocalInvocationID.x, to = to_at4 + from;
    vec4 v[8];
    [[unroll]] for (uint i = 0; i < 8; i++)
        v[i] = imageLoad(activation_texels, int(from + i * gl_WorkGroupSize.x));
    [[unroll]] for (uint i = 0; i < 8; i++)
        store4(to + i * gl_WorkGroupSize.x, v[i]);
}
