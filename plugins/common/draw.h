// What a person sees: boxes, labels, trails, lines and zones with their counts, drawn into a
// picture as it is (canvas.h). The fvoverlay element and `fovea detect --draw` are skins over this.
//
//     fv_drawer *d = fv_drawer_create(&style, &err);
//     fv_drawer_draw(d, &frame, &record, events, n_events);
//     fv_drawer_destroy(&d);
//
// Sizes follow the height of the picture: style.scale 1 gives 16 pixel letters and 2.2 pixel lines
// at 720 rows. Nothing is allocated per frame once every text has been seen.
// Thread-safety: one drawer per thread and stream (trails and counts remember the frames before).
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/option.h"
#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"
#include "plugins/common/canvas.h"

typedef enum { FV_COLOUR_BY_CLASS, FV_COLOUR_BY_ID } fv_colour_by;

// Rows in fv_draw_options: properties of the element, keys under `overlay:`, flags of the command.
typedef struct {
    bool boxes, labels, ids, scores, trails, rules;
    bool tentative;          // also tracks too young for an id
    float scale, opacity, fill;
    int colour_by;
    int64_t trail_ns;
    const char *font;        // Pango, without a size
    const char *blur;        // classes to hide, comma-separated; "*" hides all
    bool pixelate;           // blocks instead of a blur
} fv_draw_style;
extern const fv_option fv_draw_options[];

typedef struct fv_drawer fv_drawer;

// `style` is copied; its texts are borrowed.
fv_drawer *fv_drawer_create(const fv_draw_style *style, fv_err *err);

// From the next frame on; trails and counts stay.
void fv_drawer_set_style(fv_drawer *d, const fv_draw_style *style);

// Lines and zones to draw; borrowed, NULL for none.
void fv_drawer_set_rules(fv_drawer *d, const fv_rules *rules);

// Totals of the rules, in their order, from the next frame on; ignored when `n` is not their number.
void fv_drawer_set_counts(fv_drawer *d, const fv_rule_count *counts, int n);

// `record` says what is in the picture, `events` what happened at the rules in this frame:
// they shine for a moment.
void fv_drawer_draw(fv_drawer *d, const fv_frame *frame, const fv_record *record,
                    const fv_event *events, int n_events);

void fv_drawer_reset(fv_drawer *d); // forgets trails and counts: after a seek
void fv_drawer_destroy(fv_drawer **d);
