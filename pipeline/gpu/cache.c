#include "pipeline/gpu/vk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/log.h"

enum { MAX_CACHE_BYTES = 64 << 20 };

void fv_gpu_cache_find(fv_gpu *gpu, const char *dir) {
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    size_t size = sizeof gpu->cache_dir;
    if (dir)
        snprintf(gpu->cache_dir, size, "%s", dir);
    else if (xdg && xdg[0])
        snprintf(gpu->cache_dir, size, "%s/fovea", xdg);
    else if (home && home[0])
        snprintf(gpu->cache_dir, size, "%s/.cache/fovea", home);
}

static bool make_folders(const char *path) {
    char part[512];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1; *c; c++) {
        if (*c != '/')
            continue;
        *c = 0;
        mkdir(part, 0755);
        *c = '/';
    }
    return !mkdir(part, 0755) || errno == EEXIST;
}

bool fv_gpu_cache_path(const fv_gpu *gpu, const char *suffix, char *path, size_t size) {
    if (!gpu->cache_dir[0] || !make_folders(gpu->cache_dir))
        return false;
    int n = snprintf(path, size, "%s/%s.%s", gpu->cache_dir, gpu->caps.key, suffix);
    return n > 0 && (size_t)n < size;
}

static void *read_file(const char *path, size_t *bytes) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    void *data = NULL;
    struct stat info;
    if (!fstat(fileno(f), &info) && info.st_size > 0 && info.st_size <= MAX_CACHE_BYTES) {
        *bytes = (size_t)info.st_size;
        data = malloc(*bytes);
        if (data && fread(data, 1, *bytes, f) != *bytes) {
            free(data);
            data = NULL;
        }
    }
    fclose(f);
    return data;
}

// A driver checks the blob's header and ignores one that is not its own.
bool fv_gpu_cache_load(fv_gpu *gpu, fv_err *err) {
    char path[640];
    size_t bytes = 0;
    void *data = fv_gpu_cache_path(gpu, "pipelines", path, sizeof path) ? read_file(path, &bytes) : NULL;
    VkResult result = vkCreatePipelineCache(
        gpu->device,
        &(VkPipelineCacheCreateInfo){.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO,
            .initialDataSize = data ? bytes : 0, .pInitialData = data},
        NULL, &gpu->pipeline_cache);
    free(data);
    return fv_gpu_result(result, "vkCreatePipelineCache", err);
}

// Written beside and renamed, so that two processes never see half a file.
void fv_gpu_cache_save(fv_gpu *gpu) {
    char path[640], beside[680];
    size_t bytes = 0;
    if (!gpu->new_kernels || !fv_gpu_cache_path(gpu, "pipelines", path, sizeof path) ||
        vkGetPipelineCacheData(gpu->device, gpu->pipeline_cache, &bytes, NULL) != VK_SUCCESS || !bytes)
        return;
    snprintf(beside, sizeof beside, "%s.%ld", path, (long)getpid());
    void *data = malloc(bytes);
    FILE *f = data ? fopen(beside, "wb") : NULL;
    bool ok = f && vkGetPipelineCacheData(gpu->device, gpu->pipeline_cache, &bytes, data) == VK_SUCCESS &&
              fwrite(data, 1, bytes, f) == bytes;
    if (f)
        ok = !fclose(f) && ok;
    if (!ok || rename(beside, path)) {
        fv_log(FV_LOG_WARN, "%s: cannot write the pipeline cache; the next start is slower", path);
        unlink(beside);
    }
    free(data);
}
