// Everything Vulkan. No other module includes vulkan.h.
//
// One `fv_gpu` is one logical device with one compute queue. Kernels all share ONE pipeline layout,
// so that a program needs one descriptor set and dispatches differ only by pipeline, push constants
// and group counts:
//
//     binding 0  uniform imageBuffer     the activation block, as vec4 (RGBA32F storage texel buffer)
//     binding 1  uniform imageBuffer     the weight block, as vec4
//     binding 2  buffer                  the activation block, vec4 or scalars, read and written
//     binding 3  buffer                  the weight block, read only
//     binding 4  buffer                  upload: what the host writes for a frame (planes, inputs)
//     binding 5  buffer                  readback: what the host reads
//     binding 6  uniform usamplerBuffer  the upload block, as bytes (R8_UINT texel buffer)
//
// A texel read outside its block gives zero: kernels read their padding that way. A program whose
// blocks say `half` has float16 in the activation and the weight block (RGBA16F texels) and runs the
// kernels whose names end in "_half".
//
// (shaders/lib/bind.glsl declares them.) Push constants: at most 128 bytes.
// Thread-safety: fv_gpu may be shared by threads; everything else belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pipeline/base/err.h"

typedef struct fv_gpu fv_gpu;
typedef struct fv_gpu_buffer fv_gpu_buffer;
typedef struct fv_gpu_kernel fv_gpu_kernel;   // one pipeline; cached, owned by the gpu
typedef struct fv_gpu_program fv_gpu_program; // dispatches recorded once, run often

// {0} is fine: first discrete GPU, else integrated, else CPU (lavapipe).
typedef struct {
    const char *device;    // NULL, or a number or part of a name of `fovea devices`
    bool validate;         // validation layer on; what it reports makes every later call fail
    const char *cache_dir; // NULL: $XDG_CACHE_HOME/fovea, else ~/.cache/fovea; "" turns caching off
} fv_gpu_params;

typedef struct {
    char name[256], driver[256]; // driver: name and version
    char key[64];                // device + driver, fit for a file name: keys every cache
    uint32_t vendor_id, device_id, api_version;
    bool cpu, discrete;
    uint32_t subgroup;           // invocations; kernels that need it get it as a constant
    uint32_t shared_bytes, max_workgroup, max_push_bytes;
    uint64_t max_texels, memory_bytes;
    bool fp16_storage, fp16_arithmetic, coopmat_nv, coopmat_khr, timestamps;
    bool shuffle, buffer_address; // subgroupShuffle; GL_EXT_buffer_reference
    bool int64;                   // 64-bit integers in shaders
} fv_gpu_caps;

// Without any Vulkan driver: FV_UNSUPPORTED, and the text says what to install. Everything that was
// made from a gpu must be destroyed before it; kernels go with it.
fv_gpu *fv_gpu_create(const fv_gpu_params *params, fv_err *err);
const fv_gpu_caps *fv_gpu_get_caps(const fv_gpu *gpu);
void fv_gpu_destroy(fv_gpu **gpu);

// False, with what the validation layer said, once it has said anything (params.validate only).
bool fv_gpu_check(const fv_gpu *gpu, fv_err *err);

// "<cache_dir>/<caps.key>.<suffix>" into `path`, the folder made if need be; false when caching is
// off or the folder cannot be made.
bool fv_gpu_cache_path(const fv_gpu *gpu, const char *suffix, char *path, size_t size);

// All devices that Vulkan shows, usable or not; `reason` is "" for the usable ones. Returns how
// many were written, at most `max`; -1 (and err) when there is no Vulkan at all.
typedef struct { fv_gpu_caps caps; char reason[160]; } fv_gpu_info;
int fv_gpu_list(fv_gpu_info *list, int max, fv_err *err);

typedef enum {
    FV_GPU_DEVICE,   // fastest for kernels; not mapped unless the memory is host visible anyway
    FV_GPU_WEIGHTS,  // like FV_GPU_DEVICE, filled once by fv_gpu_buffer_upload
    FV_GPU_UPLOAD,   // the host writes
    FV_GPU_READBACK, // the host reads (cached memory)
} fv_gpu_place;

fv_gpu_buffer *fv_gpu_buffer_create(fv_gpu *gpu, size_t bytes, fv_gpu_place place, fv_err *err);
void *fv_gpu_buffer_map(fv_gpu_buffer *buffer); // host address; NULL where it is not host visible
bool fv_gpu_buffer_upload(fv_gpu_buffer *buffer, size_t offset, const void *data, size_t bytes, fv_err *err);
bool fv_gpu_buffer_download(fv_gpu_buffer *buffer, size_t offset, void *data, size_t bytes, fv_err *err);
void fv_gpu_buffer_destroy(fv_gpu_buffer **buffer);

// Where a shader finds the buffer (GL_EXT_buffer_reference); 0 without caps.buffer_address.
uint64_t fv_gpu_buffer_address(const fv_gpu_buffer *buffer);
size_t fv_gpu_buffer_bytes(const fv_gpu_buffer *buffer);

// The kernel of that name (a file of shaders/) with its specialization constants 0..n_spec-1.
// The second call with the same arguments returns the same kernel.
fv_gpu_kernel *fv_gpu_kernel_get(fv_gpu *gpu, const char *name, const uint32_t *spec, uint32_t n_spec,
                                 fv_err *err);
// Gives it back, once for each get; no program may hold it any more. What nobody has is destroyed: a driver
// keeps megabytes for each. NULL is fine. What is never given back goes with the gpu.
void fv_gpu_kernel_put(fv_gpu *gpu, fv_gpu_kernel *kernel);

// To be called after everything has run once: gives memory back that a CPU driver's compiler has left in
// this process's heap.
void fv_gpu_settle(fv_gpu *gpu);

// The blocks that a program's bindings point to; NULL where a program has none.
typedef struct {
    fv_gpu_buffer *activations, *weights, *upload, *readback;
    bool half; // activations and weights hold float16; needs caps.fp16_storage
} fv_gpu_blocks;

// Bytes of a block that a dispatch touches; hazards between dispatches are computed from these.
typedef enum { FV_GPU_ACTIVATIONS, FV_GPU_READ_BACK } fv_gpu_block;
typedef struct {
    fv_gpu_block block;
    size_t offset, size;
    bool written;
} fv_gpu_span;

fv_gpu_program *fv_gpu_program_begin(fv_gpu *gpu, const fv_gpu_blocks *blocks, fv_err *err);
// Adds a dispatch, and before it a barrier if a span reads or overwrites what an earlier dispatch
// since the last barrier wrote, or overwrites what it read.
void fv_gpu_program_add(fv_gpu_program *p, fv_gpu_kernel *kernel, const fv_gpu_span *spans, uint32_t n_spans,
                        const void *push, uint32_t push_bytes, const uint32_t groups[3]);
// An error in an add (too many push bytes or groups) is kept and reported here.
bool fv_gpu_program_end(fv_gpu_program *p, fv_err *err);

// Between begin and the first add: take the time of every dispatch from now on. Dispatches then do
// not overlap. False without caps.timestamps. After a submit and its wait, `ms[i]` is the time of
// dispatch i (the i-th add); at most `max`, returns how many.
bool fv_gpu_program_profile(fv_gpu_program *p, uint32_t max_dispatches);
uint32_t fv_gpu_program_times(const fv_gpu_program *p, float *ms, uint32_t max);
uint32_t fv_gpu_program_barriers(const fv_gpu_program *p); // how many were needed

// Submits run one after the other, in order; tickets of one gpu grow.
bool fv_gpu_program_submit(fv_gpu_program *p, uint64_t *ticket, fv_err *err); // does not block
bool fv_gpu_wait(fv_gpu *gpu, uint64_t ticket, uint64_t timeout_ns, fv_err *err);
// The same without an end, for the results of a frame. Where the device is the CPU, a thread meanwhile keeps a core from
// halting, for the driver's threads change at every dispatch and waking a core takes as long as a small layer. The
// thread is of the lowest class (SCHED_IDLE): it has what time nobody else wants. FOVEA_AWAKE=0 leaves it out.
bool fv_gpu_wait_awake(fv_gpu *gpu, uint64_t ticket, fv_err *err);
double fv_gpu_awake_ms(fv_gpu *gpu); // processor time of that thread so far
void fv_gpu_program_destroy(fv_gpu_program **p); // waits until idle
