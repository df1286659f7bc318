#include "pipeline/gpu/vk.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/gpu/hazard.h"

enum { MAX_PUSH_BYTES = 128, MAX_GROUPS = 65535 };

struct fv_gpu_program {
    fv_gpu *gpu;
    VkDescriptorPool descriptors;
    VkDescriptorSet set;
    VkCommandPool pool;
    VkCommandBuffer commands;
    VkQueryPool times;
    uint32_t n_dispatches, max_timed, n_barriers;
    VkPipeline bound;
    fv_gpu_hazards hazards;
    uint64_t ticket; // of the last submit
    fv_err err;      // the first one while recording
};

static bool make_set(fv_gpu_program *p, fv_err *err) {
    VkResult result = vkCreateDescriptorPool(
        p->gpu->device,
        &(VkDescriptorPoolCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, .maxSets = 1, .poolSizeCount = 3,
            .pPoolSizes = (VkDescriptorPoolSize[]){{VK_DESCRIPTOR_TYPE_STORAGE_TEXEL_BUFFER, 2},
                                                   {VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER, 1},
                                                   {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, FV_GPU_N_BINDINGS - 3}}},
        NULL, &p->descriptors);
    if (result == VK_SUCCESS)
        result = vkAllocateDescriptorSets(
            p->gpu->device,
            &(VkDescriptorSetAllocateInfo){.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
                .descriptorPool = p->descriptors, .descriptorSetCount = 1, .pSetLayouts = &p->gpu->set_layout},
            &p->set);
    return fv_gpu_result(result, "making a descriptor set", err);
}

static void write_set(fv_gpu_program *p, const fv_gpu_blocks *b) {
    fv_gpu_buffer *of[FV_GPU_N_BINDINGS] = {b->activations, b->weights, b->activations, b->weights, b->upload,
                                            b->readback, b->upload};
    VkDescriptorBufferInfo infos[FV_GPU_N_BINDINGS];
    VkWriteDescriptorSet writes[FV_GPU_N_BINDINGS];
    for (uint32_t i = 0; i < FV_GPU_N_BINDINGS; i++) {
        fv_gpu_buffer *buffer = of[i] ? of[i] : i == 6 ? p->gpu->no_upload : p->gpu->nothing;
        bool half = b->half && i < 2;
        infos[i] = (VkDescriptorBufferInfo){buffer->buffer, 0, VK_WHOLE_SIZE};
        writes[i] = (VkWriteDescriptorSet){
            .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, .dstSet = p->set, .dstBinding = i, .descriptorCount = 1,
            .descriptorType = fv_gpu_binding_type(i),
            .pBufferInfo = &infos[i], .pTexelBufferView = half ? &buffer->texels_half : &buffer->texels};
    }
    vkUpdateDescriptorSets(p->gpu->device, FV_GPU_N_BINDINGS, writes, 0, NULL);
}

static bool make_commands(fv_gpu *gpu, VkCommandPool *pool, VkCommandBuffer *commands, fv_err *err) {
    VkResult result = vkCreateCommandPool(
        gpu->device,
        &(VkCommandPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
            .queueFamilyIndex = gpu->family},
        NULL, pool);
    if (result == VK_SUCCESS)
        result = vkAllocateCommandBuffers(
            gpu->device,
            &(VkCommandBufferAllocateInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
                .commandPool = *pool, .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY, .commandBufferCount = 1},
            commands);
    if (result == VK_SUCCESS)
        result = vkBeginCommandBuffer(
            *commands, &(VkCommandBufferBeginInfo){.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO});
    return fv_gpu_result(result, "making a command buffer", err);
}

static bool can_be_half(const fv_gpu_blocks *b, fv_err *err) {
    const fv_gpu_buffer *of[] = {b->activations, b->weights};
    for (int i = 0; i < 2; i++)
        if (of[i] && !of[i]->texels_half)
            return fv_fail(err, FV_UNSUPPORTED, "%s cannot read %zu MiB of float16 as one buffer",
                           of[i]->gpu->caps.name, of[i]->bytes >> 20);
    return true;
}

fv_gpu_program *fv_gpu_program_begin(fv_gpu *gpu, const fv_gpu_blocks *blocks, fv_err *err) {
    fv_gpu_program *p = calloc(1, sizeof *p);
    if (!p) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    p->gpu = gpu;
    if (!fv_gpu_check(gpu, err) || (blocks->half && !can_be_half(blocks, err)) || !make_set(p, err) || !make_commands(gpu, &p->pool, &p->commands, err)) {
        fv_gpu_program_destroy(&p);
        return NULL;
    }
    write_set(p, blocks);
    vkCmdBindDescriptorSets(p->commands, VK_PIPELINE_BIND_POINT_COMPUTE, gpu->layout, 0, 1, &p->set, 0, NULL);
    return p;
}

bool fv_gpu_program_profile(fv_gpu_program *p, uint32_t max_dispatches) {
    if (!p->gpu->caps.timestamps || p->n_dispatches || !max_dispatches)
        return false;
    VkResult result = vkCreateQueryPool(
        p->gpu->device,
        &(VkQueryPoolCreateInfo){.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
            .queryType = VK_QUERY_TYPE_TIMESTAMP, .queryCount = max_dispatches + 1},
        NULL, &p->times);
    if (result != VK_SUCCESS)
        return false;
    p->max_timed = max_dispatches;
    vkCmdResetQueryPool(p->commands, p->times, 0, max_dispatches + 1);
    vkCmdWriteTimestamp(p->commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, p->times, 0);
    return true;
}

static void barrier(fv_gpu_program *p, VkPipelineStageFlags to, VkAccessFlags access) {
    vkCmdPipelineBarrier(p->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, to, 0, 1,
                         &(VkMemoryBarrier){.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT, .dstAccessMask = access},
                         0, NULL, 0, NULL);
}

static bool fits(fv_gpu_program *p, const fv_gpu_kernel *kernel, uint32_t push_bytes, const uint32_t groups[3]) {
    bool groups_fit = groups[0] <= MAX_GROUPS && groups[1] <= MAX_GROUPS && groups[2] <= MAX_GROUPS;
    if (kernel && push_bytes <= MAX_PUSH_BYTES && push_bytes % 4 == 0 && groups_fit)
        return true;
    if (p->err.code == FV_OK)
        fv_fail(&p->err, FV_GPU, "dispatch %u (%s): %u push bytes, %u x %u x %u groups are out of range",
                p->n_dispatches, kernel ? kernel->name : "no kernel", push_bytes, groups[0], groups[1], groups[2]);
    return false;
}

void fv_gpu_program_add(fv_gpu_program *p, fv_gpu_kernel *kernel, const fv_gpu_span *spans, uint32_t n_spans,
                        const void *push, uint32_t push_bytes, const uint32_t groups[3]) {
    if (!fits(p, kernel, push_bytes, groups))
        return;
    if (fv_gpu_hazards_add(&p->hazards, spans, n_spans)) {
        barrier(p, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        p->n_barriers++;
    }
    if (p->bound != kernel->pipeline)
        vkCmdBindPipeline(p->commands, VK_PIPELINE_BIND_POINT_COMPUTE, kernel->pipeline);
    p->bound = kernel->pipeline;
    if (push_bytes)
        vkCmdPushConstants(p->commands, p->gpu->layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes, push);
    vkCmdDispatch(p->commands, groups[0], groups[1], groups[2]);
    p->n_dispatches++;
    if (p->n_dispatches <= p->max_timed) {
        barrier(p, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
        vkCmdWriteTimestamp(p->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, p->times, p->n_dispatches);
    }
}

bool fv_gpu_program_end(fv_gpu_program *p, fv_err *err) {
    barrier(p, VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
            VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
    VkResult result = vkEndCommandBuffer(p->commands);
    if (p->err.code != FV_OK) {
        if (err)
            *err = p->err;
        return false;
    }
    return fv_gpu_result(result, "vkEndCommandBuffer", err) && fv_gpu_check(p->gpu, err);
}

bool fv_gpu_program_submit(fv_gpu_program *p, uint64_t *ticket, fv_err *err) {
    bool ok = fv_gpu_submit(p->gpu, p->commands, &p->ticket, err);
    *ticket = p->ticket;
    return ok;
}

uint32_t fv_gpu_program_times(const fv_gpu_program *p, float *ms, uint32_t max) {
    uint32_t n = p->n_dispatches < p->max_timed ? p->n_dispatches : p->max_timed;
    n = n < max ? n : max;
    uint64_t before, after;
    for (uint32_t i = 0; i < n; i++) {
        if (vkGetQueryPoolResults(p->gpu->device, p->times, i, 1, 8, &before, 8, VK_QUERY_RESULT_64_BIT) ||
            vkGetQueryPoolResults(p->gpu->device, p->times, i + 1, 1, 8, &after, 8, VK_QUERY_RESULT_64_BIT))
            return i;
        ms[i] = (float)((double)(after - before) * p->gpu->timestamp_ns * 1e-6);
    }
    return n;
}

uint32_t fv_gpu_program_barriers(const fv_gpu_program *p) {
    return p->n_barriers;
}

void fv_gpu_program_destroy(fv_gpu_program **p) {
    fv_gpu_program *q = *p;
    *p = NULL;
    if (!q)
        return;
    if (q->ticket)
        fv_gpu_wait(q->gpu, q->ticket, UINT64_MAX, NULL);
    vkDestroyQueryPool(q->gpu->device, q->times, NULL);
    vkDestroyCommandPool(q->gpu->device, q->pool, NULL);
    vkDestroyDescriptorPool(q->gpu->device, q->descriptors, NULL);
    free(q->hazards.v);
    free(q);
}

bool fv_gpu_copy(fv_gpu *gpu, fv_gpu_buffer *from, size_t from_offset, fv_gpu_buffer *to, size_t to_offset,
                 size_t bytes, fv_err *err) {
    VkCommandPool pool = VK_NULL_HANDLE;
    VkCommandBuffer commands = VK_NULL_HANDLE;
    uint64_t ticket = 0;
    bool ok = make_commands(gpu, &pool, &commands, err);
    if (ok) {
        vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &(VkBufferCopy){from_offset, to_offset, bytes});
        vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
                             VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, 0, 1,
                             &(VkMemoryBarrier){.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                                 .srcAccessMask = VK_ACCESS_TRANSFER_WRITE_BIT,
                                 .dstAccessMask = VK_ACCESS_HOST_READ_BIT | VK_ACCESS_SHADER_READ_BIT},
                             0, NULL, 0, NULL);
        ok = fv_gpu_result(vkEndCommandBuffer(commands), "vkEndCommandBuffer", err) &&
             fv_gpu_submit(gpu, commands, &ticket, err) && fv_gpu_wait(gpu, ticket, UINT64_MAX, err);
    }
    vkDestroyCommandPool(gpu->device, pool, NULL);
    return ok;
}
