#include "pipeline/vision/rules.h"

#include <stdlib.h>

#include "tests/test.h"

// A stage of 1000 x 1000 pixels; objects are 20 x 50 boxes whose bottom centre goes where the test draws it, so that the
// default hysteresis is 5 pixels.
enum { SIDE = 1000, HEIGHT = 50, MAX = 64 };

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};

static fv_event seen[4096];
static int n_seen;
static uint64_t frame;
static double fps;
static int side;

static fv_watch *watch_of(const fv_rules *rules) {
    fv_err err = {0};
    n_seen = 0;
    frame = 0;
    fps = 25;
    side = SIDE;
    fv_watch *w = fv_watch_create(rules, &labels, &err);
    CHECK_OK(w, err);
    return w;
}

static fv_object at(uint64_t id, double x, double y) {
    float scale = (float)side / SIDE;
    return (fv_object){.box = {((float)x - 10) * scale, ((float)y - HEIGHT) * scale, 20 * scale, HEIGHT * scale}, .score = 0.9f, .label = 1, .id = id,
                       .state = FV_STATE_CONFIRMED};
}

static void show(fv_watch *w, const fv_object *objects, int n) {
    fv_object v[MAX];
    if (n)
        memcpy(v, objects, sizeof v[0] * (size_t)n);
    fv_record r = {.stream = "s", .frame = frame, .pts_ns = (int64_t)((double)frame * 1e9 / fps), .utc_ns = FV_TIME_NONE, .width = side, .height = side,
                   .objects = {n, MAX, v}, .labels = &labels};
    frame++;
    n_seen += fv_watch_update(w, &r, seen + n_seen, (int)(sizeof seen / sizeof seen[0]) - n_seen);
}

static void step(fv_watch *w, double x, double y) {
    fv_object o = at(1, x, y);
    show(w, &o, 1);
}

// In a straight line, `steps` steps.
static void walk(fv_watch *w, double x0, double y0, double x1, double y1, int steps) {
    for (int i = 0; i <= steps; i++)
        step(w, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
}

static int count_of(const char *event, int phase) {
    int n = 0;
    for (int i = 0; i < n_seen; i++)
        n += !strcmp(seen[i].event, event) && (phase < 0 || seen[i].phase == (fv_phase)phase);
    return n;
}

static const fv_event *first_of(const char *event, fv_phase phase) {
    for (int i = 0; i < n_seen; i++)
        if (!strcmp(seen[i].event, event) && seen[i].phase == phase)
            return &seen[i];
    static const fv_event none;
    return &none;
}

// ---- lines --------------------------------------------------------------------------------------------

static float across[][2] = {{0.2f, 0.5f}, {0.8f, 0.5f}};
static const fv_rule door = {.name = "door", .kind = FV_RULE_LINE, .n_points = 2, .point = across, .relative = true, .hysteresis = FV_RULE_HYSTERESIS,
                             .direction_names = {"in", "out"}};
static const fv_rules doors = {1, &door, NULL, 0};

static void check_door(const char *what, uint64_t in, uint64_t out, fv_watch *w) {
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
        check_door("jitter beyond it", repeat ? 50 : 1, repeat ? 49 : 1, w);
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
        fv_object o[] = {at(0, 400, 400 + 10 * i), at(2, 500, 400 + 10 * i), at(3, 600, 400 + 10 * i)};
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
        for (int k = 0; k < 3; k++) { // three walks of 2 s over the line, the object away for 3 s between them
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

// ---- zones --------------------------------------------------------------------------------------------

static float square[][2] = {{0.4f, 0.4f}, {0.6f, 0.4f}, {0.6f, 0.6f}, {0.4f, 0.6f}};
static const fv_rule yard = {.name = "yard", .kind = FV_RULE_ZONE, .n_points = 4, .point = square, .relative = true, .hysteresis = FV_RULE_HYSTERESIS};

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
    CHECK(fv_watch_counts(w)->entered == 1 && fv_watch_counts(w)->left == 1 && fv_watch_counts(w)->inside == 0);
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
    CHECK(fv_watch_counts(w)->inside == 0 && fv_watch_counts(w)->entered == 0 && fv_watch_counts(w)->left == 0);
    fv_watch_destroy(&w);
}

static void dwell_starts_goes_on_and_ends(void) {
    fv_rule r = yard;
    r.dwell_ns = 2000000000;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    walk(w, 500, 300, 500, 500, 10);
    for (int i = 0; i < 5 * 25; i++)
        step(w, 500, 500);
    walk(w, 500, 500, 500, 700, 10);
    CHECK(count_of("dwell", FV_PHASE_START) == 1 && count_of("dwell", FV_PHASE_UPDATE) == 1 && count_of("dwell", FV_PHASE_END) == 1);
    const fv_event *start = first_of("dwell", FV_PHASE_START), *end = first_of("dwell", FV_PHASE_END);
    CHECK_NEAR(start->value, 2, 0.05);
    CHECK(end->value > 5 && end->id == start->id && first_of("dwell", FV_PHASE_UPDATE)->id == start->id);
    CHECK(first_of("leave", FV_PHASE_MOMENT)->id != start->id);
    fv_watch_destroy(&w);
}

static void overcrowding_holds_and_empty(void) {
    fv_rule r = yard;
    r.overcrowding = 3;
    r.hold_ns = 1000000000;
    r.events = FV_EVENT_BIT(FV_EVENT_OVERCROWDING) | FV_EVENT_BIT(FV_EVENT_EMPTY) | FV_EVENT_BIT(FV_EVENT_COUNT);
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
    walk(w, 100, 520, 500, 520, 50);
    CHECK_EQUAL(count_of("wrong-way", FV_PHASE_END), 1);
    fv_watch_destroy(&w);
}

static void speed_by_the_ground(void) {
    const fv_calibration c = {.relative = true, .picture = {{0, 0}, {1, 0}, {1, 1}, {0, 1}}, .ground = {{0, 0}, {50, 0}, {50, 50}, {0, 50}}};
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

static void conditions(void) {
    fv_rule v[] = {yard, {.name = "queue", .kind = FV_RULE_WHEN, .when = "count(yard, person) >= 2 and count(yard,car)==0 or count(yard) > 3 for 400ms"}};
    fv_watch *w = watch_of(&(fv_rules){2, v, NULL, 0});
    fv_object o[] = {at(1, 450, 450), at(2, 500, 450), at(3, 550, 450), at(4, 550, 550)};
    o[2].label = 0;
    for (int i = 0; i < 20; i++)
        show(w, o, 1);
    CHECK_EQUAL(count_of("when", -1), 0);
    for (int i = 0; i < 20; i++)
        show(w, o, 2);
    CHECK_EQUAL(count_of("when", FV_PHASE_START), 1);
    for (int i = 0; i < 20; i++)
        show(w, o, 3); // a car has come
    CHECK_EQUAL(count_of("when", FV_PHASE_END), 1);
    for (int i = 0; i < 20; i++)
        show(w, o, 4);
    CHECK_EQUAL(count_of("when", FV_PHASE_START), 2);
    int before = n_seen;
    n_seen += fv_watch_finish(w, seen + n_seen, 64);
    CHECK_EQUAL(n_seen - before, 1);
    CHECK(count_of("when", FV_PHASE_END) == 2 && fv_watch_finish(w, seen + n_seen, 64) == 0);
    fv_watch_destroy(&w);
}

static void mistakes_are_named(void) {
    const char *classes[] = {"dragon"};
    fv_rule no_class = door, no_dwell = yard, no_ground = yard;
    no_class.n_classes = 1, no_class.classes = classes;
    no_dwell.events = FV_EVENT_BIT(FV_EVENT_DWELL);
    no_ground.speed_limit = 3;
    const fv_rule when = {.name = "w", .kind = FV_RULE_WHEN, .when = "count(yard) >= 2 and count(gate) < 1"};
    const fv_rule v[] = {no_class, no_dwell, no_ground};
    const char *const expected[] = {"no class 'dragon'", "'dwell' needs the setting", "needs a calibration"};
    fv_err err;
    for (int i = 0; i < 3; i++)
        CHECK_FAILS(fv_watch_create(&(fv_rules){1, &v[i], NULL, 0}, &labels, &err), err, expected[i]);
    const fv_rule two[] = {yard, when};
    CHECK_FAILS(fv_watch_create(&(fv_rules){2, two, NULL, 0}, &labels, &err), err, "at column 28: there is no zone of this name");
}

static void no_event_is_lost_in_a_small_array(void) {
    fv_watch *w = watch_of(&(fv_rules){1, &yard, NULL, 0});
    fv_object o[10];
    for (int i = 0; i < 10; i++)
        o[i] = at((uint64_t)i + 1, 420 + 15 * i, 500);
    fv_record r = {.stream = "s", .width = SIDE, .height = SIDE, .objects = {10, 10, o}, .labels = &labels, .utc_ns = FV_TIME_NONE, .pts_ns = 0};
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
    fv_watch *w = watch_of(&doors);
    fv_watch_explain(w, 1, collect, text);
    walk(w, 500, 495, 500, 600, 4);
    CHECK_CONTAINS(text, "line door: came from the line itself: not counted");
    text[0] = 0;
    walk(w, 500, 600, 500, 400, 4);
    CHECK_CONTAINS(text, "crossed out");
    fv_watch_destroy(&w);
}

// ---- random walks against a count that shares no code -----------------------------------------------------------

static uint32_t seed;

static double random01(void) {
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

// The line lies on y = 0 from x = -200 to 200 in a system of its own, turned by an angle; the brute force works in that system.
static void random_walk_over_a_line(int round, bool repeat) {
    double angle = random01() * 6.283, c = cos(angle), s = sin(angle);
    float points[][2] = {{(float)(500 - 200 * c), (float)(500 - 200 * s)}, {(float)(500 + 200 * c), (float)(500 + 200 * s)}};
    fv_rule r = door;
    r.relative = false, r.point = points, r.repeat = repeat;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    double x = random01() * 400 - 200, y = random01() * 200 - 100;
    int wanted[2] = {0}, crossed = 0;
    bool was_clear = false, started = false;
    for (int i = 0; i < 400; i++) {
        double nx = x + random01() * 60 - 30, ny = y * 0.97 + random01() * 60 - 30;
        float px = (float)(500 + nx * c - ny * s), py = (float)(500 + nx * s + ny * c);
        fv_object o = {.box = {px - 10, py - HEIGHT, 20, HEIGHT}, .score = 1, .label = 1, .id = 1};
        show(w, &o, 1);
        if (started && (y < 0) != (ny < 0)) {
            double where = x + (nx - x) * (0 - y) / (ny - y);
            crossed += where < -200 || where > 200 ? 0 : y < 0 ? 1 : -1;
        }
        double beyond = fmax(0, fabs(nx) - 200);
        if (sqrt(beyond * beyond + ny * ny) >= 5) {
            if (was_clear && crossed) {
                int direction = crossed > 0 ? 0 : 1;
                wanted[direction] += repeat || !wanted[direction];
            }
            crossed = 0;
            was_clear = true;
        }
        x = nx, y = ny, started = true;
    }
    const fv_rule_count *n = fv_watch_counts(w);
    if (n->crossed[0] != (uint64_t)wanted[0] || n->crossed[1] != (uint64_t)wanted[1])
        fprintf(stderr, "walk %d: %d/%d instead of %d/%d\n", round, (int)n->crossed[0], (int)n->crossed[1], wanted[0], wanted[1]);
    CHECK(n->crossed[0] == (uint64_t)wanted[0] && n->crossed[1] == (uint64_t)wanted[1]);
    fv_watch_destroy(&w);
}

static void random_walks_over_lines(void) {
    seed = 1;
    for (int i = 0; i < 400; i++)
        random_walk_over_a_line(i, i % 2);
}

// Inside by the sum of the angles under which the corners are seen: 2 pi inside, 0 outside.
static bool surrounded(float (*v)[2], int n, double x, double y) {
    double sum = 0;
    for (int i = 0; i < n; i++) {
        double ax = (double)v[i][0] - x, ay = (double)v[i][1] - y, bx = (double)v[(i + 1) % n][0] - x, by = (double)v[(i + 1) % n][1] - y;
        sum += atan2(ax * by - ay * bx, ax * bx + ay * by);
    }
    return fabs(sum) > 3;
}

static double nearest(float (*v)[2], int n, double x, double y) { // by walking along the border
    double least = 1e9;
    for (int i = 0; i < n; i++)
        for (int k = 0; k <= 2000; k++) {
            double t = k / 2000.0, bx = (double)v[i][0] * (1 - t) + (double)v[(i + 1) % n][0] * t, by = (double)v[i][1] * (1 - t) + (double)v[(i + 1) % n][1] * t;
            least = fmin(least, hypot(bx - x, by - y));
        }
    return least;
}

static void random_walk_in_a_zone(void) {
    float v[7][2];
    int n = 3 + (int)(random01() * 5);
    for (int i = 0; i < n; i++) { // a star: never crosses itself
        double angle = 6.2831853 * (i + 0.5 * random01()) / n, radius = 100 + 250 * random01();
        v[i][0] = (float)(500 + radius * cos(angle)), v[i][1] = (float)(500 + radius * sin(angle));
    }
    fv_rule r = yard;
    r.relative = false, r.point = v, r.n_points = n;
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    double x = 500 + random01() * 400 - 200, y = 500 + random01() * 400 - 200;
    int entered = 0, left = 0;
    bool inside = surrounded(v, n, x, y), unsure = false;
    for (int i = 0; i < 60; i++) {
        float px = (float)x, py = (float)y;
        fv_object o = {.box = {px - 10, py - HEIGHT, 20, HEIGHT}, .score = 1, .label = 1, .id = 1};
        show(w, &o, 1);
        double distance = nearest(v, n, (double)px, (double)py);
        unsure |= fabs(distance - 5) < 0.1; // the walk along the border is coarse
        if (surrounded(v, n, (double)px, (double)py) != inside && distance >= 5) {
            inside = !inside;
            entered += inside, left += !inside;
        }
        x += (500 - x) * 0.02 + random01() * 120 - 60, y += (500 - y) * 0.02 + random01() * 120 - 60;
    }
    const fv_rule_count *c = fv_watch_counts(w);
    CHECK(unsure || (c->entered == (uint64_t)entered && c->left == (uint64_t)left && c->inside == inside));
    fv_watch_destroy(&w);
}

static void random_walks_in_zones(void) {
    seed = 2;
    for (int i = 0; i < 60; i++)
        random_walk_in_a_zone();
}

const fv_suite rules_suite = {"rules", (const fv_case[]){
    CASE(line_is_crossed_in_both_directions), CASE(grazing_and_touching_are_nothing), CASE(jitter_counts_once), CASE(a_vertex_counts_once),
    CASE(two_lines_at_once), CASE(lost_on_the_line), CASE(predicted_positions_cause_nothing), CASE(only_objects_with_ids_and_wanted_classes_count),
    CASE(frame_rates_agree), CASE(the_picture_changes_its_size), CASE(zone_is_entered_and_left), CASE(trembling_at_the_border_is_nothing),
    CASE(born_and_died_inside), CASE(dwell_starts_goes_on_and_ends), CASE(overcrowding_holds_and_empty), CASE(stopped_and_moving_again),
    CASE(wrong_way), CASE(speed_by_the_ground), CASE(conditions), CASE(mistakes_are_named), CASE(no_event_is_lost_in_a_small_array),
    CASE(explanations), CASE(random_walks_over_lines), CASE(random_walks_in_zones), {0}}};
