// A frame becomes the network's input: planes -> R'G'B' -> stretched or letterboxed -> normalised.
#pragma once

#include "pipeline/base/value.h"

// How Y'CbCr becomes R'G'B' 0..255 (before clamping):
//     r = y + cr_r * cr,  g = y + cb_g * cb + cr_g * cr,  b = y + cb_b * cb
// with y = (Y - y_offset) * y_scale and c = (C - 128) * c_scale. From Kr, Kb of ITU-R BT.601-7 2.5.1,
// BT.709-6 3.2, BT.2020-2 table 4; the ranges from BT.601-7 2.5.3. Gray has its y only.
typedef struct {
    float y_offset, y_scale, c_scale, cr_r, cb_g, cr_g, cb_b;
} fv_color;
fv_color fv_color_compute(const fv_frame *frame);

// The part of the network's input that shows the picture; around it lies the padding. Pixels,
// x1 and y1 exclusive.
typedef struct {
    int x0, y0, x1, y1;
} fv_window;
fv_window fv_fit_window(const fv_input *input, const fv_fit *fit, const fv_frame *frame);

// Picture pixels a direction that one network pixel may touch with FV_FILTER_AREA; 0: read bilinearly,
// because the filter says so or the picture isn't made smaller.
int fv_taps(fv_filter filter, float scale);

// The slow twin of shaders/preprocess.comp. Writes 3 x width x height floats (height x width x 3 with
// input->nhwc) and returns the fit that brings boxes back.
//
// Network pixel x looks at source position (x + 0.5 - offset) / scale - 0.5, clamped to the picture,
// bilinearly; with FV_FILTER_AREA and a scale below 1 it is the mean over the 1 / scale pixels that it
// covers, those at the ends by the part that is covered. Chroma planes are read at the same places,
// at their own resolution, a sample in the middle of the pixels it serves. Colours are clamped to 0..255
// and not rounded. `par`: width / height of one pixel of the frame.
fv_fit fv_preprocess_reference(const fv_frame *frame, float par, const fv_input *input, float *out);
