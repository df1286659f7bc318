#include "plugins/common/meta.h"

#include <gst/check/gstharness.h>

#include "tests/test.h"

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};

static GstBuffer *buffer_with(const fv_object *objects, int n) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, 640 * 480 * 3 / 2, NULL);
    gst_buffer_memset(b, 0, 128, SIZE_MAX);
    fv_frame_meta *m = fv_meta_add(b, "gate", 41, 640, 480);
    fv_meta_labels *l = fv_meta_labels_create(&labels);
    fv_meta_set_labels(m, l);
    fv_meta_labels_unref(l);
    fv_object copy[4];
    memcpy(copy, objects, sizeof *objects * (size_t)n);
    fv_meta_set_objects(b, m, &(fv_objects){n, n, copy});
    return b;
}

static const fv_object walker = {.box = {10.25f, 20.5f, 100.5f, 50.75f},
                                 .score = 0.625f,
                                 .label = 1,
                                 .id = 7,
                                 .state = FV_STATE_CONFIRMED,
                                 .age = 12,
                                 .detection = 3};
static const fv_object car = {.box = {-5, 400, 60, 200}, .score = 0.5f, .label = 0, .detection = 1};

static int read_back(GstBuffer *b, fv_object *v) {
    fv_objects o = {.capacity = 8, .v = v};
    fv_meta_get_objects(b, fv_meta_get(b), &o);
    return o.n;
}

static void objects_come_back_whole(void) {
    GstBuffer *b = buffer_with((fv_object[]){walker, car}, 2);
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 2);
    CHECK_NEAR(v[0].box.x, 10.25, 0);
    CHECK_NEAR(v[0].box.h, 50.75, 0);
    CHECK_EQUAL(v[0].age, 12);
    CHECK_EQUAL(v[0].id, 7);
    CHECK_NEAR(v[1].box.x, -5, 0);
    gst_buffer_unref(b);
}

static void regions_have_dl_streamers_form(void) {
    GstBuffer *b = buffer_with(&walker, 1);
    GstVideoRegionOfInterestMeta *roi = gst_buffer_get_video_region_of_interest_meta(b);
    CHECK_TEXT(g_quark_to_string(roi->roi_type), "person");
    CHECK_EQUAL(roi->x, 10);
    double score = 0, x_max = 0;
    int id = 0, label = 0;
    GstStructure *d = gst_video_region_of_interest_meta_get_param(roi, "detection");
    CHECK(gst_structure_get(d, "confidence", G_TYPE_DOUBLE, &score, "x_max", G_TYPE_DOUBLE, &x_max,
                            "label_id", G_TYPE_INT, &label, NULL));
    CHECK(gst_structure_get_int(gst_video_region_of_interest_meta_get_param(roi, "object_id"), "id",
                                &id));
    CHECK_NEAR(score, 0.625, 0);
    CHECK_NEAR(x_max, 110.75 / 640, 1e-9);
    CHECK_EQUAL(label, 1);
    CHECK_EQUAL(id, 7);
    gst_buffer_unref(b);
}

static void a_new_set_replaces_the_old_but_not_strangers(void) {
    GstBuffer *b = buffer_with((fv_object[]){walker, car}, 2);
    gst_buffer_add_video_region_of_interest_meta(b, "encoder-hint", 1, 2, 3, 4);
    fv_object only = car;
    fv_meta_set_objects(b, fv_meta_get(b), &(fv_objects){1, 1, &only});
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 1);
    CHECK_EQUAL(gst_buffer_get_n_meta(b, GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE), 2);
    gst_buffer_unref(b);
}

static void a_removed_or_moved_region_counts(void) {
    GstBuffer *b = buffer_with((fv_object[]){walker, car}, 2);
    GstVideoRegionOfInterestMeta *roi = gst_buffer_get_video_region_of_interest_meta(b);
    gst_buffer_remove_meta(b, (GstMeta *)roi);
    gst_buffer_get_video_region_of_interest_meta(b)->x = 300;
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 1);
    CHECK_EQUAL(v[0].label, 0);
    CHECK_NEAR(v[0].box.x, 300, 0);
    gst_buffer_unref(b);
}

static void another_detectors_regions_are_read(void) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, 16, NULL);
    GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(b, "dog", 1, 2,
                                                                                     30, 40);
    gst_video_region_of_interest_meta_add_param(roi, gst_structure_new("detection", "label_id",
                                                                       G_TYPE_INT, 16, "confidence",
                                                                       G_TYPE_DOUBLE, 0.75, NULL));
    fv_frame_meta *m = fv_meta_add(b, "s", 0, 640, 480);
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 1);
    CHECK_EQUAL(v[0].label, 16);
    CHECK_TEXT(fv_label_get(&m->labels->labels, 16), "dog");
    CHECK_NEAR(v[0].score, 0.75, 0);
    gst_buffer_unref(b);
}

static GstBuffer *through(const char *element, const char *out_caps, GstBuffer *b) {
    GstHarness *h = gst_harness_new(element);
    gst_harness_set_caps_str(h, "video/x-raw,format=I420,width=640,height=480,framerate=30/1",
                             out_caps);
    b = gst_harness_push_and_pull(h, b);
    gst_harness_teardown(h);
    return b;
}

static void survives_videoconvert(void) {
    GstBuffer *b = through("videoconvert",
                           "video/x-raw,format=RGB,width=640,height=480,framerate=30/1",
                           buffer_with((fv_object[]){walker, car}, 2));
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 2);
    CHECK_EQUAL(fv_meta_get(b)->frame, 41);
    CHECK_TEXT(fv_meta_get(b)->stream, "gate");
    CHECK_NEAR(v[0].box.w, 100.5, 0);
    gst_buffer_unref(b);
}

static void is_scaled_by_videoscale(void) {
    GstBuffer *b = buffer_with((fv_object[]){walker, car}, 2);
    fv_meta_add_event(
        fv_meta_get(b),
        &(fv_event){.event = "cross", .rule = "door", .before = {100, 100}, .after = {NAN, 50}});
    b = through("videoscale", "video/x-raw,format=I420,width=320,height=120,framerate=30/1", b);
    fv_object v[8];
    CHECK_EQUAL(read_back(b, v), 2);
    CHECK_NEAR(v[0].box.x, 5.125, 1e-5);
    CHECK_NEAR(v[0].box.y, 5.125, 1e-5);
    CHECK_NEAR(v[0].box.h, 12.6875, 1e-5);
    CHECK_EQUAL(v[0].id, 7);
    const fv_frame_meta *m = fv_meta_get(b);
    CHECK_EQUAL(m->width, 320);
    CHECK_EQUAL(m->n_events, 1);
    CHECK_NEAR(m->events[0].before[1], 25, 0);
    CHECK(isnan(m->events[0].after[0]));
    CHECK_TEXT(m->events[0].rule, "door");
    gst_buffer_unref(b);
}

const fv_suite meta_suite = {"meta",
                             (const fv_case[]){CASE(objects_come_back_whole),
                                               CASE(regions_have_dl_streamers_form),
                                               CASE(a_new_set_replaces_the_old_but_not_strangers),
                                               CASE(a_removed_or_moved_region_counts),
                                               CASE(another_detectors_regions_are_read),
                                               CASE(survives_videoconvert),
                                               CASE(is_scaled_by_videoscale),
                                               {0}}};
