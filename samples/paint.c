#include "samples/paint.h"

#include <math.h>

static float clamp(float v, float lo, float hi) {
    return fminf(fmaxf(v, lo), hi);
}

colour colour_mix(colour a, colour b, float t) {
    return (colour){a.r + (b.r - a.r) * t, a.g + (b.g - a.g) * t, a.b + (b.b - a.b) * t};
}

brush brush_begin(picture *p, uint16_t owner, float light) {
    return (brush){.picture = p, .owner = owner, .x0 = 1e9f, .y0 = 1e9f, .x1 = -1e9f, .y1 = -1e9f, .light = light};
}

static void extend(brush *b, float x0, float y0, float x1, float y1) {
    b->x0 = fminf(b->x0, x0), b->y0 = fminf(b->y0, y0);
    b->x1 = fmaxf(b->x1, x1), b->y1 = fmaxf(b->y1, y1);
}

static void dab(brush *b, int x, int y, float coverage, colour c, float shade) {
    picture *p = b->picture;
    int i = y * p->width + x;
    float k = shade * b->light;
    p->pixel[i] = colour_mix(p->pixel[i], (colour){c.r * k, c.g * k, c.b * k}, coverage);
    if (coverage <= 0.5f || p->owner[i] == b->owner)
        return;
    p->owner[i] = b->owner;
    b->covered++;
}

typedef struct {
    int x0, y0, x1, y1;
} span;

static span inside(const picture *p, float x0, float y0, float x1, float y1) {
    return (span){(int)clamp(floorf(x0 - 1), 0, (float)p->width), (int)clamp(floorf(y0 - 1), 0, (float)p->height),
                  (int)clamp(ceilf(x1 + 1), 0, (float)p->width), (int)clamp(ceilf(y1 + 1), 0, (float)p->height)};
}

void paint_limb(brush *b, float ax, float ay, float bx, float by, float ra, float rb, colour c) {
    float x0 = fminf(ax - ra, bx - rb), y0 = fminf(ay - ra, by - rb);
    float x1 = fmaxf(ax + ra, bx + rb), y1 = fmaxf(ay + ra, by + rb);
    extend(b, x0, y0, x1, y1);
    span s = inside(b->picture, x0, y0, x1, y1);
    float dx = bx - ax, dy = by - ay, length2 = dx * dx + dy * dy + 1e-6f;
    for (int y = s.y0; y < s.y1; y++)
        for (int x = s.x0; x < s.x1; x++) {
            float px = (float)x + 0.5f - ax, py = (float)y + 0.5f - ay;
            float t = clamp((px * dx + py * dy) / length2, 0, 1), r = ra + (rb - ra) * t;
            float nx = (px - t * dx) / r, ny = (py - t * dy) / r, n2 = nx * nx + ny * ny;
            float coverage = clamp(0.5f + r - sqrtf(n2) * r, 0, 1);
            if (coverage <= 0)
                continue;
            float nz = sqrtf(fmaxf(0, 1 - n2));
            dab(b, x, y, coverage, c, 0.62f + 0.42f * clamp(-0.5f * nx - 0.55f * ny + 0.67f * nz, -0.4f, 1));
        }
}

// Distance to the outline, negative inside (even-odd rule).
static float polygon_distance(const float (*v)[2], int n, float x, float y) {
    float best = 1e9f;
    int in = 0;
    for (int i = 0, j = n - 1; i < n; j = i++) {
        float ex = v[j][0] - v[i][0], ey = v[j][1] - v[i][1], px = x - v[i][0], py = y - v[i][1];
        float t = clamp((px * ex + py * ey) / (ex * ex + ey * ey + 1e-9f), 0, 1);
        best = fminf(best, hypotf(px - ex * t, py - ey * t));
        if ((v[i][1] > y) != (v[j][1] > y) && x < ex * (y - v[i][1]) / ey + v[i][0])
            in = !in;
    }
    return in ? -best : best;
}

void paint_polygon(brush *b, const float (*v)[2], int n, float round, colour c, float slope) {
    float x0 = 1e9f, y0 = 1e9f, x1 = -1e9f, y1 = -1e9f;
    for (int i = 0; i < n; i++) {
        x0 = fminf(x0, v[i][0] - round), y0 = fminf(y0, v[i][1] - round);
        x1 = fmaxf(x1, v[i][0] + round), y1 = fmaxf(y1, v[i][1] + round);
    }
    extend(b, x0, y0, x1, y1);
    span s = inside(b->picture, x0, y0, x1, y1);
    for (int y = s.y0; y < s.y1; y++)
        for (int x = s.x0; x < s.x1; x++) {
            float coverage = clamp(0.5f + round - polygon_distance(v, n, (float)x + 0.5f, (float)y + 0.5f), 0, 1);
            if (coverage > 0)
                dab(b, x, y, coverage, c, 1 + slope * (0.5f - ((float)y - y0) / (y1 - y0 + 1)));
        }
}

void paint_rectangle(brush *b, float x0, float y0, float x1, float y1, colour c, float slope) {
    paint_polygon(b, (const float[][2]){{x0, y0}, {x1, y0}, {x1, y1}, {x0, y1}}, 4, 0, c, slope);
}

void paint_shadow(picture *p, float cx, float cy, float rx, float ry, float strength) {
    span s = inside(p, cx - rx, cy - ry, cx + rx, cy + ry);
    for (int y = s.y0; y < s.y1; y++)
        for (int x = s.x0; x < s.x1; x++) {
            float nx = ((float)x + 0.5f - cx) / rx, ny = ((float)y + 0.5f - cy) / ry;
            float k = 1 - strength * clamp(1.3f * (1 - nx * nx - ny * ny), 0, 1);
            colour *c = &p->pixel[y * p->width + x];
            *c = (colour){c->r * k, c->g * k, c->b * k};
        }
}
