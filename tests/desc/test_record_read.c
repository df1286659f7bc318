#include "pipeline/desc/record_read.h"

#include <stdlib.h>

#include "pipeline/desc/record.h"
#include "tests/test.h"

static const char *const names[] = {"car", "person"};
static const fv_labels labels = {2, names};
static char path[600];

static void put(const char *text, const char *mode) {
    if (mode[0] == 'w')
        snprintf(path, sizeof path, "%s/records.jsonl", fv_test_tmp("records"));
    FILE *f = fopen(path, mode);
    fputs(text, f);
    fclose(f);
}

static void what_was_written_comes_back(void) {
    fv_object o[] = {{.box = {1.25f, 2.5f, 30, 40},
                      .score = 0.75f,
                      .label = 1,
                      .id = 9,
                      .state = FV_STATE_LOST,
                      .predicted = true,
                      .age = 12},
                     {.box = {-5, 0, 3, 4}, .score = 0.5f, .state = FV_STATE_TENTATIVE}};
    fv_record r = {.stream = "gate \"1\"",
                   .frame = 41,
                   .pts_ns = 1640000000,
                   .utc_ns = 1784035484592000000,
                   .utc_source = FV_UTC_NTP,
                   .width = 640,
                   .height = 480,
                   .inference = FV_PREDICTED,
                   .objects = {2, 2, o},
                   .labels = &labels};
    char *line = fv_record_frame_json(&r);
    put(line, "w");
    put("\n\n", "a");
    free(line);
    fv_event e = {.id = 1, .event = "cross", .rule = "door", .utc_ns = FV_TIME_NONE, .value = NAN};
    line = fv_record_event_json(&r, &e);
    put(line, "a");
    put("\n", "a");
    free(line);
    fv_err err = {0};
    fv_record_reader *reader = fv_record_reader_open(path, &err);
    const fv_record *b = fv_record_reader_next(reader, &err);
    CHECK_OK(b != NULL, err);
    CHECK_TEXT(b->stream, r.stream);
    CHECK(b->frame == 41 && b->pts_ns == r.pts_ns && b->utc_ns == r.utc_ns &&
          b->utc_source == FV_UTC_NTP && b->width == 640 && b->height == 480);
    CHECK(b->inference == FV_PREDICTED && b->objects.n == 2);
    CHECK(b->objects.v[0].id == 9 && b->objects.v[0].predicted &&
          b->objects.v[0].state == FV_STATE_LOST && b->objects.v[0].age == 12);
    CHECK_NEAR(b->objects.v[0].box.x, 1.25, 0);
    CHECK(b->objects.v[1].id == 0);
    CHECK_TEXT(fv_label_get(b->labels, 1), "person");
    CHECK(!fv_record_reader_next(reader, &err) && !err.code);
    fv_record_reader_destroy(&reader);
}

static void mistakes_have_a_line(void) {
    static const char *const bad[][2] = {
        {"{\"schema\":\"fovea/1\"\n", "records.jsonl:2:"},
        {"{\"schema\":\"fovea/1\"", "cut off"},
        {"[1,2]", "\"schema\" must be"},
        {"{\"schema\":\"fovea/2\",\"type\":\"frame\"}", "\"schema\" must be"},
        {"{\"schema\":\"fovea/1\",\"type\":\"frame\",\"stream\":\"s\",\"frame\":-1,\"objects\":[]}",
         "\"frame\" must be"},
        {"{\"schema\":\"fovea/"
         "1\",\"type\":\"frame\",\"stream\":\"s\",\"frame\":1,\"objects\":[{\"id\":0}]}",
         "\"id\" must be"},
        {"{\"schema\":\"fovea/"
         "1\",\"type\":\"frame\",\"stream\":\"s\",\"frame\":1,\"objects\":[{\"id\":1,\"label\":"
         "\"a\",\"label_id\":999999999,"
         "\"state\":\"lost\"}]}",
         "\"label_id\" must be"},
        {"{\"schema\":\"fovea/"
         "1\",\"type\":\"frame\",\"stream\":\"s\",\"frame\":1,\"objects\":[{\"id\":1,\"label\":"
         "\"a\",\"label_id\":1,"
         "\"state\":\"lost\",\"box\":[1,2,3]}]}",
         "\"box\" must be"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        fv_err err = {0};
        put("\n", "w");
        put(bad[i][0], "a");
        fv_record_reader *reader = fv_record_reader_open(path, &err);
        CHECK_FAILS(fv_record_reader_next(reader, &err), err, bad[i][1]);
        CHECK_CONTAINS(err.text, "records.jsonl:2");
        fv_record_reader_destroy(&reader);
    }
    fv_err err = {0};
    CHECK_FAILS(fv_record_reader_open("/nonexistent.jsonl", &err), err, "/nonexistent.jsonl");
}

static void put_frame(const char *mode, const char *stream, int frame, const char *pts,
                      const char *objects) {
    char line[1000];
    snprintf(line, sizeof line,
             "{\"schema\":\"fovea/1\",\"type\":\"frame\",\"stream\":\"%s\",\"frame\":%d,"
             "\"pts_ns\":%s,\"objects\":[%s]}\n",
             stream, frame, pts, objects);
    put(line, mode);
}

static int read_all(fv_err *err) {
    fv_record_reader *reader = fv_record_reader_open(path, err);
    int n = 0;
    while (fv_record_reader_next(reader, err))
        n++;
    fv_record_reader_destroy(&reader);
    return n;
}

#define OBJECT(id)                                                                                 \
    "{\"id\":" #id ",\"label\":\"a\",\"label_id\":0,\"state\":\"confirmed\",\"box\":[1,2,3,4]}"

static void order_within_a_stream(void) {
    fv_err err = {0};
    put_frame("w", "a", 7, "100", OBJECT(1) "," OBJECT(2) "," OBJECT(null) "," OBJECT(null));
    put_frame("a", "b", 3, "50", OBJECT(1)); // another stream has an order of its own
    put_frame("a", "a", 9, "null", "");
    put_frame("a", "a", 10, "100", "");
    CHECK_EQUAL(read_all(&err), 4);
    CHECK_EQUAL(err.code, FV_OK);
    put_frame("a", "a", 10, "200", "");
    CHECK_EQUAL(read_all(&err), 4);
    CHECK_CONTAINS(err.text, "records.jsonl:5: frame 10 of stream a comes after frame 10");
    put_frame("w", "a", 7, "100", "");
    put_frame("a", "a", 8, "null", "");
    put_frame("a", "a", 9, "99", "");
    CHECK_EQUAL(read_all(&err), 2);
    CHECK_CONTAINS(err.text, "records.jsonl:3: frame 9 of stream a goes back in time, from pts_ns "
                             "100 to 99");
    put_frame("w", "a", 7, "100", OBJECT(3) "," OBJECT(1) "," OBJECT(3));
    CHECK_EQUAL(read_all(&err), 0);
    CHECK_CONTAINS(err.text, "records.jsonl:1: two objects of frame 7 have the id 3");
}

// Times that 64 bits of nanoseconds do not hold are not known.
static void times_out_of_reach(void) {
    static const struct {
        const char *utc;
        int64_t ns;
    } rows[] = {{"1970-01-01T00:00:01.500000Z", 1500000000},   {"1969-12-31T23:59:59.000000Z", -1000000000},
                {"2261-12-31T00:00:00Z", 9214560000000000000}, {"2262-12-31T00:00:00Z", FV_TIME_NONE},
                {"1677-01-01T00:00:00Z", FV_TIME_NONE},        {"2026-01-01T00:00:1e300Z", FV_TIME_NONE},
                {"2026-01-01T00:00:nanZ", FV_TIME_NONE},       {"99999999999-01-01T00:00:00Z", FV_TIME_NONE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char line[300];
        snprintf(line, sizeof line,
                 "{\"schema\":\"fovea/1\",\"type\":\"frame\",\"stream\":\"s\",\"frame\":1,\"utc\":\"%s\",\"objects\":[]}\n",
                 rows[i].utc);
        put(line, "w");
        fv_err err = {0};
        fv_record_reader *reader = fv_record_reader_open(path, &err);
        const fv_record *r = fv_record_reader_next(reader, &err);
        CHECK_OK(r != NULL, err);
        if (r)
            CHECK_EQUAL(r->utc_ns, rows[i].ns);
        fv_record_reader_destroy(&reader);
    }
}

const fv_suite record_read_suite = {
    "record_read",
    (const fv_case[]){CASE(what_was_written_comes_back), CASE(mistakes_have_a_line),
                      CASE(order_within_a_stream), CASE(times_out_of_reach), {0}}};
