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
// frame_meta.h has its type, and what readers outside of this tree need.
// Thread-safety: as GstBuffer. Writers need a writable buffer.
#pragma once

#include <gst/video/video.h>

#include "plugins/common/frame_meta.h"

fv_meta_labels *fv_meta_labels_create(const fv_labels *labels); // copies; NULL gives none
fv_meta_labels *fv_meta_labels_ref(fv_meta_labels *labels);     // NULL is fine
void fv_meta_labels_unref(fv_meta_labels *labels);              // NULL is fine

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
