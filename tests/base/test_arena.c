#include "pipeline/base/arena.h"

#include <stdint.h>

#include "tests/test.h"

static void blocks_are_zeroed_and_aligned(void) {
    fv_arena *a = fv_arena_create();
    for (size_t size = 1; size < 200000; size = size * 3 + 1) {
        unsigned char *p = fv_arena_alloc(a, size);
        CHECK((uintptr_t)p % 16 == 0);
        for (size_t i = 0; i < size; i++)
            if (p[i])
                CU_FAIL("not zeroed");
        memset(p, 0xff, size);
    }
    fv_arena_destroy(&a);
    CHECK(!a);
    fv_arena_destroy(&a);
}

static void texts_are_copied(void) {
    fv_arena *a = fv_arena_create();
    char text[] = "gate";
    char *copy = fv_arena_strdup(a, text), *part = fv_arena_strndup(a, text, 2);
    char *printed = fv_arena_printf(a, "%s:%d", text, 7);
    text[0] = 'x';
    CHECK_TEXT(copy, "gate");
    CHECK_TEXT(part, "ga");
    CHECK_TEXT(printed, "gate:7");
    CHECK(!fv_arena_strdup(a, NULL));
    fv_arena_destroy(&a);
}

const fv_suite arena_suite = {"arena", (const fv_case[]){CASE(blocks_are_zeroed_and_aligned), CASE(texts_are_copied), {0}}};
