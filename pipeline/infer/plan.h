// Private to pipeline/infer: what a plan is made of, and the words that lowering rows use.
//
// A plan is data: steps over roots. A root is a run of bytes of the activation block whose place is
// decided last (memory.c), so a step's push constants hold offsets from the start of a root until
// plan.c adds where the root came to lie. Views, references and touches count as if an element were
// a float32 ("floats"); a plan of float16 halves the bytes at the same time.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "pipeline/base/arena.h"
#include "pipeline/gpu/gpu.h"
#include "pipeline/graph/graph.h"
#include "pipeline/infer/infer.h"
#include "pipeline/infer/view.h"

enum { FV_STEP_MAX_SPEC = 24, FV_STEP_MAX_WORDS = 32, FV_STEP_MAX_REFS = 12, FV_STEP_MAX_TOUCHES = 64, // the latter: of a host step; a dispatch has at most MAX_REFS
       FV_PLACE_MAX_VIEWS = 8 };

// A word of the push constants that counts from the start of a root; `unit` bytes per count.
typedef struct {
    int word, root;
    uint32_t unit;
} fv_ref;

// Bytes that a step touches, from the start of a root (or of the readback block).
typedef struct {
    fv_space space;
    int root;
    int64_t lo, hi;
    bool written;
} fv_touch;

// A dispatch, or (kernel NULL) a node that the host runs.
typedef struct {
    const char *kernel;
    const fv_node *node;       // what it works for; NULL: bringing inputs in or outputs out
    const char *note;          // the tuner's row, a layout change, ...; static or in the plan's arena
    uint32_t n_spec, spec[FV_STEP_MAX_SPEC];
    uint32_t n_words, push[FV_STEP_MAX_WORDS];
    uint32_t groups[3];
    int n_refs, n_touches;
    fv_ref ref[FV_STEP_MAX_REFS];
    fv_touch touch[FV_STEP_MAX_TOUCHES];
    fv_gpu_kernel *pipeline;
    double macs, bytes;        // bytes: of the tensors it reads and writes, counted as float32
    float ms;                  // the lowest seen while profiling; 0: never
} fv_step;

// A run of activation memory; steps first..last (inclusive) use it.
typedef struct {
    size_t bytes, offset;
    int first, last;
    bool brought;              // from the start: an input that the host writes in place
    bool kept;                 // until the end: an output that the host reads in place
} fv_root;

// A concatenation that is not made: its reader finds the tensor `half`, each pixel of which counts for two by two,
// and `whole` where they are.
typedef struct {
    int half, whole;
    bool half_first;
} fv_near;

enum { FV_MAX_PARTS = 12 };
// A concatenation of channels that is not made: its reader finds its parts where they are (parts.c), each in whole vec4.
typedef struct {
    int n;
    fv_view view[FV_MAX_PARTS];
    fv_pixel_view pixels[FV_MAX_PARTS];
    int64_t c4;                // of all
} fv_parts;

// An entry of a list of places in the weight block, which counts vec4 from the start of a root.
typedef struct {
    int64_t at;                // floats
    int root;
} fv_weight_ref;

// Where a tensor is. `view` are the layouts in which it exists so far; `home` is where its producer is
// asked to put it (inside a concatenation). Tensors that are not float32 live on the host.
typedef struct {
    int n_views;
    fv_view view[FV_PLACE_MAX_VIEWS];
    bool has_home, natural_pixels;
    fv_view home;
    int n_uses;
    bool collected;            // only the host reads it: put together in its home (collect.c)
    const fv_near *near;       // NULL: it is made
    const fv_parts *parts;     // likewise
    size_t host_at;            // from the start of a slot's host memory; SIZE_MAX: not there
} fv_place;

// Steps first..end-1, either all dispatches or one host step.
typedef struct {
    int first, end;
    bool host;
} fv_segment;

typedef enum { FV_OUTPUT_ACTIVATIONS, FV_OUTPUT_READBACK, FV_OUTPUT_HOST, FV_OUTPUT_CONSTANT } fv_output_place;
typedef struct {
    fv_output_place place;
    fv_view view;              // dense, of the first two
    bool exported;             // a last step brings it from `source`, dense on the device until the frame's end
    fv_view source;
} fv_output;

// A copy that the host makes when all steps are done. Dimensions slowest first, strides in floats.
typedef struct {
    int from_root, to_root, n_dims; // at least 2
    int64_t from_at, to_at, dim[FV_MAX_DIMS + 1], from_stride[FV_MAX_DIMS + 1], to_stride[FV_MAX_DIMS + 1];
} fv_collect;

struct fv_plan {
    fv_gpu *gpu;
    const fv_graph *graph;
    fv_plan_params params;
    fv_half half;              // of activations and weights on the device; float32 here and on the host
    double half_error;         // what the check of float16 found
    size_t element;            // bytes of an activation or a weight on the device: 4, or 2
    fv_arena *arena;
    fv_place *place;           // of every tensor of the graph
    int n_steps, steps_room, n_roots, roots_room, n_segments;
    fv_step *step;
    fv_root *root;
    fv_segment *segment;
    fv_output *output;
    int n_collects;
    fv_collect *collect;
    int n_exports;             // the last steps, a segment of their own; 0 without params.candidates
    int n_import;              // the first steps, which bring pushed tensors in
    int frame_root;            // input 0 as pixels, where a frame's preprocess writes it; -1: not needed
    fv_view frame_view;
    float *weights;            // while the plan is made
    size_t n_weights, weights_room; // floats
    bool lists;                // some inputs lie in several places: kernels that can read lists do so, also of one place
    int n_weight_refs, weight_refs_room;
    fv_weight_ref *weight_ref;
    fv_gpu_buffer *weight_buffer;
    size_t *upload_at;         // bytes, of every graph input that comes through the upload block
    fv_view *brought;          // where the host writes every graph input; NULL: it does not
    size_t upload_bytes, readback_bytes, activation_bytes, host_bytes;
    struct fv_tuner *tuner;    // while the plan is made; NULL: no measuring
    int *n_barriers;           // counted when a session records its first slot
    fv_err err;                // the first fault while lowering
};

// ---- tensors (operand.c) ---------------------------------------------------------------------------

const fv_tensor *fv_plan_tensor(const fv_plan *p, int tensor);
// The tensor in a layout, by an added copy where need be. NULL after a fault.
const fv_view *fv_plan_pixels(fv_plan *p, int tensor);
const fv_view *fv_plan_dense(fv_plan *p, int tensor);
const fv_view *fv_plan_any(fv_plan *p, int tensor); // whatever layout is there
// The layout is there already, no step needed.
bool fv_plan_has_pixels(const fv_plan *p, int tensor, fv_pixel_view *v);

// Room for a node's output in a layout (in its home where that fits); from then on the tensor is there.
fv_view fv_plan_make_pixels(fv_plan *p, int tensor);
fv_view fv_plan_make_dense(fv_plan *p, int tensor);
void fv_plan_add_view(fv_plan *p, int tensor, const fv_view *view);
fv_view fv_plan_scratch(fv_plan *p, int n_dims, const int64_t *dim, bool pixels);
int fv_plan_add_root(fv_plan *p, int64_t floats);

// n floats of the weight block, zeroed, aligned to 16 bytes; write them before the next call. `at`: floats.
float *fv_plan_weights(fv_plan *p, size_t n, int64_t *at);

// ---- inputs in several places (parts.c) -------------------------------------------------------------

// The concatenation need not be made: not all of its parts could be born in it, and a kernel that reads a list of places
// is its only reader.
bool fv_parts_stay(const fv_plan *p, const fv_node *concat);
// Notes where the parts of such a one are.
void fv_parts_find(fv_plan *p, const fv_node *concat);
// The parts of a convolution's input; NULL: it is read as a whole. A plan that reads lists reads lists of one place as
// well, so that the driver keeps one kernel instead of two.
const fv_parts *fv_parts_of(fv_plan *p, const fv_node *conv);
// Values [rows][channels of all parts][size] with zeros behind the channels of each part; free() it.
float *fv_parts_spread(const fv_parts *parts, const float *values, int64_t rows, int64_t size);
// The list of places in the weight block: its place there in vec4.
uint32_t fv_parts_list(fv_plan *p, const fv_parts *parts);
void fv_parts_read(fv_step *s, const fv_parts *parts); // by the step
void fv_parts_resolve(fv_plan *p); // when roots have their places

// ---- steps (step.c) --------------------------------------------------------------------------------

// `node` NULL is allowed. Groups are chosen for `invocations` in workgroups of `local` (flat_id() in
// shaders/lib/bind.glsl). The step is valid until the next one is added.
fv_step *fv_plan_dispatch(fv_plan *p, const fv_node *node, const char *kernel, const uint32_t *spec, int n_spec,
                          const void *push, size_t push_bytes, int64_t invocations, int local);
void fv_groups(int64_t n_groups, uint32_t groups[3]);
// Says that the step reads (writes) a view; word `offset / 4` of the push constants is an offset into
// it and counts `unit` bytes (4: floats, 16: vec4). The word already holds the offset from the root.
void fv_step_reads(fv_step *s, const fv_view *v, size_t offset, uint32_t unit);
void fv_step_reads_listed(fv_step *s, const fv_view *v); // a place that no word of the push constants names
void fv_step_writes(fv_step *s, const fv_view *v, size_t offset, uint32_t unit);
// Copies `from` to `to` (same shape). Zeros behind the last channel are written where `to` is padded.
void fv_plan_copy(fv_plan *p, const fv_node *node, const fv_view *from, const fv_view *to, const char *note);
void fv_plan_fill(fv_plan *p, const fv_node *node, const fv_view *to, float value);
void fv_plan_host(fv_plan *p, const fv_node *node);
// Keeps the first fault; returns false.
bool fv_plan_fail(fv_plan *p, fv_code code, const char *format, ...) __attribute__((format(printf, 3, 4)));

// A plan of float32 or of float16 elements, unchecked; fv_plan_create (precision.c) chooses.
fv_plan *fv_plan_make(fv_gpu *gpu, const fv_graph *g, const fv_plan_params *params, fv_half half, fv_err *err);

// The host reads outputs in place: the device is the CPU, and the plan is float32.
bool fv_plan_shares_memory(const fv_plan *p);

// ---- outputs that the host puts together (collect.c) ------------------------------------------------

// Marks what is collected: nothing unless the host reads outputs in place.
void fv_plan_find_collected(fv_plan *p);
// Both views in the activation block; from now on their roots live to the end.
void fv_plan_collect(fv_plan *p, const fv_view *from, const fv_view *to);
void fv_plan_collect_run(const fv_plan *p, char *activations);

// ---- inputs (import.c) -----------------------------------------------------------------------------

// Room for every input, float32 ones on the device; adds the steps that bring them from the upload block.
void fv_plan_place_inputs(fv_plan *p);
// A slot's memory. Tensors that are not float32 go to `host`.
typedef struct {
    char *activations, *upload, *host;
} fv_import_blocks;
void fv_plan_import(const fv_plan *p, const void *const in[], const fv_import_blocks *to);

// ---- passes ----------------------------------------------------------------------------------------

void fv_plan_assign_homes(fv_plan *p);             // home.c
void fv_plan_pair_copies(fv_plan *p);              // pair.c: a channel shuffle, and a 1 x 1 of one half, in one step
bool fv_plan_place_roots(fv_plan *p, fv_err *err); // memory.c
bool fv_plan_make_pipelines(fv_plan *p, fv_err *err); // pipelines.c: the kernels of all steps
size_t fv_roots_place(fv_root *roots, int n);      // memory.c: fills offsets, returns the block's bytes
