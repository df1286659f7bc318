// One dispatch from a frame's planes to the network's input: samples of every plane at its own
// resolution, bilinear or means of areas -> R'G'B' -> letterbox or stretch -> (value - mean) * gain -> the tensor's layout.
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
layout(constant_id = 8) const int TAPS_X = 0;       // fv_taps: samples of an area, 0: bilinear
layout(constant_id = 9) const int TAPS_Y = 0;
layout(constant_id = 10) const int HALF_TAPS_X = 0; // of planes of half the size
layout(constant_id = 11) const int HALF_TAPS_Y = 0;

layout(push_constant) uniform Push { fv_push_preprocess pushed; };
fv_push_preprocess push;

const uint ROWS = 4;

// What one network pixel sees of a line of samples: `taps` of them from `first` on, the part from `from`
// to `to`; taps 0: the two samples beside `from`.
struct sight { int first, last, taps; float from, to; };

sight look(float c, float scale, int n, int taps, bool half_size) {
    c = half_size ? (c + 0.5) / 2 - 0.5 : c;
    float reach = (half_size ? 0.25 : 0.5) / scale;
    c = taps == 0 ? clamp(c, 0.0, float(n - 1)) : c + 0.5 - reach;
    return sight(int(floor(c)), n - 1, taps, c, c + 2 * reach);
}

uint place(sight s, int k) {
    return uint(clamp(s.first + k, 0, s.last));
}

float share(sight s, int k) {
    float at = float(s.first + k);
    return max((min(s.to, at + 1) - max(s.from, at)) / (s.to - s.from), 0.0);
}

float fetch(uint at) {
    return float(texelFetch(upload_bytes, int(at)).x);
}

// Along a line of a plane.
float sample_line(uint base, uint step, sight x) {
    if (x.taps == 0)
        return mix(fetch(base + place(x, 0) * step), fetch(base + place(x, 1) * step), x.from - float(x.first));
    float sum = 0;
    for (int i = 0; i < x.taps; i++)
        sum += share(x, i) * fetch(base + place(x, i) * step);
    return sum;
}

float sample_plane(uint plane, uint step, uint add, sight x, sight y) {
    uint base = push.plane_at[plane] + add, stride = push.stride[plane];
    if (y.taps == 0)
        return mix(sample_line(base + place(y, 0) * stride, step, x), sample_line(base + place(y, 1) * stride, step, x),
                   y.from - float(y.first));
    float sum = 0;
    for (int j = 0; j < y.taps; j++)
        sum += share(y, j) * sample_line(base + place(y, j) * stride, step, x);
    return sum;
}

vec3 yuv_to_rgb(float y, float cb, float cr) {
    y = y * push.y_scale + push.y_add;
    cb -= 128, cr -= 128;
    return clamp(vec3(y + push.cr_r * cr, y + push.cb_g * cb + push.cr_g * cr, y + push.cb_b * cb), 0.0, 255.0);
}

vec3 read_rgb(float sx, float sy) {
    sight x = look(sx, push.scale_x, push.width, TAPS_X, false), y = look(sy, push.scale_y, push.height, TAPS_Y, false);
    if (RED >= 0)
        return vec3(sample_plane(0, PIXEL_BYTES, RED, x, y), sample_plane(0, PIXEL_BYTES, GREEN, x, y),
                    sample_plane(0, PIXEL_BYTES, BLUE, x, y));
    float luma = sample_plane(0, 1, 0, x, y);
    if (PLANES == 1)
        return yuv_to_rgb(luma, 128, 128);
    x = look(sx, push.scale_x, (push.width + 1) / 2, HALF_TAPS_X, true);
    y = look(sy, push.scale_y, (push.height + 1) / 2, HALF_TAPS_Y, true);
    float cb = PLANES == 2 ? sample_plane(1, 2, 0, x, y) : sample_plane(1, 1, 0, x, y);
    float cr = PLANES == 2 ? sample_plane(1, 2, 1, x, y) : sample_plane(2, 1, 0, x, y);
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
    push = pushed;
    uint id = flat_id(), width = uint(push.out_width);
    int x = int(id % width), y0 = int(id / width * ROWS);
    float sx = (float(x) + 0.5 - push.offset_x) / push.scale_x - 0.5;
    [[unroll]] for (int i = 0; i < ROWS; i++) {
        int y = y0 + i;
        if (y < push.out_height) {
            float sy = (float(y) + 0.5 - push.offset_y) / push.scale_y - 0.5;
            vec3 rgb = read_rgb(sx, sy);
            bool shown = x >= push.x0 && x < push.x1 && y >= push.y0 && y < push.y1;
            rgb = shown ? rgb : vec3(push.pad);
            rgb = BGR ? rgb.bgr : rgb;
            vec3 mean = vec3(push.mean[0], push.mean[1], push.mean[2]);
            store(uint(y) * width + uint(x), (rgb - mean) * vec3(push.gain[0], push.gain[1], push.gain[2]));
        }
    }
}
