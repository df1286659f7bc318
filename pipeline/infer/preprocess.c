#include "pipeline/infer/preprocess.h"

#include <math.h>

fv_color fv_color_compute(const fv_frame *frame) {
    static const struct { float kr, kb; } weights[] = {
        [FV_BT601] = {0.299f, 0.114f}, [FV_BT709] = {0.2126f, 0.0722f}, [FV_BT2020] = {0.2627f, 0.0593f}};
    float kr = weights[frame->matrix].kr, kb = weights[frame->matrix].kb, kg = 1 - kr - kb;
    return (fv_color){
        .y_offset = frame->full_range ? 0 : 16,
        .y_scale = frame->full_range ? 1 : 255.0f / 219,
        .c_scale = frame->full_range ? 1 : 255.0f / 224,
        .cr_r = 2 * (1 - kr),
        .cb_g = -2 * kb * (1 - kb) / kg,
        .cr_g = -2 * kr * (1 - kr) / kg,
        .cb_b = 2 * (1 - kb),
    };
}

fv_window fv_fit_window(const fv_input *input, const fv_fit *fit, const fv_frame *frame) {
    fv_window w = {.x0 = (int)fit->offset_x, .y0 = (int)fit->offset_y};
    w.x1 = w.x0 + (int)lroundf((float)frame->width * fit->scale_x);
    w.y1 = w.y0 + (int)lroundf((float)frame->height * fit->scale_y);
    w.x1 = w.x1 < input->width ? w.x1 : input->width;
    w.y1 = w.y1 < input->height ? w.y1 : input->height;
    return w;
}

static int clamp_int(int v, int hi) {
    return v < 0 ? 0 : v > hi ? hi : v;
}

// One byte of every pixel of a plane, read between its pixels.
static float sample(const fv_frame *f, int plane, int byte, float x, float y) {
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    int sx = row->plane[plane].sub_x, sy = row->plane[plane].sub_y, step = row->plane[plane].pixel_bytes;
    int w = (f->width + sx) >> sx, h = (f->height + sy) >> sy;
    x = sx ? (x + 0.5f) / 2 - 0.5f : x;
    y = sy ? (y + 0.5f) / 2 - 0.5f : y;
    x = fminf(fmaxf(x, 0), (float)(w - 1));
    y = fminf(fmaxf(y, 0), (float)(h - 1));
    int x0 = (int)x, y0 = (int)y, x1 = clamp_int(x0 + 1, w - 1), y1 = clamp_int(y0 + 1, h - 1);
    float fx = x - (float)x0, fy = y - (float)y0;
    const uint8_t *top = f->plane[plane] + (size_t)y0 * (size_t)f->stride[plane] + byte;
    const uint8_t *low = f->plane[plane] + (size_t)y1 * (size_t)f->stride[plane] + byte;
    float a = (float)top[x0 * step] * (1 - fx) + (float)top[x1 * step] * fx;
    float b = (float)low[x0 * step] * (1 - fx) + (float)low[x1 * step] * fx;
    return a * (1 - fy) + b * fy;
}

static void read_rgb(const fv_frame *f, const fv_color *c, float x, float y, float rgb[3]) {
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    if (row->r >= 0) {
        rgb[0] = sample(f, 0, row->r, x, y);
        rgb[1] = sample(f, 0, row->g, x, y);
        rgb[2] = sample(f, 0, row->b, x, y);
        return;
    }
    float luma = (sample(f, 0, 0, x, y) - c->y_offset) * c->y_scale, cb = 0, cr = 0;
    if (row->n_planes > 1) {
        bool pairs = row->n_planes == 2;
        cb = (sample(f, 1, 0, x, y) - 128) * c->c_scale;
        cr = (sample(f, pairs ? 1 : 2, pairs ? 1 : 0, x, y) - 128) * c->c_scale;
    }
    rgb[0] = luma + c->cr_r * cr;
    rgb[1] = luma + c->cb_g * cb + c->cr_g * cr;
    rgb[2] = luma + c->cb_b * cb;
    for (int i = 0; i < 3; i++)
        rgb[i] = fminf(fmaxf(rgb[i], 0), 255);
}

fv_fit fv_preprocess_reference(const fv_frame *frame, float par, const fv_input *input, float *out) {
    fv_fit fit = fv_fit_compute(input, frame->width, frame->height, par);
    fv_window w = fv_fit_window(input, &fit, frame);
    fv_color color = fv_color_compute(frame);
    size_t plane = (size_t)input->width * (size_t)input->height;
    for (int y = 0; y < input->height; y++) {
        for (int x = 0; x < input->width; x++) {
            float rgb[3] = {input->pad, input->pad, input->pad};
            if (x >= w.x0 && x < w.x1 && y >= w.y0 && y < w.y1)
                read_rgb(frame, &color, ((float)x + 0.5f - fit.offset_x) / fit.scale_x - 0.5f,
                         ((float)y + 0.5f - fit.offset_y) / fit.scale_y - 0.5f, rgb);
            size_t pixel = (size_t)y * (size_t)input->width + (size_t)x;
            for (size_t c = 0; c < 3; c++) {
                float v = (rgb[input->bgr ? 2 - c : c] - input->mean[c]) * input->scale[c];
                out[input->nhwc ? pixel * 3 + c : c * plane + pixel] = v;
            }
        }
    }
    return fit;
}
