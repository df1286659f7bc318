// MOTChallenge results: frame (from 1), id, left, top, width, height, score, -1, -1, -1. Objects
// with a track only. Milan et al. 2016, "MOT16: A Benchmark for Multi-Object Tracking", table 2.
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/desc/format_priv.h"

static char *row_of(const fv_record *r, const fv_object *o) {
    char *text;
    int n = asprintf(&text, "%" PRIu64 ",%" PRIu64 ",%.2f,%.2f,%.2f,%.2f,%.4g,-1,-1,-1",
                     r->frame + 1, o->id, (double)o->box.x, (double)o->box.y, (double)o->box.w,
                     (double)o->box.h, (double)o->score);
    return n < 0 ? NULL : text;
}

void fv_mot_frame_rows(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    (void)events, (void)n;
    for (int i = 0; i < r->objects.n; i++) {
        const fv_object *o = &r->objects.v[i];
        char id[96];
        snprintf(id, sizeof id, "frame/%" PRIu64 "/%" PRIu64, r->frame, o->id);
        if (o->id)
            fv_formatter_say(f, r->stream, (fv_message){.topic = "tracks", .id = id},
                             row_of(r, o));
    }
}
