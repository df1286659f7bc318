#include "pipeline/desc/record.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/test.h"

static const fv_labels labels = {2, (const char *const[]){"person", "caf\xc3\xa9 \"x\""}};

static fv_object car(void) {
    return (fv_object){.box = {10.004f, 20.5f, 30, 40},
                       .score = 0.87654f,
                       .label = 1,
                       .id = 7,
                       .state = FV_STATE_CONFIRMED,
                       .age = 12};
}

static fv_record gate(fv_object *objects, int n) {
    return (fv_record){.stream = "gate",
                       .frame = 3,
                       .pts_ns = 100100000,
                       .utc_ns = 1763828705000123456,
                       .utc_source = FV_UTC_ARRIVAL,
                       .width = 100,
                       .height = 200,
                       .inference = FV_INFERRED,
                       .objects = {n, n, objects},
                       .labels = &labels};
}

static void frame_is_one_known_line(void) {
    fv_object o = car();
    fv_record r = gate(&o, 1);
    char *line = fv_record_frame_json(&r);
    CHECK_TEXT(
        line,
        "{\"schema\":\"fovea/1\",\"type\":\"frame\",\"stream\":\"gate\",\"frame\":3,\"pts_ns\":100100000,"
        "\"utc\":\"2025-11-22T16:25:05.000123Z\",\"utc_source\":\"arrival\",\"width\":100,\"height\":200,"
        "\"inference\":\"inferred\",\"objects\":[{\"id\":7,\"label\":\"caf\xc3\xa9 \\\"x\\\"\",\"label_id\":1,"
        "\"score\":0.8765,\"box\":[10.0,20.5,30.0,40.0],\"box_norm\":[0.10004,0.1025,0.3,0.2],"
        "\"state\":\"confirmed\",\"predicted\":false,\"age\":12}]}");
    free(line);
}

static void unknown_is_null(void) {
    fv_object o = car();
    o.id = 0;
    o.box.x = -0.001f;
    fv_record r = gate(&o, 1);
    r.pts_ns = r.utc_ns = FV_TIME_NONE;
    char *line = fv_record_frame_json(&r);
    CHECK_CONTAINS(line, "\"pts_ns\":null,\"utc\":null,\"utc_source\":\"none\"");
    CHECK_CONTAINS(line, "\"id\":null");
    CHECK_CONTAINS(line, "\"box\":[0.0,");
    free(line);
}

static void event_takes_its_own_time(void) {
    fv_record r = gate(NULL, 0);
    fv_event e = {.id = 4,
                  .event = "cross",
                  .rule = "door",
                  .direction = "in",
                  .has_object = true,
                  .object = car(),
                  .before = {1, 2},
                  .after = {NAN, NAN},
                  .count = -1,
                  .value = 2.5,
                  .frame = 9,
                  .pts_ns = 300,
                  .utc_ns = FV_TIME_NONE};
    char *line = fv_record_event_json(&r, &e);
    CHECK_CONTAINS(
        line,
        "\"frame\":9,\"pts_ns\":300,\"utc\":null,\"utc_source\":\"none\",\"id\":4,\"event\":\"cross\",\"rule\":\"door\","
        "\"phase\":\"moment\",\"direction\":\"in\",\"object\":{\"id\":7,");
    CHECK_CONTAINS(line, "\"before\":[1.0,2.0],\"after\":null,\"count\":null,\"value\":2.5}");
    free(line);
}

// Texts that are not UTF-8 and times before 1970 still give valid lines.
static void every_line_follows_the_schema(void) {
    fv_object o[2] = {car(), car()};
    o[1].label = 44;
    o[1].n_keypoints = 2;
    o[1].keypoint[1][0] = NAN;
    char path[1100], command[3000], output[2000];
    snprintf(path, sizeof path, "%s/lines.jsonl", fv_test_tmp("record"));
    FILE *f = fopen(path, "w");
    fv_record r = gate(o, 2);
    fv_event e = {.event = "dwell",
                  .rule = "caf\xe9",
                  .count = 3,
                  .value = NAN,
                  .before = {NAN},
                  .after = {1, 2},
                  .utc_ns = -1};
    char *lines[] = {fv_record_frame_json(&r), fv_record_event_json(&r, &e)};
    for (int i = 0; i < 2; i++) {
        CHECK(lines[i] && !strchr(lines[i], '\n'));
        fprintf(f, "%s\n", lines[i]);
        free(lines[i]);
    }
    fclose(f);
    snprintf(command, sizeof command, "/usr/bin/python3 %s %s %s",
             fv_test_source("tests/schema.py"), fv_test_source("config/schema/record.schema.json"),
             path);
    CHECK_EQUAL(fv_test_shell(command, output, sizeof output), 0);
    CHECK_CONTAINS(output, "2 lines follow the schema");
}

const fv_suite record_suite = {"record", (const fv_case[]){CASE(frame_is_one_known_line),
                                                           CASE(unknown_is_null),
                                                           CASE(event_takes_its_own_time),
                                                           CASE(every_line_follows_the_schema),
                                                           {0}}};
