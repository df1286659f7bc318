// Objects that show a part of themselves, at the picture's edge or behind others, or nothing for a
// while.
#include "pipeline/vision/kalman.h"
#include "pipeline/vision/track.h"
#include "tests/test.h"

enum { MAX = 16, WIDTH = 640, HEIGHT = 360, PERSON = 0, CAR = 2 };

typedef struct {
    fv_tracker *tracker;
    fv_object in_v[MAX], out_v[MAX];
    fv_objects in, out;
    int frame;
} stage;

static void stage_init(stage *s, int method) {
    fv_track_params params;
    fv_err err = {0};
    fv_options_default(&params, fv_track_options);
    params.method = method;
    *s = (stage){.tracker = fv_tracker_create(&params, &err)};
    CHECK_OK(s->tracker, err);
    s->in = (fv_objects){0, MAX, s->in_v};
    s->out = (fv_objects){0, MAX, s->out_v};
    fv_tracker_set_picture(s->tracker, WIDTH, HEIGHT);
}

static void add(stage *s, fv_box box, int label) {
    s->in_v[s->in.n++] = (fv_object){.box = box, .score = 0.9f, .label = label, .detection = -1};
}

// What a detector sees of a box that reaches out of the picture; nothing of less than 12 pixels.
static void add_clipped(stage *s, fv_box box, int label) {
    fv_box seen = fv_box_clip(box, WIDTH, HEIGHT);
    if (seen.w >= 12 && seen.h >= 12)
        add(s, seen, label);
}

static void step(stage *s) {
    fv_tracker_update(s->tracker, &s->in, (int64_t)s->frame++ * 40000000, &s->out);
    s->in.n = 0;
}

// The track that lies over `box` by a half or more; NULL: none.
static const fv_object *track_at(const stage *s, fv_box box) {
    for (int i = 0; i < s->out.n; i++)
        if (fv_box_iou(s->out_v[i].box, box) >= 0.5f)
            return &s->out_v[i];
    return NULL;
}

static uint64_t id_at(const stage *s, fv_box box) {
    const fv_object *o = track_at(s, box);
    return o ? o->id : 0;
}

// A person has gone where a car now stands: the car is not the person under a new name.
static void a_neighbour_of_another_class_is_someone_else(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        const fv_box person = {100, 195, 40, 120}, car = {100, 205, 100, 90};
        for (int i = 0; i < 10; i++)
            add(&s, person, PERSON), step(&s);
        for (int i = 0; i < 10; i++)
            add(&s, car, CAR), step(&s);
        CHECK_EQUAL(s.out.n, 1);
        CHECK_EQUAL(s.out_v[0].id, 2);
        CHECK_EQUAL(s.out_v[0].label, CAR);
        fv_tracker_destroy(&s.tracker);
    }
}

// A car drives out to the left. Its box is cut shorter and shorter; its middle keeps its speed, and
// what is reported lies in the picture.
static void a_box_that_is_cut_by_the_edge_keeps_its_shape(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        for (int i = 0; i < 50; i++) {
            fv_box car = {200 - 6 * (float)i, 200, 140, 50};
            add_clipped(&s, car, CAR);
            step(&s);
            CHECK_EQUAL(s.out.n, 1);
            CHECK_EQUAL(s.out_v[0].id, i ? 1 : s.out_v[0].id);
            CHECK(s.out_v[0].box.x >= -0.01f || car.x > -2);
        }
        // Not seen any more: predicted on along its way, as wide as it is.
        fv_tracker_update(s.tracker, NULL, 50 * INT64_C(40000000), &s.out);
        CHECK_NEAR(s.out_v[0].box.w, 140, 8);
        CHECK_NEAR(s.out_v[0].box.x, 200 - 6 * 50, 8);
        fv_tracker_destroy(&s.tracker);
    }
}

// One car drives out where another comes in, at the same height.
static void two_that_meet_at_the_edge_keep_their_ids(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        uint64_t out_id = 0, in_id = 0;
        for (int i = 0; i < 70; i++) {
            fv_box leaving = {150 - 6 * (float)i, 205, 140, 50},
                   coming = {-340 + 7 * (float)i, 225, 170, 70};
            add_clipped(&s, leaving, CAR);
            add_clipped(&s, coming, CAR);
            step(&s);
            out_id = i == 10 ? id_at(&s, leaving) : out_id;
            if (leaving.x > -90)
                CHECK_EQUAL(id_at(&s, fv_box_clip(leaving, WIDTH, HEIGHT)), 1);
            in_id = i == 69 ? id_at(&s, coming) : in_id;
        }
        CHECK_EQUAL(out_id, 1);
        CHECK(in_id > 1);
        fv_tracker_destroy(&s.tracker);
    }
}

// A car passes behind somebody who stands; the detector sees its larger part, left or right.
static void what_stands_in_front_does_not_end_a_track(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        const fv_box person = {300, 180, 44, 120};
        fv_box car = {0};
        for (int i = 0; i < 90; i++) {
            car = (fv_box){60 + 4 * (float)i, 215, 150, 56};
            float left = fminf(car.x + car.w, person.x) - car.x,
                  right = car.x + car.w - fmaxf(car.x, person.x + person.w);
            if (car.x > person.x + person.w || car.x + car.w < person.x)
                add(&s, car, CAR);
            else if (left >= right)
                add(&s, (fv_box){car.x, car.y, left, car.h}, CAR);
            else
                add(&s, (fv_box){car.x + car.w - right, car.y, right, car.h}, CAR);
            add(&s, person, PERSON);
            step(&s);
            if (i == 10)
                CHECK_EQUAL(id_at(&s, car), 1);
        }
        CHECK_EQUAL(id_at(&s, car), 1);
        CHECK_EQUAL(id_at(&s, person), 2);
        fv_tracker_destroy(&s.tracker);
    }
}

// A stream that changes its size midway: the same objects, in other pixels.
static void a_new_size_of_the_picture_keeps_ids(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        for (int i = 0; i < 30; i++) {
            float by = i < 15 ? 1 : 2.5f;
            if (i == 15)
                fv_tracker_set_picture(s.tracker, (int)(WIDTH * 2.5), (int)(HEIGHT * 2.5));
            add(&s, (fv_box){by * (100 + 6 * (float)i), by * 100, by * 30, by * 80}, PERSON);
            step(&s);
        }
        CHECK_EQUAL(s.out.n, 1);
        CHECK_EQUAL(s.out_v[0].id, 1);
        CHECK_NEAR(s.out_v[0].box.w, 75, 1);
        fv_tracker_destroy(&s.tracker);
    }
}

// Frames are missing where two objects pass each other: with the times of the frames the filter
// knows how far they have gone; without, it takes one for the other or loses them.
static void missing_frames_are_bridged_by_their_times(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++)
        for (int timed = 0; timed < 2; timed++) {
            stage s;
            stage_init(&s, method);
            fv_box right = {0}, left = {0};
            for (int i = 0; i < 40; i++) {
                if (i >= 20 && i < 28)
                    continue;
                right = (fv_box){10 + 10 * (float)i, 100, 40, 80};
                left = (fv_box){490 - 10 * (float)i, 110, 40, 80};
                add(&s, right, PERSON);
                add(&s, left, PERSON);
                fv_tracker_update(s.tracker, &s.in, timed ? i * INT64_C(40000000) : FV_TIME_NONE,
                                  &s.out);
                s.in.n = 0;
            }
            CHECK_EQUAL(id_at(&s, right) == 1 && id_at(&s, left) == 2, timed);
            fv_tracker_destroy(&s.tracker);
        }
}

// Every third frame is computed, then the camera is away for so long. The first frame afterwards is
// one that is skipped. Afterwards somebody is in the same place.
static uint64_t id_after(int method, int64_t away_ns) {
    stage s;
    stage_init(&s, method);
    fv_box still = {300, 100, 40, 80};
    int64_t now = 0;
    for (int i = 0; i < 61; i++, now += 40000000) {
        if (i % 3 == 0)
            add(&s, still, PERSON);
        fv_tracker_update(s.tracker, i % 3 ? NULL : &s.in, now, &s.out);
        s.in.n = 0;
        CHECK_EQUAL(id_at(&s, still), 1);
    }
    now += away_ns;
    fv_tracker_update(s.tracker, NULL, now, &s.out);
    CHECK_EQUAL(s.out.n, away_ns < 1000000000);
    for (int i = 0; i < 2; i++) {
        add(&s, still, PERSON);
        fv_tracker_update(s.tracker, &s.in, now += 40000000, &s.out);
        s.in.n = 0;
    }
    uint64_t id = id_at(&s, still);
    fv_tracker_destroy(&s.tracker);
    return id;
}

static void a_camera_that_was_away_shows_nobody_of_before(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        CHECK_EQUAL(id_after(method, 800000000), 1);
        CHECK_EQUAL(id_after(method, 5000000000), 2);
        CHECK_EQUAL(id_after(method, 3600000000000), 2);
    }
}

// A picture every five seconds is no camera that was away, also where 25 a second came before.
static void slow_streams_are_followed(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        fv_box box = {0};
        int64_t now = 0;
        uint64_t first = 0;
        for (int i = 0; i < 90; i++, now += i < 30 || i >= 60 ? 5000000000 : 40000000) {
            box = (fv_box){100 + (float)i, 100, 40, 80};
            add(&s, box, PERSON);
            fv_tracker_update(s.tracker, &s.in, now, &s.out);
            s.in.n = 0;
            if (i == 66)
                first = id_at(&s, box);
            if (i < 60)
                CHECK_EQUAL(id_at(&s, box), 1);
        }
        CHECK(first > 1);
        CHECK_EQUAL(id_at(&s, box), first);
        fv_tracker_destroy(&s.tracker);
    }
}

// Two people pass each other. While one is hidden, all that the detector says of him is a weak part
// of the one in front: it must not take his track along.
static void a_part_of_who_stands_in_front_leads_nobody_away(void) {
    const float speeds[][2] = {{0, 4}, {1, 6}, {2, 5}, {3, 4}}; // of the one, of the other
    for (int k = 0; k < 4; k++) {
        stage s;
        stage_init(&s, FV_TRACK_BYTETRACK);
        fv_box back = {0}, front = {0};
        for (int i = -40; i <= 40; i++) {
            back = (fv_box){200 + speeds[k][0] * (float)i, 206, 40, 110};
            front = (fv_box){200 - speeds[k][1] * (float)i, 214, 44, 112};
            bool hidden = fabsf(back.x - front.x) <= 14;
            add(&s, hidden ? (fv_box){front.x, front.y + 4, 26, 100} : back, PERSON);
            s.in_v[0].score = hidden ? 0.3f : 0.9f;
            add(&s, front, PERSON);
            step(&s);
        }
        CHECK_EQUAL(id_at(&s, back), 1);
        CHECK_EQUAL(id_at(&s, front), 2);
        fv_tracker_destroy(&s.tracker);
    }
}

// Two people stand one behind the other, and one trembling detection is left of them: it stays one
// of them.
static void two_do_not_take_turns_with_one_detection(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        uint32_t seed = 5;
        uint64_t last = 0;
        int turns = 0;
        for (int i = 0; i < 120; i++) {
            float tremble[2];
            for (int k = 0; k < 2; k++) {
                seed = seed * 1664525u + 1013904223u;
                tremble[k] = 1.2f * ((float)(seed >> 8) / (1 << 24) - 0.5f);
            }
            if (i < 30) {
                add(&s, (fv_box){300, 100, 40, 110}, PERSON);
                add(&s, (fv_box){302 + fmaxf(0, 30 - 1.5f * (float)i), 101, 40, 110}, PERSON);
            } else
                add(&s, (fv_box){301 + tremble[0], 100.5f + tremble[1], 40, 110}, PERSON);
            step(&s);
            uint64_t id = s.out.n ? s.out_v[0].id : 0;
            turns += i > 31 && id != last;
            last = id;
        }
        CHECK_EQUAL(turns, 0);
        fv_tracker_destroy(&s.tracker);
    }
}

// OC-SORT's re-update: the filter of an object that comes back is the one that would have seen it
// go straight from where it was seen last, in equal steps.
static void who_comes_back_is_filtered_along_the_way(void) {
    enum { SEEN = 30, BACK = 33, END = 38 };
    fv_motion twin;
    double dt = 0.04, off = 0;
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        fv_box last = {0};
        for (int i = 0; i < END; i++) {
            bool hidden = i >= SEEN && i < BACK;
            fv_box now = {i < SEEN ? 100 + 3 * (float)i : 190, i < SEEN ? 100 : 112, 40, 80};
            if (i == BACK) // by hand
                for (int k = 1; k < BACK - SEEN + 1; k++) {
                    float a = (float)k / (BACK - SEEN + 1);
                    fv_motion_predict(&twin, dt);
                    fv_motion_update(&twin,
                                     (fv_box){last.x + a * (now.x - last.x),
                                              last.y + a * (now.y - last.y), 40, 80},
                                     1);
                }
            if (i == 0)
                fv_motion_init(&twin, now);
            else if (!hidden)
                fv_motion_predict(&twin, dt);
            if (i && !hidden && i <= BACK)
                fv_motion_update(&twin, now, 1);
            last = hidden || i >= BACK ? last : now;
            if (!hidden && i <= BACK)
                add(&s, now, PERSON);
            if (i > BACK) { // a skipped frame
                fv_tracker_update(s.tracker, NULL, (int64_t)s.frame++ * 40000000, &s.out);
                s.in.n = 0;
            } else
                step(&s);
        }
        CHECK_EQUAL(s.out.n, 1);
        CHECK_EQUAL(s.out_v[0].id, 1);
        double apart = fabs((double)s.out_v[0].box.x - (double)fv_motion_box(&twin).x);
        if (method == FV_TRACK_OCSORT)
            CHECK_NEAR(apart, 0, 1e-3);
        off = fmax(off, apart);
        fv_tracker_destroy(&s.tracker);
    }
    CHECK(off > 0.1); // the others are not
}

// OC-SORT's momentum: one detection lies a little nearer to who stands than to who comes walking,
// on the way of the second.
static void direction_tells_who_it_is(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        for (int i = 0; i <= 20; i++) {
            add(&s, (fv_box){300, 100, 40, 80}, PERSON);
            add(&s, (fv_box){276 - 6 * (float)(20 - i), 100, 40, 80}, PERSON);
            step(&s);
        }
        step(&s);
        add(&s, (fv_box){295, 100, 40, 80}, PERSON);
        step(&s);
        CHECK_EQUAL(s.out.n, 1);
        CHECK_EQUAL(s.out_v[0].id, method == FV_TRACK_OCSORT ? 2 : 1);
        fv_tracker_destroy(&s.tracker);
    }
}

// Lost for longer than `lost` by the very frame in which somebody stands there: this is somebody else.
static void who_was_lost_for_too_long_does_not_come_back(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        const fv_box person = {100, 100, 40, 80};
        for (int i = 0; i < 10; i++)
            add(&s, person, PERSON), step(&s);
        for (int i = 0; i < 25; i++) // to the end of `lost`, one second
            step(&s);
        for (int i = 0; i < 5; i++)
            add(&s, person, PERSON), step(&s);
        CHECK_EQUAL(id_at(&s, person), 2);
        fv_tracker_destroy(&s.tracker);
    }
}

// A detector that is as sure of a car as of a person has seen one object.
static void two_names_of_one_place_are_one_track(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s;
        stage_init(&s, method);
        const fv_box box = {100, 100, 60, 60};
        for (int i = 0; i < 5; i++) {
            add(&s, box, PERSON), add(&s, box, CAR), step(&s);
            CHECK_EQUAL(s.out.n, 1);
        }
        fv_tracker_destroy(&s.tracker);
    }
}

// Where there is no room for all, the surest are told; of who is not seen no keypoints are.
static void the_surest_are_told_and_what_is_seen_of_them(void) {
    stage s;
    stage_init(&s, FV_TRACK_SORT);
    s.out.capacity = 1;
    for (int i = 0; i < 5; i++) {
        add(&s, (fv_box){100, 100, 40, 80}, PERSON);
        add(&s, (fv_box){400, 100, 40, 80}, PERSON);
        s.in_v[0].score = 0.7f;
        s.in_v[1].n_keypoints = 5;
        step(&s);
        CHECK_EQUAL(s.out.n, 1);
        CHECK_NEAR(s.out_v[0].box.x, 400, 1);
        CHECK_EQUAL(s.out_v[0].n_keypoints, 5);
    }
    fv_tracker_update(s.tracker, NULL, 5 * INT64_C(40000000), &s.out);
    CHECK_EQUAL(s.out.n, 1);
    CHECK_EQUAL(s.out_v[0].n_keypoints, 0);
    fv_tracker_destroy(&s.tracker);
}

// The picture becomes twice as large while somebody is hidden: all is as it would have been, twice as large.
static void a_new_size_while_hidden(void) {
    for (int method = 0; method < FV_N_TRACK_METHODS; method++) {
        stage s[2];
        stage_init(&s[0], method);
        stage_init(&s[1], method);
        for (int i = 0; i < 24; i++) {
            if (i == 12)
                fv_tracker_set_picture(s[1].tracker, 2 * WIDTH, 2 * HEIGHT);
            for (int k = 0; k < 2; k++) {
                float scale = k && i >= 12 ? 2 : 1;
                if (i < 10 || i >= 14)
                    add(&s[k], (fv_box){scale * (100 + 6 * (float)i), scale * 100, scale * 40, scale * 80}, PERSON);
                step(&s[k]);
            }
            CHECK_EQUAL(s[0].out.n, s[1].out.n);
            for (int k = 0; i >= 14 && k < s[0].out.n && k < s[1].out.n; k++) {
                CHECK_EQUAL(s[1].out_v[k].id, s[0].out_v[k].id);
                CHECK_NEAR(s[1].out_v[k].box.x, 2 * s[0].out_v[k].box.x, 0.5);
                CHECK_NEAR(s[1].out_v[k].box.h, 2 * s[0].out_v[k].box.h, 0.5);
            }
        }
        fv_tracker_destroy(&s[0].tracker);
        fv_tracker_destroy(&s[1].tracker);
    }
}

const fv_suite track_hidden_suite = {
    "track-hidden", (const fv_case[]){CASE(a_neighbour_of_another_class_is_someone_else),
                                      CASE(a_box_that_is_cut_by_the_edge_keeps_its_shape),
                                      CASE(two_that_meet_at_the_edge_keep_their_ids),
                                      CASE(what_stands_in_front_does_not_end_a_track),
                                      CASE(a_new_size_of_the_picture_keeps_ids),
                                      CASE(missing_frames_are_bridged_by_their_times),
                                      CASE(a_camera_that_was_away_shows_nobody_of_before),
                                      CASE(slow_streams_are_followed),
                                      CASE(a_part_of_who_stands_in_front_leads_nobody_away),
                                      CASE(two_do_not_take_turns_with_one_detection),
                                      CASE(who_comes_back_is_filtered_along_the_way),
                                      CASE(direction_tells_who_it_is),
                                      CASE(who_was_lost_for_too_long_does_not_come_back),
                                      CASE(two_names_of_one_place_are_one_track),
                                      CASE(the_surest_are_told_and_what_is_seen_of_them),
                                      CASE(a_new_size_while_hidden),
                                      {0}}};
