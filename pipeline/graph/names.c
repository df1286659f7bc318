#include "pipeline/graph/onnx.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUCKETS = 256 };

static void *grow(void *p, size_t size) {
    void *q = realloc(p, size);
    if (!q)
        abort();
    return q;
}

static uint32_t hash(const char *key) {
    uint32_t h = 2166136261u; // FNV-1a
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 16777619u;
    return h;
}

static void link_entry(fv_names *names, int i) {
    uint32_t b = hash(names->entry[i].key) % (uint32_t)names->n_buckets;
    names->entry[i].next = names->bucket[b];
    names->bucket[b] = i;
}

static void rehash(fv_names *names, int n_buckets) {
    names->n_buckets = n_buckets;
    names->bucket = grow(names->bucket, sizeof(int) * (size_t)n_buckets);
    memset(names->bucket, 0xff, sizeof(int) * (size_t)n_buckets);
    for (int i = 0; i < names->n; i++)
        link_entry(names, i);
}

void fv_names_add(fv_names *names, const char *key, int value) {
    if (names->n == names->capacity) {
        names->capacity = names->capacity ? names->capacity * 2 : FIRST_BUCKETS;
        names->entry = grow(names->entry, sizeof *names->entry * (size_t)names->capacity);
        rehash(names, names->capacity);
    }
    names->entry[names->n] = (struct fv_name){.key = key, .value = value};
    link_entry(names, names->n++);
}

int fv_names_find(const fv_names *names, const char *key) {
    if (!names->n_buckets)
        return -1;
    for (int i = names->bucket[hash(key) % (uint32_t)names->n_buckets]; i >= 0;
         i = names->entry[i].next)
        if (!strcmp(names->entry[i].key, key))
            return names->entry[i].value;
    return -1;
}

void fv_names_cut(fv_names *names, int n) {
    while (names->n > n) {
        int i = --names->n; // the newest entry is the head of its chain
        names->bucket[hash(names->entry[i].key) % (uint32_t)names->n_buckets] =
            names->entry[i].next;
    }
}

void fv_names_finish(fv_names *names) {
    free(names->entry);
    free(names->bucket);
    *names = (fv_names){0};
}
