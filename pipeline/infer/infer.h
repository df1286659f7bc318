// graph + gpu = plan; plan + frames = tensors.
//
// A plan is decided once: lowering rows chosen, layouts assigned (activations are NHWC with the
// channels padded to 4, read as vec4; everything else is row-major "linear"), one memory block laid
// out from liveness, weights packed and uploaded. A session holds `slots` programs recorded once;
// nothing is allocated, looked up or branched on a shape per frame.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "pipeline/base/candidates.h"
#include "pipeline/base/err.h"
#include "pipeline/base/value.h"
#include "pipeline/gpu/gpu.h"
#include "pipeline/graph/graph.h"

typedef struct fv_plan fv_plan;       // immutable after creation; may be shared by sessions
typedef struct fv_session fv_session; // `slots` frames in flight

typedef struct {
    bool tune;       // measure the rows that fit and keep the winners in the cache
    bool profile;    // a timestamp around every dispatch, for fv_plan_print and bench
    fv_precision precision;
    const fv_input *input; // what pictures look like to the network, for the check of float16; NULL: 0..1
    const char *name;      // of the model, for the log; NULL: the graph's
    bool candidates;       // outputs stay on the device, for fv_session_create_picking
    bool device_preprocess; // also where the device is the CPU; else the host does it there, faster
} fv_plan_params;

// `g` is borrowed and must live as long as the plan. Ops without a shader run their C reference on
// the host in the middle of the plan ("host" steps), so every graph that the reference runs works.
// `params` NULL: float32, nothing measured.
//
// Precision. With FV_PRECISION_AUTO on a GPU that stores float16 (on CPUs it does not pay), and with
// FV_PRECISION_FP16 on every device that can, activations and weights are stored as float16, and
// products and sums of convolutions are float16 too where the device has that arithmetic (on a GPU: where
// it is measured to be faster), if that passes a check; what fails it is tried with arithmetic of
// float32. The check: the same drawn picture goes through a float32 and a float16 plan, and of every
// channel of every output rms(a - b) / max(rms(ref), 0.01) must be at most FV_FP16_BOUND (channels:
// dimension 1, of rank 3 the smaller of 1 and 2; each on its own, since boxes in pixels would hide
// scores). A model that is off, or a device that cannot, gets float32 and one line in the log. Where
// the order of an output depends on small differences (TopK, NonMaxSuppression, ArgMax, ArgMin), what
// they order is compared instead. fv_plan_get_stats tells which it became.
#define FV_FP16_BOUND 0.05
typedef enum { FV_HALF_NONE, FV_HALF_STORED, FV_HALF_COMPUTED } fv_half;
fv_plan *fv_plan_create(fv_gpu *gpu, const fv_graph *g, const fv_plan_params *params, fv_err *err);

// Frees the weights of the plan's graph that the device has its own copy of. `g` then serves this plan and its
// sessions alone: no other plan can be made of it, and the reference cannot run it.
void fv_plan_take_weights(const fv_plan *p, fv_graph *g);

// One line per step. After a profiled run with milliseconds and GFLOP/s.
void fv_plan_print(const fv_plan *p, FILE *out);

// A step as `fovea bench` shows it: texts live as long as the plan (a shape is copied). `ms` is 0
// before a profiled run.
typedef struct {
    const char *op, *node, *row; // op: the node's, or "copy"; row: the kernel, or the tuner's choice
    char shape[64];              // of the first output
    float ms;
    double macs, bytes;          // bytes: of the tensors that it reads and writes, without weights
} fv_plan_layer;
// Fills at most `max`; returns how many there are.
int fv_plan_layers(const fv_plan *p, fv_plan_layer *v, int max);

typedef struct {
    fv_half half;
    double half_error; // what the check found; 0 where there was none
    size_t weight_bytes, activation_bytes;
    int n_dispatches, n_barriers, n_host_steps;
} fv_plan_stats;
fv_plan_stats fv_plan_get_stats(const fv_plan *p);
void fv_plan_destroy(fv_plan **p);

// What a pulled frame gives. `tensor[i]` is output i of the graph in its own dtype, row-major;
// data is valid until the slot is reused, that is until `slots` more frames were pushed.
typedef struct {
    int n;
    const fv_tensor *tensor;
    fv_fit fit;   // of the pushed frame; identity for tensors
    void *user;   // as pushed
    const uint32_t *candidate; // numbers of the cells that were brought back, ascending: of the cells' outputs
    int n_candidates;          // nothing else is valid then. NULL: everything is
} fv_result;

// `input` says how frames become input 0 of the graph; NULL when only tensors are pushed. Upload
// buffers grow when a larger frame comes.
fv_session *fv_session_create(const fv_plan *p, const fv_input *input, int slots, fv_err *err);
// Brings back only candidates, found on the device, where a frame has at most 1024; else, and where the plan was
// made without `candidates`, all. `c` is copied.
fv_session *fv_session_create_picking(const fv_plan *p, const fv_input *input, const fv_candidates *c, int slots,
                                      fv_err *err);
// Copies the frame's planes and starts; never blocks. With all slots pushed and not pulled it fails
// (FV_BAD_INPUT): pull first.
bool fv_session_push(fv_session *s, const fv_frame *frame, float par, void *user, fv_err *err);
// in[i]: data of graph input i, row-major, in its own dtype; copied.
bool fv_session_push_tensors(fv_session *s, const void *const in[], void *user, fv_err *err);
// Blocks for the oldest pushed frame. Order of pull = order of push.
bool fv_session_pull(fv_session *s, fv_result *result, fv_err *err);
int fv_session_pending(const fv_session *s); // pushed, not yet pulled
void fv_session_destroy(fv_session **s);
