#include "tests/vision/rules_stage.h"

// Random walks against a count that shares no code with the rules.

static uint32_t seed;

static double random01(void) {
    seed = seed * 1664525u + 1013904223u;
    return (double)(seed >> 8) / (1 << 24);
}

// Rules see hundredths of a pixel.
static float hundredths(double v) {
    return (float)(round(v * 100) / 100);
}

// The line lies on y = 0 from x = -200 to 200 in a system of its own, turned by an angle; the brute
// force works in that system. It notes every change of sides and looks afterwards which of them were
// taken back: those with no detection on the other side that is `settle` or more younger.
typedef struct {
    uint64_t at, seen; // frames: of the change; of the last detection before the next one
    int way;
} side_change;

static void count_changes(const side_change *v, int n, int64_t settle_ns, bool repeat,
                          uint64_t wanted[2]) {
    for (int i = 0; i < n; i++) {
        bool stayed = (int64_t)(v[i].seen - v[i].at) * 40000000 >= settle_ns;
        if (!stayed && i + 1 < n && v[i + 1].way != v[i].way)
            i++; // both are nothing
        else if (repeat || !wanted[v[i].way])
            wanted[v[i].way]++;
    }
}

static void random_walk_over_a_line(int round, bool repeat) {
    static const int64_t settles[] = {0, 40000000, 150000000, FV_RULE_SETTLE_NS};
    double angle = random01() * 6.283, c = cos(angle), s = sin(angle);
    float points[][2] = {{(float)(500 - 200 * c), (float)(500 - 200 * s)},
                         {(float)(500 + 200 * c), (float)(500 + 200 * s)}};
    fv_rule r = door;
    r.relative = false, r.point = points, r.repeat = repeat, r.settle_ns = settles[round / 2 % 4];
    fv_watch *w = watch_of(&(fv_rules){1, &r, NULL, 0});
    double x = random01() * 400 - 200, y = random01() * 200 - 100;
    side_change changes[400];
    uint64_t wanted[2] = {0};
    int n_changes = 0, crossed = 0;
    bool was_clear = false, started = false;
    for (int i = 0; i < 400; i++) {
        double nx = x + random01() * 60 - 30, ny = y * 0.97 + random01() * 60 - 30;
        float px = hundredths(500 + nx * c - ny * s), py = hundredths(500 + nx * s + ny * c);
        nx = ((double)px - 500) * c + ((double)py - 500) * s; // where it is, to hundredths of a pixel
        ny = ((double)py - 500) * c - ((double)px - 500) * s;
        fv_object o = {.box = {px - 10, py - HEIGHT, 20, HEIGHT}, .score = 1, .label = 1, .id = 1};
        for (int unseen = random01() < 0.1 ? 4 : 0; unseen; unseen--)
            show(w, NULL, 0);
        show(w, &o, 1);
        if (started && (y < 0) != (ny < 0)) {
            double where = x + (nx - x) * (0 - y) / (ny - y);
            crossed += where < -200 || where > 200 ? 0 : y < 0 ? 1 : -1;
        }
        double beyond = fmax(0, fabs(nx) - 200);
        if (sqrt(beyond * beyond + ny * ny) >= 5) {
            if (was_clear && crossed)
                changes[n_changes++] = (side_change){.at = frame, .way = crossed > 0 ? 0 : 1};
            crossed = 0;
            was_clear = true;
        }
        if (n_changes)
            changes[n_changes - 1].seen = frame;
        x = nx, y = ny, started = true;
    }
    count_changes(changes, n_changes, r.settle_ns, repeat, wanted);
    n_seen += fv_watch_finish(w, seen + n_seen, 400);
    const fv_rule_count *n = fv_watch_counts(w);
    if (n->crossed[0] != wanted[0] || n->crossed[1] != wanted[1])
        fprintf(stderr, "walk %d: %d/%d instead of %d/%d\n", round, (int)n->crossed[0],
                (int)n->crossed[1], (int)wanted[0], (int)wanted[1]);
    CHECK(n->crossed[0] == wanted[0] && n->crossed[1] == wanted[1]);
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
        double ax = (double)v[i][0] - x, ay = (double)v[i][1] - y,
               bx = (double)v[(i + 1) % n][0] - x, by = (double)v[(i + 1) % n][1] - y;
        sum += atan2(ax * by - ay * bx, ax * bx + ay * by);
    }
    return fabs(sum) > 3;
}

static double nearest(float (*v)[2], int n, double x, double y) { // by walking along the border
    double least = 1e9;
    for (int i = 0; i < n; i++)
        for (int k = 0; k <= 2000; k++) {
            double t = k / 2000.0, bx = (double)v[i][0] * (1 - t) + (double)v[(i + 1) % n][0] * t,
                   by = (double)v[i][1] * (1 - t) + (double)v[(i + 1) % n][1] * t;
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
        float px = hundredths(x), py = hundredths(y);
        fv_object o = {.box = {px - 10, py - HEIGHT, 20, HEIGHT}, .score = 1, .label = 1, .id = 1};
        show(w, &o, 1);
        double distance = nearest(v, n, (double)px, (double)py);
        unsure |= fabs(distance - 5) < 0.1; // the walk along the border is coarse
        if (surrounded(v, n, (double)px, (double)py) != inside && distance >= 5) {
            inside = !inside;
            entered += inside, left += !inside;
        }
        x += (500 - x) * 0.02 + random01() * 120 - 60,
            y += (500 - y) * 0.02 + random01() * 120 - 60;
    }
    const fv_rule_count *c = fv_watch_counts(w);
    CHECK(unsure ||
          (c->entered == (uint64_t)entered && c->left == (uint64_t)left && c->inside == inside));
    fv_watch_destroy(&w);
}

static void random_walks_in_zones(void) {
    seed = 2;
    for (int i = 0; i < 60; i++)
        random_walk_in_a_zone();
}

static bool same_number(double a, double b) {
    return a == b || (isnan(a) && isnan(b));
}

static bool same_event(const fv_event *a, const fv_event *b) {
    bool same = a->id == b->id && !strcmp(a->event, b->event) && !strcmp(a->rule, b->rule) &&
                a->phase == b->phase && a->frame == b->frame && a->count == b->count &&
                same_number(a->value, b->value);
    for (int k = 0; k < 2; k++)
        same = same && same_number((double)a->before[k], (double)b->before[k]) &&
               same_number((double)a->after[k], (double)b->after[k]);
    return same;
}

// Stored tracks have hundredths of a pixel. They give what the live run gave, to the last digit.
static void stored_tracks_give_the_same_events(void) {
    static fv_event live[sizeof seen / sizeof seen[0]];
    const fv_calibration ground = {.relative = true,
                                   .picture = {{0, 0}, {1, 0}, {1, 1}, {0, 1}},
                                   .ground = {{0, 0}, {50, 0}, {50, 50}, {0, 50}}};
    fv_rule r[2] = {door, yard};
    r[0].repeat = true;
    r[1].n_points = 0;
    r[1].dwell_ns = r[1].stopped_ns = INT64_C(1000000000);
    r[1].update_ns = INT64_C(500000000);
    r[1].has_heading = true;
    r[1].speed_limit = 4;
    for (int round = 0; round < 20; round++) {
        int n_live = 0;
        for (int stored = 0; stored < 2; stored++) {
            fv_watch *w = watch_of(&(fv_rules){2, r, &ground, 0});
            double x = 500, y = 500, vx = 0, vy = 0;
            seed = 7 + (uint32_t)round;
            for (int i = 0; i < 400; i++) {
                bool rests = i % 100 > 60;
                vx = rests ? 0 : 0.95 * vx + random01() * 4 - 2;
                vy = rests ? 0 : 0.95 * vy + random01() * 4 - 2;
                x += vx, y += vy;
                fv_object o = at(1, x, y);
                o.box = stored ? fv_box_round(o.box) : o.box;
                show(w, &o, 1);
            }
            n_seen += fv_watch_finish(w, seen + n_seen, 100);
            fv_watch_destroy(&w);
            if (!stored)
                memcpy(live, seen, sizeof seen[0] * (size_t)(n_live = n_seen));
        }
        CHECK(n_live > 10 && count_of("wrong-way", -1) && count_of("stopped", -1));
        CHECK_EQUAL(n_seen, n_live);
        for (int i = 0; i < n_live && i < n_seen; i++)
            CHECK(same_event(&live[i], &seen[i]));
    }
}

const fv_suite walks_suite = {"walks",
                              (const fv_case[]){CASE(random_walks_over_lines),
                                                CASE(random_walks_in_zones),
                                                CASE(stored_tracks_give_the_same_events),
                                                {0}}};
