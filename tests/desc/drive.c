#include "tests/desc/drive.h"

#include <math.h>

#include "pipeline/base/rule.h"

enum { TRACKS = 3, FRAME_NS = 40000000 };

// Track i comes with frame i and moves to the right; the third is never seen after frame 60. Every
// fifth frame is predicted.
static int put_objects(const drive *d, int frame, fv_object *v) {
    int n = 0;
    for (int i = 0; i < TRACKS && i <= frame; i++)
        if (i < 2 || frame <= 60)
            v[n++] = (fv_object){.box = {20.125f + (float)(frame * (i + 1)),
                                         30.5f + (float)(50 * i), 40.25f, 35.75f},
                                 .score = 0.5f + 0.003f * (float)(frame % 100),
                                 .label = i % d->labels->n,
                                 .id = (uint64_t)(i + 1),
                                 .state = FV_STATE_CONFIRMED,
                                 .predicted = frame % 5 == 4,
                                 .age = frame - i};
    v[n++] = (fv_object){.box = {-10, 300, 30, 90}, .score = 0.9f, .label = d->labels->n - 1};
    return n;
}

// Every frame from 2 on has one event, kind after kind; of the objects' kinds, of each object.
static int put_event(const drive *d, const fv_record *r, fv_event *e) {
    int kind = (int)r->frame % FV_N_EVENTS;
    bool lasts = fv_event_rows[kind].lasts;
    bool has_object = kind != FV_EVENT_OVERCROWDING && kind != FV_EVENT_EMPTY &&
                      kind != FV_EVENT_WHEN && kind != FV_EVENT_COUNT;
    (void)d;
    *e = (fv_event){.id = r->frame / 3 + 1,
                    .event = fv_event_rows[kind].name,
                    .rule = kind == FV_EVENT_CROSS ? "line <1>" : kind % 2 ? "zone & co" : "zone",
                    .direction = kind != FV_EVENT_CROSS ? NULL : r->frame % 2 ? "in" : "out",
                    .phase = lasts ? FV_PHASE_START + (r->frame / FV_N_EVENTS) % 3
                                   : FV_PHASE_MOMENT,
                    .has_object = has_object,
                    .before = {NAN, NAN},
                    .after = {12.5f, 13.25f},
                    .count = has_object ? -1 : 2,
                    .value = lasts || kind == FV_EVENT_LEAVE ? 1.5 : NAN,
                    .frame = r->frame,
                    .pts_ns = r->pts_ns,
                    .utc_ns = r->utc_ns};
    if (has_object)
        e->object = r->objects.v[r->frame % 2];
    return r->frame >= 2;
}

void drive_say(const drive *d, fv_format format, unsigned what, fv_message_take *take, void *user) {
    fv_formatter *f = fv_formatter_create(format, what, take, user);
    fv_object v[TRACKS + 1];
    fv_event event;
    fv_record r = {.stream = d->stream ? d->stream : "gate",
                   .width = 640,
                   .height = 360,
                   .utc_source = d->utc_source,
                   .labels = d->labels};
    for (int i = 0; i < d->frames; i++) {
        bool has_utc = d->utc_ns && d->utc_ns != FV_TIME_NONE;
        r.frame = (uint64_t)i;
        r.pts_ns = (int64_t)i * FRAME_NS;
        r.utc_ns = has_utc ? d->utc_ns + r.pts_ns : FV_TIME_NONE;
        r.inference = i % 5 == 4 ? FV_PREDICTED : FV_INFERRED;
        r.objects = (fv_objects){put_objects(d, i, v), TRACKS + 1, v};
        int n = put_event(d, &r, &event);
        fv_formatter_frame(f, &r, &event, n);
    }
    if (d->frames && put_event(d, &r, &event)) {
        event.id += 1000;
        event.phase = FV_PHASE_END;
        fv_formatter_events(f, &r, &event, 1);
    }
    fv_formatter_finish(f);
    fv_formatter_destroy(&f);
}

void drive_write(const drive *d, fv_format format, unsigned what, const char *path) {
    fv_document document = {.out = fopen(path, "w"), .row = &fv_format_rows[format]};
    fv_document_begin(&document);
    drive_say(d, format, what, fv_document_add, &document);
    fv_document_end(&document);
    fclose(document.out);
}
