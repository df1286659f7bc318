// Private to pipeline/infer: a session's slots.
#pragma once

#include "pipeline/infer/candidates.h"
#include "pipeline/infer/preprocess_host.h"

// What a frame program was recorded for; compared bytewise.
typedef struct {
    int format, width, height, stride[3], matrix, full_range;
    float par;
} fv_geometry;

// One host step with its operands looked up. `shadow` stands in for device memory that is not mapped.
typedef struct {
    const fv_tensor **in;
    fv_tensor **out;
    void **shadow_in, **shadow_out; // of the operands in device memory, else NULL
    fv_view *view_in, *view_out;
} fv_host_step;

typedef struct {
    fv_gpu_buffer *activations, *upload, *readback;
    char *host;                 // tensors that are not float32
    fv_gpu_program **program;   // of every segment; NULL for host segments
    fv_gpu_program *frame;      // segment 0 behind a frame's preprocess
    fv_host_preprocess *preprocess; // makes the network's input where the device is the CPU, else NULL
    fv_geometry geometry;
    fv_host_step *host_step;    // of every segment
    fv_tensor *output;
    uint32_t *candidate;        // room for the picker's
    uint64_t ticket;
    fv_fit fit;
    void *user;
    bool frame_pushed;
} fv_slot;

struct fv_session {
    const fv_plan *plan;
    bool has_input;
    fv_input input;
    fv_picker picker;              // room 0: everything is brought back
    bool settled;                  // has run once
    int n_slots, first, n_pending; // pending slots are first, first+1, ... modulo n_slots
    fv_slot *slot;
    fv_arena *arena;
};

// record.c
bool fv_slot_init(fv_session *s, fv_slot *slot, fv_err *err);
void fv_slot_finish(fv_slot *slot, int n_segments);
// At least this many bytes of upload block. Frames that the host prepares need none, pushed tensors do.
bool fv_slot_grow_upload(fv_session *s, fv_slot *slot, size_t bytes, fv_err *err);
// Makes slot->frame for frames of this kind, unless it is there; grows the upload block.
bool fv_slot_record_frame(fv_session *s, fv_slot *slot, const fv_frame *frame, float par, fv_err *err);
// Brings the frame to the device: its planes, or what the network sees of it.
void fv_slot_bring_frame(const fv_session *s, fv_slot *slot, const fv_frame *frame);

// host_step.c
bool fv_host_steps_prepare(fv_session *s, fv_slot *slot, fv_err *err);
bool fv_host_step_run(fv_session *s, fv_slot *slot, int segment, fv_err *err);
