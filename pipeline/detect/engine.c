#include "pipeline/detect/engine.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/detect/load.h"

typedef struct device {
    struct device *next;
    int uses;
    char name[256];
    bool validate;
    fv_gpu *gpu;
} device;

typedef struct entry {
    fv_engine engine; // first: what callers hold
    struct entry *next;
    int uses;
    char key[4608];
    char model[4096];
    fv_precision precision;
    fv_readback readback;
    device *on;
    fv_graph *graph;
    fv_plan *plan;
} entry;

// The one thing of this process: guarded by `lock`.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static device *devices;
static entry *entries;

static void device_put(device *d) {
    if (!d || --d->uses)
        return;
    for (device **at = &devices; *at; at = &(*at)->next)
        if (*at == d) {
            *at = d->next;
            break;
        }
    fv_gpu_destroy(&d->gpu);
    free(d);
}

static device *device_get(const char *name, bool validate, fv_err *err) {
    for (device *d = devices; d; d = d->next)
        if (!strcmp(d->name, name ? name : "") && d->validate == validate) {
            d->uses++;
            return d;
        }
    device *d = calloc(1, sizeof *d);
    if (!d) {
        fv_fail(err, FV_MEMORY, "out of memory for a device");
        return NULL;
    }
    snprintf(d->name, sizeof d->name, "%s", name ? name : "");
    d->validate = validate;
    d->uses = 1;
    d->gpu = fv_gpu_create(&(fv_gpu_params){.device = name, .validate = validate}, err);
    if (!d->gpu) {
        free(d);
        return NULL;
    }
    d->next = devices;
    return devices = d;
}

static void entry_free(entry *e) {
    fv_plan_destroy(&e->plan);
    fv_graph_destroy(&e->graph);
    device_put(e->on);
    free(e);
}

static bool entry_fill(entry *e, const char *model, const char *name, int width, int height,
                       bool validate, fv_err *err) {
    bool reference = name && !strcmp(name, "reference");
    if (!reference && !(e->on = device_get(name, validate, err)))
        return false;
    e->graph = fv_detect_load(model, width, height, err);
    if (!e->graph || !fv_graph_optimize(e->graph, err))
        return false;
    snprintf(e->model, sizeof e->model, "%s", model);
    e->engine = (fv_engine){e->graph, NULL};
    return true;
}

static entry *entry_create(const char *key, const char *model, const char *name, int width,
                           int height, fv_precision precision, fv_readback readback, bool validate,
                           fv_err *err) {
    entry *e = calloc(1, sizeof *e);
    if (!e) {
        fv_fail(err, FV_MEMORY, "%s: out of memory", model);
        return NULL;
    }
    snprintf(e->key, sizeof e->key, "%s", key);
    e->precision = precision;
    e->readback = readback;
    if (!entry_fill(e, model, name, width, height, validate, err)) {
        entry_free(e);
        return NULL;
    }
    e->next = entries;
    return entries = e;
}

// A file that was written anew is another model.
static void key_text(char *key, size_t size, const char *model, const char *name, int width,
                     int height, fv_precision precision, fv_readback readback, bool validate) {
    struct stat info = {0};
    stat(model, &info);
    snprintf(key, size, "%s|%lld.%09ld|%s|%dx%d|%d|%d|%d", model, (long long)info.st_mtim.tv_sec,
             (long)info.st_mtim.tv_nsec, name ? name : "", width, height, precision,
             readback, validate);
}

const fv_engine *fv_engine_get(const char *model, const char *name, int width, int height,
                               fv_precision precision, fv_readback readback, bool validate,
                               fv_err *err) {
    char key[sizeof ((entry *)0)->key];
    key_text(key, sizeof key, model, name, width, height, precision, readback, validate);
    pthread_mutex_lock(&lock);
    entry *e = entries;
    while (e && strcmp(e->key, key))
        e = e->next;
    if (!e)
        e = entry_create(key, model, name, width, height, precision, readback, validate, err);
    if (e)
        e->uses++;
    pthread_mutex_unlock(&lock);
    return e ? &e->engine : NULL;
}

// A CPU's memory is the host's: nothing is gained there.
static bool keeps_candidates(const entry *e) {
    return e->readback == FV_READBACK_AUTO ? !fv_gpu_get_caps(e->on->gpu)->cpu
                                           : e->readback == FV_READBACK_CANDIDATES;
}

static bool make_plan(entry *e, const fv_input *input, fv_err *err) {
    e->plan = fv_plan_create(e->on->gpu, e->graph,
                             &(fv_plan_params){.tune = true, .precision = e->precision,
                                               .input = input, .name = e->model,
                                               .candidates = keeps_candidates(e)},
                             err);
    e->engine.plan = e->plan;
    if (e->plan)
        fv_plan_take_weights(e->plan, e->graph);
    return e->plan || fv_fail_in(err, "%s", e->model);
}

bool fv_engine_prepare(const fv_engine *engine, const fv_input *input, fv_err *err) {
    pthread_mutex_lock(&lock);
    entry *e = entries;
    while (&e->engine != engine)
        e = e->next;
    bool ok = !e->on || e->plan || make_plan(e, input, err);
    pthread_mutex_unlock(&lock);
    return ok;
}

void fv_engine_put(const fv_engine **engine) {
    if (!engine || !*engine)
        return;
    pthread_mutex_lock(&lock);
    entry **at = &entries;
    while (*at && &(*at)->engine != *engine)
        at = &(*at)->next;
    entry *e = *at;
    if (e && !--e->uses) {
        *at = e->next;
        entry_free(e);
    }
    pthread_mutex_unlock(&lock);
    *engine = NULL;
}
