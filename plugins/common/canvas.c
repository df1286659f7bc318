#include "plugins/common/canvas.h"

#include <math.h>
#include <string.h>

enum { TILE = 16, MAX_ROW = 256 };

#define MIN2(a, b) ((a) < (b) ? (a) : (b))
#define MAX2(a, b) ((a) > (b) ? (a) : (b))

// ---- colours -----------------------------------------------------------------------------------

// What is written into the bytes of one pixel of one plane.
typedef struct {
    uint8_t v[4];
} ink;

static uint8_t byte_of(float v) {
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : lrintf(v));
}

// ITU-R BT.601, BT.709, BT.2020: Y' from kr, kb; Cb and Cr from the differences.
static void ycbcr(const fv_frame *f, fv_colour c, uint8_t out[3]) {
    static const float weights[][2] = {[FV_BT601] = {0.299f, 0.114f},
                                       [FV_BT709] = {0.2126f, 0.0722f},
                                       [FV_BT2020] = {0.2627f, 0.0593f}};
    float kr = weights[f->matrix][0], kb = weights[f->matrix][1];
    float y = kr * c.r + (1 - kr - kb) * c.g + kb * c.b;
    float cb = (c.b - y) / (2 * (1 - kb)), cr = (c.r - y) / (2 * (1 - kr));
    float luma = f->full_range ? 1 : 219 / 255.0f, chroma = f->full_range ? 1 : 224 / 255.0f;
    out[0] = byte_of(y * luma + (f->full_range ? 0 : 16));
    out[1] = byte_of(cb * chroma + 128);
    out[2] = byte_of(cr * chroma + 128);
}

static void inks_of(const fv_frame *f, fv_colour c, ink inks[3]) {
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    if (row->r >= 0) {
        // What is drawn is opaque where the picture has alpha.
        memset(inks[0].v, 255, sizeof inks[0].v);
        inks[0].v[row->r] = c.r, inks[0].v[row->g] = c.g, inks[0].v[row->b] = c.b;
        return;
    }
    uint8_t yuv[3];
    ycbcr(f, c, yuv);
    int next = 0;
    for (int p = 0; p < row->n_planes; p++)
        for (int i = 0; i < row->plane[p].pixel_bytes; i++)
            inks[p].v[i] = yuv[next++];
}

// ---- the one operation -------------------------------------------------------------------------

static inline void blend(uint8_t *d, const uint8_t *alpha, int n, int bytes, ink k) {
    for (int i = 0; i < n; i++, d += bytes) {
        int a = alpha[i];
        for (int b = 0; a && b < bytes; b++) {
            int v = d[b] * (255 - a) + k.v[b] * a + 128;
            d[b] = (uint8_t)((v + (v >> 8)) >> 8);
        }
    }
}

static void blend_1(uint8_t *d, const uint8_t *alpha, int n, ink k) { blend(d, alpha, n, 1, k); }
static void blend_2(uint8_t *d, const uint8_t *alpha, int n, ink k) { blend(d, alpha, n, 2, k); }
static void blend_3(uint8_t *d, const uint8_t *alpha, int n, ink k) { blend(d, alpha, n, 3, k); }
static void blend_4(uint8_t *d, const uint8_t *alpha, int n, ink k) { blend(d, alpha, n, 4, k); }

static void (*const blend_rows[])(uint8_t *, const uint8_t *, int, ink) = {NULL, blend_1, blend_2,
                                                                           blend_3, blend_4};

// A rectangle of coverage, clipped to the picture. `mask` NULL is 255 everywhere.
typedef struct {
    const uint8_t *mask;
    int stride, x, y, w, h, opacity;
} cover;

static void scale_row(uint8_t *v, int n, int opacity) {
    for (int i = 0; opacity < 255 && i < n; i++)
        v[i] = (uint8_t)((v[i] * opacity + 127) / 255);
}

// Coverage of n pixels of a plane from column `column` in row `row`: here every pixel is the
// picture's.
static void cover_whole(const cover *m, int column, int row, int n, uint8_t *out) {
    if (m->mask)
        memcpy(out, m->mask + (row - m->y) * m->stride + column - m->x, (size_t)n);
    else
        memset(out, 255, (size_t)n);
    scale_row(out, n, m->opacity);
}

// The same for a subsampled plane, column and row its own: the mean over the picture's pixels that
// the plane's pixel stands for.
static void cover_mean(const cover *m, const fv_frame *f, int sub_x, int sub_y, int column, int row,
                       int n, uint8_t *out) {
    int y0 = row << sub_y, y1 = MIN2((row + 1) << sub_y, f->height);
    for (int i = 0; i < n; i++) {
        int x0 = (column + i) << sub_x, x1 = MIN2((column + i + 1) << sub_x, f->width), sum = 0;
        int count = (x1 - x0) * (y1 - y0);
        for (int y = MAX2(y0, m->y); y < MIN2(y1, m->y + m->h); y++)
            for (int x = MAX2(x0, m->x); x < MIN2(x1, m->x + m->w); x++)
                sum += m->mask ? m->mask[(y - m->y) * m->stride + x - m->x] : 255;
        out[i] = (uint8_t)(count == 4 ? (sum + 2) >> 2 : sum / count);
    }
    scale_row(out, n, m->opacity);
}

static void cover_plane(const cover *m, const fv_frame *f, int p, ink k) {
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    int sx = row->plane[p].sub_x, sy = row->plane[p].sub_y, bytes = row->plane[p].pixel_bytes;
    int x0 = m->x >> sx, x1 = (m->x + m->w + (1 << sx) - 1) >> sx;
    int y0 = m->y >> sy, y1 = (m->y + m->h + (1 << sy) - 1) >> sy;
    uint8_t alpha[MAX_ROW];
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x += MAX_ROW) {
            int n = MIN2(MAX_ROW, x1 - x);
            if (sx || sy)
                cover_mean(m, f, sx, sy, x, y, n, alpha);
            else
                cover_whole(m, x, y, n, alpha);
            blend_rows[bytes](f->plane[p] + (ptrdiff_t)y * f->stride[p] + x * bytes, alpha, n, k);
        }
}

void fv_canvas_mask(fv_canvas *c, const uint8_t *mask, int stride, int x, int y, int w, int h,
                    fv_colour colour) {
    const fv_frame *f = c->frame;
    int x0 = MAX2(x, 0), y0 = MAX2(y, 0), x1 = MIN2(x + w, f->width), y1 = MIN2(y + h, f->height);
    if (x0 >= x1 || y0 >= y1 || !colour.a)
        return;
    const uint8_t *corner = mask ? mask + (y0 - y) * stride + (x0 - x) : NULL;
    cover m = {corner, stride, x0, y0, x1 - x0, y1 - y0, colour.a};
    ink inks[3];
    inks_of(f, colour, inks);
    for (int p = 0; p < fv_pixels_rows[f->format].n_planes; p++)
        cover_plane(&m, f, p, inks[p]);
}

void fv_canvas_rect(fv_canvas *c, int x, int y, int w, int h, fv_colour colour) {
    fv_canvas_mask(c, NULL, 0, x, y, w, h, colour);
}

// ---- shapes ------------------------------------------------------------------------------------

// Signed distance of a place to the border, negative inside; *fade (1 before) may be lowered.
typedef float (*distance)(const void *shape, float x, float y, float *fade);

static void tile(fv_canvas *c, distance d, const void *shape, int x, int y, int w, int h,
                 fv_colour colour) {
    float reach = 0.5f * sqrtf((float)(w * w + h * h)) + 1, fade = 1;
    float middle = d(shape, (float)x + 0.5f * (float)w, (float)y + 0.5f * (float)h, &fade);
    if (middle > reach)
        return;
    if (middle < -reach && fade >= 1) {
        fv_canvas_rect(c, x, y, w, h, colour);
        return;
    }
    uint8_t mask[TILE * TILE];
    for (int j = 0; j < h; j++)
        for (int i = 0; i < w; i++) {
            fade = 1;
            float a = 0.5f - d(shape, (float)(x + i) + 0.5f, (float)(y + j) + 0.5f, &fade);
            mask[j * TILE + i] = (uint8_t)(255 * fade * (a < 0 ? 0 : a > 1 ? 1 : a) + 0.5f);
        }
    fv_canvas_mask(c, mask, TILE, x, y, w, h, colour);
}

// Tiles start at multiples of TILE, so that no subsampled pixel belongs to two of them.
static void draw(fv_canvas *c, distance d, const void *shape, fv_box bounds, fv_colour colour) {
    fv_box b = fv_box_clip((fv_box){bounds.x - 1, bounds.y - 1, bounds.w + 2, bounds.h + 2},
                           (float)c->frame->width, (float)c->frame->height);
    int x1 = (int)ceilf(b.x + b.w), y1 = (int)ceilf(b.y + b.h);
    for (int y = (int)b.y; y < y1; y = y / TILE * TILE + TILE)
        for (int x = (int)b.x; x < x1; x = x / TILE * TILE + TILE)
            tile(c, d, shape, x, y, MIN2(x / TILE * TILE + TILE, x1) - x,
                 MIN2(y / TILE * TILE + TILE, y1) - y, colour);
}

typedef struct {
    float cx, cy, half_w, half_h, radius, line; // line 0: filled
} round_shape;

static float round_distance(const void *shape, float x, float y, float *fade) {
    (void)fade;
    const round_shape *s = shape;
    float qx = fabsf(x - s->cx) - s->half_w + s->radius,
          qy = fabsf(y - s->cy) - s->half_h + s->radius;
    float inner = MIN2(MAX2(qx, qy), 0);
    float px = MAX2(qx, 0), py = MAX2(qy, 0);
    float d = (px > 0 && py > 0 ? sqrtf(px * px + py * py) : px + py) + inner - s->radius;
    return s->line > 0 ? MAX2(d, -d - s->line) : d;
}

static round_shape round_of(fv_box b, float radius, float line) {
    float half_w = b.w / 2, half_h = b.h / 2;
    return (round_shape){
        b.x + half_w, b.y + half_h, half_w, half_h, fminf(radius, fminf(half_w, half_h)), line};
}

void fv_canvas_round_rect(fv_canvas *c, fv_box box, float radius, fv_colour colour) {
    if (box.w <= 0 || box.h <= 0)
        return;
    round_shape s = round_of(box, radius, 0);
    draw(c, round_distance, &s, box, colour);
}

void fv_canvas_outline(fv_canvas *c, fv_box box, float radius, float line, fv_colour colour) {
    if (box.w <= 0 || box.h <= 0)
        return;
    round_shape s = round_of(box, radius, line);
    draw(c, round_distance, &s, box, colour);
}

void fv_canvas_disc(fv_canvas *c, float x, float y, float radius, fv_colour colour) {
    fv_canvas_round_rect(c, (fv_box){x - radius, y - radius, 2 * radius, 2 * radius}, radius,
                         colour);
}

typedef struct {
    const float (*point)[2];
    int n;
    bool closed;
    float half, fade;
} poly_shape;

static fv_box poly_bounds(const poly_shape *s) {
    float lo[2] = {INFINITY, INFINITY}, hi[2] = {-INFINITY, -INFINITY};
    for (int i = 0; i < s->n; i++)
        for (int k = 0; k < 2; k++) {
            lo[k] = fminf(lo[k], s->point[i][k] - s->half);
            hi[k] = fmaxf(hi[k], s->point[i][k] + s->half);
        }
    return (fv_box){lo[0], lo[1], hi[0] - lo[0], hi[1] - lo[1]};
}

// Squared distance to segment i (to the next point), and how far along it the nearest place is,
// 0..1.
static inline float segment_distance2(const poly_shape *s, int i, float x, float y, float *along) {
    const float *a = s->point[i], *b = s->point[(i + 1) % s->n];
    float dx = b[0] - a[0], dy = b[1] - a[1], length2 = dx * dx + dy * dy;
    float t = length2 > 0 ? ((x - a[0]) * dx + (y - a[1]) * dy) / length2 : 0;
    *along = t = t < 0 ? 0 : t > 1 ? 1 : t;
    float ex = x - a[0] - t * dx, ey = y - a[1] - t * dy;
    return ex * ex + ey * ey;
}

static float polyline_distance(const void *shape, float x, float y, float *fade) {
    const poly_shape *s = shape;
    float best = INFINITY, where = 0;
    int n = s->closed ? s->n : s->n - 1;
    for (int i = 0; i < n; i++) {
        float t, d = segment_distance2(s, i, x, y, &t);
        if (d < best)
            best = d, where = ((float)i + t) / (float)n;
    }
    *fade = s->fade + (1 - s->fade) * where;
    return sqrtf(best) - s->half;
}

void fv_canvas_polyline(fv_canvas *c, const float (*point)[2], int n, bool closed, float line,
                        float fade, fv_colour colour) {
    poly_shape s = {point, n, closed && n > 2, line / 2, fade};
    if (n >= 2)
        draw(c, polyline_distance, &s, poly_bounds(&s), colour);
}

// Inside by crossings of a ray to the right (even-odd).
static float polygon_distance(const void *shape, float x, float y, float *fade) {
    const poly_shape *s = shape;
    (void)fade;
    float best = INFINITY, t;
    bool inside = false;
    for (int i = 0; i < s->n; i++) {
        const float *a = s->point[i], *b = s->point[(i + 1) % s->n];
        float d = segment_distance2(s, i, x, y, &t);
        best = d < best ? d : best;
        if ((a[1] > y) != (b[1] > y) && x < a[0] + (b[0] - a[0]) * (y - a[1]) / (b[1] - a[1]))
            inside = !inside;
    }
    return inside ? -sqrtf(best) : sqrtf(best);
}

void fv_canvas_polygon(fv_canvas *c, const float (*point)[2], int n, fv_colour colour) {
    poly_shape s = {point, n, true, 0, 1};
    if (n >= 3)
        draw(c, polygon_distance, &s, poly_bounds(&s), colour);
}
