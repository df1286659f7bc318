#include "pipeline/gpu/vk.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fv_gpu_has_extension(VkPhysicalDevice device, const char *name) {
    uint32_t n = 0;
    vkEnumerateDeviceExtensionProperties(device, NULL, &n, NULL);
    VkExtensionProperties *all = malloc((n + 1) * sizeof *all);
    bool found = false;
    if (all && vkEnumerateDeviceExtensionProperties(device, NULL, &n, all) == VK_SUCCESS)
        for (uint32_t i = 0; i < n && !found; i++)
            found = !strcmp(all[i].extensionName, name);
    free(all);
    return found;
}

// A compute queue, one without graphics by preference; UINT32_MAX where there is none.
static uint32_t compute_family(VkPhysicalDevice device, bool *timestamps) {
    VkQueueFamilyProperties families[16];
    uint32_t n = 16, best = UINT32_MAX;
    vkGetPhysicalDeviceQueueFamilyProperties(device, &n, families);
    for (uint32_t i = 0; i < n; i++) {
        bool compute = families[i].queueFlags & VK_QUEUE_COMPUTE_BIT;
        bool graphics = families[i].queueFlags & VK_QUEUE_GRAPHICS_BIT;
        if (compute && (best == UINT32_MAX || !graphics))
            best = i;
    }
    *timestamps = best != UINT32_MAX && families[best].timestampValidBits > 0;
    return best;
}

// "llvmpipe-llvm-15-0-6-256-bits-3f2a...": readable, and new whenever the driver is.
static void make_key(fv_gpu_caps *caps, const VkPhysicalDeviceProperties *p) {
    uint64_t hash = 1469598103934665603u;
    for (size_t i = 0; i < sizeof p->pipelineCacheUUID; i++)
        hash = (hash ^ p->pipelineCacheUUID[i]) * 1099511628211u;
    for (const char *c = caps->driver; *c; c++)
        hash = (hash ^ (uint8_t)*c) * 1099511628211u;
    char name[28];
    size_t n = 0;
    for (const char *c = caps->name; *c && n + 1 < sizeof name; c++) {
        if (isalnum((unsigned char)*c))
            name[n++] = (char)tolower((unsigned char)*c);
        else if (n && name[n - 1] != '-')
            name[n++] = '-';
    }
    name[n] = 0;
    snprintf(caps->key, sizeof caps->key, "%s-%04x-s%u-%016llx", name, p->deviceID & 0xffff, caps->subgroup,
             (unsigned long long)hash);
}

static uint64_t largest_heap(VkPhysicalDevice device) {
    VkPhysicalDeviceMemoryProperties memory;
    vkGetPhysicalDeviceMemoryProperties(device, &memory);
    uint64_t largest = 0;
    for (uint32_t i = 0; i < memory.memoryHeapCount; i++)
        if ((memory.memoryHeaps[i].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT) && memory.memoryHeaps[i].size > largest)
            largest = memory.memoryHeaps[i].size;
    return largest;
}

static void fill_properties(VkPhysicalDevice device, fv_gpu_survey *s) {
    VkPhysicalDeviceSubgroupProperties subgroup = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES};
    VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES,
                                               .pNext = &subgroup};
    VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
    vkGetPhysicalDeviceProperties2(device, &all);
    const VkPhysicalDeviceProperties *p = &all.properties;
    fv_gpu_caps *c = &s->caps;
    c->vendor_id = p->vendorID, c->device_id = p->deviceID, c->api_version = p->apiVersion;
    c->cpu = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU;
    c->discrete = p->deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
    c->subgroup = subgroup.subgroupSize;
    c->shuffle = (subgroup.supportedOperations & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) &&
                 (subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT);
    c->shared_bytes = p->limits.maxComputeSharedMemorySize;
    c->max_workgroup = p->limits.maxComputeWorkGroupInvocations;
    c->max_push_bytes = p->limits.maxPushConstantsSize;
    c->max_texels = p->limits.maxTexelBufferElements;
    c->memory_bytes = largest_heap(device);
    s->timestamp_ns = p->limits.timestampPeriod;
    snprintf(c->name, sizeof c->name, "%s", p->deviceName);
    snprintf(c->driver, sizeof c->driver, "%.120s %.120s", driver.driverName, driver.driverInfo);
    make_key(c, p);
}

static void fill_features(VkPhysicalDevice device, fv_gpu_survey *s) {
    VkPhysicalDeviceSubgroupSizeControlFeaturesEXT control = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES_EXT};
    VkPhysicalDeviceVulkan12Features v12 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES};
    VkPhysicalDeviceVulkan11Features v11 = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES,
                                            .pNext = &v12};
    VkPhysicalDeviceFeatures2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, .pNext = &v11};
    if (fv_gpu_has_extension(device, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME))
        v12.pNext = &control;
    VkPhysicalDeviceRobustness2FeaturesEXT robust = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ROBUSTNESS_2_FEATURES_EXT, .pNext = v12.pNext};
    if (fv_gpu_has_extension(device, VK_EXT_ROBUSTNESS_2_EXTENSION_NAME))
        v12.pNext = &robust;
    vkGetPhysicalDeviceFeatures2(device, &all);
    fv_gpu_caps *c = &s->caps;
    c->fp16_storage = v11.storageBuffer16BitAccess;
    c->fp16_arithmetic = v12.shaderFloat16;
    c->int64 = all.features.shaderInt64;
    s->robust2 = robust.robustBufferAccess2;
    c->buffer_address = v12.bufferDeviceAddress;
    c->coopmat_nv = fv_gpu_has_extension(device, "VK_NV_cooperative_matrix");
    c->coopmat_khr = fv_gpu_has_extension(device, "VK_KHR_cooperative_matrix");
    VkPhysicalDeviceSubgroupSizeControlPropertiesEXT sizes = {
        .sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES_EXT};
    VkPhysicalDeviceProperties2 p = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2,
                                     .pNext = control.subgroupSizeControl ? &sizes : NULL};
    vkGetPhysicalDeviceProperties2(device, &p);
    s->subgroup_control = control.subgroupSizeControl &&
                          (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT);
    if (!v12.timelineSemaphore && !s->reason[0])
        snprintf(s->reason, sizeof s->reason, "has no timeline semaphores");
}

fv_gpu_survey fv_gpu_survey_device(VkPhysicalDevice device) {
    fv_gpu_survey s = {0};
    fill_properties(device, &s);
    if (s.caps.api_version < VK_API_VERSION_1_2) {
        snprintf(s.reason, sizeof s.reason, "offers Vulkan %u.%u, 1.2 is needed; update its driver",
                 VK_API_VERSION_MAJOR(s.caps.api_version), VK_API_VERSION_MINOR(s.caps.api_version));
        return s;
    }
    s.family = compute_family(device, &s.caps.timestamps);
    if (s.family == UINT32_MAX)
        snprintf(s.reason, sizeof s.reason, "has no compute queue");
    fill_features(device, &s);
    return s;
}
