// Trackers as rows: SORT (Bewley et al. 2016), ByteTrack (Zhang et al. 2022), OC-SORT (Cao et al. 2023).
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/option.h"
#include "pipeline/base/value.h"

typedef enum { FV_TRACK_SORT, FV_TRACK_BYTETRACK, FV_TRACK_OCSORT, FV_N_TRACK_METHODS } fv_track_method;
extern const char *const fv_track_method_names[]; // NULL-terminated

// Documented, with ranges and defaults, by fv_track_options: the element's properties and the YAML keys.
typedef struct {
    int method;
    float high_score, low_score, new_score; // first association, second (ByteTrack), birth
    float match_iou, match_iou_low;         // lowest IoU of a match
    int confirm_hits;                       // detections in a row before a track gets its id
    int64_t lost_ns;                        // kept this long without a detection
    bool class_aware;                       // never match across classes
} fv_track_params;
extern const fv_option fv_track_options[];

typedef struct fv_tracker fv_tracker;

fv_tracker *fv_tracker_create(const fv_track_params *params, fv_err *err);

// One frame. `detections` (state FV_STATE_DETECTED) in, `tracks` out: confirmed ones with ids, tentative ones with
// id 0; predicted positions of lost ones only where `tracks` asks for them by params. Time from pts_ns (FV_TIME_NONE: 1/30 s steps).
// `detections` NULL: a skipped frame, positions are predicted and marked so.
// No allocation in the steady state. Same input, same output, byte for byte.
void fv_tracker_update(fv_tracker *t, const fv_objects *detections, int64_t pts_ns, fv_objects *tracks);

void fv_tracker_reset(fv_tracker *t); // forgets all tracks; ids go on
void fv_tracker_destroy(fv_tracker **t);
