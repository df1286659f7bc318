// Class names, from wherever they are to be had.
#pragma once

#include "pipeline/base/arena.h"
#include "pipeline/base/value.h"

// The text that trainers put into a model's metadata: "{0: 'person', 2: 'car'}", or a list
// "['person', 'car']". Numbers without a name are called "class N". n 0 when it is neither.
fv_labels fv_labels_from_metadata(const char *text, fv_arena *arena);

extern const fv_labels fv_labels_coco; // the 80 classes of COCO's detection task
extern const fv_labels fv_labels_face; // one: "face"
