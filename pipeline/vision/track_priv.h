// What the files of the tracker share. Private.
#pragma once

#include "pipeline/vision/assign.h"
#include "pipeline/vision/grow.h"
#include "pipeline/vision/kalman.h"
#include "pipeline/vision/track.h"
#include "pipeline/vision/track_camera.h"
#include "pipeline/vision/track_order.h"
#include "pipeline/vision/track_shape.h"

enum { FV_TRACK_VOTES = 4, FV_TRACK_PAST = 4 };

// Bits of fv_track_stage.states.
enum {
    FV_TRACK_SEEN = 1 << FV_STATE_CONFIRMED,
    FV_TRACK_LOST = 1 << FV_STATE_LOST,
    FV_TRACK_YOUNG = 1 << FV_STATE_TENTATIVE,
    FV_TRACK_ALL = FV_TRACK_SEEN | FV_TRACK_LOST | FV_TRACK_YOUNG
};

typedef struct {
    unsigned states; // of the tracks that take part; 0 ends the list
    bool low, by_score, momentum, from_last_box;
} fv_track_stage;

typedef struct {
    fv_box box;
    int tick;
} fv_track_sight;

typedef struct {
    uint64_t id;
    fv_state state;
    bool fresh;            // matched in this update
    int age, hits, misses; // frames since birth; detections; updates since the last detection
    int64_t seen_ns;
    fv_object seen;                     // the last detection, completed (track_shape.h)
    unsigned cut;                       // its sides at the picture's edge
    fv_track_shape shape;
    uint64_t birth, whole;              // number; that of the track it may be a part of, 0: none
    fv_motion motion, saved;            // now, and just after the last detection
    fv_track_sight past[FV_TRACK_PAST]; // ring of the last detections
    float direction[2];                 // unit vector of recent motion, 0 0 when unknown
    struct {
        int label;
        float weight;
    } vote[FV_TRACK_VOTES];
} fv_track;

struct fv_tracker {
    fv_track_params params;
    fv_track_picture picture;
    fv_track *tracks;
    int n;
    uint64_t last_id, last_birth;
    int tick;                          // updates with detections
    int64_t now_ns, pts_ns;            // own clock, last time given
    int64_t step_ns;                   // between two times, usually; 0: not known yet
    float high_score, new_score;       // in force now
    float score_sum, score_square_sum; // of recent detections
    fv_assign *assign;
    fv_track_camera camera;
    fv_pair *pairs;
    int *order; // detections from left to right
    float widest;
    bool *taken;
    uint64_t *ids;        // per detection
    int *row, *row_match; // tracks of a stage
    fv_box *row_box;
    int tracks_capacity, pairs_capacity, order_capacity, taken_capacity, ids_capacity, row_capacity,
        row_match_capacity, row_box_capacity;
};

// ---- one track (track_one.c) ----

// Detection `index` of `d` is this track: filters, remembers, votes.
void fv_track_see(fv_tracker *t, fv_track *k, const fv_objects *d, int index, bool reupdate);
int fv_track_label(const fv_track *k); // that its detections voted for
// How well the way to `to` agrees with where the track was going: -0.5 .. 0.5.
float fv_track_agreement(const fv_tracker *t, const fv_track *k, fv_box to);

// ---- who is who (track_stage.c) ----

void fv_track_run_stage(fv_tracker *t, const fv_track_stage *s, const fv_objects *d, bool reupdate);

// ---- one object in two parts (track_parts.c) ----
//
//      +---------+--+-------+
//      | track   |XX|  new  |    X: a detection that stands in front, between the two,
//      |         |XX|       |       narrower than half of what the track remembers of its width
//      +---------+--+-------+
//                +--+
//
// A new track of the same label, whose top and bottom agree with those of the track within 0.3
// heights and which together with it is not longer than 1.25 times what is remembered, may be its
// other part. When the track is not found any more and the other part is, moving alike (within one
// size a second), it goes on as that part: with its id.

// The `birth` of the track that detection `index` may be a part of, 0: none.
uint64_t fv_track_find_whole(const fv_tracker *t, const fv_objects *d, int index);
void fv_track_join_parts(fv_tracker *t); // after the stages, before tracks settle
