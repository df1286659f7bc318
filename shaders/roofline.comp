// What the device can do at most: multiply-adds on registers, nothing else. `fovea bench` counts 3
// vec4 chains x 8 x 1024 per invocation: few enough for the registers of a CPU, short enough for its
// window, long enough to hide the latency.
#version 450
#extension GL_GOOGLE_include_directive : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"

layout(push_constant) uniform Push { uint never; };

void main() {
    vec4 a = vec4(gl_LocalInvocationID.x) * 1e-6, sum[3];
    [[unroll]] for (int i = 0; i < 3; i++)
        sum[i] = a * float(i);
    for (int n = 0; n < 1024; n++) {
        [[unroll]] for (int k = 0; k < 8; k++) {
            [[unroll]] for (int i = 0; i < 3; i++)
                sum[i] = sum[i] * 0.999 + a;
        }
    }
    vec4 all = vec4(0);
    [[unroll]] for (int i = 0; i < 3; i++)
        all += sum[i];
    if (dot(all, vec4(1)) == float(never) + 0.123) // never, but the compiler cannot know
        activation4[0] = all;
}
