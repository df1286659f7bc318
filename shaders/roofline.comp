// What the device can do at most: multiply-adds on registers, nothing else. `fovea bench` counts 5
// vec4 chains x 64 x 64 per invocation.
#version 450
#extension GL_GOOGLE_include_directive : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"

layout(push_constant) uniform Push { uint never; };

void main() {
    vec4 a = vec4(gl_LocalInvocationID.x) * 1e-6, sum[5];
    [[unroll]] for (int i = 0; i < 5; i++)
        sum[i] = a * float(i);
    for (int n = 0; n < 64; n++) {
        [[unroll]] for (int k = 0; k < 64; k++) {
            [[unroll]] for (int i = 0; i < 5; i++)
                sum[i] = sum[i] * 0.999 + a;
        }
    }
    vec4 all = vec4(0);
    [[unroll]] for (int i = 0; i < 5; i++)
        all += sum[i];
    if (dot(all, vec4(1)) == float(never) + 0.123) // never, but the compiler cannot know
        activation4[0] = all;
}
