// Objects in a picture, with libfovea alone: no GStreamer, no GLib.
//
//     ffmpeg -i photo.jpg photo.ppm
//     detect_image model.onnx photo.ppm
//
// In a tree of your own: cc detect_image.c $(pkg-config --cflags --libs fovea)
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "pipeline/detect/detect.h"

enum { MAX_OBJECTS = 100 };

// A binary PPM (P6, 8 bits), as ffmpeg, ImageMagick and GIMP write it. NULL when it is none.
static uint8_t *read_ppm(const char *path, int *width, int *height) {
    FILE *f = fopen(path, "rb");
    int depth = 0;
    uint8_t *pixels = NULL;
    if (f && fscanf(f, "P6 %d %d %d", width, height, &depth) == 3 && isspace(fgetc(f)) &&
        depth == 255 && *width > 0 && *height > 0 && *width <= 16384 && *height <= 16384) {
        size_t n = (size_t)*width * (size_t)*height * 3;
        pixels = malloc(n);
        if (pixels && fread(pixels, 1, n, f) != n) {
            free(pixels);
            pixels = NULL;
        }
    }
    if (f)
        fclose(f);
    return pixels;
}

static bool detect(fv_detector *d, uint8_t *pixels, int width, int height, fv_err *err) {
    fv_frame frame = {.format = FV_RGB,
                      .width = width,
                      .height = height,
                      .stride = {width * 3},
                      .plane = {pixels}};
    fv_object found[MAX_OBJECTS];
    fv_objects objects = {.capacity = MAX_OBJECTS, .v = found};
    if (!fv_detector_push(d, &frame, 1, NULL, err) || !fv_detector_pull(d, &objects, NULL, err))
        return false;
    for (int i = 0; i < objects.n; i++)
        printf("%s %.2f at %.0f,%.0f size %.0fx%.0f\n",
               fv_label_get(fv_detector_labels(d), found[i].label), (double)found[i].score,
               (double)found[i].box.x, (double)found[i].box.y, (double)found[i].box.w,
               (double)found[i].box.h);
    return true;
}

int main(int argc, char **argv) {
    int width, height;
    fv_err err = {0};
    if (argc != 3) {
        fprintf(stderr, "usage: detect_image MODEL.onnx PICTURE.ppm\n");
        return 2;
    }
    uint8_t *pixels = read_ppm(argv[2], &width, &height);
    if (!pixels) {
        fprintf(stderr,
                "%s: cannot be read as PPM; make one with `ffmpeg -i photo.jpg photo.ppm`\n",
                argv[2]);
        return 2;
    }
    fv_detector *d = fv_detector_create(&(fv_detector_params){.model = argv[1]}, &err);
    if (!d || !detect(d, pixels, width, height, &err))
        fprintf(stderr, "%s\n", err.text);
    fv_detector_destroy(&d);
    free(pixels);
    return fv_err_exit_code(&err);
}
