// What Fovea knows of a frame, as any element behind ours reads it. Installed; needs GStreamer and
// libfovea's headers only:
//
//     const fv_frame_meta *m = fv_frame_meta_read(buffer);
//     for (int i = 0; m && i < m->n_objects; i++)
//         ... m->objects[i].box, m->objects[i].id, m->events ...
//
// samples/read_records.c is an element that does so; plugins/README.md says what else there is: the
// GstVideoRegionOfInterestMeta of each object, which every language reads, and the messages on the
// bus. Borrowed: all of it lives as long as the buffer has its metadata.
// Thread-safety: as GstBuffer.
#pragma once

#include <gst/gst.h>

#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

// Class names with a count of references; immutable.
typedef struct {
    fv_labels labels;
} fv_meta_labels;

typedef struct {
    GstMeta meta;
    const char *stream;       // interned
    uint64_t frame;           // 0, 1, 2, ... as decoded
    int64_t utc_ns;           // Unix epoch, or FV_TIME_NONE
    fv_utc_source utc_source;
    fv_inference inference;
    int width, height;        // of the picture that the boxes refer to
    fv_meta_labels *labels;   // a reference; NULL: not known
    int n_objects;
    fv_object *objects;       // boxes in pixels of this picture
    uint32_t *roi_ids;        // objects[i] is the region with this id
    int n_events;
    fv_event *events;         // texts are interned
    int n_counts;             // rules of the last fvevents; 0: there was none
    fv_rule_count *counts;    // totals after this frame, in the order of the rules
} fv_frame_meta;

// NULL: none, or elements of a version whose metadata has another size.
static inline const fv_frame_meta *fv_frame_meta_read(GstBuffer *buffer) {
    const GstMetaInfo *info = gst_meta_get_info("FvFrameMeta");
    return info && info->size == sizeof(fv_frame_meta)
               ? (const fv_frame_meta *)gst_buffer_get_meta(buffer, info->api)
               : NULL;
}

// The frame as fvpublish and fv_record_frame_json take it; `pts_ns`: its stream time, or
// FV_TIME_NONE.
static inline fv_record fv_frame_meta_record(const fv_frame_meta *m, int64_t pts_ns) {
    return (fv_record){.stream = m->stream,
                       .frame = m->frame,
                       .pts_ns = pts_ns,
                       .utc_ns = m->utc_ns,
                       .utc_source = m->utc_source,
                       .width = m->width,
                       .height = m->height,
                       .inference = m->inference,
                       .objects = {m->n_objects, m->n_objects, m->objects},
                       .labels = m->labels ? &m->labels->labels : NULL};
}
