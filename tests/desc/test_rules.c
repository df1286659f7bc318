#include "pipeline/desc/rules.h"

#include "pipeline/base/log.h"
#include "tests/test.h"

static fv_rules rules;
static char logged[4000];

static void to_text(void *user, fv_log_level level, const char *text) {
    (void)user, (void)level;
    size_t n = strlen(logged);
    snprintf(logged + n, sizeof logged - n, "%s\n", text);
}

// All mistakes as text; "" when the rules are right.
static const char *load(fv_arena *arena, const char *source) {
    fv_err err = {0};
    logged[0] = 0;
    fv_log_set(FV_LOG_ERROR, to_text, NULL);
    if (!fv_rules_load(&rules, arena, source, &err))
        to_text(NULL, FV_LOG_ERROR, err.text);
    fv_log_set(FV_LOG_WARN, NULL, NULL);
    return logged;
}

static void every_kind_is_read(void) {
    fv_arena *a = fv_arena_create();
    CHECK_TEXT(
        load(
            a,
            "rules:\n"
            "  - {line: door, points: [[0.1, 0.5], [0.9, 0.5]], directions: [enter, exit], classes: person}\n"
            "  - {zone: yard, points: [[0, 0], [640, 0], [640, 480]], units: pixels, anchor: center, dwell: 10s, events: [dwell, enter], heading: 90}\n"
            "  - {zone: all}\n"
            "  - {when: busy, condition: 'count(yard) > 2', hold: 500ms}\n"
            "forget: 3s\n"),
        "");
    CHECK_EQUAL(rules.n, 4);
    CHECK_EQUAL(rules.forget_ns, 3000000000);
    const fv_rule *line = &rules.v[0], *zone = &rules.v[1], *when = &rules.v[3];
    CHECK(line->kind == FV_RULE_LINE && line->n_points == 2 && line->relative && line->events == 0);
    CHECK_NEAR(line->point[1][0], 0.9, 1e-6);
    CHECK_NEAR(line->hysteresis, FV_RULE_HYSTERESIS, 0);
    CHECK_TEXT(line->direction_names[0], "enter");
    CHECK_TEXT(line->classes[0], "person");
    CHECK(zone->kind == FV_RULE_ZONE && !zone->relative && zone->anchor == FV_ANCHOR_CENTER &&
          zone->has_heading);
    CHECK_EQUAL(zone->events, FV_EVENT_BIT(FV_EVENT_DWELL) | FV_EVENT_BIT(FV_EVENT_ENTER));
    CHECK_EQUAL(zone->dwell_ns, 10000000000);
    CHECK(rules.v[2].n_points == 0 && !rules.v[2].has_heading);
    CHECK_TEXT(when->when, "count(yard) > 2");
    CHECK_EQUAL(when->hold_ns, 500000000);
    fv_arena_destroy(&a);
}

static void a_bare_list_and_a_calibration(void) {
    fv_arena *a = fv_arena_create();
    CHECK_TEXT(load(a, "[{\"line\": \"a\", \"points\": [[0, 0], [1, 1]]}]"), "");
    CHECK(rules.n == 1 && !rules.calibration);
    CHECK_TEXT(
        load(
            a,
            "rules: [{zone: road, speed: 13.9}]\n"
            "calibration: {units: pixels, picture: [[1, 2], [3, 4], [5, 6], [7, 8]], ground: [[0, 0], [10, 0], [10, 10], [0, 10]]}\n"),
        "");
    CHECK(rules.calibration && !rules.calibration->relative);
    CHECK_NEAR(rules.calibration->ground[2][1], 10, 0);
    CHECK_NEAR(rules.v[0].speed_limit, 13.9, 1e-5);
    fv_arena_destroy(&a);
}

static void all_mistakes_in_one_pass(void) {
    fv_arena *a = fv_arena_create();
    const char *text = load(a, "rules:\n"
                               "  - {line: a, points: [[0, 0]]}\n"
                               "  - {line: b, points: [[0, 0], [2, 2]]}\n"
                               "  - {line: c, points: [[0, 0], [1, x]], dwell: 10s}\n"
                               "  - {zone: c, evnts: [enter]}\n"
                               "  - {zone: d, events: [entre, cross]}\n"
                               "  - {points: [[0, 0], [1, 1]]}\n"
                               "  - {zone: e, dwell: soon, overcrowding: -1, speed: 3}\n"
                               "  - {when: f}\n");
    CHECK_CONTAINS(text, "rules:2:23: error: a line needs at least 2 points");
    CHECK_CONTAINS(
        text,
        "rules:3:23: error: the point [2, 2] is outside 0..1; for pixels write `units: pixels`");
    CHECK_CONTAINS(text, "rules:4:36: error: points: expected a number, got 'x'");
    CHECK_CONTAINS(text, "rules:4:48: error: a line has no 'dwell'");
    CHECK_CONTAINS(text, "rules:5:15: error: unknown key 'evnts', did you mean 'events'?");
    CHECK_CONTAINS(text, "rules:5:12: error: there is another rule with the name 'c'");
    CHECK_CONTAINS(text, "rules:6:24: error: unknown event 'entre', did you mean 'enter'?");
    CHECK_CONTAINS(text, "rules:6:31: error: unknown event 'cross'; known are enter, leave");
    CHECK_CONTAINS(text, "rules:7:5: error: a rule begins with `line: NAME`");
    CHECK_CONTAINS(text, "rules:8:22: error: dwell: 'soon' is not a time");
    CHECK_CONTAINS(text, "rules:8:42: error: overcrowding: -1 is out of range");
    CHECK_CONTAINS(text, "rules:8:53: error: 'speed' needs a `calibration`");
    CHECK_CONTAINS(text, "rules:9:5: error: a `when` needs a `condition`");
    CHECK_CONTAINS(load(a, "/nowhere/rules.yaml"), "/nowhere/rules.yaml: error: cannot be read");
    CHECK_CONTAINS(load(a, "{rules: 3}"), "rules: expected a list");
    fv_arena_destroy(&a);
}

const fv_suite rules_suite = {"rules", (const fv_case[]){CASE(every_kind_is_read),
                                                         CASE(a_bare_list_and_a_calibration),
                                                         CASE(all_mistakes_in_one_pass),
                                                         {0}}};
