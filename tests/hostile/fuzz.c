// libFuzzer over every target of targets.h. With clang:
//     CC=clang meson setup build-fuzz -Dfuzz=true -Dtests=enabled -Db_sanitize=address,undefined -Db_lundef=false
//     ninja -C build-fuzz tests/hostile/fuzz
//     mkdir -p corpus && FOVEA_SOURCE=. build-fuzz/tests/hostile/fuzz card -rss_limit_mb=1024 -timeout=25 corpus
// The first word is the target; without one the targets are listed. What is right to begin with is put
// into the corpus folder as `seed`; put more there: config/, models/*.yaml, small models (for `onnx`
// the model.onnx files of libonnx-testdata under any names).
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tests/hostile/targets.h"

static const hostile_target *target;

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void put_seed(const char *folder) {
    char path[1200];
    DIR *d = opendir(folder);
    if (!d)
        return;
    closedir(d);
    snprintf(path, sizeof path, "%s/seed", folder);
    FILE *f = fopen(path, "wb");
    if (f) {
        target->seed(f);
        fclose(f);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    target = *argc > 1 ? hostile_target_find((*argv)[1]) : NULL;
    if (!target) {
        for (const hostile_target *t = hostile_targets; t->name; t++)
            fprintf(stderr, "%s\n", t->name);
        exit(2);
    }
    memmove(*argv + 1, *argv + 2, sizeof(char *) * (size_t)(*argc - 1));
    --*argc;
    for (char **a = *argv + 1; *a; a++)
        put_seed(*a);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    target->take(data, size);
    return 0;
}
