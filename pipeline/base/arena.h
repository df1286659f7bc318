// Many small things with one lifetime: allocate freely, free once.
// Thread-safety: an arena belongs to one thread at a time.
#pragma once

#include <stddef.h>

typedef struct fv_arena fv_arena;

fv_arena *fv_arena_create(void);

// Zeroed, aligned to 16 bytes. Never NULL: aborts when the system has no memory, so bound
// sizes that come from a file before asking (a model file is untrusted input).
void *fv_arena_alloc(fv_arena *a, size_t size);

// Copies that live as long as the arena. `text` may be NULL (gives NULL).
char *fv_arena_strdup(fv_arena *a, const char *text);
char *fv_arena_strndup(fv_arena *a, const char *text, size_t n);
void *fv_arena_memdup(fv_arena *a, const void *data, size_t size);
char *fv_arena_printf(fv_arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Frees everything; NULL is fine; clears *a.
void fv_arena_destroy(fv_arena **a);

// `n` zeroed elements of a type.
#define FV_ARENA_NEW(arena, type, n) ((type *)fv_arena_alloc((arena), sizeof(type) * (size_t)(n)))
