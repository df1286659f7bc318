#include "pipeline/vision/track.h"

#include <stdlib.h>
#include <time.h>

#include "pipeline/vision/mot_score.h"
#include "tests/test.h"

enum { MAX = 2048 };

static fv_object in_v[MAX], out_v[MAX];
static fv_objects in = {0, MAX, in_v}, out = {0, MAX, out_v};

static fv_tracker *tracker_of(int method) {
    fv_track_params params;
    fv_err err = {0};
    fv_options_default(&params, fv_track_options);
    params.method = method;
    fv_tracker *t = fv_tracker_create(&params, &err);
    CHECK_OK(t, err);
    return t;
}

static void add(float x, float y, float w, float h, float score, int label) {
    in_v[in.n++] = (fv_object){
        .box = {x, y, w, h}, .score = score, .label = label, .detection = -1};
}

static void step(fv_tracker *t, int frame, double fps) {
    fv_tracker_update(t, &in, (int64_t)(frame * 1e9 / fps), &out);
    in.n = 0;
}

static void options_have_ranges(void) {
    fv_track_params params;
    fv_err err = {0};
    fv_options_default(&params, fv_track_options);
    params.match_iou = 1.5f;
    CHECK_FAILS(fv_tracker_create(&params, &err), err, "match-iou is 1.5");
    fv_options_default(&params, fv_track_options);
    params.method = FV_N_TRACK_METHODS;
    CHECK_FAILS(fv_tracker_create(&params, &err), err, "method");
}

// Two objects pass each other; every method keeps their ids.
static void ids_survive_a_crossing(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        for (int i = 0; i <= 50; i++) {
            add(10 + 8 * (float)i, 100, 40, 80, 0.9f, 0);
            add(410 - 8 * (float)i, 130, 40, 80, 0.9f, 0);
            step(t, i, 25);
        }
        CHECK_EQUAL(out.n, 2);
        CHECK(out_v[0].id == 1 && out_v[1].id == 2);
        CHECK_NEAR(out_v[0].box.x, 410, 3);
        CHECK_NEAR(out_v[1].box.x, 10, 3);
        CHECK(out_v[0].detection == 0 && out_v[1].detection == 1 && out_v[0].age == 50);
        fv_tracker_destroy(&t);
    }
}

static void tentative_has_no_id(void) {
    fv_tracker *t = tracker_of(FV_TRACK_SORT);
    step(t, 0, 25); // an empty frame: what comes later has a past
    add(0, 0, 40, 80, 0.9f, 0);
    step(t, 1, 25);
    CHECK(out.n == 1 && out_v[0].id == 0 && out_v[0].state == FV_STATE_TENTATIVE);
    CHECK_EQUAL(fv_tracker_detection_ids(t)[0], 0);
    add(300, 0, 40, 80, 0.9f, 0); // not there again: the first was nothing
    step(t, 2, 25);
    CHECK(out.n == 1 && out_v[0].id == 0);
    add(300, 0, 40, 80, 0.9f, 0);
    step(t, 3, 25);
    CHECK(out.n == 1 && out_v[0].id == 1 && out_v[0].state == FV_STATE_CONFIRMED);
    CHECK_EQUAL(fv_tracker_detection_ids(t)[0], 1);
    fv_tracker_destroy(&t);
}

static void ids_are_never_used_again(void) {
    fv_tracker *t = tracker_of(FV_TRACK_BYTETRACK);
    uint64_t last = 0;
    for (int i = 0; i < 40; i++) { // each lives two frames, far from the one before
        if (i == 20)
            fv_tracker_reset(t);
        add((float)(i / 2 % 5) * 300, 0, 40, 80, 0.9f, 0);
        step(t, i, 0.5);
        if (out.n && out_v[0].id && i % 2) {
            CHECK(out_v[0].id > last);
            last = out_v[0].id;
        }
    }
    CHECK(last >= 19);
    fv_tracker_destroy(&t);
}

static void skipped_frames_are_predicted(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        for (int i = 0; i < 60; i++) {
            bool skipped = i % 3;
            if (!skipped)
                add(10 + 4 * (float)i, 100, 40, 80, 0.9f, 2);
            fv_tracker_update(t, skipped ? NULL : &in, (int64_t)(i * 4e7), &out);
            in.n = 0;
            CHECK_EQUAL(out.n, 1);
            CHECK(out_v[0].id == 1 && out_v[0].predicted == skipped &&
                  out_v[0].state == FV_STATE_CONFIRMED);
            CHECK_EQUAL(out_v[0].detection, skipped ? -1 : 0);
            if (i > 20)
                CHECK_NEAR(out_v[0].box.x, 10 + 4 * i, 4);
        }
        fv_tracker_destroy(&t);
    }
}

// Unseen for half a second in the middle of a walk: the same id afterwards, whatever the frame
// rate; after `lost` a new one.
static void lost_and_found(void) {
    const double rates[] = {5, 25, 60};
    for (int method = 0; method < FV_N_TRACK_METHODS; method++)
        for (int r = 0; r < 3; r++) {
            fv_tracker *t = tracker_of(method);
            int n = (int)(4 * rates[r]);
            for (int i = 0; i <= n; i++) {
                double s = i / rates[r];
                if (s < 2 || s >= 2.5)
                    add((float)(60 * s), 100, 50, 100, 0.9f, 0);
                step(t, i, rates[r]);
                CHECK(s < 2 || s >= 2.5 || !out.n);
            }
            CHECK(out.n == 1 && out_v[0].id == 1);
            step(t, n + 1, rates[r]);
            for (int i = 2; i < 4; i++) {
                add(240, 100, 50, 100, 0.9f, 0);
                step(t, n + i + (int)(2 * rates[r]), rates[r]);
            }
            CHECK(out.n == 1 && out_v[0].id == 2);
            fv_tracker_destroy(&t);
        }
}

static void lost_ones_are_shown_on_request(void) {
    fv_track_params params;
    fv_options_default(&params, fv_track_options);
    params.show_lost_ns = 200000000;
    fv_tracker *t = fv_tracker_create(&params, NULL);
    for (int i = 0; i < 30; i++) {
        if (i < 20)
            add(4 * (float)i, 100, 40, 80, 0.9f, 0);
        step(t, i, 25);
        CHECK_EQUAL(out.n, i < 25);
        if (i >= 20 && out.n) {
            CHECK(out_v[0].state == FV_STATE_LOST && out_v[0].predicted && out_v[0].id == 1);
            CHECK_NEAR(out_v[0].box.x, 4 * i, 4);
        }
    }
    fv_tracker_destroy(&t);
}

// ByteTrack's point: a weak detection continues a track but does not begin one.
static void weak_detections(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        for (int i = 0; i < 20; i++) {
            add(100 + 2 * (float)i, 100, 40, 80, i < 10 ? 0.9f : 0.3f, 0);
            add(500, 100, 40, 80, 0.3f, 0);
            step(t, i, 25);
        }
        CHECK_EQUAL(out.n, method == FV_TRACK_BYTETRACK);
        fv_tracker_destroy(&t);
    }
}

// A detector whose best scores are 0.5 is tracked as well as one whose best are 0.9; set limits are
// taken as they are.
static void limits_follow_the_detector(void) {
    const float best[] = {0.95f, 0.5f}, set[] = {0, 0.6f};
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < 2; k++) {
            fv_track_params params;
            fv_options_default(&params, fv_track_options);
            params.high_score = set[k];
            fv_tracker *t = fv_tracker_create(&params, NULL);
            for (int frame = 0; frame < 20; frame++) {
                add(100 + 2 * (float)frame, 100, 40, 80, best[i], 0);
                for (int j = 0; j < 5; j++) // what it is not sure of
                    add(300 + 100 * (float)j, 100, 40, 80, best[i] * 0.3f, 0);
                step(t, frame, 25);
            }
            CHECK_EQUAL(out.n, i == 0 || k == 0);
            fv_tracker_destroy(&t);
        }
}

static void classes(void) {
    for (int aware = 0; aware < 2; aware++) {
        fv_track_params params;
        fv_options_default(&params, fv_track_options);
        params.class_aware = aware;
        fv_tracker *t = fv_tracker_create(&params, NULL);
        for (int i = 0; i < 30; i++) {
            add(100 + 2 * (float)i, 100, 80, 60, 0.9f,
                i % 5 == 4 ? 7 : 2); // a car that is called a truck now and then
            step(t, i, 25);
            if (!aware) {
                CHECK(out.n == 1 && out_v[0].id == 1);
                CHECK_EQUAL(out_v[0].label, 2);
            } else
                CHECK(out.n == 1 && out_v[0].label == (i % 5 == 4 ? 7 : 2));
        }
        fv_tracker_destroy(&t);
    }
}

// "car" and "truck" of the same place are one object; a rider and a motorcycle are two.
static void two_names_are_one_object(void) {
    for (int aware = 0; aware < 2; aware++) {
        fv_track_params params;
        fv_options_default(&params, fv_track_options);
        params.class_aware = aware;
        fv_tracker *t = fv_tracker_create(&params, NULL);
        for (int i = 0; i < 20; i++) {
            add(100 + 2 * (float)i, 100, 80, 60, 0.75f, 7);
            add(101 + 2 * (float)i, 100, 80, 60, 0.9f, 2);
            add(300, 100, 40, 60, 0.9f, 0);
            add(300, 120, 40, 60, 0.8f, 3);
            step(t, i, 25);
            CHECK_EQUAL(out.n, aware ? 4 : 3);
            CHECK(aware || out_v[0].label == 2);
        }
        fv_tracker_destroy(&t);
    }
}

// Recovery: an object that stops behind a pillar and comes out where it went in; prediction has run
// away from it.
static void ocsort_recovers_from_the_last_box(void) {
    uint64_t id[FV_N_TRACK_METHODS];
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        for (int i = 0; i < 60; i++) {
            if (i < 30)
                add(6 * (float)i, 100, 30, 60, 0.9f, 0);
            else if (i >= 45)
                add(180, 100, 30, 60, 0.9f, 0);
            step(t, i, 25);
        }
        CHECK_EQUAL(out.n, 1);
        id[method] = out_v[0].id;
        fv_tracker_destroy(&t);
    }
    CHECK_EQUAL(id[FV_TRACK_OCSORT], 1);
    CHECK_EQUAL(id[FV_TRACK_SORT], 2);
}

// The camera begins to pan while one of seven standing people is hidden: where they come out again
// they have moved 120 pixels in the picture. The rest says so.
static void a_moving_camera_takes_hidden_objects_along(void) {
    uint64_t id[2];
    for (int follow = 0; follow < 2; follow++) {
        fv_track_params params;
        fv_options_default(&params, fv_track_options);
        params.camera_motion = follow;
        fv_tracker *t = fv_tracker_create(&params, NULL);
        for (int i = 0; i < 45; i++) {
            float pan = i < 25 ? 0 : 8 * (float)(i - 25);
            for (int k = 0; k < 7; k++)
                if (k != 3 || i < 22 || i > 40)
                    add(100 + 90 * (float)k + pan, 100, 40, 80, 0.9f, 0);
            step(t, i, 25);
        }
        CHECK_EQUAL(out.n, 7);
        id[follow] = 0;
        for (int k = 0; k < out.n; k++)
            id[follow] += out_v[k].id == 4;
        fv_tracker_destroy(&t);
    }
    CHECK(id[0] == 0 && id[1] == 1);
}

static void strange_input(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        for (int i = 0; i < 20; i++) {
            add(0, 0, 0, 0, 0.9f, 0);
            add(10, 10, -5, 20, 0.9f, 0);
            add(10, 10, 1e6f, 1e6f, 0.9f, 0);
            add(50, 50, 20, 20, 0.9f, 0);
            add(50, 50, 20, 20, 0.9f, 0); // the same box twice
            fv_tracker_update(t, &in, i % 4 ? FV_TIME_NONE : 5, &out);
            in.n = 0;
            for (int j = 0; j < out.n; j++)
                CHECK(isfinite(out_v[j].box.x) && isfinite(out_v[j].box.w));
        }
        fv_objects few = {0, 2, out_v};
        fv_tracker_update(t, NULL, 100, &few);
        CHECK(few.n <= 2);
        fv_tracker_destroy(&t);
        fv_tracker_destroy(&t);
    }
}

// ---- crowds -------------------------------------------------------------------------------------

static uint32_t seed;

static float noise(float range) {
    seed = seed * 1664525u + 1013904223u;
    return ((float)(seed >> 8) / (1 << 24) - 0.5f) * range;
}

static void crowd(int n, int frame) {
    seed = 99 + (uint32_t)frame;
    for (int i = 0; i < n; i++) {
        float x = 70 * (float)(i % 40) + 30 * sinf((float)(frame + 17 * i) * 0.05f),
              y = 90 * (float)(i / 40) + noise(3);
        if ((i + frame) % 13)
            add(x + noise(3), y, 40 + noise(2), 80 + noise(2), (i + frame) % 7 ? 0.9f : 0.4f, 0);
    }
}

static uint64_t hash_of_run(int method, int frames) {
    fv_tracker *t = tracker_of(method);
    uint64_t hash = 14695981039346656037u;
    for (int frame = 0; frame < frames; frame++) {
        crowd(100, frame);
        step(t, frame, 25);
        for (int i = 0; i < out.n; i++) {
            uint32_t bits[3];
            memcpy(bits, &out_v[i].box, sizeof bits);
            for (int k = 0; k < 3; k++)
                hash = (hash ^ bits[k] ^ out_v[i].id) * 1099511628211u;
        }
    }
    fv_tracker_destroy(&t);
    return hash;
}

static void same_input_same_output(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++)
        CHECK(hash_of_run(method, 60) == hash_of_run(method, 60));
}

// The test's own malloc and realloc count; the sanitizers bring theirs.
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
static long allocations;
void *__libc_malloc(size_t size);
void *__libc_realloc(void *block, size_t size);
void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}
void *realloc(void *block, size_t size) {
    allocations++;
    return __libc_realloc(block, size);
}

static void nothing_is_allocated_in_the_steady_state(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        long before = 0;
        for (int frame = 0; frame < 400; frame++) {
            crowd(100, frame);
            before = frame < 200 ? allocations : before;
            step(t, frame, 25);
        }
        CHECK(before > 0);
        CHECK_EQUAL(allocations - before, 0);
        fv_tracker_destroy(&t);
    }
}
#else
static void nothing_is_allocated_in_the_steady_state(void) {
    fv_test_skip("allocations are counted with glibc and without sanitizers");
}
#endif

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

// 100 objects at 2,000 frames a second; a loaded or instrumented machine gets a factor of four
// here, `fovea bench` has the figures.
static void a_hundred_objects_are_fast(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_tracker *t = tracker_of(method);
        double spent = 0;
        for (int frame = 0; frame < 300; frame++) {
            crowd(100, frame);
            double start = seconds();
            step(t, frame, 25);
            spent += seconds() - start;
        }
        CHECK(300 / spent > 500);
        CHECK(out.n > 60);
        fv_tracker_destroy(&t);
    }
}

// ---- published ----------------------------------------------------------------------------------

static bool score_tracker(const char *sequence, const char *detections, double fps, int first,
                          int method, fv_mot_sums *total) {
    char path[2][128];
    snprintf(path[0], sizeof path[0], "mot/%s/det/%s", sequence, detections);
    snprintf(path[1], sizeof path[1], "mot/%s/gt/gt.txt", sequence);
    const char *det_path = fv_test_shared(path[0]), *gt_path = fv_test_shared(path[1]);
    if (!det_path || !gt_path)
        return false;
    fv_mot_rows det, truth, result = {0};
    fv_err err = {0};
    CHECK_OK(fv_mot_read(det_path, &det, &err) && fv_mot_read(gt_path, &truth, &err), err);
    fv_mot_cut(&truth, first, 1 << 30);
    fv_mot_cut(&det, first, 1 << 30);
    fv_tracker *t = tracker_of(method);
    result.v = calloc((size_t)det.n + 1, sizeof result.v[0]);
    for (int frame = first, from, to = 0; frame <= det.v[det.n - 1].frame; frame++) {
        fv_mot_frame(&det, frame, &from, &to);
        for (int i = from; i < to; i++)
            add((float)det.v[i].x, (float)det.v[i].y, (float)det.v[i].w, (float)det.v[i].h,
                (float)det.v[i].score, 0);
        step(t, frame, fps);
        for (int i = 0; i < out.n; i++)
            if (out_v[i].id)
                result.v[result.n++] = (fv_mot_row){frame,
                                                    (int64_t)out_v[i].id,
                                                    (double)out_v[i].box.x,
                                                    (double)out_v[i].box.y,
                                                    (double)out_v[i].box.w,
                                                    (double)out_v[i].box.h,
                                                    1,
                                                    FV_MOT_NO_CLASS};
    }
    fv_mot_sums sums;
    fv_mot_prepare(&truth, &result);
    CHECK_OK(fv_mot_score(&truth, &result, &sums, &err), err);
    fv_mot_add(total, &sums);
    fv_tracker_destroy(&t);
    fv_mot_finish(&det);
    fv_mot_finish(&truth);
    fv_mot_finish(&result);
    return true;
}

static void sort_is_as_good_as_published(void) {
    fv_mot_sums s = {0};
    if (score_tracker("TUD-Campus", "det.txt", 25, 1, FV_TRACK_SORT, &s))
        CHECK(fv_mot_rate(&s).mota >= 0.627);
}

// Second halves of four of MOT17's seven sequences; the floors are a little below what is reached.
static void trackers_on_mot17(void) {
    const struct {
        const char *name;
        double fps;
        int first;
    } sequences[] = {
        {"MOT17-04", 30, 527}, {"MOT17-05", 14, 420}, {"MOT17-09", 30, 264}, {"MOT17-11", 30, 452}};
    const double mota[] = {0.842, 0.853, 0.845}, idf1[] = {0.875, 0.874, 0.876},
                 hota[] = {0.75, 0.755, 0.754};
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        fv_mot_sums total = {0};
        for (int i = 0; i < 4; i++)
            if (!score_tracker(sequences[i].name, "yolox_x_ablation.txt", sequences[i].fps,
                               sequences[i].first, method, &total))
                return;
        fv_mot_rates r = fv_mot_rate(&total);
        printf("     %s: MOTA %.4f, IDF1 %.4f, HOTA %.4f, IDSW %lld\n", fv_track_method_names[method],
               r.mota, r.idf1, r.hota, (long long)total.idsw);
        CHECK(r.mota > mota[method] && r.idf1 > idf1[method] && r.hota > hota[method]);
    }
}

const fv_suite track_suite = {"track",
                              (const fv_case[]){CASE(options_have_ranges),
                                                CASE(ids_survive_a_crossing),
                                                CASE(tentative_has_no_id),
                                                CASE(ids_are_never_used_again),
                                                CASE(skipped_frames_are_predicted),
                                                CASE(lost_and_found),
                                                CASE(lost_ones_are_shown_on_request),
                                                CASE(weak_detections),
                                                CASE(limits_follow_the_detector),
                                                CASE(classes),
                                                CASE(two_names_are_one_object),
                                                CASE(ocsort_recovers_from_the_last_box),
                                                CASE(a_moving_camera_takes_hidden_objects_along),
                                                CASE(strange_input),
                                                CASE(same_input_same_output),
                                                CASE(nothing_is_allocated_in_the_steady_state),
                                                CASE(a_hundred_objects_are_fast),
                                                CASE(sort_is_as_good_as_published),
                                                CASE(trackers_on_mot17),
                                                {0}}};
