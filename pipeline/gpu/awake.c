#define _GNU_SOURCE // SCHED_IDLE
#include "pipeline/gpu/vk.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

// 25 microseconds on a Zen 5.
static void pause_a_little(void) {
    for (int i = 0; i < 1000; i++)
#if defined(__x86_64__)
        __builtin_ia32_pause();
#elif defined(__aarch64__)
        __asm__ volatile("yield");
#else
        atomic_signal_fence(memory_order_seq_cst);
#endif
}

static void *stay_awake(void *user) {
    fv_gpu_awake *a = user;
    if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &(struct sched_param){0}))
        return NULL;
    pthread_mutex_lock(&a->lock);
    while (!a->leave) {
        if (!atomic_load(&a->waiting)) {
            pthread_cond_wait(&a->wanted, &a->lock);
            continue;
        }
        pthread_mutex_unlock(&a->lock);
        while (atomic_load(&a->waiting)) {
            pause_a_little();
            sched_yield(); // else the kernel leaves both workers on the other core at times
        }
        pthread_mutex_lock(&a->lock);
    }
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static bool is_wanted(const fv_gpu *gpu) {
    const char *wish = getenv("FOVEA_AWAKE");
    return gpu->caps.cpu && sysconf(_SC_NPROCESSORS_ONLN) > 1 && !(wish && !strcmp(wish, "0"));
}

void fv_gpu_awake_init(fv_gpu *gpu) {
    pthread_mutex_init(&gpu->awake.lock, NULL);
    pthread_cond_init(&gpu->awake.wanted, NULL);
}

void fv_gpu_awake_finish(fv_gpu *gpu) {
    fv_gpu_awake *a = &gpu->awake;
    if (a->running) {
        pthread_mutex_lock(&a->lock);
        a->leave = true;
        pthread_cond_signal(&a->wanted);
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->thread, NULL);
    }
    pthread_cond_destroy(&a->wanted);
    pthread_mutex_destroy(&a->lock);
}

static void begin(fv_gpu *gpu) {
    fv_gpu_awake *a = &gpu->awake;
    pthread_mutex_lock(&a->lock);
    if (!a->tried && is_wanted(gpu))
        a->running = !pthread_create(&a->thread, NULL, stay_awake, a);
    a->tried = true;
    if (!atomic_fetch_add(&a->waiting, 1))
        pthread_cond_signal(&a->wanted);
    pthread_mutex_unlock(&a->lock);
}

bool fv_gpu_wait_awake(fv_gpu *gpu, uint64_t ticket, fv_err *err) {
    uint64_t done = 0;
    bool there = vkGetSemaphoreCounterValue(gpu->device, gpu->timeline, &done) == VK_SUCCESS && done >= ticket;
    if (!there)
        begin(gpu);
    bool ok = fv_gpu_wait(gpu, ticket, UINT64_MAX, err);
    if (!there)
        atomic_fetch_sub(&gpu->awake.waiting, 1);
    return ok;
}

double fv_gpu_awake_ms(fv_gpu *gpu) {
    struct timespec t = {0};
    clockid_t clock;
    pthread_mutex_lock(&gpu->awake.lock);
    if (gpu->awake.running && !pthread_getcpuclockid(gpu->awake.thread, &clock))
        clock_gettime(clock, &t);
    pthread_mutex_unlock(&gpu->awake.lock);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}
