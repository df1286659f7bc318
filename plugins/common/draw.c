#include "plugins/common/draw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/draw_priv.h"

static const char *const colour_by_names[] = {"class", "id", NULL};

const fv_option fv_draw_options[] = {
    FV_OPTION_BOOL(fv_draw_style, boxes, "boxes", true, "outlines of objects"),
    FV_OPTION_BOOL(fv_draw_style, labels, "labels", true, "class names"),
    FV_OPTION_BOOL(fv_draw_style, ids, "ids", true, "track ids"),
    FV_OPTION_BOOL(fv_draw_style, scores, "scores", true, "scores in percent"),
    FV_OPTION_BOOL(fv_draw_style, trails, "trails", false, "where each track came from"),
    FV_OPTION_BOOL(fv_draw_style, rules, "show-rules", true, "lines and zones with their counts"),
    FV_OPTION_BOOL(fv_draw_style, tentative, "tentative", false,
                   "also tracks that are too young for an id"),
    FV_OPTION_FLOAT(fv_draw_style, scale, "scale", 0.25, 8, 1,
                    "size of lines and letters, on top of the picture's height"),
    FV_OPTION_FLOAT(fv_draw_style, opacity, "opacity", 0, 1, 1, "of all that is drawn"),
    FV_OPTION_FLOAT(fv_draw_style, fill, "fill", 0, 1, 0, "opacity of a tint inside the boxes"),
    FV_OPTION_ENUM(fv_draw_style, colour_by, "color-by", colour_by_names, FV_COLOUR_BY_CLASS,
                   "what decides the colour"),
    FV_OPTION_TIME(fv_draw_style, trail_ns, "trail-time", 0, 3600e9, 2e9,
                   "how long a trail remembers"),
    FV_OPTION_STRING(fv_draw_style, font, "font", "Sans Semi-Bold",
                     "font of labels, as Pango writes it, without a size"),
    FV_OPTION_STRING(fv_draw_style, blur, "blur", NULL,
                     "classes to make unrecognisable, comma-separated; * for all"),
    FV_OPTION_BOOL(fv_draw_style, pixelate, "pixelate", false,
                   "hide with blocks instead of a blur"),
    {0},
};

fv_drawer *fv_drawer_create(const fv_draw_style *style, fv_err *err) {
    fv_drawer *d = calloc(1, sizeof *d);
    if (!d || !(d->trails = calloc(FV_MAX_TRAILS, sizeof *d->trails))) {
        free(d);
        fv_fail(err, FV_MEMORY, "overlay: no memory for %d trails", FV_MAX_TRAILS);
        return NULL;
    }
    fv_drawer_set_style(d, style);
    return d;
}

void fv_drawer_set_style(fv_drawer *d, const fv_draw_style *style) {
    const char *font = style->font && *style->font ? style->font : "Sans Semi-Bold";
    if (!d->text || !d->style.font || strcmp(d->style.font, font)) {
        fv_text_destroy(&d->text);
        d->text = fv_text_create(font);
    }
    d->style = *style;
    d->style.font = font;
}

void fv_drawer_set_rules(fv_drawer *d, const fv_rules *rules) {
    free(d->views);
    d->rules = rules;
    d->views = rules && rules->n ? calloc((size_t)rules->n, sizeof *d->views) : NULL;
}

void fv_drawer_set_counts(fv_drawer *d, const fv_rule_count *counts, int n) {
    for (int i = 0; d->rules && n == d->rules->n && i < n; i++)
        d->views[i].count = counts[i];
}

void fv_drawer_reset(fv_drawer *d) {
    memset(d->trails, 0, FV_MAX_TRAILS * sizeof *d->trails);
    if (d->views)
        memset(d->views, 0, (size_t)d->rules->n * sizeof *d->views);
}

void fv_drawer_destroy(fv_drawer **d) {
    if (!d || !*d)
        return;
    fv_text_destroy(&(*d)->text);
    free((*d)->trails);
    free((*d)->views);
    free(*d);
    *d = NULL;
}

// ---- colours and sizes -------------------------------------------------------------------------

// Bright, well apart in hue, none of them skin, sky or foliage.
static const uint8_t palette[][3] = {
    {77, 155, 255},  {255, 92, 92},   {43, 217, 168},  {255, 176, 32},
    {177, 124, 255}, {61, 214, 245},  {255, 122, 198}, {155, 225, 93},
    {255, 138, 61},  {122, 140, 255}, {247, 224, 75},  {90, 209, 120},
    {240, 98, 146},  {77, 208, 225},  {212, 163, 115}, {186, 104, 200},
};

fv_colour fv_palette_get(uint64_t index, float opacity) {
    const uint8_t *c = palette[index % (sizeof palette / sizeof palette[0])];
    return (fv_colour){c[0], c[1], c[2], (uint8_t)lrintf(255 * opacity)};
}

static fv_colour colour_of(const fv_drawer *d, const fv_object *o) {
    bool by_id = d->style.colour_by == FV_COLOUR_BY_ID && o->id;
    return fv_palette_get(by_id ? o->id * 7 : (uint64_t)(o->label < 0 ? 0 : o->label),
                          d->style.opacity);
}

int fv_font_px(const fv_drawer *d, float share) {
    int px = (int)lrintf(16 * d->unit * share);
    return px < 8 ? 8 : px;
}

// ---- tags --------------------------------------------------------------------------------------

static int tag_pad(int size_px) {
    return (size_px + 1) / 3;
}

static int piece_gap(int size_px) {
    return (size_px + 1) / 3;
}

void fv_tag_size(fv_drawer *d, const fv_tag_piece *pieces, int n, int size_px, int size[2]) {
    size[0] = 2 * tag_pad(size_px) + (n - 1) * piece_gap(size_px);
    size[1] = 0;
    for (int i = 0; i < n; i++) {
        const fv_text_mask *m = fv_text_get(d->text, pieces[i].text, size_px);
        size[0] += m->width;
        size[1] = m->height > size[1] ? m->height : size[1];
    }
    size[1] += 2 * (size_px / 10);
}

// Dark letters on bright colours, white ones on dark colours.
static fv_colour letters_on(fv_colour c) {
    int luma = (299 * c.r + 587 * c.g + 114 * c.b) / 1000;
    return luma > 120 ? (fv_colour){16, 20, 28, 255} : (fv_colour){255, 255, 255, 255};
}

void fv_tag_draw(fv_drawer *d, const fv_tag_piece *pieces, int n, int size_px, int x, int y,
                 fv_colour colour) {
    int size[2];
    fv_tag_size(d, pieces, n, size_px, size);
    fv_box box = {(float)x, (float)y, (float)size[0], (float)size[1]};
    fv_canvas_round_rect(&d->canvas, box, (float)size_px / 5, colour);
    fv_colour ink = letters_on(colour);
    x += tag_pad(size_px);
    for (int i = 0; i < n; i++) {
        const fv_text_mask *m = fv_text_get(d->text, pieces[i].text, size_px);
        ink.a = (uint8_t)(pieces[i].strength * colour.a / 255);
        fv_canvas_mask(&d->canvas, m->alpha, m->stride, x, y + (size[1] - m->height) / 2, m->width,
                       m->height, ink);
        x += m->width + piece_gap(size_px);
    }
    if (d->n_tags < FV_MAX_TAGS)
        d->tags[d->n_tags++] = box;
}

static float overlap(const fv_drawer *d, fv_box b) {
    float sum = 0;
    for (int i = 0; i < d->n_tags; i++) {
        fv_box t = d->tags[i];
        float w = fminf(b.x + b.w, t.x + t.w) - fmaxf(b.x, t.x),
              h = fminf(b.y + b.h, t.y + t.h) - fmaxf(b.y, t.y);
        sum += w > 0 && h > 0 ? w * h : 0;
    }
    return sum;
}

// Above the box, else inside at its top, else below: the first place that is free and in the
// picture.
static void place_tag(const fv_drawer *d, fv_box box, const int size[2], int *x, int *y) {
    float width = (float)d->canvas.frame->width, height = (float)d->canvas.frame->height;
    float left = fmaxf(0, fminf(box.x, width - (float)size[0])), h = (float)size[1],
          least = INFINITY;
    float tops[] = {box.y - h, box.y, box.y + box.h, box.y + box.h - h};
    for (size_t i = 0; i < sizeof tops / sizeof tops[0]; i++) {
        float top = fmaxf(0, fminf(tops[i], height - h));
        float cost = overlap(d, (fv_box){left, top, (float)size[0], h}) +
                     4 * fabsf(top - tops[i]) * (float)size[0];
        if (cost < least) {
            least = cost;
            *x = (int)lrintf(left), *y = (int)lrintf(top);
        }
    }
}

static void draw_label(fv_drawer *d, const fv_record *record, const fv_object *o) {
    char id[24], score[8];
    snprintf(id, sizeof id, "#%llu", (unsigned long long)o->id);
    snprintf(score, sizeof score, "%d%%", (int)lrintf(100 * o->score));
    fv_tag_piece pieces[3];
    int n = 0;
    if (d->style.labels && record->labels)
        pieces[n++] = (fv_tag_piece){fv_label_get(record->labels, o->label), 255};
    if (d->style.ids && o->id)
        pieces[n++] = (fv_tag_piece){id, 255};
    if (d->style.scores && !o->predicted)
        pieces[n++] = (fv_tag_piece){score, 170};
    if (!n)
        return;
    float small = o->box.h < 60 * d->unit ? 0.75f : 1;
    int size[2], x = 0, y = 0, px = fv_font_px(d, small);
    fv_tag_size(d, pieces, n, px, size);
    place_tag(d, o->box, size, &x, &y);
    fv_tag_draw(d, pieces, n, px, x, y, colour_of(d, o));
}

// ---- boxes -------------------------------------------------------------------------------------

static bool is_shown(const fv_drawer *d, const fv_object *o) {
    return o->state == FV_STATE_DETECTED || o->state == FV_STATE_CONFIRMED ||
           (o->state == FV_STATE_TENTATIVE && d->style.tentative);
}

static void draw_box(fv_drawer *d, const fv_object *o) {
    fv_colour c = colour_of(d, o), shade = {0, 0, 0, (uint8_t)(c.a * 2 / 5)};
    float small = fminf(o->box.w, o->box.h) < 40 * d->unit ? 0.7f : 1;
    float line = fmaxf(1.5f, 2.2f * d->unit * small), radius = 5 * d->unit * small,
          edge = fmaxf(1, line * 0.4f);
    fv_box outer = {o->box.x - edge, o->box.y - edge, o->box.w + 2 * edge, o->box.h + 2 * edge};
    if (d->style.fill > 0)
        fv_canvas_round_rect(&d->canvas, o->box, radius,
                             (fv_colour){c.r, c.g, c.b, (uint8_t)((float)c.a * d->style.fill)});
    // The shade keeps the line visible on its own colour.
    fv_canvas_outline(&d->canvas, outer, radius + edge, edge, shade);
    fv_canvas_outline(&d->canvas, o->box, radius, line, c);
    for (int i = 0; i < o->n_keypoints; i++)
        fv_canvas_disc(&d->canvas, o->keypoint[i][0], o->keypoint[i][1],
                       fmaxf(1.5f, 2.5f * d->unit), c);
}

// "face,person": is `name` one of the list? "*" is every name.
static bool in_list(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',') {
        p += strspn(p, " ");
        size_t length = strcspn(p, ",");
        while (length && p[length - 1] == ' ')
            length--;
        if ((length == n && !strncmp(p, name, n)) || (length == 1 && *p == '*'))
            return true;
    }
    return false;
}

// Whatever the tracker thinks of it, what must be hidden is hidden, with a margin.
static void hide(fv_drawer *d, const fv_record *record) {
    for (int i = 0; d->style.blur && i < record->objects.n; i++) {
        const fv_object *o = &record->objects.v[i];
        if (!in_list(d->style.blur, record->labels ? fv_label_get(record->labels, o->label) : ""))
            continue;
        float mx = 0.06f * o->box.w, my = 0.06f * o->box.h;
        int block = (int)fmaxf(4, fmaxf(o->box.w, o->box.h) / 8);
        fv_canvas_pixelate(
            &d->canvas,
            (fv_box){o->box.x - mx, o->box.y - my, o->box.w + 2 * mx, o->box.h + 2 * my}, block,
            !d->style.pixelate);
    }
}

void fv_drawer_draw(fv_drawer *d, const fv_frame *frame, const fv_record *record,
                    const fv_event *events, int n_events) {
    d->canvas = (fv_canvas){frame};
    d->unit = d->style.scale *
              (float)(frame->height < frame->width ? frame->height : frame->width) / 720;
    d->now_ns = record->pts_ns == FV_TIME_NONE ? (int64_t)(d->frames * (1000000000 / 30))
                                               : record->pts_ns;
    d->frames++;
    d->n_tags = 0;
    hide(d, record);
    fv_rules_draw(d, events, n_events);
    if (d->style.trails) {
        fv_trails_update(d, record);
        fv_trails_draw(d);
    }
    for (int i = record->objects.n - 1; d->style.boxes && i >= 0; i--) // the best on top
        if (is_shown(d, &record->objects.v[i]))
            draw_box(d, &record->objects.v[i]);
    for (int i = 0; i < record->objects.n; i++)
        if (is_shown(d, &record->objects.v[i]))
            draw_label(d, record, &record->objects.v[i]);
    fv_rules_draw_tags(d);
}
