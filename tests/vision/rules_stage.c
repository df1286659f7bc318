#include "tests/vision/rules_stage.h"

static const char *const names[] = {"car", "person"};
const fv_labels stage_labels = {2, names};

fv_event seen[4096];
int n_seen;
uint64_t frame;
double fps;
int side;

float across[2][2] = {{0.2f, 0.5f}, {0.8f, 0.5f}};
const fv_rule door = {.name = "door",
                      .kind = FV_RULE_LINE,
                      .n_points = 2,
                      .point = across,
                      .relative = true,
                      .hysteresis = FV_RULE_HYSTERESIS,
                      .settle_ns = FV_RULE_SETTLE_NS,
                      .direction_names = {"in", "out"}};

static float square[][2] = {{0.4f, 0.4f}, {0.6f, 0.4f}, {0.6f, 0.6f}, {0.4f, 0.6f}};
const fv_rule yard = {.name = "yard",
                      .kind = FV_RULE_ZONE,
                      .n_points = 4,
                      .point = square,
                      .relative = true,
                      .hysteresis = FV_RULE_HYSTERESIS,
                      .update_ns = FV_RULE_UPDATE_NS};

fv_watch *watch_of(const fv_rules *rules) {
    fv_err err = {0};
    n_seen = 0;
    frame = 0;
    fps = 25;
    side = SIDE;
    fv_watch *w = fv_watch_create(rules, &stage_labels, &err);
    CHECK_OK(w, err);
    return w;
}

fv_object at(uint64_t id, double x, double y) {
    float scale = (float)side / SIDE;
    return (fv_object){
        .box = {((float)x - 10) * scale, ((float)y - HEIGHT) * scale, 20 * scale, HEIGHT * scale},
        .score = 0.9f,
        .label = 1,
        .id = id,
        .state = FV_STATE_CONFIRMED};
}

void show(fv_watch *w, const fv_object *objects, int n) {
    fv_object v[MAX];
    if (n)
        memcpy(v, objects, sizeof v[0] * (size_t)n);
    fv_record r = {.stream = "s",
                   .frame = frame,
                   .pts_ns = (int64_t)((double)frame * 1e9 / fps),
                   .utc_ns = FV_TIME_NONE,
                   .width = side,
                   .height = side,
                   .objects = {n, MAX, v},
                   .labels = &stage_labels};
    frame++;
    n_seen += fv_watch_update(w, &r, seen + n_seen, (int)(sizeof seen / sizeof seen[0]) - n_seen);
}

void step(fv_watch *w, double x, double y) {
    fv_object o = at(1, x, y);
    show(w, &o, 1);
}

void walk(fv_watch *w, double x0, double y0, double x1, double y1, int steps) {
    for (int i = 0; i <= steps; i++)
        step(w, x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps);
}

int count_of(const char *event, int phase) {
    int n = 0;
    for (int i = 0; i < n_seen; i++)
        n += !strcmp(seen[i].event, event) && (phase < 0 || seen[i].phase == (fv_phase)phase);
    return n;
}

const fv_event *first_of(const char *event, fv_phase phase) {
    for (int i = 0; i < n_seen; i++)
        if (!strcmp(seen[i].event, event) && seen[i].phase == phase)
            return &seen[i];
    static const fv_event none;
    return &none;
}
