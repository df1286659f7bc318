// plugins/common/canvas, text and draw, without GStreamer; fvoverlay with it.
#include "plugins/common/draw.h"

#include <gst/check/gstharness.h>

#include "plugins/common/canvas.h"
#include "plugins/common/meta.h"
#include "plugins/common/text.h"
#include "tests/test.h"

// A picture of its own memory with a guard around it.
typedef struct {
    fv_frame frame;
    uint8_t *memory;
    size_t size;
} picture;

enum { GUARD = 64 };

static picture make(fv_pixels format, int width, int height, uint8_t value) {
    picture p = {.frame = {.format = format, .width = width, .height = height, .matrix = FV_BT709}};
    const fv_pixels_row *row = &fv_pixels_rows[format];
    p.memory = malloc(p.size = (size_t)(width + 40) * (size_t)(height + 2) * 6 + 4 * GUARD);
    memset(p.memory, value, p.size);
    uint8_t *at = p.memory + GUARD;
    for (int i = 0; i < row->n_planes; i++) {
        p.frame.stride[i] =
            ((width + row->plane[i].sub_x) >> row->plane[i].sub_x) * row->plane[i].pixel_bytes + 5;
        p.frame.plane[i] = at;
        at += p.frame.stride[i] * ((height + row->plane[i].sub_y) >> row->plane[i].sub_y) + GUARD;
    }
    return p;
}

// Of what lies outside the pixels, is every byte what it was?
static bool guards_intact(const picture *p, uint8_t value) {
    const fv_pixels_row *row = &fv_pixels_rows[p->frame.format];
    uint8_t *seen = calloc(1, p->size);
    for (int i = 0; i < row->n_planes; i++)
        for (int y = 0; y < (p->frame.height + row->plane[i].sub_y) >> row->plane[i].sub_y; y++)
            memset(seen + (p->frame.plane[i] - p->memory) + y * p->frame.stride[i], 1,
                   (size_t)(((p->frame.width + row->plane[i].sub_x) >> row->plane[i].sub_x) *
                            row->plane[i].pixel_bytes));
    bool intact = true;
    for (size_t i = 0; i < p->size; i++)
        intact &= seen[i] || p->memory[i] == value;
    free(seen);
    return intact;
}

static uint8_t *at(const picture *p, int plane, int x, int y) {
    const fv_pixels_row *row = &fv_pixels_rows[p->frame.format];
    return p->frame.plane[plane] + (y >> row->plane[plane].sub_y) * p->frame.stride[plane] +
           (x >> row->plane[plane].sub_x) * row->plane[plane].pixel_bytes;
}

// Red by BT.709, limited range: Y 63, Cb 102, Cr 240 (ITU-R BT.709-6, table 3.2 to 3.5).
static void a_colour_is_right_in_every_format(void) {
    static const struct {
        fv_pixels format;
        uint8_t plane[3][4];
    } rows[] = {
        {FV_I420, {{63}, {102}, {240}}},
        {FV_NV12, {{63}, {102, 240}}},
        {FV_RGB, {{255, 0, 0}}},
        {FV_RGBA, {{255, 0, 0, 255}}},
        {FV_BGR, {{0, 0, 255}}},
        {FV_BGRA, {{0, 0, 255, 255}}},
        {FV_GRAY8, {{63}}},
    };
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        picture p = make(rows[i].format, 33, 17, 9);
        fv_canvas_rect(&(fv_canvas){&p.frame}, 4, 4, 100, 8, (fv_colour){255, 0, 0, 255});
        const fv_pixels_row *row = &fv_pixels_rows[rows[i].format];
        for (int k = 0; k < row->n_planes; k++)
            for (int b = 0; b < row->plane[k].pixel_bytes; b++) {
                CHECK_EQUAL(at(&p, k, 6, 6)[b], rows[i].plane[k][b]);
                CHECK_EQUAL(at(&p, k, 32, 6)[b], rows[i].plane[k][b]);
                CHECK_EQUAL(at(&p, k, 2, 2)[b], 9);
            }
        CHECK(guards_intact(&p, 9));
        free(p.memory);
    }
}

static void coverage_blends_and_chroma_gets_the_mean(void) {
    picture p = make(FV_I420, 8, 8, 0);
    fv_canvas_rect(&(fv_canvas){&p.frame}, 1, 2, 1, 2, (fv_colour){255, 255, 255, 255});
    CHECK_EQUAL(*at(&p, 0, 1, 2), 235);
    CHECK_EQUAL(*at(&p, 0, 0, 2), 0);
    CHECK_EQUAL(*at(&p, 1, 0, 2), 64); // half of 128
    fv_canvas_rect(&(fv_canvas){&p.frame}, 6, 6, 2, 2, (fv_colour){255, 255, 255, 128});
    CHECK_EQUAL(*at(&p, 0, 6, 6), 118);
    free(p.memory);
}

static void shapes_cover_what_they_should(void) {
    picture p = make(FV_GRAY8, 200, 200, 0);
    p.frame.full_range = true;
    fv_canvas c = {&p.frame};
    fv_colour white = {255, 255, 255, 255};
    fv_canvas_outline(&c, (fv_box){20, 20, 100, 80}, 6, 3, white);
    CHECK_EQUAL(*at(&p, 0, 70, 21), 255);
    CHECK_EQUAL(*at(&p, 0, 70, 24), 0);
    CHECK_EQUAL(*at(&p, 0, 119, 60), 255);
    CHECK_EQUAL(*at(&p, 0, 20, 20), 0); // the corner is round
    fv_canvas_polyline(&c, (const float[][2]){{10, 150}, {190, 150}}, 2, false, 4, 0, white);
    CHECK(*at(&p, 0, 12, 150) < 20);
    CHECK(*at(&p, 0, 185, 150) > 235);
    CHECK_EQUAL(*at(&p, 0, 100, 153), 0);
    fv_canvas_polygon(&c, (const float[][2]){{140, 20}, {190, 20}, {140, 120}}, 3, white);
    CHECK_EQUAL(*at(&p, 0, 150, 40), 255);
    CHECK_EQUAL(*at(&p, 0, 185, 100), 0);
    free(p.memory);
}

static void hiding_leaves_no_detail_and_spares_the_rest(void) {
    for (int f = 0; f < FV_N_PIXELS; f++) {
        picture p = make((fv_pixels)f, 97, 65, 0);
        const fv_pixels_row *row = &fv_pixels_rows[f];
        for (int y = 0; y < 65; y++)
            for (int x = 0; x < 97; x++)
                memset(at(&p, 0, x, y), (x ^ y) & 1 ? 255 : 0, row->plane[0].pixel_bytes);
        fv_canvas_pixelate(&(fv_canvas){&p.frame}, (fv_box){33, 21, 32, 32}, 8, f % 2);
        int lo = 255, hi = 0;
        for (int y = 24; y < 50; y++)
            for (int x = 36; x < 62; x++) {
                lo = MIN(lo, *at(&p, 0, x, y));
                hi = MAX(hi, *at(&p, 0, x, y));
            }
        CHECK(hi - lo < 20);
        CHECK_EQUAL(*at(&p, 0, 33, 20), 255);
        CHECK_EQUAL(*at(&p, 0, 70, 30), 0);
        CHECK(guards_intact(&p, 0));
        free(p.memory);
    }
}

static void text_is_laid_out_once(void) {
    fv_text *t = fv_text_create("Sans");
    const fv_text_mask *a = fv_text_get(t, "ampel Ж 自", 20), *b = fv_text_get(t, "ampel Ж 自", 20);
    CHECK(a == b);
    CHECK(a->width > 40 && a->height >= 20);
    CHECK_EQUAL(fv_text_get(t, "x", 20)->height, fv_text_get(t, "g", 20)->height);
    CHECK(fv_text_get(t, "ampel Ж 自", 30)->width > a->width);
    fv_text_get(t, "\xff\xfe broken", 20); // not UTF-8: shown with marks, no crash
    for (int i = 0; i < 3000; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        CHECK(fv_text_get(t, text, 12)->width > 0);
    }
    fv_text_destroy(&t);
}

static fv_object thing(float x, float y, float w, float h, uint64_t id) {
    return (fv_object){.box = {x, y, w, h},
                       .score = 0.8f,
                       .id = id,
                       .state = id ? FV_STATE_CONFIRMED : FV_STATE_DETECTED};
}

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};

// Boxes of every kind of place, rules and trails, pictures from 1x1 up: nothing outside the pixels
// is written.
static void drawing_never_leaves_the_picture(void) {
    static const int sizes[][2] = {{1, 1}, {2, 3}, {33, 17}, {178, 100}, {640, 361}};
    float line[][2] = {{-0.5f, 0.5f}, {1.5f, 0.4f}},
          zone[][2] = {{0.2f, 0.2f}, {0.9f, 0.1f}, {0.8f, 1.2f}};
    fv_rule rules[] = {
        {.name = "gate", .kind = FV_RULE_LINE, .n_points = 2, .point = line, .relative = true},
        {.name = "yard", .kind = FV_RULE_ZONE, .n_points = 3, .point = zone, .relative = true},
        {.name = "all", .kind = FV_RULE_ZONE}};
    fv_draw_style style;
    fv_options_default(&style, fv_draw_options);
    style.trails = true, style.fill = 0.2f, style.blur = "person";
    for (size_t i = 0; i < G_N_ELEMENTS(sizes) * FV_N_PIXELS; i++) {
        picture p = make((fv_pixels)(i % FV_N_PIXELS), sizes[i / FV_N_PIXELS][0],
                         sizes[i / FV_N_PIXELS][1], 77);
        float w = (float)p.frame.width, h = (float)p.frame.height;
        fv_object v[] = {thing(-w, -h, 3 * w, 3 * h, 1), thing(w - 1, h - 1, 50, 50, 2),
                         thing(5, 5, 0, 0, 3), thing(1e9f, 1e9f, 1e9f, 1e9f, 4),
                         thing(0.3f * w, 0.3f * h, 0.4f * w, 0.4f * h, 0)};
        v[4].label = 1, v[4].n_keypoints = 5;
        fv_drawer *d = fv_drawer_create(&style, NULL);
        fv_drawer_set_rules(d, &(fv_rules){.n = 3, .v = rules});
        for (int k = 0; k < 3; k++) {
            v[0].box.x += 4;
            fv_drawer_draw(
                d, &p.frame,
                &(fv_record){.pts_ns = k * 40000000, .objects = {5, 5, v}, .labels = &labels}, NULL,
                0);
        }
        CHECK(guards_intact(&p, 77));
        fv_drawer_destroy(&d);
        free(p.memory);
    }
}

// How far the first plane is from `value` around a place, in all its bytes.
static int change(const picture *p, int x, int y, uint8_t value) {
    int most = 0;
    for (int j = y - 3; j <= y + 3; j++)
        for (int k = 0; k < fv_pixels_rows[p->frame.format].plane[0].pixel_bytes; k++)
            most = MAX(most, abs(at(p, 0, x, j)[k] - value));
    return most;
}

static fv_drawer *only_trails(int64_t trail_ns) {
    fv_draw_style style;
    fv_options_default(&style, fv_draw_options);
    style.boxes = style.labels = style.ids = style.scores = false;
    style.trails = true;
    style.trail_ns = trail_ns;
    return fv_drawer_create(&style, NULL);
}

static void clear(picture *p, uint8_t value) {
    memset(p->memory, value, p->size);
}

// A walk from x 40 to x 240 within two seconds, drawn with a trail of one: its first half is not
// there, the second grows stronger towards the walker. When he has gone it dies within a second.
static void a_trail_is_as_long_as_it_says_and_fades(void) {
    enum { GREY = 128, FRAMES = 50 };
    for (int f = 0; f < FV_N_PIXELS; f++) {
        picture p = make((fv_pixels)f, 320, 240, GREY);
        fv_drawer *d = only_trails(1000000000);
        fv_record r = {.labels = &labels};
        for (int i = 0; i <= FRAMES; i++) {
            fv_object o = thing(30 + 4 * (float)i, 80, 20, 60, 1);
            r.pts_ns = i * INT64_C(40000000);
            r.objects = (fv_objects){1, 1, &o};
            clear(&p, GREY);
            fv_drawer_draw(d, &p.frame, &r, NULL, 0);
        }
        CHECK_EQUAL(change(&p, 80, 140, GREY), 0);
        CHECK_EQUAL(change(&p, 120, 140, GREY), 0);
        CHECK(change(&p, 160, 140, GREY) > 3);
        CHECK(change(&p, 190, 140, GREY) > change(&p, 160, 140, GREY));
        CHECK(change(&p, 240, 140, GREY) > change(&p, 190, 140, GREY));
        CHECK(guards_intact(&p, GREY));
        r.objects.n = 0;
        r.pts_ns += 1000000000;
        clear(&p, GREY);
        fv_drawer_draw(d, &p.frame, &r, NULL, 0);
        CHECK_EQUAL(change(&p, 239, 140, GREY), 0);
        fv_drawer_destroy(&d);
        free(p.memory);
    }
}

static bool same_pixels(const picture *a, const picture *b) {
    return !memcmp(a->memory, b->memory, a->size);
}

// The totals that fvevents tells are what is written at lines and zones; a wrong number of them is
// not believed.
static void totals_are_written_at_the_rules(void) {
    float line[][2] = {{0.5f, 0.2f}, {0.5f, 0.8f}};
    const fv_rule rules[] = {
        {.name = "gate", .kind = FV_RULE_LINE, .n_points = 2, .point = line, .relative = true}};
    const fv_rule_count counts[3] = {{.crossed = {0, 0}}, {.crossed = {1, 0}}, {.crossed = {0, 1}}};
    picture shown[4];
    for (int i = 0; i < 4; i++) {
        shown[i] = make(FV_I420, 320, 240, 90);
        fv_drawer *d = only_trails(0);
        fv_drawer_set_rules(d, &(fv_rules){.n = 1, .v = rules});
        fv_drawer_set_counts(d, counts + (i < 3 ? i : 1), i < 3 ? 1 : 2);
        fv_drawer_draw(d, &shown[i].frame, &(fv_record){.labels = &labels}, NULL, 0);
        fv_drawer_destroy(&d);
    }
    CHECK(!same_pixels(&shown[0], &shown[1]) && !same_pixels(&shown[1], &shown[2]));
    CHECK(same_pixels(&shown[0], &shown[3]));
    for (int i = 0; i < 4; i++)
        free(shown[i].memory);
}

static GstBuffer *frame_with_object(const GstVideoInfo *info, const void *shared) {
    GstBuffer *b = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, (gpointer)shared,
                                               info->size, 0, info->size, NULL, NULL);
    fv_frame_meta *m = fv_meta_add(b, "s", 0, info->width, info->height);
    fv_object o = thing(100, 50, 80, 60, 0);
    fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
    return b;
}

// The decoder's picture is not touched; the copy that goes on has the box.
static void the_element_draws_into_a_copy_of_shared_memory(void) {
    GstHarness *h = gst_harness_new("fvoverlay");
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 320, 240);
    GstCaps *caps = gst_video_info_to_caps(&info);
    gst_harness_set_src_caps(h, caps);
    uint8_t *shared = g_malloc0(info.size), *drawn = g_malloc0(info.size);
    GstBuffer *b = gst_harness_push_and_pull(h, frame_with_object(&info, shared));
    gst_buffer_extract(b, 0, drawn, info.size);
    size_t touched = 0, changed = 0;
    for (size_t i = 0; i < info.size; i++) {
        touched += shared[i] != 0;
        changed += drawn[i] != 0;
    }
    CHECK_EQUAL(touched, 0);
    CHECK(changed > 200);
    CHECK(drawn[80 * 320 + 101] > 50);
    CHECK_EQUAL(drawn[80 * 320 + 140], 0);
    g_free(shared);
    g_free(drawn);
    gst_buffer_unref(b);
    gst_harness_teardown(h);
}

// How many bytes the element changes in a black picture of an object at x, after so many crossings.
static size_t drawn_for(GstHarness *h, int frame, float x, uint64_t crossed) {
    GstVideoInfo info;
    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_GRAY8, 320, 240);
    GstBuffer *b = gst_buffer_new_allocate(NULL, info.size, NULL);
    gst_buffer_memset(b, 0, 0, info.size);
    GST_BUFFER_PTS(b) = (GstClockTime)frame * 40 * GST_MSECOND;
    fv_frame_meta *m = fv_meta_add(b, "s", (uint64_t)frame, 320, 240);
    fv_object o = thing(x, 50, 40, 60, 7);
    fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
    fv_meta_set_counts(m, &(fv_rule_count){.crossed = {crossed, 0}}, 1);
    b = gst_harness_push_and_pull(h, b);
    GstMapInfo map;
    size_t changed = 0;
    gst_buffer_map(b, &map, GST_MAP_READ);
    for (size_t i = 0; i < map.size; i++)
        changed += map.data[i] != 0;
    gst_buffer_unmap(b, &map);
    gst_buffer_unref(b);
    return changed;
}

static void the_element_follows_style_flushes_and_totals(void) {
    GstHarness *h = gst_harness_new_parse("fvoverlay boxes=false labels=false ids=false scores=false trails=true");
    GstElement *e = gst_harness_find_element(h, "fvoverlay");
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    for (int i = 0; i < 4; i++)
        drawn_for(h, i, 40 + 20 * (float)i, 0);
    size_t trail = drawn_for(h, 4, 120, 0);
    GstSegment segment;
    gst_segment_init(&segment, GST_FORMAT_TIME);
    gst_harness_push_event(h, gst_event_new_flush_start());
    gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
    gst_harness_push_event(h, gst_event_new_segment(&segment));
    CHECK(trail > 100 && drawn_for(h, 5, 140, 0) < trail / 4); // no line across a seek
    g_object_set(e, "trails", FALSE, NULL);
    CHECK_EQUAL(drawn_for(h, 6, 160, 0), 0);
    g_object_set(e, "boxes", TRUE, NULL);
    CHECK(drawn_for(h, 7, 160, 0) > 200);
    g_object_set(e, "boxes", FALSE, NULL);
    gst_harness_push_event(
        h, gst_event_new_custom(GST_EVENT_CUSTOM_DOWNSTREAM_STICKY,
                                gst_structure_new("fovea-rules", "rules", G_TYPE_STRING,
                                                  "rules:\n  - {line: gate, points: [[0.5, 0.2], [0.5, 0.8]]}\n", NULL)));
    size_t none = drawn_for(h, 8, 160, 0);
    CHECK(none > 0 && drawn_for(h, 9, 160, 118) != none);
    gst_object_unref(e);
    gst_harness_teardown(h);
}

const fv_suite draw_suite = {"draw",
                             (const fv_case[]){CASE(a_colour_is_right_in_every_format),
                                               CASE(coverage_blends_and_chroma_gets_the_mean),
                                               CASE(shapes_cover_what_they_should),
                                               CASE(hiding_leaves_no_detail_and_spares_the_rest),
                                               CASE(text_is_laid_out_once),
                                               CASE(drawing_never_leaves_the_picture),
                                               CASE(a_trail_is_as_long_as_it_says_and_fades),
                                               CASE(totals_are_written_at_the_rules),
                                               CASE(the_element_draws_into_a_copy_of_shared_memory),
                                               CASE(the_element_follows_style_flushes_and_totals),
                                               {0}}};
