#include "pipeline/vision/png.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SIDE = 16384 };

typedef struct {
    FILE *file;
    uint32_t crc, a, b; // of the chunk; Adler-32 of the pixels
} writer;

static void put(writer *w, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        w->crc ^= bytes[i];
        for (int k = 0; k < 8; k++)
            w->crc = w->crc >> 1 ^ (w->crc & 1 ? 0xedb88320u : 0);
    }
    fwrite(bytes, 1, n, w->file);
}

static void put32(writer *w, uint32_t v) {
    put(w, (uint8_t[]){(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v}, 4);
}

static void begin(writer *w, const char *type, uint32_t length) {
    put32(w, length);
    w->crc = 0xffffffffu;
    put(w, (const uint8_t *)type, 4);
}

static void end(writer *w) {
    put32(w, ~w->crc);
}

static void put_pixels(writer *w, const uint8_t *bytes, size_t n) {
    for (size_t i = 0; i < n; i++) {
        w->a = (w->a + bytes[i]) % 65521;
        w->b = (w->b + w->a) % 65521;
    }
    put(w, bytes, n);
}

// A row is a stored block of its own (RFC 1951, 3.2.4): length, its complement, filter type 0,
// pixels.
static void put_row(writer *w, const uint8_t *row, unsigned bytes, bool last) {
    unsigned n = bytes + 1;
    put(w, (uint8_t[]){last, (uint8_t)n, (uint8_t)(n >> 8), (uint8_t)~n, (uint8_t)(~n >> 8)}, 5);
    put_pixels(w, (uint8_t[]){0}, 1);
    put_pixels(w, row, bytes);
}

bool fv_png_write(const char *path, const uint8_t *rgb, int width, int height, fv_err *err) {
    static const uint8_t signature[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
    if (width < 1 || height < 1 || width > MAX_SIDE || height > MAX_SIDE)
        return fv_fail(err, FV_BAD_INPUT, "%s: %d x %d pixels cannot be written", path, width,
                       height);
    writer w = {.file = fopen(path, "wb"), .a = 1};
    if (!w.file)
        return fv_fail(err, FV_IO, "%s: cannot be written: %s", path, strerror(errno));
    unsigned bytes = (unsigned)width * 3;
    fwrite(signature, 1, sizeof signature, w.file);
    begin(&w, "IHDR", 13);
    put32(&w, (uint32_t)width);
    put32(&w, (uint32_t)height);
    put(&w, (uint8_t[]){8, 2, 0, 0, 0}, 5); // 8 bits, RGB
    end(&w);
    begin(&w, "IDAT", 2 + (bytes + 6) * (uint32_t)height + 4);
    put(&w, (uint8_t[]){0x78, 0x01}, 2);
    for (int y = 0; y < height; y++)
        put_row(&w, rgb + (size_t)y * bytes, bytes, y == height - 1);
    put32(&w, w.b << 16 | w.a);
    end(&w);
    begin(&w, "IEND", 0);
    end(&w);
    bool bad = ferror(w.file);
    bad |= fclose(w.file) != 0;
    return !bad || fv_fail(err, FV_IO, "%s: writing failed: %s", path, strerror(errno));
}
