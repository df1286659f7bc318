#include "pipeline/run/image.h"

#include <stdlib.h>

#include "pipeline/run/npy.h"
#include "tests/test.h"

static void png_comes_back_as_it_went(void) {
    static const int sizes[][2] = {{1, 1}, {3, 2}, {37, 5}};
    for (int i = 0; i < 3; i++) {
        fv_err err = {0};
        char path[512];
        int w = sizes[i][0], h = sizes[i][1];
        uint8_t pixels[37 * 5 * 3];
        for (int k = 0; k < w * h * 3; k++)
            pixels[k] = (uint8_t)(k * 37);
        fv_image image = {.width = w, .height = h, .pixels = pixels}, back;
        snprintf(path, sizeof path, "%s/a.png", fv_test_tmp("png"));
        CHECK_OK(fv_image_save(&image, path, &err), err);
        CHECK_OK(fv_image_load(&back, path, &err), err);
        CHECK(back.width == w && back.height == h && back.frame.stride[0] == w * 3);
        CHECK(back.pixels && !memcmp(back.pixels, pixels, (size_t)(w * h * 3)));
        fv_image_finish(&back);
    }
}

// Samplings that GStreamer's libav decoders cannot name (dog.jpg is 4:4:0) beside usual ones.
static void jpeg_of_any_sampling(void) {
    static const struct { const char *path; int width, height; } rows[] = {
        {"images/dog.jpg", 768, 576}, {"images/horses.jpg", 773, 512}, {"images/bus.jpg", 810, 1080}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fv_err err = {0};
        fv_image image;
        const char *path = fv_test_shared(rows[i].path);
        if (!path)
            return;
        CHECK_OK(fv_image_load(&image, path, &err), err);
        CHECK(image.width == rows[i].width && image.height == rows[i].height);
        fv_image_finish(&image);
    }
}

static void no_pictures(void) {
    fv_err err = {0};
    fv_image image;
    const char *dir = fv_test_tmp("bad");
    char path[512];
    CHECK_FAILS(fv_image_load(&image, "/nonexistent.jpg", &err), err,
                "/nonexistent.jpg: cannot be read");
    CHECK_FAILS(fv_image_load(&image, dir, &err), err, "is no file");
    snprintf(path, sizeof path, "%s/empty.jpg", dir);
    fclose(fopen(path, "w"));
    CHECK_FAILS(fv_image_load(&image, path, &err), err, "empty");
    snprintf(path, sizeof path, "%s/text.jpg", dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "this is no picture at all, but it is long enough to be looked at\n");
    fclose(f);
    CHECK_FAILS(fv_image_load(&image, path, &err), err, "no picture");
    CHECK_EQUAL(err.code, FV_BAD_INPUT);
}

static void npy_round_trip(void) {
    fv_err err = {0};
    char path[512];
    fv_arena *arena = fv_arena_create();
    snprintf(path, sizeof path, "%s/x.npy", fv_test_tmp("npy"));
    for (int dims = 0; dims <= 4; dims++) {
        float v[24];
        for (int i = 0; i < 24; i++)
            v[i] = (float)i / 7;
        fv_tensor t = {.dtype = FV_F32, .n_dims = dims, .dim = {2, 3, 4, 1}, .data = v}, back;
        CHECK_OK(fv_npy_save(path, &t, &err), err);
        CHECK_OK(fv_npy_load(path, arena, &back, &err), err);
        CHECK(back.dtype == FV_F32 && back.n_dims == dims &&
              !memcmp(back.dim, t.dim, sizeof(int64_t) * (size_t)dims));
        CHECK(!memcmp(back.data, v, fv_tensor_bytes(&t)));
    }
    char text[1000];
    char command[1200];
    snprintf(command, sizeof command,
             "/usr/bin/python3 -c \"import numpy; x = numpy.load('%s'); print(x.shape, x.dtype)\"",
             path);
    if (!fv_test_shell(command, text, sizeof text)) // NumPy itself agrees, where it is installed
        CHECK_CONTAINS(text, "(2, 3, 4, 1) float32");
    fv_arena_destroy(&arena);
}

static void npy_that_is_none(void) {
#define BYTES(text) text, sizeof text - 1
    static const struct {
        const char *bytes;
        size_t n;
        const char *says;
    } rows[] = {
        {BYTES("hello"), "no .npy file"},
        {BYTES("\x93NUMPY\x01\x00\x40\x00{'descr'"), "no .npy file"},
        {BYTES("\x93NUMPY\x01\x00\x3b\x00{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }  \n"), "not supported"},
        {BYTES("\x93NUMPY\x01\x00\x3b\x00{'descr': '<f4', 'fortran_order': True, 'shape': (2,3), } \n"), "Fortran"},
        {BYTES("\x93NUMPY\x01\x00\x3b\x00{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }  "
         "\n1234"), "of 8 bytes"},
        {BYTES("\x93NUMPY\x01\x00\x41\x00{'descr': '<f4', 'fortran_order': False, 'shape': "
         "(99999999999,)}\n"), "not supported"},
    };
#undef BYTES
    fv_arena *arena = fv_arena_create();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fv_err err = {0};
        fv_tensor t;
        char path[512];
        snprintf(path, sizeof path, "%s/x.npy", fv_test_tmp("npy"));
        FILE *f = fopen(path, "w");
        fwrite(rows[i].bytes, 1, rows[i].n, f);
        fclose(f);
        CHECK_FAILS(fv_npy_load(path, arena, &t, &err), err, rows[i].says);
    }
    fv_arena_destroy(&arena);
}

const fv_suite image_suite = {"image", (const fv_case[]){
    CASE(png_comes_back_as_it_went), CASE(jpeg_of_any_sampling), CASE(no_pictures), CASE(npy_round_trip),
    CASE(npy_that_is_none), {0}}};
