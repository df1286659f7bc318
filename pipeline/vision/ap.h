// Average precision of detections against labels (Lin et al., COCO): for each class the detections
// of all pictures in order of score, each matched to the free label of its class and picture that
// it overlaps most; precision made non-increasing, sampled at the recalls 0, 0.01 ... 1.
#pragma once

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"

typedef struct fv_ap fv_ap;

// `ap50` is the mean precision at IoU 0.5, `ap` the mean over IoU 0.5, 0.55 ... 0.95.
typedef struct {
    int n_truth, n_detected;
    double ap50, ap;
} fv_ap_class;

fv_ap *fv_ap_create(int n_classes);

// One picture: its labels (box, label) and what was found (box, label, score). Boxes in the same
// pixels. Labels outside 0 .. n_classes - 1 are an error.
bool fv_ap_add(fv_ap *ap, const fv_objects *truth, const fv_objects *found, fv_err *err);

// `by_class` has n_classes elements or is NULL. The mean is over the classes that have labels.
fv_ap_class fv_ap_result(fv_ap *ap, fv_ap_class *by_class);
void fv_ap_destroy(fv_ap **ap);
