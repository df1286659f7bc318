#include "tests/vision/rules_stage.h"

static const fv_rules doors = {1, &door, NULL, 0};

static void check_door(const char *what, uint64_t in, uint64_t out, fv_watch *w) {
    n_seen += fv_watch_finish(w, seen + n_seen, 64);
    const fv_rule_count *c = fv_watch_counts(w);
    if (c->crossed[0] != in || c->crossed[1] != out)
        fprintf(stderr, "%s: %d in, %d out\n", what, (int)c->crossed[0], (int)c->crossed[1]);
    CHECK(c->crossed[0] == in && c->crossed[1] == out);
    CHECK_EQUAL(count_of("cross", -1), in + out);
    fv_watch_destroy(&w);
}

static void line_is_crossed_in_both_directions(void) {
    fv_watch *w = watch_of(&doors);
    walk(w, 500, 400, 500, 600, 20);
    const fv_event *e = first_of("cross", FV_PHASE_MOMENT);
    CHECK_TEXT(e->direction, "in");
    CHECK_TEXT(e->rule, "door");
    CHECK(e->has_object && e->object.id == 1 && e->count == 1 && e->id == 1);
    CHECK(e->before[1] < 500 && e->after[1] > 500);
    walk(w, 500, 600, 500, 400, 20);
    CHECK_TEXT(seen[1].direction, "out");
    check_door("there and back", 1, 1, w);
}

static void grazing_and_touching_are_nothing(void) {
    fv_watch *w = watch_of(&doors);
    walk(w, 300, 400, 500, 500, 20); // exactly onto the line
    walk(w, 500, 500, 700, 400, 20); // and back to its side
    check_door("touch", 0, 0, w);
    w = watch_of(&doors);
    walk(w, 100, 500, 900, 500, 40); // along the line, over both its ends
    check_door("graze", 0, 0, w);
    w = watch_of(&doors);
    walk(w, 300, 400, 500, 503, 20); // over it, but not clear
    walk(w, 500, 503, 700, 400, 20);
    check_door("peep", 0, 0, w);
    w = watch_of(&doors);
    walk(w, 900, 400, 900, 600, 20); // beside it
    walk(w, 900, 600, 500, 600, 20);
    check_door("around the end", 0, 0, w);
}

static void jitter_counts_once(void) {
    for (int repeat = 0; repeat < 2; repeat++) {
        fv_rule r = door;
        r.repeat = repeat;
        fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
        walk(w, 500, 400, 500, 495, 10);
        for (int i = 0; i < 100; i++)
            step(w, 500, i % 2 ? 504 : 496);
        walk(w, 500, 504, 500, 600, 10);
        check_door("jitter within the hysteresis", 1, 0, w);
        w = watch_of(&(fv_rules){1, &r, NULL, 0});
        walk(w, 500, 400, 500, 480, 10);
        for (int i = 0; i < 100; i++)
            step(w, 500, i % 2 ? 520 : 480);
        walk(w, 500, 504, 500, 600, 10);
        check_door("jitter beyond it", 1, 0, w);
        r.settle_ns = 0;
        w = watch_of(&(fv_rules){1, &r, NULL, 0});
        walk(w, 500, 400, 500, 480, 10);
        for (int i = 0; i < 100; i++)
            step(w, 500, i % 2 ? 520 : 480);
        walk(w, 500, 504, 500, 600, 10);
        check_door("jitter beyond it, each counts", repeat ? 50 : 1, repeat ? 49 : 1, w);
    }
}

// The box jumps over the line for up to `settle` and back; slower ones are there and back again.
static void a_jump_of_the_box_is_no_crossing(void) {
    const double rates[] = {5, 25, 60};
    for (int i = 0; i < 3; i++)
        for (int frames = 1; frames <= rates[i]; frames++) {
            fv_watch *w = watch_of(&doors);
            fps = rates[i];
            walk(w, 500, 400, 500, 470, 10);
            for (int k = 0; k < frames; k++)
                step(w, 500, 540);
            walk(w, 500, 470, 500, 400, (int)fps);
            bool stayed = frames - 1 >= 0.3 * fps;
            check_door("jump", stayed, stayed, w);
        }
}

// Seen once behind the line: it counts when nothing takes it back, with time and place of the jump.
static void the_fast_and_the_last_are_not_lost(void) {
    for (int every = 1; every <= 6; every++)
        for (int goes = 0; goes < 2; goes++) {
            fv_watch *w = watch_of(&doors);
            for (int i = 0; i <= 6; i++) { // 120 pixels from detection to detection
                fv_object o = at(1, 500, 420 + 20 * i);
                o.predicted = i % every;
                show(w, &o, 1);
            }
            uint64_t jump = (uint64_t)((5 + every - 1) / every * every); // clear from step 5 on
            for (int i = 0; goes && i < 51 + 7; i++)
                show(w, NULL, 0);
            if (jump <= 6 && goes)
                CHECK_EQUAL(n_seen, 1);
            n_seen += fv_watch_finish(w, seen + n_seen, 64);
            CHECK_EQUAL(n_seen, jump <= 6);
            if (jump <= 6) {
                CHECK_EQUAL(seen[0].frame, jump);
                CHECK_EQUAL(seen[0].pts_ns, (int64_t)jump * 40000000);
                CHECK_NEAR(seen[0].after[1], 420 + 20 * (double)jump, 0.1);
                CHECK_NEAR(seen[0].object.box.y, 420 + 20 * (double)jump - HEIGHT, 0.1);
            }
            fv_watch_destroy(&w);
        }
}

static void a_vertex_counts_once(void) {
    float points[][2] = {{200, 500}, {500, 500}, {500, 200}};
    fv_rule r = door;
    r.n_points = 3, r.point = points, r.relative = false;
    fv_rules rules = {1, &r, NULL, 0};
    fv_watch *w = watch_of(&rules);
    walk(w, 400, 400, 600, 600, 20); // exactly through the corner, step 10 exactly on it
    check_door("corner", 1, 0, w);
    w = watch_of(&rules);
    walk(w, 600, 600, 400, 400, 1); // the same in one stride
    check_door("corner back", 0, 1, w);
    w = watch_of(&rules);
    walk(w, 400, 600, 600, 400, 20); // touches the corner from outside
    check_door("corner touched", 0, 0, w);
    w = watch_of(&rules);
    walk(w, 400, 600, 400, 400, 10);
    walk(w, 400, 400, 600, 400, 10); // in by one side, out by the other
    check_door("in and out", 1, 1, w);
}

static void two_lines_at_once(void) {
    float second[][2] = {{0.8f, 0.52f}, {0.2f, 0.52f}};
    fv_rule v[2] = {door, door};
    v[1].name = "second", v[1].point = second;
    fv_watch *w = watch_of(&(fv_rules){2, v, NULL, 0});
    step(w, 500, 450);
    step(w, 500, 560); // both in one stride
    n_seen += fv_watch_finish(w, seen, 64);
    CHECK_EQUAL(n_seen, 2);
    CHECK_TEXT(seen[0].rule, "door");
    CHECK_TEXT(seen[0].direction, "in");
    CHECK_TEXT(seen[1].rule, "second");
    CHECK_TEXT(seen[1].direction, "out");
    fv_watch_destroy(&w);
}

static void lost_on_the_line(void) {
    const double rates[] = {5, 25, 60};
    for (int i = 0; i < 3; i++) {
        fv_watch *w = watch_of(&doors);
        fps = rates[i];
        walk(w, 500, 400, 500, 499, (int)fps);
        for (int k = 0; k < fps / 2; k++) // half a second on the line, unseen
            show(w, NULL, 0);
        walk(w, 500, 540, 500, 600, (int)fps);
        CHECK_NEAR(first_of("cross", FV_PHASE_MOMENT)->after[1], 540, 0.1);
        check_door("lost and found on the other side", 1, 0, w);
        w = watch_of(&doors);
        fps = rates[i];
        walk(w, 500, 400, 500, 502, (int)fps);
        for (int k = 0; k < fps / 2; k++)
            show(w, NULL, 0);
        walk(w, 500, 490, 500, 400, (int)fps);
        check_door("lost and found on its own side", 0, 0, w);
        w = watch_of(&doors);
        walk(w, 500, 400, 500, 502, 10);
        for (int k = 0; k < 100; k++)
            show(w, NULL, 0);
        walk(w, 500, 504, 500, 600, 10); // forgotten: now it comes from the line itself
        check_door("gone on the line", 0, 0, w);
    }
}

static void predicted_positions_cause_nothing(void) {
    fv_watch *w = watch_of(&doors);
    walk(w, 500, 400, 500, 490, 10);
    for (int i = 0; i < 10; i++) { // prediction runs over the line, the object has turned round
        fv_object o = at(1, 500, 500 + 10 * i);
        o.predicted = true;
        show(w, &o, 1);
    }
    walk(w, 500, 480, 500, 400, 10);
    check_door("overshoot", 0, 0, w);
    w = watch_of(&doors);
    for (int i = 0; i <= 30; i++) { // every third frame detected
        fv_object o = at(1, 500, 400 + 7 * i);
        o.predicted = i % 3;
        show(w, &o, 1);
    }
    CHECK_EQUAL(first_of("cross", FV_PHASE_MOMENT)->frame % 3, 0);
    check_door("every: 3", 1, 0, w);
}

static void only_objects_with_ids_and_wanted_classes_count(void) {
    fv_rule r = door;
    const char *classes[] = {"person"};
    r.n_classes = 1, r.classes = classes;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    for (int i = 0; i <= 20; i++) {
        fv_object o[] = {at(0, 400, 400 + 10 * i), at(2, 500, 400 + 10 * i),
                         at(3, 600, 400 + 10 * i)};
        o[1].label = 0;
        show(w, o, 3);
    }
    CHECK_EQUAL(seen[0].object.id, 3);
    check_door("one person", 1, 0, w);
}

static void frame_rates_agree(void) {
    const double rates[] = {5, 25, 60};
    for (int i = 0; i < 3; i++) {
        fv_watch *w = watch_of(&doors);
        fps = rates[i];
        for (int k = 0; k < 3;
             k++) { // three walks of 2 s over the line, the object away for 3 s between them
            walk(w, 500, 350, 500, 650, (int)(2 * fps));
            for (int p = 0; p < 3 * fps; p++)
                show(w, NULL, 0);
        }
        check_door("rate", 3, 0, w);
    }
}

static void the_picture_changes_its_size(void) {
    for (int relative = 0; relative < 2; relative++) {
        float pixels[][2] = {{200, 500}, {800, 500}};
        fv_rule r = door;
        r.relative = relative;
        r.point = relative ? across : pixels;
        fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
        walk(w, 500, 400, 500, 498, 10);
        side = SIDE / 2; // in the middle of the line
        walk(w, 500, 500, 500, 600, 10);
        CHECK_NEAR(first_of("cross", FV_PHASE_MOMENT)->before[1], 490 * 0.5, 5);
        check_door("half the size", 1, 0, w);
    }
}

// Bottom, centre or top of a 20 x 50 box: the line is passed 25 pixels apart.
static void the_anchor_is_a_point_of_the_box(void) {
    double feet[FV_N_ANCHORS];
    for (int anchor = 0; anchor < FV_N_ANCHORS; anchor++) {
        fv_rule r = door;
        r.anchor = (fv_anchor)anchor;
        fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
        walk(w, 500, 400, 500, 700, 300);
        const fv_event *e = first_of("cross", FV_PHASE_MOMENT);
        CHECK_EQUAL(count_of("cross", -1), 1);
        CHECK_NEAR(e->after[1], 505, 1.1); // clear of the line at 500 by a tenth of the height
        feet[anchor] = (double)(e->object.box.y + e->object.box.h);
        fv_watch_destroy(&w);
    }
    CHECK_NEAR(feet[FV_ANCHOR_CENTER] - feet[FV_ANCHOR_BOTTOM], 25, 0.1);
    CHECK_NEAR(feet[FV_ANCHOR_TOP] - feet[FV_ANCHOR_BOTTOM], 50, 0.1);
}

// Swaying by 12 pixels over the line: nothing with half a height of hysteresis, every time with a
// tenth.
static void hysteresis_is_a_share_of_the_height(void) {
    const struct {
        float hysteresis;
        int crossings;
    } rows[] = {{0.1f, 10}, {0.5f, 0}};
    for (int i = 0; i < 2; i++) {
        fv_rule r = door;
        r.hysteresis = rows[i].hysteresis;
        r.repeat = true;
        r.settle_ns = 0;
        fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
        for (int k = 0; k < 11; k++)
            step(w, 500, k % 2 ? 512 : 488);
        CHECK_EQUAL(count_of("cross", -1), rows[i].crossings);
        fv_watch_destroy(&w);
    }
}

// Stream time and wall time, the frame, and where the object was and is.
static void events_carry_evidence_and_both_clocks(void) {
    fv_watch *w = watch_of(&doors);
    fv_event e[4];
    int n = 0;
    for (int i = 0; i < 20; i++) {
        fv_object o = at(9, 500, 402 + 10 * i);
        n += fv_watch_update(w,
                             &(fv_record){.stream = "s",
                                          .frame = 100 + (uint64_t)i,
                                          .pts_ns = i * INT64_C(40000000),
                                          .utc_ns = INT64_C(1763828705000000000) +
                                                    i * INT64_C(40000000),
                                          .width = SIDE,
                                          .height = SIDE,
                                          .objects = {1, 1, &o},
                                          .labels = &stage_labels},
                             e + n, 4 - n);
    }
    CHECK_EQUAL(n, 1);
    CHECK_EQUAL(e[0].frame, 111);
    CHECK_EQUAL(e[0].pts_ns, INT64_C(440000000));
    CHECK_EQUAL(e[0].utc_ns, INT64_C(1763828705440000000));
    CHECK(e[0].has_object && e[0].object.id == 9 && e[0].id == 1);
    CHECK_TEXT(e[0].rule, "door");
    CHECK_NEAR(e[0].before[1], 492, 0.01);
    CHECK_NEAR(e[0].after[1], 512, 0.01);
    fv_watch_destroy(&w);
}

const fv_suite lines_suite = {
    "lines", (const fv_case[]){CASE(line_is_crossed_in_both_directions),
                               CASE(grazing_and_touching_are_nothing),
                               CASE(jitter_counts_once),
                               CASE(a_jump_of_the_box_is_no_crossing),
                               CASE(the_fast_and_the_last_are_not_lost),
                               CASE(a_vertex_counts_once),
                               CASE(two_lines_at_once),
                               CASE(lost_on_the_line),
                               CASE(predicted_positions_cause_nothing),
                               CASE(only_objects_with_ids_and_wanted_classes_count),
                               CASE(frame_rates_agree),
                               CASE(the_anchor_is_a_point_of_the_box),
                               CASE(hysteresis_is_a_share_of_the_height),
                               CASE(events_carry_evidence_and_both_clocks),
                               CASE(the_picture_changes_its_size),
                               {0}}};
