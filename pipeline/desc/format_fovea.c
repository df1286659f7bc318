// Ours: STREAM/frames and STREAM/events, bodies as record.h says.
#include <inttypes.h>
#include <stdio.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/record.h"

void fv_format_fovea_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    for (int i = 0; i < n; i++) {
        const fv_event *e = &events[i];
        char id[96];
        snprintf(id, sizeof id, "event/%" PRIu64 "/%s/%" PRIu64, e->id, fv_phase_names[e->phase],
                 e->frame);
        fv_message m = {.topic = "events", .id = id, .is_event = true};
        fv_formatter_say(f, r->stream, m, fv_record_event_json(r, e));
    }
}

void fv_format_fovea_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[48];
    snprintf(id, sizeof id, "frame/%" PRIu64, r->frame);
    if (f->what & FV_WHAT_FRAMES)
        fv_formatter_say(f, r->stream, (fv_message){.topic = "frames", .id = id},
                         fv_record_frame_json(r));
    fv_format_fovea_events(f, r, events, n);
}
