// Separable resampling over pixels with tables of taps; every mode and coordinate rule of Resize is
// a table (made by lower_resize.c).
#version 450
#extension GL_GOOGLE_include_directive : enable
#include "lib/bind.glsl"

layout(constant_id = 0) const bool NEAREST = false; // one tap of weight 1
layout(constant_id = 1) const bool PAIRS = false;   // two taps both ways: a texel of a table is one position's

layout(push_constant) uniform Push { fv_push_resize pushed; };
fv_push_resize push;

void main() {
    push = pushed;
    uint id = flat_id();
    uint c4, pixel = divide(id, push.c4, c4);
    if (pixel >= push.n_pixels)
        return;
    uint ox, oy, image = divide(divide(pixel, push.out_w, ox), push.out_h, oy);
    vec4 sum = vec4(0);
    if (NEAREST) { // no loops: these cost CPUs more than the one fetch
        uint row = image * push.in_h + uint(load1(IN_WEIGHTS, push.rows_at + 2 * oy));
        uint column = uint(load1(IN_WEIGHTS, push.columns_at + 2 * ox));
        sum = imageLoad(activation_texels, int(push.in_at4 + (row * push.in_w + column) * push.in_pitch4 + c4));
        store4(push.out_at4 + pixel * push.out_pitch4 + c4, sum);
        return;
    }
    if (PAIRS) { // of position, weight, position, weight
        vec4 rows = load4(IN_WEIGHTS, push.rows_at / 4 + oy), columns = load4(IN_WEIGHTS, push.columns_at / 4 + ox);
        [[unroll]] for (uint i = 0; i < 4; i++) {
            vec2 row = i < 2 ? rows.xy : rows.zw, column = i % 2 == 0 ? columns.xy : columns.zw;
            uint at = ((image * push.in_h + uint(row.x)) * push.in_w + uint(column.x)) * push.in_pitch4;
            sum += imageLoad(activation_texels, int(push.in_at4 + at + c4)) * (row.y * column.y);
        }
        store4(push.out_at4 + pixel * push.out_pitch4 + c4, sum);
        return;
    }
    for (uint ty = 0; ty < push.row_taps; ty++) {
        uint row_at = push.rows_at + 2 * (oy * push.row_taps + ty);
        uint row = image * push.in_h + uint(load1(IN_WEIGHTS, row_at));
        float row_weight = load1(IN_WEIGHTS, row_at + 1);
        for (uint tx = 0; tx < push.column_taps; tx++) {
            uint column_at = push.columns_at + 2 * (ox * push.column_taps + tx);
            uint at = push.in_at4 + (row * push.in_w + uint(load1(IN_WEIGHTS, column_at))) * push.in_pitch4 + c4;
            float weight = row_weight * load1(IN_WEIGHTS, column_at + 1);
            sum += imageLoad(activation_texels, int(at)) * weight;
        }
    }
    store4(push.out_at4 + pixel * push.out_pitch4 + c4, sum);
}
