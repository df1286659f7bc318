// fv_canvas_pixelate: what is inside a box becomes means over blocks, optionally blurred.
#include <math.h>
#include <stdlib.h>

#include "plugins/common/canvas.h"

// One plane's part of the box.
typedef struct {
    uint8_t *corner;
    int stride, bytes, w, h;
} area;

static void fill_block(const area *a, int x, int y, int w, int h) {
    for (int b = 0; b < a->bytes; b++) {
        unsigned sum = 0;
        uint8_t *p = a->corner + (ptrdiff_t)y * a->stride + x * a->bytes + b;
        for (int j = 0; j < h; j++)
            for (int i = 0; i < w; i++)
                sum += p[(ptrdiff_t)j * a->stride + i * a->bytes];
        uint8_t mean = (uint8_t)(sum / (unsigned)(w * h));
        for (int j = 0; j < h; j++)
            for (int i = 0; i < w; i++)
                p[(ptrdiff_t)j * a->stride + i * a->bytes] = mean;
    }
}

static void pixelate(const area *a, int block_w, int block_h) {
    for (int y = 0; y < a->h; y += block_h)
        for (int x = 0; x < a->w; x += block_w)
            fill_block(a, x, y, x + block_w < a->w ? block_w : a->w - x,
                       y + block_h < a->h ? block_h : a->h - y);
}

// Running mean over 2 * reach + 1 samples, `step` bytes apart; the ends are repeated.
static void mean_line(uint8_t *p, int n, ptrdiff_t step, int reach, uint8_t *copy) {
    for (int i = 0; i < n; i++)
        copy[i] = p[i * step];
    int sum = 0, width = 2 * reach + 1;
    for (int i = -reach; i <= reach; i++)
        sum += copy[i < 0 ? 0 : i >= n ? n - 1 : i];
    for (int i = 0; i < n; i++) {
        p[i * step] = (uint8_t)((sum + width / 2) / width);
        int out = i - reach, in = i + reach + 1;
        sum += copy[in >= n ? n - 1 : in] - copy[out < 0 ? 0 : out];
    }
}

static void smooth_area(const area *a, int reach_x, int reach_y, uint8_t *copy) {
    for (int pass = 0; pass < 2; pass++)
        for (int b = 0; b < a->bytes; b++) {
            for (int y = 0; y < a->h; y++)
                mean_line(a->corner + (ptrdiff_t)y * a->stride + b, a->w, a->bytes, reach_x, copy);
            for (int x = 0; x < a->w; x++)
                mean_line(a->corner + x * a->bytes + b, a->h, a->stride, reach_y, copy);
        }
}

void fv_canvas_pixelate(fv_canvas *c, fv_box box, int block, bool smooth) {
    const fv_frame *f = c->frame;
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    fv_box b = fv_box_clip(box, (float)f->width, (float)f->height);
    int x0 = (int)floorf(b.x), y0 = (int)floorf(b.y), x1 = (int)ceilf(b.x + b.w),
        y1 = (int)ceilf(b.y + b.h);
    if (x0 >= x1 || y0 >= y1)
        return;
    size_t longest = (size_t)(f->width > f->height ? f->width : f->height);
    uint8_t *copy = smooth ? malloc(longest) : NULL; // without it blocks keep their edges
    for (int p = 0; p < row->n_planes; p++) {
        int sx = row->plane[p].sub_x, sy = row->plane[p].sub_y, bytes = row->plane[p].pixel_bytes;
        int left = x0 >> sx, top = y0 >> sy;
        area a = {f->plane[p] + (ptrdiff_t)top * f->stride[p] + left * bytes, f->stride[p], bytes,
                  ((x1 + sx) >> sx) - left, ((y1 + sy) >> sy) - top};
        int block_w = block >> sx > 1 ? block >> sx : 1,
            block_h = block >> sy > 1 ? block >> sy : 1;
        pixelate(&a, block_w, block_h);
        if (copy)
            smooth_area(&a, block_w, block_h, copy);
    }
    free(copy);
}
