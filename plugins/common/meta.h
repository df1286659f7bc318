// What Fovea knows of a frame, on the buffer.
//
// Objects are on the buffer twice. For everybody: one GstVideoRegionOfInterestMeta each, in DL
// Streamer's form: roi_type = label, `detection{label_id, confidence, x_min, y_min, x_max, y_max}`
// (doubles, fractions of the picture) and, with a track, `object_id{id}`. For Fovea's elements: the
// fv_objects as they are inside one FvFrameMeta, because a region has whole pixels, and GStreamer
// before 1.24 drops its params when a picture is scaled. The regions have the last word: one that
// an element in between took away or moved is gone or moved for the next Fovea element too.
//
// FvFrameMeta survives what regions survive (videoconvert, videoscale, videorate, queue, encoders)
// and its boxes are scaled with the picture.
// Thread-safety: as GstBuffer. Writers need a writable buffer.
#pragma once

#include <gst/video/video.h>

#include "pipeline/base/rule.h"
#include "pipeline/base/value.h"

// Class names with a count of references; immutable.
typedef struct {
    fv_labels labels;
} fv_meta_labels;
fv_meta_labels *fv_meta_labels_create(const fv_labels *labels); // copies; NULL gives none
fv_meta_labels *fv_meta_labels_ref(fv_meta_labels *labels);     // NULL is fine
void fv_meta_labels_unref(fv_meta_labels *labels);              // NULL is fine

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

GType fv_frame_meta_api_get_type(void);

fv_frame_meta *fv_meta_get(GstBuffer *buffer); // NULL: none

// A new one, empty: inference FV_SKIPPED, no time.
fv_frame_meta *fv_meta_add(GstBuffer *buffer, const char *stream, uint64_t frame, int width,
                           int height);

// Takes a reference of its own.
void fv_meta_set_labels(fv_frame_meta *meta, fv_meta_labels *labels);

// Replaces the objects of `buffer` and their regions. Regions without `detection` are not ours and
// stay.
void fv_meta_set_objects(GstBuffer *buffer, fv_frame_meta *meta, const fv_objects *objects);

// Reads regions and meta into `objects` (the caller's array; the first `capacity`). Regions that DL
// Streamer or another detector wrote are read too; their names become labels of `meta`.
void fv_meta_get_objects(GstBuffer *buffer, fv_frame_meta *meta, fv_objects *objects);

void fv_meta_add_event(fv_frame_meta *meta, const fv_event *event);            // a copy
void fv_meta_set_counts(fv_frame_meta *meta, const fv_rule_count *counts, int n); // copies
