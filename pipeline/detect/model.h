// What a model file means: card, head, preprocess and labels, put together. The graph itself and
// what runs it belong to the engine (detect/engine.h).
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/desc/card.h"
#include "pipeline/graph/graph.h"
#include "pipeline/vision/head.h"

typedef struct {
    fv_arena *arena;       // everything below lives in it
    const char *path;
    bool has_card;
    fv_card card;
    fv_head head;
    fv_input input;
    fv_labels labels;
    const char *labels_from; // "card", "names file", ... for people
    int n_outputs;
    fv_tensor *out;        // the graph's outputs, all taken as float32; no data
} fv_model;

// Finds and reads the card: `card`, or with NULL the file beside the model ("m.onnx" -> "m.yaml")
// if it is there. `path` NULL is the default detector; the error says so when it is not installed.
bool fv_model_begin(fv_model *m, const char *path, const char *card, fv_err *err);

// With the graph loaded: recognises the head, puts the card's input over the family's, finds the
// labels: `labels` (a file, or NULL), else card, names file beside the model, metadata, COCO for 80
// classes.
bool fv_model_settle(fv_model *m, const fv_graph *g, const char *labels, fv_err *err);
void fv_model_finish(fv_model *m); // takes a half-built or zeroed one
