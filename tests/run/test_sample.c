// The sample clip through the default detector: what is on it is known exactly, because it was drawn.
#include <jansson.h>
#include <stdlib.h>

#include "pipeline/base/value.h"
#include "tests/test.h"

enum { MAX_BOXES = 16384, MAX_FRAMES = 700, MUST_SEE = 50 }; // MUST_SEE: percent of a figure that is visible

typedef struct {
    int frame, label; // 0 person, 2 car
    fv_box box;
    bool must, matched;
} seen_box;

typedef struct {
    int n;
    seen_box v[MAX_BOXES];
} box_list;

static bool truth_load(box_list *list) {
    FILE *f = fopen(fv_test_source("samples/street_boxes.csv"), "r");
    int frame, id, class;
    float visibility;
    fv_box b;
    list->n = 0;
    while (f && list->n < MAX_BOXES &&
           fscanf(f, "%d,%d,%f,%f,%f,%f,1,%d,%f\n", &frame, &id, &b.x, &b.y, &b.w, &b.h, &class, &visibility) == 8)
        list->v[list->n++] = (seen_box){frame - 1, class == 1 ? 0 : 2, fv_box_clip(b, 640, 360), visibility * 100 >= MUST_SEE, false};
    if (f)
        fclose(f);
    return list->n > 0;
}

typedef struct {
    char text[256][64]; // "cross gate right"
    int n;
} event_list;

static void event_add(event_list *list, const char *event, const char *rule, const char *direction) {
    bool kind = !strcmp(event, "cross") || !strcmp(event, "enter") || !strcmp(event, "leave");
    if (kind && list->n < 256)
        snprintf(list->text[list->n++], 64, "%s %s %s", event, rule, direction);
}

static int event_count(const event_list *list, const char *text) {
    int n = 0;
    for (int i = 0; i < list->n; i++)
        n += !strcmp(list->text[i], text);
    return n;
}

static void events_load(event_list *list) {
    FILE *f = fopen(fv_test_source("samples/street_events.csv"), "r");
    char line[128], event[32], rule[32], direction[32];
    list->n = 0;
    while (f && fgets(line, sizeof line, f)) {
        direction[0] = 0;
        if (sscanf(line, "%*d,%*d,%31[^,],%31[^,],%31[^\n]", event, rule, direction) >= 2)
            event_add(list, event, rule, direction);
    }
    if (f)
        fclose(f);
}

static const char *text_of(json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static void objects_read(json_t *record, box_list *found) {
    size_t i;
    json_t *object;
    int frame = (int)json_integer_value(json_object_get(record, "frame"));
    json_array_foreach(json_object_get(record, "objects"), i, object) {
        json_t *box = json_object_get(object, "box");
        float v[4];
        for (size_t k = 0; k < 4; k++)
            v[k] = (float)json_number_value(json_array_get(box, k));
        if (strcmp(text_of(object, "state"), "confirmed") || json_is_true(json_object_get(object, "predicted")) || found->n == MAX_BOXES)
            continue;
        found->v[found->n++] = (seen_box){frame, (int)json_integer_value(json_object_get(object, "label_id")),
                                          fv_box_clip((fv_box){v[0], v[1], v[2], v[3]}, 640, 360), true, false};
    }
}

static int records_load(const char *path, box_list *found, event_list *events) {
    FILE *f = fopen(path, "r");
    static char line[1 << 16];
    int frames = 0;
    found->n = events->n = 0;
    while (f && fgets(line, sizeof line, f)) {
        json_t *record = json_loads(line, 0, NULL);
        CHECK(record != NULL);
        if (!strcmp(text_of(record, "type"), "frame"))
            frames++, objects_read(record, found);
        else
            event_add(events, text_of(record, "event"), text_of(record, "rule"), text_of(record, "direction"));
        json_decref(record);
    }
    if (f)
        fclose(f);
    return frames;
}

// Greedy by overlap within a frame; every box answers for one other.
static void boxes_match(box_list *truth, box_list *found) {
    for (int i = 0; i < found->n; i++) {
        seen_box *f = &found->v[i], *best = NULL;
        float best_iou = 0.5f;
        for (int k = 0; k < truth->n; k++) {
            seen_box *t = &truth->v[k];
            if (t->frame != f->frame || t->label != f->label || t->matched || fv_box_iou(t->box, f->box) < best_iou)
                continue;
            best = t, best_iou = fv_box_iou(t->box, f->box);
        }
        if (best)
            best->matched = f->matched = true, f->must = best->must;
    }
}

// Share of the boxes that must be matched and are.
static double share(const box_list *list) {
    int n = 0, matched = 0;
    for (int i = 0; i < list->n; i++)
        if (list->v[i].must)
            n++, matched += list->v[i].matched;
    return n ? (double)matched / n : 0;
}

static void events_compare(const event_list *reported, const event_list *drawn) {
    CHECK(drawn->n > 20);
    CHECK_EQUAL(reported->n, drawn->n);
    for (int i = 0; i < drawn->n; i++) {
        int told = event_count(reported, drawn->text[i]), true_number = event_count(drawn, drawn->text[i]);
        if (told != true_number)
            printf("     %s: %d reported, %d drawn\n", drawn->text[i], told, true_number);
        CHECK(told == true_number);
    }
}

// The summary and the report say the same totals.
static void totals_check(const char *summary, const event_list *drawn, const char *tmp) {
    char text[256], path[600];
    snprintf(text, sizeof text, "rules: gate right %d, left %d; road right %d, left %d; yard inside ",
             event_count(drawn, "cross gate right"), event_count(drawn, "cross gate left"),
             event_count(drawn, "cross road right"), event_count(drawn, "cross road left"));
    CHECK_CONTAINS(summary, text);
    snprintf(path, sizeof path, "%s/report/events.csv", tmp);
    char *events = fv_test_read(path);
    snprintf(text, sizeof text, "0,gate,cross,right,%d\n", event_count(drawn, "cross gate right"));
    CHECK_CONTAINS(events, text);
    free(events);
}

// The stored tracks through the same rules without the video: the same lines, the same report.
static void replay_is_the_same(const char *tmp) {
    char command[2048], output[4096];
    snprintf(command, sizeof command,
             "cd %s && $FOVEA events --tracks a.jsonl --rules %s -o again.jsonl --report again && "
             "grep '\"type\":\"event\"' a.jsonl | cmp - again.jsonl && diff -r report again",
             tmp, fv_test_source("samples/street_rules.yaml"));
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_TEXT(output, "");
}

static void boxes_and_events_are_those_that_were_drawn(void) {
    static box_list truth, found;
    static event_list drawn, reported;
    const char *tmp = fv_test_tmp("sample");
    char command[2048], output[4096];
    snprintf(command, sizeof command, "$FOVEA annotate %s -o %s/a.mp4 --events %s/a.jsonl --trails --report %s/report --rules %s",
             fv_test_source("samples/street.mp4"), tmp, tmp, tmp, fv_test_source("samples/street_rules.yaml"));
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_CONTAINS(output, "600 frames decoded = 600 inferred");
    CHECK(truth_load(&truth));
    events_load(&drawn);
    snprintf(command, sizeof command, "%s/a.jsonl", tmp);
    CHECK_EQUAL(records_load(command, &found, &reported), 600);
    boxes_match(&truth, &found);
    printf("     recall %.3f of %d boxes, precision %.3f of %d\n", share(&truth), truth.n, share(&found), found.n);
    CHECK(share(&truth) >= 0.9);
    CHECK(share(&found) >= 0.9);
    events_compare(&reported, &drawn);
    totals_check(output, &drawn, tmp);
    replay_is_the_same(tmp);
}

const fv_suite sample_suite = {"sample", (const fv_case[]){CASE(boxes_and_events_are_those_that_were_drawn), {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&sample_suite, NULL});
}
