// What programs write: arrays, the index of an MP4 file, the spool's folder, the tuner's cache.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/infer/tune.h"
#include "pipeline/run/npy.h"
#include "plugins/mp4/boxes.h"
#include "plugins/publish/segment.h"
#include "plugins/publish/spool.h"
#include "tests/hostile/targets.h"
#include "tests/test.h"

// ---- arrays --------------------------------------------------------------------------------------

void hostile_seed_npy(FILE *to) {
    static const float data[6] = {1, 2, 3, 4, 5, 6};
    char path[1100];
    fv_err err = {0};
    snprintf(path, sizeof path, "%s/seed.npy", fv_test_tmp("npy"));
    fv_npy_save(path, &(fv_tensor){.n_dims = 2, .dim = {2, 3}, .data = (void *)data}, &err);
    FILE *f = fopen(path, "rb");
    for (int c; f && (c = getc(f)) != EOF;)
        putc(c, to);
    if (f)
        fclose(f);
}

int hostile_take_npy(const uint8_t *data, size_t size) {
    fv_arena *arena = fv_arena_create();
    fv_tensor t;
    fv_err err = {0};
    bool ok = fv_npy_load(hostile_file(data, size), arena, &t, &err);
    fv_arena_destroy(&arena);
    return ok;
}

// ---- MP4 ---------------------------------------------------------------------------------------

static size_t put_be(uint8_t *to, uint32_t v) {
    for (int i = 0; i < 4; i++)
        to[i] = (uint8_t)(v >> (24 - 8 * i));
    return 4;
}

// A box from `at` to here gets its size and name.
static void put_box(uint8_t *v, size_t at, size_t end, const char *name) {
    put_be(v + at, (uint32_t)(end - at));
    memcpy(v + at + 4, name, 4);
}

// A movie of one track: `width` 0 is sound.
static size_t put_track(uint8_t *v, size_t at, uint32_t width) {
    size_t trak = at, box, edts, mdia, minf, stbl;
    at += 8, box = at, at += 8 + 84;
    put_be(v + box + 28, 2000);
    put_be(v + box + 84, width << 16), put_be(v + box + 88, width << 16);
    put_box(v, box, at, "tkhd");
    edts = at, at += 8, box = at, at += 8 + 20;
    put_be(v + box + 12, 1), put_be(v + box + 16, 2000), put_be(v + box + 20, 512);
    put_box(v, box, at, "elst"), put_box(v, edts, at, "edts");
    mdia = at, at += 8, box = at, at += 8 + 24;
    put_be(v + box + 20, 48000);
    put_box(v, box, at, "mdhd");
    minf = at, at += 8, stbl = at, at += 8;
    for (int i = 0; i < 2; i++) {
        box = at, at += 8 + 24;
        put_be(v + box + 12, 2), put_be(v + box + 16, 3), put_be(v + box + 20, 512), put_be(v + box + 24, 1);
        put_box(v, box, at, i ? "ctts" : "stts");
    }
    put_box(v, stbl, at, "stbl"), put_box(v, minf, at, "minf"), put_box(v, mdia, at, "mdia");
    put_box(v, trak, at, "trak");
    return at;
}

void hostile_seed_mp4(FILE *to) {
    uint8_t v[1200] = {0};
    size_t at = 8 + 8 + 100;
    put_be(v + 8 + 8 + 12, 1000);
    put_box(v, 8, at, "mvhd");
    at = put_track(v, put_track(v, at, 640), 0);
    put_box(v, 0, at, "moov");
    fwrite(v, 1, at, to);
}

// The last byte says how the picture is turned.
int hostile_take_mp4(const uint8_t *data, size_t size) {
    uint8_t *copy = malloc(size + !size);
    memcpy(copy, data, size);
    size_t index = fv_mp4_index_size(copy, size);
    if (index > size)
        abort();
    if (index)
        fv_mp4_index_patch(copy, index, (fv_orientation)(data[size - 1] % FV_N_ORIENTATIONS), data[size - 1]);
    free(copy);
    return index > 0;
}

// ---- spool -------------------------------------------------------------------------------------

// One byte how many segments, a byte and eight a segment (length / 64, number), a byte: are sums made right?
enum { MAX_SEGMENTS = 3, SEGMENT_HEAD = 9, STATE_BYTES = 40 };

static void put_file(const char *folder, const char *name, const void *data, size_t size) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "wb");
    if (!f)
        abort();
    fwrite(data, 1, size, f);
    fclose(f);
}

// A fuzzer does not guess sums: those of whatever looks like a record are put right.
static void mend_sums(uint8_t *data, size_t size) {
    for (size_t i = 0; i + FV_SEGMENT_HEAD <= size; i++) {
        if (memcmp(data + i, "FvR1", 4) != 0)
            continue;
        uint32_t n = (uint32_t)data[i + 4] | (uint32_t)data[i + 5] << 8;
        n = n > size - i - FV_SEGMENT_HEAD ? (uint32_t)(size - i) - FV_SEGMENT_HEAD : n;
        data[i + 4] = (uint8_t)n, data[i + 5] = (uint8_t)(n >> 8), data[i + 6] = data[i + 7] = 0;
        uint32_t sum = fv_crc32(0, data + i + FV_SEGMENT_HEAD, n);
        for (int b = 0; b < 4; b++)
            data[i + 16 + (size_t)b] = (uint8_t)(sum >> 8 * b);
        sum = fv_crc32(0, data + i, 20);
        for (int b = 0; b < 4; b++)
            data[i + 20 + (size_t)b] = (uint8_t)(sum >> 8 * b);
        i += FV_SEGMENT_HEAD - 1;
    }
}

static void put_segments(const char *folder, const uint8_t *data, size_t size) {
    int n = size ? data[0] % (MAX_SEGMENTS + 1) : 0;
    size_t at = 1;
    for (int i = 0; i < n && at + SEGMENT_HEAD < size; i++) {
        uint64_t number;
        size_t length = (size_t)data[at] * 64;
        memcpy(&number, data + at + 1, sizeof number);
        at += SEGMENT_HEAD;
        length = length > size - at ? size - at : length;
        uint8_t *copy = malloc(length + 1);
        memcpy(copy, data + at, length);
        if (data[0] & 0x10)
            mend_sums(copy, length);
        char name[32];
        snprintf(name, sizeof name, "%016llx.seg", (unsigned long long)number);
        put_file(folder, name, copy, length);
        free(copy);
        at += length;
    }
    if (data && size - (at < size ? at : size) >= STATE_BYTES && data[0] & 0x20) {
        uint8_t state[STATE_BYTES] = {'F', 'v', 'S', '1'};
        memcpy(state + 4, data + at, 32);
        uint32_t sum = fv_crc32(0, state, 36);
        memcpy(state + 36, &sum, 4);
        put_file(folder, "state", state, sizeof state);
    }
}

void hostile_seed_spool(FILE *to) {
    fputc(0x32, to);
    for (uint64_t i = 0; i < 2; i++) {
        uint8_t record[3][64] = {0};
        uint64_t number = 3 * i;
        fputc(3, to);
        fwrite(&number, sizeof number, 1, to);
        for (uint8_t k = 0; k < 3; k++) {
            memcpy(record[k], "FvR1\x28", 5);
            record[k][8] = (uint8_t)(3 * i + k);
        }
        mend_sums(record[0], sizeof record);
        fwrite(record, sizeof record, 1, to);
    }
    static const uint64_t state[5] = {7, 1, 0, 0, 0};
    fwrite(state, sizeof state, 1, to);
}

int hostile_take_spool(const uint8_t *data, size_t size) {
    const char *folder = fv_test_tmp("spool");
    fv_err err = {0};
    put_segments(folder, data, size);
    fv_spool *s = fv_spool_open(folder, &(fv_spool_params){4096, 512}, &err);
    fv_spool_record records[8];
    int all = 0;
    for (int round = 0; s && round < 4; round++) {
        fv_spool_add(s, &(struct iovec){"text", 4}, 1, &err);
        int n = fv_spool_take(s, records, 8, 1024);
        for (int i = 0; i < n; i++)
            all += records[i].body[records[i].size] == 0;
        fv_spool_ack(s, n && round == 1 ? n - 1 : n);
        fv_spool_counts c = fv_spool_count(s);
        if (c.waiting_bytes > 1 << 20)
            abort();
    }
    fv_spool_close(&s);
    return all > 4;
}

// ---- the tuner's cache -----------------------------------------------------------------------------

static const fv_conv_shape shape = {.n = 1, .in_channels = 16, .out_channels = 16, .groups = 1, .in_w = 20, .in_h = 20,
                                    .out_w = 20, .out_h = 20, .kernel_x = 3, .kernel_y = 3, .stride_x = 1, .stride_y = 1,
                                    .dilation_x = 1, .dilation_y = 1, .pad_x = 1, .pad_y = 1, .eights = true};

void hostile_seed_tune(FILE *to) {
    char text[256];
    fv_conv_shape_text(&shape, text, sizeof text);
    fprintf(to, "fovea-tune 6\n%s = no such row, 1.0 ms\n%s = %s, 0.1 ms\n", text, text, fv_conv_rows[0].name);
}

// What is known about the shape is taken only where its row can do it; measuring it anew is left out here.
int hostile_take_tune(const uint8_t *data, size_t size) {
    static fv_gpu *gpu;
    static char path[1200];
    fv_err err = {0};
    if (!gpu) {
        unsetenv("FOVEA_TUNE");
        gpu = fv_gpu_create(&(fv_gpu_params){.cache_dir = fv_test_tmp("tune")}, &err);
        if (!gpu || !fv_gpu_cache_path(gpu, "tune", path, sizeof path))
            abort();
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size)
        abort();
    close(fd);
    fv_tuner *t = fv_tuner_create(gpu, 1);
    const fv_conv_row *row = fv_tune_known(t, gpu, &shape);
    if (row && !fv_conv_row_fits(row, &shape, fv_gpu_get_caps(gpu)))
        abort();
    fv_tuner_destroy(&t);
    return row != NULL;
}
