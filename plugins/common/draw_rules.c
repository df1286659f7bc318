#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plugins/common/draw_priv.h"

enum { MAX_POINTS = 64 };
static const int64_t FLASH_NS = 600 * INT64_C(1000000);

// The rule's points in pixels of this picture.
static int place(const fv_drawer *d, const fv_rule *r, float point[MAX_POINTS][2]) {
    int n = r->n_points < MAX_POINTS ? r->n_points : MAX_POINTS;
    float x = r->relative ? (float)d->canvas.frame->width : 1,
          y = r->relative ? (float)d->canvas.frame->height : 1;
    for (int i = 0; i < n; i++)
        point[i][0] = r->point[i][0] * x, point[i][1] = r->point[i][1] * y;
    return n;
}

static void flash(fv_drawer *d, int i, const fv_event *e) {
    if (!e->rule || strcmp(e->rule, d->rules->v[i].name))
        return;
    d->views[i].flash_ns = d->now_ns;
    d->views[i].has_flash = true;
}

// 1 at the moment of an event, 0 soon after it.
static float glow(const fv_drawer *d, const fv_rule_view *v) {
    int64_t since = d->now_ns - v->flash_ns;
    return v->has_flash && since >= 0 && since < FLASH_NS ? 1 - (float)since / (float)FLASH_NS : 0;
}

static fv_colour rule_colour(const fv_drawer *d, int i) {
    // Of the palette: amber, cyan, violet, mint, orange, pink.
    static const int order[] = {3, 5, 4, 2, 8, 6};
    return fv_palette_get((uint64_t)order[i % 6], d->style.opacity);
}

// A small arrow across the middle of a line: which way is "in" (left to right, seen along the
// line).
static void draw_arrow(fv_drawer *d, const float (*p)[2], int n, fv_colour c) {
    int k = (n - 1) / 2;
    float dx = p[k + 1][0] - p[k][0], dy = p[k + 1][1] - p[k][1], length = hypotf(dx, dy);
    if (length < 1)
        return;
    dx /= length, dy /= length;
    float mx = (p[k][0] + p[k + 1][0]) / 2, my = (p[k][1] + p[k + 1][1]) / 2, s = 9 * d->unit;
    float nx = -dy, ny = dx; // right of the line in a picture whose y grows downwards
    float head[3][2] = {{mx + nx * 2.2f * s, my + ny * 2.2f * s},
                        {mx - dx * s + nx * s * 0.6f, my - dy * s + ny * s * 0.6f},
                        {mx + dx * s + nx * s * 0.6f, my + dy * s + ny * s * 0.6f}};
    fv_canvas_polygon(&d->canvas, (const float(*)[2])head, 3, c);
}

static void draw_rule(fv_drawer *d, int i) {
    const fv_rule *r = &d->rules->v[i];
    float point[MAX_POINTS][2], shine = glow(d, &d->views[i]);
    int n = place(d, r, point);
    const float (*p)[2] = (const float(*)[2])point;
    fv_colour c = rule_colour(d, i), shade = {0, 0, 0, (uint8_t)(c.a / 3)}, tint = c;
    float line = fmaxf(1.5f, (2.4f + 2 * shine) * d->unit);
    bool zone = r->kind == FV_RULE_ZONE;
    if (n < 2 || r->kind == FV_RULE_WHEN)
        return;
    tint.a = (uint8_t)((float)c.a * (0.10f + 0.15f * shine));
    if (zone)
        fv_canvas_polygon(&d->canvas, p, n, tint);
    fv_canvas_polyline(&d->canvas, p, n, zone, line + 2 * d->unit, 1, shade);
    fv_canvas_polyline(&d->canvas, p, n, zone, line, 1, c);
    if (!zone)
        draw_arrow(d, p, n, c);
}

void fv_rules_draw(fv_drawer *d, const fv_event *events, int n_events) {
    for (int i = 0; d->rules && i < d->rules->n; i++) {
        for (int k = 0; k < n_events; k++)
            flash(d, i, &events[k]);
        if (d->style.rules)
            draw_rule(d, i);
    }
}

static void draw_rule_tag(fv_drawer *d, int i) {
    const fv_rule *r = &d->rules->v[i];
    const fv_rule_view *v = &d->views[i];
    float p[MAX_POINTS][2];
    int n = place(d, r, p), size[2], px = fv_font_px(d, 1), top = 0;
    if (r->kind == FV_RULE_WHEN || (n < 2 && r->kind == FV_RULE_LINE))
        return;
    char text[2][64];
    const char *const *way = r->direction_names;
    snprintf(text[0], sizeof text[0], "%s %llu", way[0] ? way[0] : "in",
             (unsigned long long)v->count.crossed[0]);
    snprintf(text[1], sizeof text[1], "%s %llu", way[1] ? way[1] : "out",
             (unsigned long long)v->count.crossed[1]);
    if (r->kind == FV_RULE_ZONE)
        snprintf(text[0], sizeof text[0], "%d", v->count.inside);
    fv_tag_piece pieces[] = {{r->name, 180}, {text[0], 255}, {text[1], 255}};
    int n_pieces = r->kind == FV_RULE_ZONE ? 2 : 3;
    fv_tag_size(d, pieces, n_pieces, px, size);
    for (int k = 1; k < n; k++) // at the highest point
        top = p[k][1] < p[top][1] ? k : top;
    int x = n ? (int)lrintf(p[top][0]) : size[1] / 2, y = n ? (int)lrintf(p[top][1]) : size[1] / 2;
    int max_x = d->canvas.frame->width - size[0], max_y = d->canvas.frame->height - size[1];
    x = x > max_x ? max_x : x, y = y - size[1] / 2 > max_y ? max_y : y - size[1] / 2;
    fv_tag_draw(d, pieces, n_pieces, px, x < 0 ? 0 : x, y < 0 ? 0 : y, rule_colour(d, i));
}

void fv_rules_draw_tags(fv_drawer *d) {
    for (int i = 0; d->rules && d->style.rules && i < d->rules->n; i++)
        draw_rule_tag(d, i);
}
