// The ready descriptions on real videos. What happens there was first counted by eye
// (config/seen.md); tests/run/seen/ holds what the program says, and beside it what was seen.
#include <jansson.h>
#include <stdlib.h>

#include "tests/test.h"

enum { MAX_EVENTS = 128, MAX_OFF = 8 }; // MAX_OFF: frames that another device's rounding may cost

typedef struct {
    int frame;
    char text[96]; // "cross,moment,door,in"
    bool met;
} happening;

typedef struct {
    int n;
    happening v[MAX_EVENTS];
} happenings;

static void add(happenings *list, int frame, const char *event, const char *phase, const char *rule,
                const char *direction) {
    if (list->n == MAX_EVENTS)
        return;
    happening *h = &list->v[list->n++];
    h->frame = frame;
    snprintf(h->text, sizeof h->text, "%s,%s,%s,%s", event, phase, rule, direction);
}

static void read_seen(happenings *list, const char *name) {
    char path[128], line[256];
    snprintf(path, sizeof path, "tests/run/seen/%s.csv", name);
    FILE *f = fopen(fv_test_source(path), "r");
    CHECK(f != NULL);
    list->n = 0;
    while (f && fgets(line, sizeof line, f)) {
        char *rest = line, *field[5] = {0};
        for (int i = 0; i < 5; i++)
            field[i] = strsep(&rest, ",");
        if (line[0] != '#' && rest)
            add(list, atoi(field[0]), field[1], field[2], field[3], field[4]);
    }
    if (f)
        fclose(f);
}

static const char *text_of(const json_t *record, const char *key) {
    const char *text = json_string_value(json_object_get(record, key));
    return text ? text : "";
}

// Moments and starts; without the running count of a room, which nobody can check by eye.
static void read_told(happenings *list, const char *path) {
    FILE *f = fopen(path, "r");
    static char line[1 << 16];
    CHECK(f != NULL);
    list->n = 0;
    while (f && fgets(line, sizeof line, f)) {
        json_t *r = json_loads(line, 0, NULL);
        const char *event = text_of(r, "event"), *phase = text_of(r, "phase");
        if (strcmp(event, "count") != 0 && (!strcmp(phase, "moment") || !strcmp(phase, "start")))
            add(list, (int)json_integer_value(json_object_get(r, "frame")), event, phase,
                text_of(r, "rule"), text_of(r, "direction"));
        json_decref(r);
    }
    if (f)
        fclose(f);
}

static void compare(happenings *seen, happenings *told) {
    for (int off = 0; off <= MAX_OFF; off++)
        for (int i = 0; i < seen->n; i++)
            for (int k = 0; k < told->n && !seen->v[i].met; k++)
                if (!told->v[k].met && !strcmp(seen->v[i].text, told->v[k].text) &&
                    abs(seen->v[i].frame - told->v[k].frame) <= off)
                    seen->v[i].met = told->v[k].met = true;
    CHECK(seen->n > 0);
    CHECK_EQUAL(told->n, seen->n);
    for (int i = 0; i < seen->n; i++)
        if (!seen->v[i].met)
            printf("     not told: frame %d %s\n", seen->v[i].frame, seen->v[i].text);
    for (int i = 0; i < told->n; i++)
        if (!told->v[i].met)
            printf("     told, not seen: frame %d %s\n", told->v[i].frame, told->v[i].text);
}

static void run(const char *description, const char *stream, const char *video, const char *summary) {
    static happenings seen, told;
    char shared[2][1024], command[6000], output[8192], path[700];
    const char *v = fv_test_shared(video), *m = v ? fv_test_shared("models/yolox_nano.onnx") : NULL;
    if (!m)
        return;
    snprintf(shared[0], sizeof shared[0], "%s", v);
    snprintf(shared[1], sizeof shared[1], "%s", m);
    const char *tmp = fv_test_tmp(stream);
    snprintf(command, sizeof command,
             "cd %s && INPUT=%s \"$FOVEA\" run %s --set streams.%s.detect.model=%s > %s.jsonl", tmp,
             shared[0], fv_test_source(description), stream, shared[1],
             !strcmp(stream, "intrusion") ? stream : "nothing");
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_CONTAINS(output, summary);
    snprintf(path, sizeof path, "%s/%s.jsonl", tmp, stream);
    read_seen(&seen, stream);
    read_told(&told, path);
    compare(&seen, &told);
}

static void people_in_a_hall(void) {
    run("config/count-people.yaml", "people", "video/pt_people_topdown.mp4",
        "people: rules: door in 9, out 9; room inside ");
}

static void vehicles_on_a_motorway(void) {
    run("config/traffic.yaml", "traffic", "video/canersu_highway.mp4",
        "traffic: rules: road toward 23, away 0; lanes inside ");
}

static void visitors_one_by_one(void) {
    run("config/intrusion.yaml", "intrusion", "video/intel_one-by-one-person-detection.mp4",
        "intrusion: objects: person ");
}

// With the detector that comes with it, on the sample clip: as a user starts, it runs.
static void they_run_as_they_are(void) {
    static const char *const streams[][2] = {{"count-people", "people"}, {"traffic", "traffic"},
                                             {"intrusion", "intrusion"}};
    char command[2048], output[8192], told[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(command, sizeof command,
                 "cd %s && \"$FOVEA\" run %s/%s.yaml --set streams.%s.source.frames=20",
                 fv_test_tmp("as-they-are"), fv_test_source("config"), streams[i][0], streams[i][1]);
        snprintf(told, sizeof told, "%s: 20 frames decoded = ", streams[i][1]);
        CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
        CHECK_CONTAINS(output, told);
    }
}

const fv_suite seen_suite = {"seen", (const fv_case[]){CASE(people_in_a_hall),
                                                       CASE(vehicles_on_a_motorway),
                                                       CASE(visitors_one_by_one),
                                                       CASE(they_run_as_they_are),
                                                       {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&seen_suite, NULL});
}
