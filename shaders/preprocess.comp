// One dispatch from a frame's planes to the network's input: bilinear samples of every plane at its
// own resolution -> R'G'B' -> letterbox or stretch -> (value - mean) * gain -> the tensor's layout.
// Equal to fv_preprocess_reference (infer/preprocess.h). Planes are read as byte texels: on CPUs a
// gather, where a storage buffer would be read lane by lane. A lane makes ROWS pixels of a column,
// which share their x.
#version 450
#extension GL_GOOGLE_include_directive : enable
#define LOCAL_ID 0
#include "lib/bind.glsl"
#include "push_conv.h"

layout(constant_id = 1) const uint PLANES = 3;      // 1: packed or gray, 2: NV12, 3: I420
layout(constant_id = 2) const uint PIXEL_BYTES = 1; // of plane 0
layout(constant_id = 3) const int RED = -1;         // byte positions in a packed pixel; -1: luma
layout(constant_id = 4) const int GREEN = -1;
layout(constant_id = 5) const int BLUE = -1;
layout(constant_id = 6) const bool BGR = false;     // channel 0 of the network is blue
layout(constant_id = 7) const uint LAYOUT = 0;      // 0: NHWC, channels padded to 4; 1: NCHW; 2: NHWC of 3

layout(push_constant) uniform Push { fv_push_preprocess push; };

const uint ROWS = 4;

// Where a coordinate lies between two samples of a line of n.
struct at { int lo, hi; float f; };

at between(float x, int n, bool half_size) {
    x = half_size ? (x + 0.5) / 2 - 0.5 : x;
    x = clamp(x, 0.0, float(n - 1));
    int lo = int(x);
    return at(lo, min(lo + 1, n - 1), x - float(lo));
}

float fetch(uint at) {
    return float(texelFetch(upload_bytes, int(at)).x);
}

float bilinear(uint plane, uint step, uint add, at x, at y) {
    uint base = push.plane_at[plane] + add;
    uint top = base + uint(y.lo) * push.stride[plane], low = base + uint(y.hi) * push.stride[plane];
    uint left = uint(x.lo) * step, right = uint(x.hi) * step;
    float a = fetch(top + left) * (1 - x.f) + fetch(top + right) * x.f;
    float b = fetch(low + left) * (1 - x.f) + fetch(low + right) * x.f;
    return a * (1 - y.f) + b * y.f;
}

vec3 yuv_to_rgb(float y, float cb, float cr) {
    y = y * push.y_scale + push.y_add;
    cb -= 128, cr -= 128;
    return clamp(vec3(y + push.cr_r * cr, y + push.cb_g * cb + push.cr_g * cr, y + push.cb_b * cb), 0.0, 255.0);
}

vec3 read_rgb(float sx, float sy, at x, at cx) {
    at y = between(sy, push.height, false);
    if (RED >= 0)
        return vec3(bilinear(0, PIXEL_BYTES, RED, x, y), bilinear(0, PIXEL_BYTES, GREEN, x, y),
                    bilinear(0, PIXEL_BYTES, BLUE, x, y));
    float luma = bilinear(0, 1, 0, x, y);
    if (PLANES == 1)
        return yuv_to_rgb(luma, 128, 128);
    at cy = between(sy, (push.height + 1) / 2, true);
    float cb = PLANES == 2 ? bilinear(1, 2, 0, cx, cy) : bilinear(1, 1, 0, cx, cy);
    float cr = PLANES == 2 ? bilinear(1, 2, 1, cx, cy) : bilinear(2, 1, 0, cx, cy);
    return yuv_to_rgb(luma, cb, cr);
}

void store(uint pixel, vec3 v) {
    uint plane = uint(push.out_width * push.out_height);
    if (LAYOUT == 0) {
        store4(push.out_at / 4 + pixel, vec4(v, 0));
    } else {
        uint step = LAYOUT == 1 ? plane : 1, first = push.out_at + (LAYOUT == 1 ? pixel : pixel * 3);
        store1(IN_ACTIVATIONS, first, v.x);
        store1(IN_ACTIVATIONS, first + step, v.y);
        store1(IN_ACTIVATIONS, first + 2 * step, v.z);
    }
}

void main() {
    uint id = flat_id(), width = uint(push.out_width);
    int x = int(id % width), y0 = int(id / width * ROWS);
    float sx = (float(x) + 0.5 - push.offset_x) / push.scale_x - 0.5;
    at ax = between(sx, push.width, false), cx = between(sx, (push.width + 1) / 2, true);
    [[unroll]] for (int i = 0; i < ROWS; i++) {
        int y = y0 + i;
        if (y < push.out_height) {
            float sy = (float(y) + 0.5 - push.offset_y) / push.scale_y - 0.5;
            vec3 rgb = read_rgb(sx, sy, ax, cx);
            bool shown = x >= push.x0 && x < push.x1 && y >= push.y0 && y < push.y1;
            rgb = shown ? rgb : vec3(push.pad);
            rgb = BGR ? rgb.bgr : rgb;
            vec3 mean = vec3(push.mean[0], push.mean[1], push.mean[2]);
            store(uint(y) * width + uint(x), (rgb - mean) * vec3(push.gain[0], push.gain[1], push.gain[2]));
        }
    }
}
