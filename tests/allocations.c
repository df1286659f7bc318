#define _GNU_SOURCE
#include "tests/allocations.h"

#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/test.h"

#ifdef __SANITIZE_ADDRESS__
bool fv_allocations_begin(void) {
    fv_test_skip("the sanitizer has its own malloc");
    return false;
}

fv_allocations fv_allocations_now(void) {
    return (fv_allocations){0};
}
#else
enum { MAX_RANGES = 8 };
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t);
static struct { uintptr_t begin, end; } code[MAX_RANGES];
static int n_ranges;
static atomic_int own, all;

static void count(void *caller) {
    uintptr_t at = (uintptr_t)caller;
    all++;
    for (int i = 0; i < n_ranges; i++)
        if (at >= code[i].begin && at < code[i].end)
            own++;
}

void *malloc(size_t n) {
    count(__builtin_return_address(0));
    return __libc_malloc(n);
}

void *calloc(size_t n, size_t size) {
    count(__builtin_return_address(0));
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n) {
    count(__builtin_return_address(0));
    return __libc_realloc(p, n);
}

char *strdup(const char *text) {
    size_t n = strlen(text) + 1;
    count(__builtin_return_address(0));
    char *copy = __libc_malloc(n);
    return copy ? memcpy(copy, text, n) : NULL;
}

static int find_code(struct dl_phdr_info *info, size_t size, void *user) {
    (void)size, (void)user;
    const char *slash = strrchr(info->dlpi_name, '/'), *name = slash ? slash + 1 : info->dlpi_name;
    bool ours = !strncmp(name, "libfovea", 8) || !strncmp(name, "libgstfovea", 11);
    for (int i = 0; ours && i < info->dlpi_phnum && n_ranges < MAX_RANGES; i++)
        if (info->dlpi_phdr[i].p_type == PT_LOAD && (info->dlpi_phdr[i].p_flags & PF_X)) {
            code[n_ranges].begin = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            code[n_ranges].end = code[n_ranges].begin + info->dlpi_phdr[i].p_memsz;
            n_ranges++;
        }
    return 0;
}

bool fv_allocations_begin(void) {
    n_ranges = 0;
    dl_iterate_phdr(find_code, NULL);
    CHECK(n_ranges > 0);
    own = all = 0;
    return n_ranges > 0;
}

fv_allocations fv_allocations_now(void) {
    return (fv_allocations){own, all};
}
#endif
