// fvmp4: the index of an MP4 is changed, everything else passes.
#include <gst/check/gstharness.h>
#include <stdlib.h>

#include "plugins/mp4/boxes.h"
#include "tests/test.h"

enum { MAX = 4096 };

typedef struct {
    uint8_t v[MAX];
    size_t n;
} bytes;

static void put32(bytes *b, uint32_t v) {
    for (int i = 3; i >= 0; i--)
        b->v[b->n++] = (uint8_t)(v >> 8 * i);
}

static uint32_t get32(const bytes *b, size_t at) {
    return (uint32_t)b->v[at] << 24 | (uint32_t)b->v[at + 1] << 16 | (uint32_t)b->v[at + 2] << 8 | b->v[at + 3];
}

static size_t open_box(bytes *b, const char *name) {
    size_t at = b->n;
    put32(b, 0);
    memcpy(b->v + b->n, name, 4);
    b->n += 4;
    return at;
}

static void close_box(bytes *b, size_t at) {
    size_t end = b->n;
    b->n = at;
    put32(b, (uint32_t)(end - at));
    b->n = end;
}

static size_t put_box(bytes *b, const char *name, const uint32_t *words, size_t n) {
    size_t at = open_box(b, name);
    for (size_t i = 0; i < n; i++)
        put32(b, words[i]);
    close_box(b, at);
    return at + 8;
}

// Where the contents begin.
typedef struct {
    size_t movie, track[2], edits[2], offsets[2];
} places;

// A picture of 64 x 48 and sound of 8000 samples a second with 800 of them before time 0; movie in 1/1000.
static void make_index(bytes *b, places *p) {
    size_t moov = open_box(b, "moov");
    p->movie = put_box(b, "mvhd", (uint32_t[25]){[3] = 1000, [4] = 2100}, 25);
    for (int sound = 0; sound < 2; sound++) {
        size_t trak = open_box(b, "trak");
        uint32_t length = sound ? 2100 : 2000, side = sound ? 0 : 1;
        p->track[sound] = put_box(b, "tkhd",
                                  (uint32_t[21]){[5] = length, [10] = 0x10000, [14] = 0x10000, [18] = 0x40000000,
                                                 [19] = side * (64 << 16), [20] = side * (48 << 16)},
                                  21);
        size_t edts = open_box(b, "edts");
        p->edits[sound] = put_box(b, "elst", (uint32_t[]){0, 1, length, 800, 0x10000}, 5);
        close_box(b, edts);
        size_t mdia = open_box(b, "mdia");
        put_box(b, "mdhd", (uint32_t[]){0, 0, 0, 8000, 16800, 0}, 6);
        size_t minf = open_box(b, "minf"), stbl = open_box(b, "stbl");
        put_box(b, "stts", (uint32_t[]){0, 1, 21, 800}, 4);
        p->offsets[sound] = put_box(b, "ctts", (uint32_t[]){0, 2, 1, 800, 20, 0}, 6);
        close_box(b, stbl);
        close_box(b, minf);
        close_box(b, mdia);
        close_box(b, trak);
    }
    close_box(b, moov);
}

static void the_picture_is_turned(void) {
    static const struct {
        fv_orientation orientation;
        int32_t a, b, c, d, x, y; // in whole numbers
    } rows[] = {
        {FV_UPRIGHT, 1, 0, 0, 1, 0, 0},          {FV_ROTATE_90, 0, 1, -1, 0, 48, 0}, {FV_ROTATE_180, -1, 0, 0, -1, 64, 48},
        {FV_ROTATE_270, 0, -1, 1, 0, 0, 64},     {FV_FLIP, -1, 0, 0, 1, 64, 0},      {FV_FLIP_ROTATE_90, 0, 1, 1, 0, 0, 0},
        {FV_FLIP_ROTATE_180, 1, 0, 0, -1, 0, 48}, {FV_FLIP_ROTATE_270, 0, -1, -1, 0, 48, 64},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bytes b = {0};
        places p;
        make_index(&b, &p);
        CHECK_EQUAL(fv_mp4_index_size(b.v, b.n), b.n);
        fv_mp4_index_patch(b.v, b.n, rows[i].orientation, 0);
        size_t m = p.track[0] + 40;
        const int32_t want[] = {rows[i].a, rows[i].b, 0, rows[i].c, rows[i].d, 0, rows[i].x, rows[i].y};
        for (size_t k = 0; k < 8; k++)
            CHECK_EQUAL((int32_t)get32(&b, m + 4 * k), want[k] * 0x10000);
        CHECK_EQUAL(get32(&b, m + 32), 0x40000000);
        CHECK_EQUAL(get32(&b, p.track[1] + 40), 0x10000); // sound has no picture
        CHECK_EQUAL(get32(&b, p.track[1] + 44), 0);
    }
}

static void sound_begins_before_time_0(void) {
    bytes b = {0};
    places p;
    make_index(&b, &p);
    fv_mp4_index_patch(b.v, b.n, FV_UPRIGHT, 0);
    CHECK_EQUAL(get32(&b, p.offsets[0] + 12), 800); // pictures keep theirs
    CHECK_EQUAL(get32(&b, p.edits[0] + 8), 2000);
    CHECK_EQUAL(get32(&b, p.offsets[1] + 12), 0);
    CHECK_EQUAL(get32(&b, p.edits[1] + 12), 800);
    CHECK_EQUAL(get32(&b, p.edits[1] + 8), 2000); // 100 ms less
    CHECK_EQUAL(get32(&b, p.track[1] + 20), 2000);
    CHECK_EQUAL(get32(&b, p.movie + 16), 2000);
}

// 8000 samples a second: 1024 are 128 ms. What says its priming keeps it.
static void encoded_sound_begins_before_time_0(void) {
    static const struct {
        uint32_t said;
        unsigned encoded;
        uint32_t priming, length;
    } rows[] = {{0, 1, 1024, 1972}, {0, 2, 0, 2100}, {0, 0, 0, 2100}, {800, 1, 800, 2000}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bytes b = {0};
        places p;
        make_index(&b, &p);
        size_t end = b.n;
        b.n = p.edits[1] + 12;
        put32(&b, rows[i].said);
        b.n = end;
        fv_mp4_index_patch(b.v, b.n, FV_UPRIGHT, rows[i].encoded);
        CHECK_EQUAL(get32(&b, p.edits[0] + 12), 800); // the picture's
        CHECK_EQUAL(get32(&b, p.edits[1] + 12), rows[i].priming);
        CHECK_EQUAL(get32(&b, p.edits[1] + 8), rows[i].length);
        CHECK_EQUAL(get32(&b, p.track[1] + 20), rows[i].length);
    }
}

// Cut anywhere and with any byte wrong: nothing is read or written outside (the sanitizer build sees it).
// The last picture is shown 0.15 s behind the sum of all durations (a gap before it): the edit ends with it.
static void the_last_picture_is_shown(void) {
    bytes b = {0};
    places p;
    make_index(&b, &p);
    size_t end = b.n;
    b.n = p.offsets[0] + 20;
    put32(&b, 1200);
    b.n = end;
    fv_mp4_index_patch(b.v, b.n, FV_UPRIGHT, 0);
    CHECK_EQUAL(get32(&b, p.edits[0] + 8), 2150);
    CHECK_EQUAL(get32(&b, p.track[0] + 20), 2150);
    CHECK_EQUAL(get32(&b, p.movie + 16), 2150);
}

static void torn_and_hostile_boxes(void) {
    bytes whole = {0};
    places p;
    make_index(&whole, &p);
    for (size_t n = 0; n < whole.n; n++) {
        uint8_t *part = malloc(n + !n);
        memcpy(part, whole.v, n);
        CHECK_EQUAL(fv_mp4_index_size(part, n), 0);
        fv_mp4_index_patch(part, n, FV_ROTATE_90, 1);
        free(part);
    }
    for (size_t at = 0; at < whole.n; at++) {
        uint8_t *bent = malloc(whole.n);
        memcpy(bent, whole.v, whole.n);
        bent[at] = 0xff;
        fv_mp4_index_patch(bent, fv_mp4_index_size(bent, whole.n), FV_ROTATE_90, 1);
        free(bent);
    }
    CHECK_EQUAL(fv_mp4_index_size((const uint8_t *)"mdat", 4), 0);
}

static void all_else_passes(void) {
    bytes b = {0};
    places p;
    make_index(&b, &p);
    GstHarness *h = gst_harness_new_parse("fvmp4 orientation=rotate-180");
    gst_harness_set_src_caps_str(h, "video/quicktime");
    GstBuffer *data = gst_buffer_new_memdup("\0\0\0\14mdatmoov", 12), *index = gst_buffer_new_memdup(b.v, b.n);
    CHECK_EQUAL(gst_harness_push(h, gst_buffer_ref(data)), GST_FLOW_OK);
    GstBuffer *out = gst_harness_pull(h);
    CHECK(out == data);
    gst_buffer_unref(out);
    gst_buffer_unref(data);
    CHECK_EQUAL(gst_harness_push(h, gst_buffer_ref(index)), GST_FLOW_OK); // somebody else holds it
    out = gst_harness_pull(h);
    CHECK_EQUAL(gst_buffer_memcmp(index, 0, b.v, b.n), 0);
    fv_mp4_index_patch(b.v, b.n, FV_ROTATE_180, 0);
    CHECK_EQUAL(gst_buffer_memcmp(out, 0, b.v, b.n), 0);
    gst_buffer_unref(out);
    gst_buffer_unref(index);
    gst_harness_teardown(h);
}

const fv_suite mp4_suite = {"mp4", (const fv_case[]){CASE(the_picture_is_turned),
                                                     CASE(sound_begins_before_time_0),
                                                     CASE(encoded_sound_begins_before_time_0),
                                                     CASE(the_last_picture_is_shown),
                                                     CASE(torn_and_hostile_boxes),
                                                     CASE(all_else_passes),
                                                     {0}}};
