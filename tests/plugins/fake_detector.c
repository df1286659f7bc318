// Stands in for pipeline/detect/detector.c, which test-fvdetect does not want: one object per frame
// whose box says what was pushed, and a point at 3, 4 of it, at once. Model names ask for faults.
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/detect.h"

enum { SLOTS = 16 };

struct fv_detector {
    int slots, first, n;
    bool fails;
    fv_object found[SLOTS];
    void *user[SLOTS];
};

fv_detector *fv_detector_create(const fv_detector_params *params, fv_err *err) {
    if (params->model && !strcmp(params->model, "missing.onnx")) {
        fv_fail(err, FV_BAD_INPUT, "missing.onnx: no such file; check the path");
        return NULL;
    }
    fv_detector *d = calloc(1, sizeof *d);
    d->slots = params->slots;
    d->fails = params->model && !strcmp(params->model, "broken.onnx");
    return d;
}

bool fv_detector_push(fv_detector *d, const fv_frame *frame, float par, void *user, fv_err *err) {
    if (d->n == d->slots)
        return fv_fail(err, FV_BAD_INPUT, "all slots are in use");
    int i = (d->first + d->n++) % SLOTS;
    d->found[i] = (fv_object){.box = {0, 0, (float)frame->width, (float)frame->height}, .label = 1,
                              .score = (float)frame->plane[0][0] / 255, .age = (int)(par * 100),
                              .n_keypoints = 1, .keypoint = {{3, 4}}};
    d->user[i] = user;
    return true;
}

bool fv_detector_pull(fv_detector *d, fv_objects *objects, void **user, fv_err *err) {
    if (d->fails)
        return fv_fail(err, FV_GPU, "the device is lost; restart");
    objects->n = 1;
    objects->v[0] = d->found[d->first];
    if (user)
        *user = d->user[d->first];
    d->first = (d->first + 1) % SLOTS;
    d->n--;
    return true;
}

int fv_detector_pending(const fv_detector *d) {
    return d->n;
}

int fv_detector_slots(const fv_detector *d) {
    return d->slots;
}

const fv_labels *fv_detector_labels(const fv_detector *d) {
    static const char *const names[] = {"car", "person"};
    static const fv_labels labels = {2, names};
    (void)d;
    return &labels;
}

void fv_detector_destroy(fv_detector **d) {
    if (d && *d) {
        free(*d);
        *d = NULL;
    }
}
