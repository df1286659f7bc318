#define _GNU_SOURCE // CPU_SET
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "pipeline/gpu/vk.h"
#include "shaders/push.h"
#include "tests/test.h"

enum { N = 1000, SLOTS_BYTES = N * sizeof(float) };

typedef struct {
    fv_gpu *gpu;
    fv_gpu_blocks blocks;
    fv_err err;
} bench;

static bool set_up(bench *b) {
    *b = (bench){0};
    b->gpu = fv_gpu_create(&(fv_gpu_params){.validate = true, .cache_dir = ""}, &b->err);
    CHECK_OK(b->gpu != NULL, b->err);
    if (!b->gpu)
        return false;
    b->blocks.activations = fv_gpu_buffer_create(b->gpu, 4 * SLOTS_BYTES, FV_GPU_DEVICE, &b->err);
    b->blocks.upload = fv_gpu_buffer_create(b->gpu, SLOTS_BYTES, FV_GPU_UPLOAD, &b->err);
    b->blocks.readback = fv_gpu_buffer_create(b->gpu, SLOTS_BYTES, FV_GPU_READBACK, &b->err);
    CHECK_OK(b->blocks.activations && b->blocks.upload && b->blocks.readback, b->err);
    return true;
}

static void tear_down(bench *b) {
    fv_gpu_buffer_destroy(&b->blocks.activations);
    fv_gpu_buffer_destroy(&b->blocks.upload);
    fv_gpu_buffer_destroy(&b->blocks.readback);
    fv_gpu_destroy(&b->gpu);
}

// Copies N floats from slot `from` to slot `to` of the activation block, back to front.
static void add_reversal(bench *b, fv_gpu_program *p, uint32_t from, uint32_t to) {
    fv_gpu_kernel *kernel = fv_gpu_kernel_get(b->gpu, "copy", (uint32_t[]){0, 0, 1}, 3, &b->err);
    CHECK_OK(kernel != NULL, b->err);
    struct fv_push_copy push = {.in_at = from * N + N - 1, .out_at = to * N, .count = N};
    push.dim[FV_COPY_DIMS - 1] = N, push.in_stride[FV_COPY_DIMS - 1] = -1, push.out_stride[FV_COPY_DIMS - 1] = 1;
    fv_gpu_program_add(p, kernel,
                       (fv_gpu_span[]){{FV_GPU_ACTIVATIONS, from * SLOTS_BYTES, SLOTS_BYTES, false},
                                       {FV_GPU_ACTIVATIONS, to * SLOTS_BYTES, SLOTS_BYTES, true}},
                       2, &push, sizeof push, (uint32_t[]){(N + 63) / 64, 1, 1});
}

static void a_chain_of_copies_arrives(void) {
    bench b;
    if (!set_up(&b))
        return;
    float in[N], out[N];
    for (int i = 0; i < N; i++)
        in[i] = (float)i * 0.5f;
    CHECK_OK(fv_gpu_buffer_upload(b.blocks.activations, 0, in, sizeof in, &b.err), b.err);
    fv_gpu_program *p = fv_gpu_program_begin(b.gpu, &b.blocks, &b.err);
    CHECK_OK(p != NULL, b.err);
    bool timed = fv_gpu_program_profile(p, 8);
    add_reversal(&b, p, 0, 1);
    add_reversal(&b, p, 1, 2); // waits for the first
    add_reversal(&b, p, 0, 3); // needs to wait for nobody
    CHECK_OK(fv_gpu_program_end(p, &b.err), b.err);
    CHECK_EQUAL(fv_gpu_program_barriers(p), 1);
    for (int round = 0; round < 2; round++) {
        uint64_t ticket;
        CHECK_OK(fv_gpu_program_submit(p, &ticket, &b.err), b.err);
        CHECK_OK(fv_gpu_wait(b.gpu, ticket, 100000000000u, &b.err), b.err);
    }
    CHECK_OK(fv_gpu_buffer_download(b.blocks.activations, 2 * SLOTS_BYTES, out, sizeof out, &b.err), b.err);
    CHECK(!memcmp(in, out, sizeof in));
    CHECK_OK(fv_gpu_buffer_download(b.blocks.activations, 3 * SLOTS_BYTES, out, sizeof out, &b.err), b.err);
    CHECK(out[0] == in[N - 1] && out[N - 1] == in[0]);
    float ms[8];
    if (timed) {
        CHECK_EQUAL(fv_gpu_program_times(p, ms, 8), 3);
        CHECK(ms[0] >= 0 && ms[0] < 10000);
    }
    fv_gpu_program_destroy(&p);
    CHECK_OK(fv_gpu_check(b.gpu, &b.err), b.err);
    tear_down(&b);
}

static void upload_and_readback_are_bound(void) {
    bench b;
    if (!set_up(&b))
        return;
    float *up = fv_gpu_buffer_map(b.blocks.upload), *down = fv_gpu_buffer_map(b.blocks.readback);
    CHECK(up && down);
    for (int i = 0; i < N; i++)
        up[i] = (float)(i * i);
    enum { UPLOAD = 2, READBACK = 3 };
    fv_gpu_kernel *kernel = fv_gpu_kernel_get(b.gpu, "copy", (uint32_t[]){UPLOAD, READBACK, 1}, 3, &b.err);
    CHECK_OK(kernel != NULL, b.err);
    CHECK(kernel == fv_gpu_kernel_get(b.gpu, "copy", (uint32_t[]){UPLOAD, READBACK, 1}, 3, &b.err));
    fv_gpu_program *p = fv_gpu_program_begin(b.gpu, &b.blocks, &b.err);
    struct fv_push_copy push = {.count = N};
    push.dim[FV_COPY_DIMS - 1] = N, push.in_stride[FV_COPY_DIMS - 1] = push.out_stride[FV_COPY_DIMS - 1] = 1;
    fv_gpu_program_add(p, kernel, (fv_gpu_span[]){{FV_GPU_READ_BACK, 0, SLOTS_BYTES, true}}, 1, &push, sizeof push,
                       (uint32_t[]){(N + 63) / 64, 1, 1});
    uint64_t ticket;
    CHECK_OK(fv_gpu_program_end(p, &b.err) && fv_gpu_program_submit(p, &ticket, &b.err) &&
                 fv_gpu_wait(b.gpu, ticket, 100000000000u, &b.err), b.err);
    CHECK(!memcmp(up, down, SLOTS_BYTES));
    fv_gpu_program_destroy(&p);
    tear_down(&b);
}

// Whether the thread of awake.c stops within two seconds.
static bool rests(fv_gpu *gpu) {
    for (int i = 0; i < 50; i++) {
        double before = fv_gpu_awake_ms(gpu);
        nanosleep(&(struct timespec){0, 40000000}, NULL);
        if (!(fv_gpu_awake_ms(gpu) > before))
            return true;
    }
    return false;
}

static void a_core_is_kept_awake_only_while_somebody_waits(void) {
    cpu_set_t all, first;
    CHECK(!sched_getaffinity(0, sizeof all, &all));
    for (int core = 0; core < CPU_SETSIZE; core++)
        if (CPU_ISSET(core, &all)) {
            CPU_ZERO(&first);
            CPU_SET(core, &first);
        }
    for (int turn = 0; turn < 3; turn++) { // left out, wanted, wanted by one that may use a single core
        bench b;
        uint64_t ticket;
        setenv("FOVEA_AWAKE", turn ? "1" : "0", 1);
        if (!set_up(&b))
            return;
        bool expected = turn == 1 && fv_gpu_get_caps(b.gpu)->cpu && CPU_COUNT(&all) > 1;
        fv_gpu_program *p = fv_gpu_program_begin(b.gpu, &b.blocks, &b.err);
        add_reversal(&b, p, 0, 1);
        CHECK_OK(fv_gpu_program_end(p, &b.err), b.err);
        sched_setaffinity(0, sizeof first, turn == 2 ? &first : &all);
        for (int i = 0; i < 1000 && (i < 5 || (expected && !(fv_gpu_awake_ms(b.gpu) > 0))); i++)
            CHECK_OK(fv_gpu_program_submit(p, &ticket, &b.err) && fv_gpu_wait_awake(b.gpu, ticket, &b.err), b.err);
        CHECK_EQUAL(fv_gpu_awake_ms(b.gpu) > 0, expected);
        CHECK(rests(b.gpu));
        sched_setaffinity(0, sizeof all, &all);
        fv_gpu_program_destroy(&p);
        tear_down(&b);
    }
    unsetenv("FOVEA_AWAKE");
}

static int count_kernels(const fv_gpu *gpu) {
    int n = 0;
    for (const fv_gpu_kernel *k = gpu->kernels; k; k = k->next)
        n++;
    return n;
}

static void kernels_go_when_nobody_has_them(void) {
    bench b;
    if (!set_up(&b))
        return;
    int before = count_kernels(b.gpu);
    fv_gpu_kernel *first = fv_gpu_kernel_get(b.gpu, "copy", (uint32_t[]){0, 1, 1}, 3, &b.err);
    fv_gpu_kernel *second = fv_gpu_kernel_get(b.gpu, "copy", (uint32_t[]){0, 1, 1}, 3, &b.err);
    CHECK(first && first == second);
    fv_gpu_kernel *other = fv_gpu_kernel_get(b.gpu, "copy", (uint32_t[]){0, 3, 1}, 3, &b.err);
    CHECK_EQUAL(count_kernels(b.gpu), before + 2);
    fv_gpu_kernel_put(b.gpu, first);
    CHECK_EQUAL(count_kernels(b.gpu), before + 2);
    fv_gpu_kernel_put(b.gpu, second);
    CHECK_EQUAL(count_kernels(b.gpu), before + 1);
    fv_gpu_kernel_put(b.gpu, other);
    fv_gpu_kernel_put(b.gpu, NULL);
    CHECK_EQUAL(count_kernels(b.gpu), before);
    tear_down(&b);
}

static void mistakes_are_reported(void) {
    bench b;
    if (!set_up(&b))
        return;
    fv_err err;
    CHECK_FAILS(fv_gpu_kernel_get(b.gpu, "no-such-kernel", NULL, 0, &err), err, "no such kernel");
    CHECK_FAILS(fv_gpu_buffer_upload(b.blocks.upload, 2 * SLOTS_BYTES, "x", 1, &err), err, "outside a buffer");
    fv_gpu_program *p = fv_gpu_program_begin(b.gpu, &b.blocks, &b.err);
    char push[132] = {0};
    fv_gpu_kernel *kernel = fv_gpu_kernel_get(b.gpu, "copy", NULL, 0, &b.err);
    fv_gpu_program_add(p, kernel, NULL, 0, push, sizeof push, (uint32_t[]){1, 1, 1});
    CHECK_FAILS(fv_gpu_program_end(p, &err), err, "out of range");
    fv_gpu_program_destroy(&p);
    tear_down(&b);
}

const fv_suite program_suite = {"program", (const fv_case[]){
    CASE(a_chain_of_copies_arrives), CASE(upload_and_readback_are_bound), CASE(a_core_is_kept_awake_only_while_somebody_waits),
    CASE(kernels_go_when_nobody_has_them), CASE(mistakes_are_reported), {0}}};
