// plugins/track/fvtrack.c through the plugin as installed.
#include <gst/check/gstharness.h>

#include "plugins/common/meta.h"
#include "tests/test.h"

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};
enum { WIDTH = 320, HEIGHT = 240 };

static GstHarness *harness(const char *launch) {
    GstHarness *h = gst_harness_new_parse(launch);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=GRAY8,width=320,height=240,framerate=25/1");
    return h;
}

static GstBuffer *picture(int frame) {
    GstBuffer *b = gst_buffer_new_allocate(NULL, WIDTH * HEIGHT, NULL);
    GST_BUFFER_PTS(b) = (GstClockTime)frame * 40 * GST_MSECOND;
    return b;
}

// As fvdetect leaves a frame: a walker going right, or a frame that was skipped.
static GstBuffer *detected(int frame, bool skipped) {
    GstBuffer *b = picture(frame);
    fv_frame_meta *m = fv_meta_add(b, "gate", (uint64_t)frame, WIDTH, HEIGHT);
    fv_meta_labels *l = fv_meta_labels_create(&labels);
    fv_meta_set_labels(m, l);
    fv_meta_labels_unref(l);
    fv_object o = {
        .box = {20 + 4 * (float)frame, 100, 30, 60}, .score = 0.9f, .label = 1, .detection = -1};
    if (!skipped) {
        m->inference = FV_INFERRED;
        fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
    }
    return b;
}

static int objects_of(GstBuffer *b, fv_object *v) {
    fv_objects o = {.capacity = 8, .v = v};
    fv_meta_get_objects(b, fv_meta_get(b), &o);
    return o.n;
}

static void detections_get_an_id_in_both_metas(void) {
    GstHarness *h = harness("fvtrack");
    for (int i = 0; i < 5; i++) {
        GstBuffer *b = gst_harness_push_and_pull(h, detected(i, false));
        fv_object v[8];
        int id = 0;
        CHECK_EQUAL(objects_of(b, v), 1);
        CHECK(v[0].id == 1 && v[0].label == 1 && v[0].state == FV_STATE_CONFIRMED && v[0].age == i);
        GstVideoRegionOfInterestMeta *roi = gst_buffer_get_video_region_of_interest_meta(b);
        CHECK(gst_structure_get_int(gst_video_region_of_interest_meta_get_param(roi, "object_id"),
                                    "id", &id) &&
              id == 1);
        CHECK_TEXT(g_quark_to_string(roi->roi_type), "person");
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void skipped_frames_are_predicted_and_marked(void) {
    GstHarness *h = harness("fvtrack method=sort");
    for (int i = 0; i < 30; i++) {
        GstBuffer *b = gst_harness_push_and_pull(h, detected(i, i % 3));
        fv_object v[8];
        CHECK_EQUAL(objects_of(b, v), 1);
        CHECK_EQUAL(fv_meta_get(b)->inference, i % 3 ? FV_PREDICTED : FV_INFERRED);
        CHECK(v[0].id == 1 && v[0].predicted == (i % 3 > 0));
        if (i > 12)
            CHECK_NEAR(v[0].box.x, 20 + 4 * i, 3);
        gst_buffer_unref(b);
    }
    GstStructure *stats = NULL;
    guint64 predicted = 0;
    GstElement *e = gst_harness_find_element(h, "fvtrack");
    g_object_get(e, "stats", &stats, NULL);
    CHECK(gst_structure_get_uint64(stats, "predicted", &predicted));
    CHECK_EQUAL(predicted, 20);
    gst_structure_free(stats);
    gst_object_unref(e);
    gst_harness_teardown(h);
}

// Regions by any other detector are tracked as well; its empty frames are empty, not skipped.
static void other_detectors_are_tracked(void) {
    GstHarness *h = harness("fvtrack confirm-hits=1");
    for (int i = 0; i < 12; i++) {
        GstBuffer *b = picture(i);
        if (i < 6) {
            GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(
                b, "dog", 50 + 2 * (guint)i, 60, 40, 40);
            gst_video_region_of_interest_meta_add_param(
                roi, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.8, NULL));
        }
        b = gst_harness_push_and_pull(h, b);
        fv_object v[8];
        CHECK_EQUAL(objects_of(b, v), i < 6);
        CHECK(i >= 6 || v[0].id == 1);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

// Frames that the detector skipped: predicted only where there is something to predict, and what a second detector
// found in them counts.
static void skipped_frames_may_be_empty_or_found_by_others(void) {
    GstHarness *h = harness("fvtrack confirm-hits=1");
    for (int i = 0; i < 4; i++) {
        GstBuffer *b = detected(i, true);
        if (!i)
            fv_meta_get(b)->inference = FV_INFERRED; // and nothing found
        GstVideoRegionOfInterestMeta *roi =
            i < 2 ? NULL : gst_buffer_add_video_region_of_interest_meta(b, "dog", 50, 60, 40, 40);
        if (roi)
            gst_video_region_of_interest_meta_add_param(
                roi, gst_structure_new("detection", "confidence", G_TYPE_DOUBLE, 0.9, NULL));
        b = gst_harness_push_and_pull(h, b);
        fv_object v[8];
        CHECK_EQUAL(objects_of(b, v), i >= 2);
        if (i == 1)
            CHECK_EQUAL(fv_meta_get(b)->inference, FV_SKIPPED);
        CHECK(i < 2 || !v[0].predicted);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

// Driving out to the left, cut by the picture's edge: behind it the box is as wide as it was.
static void the_size_of_the_picture_is_told(void) {
    GstHarness *h = harness("fvtrack confirm-hits=1");
    fv_object v[8];
    for (int i = 0; i < 25; i++) {
        fv_box car = {100 - 6 * (float)i, 100, 80, 40};
        GstBuffer *b = detected(i, true);
        fv_frame_meta *m = fv_meta_get(b);
        if (i < 24) {
            m->inference = FV_INFERRED;
            fv_object o = {.box = fv_box_clip(car, WIDTH, HEIGHT), .score = 0.9f, .detection = -1};
            fv_meta_set_objects(b, m, &(fv_objects){1, 1, &o});
        }
        b = gst_harness_push_and_pull(h, b);
        CHECK_EQUAL(objects_of(b, v), 1);
        gst_buffer_unref(b);
    }
    CHECK_NEAR(v[0].box.x, 100 - 6 * 24, 6);
    CHECK_NEAR(v[0].box.w, 80, 6);
    gst_harness_teardown(h);
}

static void a_flush_forgets_tracks_but_not_ids(void) {
    GstHarness *h = harness("fvtrack");
    for (int i = 0; i < 6; i++) {
        if (i == 3) {
            gst_harness_push_event(h, gst_event_new_flush_start());
            gst_harness_push_event(h, gst_event_new_flush_stop(TRUE));
            GstSegment segment;
            gst_segment_init(&segment, GST_FORMAT_TIME);
            gst_harness_push_event(h, gst_event_new_segment(&segment));
        }
        GstBuffer *b = gst_harness_push_and_pull(h, detected(i, false));
        fv_object v[8];
        CHECK_EQUAL(objects_of(b, v), 1);
        CHECK_EQUAL(v[0].id, i < 3 ? 1 : 2);
        gst_buffer_unref(b);
    }
    gst_harness_teardown(h);
}

static void options_are_properties(void) {
    GstElement *e = gst_element_factory_make("fvtrack", NULL);
    gfloat high = 0;
    guint64 lost = 0;
    gst_util_set_object_arg(G_OBJECT(e), "method", "ocsort");
    g_object_set(e, "high-score", 0.35, NULL);
    g_object_get(e, "high-score", &high, "lost", &lost, NULL);
    CHECK_NEAR(high, 0.35, 1e-6);
    CHECK_EQUAL(lost, GST_SECOND);
    gst_object_unref(e);
}

const fv_suite fvtrack_suite = {"fvtrack",
                                (const fv_case[]){CASE(detections_get_an_id_in_both_metas),
                                                  CASE(skipped_frames_are_predicted_and_marked),
                                                  CASE(other_detectors_are_tracked),
                                                  CASE(skipped_frames_may_be_empty_or_found_by_others),
                                                  CASE(the_size_of_the_picture_is_told),
                                                CASE(a_flush_forgets_tracks_but_not_ids),
                                                  CASE(options_are_properties),
                                                  {0}}};
