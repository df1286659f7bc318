// The kernels of a plan. A driver takes milliseconds for each, on one core: all cores make them.
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "pipeline/infer/plan.h"

enum { MAX_THREADS = 8 };

typedef struct {
    fv_plan *plan;
    atomic_int next; // step
    pthread_mutex_t lock;
    bool failed;
    fv_err err; // the first
} work;

static bool same_kernel(const fv_step *a, const fv_step *b) {
    return a->n_spec == b->n_spec && !strcmp(a->kernel, b->kernel) && !memcmp(a->spec, b->spec, a->n_spec * sizeof *a->spec);
}

static bool is_first(const fv_plan *p, int step) {
    for (int i = 0; i < step; i++)
        if (p->step[i].kernel && same_kernel(&p->step[i], &p->step[step]))
            return false;
    return p->step[step].kernel != NULL;
}

static void *make_some(void *user) {
    work *w = user;
    fv_plan *p = w->plan;
    for (int i; (i = atomic_fetch_add(&w->next, 1)) < p->n_steps;) {
        fv_step *s = &p->step[i];
        fv_err err = {0};
        if (!is_first(p, i) || (s->pipeline = fv_gpu_kernel_get(p->gpu, s->kernel, s->spec, s->n_spec, &err)))
            continue;
        pthread_mutex_lock(&w->lock);
        if (!w->failed)
            w->err = err;
        w->failed = true;
        pthread_mutex_unlock(&w->lock);
        break;
    }
    return NULL;
}

bool fv_plan_make_pipelines(fv_plan *p, fv_err *err) {
    work w = {.plan = p};
    pthread_t thread[MAX_THREADS];
    long n_threads = 0, cores = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_mutex_init(&w.lock, NULL);
    while (n_threads < cores - 1 && n_threads < MAX_THREADS && !pthread_create(&thread[n_threads], NULL, make_some, &w))
        n_threads++;
    make_some(&w);
    for (long i = 0; i < n_threads; i++)
        pthread_join(thread[i], NULL);
    pthread_mutex_destroy(&w.lock);
    if (w.failed && err)
        *err = w.err;
    for (int i = 0; i < p->n_steps && !w.failed; i++) {
        fv_step *s = &p->step[i];
        if (s->kernel && !s->pipeline && !(s->pipeline = fv_gpu_kernel_get(p->gpu, s->kernel, s->spec, s->n_spec, err)))
            return false;
    }
    return !w.failed;
}
