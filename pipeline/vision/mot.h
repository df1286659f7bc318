// MOTChallenge files: boxes of objects per frame, as text, one box a line:
//
//     frame, id, left, top, width, height, score [, class, visibility [, ...]]
//
// The same form holds detections (id -1), results and ground truth. Frames count from 1; pixels of
// the picture. In ground truth `score` is a flag: 0 means "ignore this box". Nine columns (MOT16
// and later) have a class; ten (MOT15) do not. Format: Milan et al. 2016, "MOT16: A Benchmark for
// Multi-Object Tracking", tables 2 and 3.
#pragma once

#include <stdio.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

enum { FV_MOT_PEDESTRIAN = 1, FV_MOT_NO_CLASS = -1 };

typedef struct {
    int frame;
    int64_t id;
    double x, y, w, h, score;
    int class_id; // FV_MOT_NO_CLASS where the file has none
} fv_mot_row;

// Sorted by frame, rows of one frame in the file's order. `v` is malloc'ed: fv_mot_finish frees it.
typedef struct {
    int n;
    fv_mot_row *v;
} fv_mot_rows;

// What seqinfo.ini says; `length` 0 and `fps` 0 where it says nothing.
typedef struct {
    double fps;
    int length, width, height;
} fv_mot_sequence;

bool fv_mot_read(const char *path, fv_mot_rows *rows, fv_err *err); // errors name file and line
// Goes on in a file that is open, a pipe for one, and leaves it open; `path` is its name in messages.
bool fv_mot_read_rest(FILE *file, const char *path, fv_mot_rows *rows, fv_err *err);
void fv_mot_finish(fv_mot_rows *rows);
bool fv_mot_read_sequence(const char *path, fv_mot_sequence *sequence, fv_err *err);

// Only frames first..last stay.
void fv_mot_cut(fv_mot_rows *rows, int first, int last);
// The first frame of the "second half" that is used for validation since CenterTrack (Zhou et al.
// 2020): length / 2 + 2.
int fv_mot_second_half(const fv_mot_sequence *sequence);

// MOTChallenge's preparation before scores are taken: results whose best partner (IoU >= 0.5,
// assigned over all ground truth of the frame) is a person on a vehicle, a static person, a
// distractor or a reflection (classes 2, 7, 8, 12) are taken out: such boxes are neither right nor
// wrong. Then `truth` loses everything but marked pedestrians. Files without classes lose only
// unmarked boxes.
void fv_mot_prepare(fv_mot_rows *truth, fv_mot_rows *result);

void fv_mot_write(FILE *out, int frame, const fv_object *object); // one line, "%.2f"
double fv_mot_iou(const fv_mot_row *a, const fv_mot_row *b);
// The rows [*from, *to) of a frame, looked for at and after *to.
void fv_mot_frame(const fv_mot_rows *rows, int frame, int *from, int *to);
