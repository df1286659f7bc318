// Which cells of a network's outputs can become objects, in arithmetic that a device can do: what a head knows
// of its outputs (vision/head.h), said so that a session can bring back only those (infer/infer.h).
#pragma once

#include <stdint.h>

// Channel k of cell i is element at + i * cell + k * channel of output `output`, row-major. c 0: absent.
typedef struct {
    int output, c;
    int64_t at, cell, channel;
} fv_cell_matrix;

// The order is that of shaders/candidates.comp.
typedef enum {
    FV_CELL_SCORES,
    FV_CELL_GATE,   // one channel
    FV_CELL_RIVALS, // what the scores are measured against
    FV_CELL_BOX,
    FV_CELL_POINTS,
    FV_CELL_LABEL,
    FV_CELL_MATRICES
} fv_cell_role;

// Cells with the same tests. A candidate is a cell whose largest score, less its largest rival where it has
// some, is at least `least_score`, and whose gate, where it has one, is at least `least_gate`. All its matrices
// are brought back.
typedef struct {
    int64_t n;
    float least_score, least_gate;
    fv_cell_matrix matrix[FV_CELL_MATRICES];
} fv_cell_part;

#define FV_MAX_CELL_PARTS 24
// Cells are numbered through all parts.
typedef struct {
    int n;
    fv_cell_part part[FV_MAX_CELL_PARTS];
} fv_candidates;
