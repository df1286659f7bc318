// Prints what the trackers make of an invented crowd, bit by bit; built with several compilers'
// settings (meson.build here), which must print the same.
#include <stdio.h>
#include <string.h>

#include "pipeline/vision/track.h"

enum { OBJECTS = 40, FRAMES = 300 };

static unsigned seed = 1;

static float roll(float low, float high) {
    seed = seed * 1664525u + 1013904223u;
    return low + (high - low) * (float)(seed >> 8) / (1 << 24);
}

// Back and forth on straight lines, at uneven times; no function of the C library takes part.
static void crowd(fv_objects *in, int frame) {
    in->n = 0;
    for (int i = 0; i < OBJECTS; i++) {
        int way = (frame * (1 + i % 5) + 37 * i) % 400;
        float x = (float)(way < 200 ? way : 400 - way) * 2.7f + (float)(i % 8) * 31;
        if (roll(0, 1) < 0.12f)
            continue;
        in->v[in->n++] = (fv_object){
            .box = {x + roll(-3, 3), 20 * (float)(i / 4) + roll(-2, 2), 38 + roll(-4, 4),
                    90 + roll(-5, 5)},
            .score = roll(0.2f, 1),
            .label = i % 3 == 0 && roll(0, 1) < 0.2f ? 1 : 0,
            .detection = -1};
    }
}

static uint64_t hash_of(int method) {
    static fv_object in_v[OBJECTS], out_v[8 * OBJECTS];
    fv_objects in = {0, OBJECTS, in_v}, out = {0, 8 * OBJECTS, out_v};
    fv_track_params params;
    uint64_t hash = 14695981039346656037u, ids = 0; // FNV-1a
    int64_t now = 0;
    fv_options_default(&params, fv_track_options);
    params.method = method;
    params.show_lost_ns = 200000000;
    fv_tracker *t = fv_tracker_create(&params, NULL);
    fv_tracker_set_picture(t, 900, 300);
    for (int frame = 0; t && frame < FRAMES; frame++) {
        crowd(&in, frame);
        now += frame % 7 ? 40000000 : 90000000;
        fv_tracker_update(t, frame % 4 == 3 ? NULL : &in, now, &out);
        for (int i = 0; i < out.n; i++) {
            unsigned char bytes[sizeof(fv_box)];
            memcpy(bytes, &out_v[i].box, sizeof bytes);
            for (size_t k = 0; k < sizeof bytes; k++)
                hash = (hash ^ bytes[k]) * 1099511628211u;
            hash = (hash ^ out_v[i].id) * 1099511628211u;
            ids = out_v[i].id > ids ? out_v[i].id : ids;
        }
    }
    printf("%-10s %016llx, %llu ids\n", fv_track_method_names[method], (unsigned long long)hash,
           (unsigned long long)ids);
    fv_tracker_destroy(&t);
    return hash;
}

int main(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++)
        hash_of(method);
    return 0;
}
