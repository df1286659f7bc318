#include "pipeline/gpu/vk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/log.h"

static const char vector_width[] = "LP_NATIVE_VECTOR_WIDTH";
static const char no_vulkan[] = "no Vulkan device; install mesa-vulkan-drivers (CPU) or your GPU's driver";

bool fv_gpu_result(VkResult result, const char *call, fv_err *err) {
    static const struct { VkResult result; const char *text; } texts[] = {
        {VK_ERROR_OUT_OF_HOST_MEMORY, "out of memory"},
        {VK_ERROR_OUT_OF_DEVICE_MEMORY, "out of device memory; use a smaller input size or fewer slots"},
        {VK_ERROR_DEVICE_LOST, "the device was lost; see the system's log for its driver"},
        {VK_ERROR_INITIALIZATION_FAILED, "the driver could not start"},
        {VK_ERROR_EXTENSION_NOT_PRESENT, "the driver lacks an extension that it announced"},
        {VK_ERROR_FEATURE_NOT_PRESENT, "the driver lacks a feature that it announced"},
        {VK_TIMEOUT, "timed out"},
    };
    if (result == VK_SUCCESS)
        return true;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if (texts[i].result == result)
            return fv_fail(err, FV_GPU, "%s: %s", call, texts[i].text);
    return fv_fail(err, FV_GPU, "%s: Vulkan error %d", call, result);
}

static bool has_layer(const char *name) {
    VkLayerProperties layers[64];
    uint32_t n = 64;
    vkEnumerateInstanceLayerProperties(&n, layers);
    for (uint32_t i = 0; i < n; i++)
        if (!strcmp(layers[i].layerName, name))
            return true;
    return false;
}

// Mesa's CPU driver reads the width of its vectors from the environment when it is loaded. The user's own
// value stays. True when none was there and 512 bits, which AVX-512 has, were asked for.
static bool widen_cpu_vectors(void) {
#if defined(__x86_64__)
    if (!getenv(vector_width) && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
        return !setenv(vector_width, "512", 0);
#endif
    return false;
}

// Mesa 22.3 runs these kernels up to twice as fast on 512-bit vectors as on 256-bit ones, Mesa 25.0 at
// a third of the speed.
static bool likes_narrow_vectors(VkInstance instance) {
    VkPhysicalDevice devices[16];
    uint32_t n = 16;
    if (vkEnumeratePhysicalDevices(instance, &n, devices) < 0)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        int major = 0;
        VkPhysicalDeviceDriverProperties driver = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES};
        VkPhysicalDeviceProperties2 all = {.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, .pNext = &driver};
        vkGetPhysicalDeviceProperties2(devices[i], &all);
        if (driver.driverID == VK_DRIVER_ID_MESA_LLVMPIPE && sscanf(driver.driverInfo, "Mesa %d", &major) == 1 && major > 22)
            return true;
    }
    return false;
}

static VkResult make_instance(bool validate, VkInstance *instance) {
    static const char *const layer = "VK_LAYER_KHRONOS_validation";
    static const char *const extension = VK_EXT_DEBUG_UTILS_EXTENSION_NAME;
    return vkCreateInstance(
        &(VkInstanceCreateInfo){
            .sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
            .pApplicationInfo = &(VkApplicationInfo){.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                .pApplicationName = "fovea", .pEngineName = "fovea", .apiVersion = VK_API_VERSION_1_2},
            .enabledLayerCount = validate, .ppEnabledLayerNames = &layer,
            .enabledExtensionCount = validate, .ppEnabledExtensionNames = &extension,
        },
        NULL, instance);
}

VkInstance fv_gpu_instance_create(bool validate, fv_err *err) {
    if (validate && !has_layer("VK_LAYER_KHRONOS_validation")) {
        fv_fail(err, FV_UNSUPPORTED, "no Vulkan validation layer; install vulkan-validationlayers");
        return NULL;
    }
    bool widened = widen_cpu_vectors();
    VkInstance instance = NULL;
    VkResult result = make_instance(validate, &instance);
    if (result == VK_SUCCESS && widened && likes_narrow_vectors(instance)) {
        vkDestroyInstance(instance, NULL); // which unloads the driver
        setenv(vector_width, "256", 1);
        result = make_instance(validate, &instance);
    }
    if (result == VK_ERROR_INCOMPATIBLE_DRIVER)
        fv_fail(err, FV_UNSUPPORTED, no_vulkan);
    else
        fv_gpu_result(result, "vkCreateInstance", err);
    return result == VK_SUCCESS ? instance : NULL;
}

// The first complaint is kept; fv_gpu_check reports it.
static VkBool32 VKAPI_PTR complain(VkDebugUtilsMessageSeverityFlagBitsEXT severity,
                                   VkDebugUtilsMessageTypeFlagsEXT type,
                                   const VkDebugUtilsMessengerCallbackDataEXT *data, void *user) {
    (void)severity, (void)type;
    fv_gpu *gpu = user;
    fv_log(FV_LOG_ERROR, "Vulkan validation: %s", data->pMessage);
    if (!gpu->complaint[0])
        snprintf(gpu->complaint, sizeof gpu->complaint, "%s", data->pMessage);
    atomic_store(&gpu->broken, true);
    return VK_FALSE;
}

VkDebugUtilsMessengerEXT fv_gpu_messenger_create(fv_gpu *gpu) {
    PFN_vkCreateDebugUtilsMessengerEXT create =
        (PFN_vkCreateDebugUtilsMessengerEXT)vkGetInstanceProcAddr(gpu->instance, "vkCreateDebugUtilsMessengerEXT");
    VkDebugUtilsMessengerEXT messenger = VK_NULL_HANDLE;
    if (create)
        create(gpu->instance,
               &(VkDebugUtilsMessengerCreateInfoEXT){
                   .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
                   .messageSeverity = VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
                   .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
                   .pfnUserCallback = complain, .pUserData = gpu},
               NULL, &messenger);
    return messenger;
}

void fv_gpu_messenger_destroy(fv_gpu *gpu) {
    PFN_vkDestroyDebugUtilsMessengerEXT destroy =
        (PFN_vkDestroyDebugUtilsMessengerEXT)vkGetInstanceProcAddr(gpu->instance, "vkDestroyDebugUtilsMessengerEXT");
    if (destroy && gpu->messenger)
        destroy(gpu->instance, gpu->messenger, NULL);
}

bool fv_gpu_check(const fv_gpu *gpu, fv_err *err) {
    return !atomic_load(&gpu->broken) || fv_fail(err, FV_GPU, "Vulkan validation: %s", gpu->complaint);
}

int fv_gpu_list(fv_gpu_info *list, int max, fv_err *err) {
    VkInstance instance = fv_gpu_instance_create(false, err);
    if (!instance)
        return -1;
    VkPhysicalDevice devices[16];
    uint32_t n = 16;
    vkEnumeratePhysicalDevices(instance, &n, devices);
    int written = 0;
    for (uint32_t i = 0; i < n && written < max; i++) {
        fv_gpu_survey survey = fv_gpu_survey_device(devices[i]);
        list[written] = (fv_gpu_info){.caps = survey.caps};
        memcpy(list[written++].reason, survey.reason, sizeof survey.reason);
    }
    vkDestroyInstance(instance, NULL);
    if (!n)
        fv_fail(err, FV_UNSUPPORTED, no_vulkan);
    return n ? written : -1;
}
