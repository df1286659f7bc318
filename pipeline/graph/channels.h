// Where the channels of a tensor come from, through the ops that only move them. Between the files of the passes.
#pragma once

#include "pipeline/graph/passes.h"

// A channel of a source: a tensor [1,C,...] of float32 that is computed, not moved.
typedef struct {
    int tensor, channel;
} fv_channel;

// One for each tensor. Its first `n_lead` dimensions are channels, `n` of them, the others pixels in their order.
typedef struct {
    int n, n_lead;    // n 0: not known
    int *id;          // index into fv_channels.channel
    bool source;      // its channels are its own
} fv_channel_map;

typedef struct {
    fv_channel_map *map;
    int n_tensors;
    fv_channel *channel; // of all sources
    int n_channels, room, n_entries; // the last: of the maps of what is moved
    fv_arena *arena;     // of all these
} fv_channels;

// From the inputs to the outputs.
void fv_channels_find(fv_channels *c, const fv_passes *p);
void fv_channels_finish(fv_channels *c);
// The node only moves channels of which all is known.
bool fv_channels_moved_by(const fv_channels *c, const fv_node *n);
