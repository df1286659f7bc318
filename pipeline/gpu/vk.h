// Private to pipeline/gpu: what the files here share. The public border is gpu.h.
#pragma once

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <vulkan/vulkan.h>

#include "pipeline/gpu/gpu.h"

enum { FV_GPU_N_BINDINGS = 7, FV_GPU_MAX_SPEC = 24 };

// gpu.h lists the bindings.
static inline VkDescriptorType fv_gpu_binding_type(uint32_t binding) {
    return binding < 2    ? VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER
           : binding == 6 ? VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER
                          : VK_DESCRIPTOR_TYPE_STORAGE_BUFFER;
}

// One embedded shader; the table is made by shaders/meson.build and ends with a NULL name.
typedef struct {
    const char *name;
    const uint32_t *code;
    size_t bytes;
} fv_gpu_shader;
extern const fv_gpu_shader fv_gpu_shaders[];

struct fv_gpu_kernel {
    fv_gpu_kernel *next;
    const char *name;
    int uses;
    uint32_t n_spec, spec[FV_GPU_MAX_SPEC];
    VkPipeline pipeline;
};

// awake.c. The thread is there from the first wait on. It never holds the lock: on a busy machine a thread of the
// lowest class may not run for seconds, and who waits for a frame would wait for it.
typedef struct {
    pthread_t thread;
    pthread_mutex_t lock; // of tried, running
    sem_t wanted;         // once for each time that somebody begins to wait, and for the end
    atomic_int waiting;   // callers of fv_gpu_wait_awake
    atomic_bool leave;
    bool tried, running;
} fv_gpu_awake;
void fv_gpu_awake_init(fv_gpu *gpu);
void fv_gpu_awake_finish(fv_gpu *gpu);

struct fv_gpu {
    VkInstance instance;
    VkDebugUtilsMessengerEXT messenger;
    VkPhysicalDevice physical;
    VkPhysicalDeviceMemoryProperties memory;
    float timestamp_ns;
    bool subgroup_control; // the subgroup size can be demanded per pipeline
    bool robust2;          // fetches outside a texel buffer give zero
    VkDevice device;
    uint32_t family;
    VkQueue queue;
    VkSemaphore timeline;
    uint64_t last_ticket;
    pthread_mutex_t queue_lock;

    VkDescriptorSetLayout set_layout;
    VkPipelineLayout layout;
    VkPipelineCache pipeline_cache;
    fv_gpu_kernel *kernels;
    bool new_kernels; // since the cache file was read
    pthread_mutex_t kernel_lock;

    fv_gpu_buffer *nothing, *no_upload; // what the unused bindings of a program point to
    fv_gpu_awake awake;
    fv_gpu_caps caps;
    char cache_dir[512];
    atomic_bool broken; // the validation layer has spoken
    char complaint[768];
};

struct fv_gpu_buffer {
    fv_gpu *gpu;
    size_t bytes;
    VkBuffer buffer;
    VkDeviceMemory memory;
    VkBufferView texels; // of blocks that kernels read as texels: RGBA32F; bytes of an upload block
    VkBufferView texels_half; // the same as RGBA16F; none of an upload block or without caps.fp16_storage
    void *map;
    VkDeviceAddress address;
};

// Vulkan's result as an error: "vkQueueSubmit: device lost".
bool fv_gpu_result(VkResult result, const char *call, fv_err *err);

// instance.c
VkInstance fv_gpu_instance_create(bool validate, fv_err *err);
VkDebugUtilsMessengerEXT fv_gpu_messenger_create(fv_gpu *gpu);
void fv_gpu_messenger_destroy(fv_gpu *gpu);

// caps.c: what a device can do; `reason` is "" or why it cannot be used.
typedef struct {
    fv_gpu_caps caps;
    float timestamp_ns;
    uint32_t family;
    bool subgroup_control, robust2;
    char reason[160];
} fv_gpu_survey;
fv_gpu_survey fv_gpu_survey_device(VkPhysicalDevice device);
bool fv_gpu_has_extension(VkPhysicalDevice device, const char *name);

// cache.c
void fv_gpu_cache_find(fv_gpu *gpu, const char *dir);
bool fv_gpu_cache_load(fv_gpu *gpu, fv_err *err);
void fv_gpu_cache_save(fv_gpu *gpu);

// kernel.c
void fv_gpu_kernels_destroy(fv_gpu *gpu);

// Runs a short command buffer now and waits (uploads of weights).
bool fv_gpu_copy(fv_gpu *gpu, fv_gpu_buffer *from, size_t from_offset, fv_gpu_buffer *to, size_t to_offset,
                 size_t bytes, fv_err *err);
bool fv_gpu_submit(fv_gpu *gpu, VkCommandBuffer commands, uint64_t *ticket, fv_err *err);
