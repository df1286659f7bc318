#include "pipeline/gpu/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pipeline/base/log.h"

static bool name_contains(const char *name, const char *part) {
    size_t n = strlen(part);
    for (; *name; name++)
        if (!strncasecmp(name, part, n))
            return true;
    return !n;
}

// How much a device is wanted; 0: not at all.
static int rank(const fv_gpu_survey *s, uint32_t index, const char *wanted) {
    int kind = s->caps.discrete ? 3 : s->caps.cpu ? 1 : 2;
    if (!wanted || !wanted[0])
        return s->reason[0] ? 0 : kind;
    char *end;
    unsigned long number = strtoul(wanted, &end, 10);
    bool is_it = *end ? name_contains(s->caps.name, wanted) : number == index;
    return is_it ? kind + (s->reason[0] ? 0 : 8) : 0;
}

static bool pick(fv_gpu *gpu, const char *wanted, fv_gpu_survey *chosen, fv_err *err) {
    VkPhysicalDevice devices[16];
    uint32_t n = 16;
    if (vkEnumeratePhysicalDevices(gpu->instance, &n, devices) < 0 || !n)
        return fv_fail(err, FV_UNSUPPORTED,
                       "no Vulkan device; install mesa-vulkan-drivers (CPU) or your GPU's driver");
    int best = 0;
    char reasons[512] = "";
    for (uint32_t i = 0; i < n; i++) {
        fv_gpu_survey s = fv_gpu_survey_device(devices[i]);
        size_t used = strlen(reasons);
        snprintf(reasons + used, sizeof reasons - used, "%s%u: %.60s%s%.40s", i ? ", " : "", i, s.caps.name,
                 s.reason[0] ? " " : "", s.reason);
        if (rank(&s, i, wanted) > best) {
            best = rank(&s, i, wanted);
            *chosen = s;
            gpu->physical = devices[i];
        }
    }
    if (!best && wanted && wanted[0])
        return fv_fail(err, FV_BAD_INPUT, "device '%s': no such device; there are %s", wanted, reasons);
    if (!best)
        return fv_fail(err, FV_UNSUPPORTED, "no usable Vulkan device: %s", reasons);
    return !chosen->reason[0] || fv_fail(err, FV_UNSUPPORTED, "%s: %s", chosen->caps.name, chosen->reason);
}

// The KHR spelling is younger than Debian 12's Vulkan headers.
typedef struct {
    VkStructureType sType;
    void *pNext;
    VkBool32 cooperativeMatrix, cooperativeMatrixRobustBufferAccess;
} coopmat_features;
enum { COOPMAT_FEATURES_NV = 1000249000, COOPMAT_FEATURES_KHR = 1000506000 };

static bool make_device(fv_gpu *gpu, fv_err *err) {
    const fv_gpu_caps *c = &gpu->caps;
    const char *extensions[4];
    uint32_t n = 0;
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT, .subgroupSizeControl = true};
    coopmat_features coopmat = {.cooperativeMatrix = true};
    VkPhysicalDeviceVulkan12Features v12 = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES,
        .timelineSemaphore = true, .bufferDeviceAddress = c->buffer_address, .shaderFloat16 = c->fp16_arithmetic};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12, .storageBuffer16BitAccess = c->fp16_storage};
    if (gpu->subgroup_control) {
        extensions[n++] = VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME;
        v12.pNext = &control;
    }
    VkPhysicalDeviceRobustness2FeaturesEXT robust = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT, .pNext = v12.pNext,
        .robustBufferAccess2 = true};
    if (gpu->robust2) {
        extensions[n++] = VK_EXT_ROBUSTNESS_2_EXTENSION_NAME;
        v12.pNext = &robust;
    }
    if (c->coopmat_khr || c->coopmat_nv) {
        extensions[n++] = c->coopmat_khr ? "VK_KHR_cooperative_matrix" : "VK_NV_cooperative_matrix";
        coopmat.sType = (VkStructureType)(c->coopmat_khr ? COOPMAT_FEATURES_KHR : COOPMAT_FEATURES_NV);
        coopmat.pNext = v12.pNext;
        v12.pNext = &coopmat;
        v12.vulkanMemoryModel = v12.vulkanMemoryModelDeviceScope = true;
    }
    VkResult result = vkCreateDevice(
        gpu->physical,
        &(VkDeviceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO, .pNext = &v11,
            .pEnabledFeatures = &(VkPhysicalDeviceFeatures){.robustBufferAccess = true, .shaderInt64 = c->int64},
            .queueCreateInfoCount = 1,
            .pQueueCreateInfos = &(VkDeviceQueueCreateInfo){.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                .queueFamilyIndex = gpu->family, .queueCount = 1, .pQueuePriorities = (float[]){1}},
            .enabledExtensionCount = n, .ppEnabledExtensionNames = extensions},
        NULL, &gpu->device);
    if (result == VK_SUCCESS)
        vkGetDeviceQueue(gpu->device, gpu->family, 0, &gpu->queue);
    return fv_gpu_result(result, "vkCreateDevice", err);
}

static bool make_timeline(fv_gpu *gpu, fv_err *err) {
    return fv_gpu_result(
        vkCreateSemaphore(gpu->device,
                          &(VkSemaphoreCreateInfo){
                              .sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO,
                              .pNext = &(VkSemaphoreTypeCreateInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                  .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE}},
                          NULL, &gpu->timeline),
        "vkCreateSemaphore", err);
}

static bool make_layouts(fv_gpu *gpu, fv_err *err) {
    VkDescriptorSetLayoutBinding bindings[FV_GPU_N_BINDINGS];
    for (uint32_t i = 0; i < FV_GPU_N_BINDINGS; i++)
        bindings[i] = (VkDescriptorSetLayoutBinding){
            .binding = i, .descriptorCount = 1, .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT,
            .descriptorType = fv_gpu_binding_type(i)};
    VkResult result = vkCreateDescriptorSetLayout(
        gpu->device,
        &(VkDescriptorSetLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
            .bindingCount = FV_GPU_N_BINDINGS, .pBindings = bindings},
        NULL, &gpu->set_layout);
    if (result != VK_SUCCESS)
        return fv_gpu_result(result, "vkCreateDescriptorSetLayout", err);
    return fv_gpu_result(
        vkCreatePipelineLayout(
            gpu->device,
            &(VkPipelineLayoutCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
                .setLayoutCount = 1, .pSetLayouts = &gpu->set_layout, .pushConstantRangeCount = 1,
                .pPushConstantRanges = &(VkPushConstantRange){VK_SHADER_STAGE_COMPUTE_BIT, 0, 128}},
            NULL, &gpu->layout),
        "vkCreatePipelineLayout", err);
}

static bool set_up(fv_gpu *gpu, const fv_gpu_params *params, fv_err *err) {
    fv_gpu_survey survey;
    gpu->instance = fv_gpu_instance_create(params->validate, err);
    if (!gpu->instance || !pick(gpu, params->device, &survey, err))
        return false;
    if (params->validate)
        gpu->messenger = fv_gpu_messenger_create(gpu);
    gpu->caps = survey.caps;
    gpu->family = survey.family;
    gpu->timestamp_ns = survey.timestamp_ns;
    gpu->subgroup_control = survey.subgroup_control;
    gpu->robust2 = survey.robust2;
    vkGetPhysicalDeviceMemoryProperties(gpu->physical, &gpu->memory);
    fv_gpu_cache_find(gpu, params->cache_dir);
    if (!make_device(gpu, err) || !make_timeline(gpu, err) || !make_layouts(gpu, err) ||
        !fv_gpu_cache_load(gpu, err))
        return false;
    gpu->nothing = fv_gpu_buffer_create(gpu, 256, FV_GPU_DEVICE, err);
    gpu->no_upload = fv_gpu_buffer_create(gpu, 256, FV_GPU_UPLOAD, err);
    return gpu->nothing && gpu->no_upload && fv_gpu_check(gpu, err);
}

fv_gpu *fv_gpu_create(const fv_gpu_params *params, fv_err *err) {
    fv_gpu *gpu = calloc(1, sizeof *gpu);
    if (!gpu) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    pthread_mutex_init(&gpu->queue_lock, NULL);
    pthread_mutex_init(&gpu->kernel_lock, NULL);
    fv_gpu_awake_init(gpu);
    if (!set_up(gpu, params ? params : &(fv_gpu_params){0}, err))
        fv_gpu_destroy(&gpu);
    else
        fv_log(FV_LOG_DEBUG, "device %s, %s, subgroup %u", gpu->caps.name, gpu->caps.driver, gpu->caps.subgroup);
    return gpu;
}

const fv_gpu_caps *fv_gpu_get_caps(const fv_gpu *gpu) {
    return &gpu->caps;
}

void fv_gpu_destroy(fv_gpu **gpu) {
    fv_gpu *g = *gpu;
    *gpu = NULL;
    if (!g)
        return;
    fv_gpu_awake_finish(g);
    if (g->device) {
        vkDeviceWaitIdle(g->device);
        fv_gpu_cache_save(g);
        fv_gpu_buffer_destroy(&g->nothing);
        fv_gpu_buffer_destroy(&g->no_upload);
        fv_gpu_kernels_destroy(g);
        vkDestroyPipelineCache(g->device, g->pipeline_cache, NULL);
        vkDestroyPipelineLayout(g->device, g->layout, NULL);
        vkDestroyDescriptorSetLayout(g->device, g->set_layout, NULL);
        vkDestroySemaphore(g->device, g->timeline, NULL);
        vkDestroyDevice(g->device, NULL);
    }
    if (g->instance) {
        fv_gpu_messenger_destroy(g);
        vkDestroyInstance(g->instance, NULL);
    }
    pthread_mutex_destroy(&g->queue_lock);
    pthread_mutex_destroy(&g->kernel_lock);
    free(g);
}

bool fv_gpu_submit(fv_gpu *gpu, VkCommandBuffer commands, uint64_t *ticket, fv_err *err) {
    pthread_mutex_lock(&gpu->queue_lock);
    *ticket = ++gpu->last_ticket;
    VkResult result = vkQueueSubmit(
        gpu->queue, 1,
        &(VkSubmitInfo){
            .sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
            .pNext = &(VkTimelineSemaphoreSubmitInfo){.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO,
                .signalSemaphoreValueCount = 1, .pSignalSemaphoreValues = ticket},
            .commandBufferCount = 1, .pCommandBuffers = &commands,
            .signalSemaphoreCount = 1, .pSignalSemaphores = &gpu->timeline},
        VK_NULL_HANDLE);
    pthread_mutex_unlock(&gpu->queue_lock);
    return fv_gpu_result(result, "vkQueueSubmit", err) && fv_gpu_check(gpu, err);
}

bool fv_gpu_wait(fv_gpu *gpu, uint64_t ticket, uint64_t timeout_ns, fv_err *err) {
    VkResult result = vkWaitSemaphores(
        gpu->device,
        &(VkSemaphoreWaitInfo){.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
            .semaphoreCount = 1, .pSemaphores = &gpu->timeline, .pValues = &ticket},
        timeout_ns);
    return fv_gpu_result(result, "waiting for the device", err) && fv_gpu_check(gpu, err);
}
