#include "pipeline/infer/preprocess_host.h"

#include <string.h>

#include "pipeline/base/arena.h"
#include "pipeline/infer/sight.h"

// One compilation for each width of vectors; the loader takes the best that the processor has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_UNDEFINED__) && !defined(__SANITIZE_THREAD__)
#define VECTORS __attribute__((target_clones("default", "avx2", "avx512f")))
#else
#define VECTORS
#endif

// Columns of the picture for the shown columns of the network: tap t of column x is at[t * n + x].
typedef struct {
    int n_taps;
    int *at;
    float *part;
} columns;

struct fv_host_preprocess {
    fv_arena *arena;
    fv_input input;
    fv_fit fit;
    fv_window window;
    fv_color color;
    fv_layout layout;
    int width, height;
    const fv_pixels_row *row;
    columns full, half;
    float *line;       // of a plane
    float *channel[3]; // of the network's input: red, green, blue; all of its width
    float *padding;
};

// ---- sweeps ----------------------------------------------------------------------------------------

VECTORS static void sweep_first(const uint8_t *restrict from, float part, float *restrict to, int n) {
    for (int i = 0; i < n; i++)
        to[i] = part * (float)from[i];
}

VECTORS static void sweep_add(const uint8_t *restrict from, float part, float *restrict to, int n) {
    for (int i = 0; i < n; i++)
        to[i] += part * (float)from[i];
}

VECTORS static void pick_first(const float *restrict line, const int *restrict at, const float *restrict part,
                               float *restrict to, int n) {
    for (int i = 0; i < n; i++)
        to[i] = part[i] * line[at[i]];
}

VECTORS static void pick_add(const float *restrict line, const int *restrict at, const float *restrict part,
                             float *restrict to, int n) {
    for (int i = 0; i < n; i++)
        to[i] += part[i] * line[at[i]];
}

static inline float clamped(float v) {
    v = v < 0 ? 0 : v;
    return v > 255 ? 255 : v;
}

// In: Y, Cb, Cr. Out: red, green, blue.
VECTORS static void colour(const fv_color *c, float *restrict r, float *restrict g, float *restrict b, int n) {
    float y_scale = c->y_scale, y_add = -c->y_offset * c->y_scale, cr_r = c->cr_r * c->c_scale;
    float cb_g = c->cb_g * c->c_scale, cr_g = c->cr_g * c->c_scale, cb_b = c->cb_b * c->c_scale;
    for (int i = 0; i < n; i++) {
        float y = r[i] * y_scale + y_add, cb = g[i] - 128, cr = b[i] - 128;
        r[i] = clamped(y + cr_r * cr);
        g[i] = clamped(y + cb_g * cb + cr_g * cr);
        b[i] = clamped(y + cb_b * cb);
    }
}

VECTORS static void store_four(const float *restrict a, const float *restrict b, const float *restrict c,
                               const fv_input *in, float *restrict to, int n) {
    float m0 = in->mean[0], m1 = in->mean[1], m2 = in->mean[2], s0 = in->scale[0], s1 = in->scale[1], s2 = in->scale[2];
    for (int i = 0; i < n; i++) {
        to[4 * i] = (a[i] - m0) * s0;
        to[4 * i + 1] = (b[i] - m1) * s1;
        to[4 * i + 2] = (c[i] - m2) * s2;
        to[4 * i + 3] = 0;
    }
}

VECTORS void fv_host_interleave(const float *const channel[4], float *restrict to, int n) {
    const float *a = channel[0], *b = channel[1], *c = channel[2], *d = channel[3];
    for (int i = 0; i < n; i++) {
        to[4 * i] = a[i];
        to[4 * i + 1] = b[i];
        to[4 * i + 2] = c[i];
        to[4 * i + 3] = d[i];
    }
}

VECTORS static void store_apart(const float *restrict from, float mean, float scale, int step, float *restrict to, int n) {
    for (int i = 0; i < n; i++)
        to[i * step] = (from[i] - mean) * scale;
}

// ---- lines -----------------------------------------------------------------------------------------

// The rows of a plane that row y of the network sees, as one line.
static void blend_rows(const fv_host_preprocess *h, const fv_frame *f, int plane, int y) {
    int sx = h->row->plane[plane].sub_x, sy = h->row->plane[plane].sub_y;
    int n = ((f->width + sx) >> sx) * h->row->plane[plane].pixel_bytes;
    float centre = ((float)y + 0.5f - h->fit.offset_y) / h->fit.scale_y - 0.5f;
    fv_sight s = fv_sight_look(centre, h->fit.scale_y, h->input.filter, (f->height + sy) >> sy, sy);
    bool first = true;
    for (int k = 0; k < s.count; k++) {
        float part = fv_sight_share(&s, k);
        if (part <= 0)
            continue;
        const uint8_t *from = f->plane[plane] + (ptrdiff_t)fv_sight_place(&s, k) * f->stride[plane];
        (first ? sweep_first : sweep_add)(from, part, h->line, n);
        first = false;
    }
}

static void pick(const fv_host_preprocess *h, const columns *c, int byte, float *channel) {
    int n = h->window.x1 - h->window.x0;
    for (int t = 0; t < c->n_taps; t++)
        (t ? pick_add : pick_first)(h->line + byte, c->at + t * n, c->part + t * n, channel + h->window.x0, n);
}

static void read_line(const fv_host_preprocess *h, const fv_frame *f, int y) {
    const fv_pixels_row *row = h->row;
    int n = h->window.x1 - h->window.x0;
    float *const *v = h->channel;
    const int byte[] = {row->r, row->g, row->b};
    blend_rows(h, f, 0, y);
    if (row->r >= 0) {
        for (int c = 0; c < 3; c++)
            pick(h, &h->full, byte[c], v[c]);
        return;
    }
    pick(h, &h->full, 0, v[0]);
    for (int c = 1; c < 3 && row->n_planes == 1; c++)
        for (int x = 0; x < n; x++)
            v[c][h->window.x0 + x] = 128;
    for (int p = 1; p < row->n_planes; p++) {
        blend_rows(h, f, p, y);
        pick(h, &h->half, 0, v[p]);
        if (row->n_planes == 2)
            pick(h, &h->half, 1, v[2]);
    }
    colour(&h->color, v[0] + h->window.x0, v[1] + h->window.x0, v[2] + h->window.x0, n);
}

static void store_line(const fv_host_preprocess *h, const float *const v[3], int y, float *out) {
    const fv_input *in = &h->input;
    size_t n = (size_t)in->width, plane = n * (size_t)in->height, pixel = (size_t)y * n;
    if (h->layout == FV_LAYOUT_FOUR)
        store_four(v[0], v[1], v[2], in, out + 4 * pixel, in->width);
    for (size_t c = 0; c < 3 && h->layout != FV_LAYOUT_FOUR; c++) {
        bool planes = h->layout == FV_LAYOUT_PLANES;
        store_apart(v[c], in->mean[c], in->scale[c], planes ? 1 : 3, out + (planes ? c * plane + pixel : 3 * pixel + c),
                    in->width);
    }
}

void fv_host_preprocess_run(const fv_host_preprocess *h, const fv_frame *frame, float *out) {
    const float *shown[] = {h->channel[h->input.bgr ? 2 : 0], h->channel[1], h->channel[h->input.bgr ? 0 : 2]};
    const float *around[] = {h->padding, h->padding, h->padding};
    for (int y = 0; y < h->input.height; y++) {
        bool in_picture = y >= h->window.y0 && y < h->window.y1;
        if (in_picture)
            read_line(h, frame, y);
        store_line(h, in_picture ? shown : around, y, out);
    }
}

// ---- tables ----------------------------------------------------------------------------------------

static columns make_columns(const fv_host_preprocess *h, int n_samples, bool half_size, int step) {
    int n = h->window.x1 - h->window.x0;
    fv_sight widest = fv_sight_look(0, h->fit.scale_x, h->input.filter, n_samples, half_size);
    columns c = {.at = FV_ARENA_NEW(h->arena, int, widest.count * n + 1),
                 .part = FV_ARENA_NEW(h->arena, float, widest.count * n + 1)};
    for (int t = 0; t < widest.count; t++) {
        bool used = c.n_taps == 0;
        for (int x = 0; x < n; x++) {
            float centre = ((float)(h->window.x0 + x) + 0.5f - h->fit.offset_x) / h->fit.scale_x - 0.5f;
            fv_sight s = fv_sight_look(centre, h->fit.scale_x, h->input.filter, n_samples, half_size);
            c.at[c.n_taps * n + x] = fv_sight_place(&s, t) * step;
            c.part[c.n_taps * n + x] = fv_sight_share(&s, t);
            used = used || c.part[c.n_taps * n + x] > 0;
        }
        c.n_taps += used; // what no column sees is left out
    }
    return c;
}

fv_host_preprocess *fv_host_preprocess_create(const fv_frame *like, const fv_fit *fit, const fv_input *input,
                                              fv_layout layout) {
    fv_arena *arena = fv_arena_create();
    fv_host_preprocess *h = FV_ARENA_NEW(arena, fv_host_preprocess, 1);
    *h = (fv_host_preprocess){.arena = arena, .input = *input, .fit = *fit, .layout = layout,
                              .window = fv_fit_window(input, fit, like), .color = fv_color_compute(like),
                              .width = like->width, .height = like->height, .row = &fv_pixels_rows[like->format]};
    h->full = make_columns(h, like->width, false, h->row->plane[0].pixel_bytes);
    if (h->row->n_planes > 1)
        h->half = make_columns(h, (like->width + 1) / 2, true, h->row->plane[1].pixel_bytes);
    h->line = FV_ARENA_NEW(arena, float, 4 * like->width + 16);
    h->padding = FV_ARENA_NEW(arena, float, input->width);
    for (int x = 0; x < input->width; x++)
        h->padding[x] = input->pad;
    for (int c = 0; c < 3; c++)
        h->channel[c] = fv_arena_memdup(arena, h->padding, sizeof(float) * (size_t)input->width);
    return h;
}

void fv_host_preprocess_destroy(fv_host_preprocess **h) {
    fv_arena *arena = *h ? (*h)->arena : NULL;
    *h = NULL;
    fv_arena_destroy(&arena);
}
