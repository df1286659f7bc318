// A model file becomes a detector: graph, card, head, plan and session behind one handle. This is
// what the fvdetect element, `fovea detect`, `fovea eval` and samples/detect_image.c use.
//
//     fv_detector *d = fv_detector_create(&(fv_detector_params){.model = "m.onnx"}, &err);
//     fv_detector_push(d, &frame, 1, NULL, &err);
//     fv_detector_pull(d, &objects, NULL, &err);
//     fv_detector_destroy(&d);
//
// Thread-safety: a detector belongs to one thread at a time. Detectors of the same model, size and
// device share weights, kernels and device behind the scenes, from any thread.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef struct fv_detector fv_detector;

// What comes back from the device: the cells of the outputs that can become objects, or all of them. The objects
// are the same. AUTO: all where the device is the CPU, which shares the memory, and of less than 64 KiB.
typedef enum { FV_READBACK_AUTO, FV_READBACK_WHOLE, FV_READBACK_CANDIDATES } fv_readback;

// {0} but for `model` is fine.
typedef struct {
    const char *model;      // path of an .onnx file; NULL: the default detector
    const char *card;       // path of a model card; NULL: <model without .onnx>.yaml if it is there
    const char *labels;     // path of a file with one class name a line; NULL: card, <model>.names,
                            // metadata, COCO for 80
    const char *device;     // as fv_gpu_params; "reference" runs the plain-C twin
    fv_precision precision; // as fv_plan_params; FV_PRECISION_AUTO: the card's, or auto
    float threshold;        // lowest score; <= 0: the card's, else the head family's (mostly 0.25)
    float iou_threshold;    // NMS; <= 0: the card's or 0.45
    int max_objects;        // per frame; 0: 300
    const char *classes;    // comma-separated names or numbers to keep; NULL: all
    int width, height; // network input for models with dynamic size; 0: the card's or the default
    int slots;              // frames in flight; 0: 2
    bool unclipped;         // boxes may reach outside the picture, as the head gives them
    fv_readback readback;
    bool validate;          // Vulkan validation layer
} fv_detector_params;

fv_detector *fv_detector_create(const fv_detector_params *params, fv_err *err);

// Copies the frame and starts; never blocks. Fails when all slots are pushed and not pulled.
// `par` is the pixel aspect ratio, 1 for square pixels. `user` comes back from pull.
bool fv_detector_push(fv_detector *d, const fv_frame *frame, float par, void *user, fv_err *err);

// Blocks for the oldest pushed frame; fills objects->v (the caller's, `capacity` of them) in source
// pixels, best score first, state FV_STATE_DETECTED.
bool fv_detector_pull(fv_detector *d, fv_objects *objects, void **user, fv_err *err);
int fv_detector_pending(const fv_detector *d);
int fv_detector_slots(const fv_detector *d);

const fv_labels *fv_detector_labels(const fv_detector *d); // lives as long as the detector
const fv_input *fv_detector_input(const fv_detector *d);
int fv_detector_classes(const fv_detector *d);      // how many the head tells; 0: it does not tell
const char *fv_detector_head(const fv_detector *d); // "yolox", ..., and why it was recognised
void fv_detector_destroy(fv_detector **d);
