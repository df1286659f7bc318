// Ours: STREAM/frames and STREAM/events, bodies as record.h says.
#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/record.h"

void fv_fovea_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[96];
    for (int i = 0; i < n; i++) {
        fv_message m = {.topic = "events",
                        .id = fv_format_event_id(&events[i], id, sizeof id),
                        .is_event = true};
        fv_formatter_say(f, r->stream, m, fv_record_event_json(r, &events[i]));
    }
}

void fv_fovea_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    char id[96];
    fv_message m = {.topic = "frames", .id = fv_format_frame_id(f, r, id, sizeof id)};
    if (f->what & FV_WHAT_FRAMES)
        fv_formatter_say(f, r->stream, m, fv_record_frame_json(r));
    fv_fovea_events(f, r, events, n);
}
