#include "tests/vision/rules_stage.h"

static void zone_is_entered_and_left(void) {
    fv_watch *w = watch_of(&(fv_rules){1, &yard, NULL, 0});
    walk(w, 500, 300, 500, 500, 20);
    CHECK_EQUAL(fv_watch_counts(w)->inside, 1);
    walk(w, 500, 500, 500, 700, 25);
    CHECK_EQUAL(n_seen, 2);
    CHECK_TEXT(seen[0].event, "enter");
    CHECK(seen[0].before[1] < 400 && seen[0].after[1] > 405 && seen[0].count == 1);
    CHECK_TEXT(seen[1].event, "leave");
    CHECK_NEAR(seen[1].value, (double)(seen[1].frame - seen[0].frame) / 25, 1e-6);
    CHECK(fv_watch_counts(w)->entered == 1 && fv_watch_counts(w)->left == 1 &&
          fv_watch_counts(w)->inside == 0);
    fv_watch_destroy(&w);
}

static void trembling_at_the_border_is_nothing(void) {
    fv_watch *w = watch_of(&(fv_rules){1, &yard, NULL, 0});
    step(w, 500, 300);
    for (int i = 0; i < 100; i++)
        step(w, 500, i % 2 ? 404 : 396);
    CHECK_EQUAL(n_seen, 0);
    walk(w, 500, 404, 500, 450, 5);
    for (int i = 0; i < 100; i++)
        step(w, 500, i % 2 ? 404 : 396);
    CHECK_EQUAL(n_seen, 1);
    fv_watch_destroy(&w);
}

static void born_and_died_inside(void) {
    fv_watch *w = watch_of(&(fv_rules){1, &yard, NULL, 0});
    walk(w, 450, 450, 550, 550, 10);
    CHECK_EQUAL(n_seen, 1);
    CHECK_TEXT(seen[0].event, "appear");
    CHECK(isnan(seen[0].before[0]) && fabsf(seen[0].after[0] - 450) < 1);
    for (int i = 0; i < 49; i++)
        show(w, NULL, 0);
    CHECK_EQUAL(n_seen, 1);
    CHECK_EQUAL(fv_watch_counts(w)->inside, 1);
    for (int i = 0; i < 4; i++)
        show(w, NULL, 0);
    CHECK_EQUAL(n_seen, 2);
    CHECK_TEXT(seen[1].event, "disappear");
    CHECK_NEAR(seen[1].value, 10.0 / 25, 1e-6); // until it was last seen
    CHECK(fv_watch_counts(w)->inside == 0 && fv_watch_counts(w)->entered == 0 &&
          fv_watch_counts(w)->left == 0);
    fv_watch_destroy(&w);
}

// Shown inside, then outside as something else; comes back as what it was.
static void who_becomes_something_else_has_disappeared(void) {
    const char *const persons[] = {"person"};
    fv_rule r = yard;
    r.classes = persons, r.n_classes = 1;
    r.dwell_ns = 1000000000;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    for (int i = 0; i < 50; i++)
        step(w, 500, 500);
    CHECK(n_seen == 2 && fv_watch_counts(w)->inside == 1);
    fv_object o = at(1, 500, 300);
    o.label = 1 - o.label;
    for (int i = 0; i < 50; i++) {
        o.predicted = i % 2;
        show(w, &o, 1);
        CHECK_EQUAL(fv_watch_counts(w)->inside, 1);
    }
    show(w, &o, 1);
    CHECK_EQUAL(n_seen, 4);
    CHECK(fv_watch_counts(w)->inside == 0 && fv_watch_counts(w)->left == 0);
    CHECK_NEAR(first_of("dwell", FV_PHASE_END)->value, 49.0 / 25, 1e-6);
    CHECK_NEAR(first_of("disappear", FV_PHASE_MOMENT)->value, 49.0 / 25, 1e-6);
    step(w, 500, 500);
    CHECK_EQUAL(count_of("appear", FV_PHASE_MOMENT), 2);
    fv_watch_destroy(&w);
}

static void dwell_starts_goes_on_and_ends(void) {
    fv_rule r = yard;
    r.dwell_ns = 2000000000;
    r.update_ns = 2000000000;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 500, 300, 500, 500, 10);
    for (int i = 0; i < 5 * 25; i++)
        step(w, 500, 500);
    walk(w, 500, 500, 500, 700, 10);
    CHECK(count_of("dwell", FV_PHASE_START) == 1 && count_of("dwell", FV_PHASE_UPDATE) == 1 &&
          count_of("dwell", FV_PHASE_END) == 1);
    const fv_event *start = first_of("dwell", FV_PHASE_START),
                   *end = first_of("dwell", FV_PHASE_END);
    CHECK_NEAR(start->value, 2, 0.05);
    CHECK(end->value > 5 && end->id == start->id &&
          first_of("dwell", FV_PHASE_UPDATE)->id == start->id);
    CHECK(first_of("leave", FV_PHASE_MOMENT)->id != start->id);
    CHECK_NEAR(start->before[1], 420, 0.1); // where it came in, and where it is
    CHECK_NEAR(start->after[1], 500, 0.1);
    CHECK(end->before[1] < 601 && end->after[1] > 605);
    fv_watch_destroy(&w);
}

static void overcrowding_holds_and_empty(void) {
    fv_rule r = yard;
    r.overcrowding = 3;
    r.hold_ns = 1000000000;
    r.events = FV_EVENT_BIT(FV_EVENT_OVERCROWDING) | FV_EVENT_BIT(FV_EVENT_EMPTY) |
               FV_EVENT_BIT(FV_EVENT_COUNT);
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    fv_object four[] = {at(1, 450, 450), at(2, 500, 450), at(3, 550, 450), at(4, 450, 550)};
    for (int i = 0; i < 30; i++)
        show(w, NULL, 0);
    CHECK_EQUAL(count_of("empty", FV_PHASE_START), 1);
    for (int i = 0; i < 20; i++)
        show(w, four, 3);
    CHECK(count_of("empty", FV_PHASE_END) == 1 && count_of("overcrowding", -1) == 0);
    for (int i = 0; i < 10; i++)
        show(w, four, 3);
    CHECK_EQUAL(count_of("overcrowding", FV_PHASE_START), 1);
    show(w, four, 4);
    CHECK_EQUAL(first_of("overcrowding", FV_PHASE_UPDATE)->count, 4);
    for (int i = 0; i < 60; i++)
        show(w, four, 2);
    CHECK_EQUAL(count_of("overcrowding", FV_PHASE_END), 1);
    CHECK_EQUAL(count_of("count", -1), 3); // 3, 4, 2
    fv_watch_destroy(&w);
}

static void stopped_and_moving_again(void) {
    fv_rule r = yard;
    r.n_points = 0;
    r.stopped_ns = 1000000000;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 100, 500, 500, 500, 40);
    for (int i = 0; i < 50; i++)
        step(w, 500 + i % 3, 500 - i % 2); // trembles
    CHECK_EQUAL(count_of("stopped", FV_PHASE_START), 1);
    walk(w, 500, 500, 900, 500, 40);
    CHECK_EQUAL(count_of("stopped", FV_PHASE_START), 1);
    CHECK_NEAR(first_of("stopped", FV_PHASE_END)->value, 2, 0.2);
    fv_watch_destroy(&w);
}

static void wrong_way(void) {
    fv_rule r = yard;
    r.n_points = 0;
    r.has_heading = true;
    r.heading = 0;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 100, 500, 500, 500, 50);
    CHECK_EQUAL(count_of("wrong-way", -1), 0);
    walk(w, 500, 500, 100, 520, 50);
    CHECK_EQUAL(count_of("wrong-way", FV_PHASE_START), 1);
    for (int i = 0; i < 40; i++)
        step(w, 100, 520); // who stands has not turned round
    CHECK_EQUAL(count_of("wrong-way", FV_PHASE_END), 0);
    walk(w, 100, 520, 500, 520, 50);
    CHECK_EQUAL(count_of("wrong-way", FV_PHASE_END), 1);
    fv_watch_destroy(&w);
}

// It has to last for a while, counted from when the way is known.
static void the_wrong_way_from_the_start(void) {
    fv_rule r = yard;
    r.n_points = 0;
    r.has_heading = true;
    r.heading = 0;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 900, 500, 790, 500, 11); // 0.44 s
    CHECK_EQUAL(count_of("wrong-way", -1), 0);
    walk(w, 780, 500, 700, 500, 8);
    CHECK_EQUAL(count_of("wrong-way", FV_PHASE_START), 1);
    fv_watch_destroy(&w);
}

// A box that is cut short for a moment draws its anchor back; that is no way.
static void a_twitch_is_not_the_wrong_way(void) {
    fv_rule r = yard;
    r.n_points = 0;
    r.has_heading = true;
    r.heading = 0;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 100, 500, 300, 500, 50);
    for (int i = 0; i < 5; i++)
        step(w, 150, 500);
    walk(w, 300, 500, 500, 500, 50);
    fv_watch_destroy(&w);
    w = watch_of(&(fv_rules){1, &r, NULL, 0}); // also where nothing was known before
    walk(w, 150, 500, 140, 500, 9);
    walk(w, 150, 500, 350, 500, 50);
    CHECK_EQUAL(count_of("wrong-way", -1), 0);
    fv_watch_destroy(&w);
}

static void speed_by_the_ground(void) {
    const fv_calibration c = {.relative = true,
                              .picture = {{0, 0}, {1, 0}, {1, 1}, {0, 1}},
                              .ground = {{0, 0}, {50, 0}, {50, 50}, {0, 50}}};
    fv_rule r = yard;
    r.n_points = 0;
    r.speed_limit = 10;
    fv_watch *w = watch_of(&(fv_rules){1, &r, &c, 0});
    walk(w, 100, 500, 400, 500, 50); // 150 px/s are 7.5 m/s
    CHECK_EQUAL(count_of("speed", -1), 0);
    walk(w, 400, 500, 900, 500, 40); // 312.5 px/s are 15.6 m/s
    CHECK_EQUAL(count_of("speed", FV_PHASE_START), 1);
    for (int i = 0; i < 30; i++)
        step(w, 900, 500);
    CHECK_NEAR(first_of("speed", FV_PHASE_END)->value, 15.6, 0.3);
    fv_watch_destroy(&w);
}

// A little less than the limit does not end it.
static void speed_at_the_limit(void) {
    const fv_calibration c = {.relative = true,
                              .picture = {{0, 0}, {1, 0}, {1, 1}, {0, 1}},
                              .ground = {{0, 0}, {50, 0}, {50, 50}, {0, 50}}};
    fv_rule r = yard;
    r.n_points = 0;
    r.speed_limit = 10;
    fv_watch *w = watch_of(&(fv_rules){1, &r, &c, 0});
    walk(w, 50, 500, 490, 500, 50); // 11 m/s
    walk(w, 497.6, 500, 793.6, 500, 39); // 9.5 m/s
    CHECK(count_of("speed", FV_PHASE_START) == 1 && count_of("speed", FV_PHASE_END) == 0);
    walk(w, 797, 500, 900, 500, 30); // 4.3 m/s
    CHECK_EQUAL(count_of("speed", FV_PHASE_END), 1);
    fv_watch_destroy(&w);
}

// A zone of 6 pixels, in which nobody can be clear of the border by more than three.
static void a_narrow_zone_can_be_entered(void) {
    float strip[][2] = {{0.497f, 0.2f}, {0.503f, 0.2f}, {0.503f, 0.8f}, {0.497f, 0.8f}};
    fv_rule r = yard;
    r.point = strip;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 400, 500, 500, 500, 50);
    for (int i = 0; i < 5; i++)
        step(w, 500, 500);
    CHECK_EQUAL(count_of("enter", -1), 1);
    fv_watch_destroy(&w);
}

// Twice for a third of a second is not for 0.4 s.
static void a_condition_holds_without_a_break(void) {
    fv_rule v[] = {yard, {.name = "busy", .kind = FV_RULE_WHEN, .when = "count(yard) >= 1 for 400ms"}};
    fv_watch *w = watch_of(&(fv_rules){2, v, NULL, 0});
    for (int i = 0; i < 18; i++)
        step(w, i == 8 || i == 9 ? 100 : 500, 500);
    CHECK_EQUAL(count_of("when", -1), 0);
    for (int i = 0; i < 5; i++)
        step(w, 500, 500);
    CHECK_EQUAL(count_of("when", FV_PHASE_START), 1);
    fv_watch_destroy(&w);
}

// After six seconds without a picture one update is due, not one for each second.
static void updates_are_not_made_up_for(void) {
    fv_rule r = yard;
    r.update_ns = 1000000000;
    r.events = FV_EVENT_BIT(FV_EVENT_EMPTY);
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    for (int i = 0; i < 5; i++)
        show(w, NULL, 0);
    frame += 150;
    for (int i = 0; i < 5; i++)
        show(w, NULL, 0);
    CHECK_EQUAL(count_of("empty", FV_PHASE_START), 1);
    CHECK_EQUAL(count_of("empty", FV_PHASE_UPDATE), 1);
    fv_watch_destroy(&w);
}

static void conditions(void) {
    fv_rule v[] = {
        yard,
        {.name = "queue",
         .kind = FV_RULE_WHEN,
         .when = "count(yard, person) >= 2 and count(yard,car)==0 or count(yard) > 3 for 400ms"}};
    fv_watch *w = watch_of(&(fv_rules){2, v, NULL, 0});
    fv_object o[] = {at(1, 450, 450), at(2, 500, 450), at(3, 550, 450), at(4, 550, 550)};
    o[2].label = 0;
    for (int i = 0; i < 20; i++)
        show(w, o, 1);
    CHECK_EQUAL(count_of("when", -1), 0);
    for (int i = 0; i < 20; i++)
        show(w, o, 2);
    CHECK_EQUAL(count_of("when", FV_PHASE_START), 1);
    CHECK_EQUAL(first_of("when", FV_PHASE_START)->count, 2);
    for (int i = 0; i < 20; i++)
        show(w, o, 3); // a car has come
    CHECK_EQUAL(count_of("when", FV_PHASE_END), 1);
    CHECK_EQUAL(first_of("when", FV_PHASE_END)->count, 3); // persons and the car
    for (int i = 0; i < 20; i++)
        show(w, o, 4);
    CHECK_EQUAL(count_of("when", FV_PHASE_START), 2);
    fv_object fifth[] = {o[0], o[1], o[2], o[3], at(5, 480, 480)};
    show(w, fifth, 5);
    CHECK_EQUAL(seen[n_seen - 1].phase, FV_PHASE_UPDATE); // its count has changed
    CHECK_EQUAL(seen[n_seen - 1].count, 5);
    int before = n_seen;
    n_seen += fv_watch_finish(w, seen + n_seen, 64);
    CHECK_EQUAL(n_seen - before, 1);
    CHECK_EQUAL(seen[n_seen - 1].count, 5);
    CHECK(count_of("when", FV_PHASE_END) == 2 && fv_watch_finish(w, seen + n_seen, 64) == 0);
    fv_watch_destroy(&w);
}

// One rule for all that lasts: start, an update each `update`, end; one id, a value in each.
static void whatever_lasts_is_told_again(void) {
    static const int64_t updates[] = {0, 400000000, 1000000000, 10000000000};
    const fv_calibration c = {.relative = true,
                              .picture = {{0, 0}, {1, 0}, {1, 1}, {0, 1}},
                              .ground = {{0, 0}, {50, 0}, {50, 50}, {0, 50}}};
    for (int i = 0; i < 4; i++) {
        fv_rule v[] = {yard, yard, {.name = "any", .kind = FV_RULE_WHEN, .when = "count(all) > 0"}};
        v[0].name = "all", v[0].n_points = 0;
        v[0].dwell_ns = v[0].stopped_ns = 40000000;
        v[0].overcrowding = 1;
        v[0].has_heading = true, v[0].heading = 180;
        v[0].speed_limit = 1;
        v[1].events = FV_EVENT_BIT(FV_EVENT_EMPTY);
        for (int k = 0; k < 3; k++)
            v[k].update_ns = updates[i];
        fv_watch *w = watch_of(&(fv_rules){3, v, &c, 0});
        walk(w, 100, 900, 900, 900, 100);
        for (int k = 0; k < 100; k++)
            step(w, 900, 900);
        n_seen += fv_watch_finish(w, seen + n_seen, 64);
        for (int e = 0; e < FV_N_EVENTS; e++) {
            if (!fv_event_rows[e].lasts)
                continue;
            const fv_event *start = first_of(fv_event_rows[e].name, FV_PHASE_START),
                           *end = first_of(fv_event_rows[e].name, FV_PHASE_END);
            int64_t due = updates[i] ? (end->pts_ns - start->pts_ns) / updates[i] : 0;
            int told = count_of(fv_event_rows[e].name, FV_PHASE_UPDATE);
            CHECK_EQUAL(count_of(fv_event_rows[e].name, FV_PHASE_START), 1);
            CHECK_EQUAL(count_of(fv_event_rows[e].name, FV_PHASE_END), 1);
            CHECK(end->pts_ns - start->pts_ns > 2500000000);
            CHECK(told == due || (told == due - 1 && (end->pts_ns - start->pts_ns) % updates[i] == 0));
            CHECK(!isnan(start->value) && !isnan(end->value) && start->id == end->id);
            for (int k = 0; k < n_seen; k++)
                if (seen[k].phase == FV_PHASE_UPDATE && !strcmp(seen[k].event, start->event))
                    CHECK(seen[k].id == start->id && !isnan(seen[k].value) &&
                          (seen[k].pts_ns - start->pts_ns) % updates[i] == 0);
        }
        fv_watch_destroy(&w);
    }
}

static void mistakes_are_named(void) {
    const char *classes[] = {"dragon"};
    fv_rule no_class = door, no_dwell = yard, no_ground = yard;
    no_class.n_classes = 1, no_class.classes = classes;
    no_dwell.events = FV_EVENT_BIT(FV_EVENT_DWELL);
    no_ground.speed_limit = 3;
    const fv_rule when = {
        .name = "w", .kind = FV_RULE_WHEN, .when = "count(yard) >= 2 and count(gate) < 1"};
    const fv_rule v[] = {no_class, no_dwell, no_ground};
    const char *const expected[] = {"no class 'dragon'", "'dwell' needs the setting",
                                    "needs a calibration"};
    fv_err err;
    for (int i = 0; i < 3; i++)
        CHECK_FAILS(fv_watch_create(&(fv_rules){1, &v[i], NULL, 0}, &stage_labels, &err), err,
                    expected[i]);
    const fv_rule two[] = {yard, when};
    CHECK_FAILS(fv_watch_create(&(fv_rules){2, two, NULL, 0}, &stage_labels, &err), err,
                "at column 28: there is no zone of this name");
}

static void no_event_is_lost_in_a_small_array(void) {
    fv_watch *w = watch_of(&(fv_rules){1, &yard, NULL, 0});
    fv_object o[10];
    for (int i = 0; i < 10; i++)
        o[i] = at((uint64_t)i + 1, 420 + 15 * i, 500);
    fv_record r = {.stream = "s",
                   .width = SIDE,
                   .height = SIDE,
                   .objects = {10, 10, o},
                   .labels = &stage_labels,
                   .utc_ns = FV_TIME_NONE,
                   .pts_ns = 0};
    fv_event e[4];
    CHECK_EQUAL(fv_watch_update(w, &r, e, 4), 4);
    CHECK_EQUAL(fv_watch_update(w, &r, e, 4), 4);
    CHECK_EQUAL(e[0].object.id, 5);
    CHECK_EQUAL(fv_watch_finish(w, e, 4), 2);
    CHECK_EQUAL(fv_watch_finish(w, e, 4), 0);
    fv_watch_destroy(&w);
}

static void collect(void *user, const char *text) {
    strncat(user, text, 4000);
    strncat(user, "\n", 2);
}

static void explanations(void) {
    static char text[1 << 20];
    fv_watch *w = watch_of(&(fv_rules){1, &door, NULL, 0});
    fv_watch_explain(w, 1, collect, text);
    walk(w, 500, 495, 500, 600, 4);
    CHECK_CONTAINS(text, "line door: came from the line itself: not counted");
    text[0] = 0;
    walk(w, 500, 600, 500, 400, 4);
    CHECK_CONTAINS(text, "over it, out");
    walk(w, 500, 400, 500, 300, 10);
    CHECK_CONTAINS(text, "crossed out");
    text[0] = 0;
    walk(w, 500, 300, 500, 501, 4); // over the line, and not seen any more
    for (int i = 0; i < 100; i++)
        show(w, NULL, 0);
    CHECK_CONTAINS(text, "has gone before it was clear of the line: not counted");
    fv_watch_destroy(&w);
}

// Why it is not said that somebody stays, stands or goes the wrong way.
static void explanations_of_what_does_not_last(void) {
    static char text[1 << 20];
    fv_rule r = yard;
    r.n_points = 0;
    r.dwell_ns = INT64_C(10000000000);
    r.stopped_ns = INT64_C(2000000000);
    r.has_heading = true; // to the right
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    fv_watch_explain(w, 1, collect, text);
    for (int i = 0; i <= 25; i++)
        step(w, 500, 500);
    CHECK_CONTAINS(text, "is inside, the zone is the whole picture");
    CHECK_CONTAINS(text, "inside for 1.00 s, `dwell` is 10.00 s: not yet");
    CHECK_CONTAINS(text, "at rest for 1.00 s, `stopped` is 2.00 s: not yet");
    CHECK_CONTAINS(text, "moved 0.0 pixels, less than 12.5 say nothing of its way");
    walk(w, 500, 500, 440, 500, 6);
    CHECK_CONTAINS(text, "10.0 pixels from where it was at rest, 7.5 at most are rest: moves");
    CHECK_CONTAINS(text, "goes 180 degrees off the right way, 90 are allowed, wrong for 0.04 s");
    CHECK_EQUAL(n_seen, 1); // it appeared
    fv_watch_destroy(&w);
}

const fv_suite rules_suite = {"rules", (const fv_case[]){CASE(zone_is_entered_and_left),
                                                         CASE(trembling_at_the_border_is_nothing),
                                                         CASE(born_and_died_inside),
                                                         CASE(who_becomes_something_else_has_disappeared),
                                                         CASE(dwell_starts_goes_on_and_ends),
                                                         CASE(overcrowding_holds_and_empty),
                                                         CASE(stopped_and_moving_again),
                                                         CASE(wrong_way),
                                                         CASE(a_twitch_is_not_the_wrong_way),
                                                         CASE(speed_by_the_ground),
                                                         CASE(speed_at_the_limit),
                                                         CASE(the_wrong_way_from_the_start),
                                                         CASE(a_narrow_zone_can_be_entered),
                                                         CASE(a_condition_holds_without_a_break),
                                                         CASE(updates_are_not_made_up_for),
                                                         CASE(conditions),
                                                         CASE(whatever_lasts_is_told_again),
                                                         CASE(mistakes_are_named),
                                                         CASE(no_event_is_lost_in_a_small_array),
                                                         CASE(explanations),
                                                         CASE(explanations_of_what_does_not_last),
                                                         {0}}};
