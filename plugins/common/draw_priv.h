// Shared by draw.c, draw_trails.c and draw_rules.c.
#pragma once

#include "plugins/common/draw.h"
#include "plugins/common/text.h"

enum { FV_MAX_TAGS = 1024, FV_MAX_TRAILS = 256, FV_TRAIL_POINTS = 48 };

typedef struct {
    uint64_t id;             // 0: free
    int64_t last_ns;
    int n, label;
    float point[FV_TRAIL_POINTS][2];
    int64_t at_ns[FV_TRAIL_POINTS];
} fv_trail;

typedef struct {
    fv_rule_count count;     // as last told
    int64_t flash_ns;        // of the last event
    bool has_flash;
} fv_rule_view;

struct fv_drawer {
    fv_draw_style style;
    fv_text *text;
    fv_canvas canvas;        // of the frame that is being drawn
    float unit;              // pixels of the picture for one pixel at 720 rows
    int64_t now_ns;
    uint64_t frames;
    fv_box tags[FV_MAX_TAGS]; // places taken by labels in this frame
    int n_tags;
    fv_trail *trails;        // FV_MAX_TRAILS
    const fv_rules *rules;
    fv_rule_view *views;     // rules->n
};

// A piece of a label: its text and how strong it is (255: fully).
typedef struct {
    const char *text;
    uint8_t strength;
} fv_tag_piece;

// The size of a label with these pieces at `size_px`, and the label itself with its corner at x, y.
void fv_tag_size(fv_drawer *d, const fv_tag_piece *pieces, int n, int size_px, int size[2]);
void fv_tag_draw(fv_drawer *d, const fv_tag_piece *pieces, int n, int size_px, int x, int y,
                 fv_colour colour);

fv_colour fv_palette_get(uint64_t index, float opacity);
int fv_font_px(const fv_drawer *d, float share); // of the normal size, at least 8

void fv_trails_update(fv_drawer *d, const fv_record *record);
void fv_trails_draw(fv_drawer *d);
void fv_rules_draw(fv_drawer *d, const fv_event *events, int n_events);
void fv_rules_draw_tags(fv_drawer *d);
