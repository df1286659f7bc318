#include "pipeline/infer/preprocess.h"

#include <math.h>

#include "pipeline/infer/sight.h"

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

int fv_taps(fv_filter filter, float scale) {
    return filter == FV_FILTER_BILINEAR || scale >= 1 ? 0 : (int)ceilf(1 / scale - 1e-3f) + 1;
}

// How a network pixel is read from a frame.
typedef struct {
    const fv_frame *frame;
    fv_filter filter;
    float x, y, scale_x, scale_y;
} reading;

// One byte of the pixels of a plane.
static float sample(const reading *r, int plane, int byte) {
    const fv_frame *f = r->frame;
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    int sx = row->plane[plane].sub_x, sy = row->plane[plane].sub_y;
    fv_sight x = fv_sight_look(r->x, r->scale_x, r->filter, (f->width + sx) >> sx, sx);
    fv_sight y = fv_sight_look(r->y, r->scale_y, r->filter, (f->height + sy) >> sy, sy);
    float sum = 0;
    for (int j = 0; j < y.count; j++) {
        const uint8_t *line = f->plane[plane] + (size_t)fv_sight_place(&y, j) * (size_t)f->stride[plane] + byte;
        float line_sum = 0;
        for (int i = 0; i < x.count; i++)
            line_sum += fv_sight_share(&x, i) * (float)line[fv_sight_place(&x, i) * row->plane[plane].pixel_bytes];
        sum += fv_sight_share(&y, j) * line_sum;
    }
    return sum;
}

static void read_rgb(const reading *r, const fv_color *c, float rgb[3]) {
    const fv_pixels_row *row = &fv_pixels_rows[r->frame->format];
    if (row->r >= 0) {
        rgb[0] = sample(r, 0, row->r);
        rgb[1] = sample(r, 0, row->g);
        rgb[2] = sample(r, 0, row->b);
        return;
    }
    float luma = (sample(r, 0, 0) - c->y_offset) * c->y_scale, cb = 0, cr = 0;
    if (row->n_planes > 1) {
        bool pairs = row->n_planes == 2;
        cb = (sample(r, 1, 0) - 128) * c->c_scale;
        cr = (sample(r, pairs ? 1 : 2, pairs ? 1 : 0) - 128) * c->c_scale;
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
    reading r = {.frame = frame, .filter = input->filter, .scale_x = fit.scale_x, .scale_y = fit.scale_y};
    size_t plane = (size_t)input->width * (size_t)input->height;
    for (int y = 0; y < input->height; y++) {
        for (int x = 0; x < input->width; x++) {
            float rgb[3] = {input->pad, input->pad, input->pad};
            if (x >= w.x0 && x < w.x1 && y >= w.y0 && y < w.y1) {
                r.x = ((float)x + 0.5f - fit.offset_x) / fit.scale_x - 0.5f;
                r.y = ((float)y + 0.5f - fit.offset_y) / fit.scale_y - 0.5f;
                read_rgb(&r, &color, rgb);
            }
            size_t pixel = (size_t)y * (size_t)input->width + (size_t)x;
            for (size_t c = 0; c < 3; c++) {
                float v = (rgb[input->bgr ? 2 - c : c] - input->mean[c]) * input->scale[c];
                out[input->nhwc ? pixel * 3 + c : c * plane + pixel] = v;
            }
        }
    }
    return fit;
}
