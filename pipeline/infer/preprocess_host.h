// The preprocess for devices that are the CPU itself, compiled for its vectors: frames of one geometry
// go straight from their planes into the activation block, without the upload's copy. About a third of
// the time of shaders/preprocess.comp on a CPU driver (`./dev bench` measures it).
//
// Every line of the network's input is made in three sweeps: the rows it sees of each plane become one
// line of floats, its columns are picked from that by tables, colours and normalisation follow.
#pragma once

#include "pipeline/infer/preprocess.h"

// Where the numbers go. FOUR: height x width x 4, the fourth 0.
typedef enum { FV_LAYOUT_FOUR, FV_LAYOUT_PLANES, FV_LAYOUT_THREE } fv_layout;

typedef struct fv_host_preprocess fv_host_preprocess;

// For frames of the format, size, matrix and range of `like`; strides may differ. Equal to
// fv_preprocess_reference within rounding. Aborts when there is no memory.
fv_host_preprocess *fv_host_preprocess_create(const fv_frame *like, const fv_fit *fit, const fv_input *input,
                                              fv_layout layout);
// Reads the planes, writes all of `out`; allocates nothing.
void fv_host_preprocess_run(const fv_host_preprocess *h, const fv_frame *frame, float *out);
// Four runs of n floats as n pixels of four channels.
void fv_host_interleave(const float *const channel[4], float *to, int n);
void fv_host_preprocess_destroy(fv_host_preprocess **h);
