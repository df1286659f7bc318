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
    while (!atomic_load(&a->leave)) {
        while (atomic_load(&a->waiting)) {
            pause_a_little();
            sched_yield(); // else the kernel leaves both workers on the other core at times
        }
        sem_wait(&a->wanted);
    }
    return NULL;
}

static bool is_wanted(const fv_gpu *gpu) {
    const char *wish = getenv("FOVEA_AWAKE");
    cpu_set_t cores;
    bool several = !sched_getaffinity(0, sizeof cores, &cores) && CPU_COUNT(&cores) > 1;
    return gpu->caps.cpu && several && !(wish && !strcmp(wish, "0"));
}

void fv_gpu_awake_init(fv_gpu *gpu) {
    pthread_mutex_init(&gpu->awake.lock, NULL);
    sem_init(&gpu->awake.wanted, 0, 0);
}

void fv_gpu_awake_finish(fv_gpu *gpu) {
    fv_gpu_awake *a = &gpu->awake;
    if (a->running) {
        atomic_store(&a->leave, true);
        sem_post(&a->wanted);
        pthread_join(a->thread, NULL);
    }
    sem_destroy(&a->wanted);
    pthread_mutex_destroy(&a->lock);
}

static void start_once(fv_gpu *gpu) {
    fv_gpu_awake *a = &gpu->awake;
    pthread_mutex_lock(&a->lock);
    if (!a->tried && is_wanted(gpu))
        a->running = !pthread_create(&a->thread, NULL, stay_awake, a);
    a->tried = true;
    pthread_mutex_unlock(&a->lock);
}

static void begin(fv_gpu *gpu) {
    start_once(gpu);
    if (gpu->awake.running && !atomic_fetch_add(&gpu->awake.waiting, 1))
        sem_post(&gpu->awake.wanted);
}

bool fv_gpu_wait_awake(fv_gpu *gpu, uint64_t ticket, fv_err *err) {
    uint64_t done = 0;
    bool there = vkGetSemaphoreCounterValue(gpu->device, gpu->timeline, &done) == VK_SUCCESS && done >= ticket;
    if (!there)
        begin(gpu);
    bool ok = fv_gpu_wait(gpu, ticket, UINT64_MAX, err);
    if (!there && gpu->awake.running)
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
