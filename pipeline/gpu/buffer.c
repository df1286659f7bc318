#include "pipeline/gpu/vk.h"

#include <stdlib.h>
#include <string.h>

// What each place asks of its memory, best first; 0 ends.
static const VkMemoryPropertyFlags wishes[][3] = {
    [FV_GPU_DEVICE] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT},
    [FV_GPU_WEIGHTS] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT},
    [FV_GPU_UPLOAD] = {VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
    [FV_GPU_READBACK] = {VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT |
                             VK_MEMORY_PROPERTY_HOST_CACHED_BIT,
                         VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT},
};

// How kernels read it beside as a storage buffer.
static const VkBufferUsageFlags texel_usage[] = {
    [FV_GPU_DEVICE] = VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT,
    [FV_GPU_WEIGHTS] = VK_BUFFER_USAGE_STORAGE_TEXEL_BUFFER_BIT,
    [FV_GPU_UPLOAD] = VK_BUFFER_USAGE_UNIFORM_TEXEL_BUFFER_BIT,
    [FV_GPU_READBACK] = 0,
};

static uint32_t memory_type(const fv_gpu *gpu, uint32_t allowed, fv_gpu_place place) {
    for (int w = 0; w < 3 && wishes[place][w]; w++)
        for (uint32_t i = 0; i < gpu->memory.memoryTypeCount; i++)
            if ((allowed >> i & 1) && (gpu->memory.memoryTypes[i].propertyFlags & wishes[place][w]) == wishes[place][w])
                return i;
    return UINT32_MAX;
}

static bool reserve(fv_gpu_buffer *b, fv_gpu_place place, fv_err *err) {
    fv_gpu *gpu = b->gpu;
    VkMemoryRequirements needs;
    vkGetBufferMemoryRequirements(gpu->device, b->buffer, &needs);
    uint32_t type = memory_type(gpu, needs.memoryTypeBits, place);
    if (type == UINT32_MAX)
        return fv_fail(err, FV_GPU, "%s: no memory fit for a buffer", gpu->caps.name);
    VkResult result = vkAllocateMemory(
        gpu->device,
        &(VkMemoryAllocateInfo){
            .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
            .pNext = !gpu->caps.buffer_address ? NULL : &(VkMemoryAllocateFlagsInfo){
                .sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO, .flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT},
            .allocationSize = needs.size, .memoryTypeIndex = type},
        NULL, &b->memory);
    if (result == VK_SUCCESS)
        result = vkBindBufferMemory(gpu->device, b->buffer, b->memory, 0);
    if (result == VK_SUCCESS && (gpu->memory.memoryTypes[type].propertyFlags & VK_MEMORY_PROPERTY_HOST_COHERENT_BIT))
        result = vkMapMemory(gpu->device, b->memory, 0, VK_WHOLE_SIZE, 0, &b->map);
    if (result != VK_SUCCESS)
        return fv_gpu_result(result, "reserving memory", err);
    if (b->map)
        memset(b->map, 0, b->bytes);
    return true;
}

static bool make_view(fv_gpu_buffer *b, VkFormat format, size_t texel_bytes, VkBufferView *view, fv_err *err) {
    if (b->bytes / texel_bytes > b->gpu->caps.max_texels)
        return fv_fail(err, FV_GPU, "%zu MiB are more than %s can read as one buffer; use a smaller input size",
                       b->bytes >> 20, b->gpu->caps.name);
    return fv_gpu_result(
        vkCreateBufferView(b->gpu->device,
                           &(VkBufferViewCreateInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_VIEW_CREATE_INFO,
                               .buffer = b->buffer, .range = VK_WHOLE_SIZE, .format = format},
                           NULL, view),
        "vkCreateBufferView", err);
}

// A block too large for texels of half the size is none that holds float16.
static bool make_views(fv_gpu_buffer *b, fv_gpu_place place, fv_err *err) {
    if (place == FV_GPU_UPLOAD)
        return make_view(b, VK_FORMAT_R8_UINT, 1, &b->texels, err);
    bool half = b->gpu->caps.fp16_storage && b->bytes / 8 <= b->gpu->caps.max_texels;
    return make_view(b, VK_FORMAT_R32G32B32A32_SFLOAT, 16, &b->texels, err) &&
           (!half || make_view(b, VK_FORMAT_R16G16B16A16_SFLOAT, 8, &b->texels_half, err));
}

static bool make_buffer(fv_gpu_buffer *b, fv_gpu_place place, fv_err *err) {
    fv_gpu *gpu = b->gpu;
    return fv_gpu_result(
        vkCreateBuffer(
            gpu->device,
            &(VkBufferCreateInfo){
                .sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO, .size = b->bytes,
                .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                         VK_BUFFER_USAGE_TRANSFER_DST_BIT | texel_usage[place] |
                         (gpu->caps.buffer_address ? VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT : 0)},
            NULL, &b->buffer),
        "vkCreateBuffer", err);
}

fv_gpu_buffer *fv_gpu_buffer_create(fv_gpu *gpu, size_t bytes, fv_gpu_place place, fv_err *err) {
    fv_gpu_buffer *b = calloc(1, sizeof *b);
    if (!b) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    b->gpu = gpu;
    b->bytes = bytes ? (bytes + 255) & ~(size_t)255 : 256;
    if (!fv_gpu_check(gpu, err) || !make_buffer(b, place, err) || !reserve(b, place, err) ||
        (texel_usage[place] && !make_views(b, place, err))) {
        fv_gpu_buffer_destroy(&b);
        return NULL;
    }
    if (gpu->caps.buffer_address)
        b->address = vkGetBufferDeviceAddress(
            gpu->device, &(VkBufferDeviceAddressInfo){.sType = VK_STRUCTURE_TYPE_BUFFER_DEVICE_ADDRESS_INFO,
                                                      .buffer = b->buffer});
    return b;
}

void fv_gpu_buffer_destroy(fv_gpu_buffer **buffer) {
    fv_gpu_buffer *b = *buffer;
    *buffer = NULL;
    if (!b)
        return;
    vkDestroyBufferView(b->gpu->device, b->texels, NULL);
    vkDestroyBufferView(b->gpu->device, b->texels_half, NULL);
    vkDestroyBuffer(b->gpu->device, b->buffer, NULL);
    vkFreeMemory(b->gpu->device, b->memory, NULL);
    free(b);
}

void *fv_gpu_buffer_map(fv_gpu_buffer *buffer) {
    return buffer->map;
}

uint64_t fv_gpu_buffer_address(const fv_gpu_buffer *buffer) {
    return buffer->address;
}

size_t fv_gpu_buffer_bytes(const fv_gpu_buffer *buffer) {
    return buffer->bytes;
}

static bool inside(const fv_gpu_buffer *b, size_t offset, size_t bytes, fv_err *err) {
    return (offset <= b->bytes && bytes <= b->bytes - offset) ||
           fv_fail(err, FV_GPU, "bytes %zu to %zu are outside a buffer of %zu", offset, offset + bytes, b->bytes);
}

bool fv_gpu_buffer_upload(fv_gpu_buffer *buffer, size_t offset, const void *data, size_t bytes, fv_err *err) {
    if (!inside(buffer, offset, bytes, err) || !bytes)
        return !bytes;
    if (buffer->map) {
        memcpy((char *)buffer->map + offset, data, bytes);
        return true;
    }
    fv_gpu_buffer *staging = fv_gpu_buffer_create(buffer->gpu, bytes, FV_GPU_UPLOAD, err);
    bool ok = staging != NULL;
    if (ok) {
        memcpy(staging->map, data, bytes);
        ok = fv_gpu_copy(buffer->gpu, staging, 0, buffer, offset, bytes, err);
    }
    fv_gpu_buffer_destroy(&staging);
    return ok;
}

bool fv_gpu_buffer_download(fv_gpu_buffer *buffer, size_t offset, void *data, size_t bytes, fv_err *err) {
    if (!inside(buffer, offset, bytes, err) || !bytes)
        return !bytes;
    if (buffer->map) {
        memcpy(data, (char *)buffer->map + offset, bytes);
        return true;
    }
    fv_gpu_buffer *staging = fv_gpu_buffer_create(buffer->gpu, bytes, FV_GPU_READBACK, err);
    bool ok = staging && fv_gpu_copy(buffer->gpu, buffer, offset, staging, 0, bytes, err);
    if (ok)
        memcpy(data, staging->map, bytes);
    fv_gpu_buffer_destroy(&staging);
    return ok;
}
