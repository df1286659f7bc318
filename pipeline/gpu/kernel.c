#include "pipeline/gpu/vk.h"

#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__ // known from here on
#include <malloc.h>
#endif

static const fv_gpu_shader *find_shader(const char *name) {
    for (const fv_gpu_shader *s = fv_gpu_shaders; s->name; s++)
        if (!strcmp(s->name, name))
            return s;
    return NULL;
}

static fv_gpu_kernel *find_kernel(const fv_gpu *gpu, const char *name, const uint32_t *spec, uint32_t n_spec) {
    for (fv_gpu_kernel *k = gpu->kernels; k; k = k->next)
        if (k->n_spec == n_spec && !strcmp(k->name, name) && !memcmp(k->spec, spec, n_spec * sizeof *spec))
            return k;
    return NULL;
}

static VkResult make_pipeline(fv_gpu *gpu, fv_gpu_kernel *k, VkShaderModule module) {
    VkSpecializationMapEntry entries[FV_GPU_MAX_SPEC];
    for (uint32_t i = 0; i < k->n_spec; i++)
        entries[i] = (VkSpecializationMapEntry){.constantID = i, .offset = 4 * i, .size = 4};
    return vkCreateComputePipelines(
        gpu->device, gpu->pipeline_cache, 1,
        &(VkComputePipelineCreateInfo){
            .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, .layout = gpu->layout,
            .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .pNext = !gpu->subgroup_control ? NULL : &(VkPipelineShaderStageRequiredSubgroupSizeCreateInfoEXT){
                    .sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO_EXT,
                    .requiredSubgroupSize = gpu->caps.subgroup},
                .stage = VK_SHADER_STAGE_COMPUTE_BIT, .module = module, .pName = "main",
                .pSpecializationInfo = &(VkSpecializationInfo){k->n_spec, entries, 4 * k->n_spec, k->spec}}},
        NULL, &k->pipeline);
}

static fv_gpu_kernel *make_kernel(fv_gpu *gpu, const fv_gpu_shader *shader, const uint32_t *spec, uint32_t n_spec,
                                  fv_err *err) {
    fv_gpu_kernel *k = calloc(1, sizeof *k);
    if (!k) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    k->name = shader->name;
    k->n_spec = n_spec;
    if (n_spec)
        memcpy(k->spec, spec, n_spec * sizeof *spec);
    VkShaderModule module = VK_NULL_HANDLE;
    VkResult result = vkCreateShaderModule(
        gpu->device,
        &(VkShaderModuleCreateInfo){.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
            .codeSize = shader->bytes, .pCode = shader->code},
        NULL, &module);
    if (result == VK_SUCCESS)
        result = make_pipeline(gpu, k, module);
    vkDestroyShaderModule(gpu->device, module, NULL);
    if (fv_gpu_result(result, shader->name, err) && fv_gpu_check(gpu, err))
        return k;
    vkDestroyPipeline(gpu->device, k->pipeline, NULL);
    free(k);
    return NULL;
}

// Kernels are made without the lock, so that threads do not wait for each other: another thread may have
// been faster with the same one.
static fv_gpu_kernel *keep_kernel(fv_gpu *gpu, fv_gpu_kernel *made) {
    if (!made)
        return NULL;
    pthread_mutex_lock(&gpu->kernel_lock);
    fv_gpu_kernel *k = find_kernel(gpu, made->name, made->spec, made->n_spec);
    if (!k) {
        k = made;
        k->next = gpu->kernels;
        gpu->kernels = k;
        gpu->new_kernels = true;
    }
    k->uses++;
    pthread_mutex_unlock(&gpu->kernel_lock);
    if (k != made) {
        vkDestroyPipeline(gpu->device, made->pipeline, NULL);
        free(made);
    }
    return k;
}

fv_gpu_kernel *fv_gpu_kernel_get(fv_gpu *gpu, const char *name, const uint32_t *spec, uint32_t n_spec, fv_err *err) {
    const fv_gpu_shader *shader = find_shader(name);
    if (!shader || n_spec > FV_GPU_MAX_SPEC) {
        fv_fail(err, FV_GPU, "kernel '%s': %s", name, shader ? "too many constants" : "no such kernel");
        return NULL;
    }
    pthread_mutex_lock(&gpu->kernel_lock);
    fv_gpu_kernel *k = find_kernel(gpu, name, spec, n_spec);
    if (k)
        k->uses++;
    pthread_mutex_unlock(&gpu->kernel_lock);
    return k ? k : keep_kernel(gpu, make_kernel(gpu, shader, spec, n_spec, err));
}

static void destroy(fv_gpu *gpu, fv_gpu_kernel *k) {
    vkDestroyPipeline(gpu->device, k->pipeline, NULL);
    free(k);
}

void fv_gpu_kernel_put(fv_gpu *gpu, fv_gpu_kernel *kernel) {
    if (!kernel)
        return;
    pthread_mutex_lock(&gpu->kernel_lock);
    if (!--kernel->uses) {
        fv_gpu_kernel **at = &gpu->kernels;
        while (*at != kernel)
            at = &(*at)->next;
        *at = kernel->next;
        destroy(gpu, kernel);
    }
    pthread_mutex_unlock(&gpu->kernel_lock);
}

void fv_gpu_settle(fv_gpu *gpu) {
#ifdef __GLIBC__
    if (gpu->caps.cpu)
        malloc_trim(0);
#else
    (void)gpu;
#endif
}

void fv_gpu_kernels_destroy(fv_gpu *gpu) {
    for (fv_gpu_kernel *k = gpu->kernels, *next; k; k = next) {
        next = k->next;
        destroy(gpu, k);
    }
    gpu->kernels = NULL;
}
