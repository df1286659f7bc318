#define _GNU_SOURCE
#include "pipeline/run/orient.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MATRIX_BYTES = 36, MAX_BOXES = 100000 };

// The 2x2 part of the matrix {a, b, c, d}: x' = a x + c y, y' = b x + d y, y downwards.
static const struct {
    const char *name;
    int m[4];
} rows[] = {
    {"rotate-90", {0, 1, -1, 0}},        {"rotate-180", {-1, 0, 0, -1}},
    {"rotate-270", {0, -1, 1, 0}},       {"flip-rotate-0", {-1, 0, 0, 1}},
    {"flip-rotate-90", {0, 1, 1, 0}},    {"flip-rotate-180", {1, 0, 0, -1}},
    {"flip-rotate-270", {0, -1, -1, 0}},
};

static uint32_t be32(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, int32_t v) {
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)((uint32_t)v >> (24 - 8 * i));
}

// 16.16 fixed point, the last column 2.30. The shift brings the turned picture back to the origin.
static void make_matrix(uint8_t out[MATRIX_BYTES], const int m[4], int32_t width, int32_t height) {
    memset(out, 0, MATRIX_BYTES);
    put32(out, m[0] * 0x10000);
    put32(out + 4, m[1] * 0x10000);
    put32(out + 12, m[2] * 0x10000);
    put32(out + 16, m[3] * 0x10000);
    put32(out + 24, (m[0] < 0 ? width : 0) + (m[2] < 0 ? height : 0));
    put32(out + 28, (m[1] < 0 ? width : 0) + (m[3] < 0 ? height : 0));
    put32(out + 32, 0x40000000);
}

// Writes the matrix into a `tkhd` whose content begins at `at`. Tracks without width are not video.
static bool patch_tkhd(FILE *f, long at, const int m[4]) {
    uint8_t head[92 + 12], matrix[MATRIX_BYTES];
    if (fseek(f, at, SEEK_SET) || fread(head, 1, 84, f) < 84)
        return false;
    size_t place = head[0] == 1 ? 52 : 40; // version 1 has 64-bit times
    if (place == 52 && fread(head + 84, 1, 12, f) < 12)
        return false;
    int32_t width = (int32_t)be32(head + place + MATRIX_BYTES),
            height = (int32_t)be32(head + place + MATRIX_BYTES + 4);
    if (!width || !height)
        return true;
    make_matrix(matrix, m, width, height);
    return !fseek(f, at + (long)place, SEEK_SET) &&
           fwrite(matrix, 1, MATRIX_BYTES, f) == MATRIX_BYTES;
}

// Walks the boxes of [from, to): into moov and trak, to every tkhd.
static bool walk(FILE *f, long from, long to, const int m[4], int *budget) {
    while (from + 8 <= to && --*budget > 0) {
        uint8_t head[16];
        if (fseek(f, from, SEEK_SET) || fread(head, 1, 8, f) < 8)
            return false;
        uint64_t size = be32(head), skip = 8;
        if (size == 1 && fread(head + 8, 1, 8, f) == 8) {
            size = (uint64_t)be32(head + 8) << 32 | be32(head + 12);
            skip = 16;
        }
        if (size == 0)
            size = (uint64_t)(to - from);
        if (size < skip || size > (uint64_t)(to - from))
            return true; // a torn end
        long content = from + (long)skip;
        if (!memcmp(head + 4, "moov", 4) || !memcmp(head + 4, "trak", 4)) {
            if (!walk(f, content, from + (long)size, m, budget))
                return false;
        } else if (!memcmp(head + 4, "tkhd", 4) && !patch_tkhd(f, content, m)) {
            return false;
        }
        from += (long)size;
    }
    return true;
}

bool fv_orient_file(const char *path, const char *orientation, fv_err *err) {
    const int *m = NULL;
    uint8_t head[8] = {0};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (!strcmp(rows[i].name, orientation))
            m = rows[i].m;
    FILE *f = m ? fopen(path, "r+b") : NULL;
    if (!f)
        return !m || fv_fail(err, FV_IO, "%s: its rotation is not kept: %s", path, strerror(errno));
    bool is_mp4 = fread(head, 1, 8, f) == 8 && !memcmp(head + 4, "ftyp", 4);
    int budget = MAX_BOXES;
    bool ok = !is_mp4 || (!fseek(f, 0, SEEK_END) && walk(f, 0, ftell(f), m, &budget));
    ok &= !fclose(f);
    return ok || fv_fail(err, FV_IO, "%s: its rotation is not kept: %s", path, strerror(errno));
}
