// Arrays that grow to the largest size asked for and then allocate no more. Private to vision.
#pragma once

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

// Room for `n` elements of `size`; doubles, keeps the content, new bytes are undefined. Aborts when
// the system has no memory, as base/arena.h does.
static inline void *fv_grow(void *block, int *capacity, int n, size_t size) {
    if (n <= *capacity)
        return block;
    int larger = n > 2 * *capacity ? n : 2 * *capacity;
    void *grown = realloc(block, (size_t)larger * size);
    if (!grown) {
        fprintf(stderr, "fovea: out of memory asking for %zu bytes\n", (size_t)larger * size);
        abort();
    }
    *capacity = larger;
    return grown;
}

#define FV_GROW(array, capacity, n) ((array) = fv_grow((array), &(capacity), (n), sizeof *(array)))
