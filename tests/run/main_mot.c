// fovea track, fovea eval mot and fovea events, as a user runs them.
#include <stdarg.h>
#include <stdlib.h>

#include "tests/test.h"

static char dir[512], output[1 << 16];

static int fovea(const char *format, ...) __attribute__((format(printf, 1, 2)));

static int fovea(const char *format, ...) {
    char command[4096], arguments[3000];
    va_list args;
    va_start(args, format);
    vsnprintf(arguments, sizeof arguments, format, args);
    va_end(args);
    snprintf(command, sizeof command, "\"$FOVEA\" %s", arguments);
    return fv_test_shell(command, output, sizeof output);
}

static void put(const char *name, const char *text) {
    char path[700];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
}

static void set_up(void) {
    snprintf(dir, sizeof dir, "%s", fv_test_tmp("mot-commands"));
}

// A walker from left to right at 25 frames a second, as detections.
static void put_walker(void) {
    char text[8192] = "";
    for (int i = 1; i <= 50; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "%d,-1,%d,100,40,80,0.9,-1,-1,-1\n", i, 10 * i);
    put("det.txt", text);
}

static void detections_become_tracks_and_events(void) {
    set_up();
    put_walker();
    CHECK_EQUAL(fovea("track --det %s/det.txt --method ocsort --fps 25 -o %s/tracks.txt", dir, dir),
                0);
    put("rules.yaml",
        "rules:\n  - {line: door, points: [[0.5, 0], [0.5, 1]], directions: [west, east]}\n");
    CHECK_EQUAL(
        fovea(
            "events --tracks %s/tracks.txt --rules %s/rules.yaml --size 640x480 --fps 25 --summary",
            dir, dir),
        0);
    CHECK_CONTAINS(output, "\"event\":\"cross\",\"rule\":\"door\",\"phase\":\"moment\","
                           "\"direction\":\"east\",\"object\":{\"id\":1,\"label\":\"person\"");
    CHECK_CONTAINS(output, "line door: 0 west, 1 east");
    CHECK_EQUAL(
        fovea("events --tracks %s/tracks.txt --rules %s/rules.yaml --size 640x480 --explain 1", dir,
              dir),
        0);
    CHECK_CONTAINS(output, "crossed east from");
    CHECK_EQUAL(
        fovea(
            "events --tracks %s/tracks.txt --rules %s/rules.yaml --size 640x480 --report %s/report",
            dir, dir, dir),
        0);
    char path[700];
    snprintf(path, sizeof path, "%s/report/events.csv", dir);
    char *report = fv_test_read(path);
    CHECK_CONTAINS(report, "0,door,cross,east,1");
    free(report);
    CHECK_EQUAL(
        fovea("events --tracks %s/tracks.txt --rules %s/rules.yaml --size 640x480 --explain 77",
              dir, dir),
        2);
    CHECK_CONTAINS(output, "no confirmed object has the id 77");
}

static void json_lines_are_replayed(void) {
    set_up();
    char text[16384] = "";
    for (int i = 0; i < 50; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 "{\"schema\":\"fovea/"
                 "1\",\"type\":\"frame\",\"stream\":\"gate\",\"frame\":%d,\"pts_ns\":%d,\"width\":"
                 "640,\"height\":480,\"inference\":\"inferred\","
                 "\"objects\":[{\"id\":5,\"label\":\"dog\",\"label_id\":3,\"score\":0.9,\"box\":[%"
                 "d,100,40,80],\"state\":\"confirmed\",\"age\":1}]}\n",
                 i, i * 40000000, 10 * i);
    put("out.jsonl", text);
    put("rules.yaml", "rules:\n  - {zone: right, points: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]], "
                      "classes: [dog], dwell: 100ms}\n");
    CHECK_EQUAL(fovea("events --tracks %s/out.jsonl --rules %s/rules.yaml", dir, dir), 0);
    CHECK_CONTAINS(output, "\"stream\":\"gate\"");
    CHECK_CONTAINS(output, "\"event\":\"enter\",\"rule\":\"right\"");
    CHECK_CONTAINS(output, "\"event\":\"dwell\",\"rule\":\"right\",\"phase\":\"end\"");
    CHECK_EQUAL(
        fovea("events --tracks %s/out.jsonl --rules %s/rules.yaml --stream other", dir, dir), 2);
    CHECK_CONTAINS(output, "out.jsonl: no frames of stream other");
}

// What the command says of tracks that come through a pipe.
static int through_pipe(const char *before, const char *name) {
    char command[3000];
    snprintf(command, sizeof command, "cd %s && %s | \"$FOVEA\" events --tracks %s --rules rules.yaml --size 640x480", dir, before, name);
    return fv_test_shell(command, output, sizeof output);
}

// A pipe cannot go back: what it holds is read once, whichever form it has.
static void tracks_of_standard_input(void) {
    static const char *const files[] = {"tracks.txt", "out.jsonl"}, *const names[] = {"-", "/dev/stdin"};
    json_lines_are_replayed(); // writes out.jsonl and the rules
    put_walker();
    CHECK_EQUAL(fovea("track --det %s/det.txt --fps 25 -o %s/tracks.txt", dir, dir), 0);
    put("rules.yaml", "rules:\n  - {zone: right, points: [[0.5, 0], [1, 0], [1, 1], [0.5, 1]]}\n");
    for (int i = 0; i < 4; i++) {
        char before[40];
        snprintf(before, sizeof before, "cat %s", files[i / 2]);
        CHECK_EQUAL(through_pipe(before, names[i % 2]), 0);
        CHECK_CONTAINS(output, i < 2 ? "\"stream\":\"stdin\"" : "\"stream\":\"gate\"");
        CHECK_CONTAINS(output, "\"event\":\"enter\",\"rule\":\"right\"");
    }
    CHECK_EQUAL(through_pipe("echo nothing", "-"), 2);
    CHECK_CONTAINS(output, "/dev/stdin:1: not a MOTChallenge line");
    CHECK_EQUAL(through_pipe("printf '{'", "-"), 2);
    CHECK_CONTAINS(output, "/dev/stdin:1: ");
}

static void help_names_every_option(void) {
    CHECK_EQUAL(fovea("track --help"), 0);
    CHECK_CONTAINS(output, "--det ");
    CHECK_CONTAINS(output, "--match-iou-low ");
    CHECK_EQUAL(fovea("events --help"), 0);
    CHECK_CONTAINS(output, "--explain ");
}

// Every file of rules that comes with Fovea, over a walker.
static void rules_that_come_with_it(void) {
    set_up();
    put_walker();
    CHECK_EQUAL(fovea("track --det %s/det.txt --fps 25 -o %s/tracks.txt", dir, dir), 0);
    static const char *const files[] = {"count-people", "every-key", "intrusion", "traffic"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[128];
        snprintf(path, sizeof path, "config/rules/%s.yaml", files[i]);
        CHECK_EQUAL(fovea("events --tracks %s/tracks.txt --rules %s --size 640x480 --fps 25", dir,
                          fv_test_source(path)),
                    0);
        if (i == 2)
            CHECK_CONTAINS(output, "\"event\":\"enter\",\"rule\":\"yard\"");
    }
}

static void scores_of_a_perfect_result(void) {
    set_up();
    char command[3000];
    put_walker();
    snprintf(command, sizeof command,
             "mkdir -p %s/walk/gt && sed s/-1,/1,/ %s/det.txt > %s/walk/gt/gt.txt && cp "
             "%s/walk/gt/gt.txt %s/walk.txt",
             dir, dir, dir, dir, dir);
    CHECK_EQUAL(fv_test_shell(command, NULL, 0), 0);
    CHECK_EQUAL(fovea("eval mot --gt %s --result %s/walk.txt --json", dir, dir), 0);
    CHECK_CONTAINS(output,
                   "\"sequence\":\"walk\",\"mota\":1.000000,\"motp\":1.000000,\"idf1\":1.000000");
    CHECK_EQUAL(fovea("eval mot --gt %s/walk --result %s/walk.txt", dir, dir), 0);
    CHECK_CONTAINS(output, "walk             100.00 100.00 100.00");
}

static void bad_input_is_one_clear_line(void) {
    set_up();
    put_walker();
    put("bad.txt", "1,2,3\n");
    put("rules.yaml", "rules:\n  - {line: door, points: [[0.5, 0], [0.5, 1]]}\n");
    put("bad.yaml", "rules:\n  - {lin: door}\n");
    put("when.yaml", "rules:\n  - {when: w, condition: count(hall) > 1}\n");
    put("twice.txt", "2,1,0,0,5,5\n1,1,0,0,5,5\n2,3,0,0,5,5\n2,1,9,9,5,5\n");
    put("events.jsonl", "{\"schema\":\"fovea/1\",\"type\":\"event\"}\n");
    put("cut.jsonl", "{\"schema\":\"fovea/1\",\"type\":\"event\"}\n{\"schema\":\"fov");
    const struct {
        const char *format, *expected;
    } cases[] = {
        {"track --det %s/none.txt", "none.txt: No such file"},
        {"track --det %s/bad.txt", "bad.txt:1: not a MOTChallenge line"},
        {"track --det %s/det.txt --methd sort", "did you mean --method"},
        {"track --det %s/det.txt --match-iou 3", "match-iou"},
        {"track --det %s/det.txt --frames second-half", "needs seqLength"},
        {"track --det %s/det.txt -o /nonexistent/x.txt", "cannot be written"},
        {"eval mot --gt %s --result det.txt", "no ground truth for det"},
        {"eval cats %s", "'cats' cannot be evaluated"},
        {"events --tracks %s/det.txt", "give --tracks FILE and --rules FILE"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/none.txt", "none.txt: No such file"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/det.txt", "give --size"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/det.txt --size big", "write WIDTHxHEIGHT"},
        {"events --rules %1$s/rules.yaml --tracks %1$s", ": cannot be read: Is a directory"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/twice.txt --size 9x9",
         "twice.txt: two rows of frame 2 have the id 1"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/events.jsonl", "events.jsonl: no frames;"},
        {"events --rules %1$s/rules.yaml --tracks %1$s/cut.jsonl",
         "cut.jsonl:2: the last line is cut off"},
        {"events --rules %1$s/bad.yaml --tracks %1$s/det.txt", "did you mean 'line'"},
        {"events --rules %1$s/when.yaml --tracks %1$s/det.txt",
         "at column 7: there is no zone of this name"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char arguments[2000];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(arguments, sizeof arguments, cases[i].format, dir);
#pragma GCC diagnostic pop
        CHECK_EQUAL(fovea("%s", arguments), 2);
        CHECK_CONTAINS(output, cases[i].expected);
    }
}

static const fv_suite mot_suite = {"mot-commands",
                                   (const fv_case[]){CASE(detections_become_tracks_and_events),
                                                     CASE(json_lines_are_replayed),
                                                     CASE(tracks_of_standard_input),
                                                     CASE(help_names_every_option),
                                                     CASE(rules_that_come_with_it),
                                                     CASE(scores_of_a_perfect_result),
                                                     CASE(bad_input_is_one_clear_line),
                                                     {0}}};

int main(int argc, char **argv) {
    return fv_test_main(argc, argv, (const fv_suite *[]){&mot_suite, NULL});
}
