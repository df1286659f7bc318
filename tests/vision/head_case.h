// Made-up outputs of a detector, for the head tests.
#pragma once

#include "pipeline/vision/head.h"
#include "tests/test.h"

#define MAX_OUT 12

typedef struct {
    fv_tensor in, out[MAX_OUT];
    int n_out;
    fv_head head;
    fv_input input;
    fv_err err;
} head_case;

// A picture input of w x h and no outputs yet.
head_case case_begin(const char *input_name, int w, int h);
// Adds an output, "1x84x8400", filled with `value`; returns its data.
float *case_output(head_case *c, const char *name, const char *shape, float value);
bool case_recognise(head_case *c);
// Recognises (with c->head as the card), checks the family and the number of classes, decodes at
// `threshold` with source = 2 x (network - (4, 6)), and checks that exactly one object is left
// whose box is (x0, y0, x1, y1) network pixels; the same from its candidates alone.
fv_object case_expect(head_case *c, const char *family, int classes, float threshold, int label,
                      float score, float x0, float y0, float x1, float y1);
void case_end(head_case *c);

float logit(float p);
