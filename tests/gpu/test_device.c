#include <stdlib.h>
#include <sys/stat.h>

#include "pipeline/gpu/gpu.h"
#include "tests/test.h"

static void first_device_is_described(void) {
    fv_err err = {0};
    fv_gpu_info list[16];
    int n = fv_gpu_list(list, 16, &err);
    CHECK_OK(n > 0, err);
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.validate = true, .cache_dir = ""}, &err);
    CHECK_OK(gpu != NULL, err);
    if (!gpu)
        return;
    const fv_gpu_caps *caps = fv_gpu_get_caps(gpu);
    CHECK(caps->subgroup >= 1 && caps->max_workgroup >= 128 && caps->max_push_bytes >= 128);
    CHECK(strlen(caps->name) > 0 && strlen(caps->key) > 8);
    CHECK(!strpbrk(caps->key, "/ ()"));
    CHECK(fv_gpu_check(gpu, &err));
    fv_gpu_destroy(&gpu);
    CHECK(gpu == NULL);
}

static void device_is_chosen_by_name_or_number(void) {
    fv_err err = {0};
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.device = "LLVMPIPE", .cache_dir = ""}, &err);
    CHECK_OK(gpu != NULL, err);
    if (gpu)
        CHECK(fv_gpu_get_caps(gpu)->cpu);
    fv_gpu_destroy(&gpu);
    gpu = fv_gpu_create(&(fv_gpu_params){.device = "0", .cache_dir = ""}, &err);
    CHECK_OK(gpu != NULL, err);
    fv_gpu_destroy(&gpu);
}

static void unknown_device_is_named(void) {
    fv_err err;
    CHECK_FAILS(fv_gpu_create(&(fv_gpu_params){.device = "voodoo2"}, &err), err, "'voodoo2': no such device; there are 0: ");
    CHECK_EQUAL(err.code, FV_BAD_INPUT);
    CHECK_FAILS(fv_gpu_create(&(fv_gpu_params){.device = "99"}, &err), err, "'99': no such device");
}

// The loader reads VK_ICD_FILENAMES at every instance, so it can be turned in one process.
static void missing_vulkan_says_what_to_install(void) {
    const char *before = getenv("VK_ICD_FILENAMES");
    char *kept = before ? strdup(before) : NULL;
    setenv("VK_ICD_FILENAMES", "/nonexistent", 1);
    fv_err err;
    fv_gpu_info list[4];
    CHECK_FAILS(fv_gpu_create(NULL, &err), err, "no Vulkan device; install mesa-vulkan-drivers");
    CHECK_EQUAL(fv_err_exit_code(&err), 2);
    CHECK_FAILS(fv_gpu_list(list, 4, &err) >= 0, err, "no Vulkan device");
    if (kept)
        setenv("VK_ICD_FILENAMES", kept, 1);
    else
        unsetenv("VK_ICD_FILENAMES");
    free(kept);
}

static void caches_are_keyed_by_device(void) {
    fv_err err = {0};
    char dir[512], path[1024];
    snprintf(dir, sizeof dir, "%s/deep/er", fv_test_tmp("cache"));
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.cache_dir = dir}, &err);
    CHECK_OK(gpu != NULL, err);
    if (!gpu)
        return;
    CHECK(fv_gpu_cache_path(gpu, "tune", path, sizeof path));
    CHECK_CONTAINS(path, fv_gpu_get_caps(gpu)->key);
    CHECK(fv_gpu_kernel_get(gpu, "copy", NULL, 0, &err) != NULL);
    CHECK(fv_gpu_cache_path(gpu, "pipelines", path, sizeof path));
    fv_gpu_destroy(&gpu);
    struct stat info;
    CHECK(!stat(path, &info) && info.st_size > 0);
    FILE *f = fopen(path, "wb"); // a broken cache is ignored
    fputs("not a cache", f);
    fclose(f);
    gpu = fv_gpu_create(&(fv_gpu_params){.cache_dir = dir}, &err);
    CHECK_OK(gpu != NULL, err);
    fv_gpu_destroy(&gpu);
    gpu = fv_gpu_create(&(fv_gpu_params){.cache_dir = ""}, &err);
    CHECK(gpu && !fv_gpu_cache_path(gpu, "tune", path, sizeof path));
    fv_gpu_destroy(&gpu);
}

const fv_suite device_suite = {"device", (const fv_case[]){
    CASE(first_device_is_described), CASE(device_is_chosen_by_name_or_number), CASE(unknown_device_is_named),
    CASE(missing_vulkan_says_what_to_install), CASE(caches_are_keyed_by_device), {0}}};
