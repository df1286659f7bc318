#include "pipeline/base/arena.h"

#include <stdarg.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_SIZE = 64 * 1024, ALIGN = 16 };

typedef struct block block;
struct block {
    block *next;
    size_t used, size;
    alignas(ALIGN) unsigned char data[];
};

struct fv_arena {
    block *head;
};

static void *calloc_or_abort(size_t size) {
    void *p = calloc(1, size);
    if (!p) {
        fprintf(stderr, "fovea: out of memory (%zu bytes)\n", size);
        abort();
    }
    return p;
}

fv_arena *fv_arena_create(void) {
    return calloc_or_abort(sizeof(fv_arena));
}

static block *block_add(fv_arena *a, size_t size) {
    size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
    block *b = calloc_or_abort(sizeof *b + room);
    b->size = room;
    b->next = a->head;
    a->head = b;
    return b;
}

void *fv_arena_alloc(fv_arena *a, size_t size) {
    if (size > SIZE_MAX / 2) {
        fprintf(stderr, "fovea: out of memory (%zu bytes)\n", size);
        abort();
    }
    size = (size + ALIGN - 1) / ALIGN * ALIGN;
    block *b = a->head;
    if (!b || b->size - b->used < size)
        b = block_add(a, size);
    void *p = b->data + b->used;
    b->used += size;
    return p;
}

void *fv_arena_memdup(fv_arena *a, const void *data, size_t size) {
    void *p = fv_arena_alloc(a, size);
    if (size)
        memcpy(p, data, size);
    return p;
}

char *fv_arena_strndup(fv_arena *a, const char *text, size_t n) {
    char *p = fv_arena_alloc(a, n + 1);
    memcpy(p, text, n);
    return p;
}

char *fv_arena_strdup(fv_arena *a, const char *text) {
    return text ? fv_arena_strndup(a, text, strlen(text)) : NULL;
}

char *fv_arena_printf(fv_arena *a, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = fv_arena_alloc(a, (size_t)n + 1);
    vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return p;
}

void fv_arena_destroy(fv_arena **a) {
    if (!a || !*a)
        return;
    for (block *b = (*a)->head, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    free(*a);
    *a = NULL;
}
