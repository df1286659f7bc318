// Trackers as rows: SORT (Bewley et al. 2016), ByteTrack (Zhang et al. 2022), OC-SORT (Cao et al.
// 2023). Written from the papers.
//
// Each frame: every track's box is predicted (kalman.h), then stages match tracks with detections
// by optimal assignment (assign.h), each stage with what the ones before left over:
//
//     sort       1. all tracks with high detections, by IoU
//     bytetrack  1. confirmed and lost with high, by IoU * score
//                2. confirmed not lost with low, by IoU
//                3. tentative with high, by IoU * score
//     ocsort     1. all with high, by IoU + 0.2 * how well the direction of motion agrees
//                   (momentum, paper eq. 5)
//                2. all with high, by IoU, 0.3 or more, with the box last seen, not the predicted
//                one (recovery)
//                and a track that comes back is filtered again along the straight path that it
//                must have gone (re-update)
//
// Beyond the papers: a match is worth 0.98 as much when the track was missed the last time (two
// tracks that take turns with one detection do so less often); a low detection moves the filter as
// one with five times the standard deviation (it may be a part of whoever stands in front, and would
// take the track along with him). Measured on MOT17's second halves, as they are and with detections
// shaken and left out, and on drawn streets.
//
//           detection >= new-score            confirm-hits in a row
//     nothing ----------------> tentative -----------------------> confirmed <--> lost --> removed
//                               no id, enters no count             has an id      unseen
//                                  |                                          longer than `lost`
//                                  +--> removed at the first miss
//
// Frames that are missing for longer than `lost` end all tracks, as a camera that was away: what
// was in the picture says nothing of what is. (Unless frames usually come as rarely: longer than four
// usual steps as well.)
//
// In a tracker's very first update objects are confirmed at once: there is no past to ask for.
// An id is given at confirmation, starts at 1 and is never given again, also after a reset.
//
// Scores. Detectors differ in how sure they say they are: 0.6, good for a large network, leaves
// nothing of a small one. So with high_score 0 the limit is 0.7 times the usual score, between 0.15
// and 0.6; the usual score is the mean score of recent detections, weighted by score (weights of
// past frames fall by 1 % a frame). new_score 0 is 7/6 of high_score. Set, they are taken as they
// are.
//
// Camera motion: after each stage what was not found yet is moved as most of those that were found
// had to be (track_camera.h), so that lost objects keep their place in a picture that pans.
//
// An object at the picture's edge is followed by the sides that can be seen (track_shape.h). One
// that is split in two by something narrow in front of it keeps its id on the part that stays
// (track_priv.h).
//
// Without class_aware a match across classes needs an overlap of 0.5 (the same place, not a
// neighbour of another kind) and counts half as much as its overlap would, and the
// track's label is the one that its detections voted for (weights: scores, halved every 14
// detections): a van that is now and then called a truck keeps its id and its label.
// A detection that overlaps a stronger one, or one that was matched, of another class by 0.8 or
// more is taken for the same object under a second name and begins no track.
//
// Thread-safety: a tracker belongs to one thread at a time.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/option.h"
#include "pipeline/base/value.h"

typedef enum {
    FV_TRACK_SORT,
    FV_TRACK_BYTETRACK,
    FV_TRACK_OCSORT,
    FV_N_TRACK_METHODS
} fv_track_method;
extern const char *const fv_track_method_names[]; // NULL-terminated

// Documented, with ranges and defaults, by fv_track_options: the element's properties and the YAML
// keys.
typedef struct {
    int method;
    float high_score, low_score,
        new_score; // first association, second (ByteTrack), birth; high and new 0: chosen as above
    float match_iou, match_iou_low; // lowest IoU of a match
    int confirm_hits;               // detections in a row before a track gets its id
    int64_t lost_ns;                // kept this long without a detection
    int64_t show_lost_ns; // reported, with predicted position, this long without a detection
    bool camera_motion;                     // see track_camera.h
    bool class_aware;     // never match across classes
} fv_track_params;
extern const fv_option fv_track_options[];

typedef struct fv_tracker fv_tracker;

// NULL when a parameter is out of its row's range.
fv_tracker *fv_tracker_create(const fv_track_params *params, fv_err *err);

// The size of the picture in pixels; 0 0, as at first: unknown. Known, objects at its edges are
// followed by the sides that can be seen (track_shape.h). When it changes, tracks scale along.
void fv_tracker_set_picture(fv_tracker *t, int width, int height);

// One frame. Boxes come out as the filter sees them, not as the detector did: they tremble less.
// `detections` (state FV_STATE_DETECTED) in, `tracks` out, oldest track first: what was seen now
// (confirmed ones with ids, tentative ones with id 0), and lost ones with predicted boxes for
// show_lost_ns. `detections` NULL: a skipped frame; what was seen at the last detection comes out
// with predicted boxes and marked so. object.detection maps a track to its detection. Time from
// pts_ns; FV_TIME_NONE, or a time that does not go forward, is a step of 1/30 s. No allocation once
// the largest number of objects has been seen. Same input, same output, byte for byte.
void fv_tracker_update(fv_tracker *t, const fv_objects *detections, int64_t pts_ns,
                       fv_objects *tracks);

// The other way round: the id of the track that took detection i of the last update, 0: none or
// tentative. As many as there were detections; valid until the next update.
const uint64_t *fv_tracker_detection_ids(const fv_tracker *t);

// Tracks alive, lost ones included: no update gives more than this and its detections.
int fv_tracker_count(const fv_tracker *t);

void fv_tracker_reset(fv_tracker *t); // forgets all tracks; ids go on
void fv_tracker_destroy(fv_tracker **t);
