#include <stdlib.h>

#include "pipeline/gpu/hazard.h"
#include "tests/test.h"

static fv_gpu_span rd(size_t offset, size_t size) {
    return (fv_gpu_span){FV_GPU_ACTIVATIONS, offset, size, false};
}

static fv_gpu_span wr(size_t offset, size_t size) {
    return (fv_gpu_span){FV_GPU_ACTIVATIONS, offset, size, true};
}

// One row: the spans of a dispatch that comes after {read 0..16, write 16..32}, and whether it waits.
static void barriers_follow_overlaps(void) {
    const struct { fv_gpu_span span; bool barrier; } rows[] = {
        {rd(16, 4), true},   // reads what was written
        {rd(28, 16), true},  // ... partly
        {rd(32, 16), false}, // just behind
        {rd(0, 16), false},  // two readers
        {wr(0, 4), true},    // overwrites what was read
        {wr(31, 1), true},   // overwrites what was written
        {wr(32, 64), false},
        {{FV_GPU_READ_BACK, 16, 16, true}, false}, // another block
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        fv_gpu_hazards h = {0};
        CHECK(!fv_gpu_hazards_add(&h, (fv_gpu_span[]){rd(0, 16), wr(16, 16)}, 2));
        CHECK_EQUAL(fv_gpu_hazards_add(&h, &rows[i].span, 1), rows[i].barrier);
        free(h.v);
    }
}

static void a_barrier_clears_the_past(void) {
    fv_gpu_hazards h = {0};
    CHECK(!fv_gpu_hazards_add(&h, (fv_gpu_span[]){wr(0, 16)}, 1));
    CHECK(fv_gpu_hazards_add(&h, (fv_gpu_span[]){rd(0, 16), wr(16, 16)}, 2));
    CHECK(!fv_gpu_hazards_add(&h, (fv_gpu_span[]){rd(0, 16), wr(32, 16)}, 2));
    CHECK(fv_gpu_hazards_add(&h, (fv_gpu_span[]){rd(32, 16)}, 1));
    free(h.v);
}

static void a_dispatch_may_work_in_place(void) {
    fv_gpu_hazards h = {0};
    CHECK(!fv_gpu_hazards_add(&h, (fv_gpu_span[]){rd(0, 16), wr(0, 16)}, 2));
    free(h.v);
}

const fv_suite hazard_suite = {"hazard", (const fv_case[]){
    CASE(barriers_follow_overlaps), CASE(a_barrier_clears_the_past), CASE(a_dispatch_may_work_in_place), {0}}};
