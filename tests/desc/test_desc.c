#define _GNU_SOURCE
#include "pipeline/desc/desc.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/test.h"

// Rows that stand in for the elements' properties.
typedef struct {
    int every;
    float threshold;
    const char *text;
    int64_t time;
    bool flag;
} any;

static const char *const methods[] = {"sort", "bytetrack", NULL};
static const fv_option detect_rows[] = {FV_OPTION_STRING(any, text, "model", NULL, ""),
                                        FV_OPTION_STRING(any, text, "card", NULL, ""),
                                        FV_OPTION_STRING(any, text, "labels", NULL, ""),
                                        FV_OPTION_STRING(any, text, "classes", NULL, ""),
                                        FV_OPTION_INT(any, every, "every", 1, 100, 1, ""),
                                        FV_OPTION_FLOAT(any, threshold, "threshold", 0, 1, 0, ""),
                                        {0}};
static const fv_option track_rows[] = {FV_OPTION_ENUM(any, every, "method", methods, 0, ""), {0}};
static const fv_option src_rows[] = {FV_OPTION_STRING(any, text, "uri", NULL, ""),
                                     FV_OPTION_TIME(any, time, "timeout", 0, 60e9, 0, ""),
                                     {0}};
static const fv_option overlay_rows[] = {FV_OPTION_BOOL(any, flag, "trails", false, ""), {0}};
static const fv_option publish_rows[] = {FV_OPTION_STRING(any, text, "to", NULL, ""),
                                         FV_OPTION_STRING(any, text, "format", NULL, ""),
                                         FV_OPTION_STRING(any, text, "what", NULL, ""),
                                         FV_OPTION_BOOL(any, flag, "append", false, ""),
                                         {0}};

static const fv_option *rows_of(void *user, const char *element) {
    static const struct {
        const char *name;
        const fv_option *rows;
    } table[] = {{"fvdetect", detect_rows},
                 {"fvtrack", track_rows},
                 {"fvsrc", src_rows},
                 {"fvoverlay", overlay_rows},
                 {"fvpublish", publish_rows}};
    (void)user;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (!strcmp(table[i].name, element))
            return table[i].rows;
    return NULL;
}

static fv_arena *arena;
static fv_desc desc;
static char folder[1024];

static void touch(const char *name) {
    char path[1200];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    fputs("x\n", f);
    fclose(f);
}

// The mistakes as text.
static const char *read_with(const char *text, const char *assignment) {
    snprintf(folder, sizeof folder, "%s", fv_test_tmp("desc"));
    touch("in.mp4");
    touch("m.onnx");
    touch("b.onnx");
    fv_arena_destroy(&arena);
    arena = fv_arena_create();
    fv_yaml *y = fv_yaml_create(arena);
    fv_yaml_node *root = fv_yaml_parse(y, "d.yaml", folder, text, NULL);
    if (root && assignment)
        fv_yaml_set(y, &root, assignment);
    if (root)
        fv_desc_read(&desc, &(fv_schema_reader){.yaml = y, .rows = rows_of}, root);
    return fv_yaml_report(y);
}

static const char *read_text(const char *text) {
    return read_with(text, NULL);
}

static const fv_desc_stream *stream(int i) {
    return (const fv_desc_stream *)desc.streams.v + i;
}

static const char *setting(const fv_settings *s, const char *name) {
    const fv_setting *found = fv_settings_find(s, name);
    return found ? found->text : NULL;
}

static void short_forms(void) {
    CHECK_TEXT(
        read_text(
            "fovea: 1\nstreams:\n- {source: in.mp4, detect: m.onnx, track: sort, overlay: true, outputs: [{file: o.mp4}, {publish: '-'}]}\n"),
        "");
    const fv_desc_stream *s = stream(0);
    char path[1200];
    snprintf(path, sizeof path, "%s/in.mp4", folder);
    CHECK_TEXT(s->name, "in");
    CHECK_TEXT(setting(s->source, "uri"), path);
    CHECK_TEXT(setting(s->track, "method"), "sort");
    CHECK(s->overlay && s->overlay->n == 0 && !s->events);
    const fv_desc_output *o = s->outputs.v;
    CHECK(s->outputs.n == 2 && o[0].file && !o[0].publish && o[1].publish);
    CHECK(o[0].file->audio && o[0].file->quality == 60 && o[0].file->path[0] == '/');
    CHECK_TEXT(setting(o[1].publish, "to"), "-");
}

// A folder: one that is there, or one whose parent is.
static void reports_go_to_folders(void) {
    CHECK_TEXT(read_text("fovea: 1\nstreams:\n- {source: in.mp4, detect: m.onnx, track: sort, report: new, "
                         "outputs: [{publish: '-'}]}\n"),
               "");
    char path[1200];
    snprintf(path, sizeof path, "%s/new", folder);
    CHECK_TEXT(stream(0)->report, path);
    const char *report = read_text("fovea: 1\nstreams:\n- {name: a, source: in.mp4, detect: m.onnx, "
                                   "track: sort, report: no/new, outputs: [{publish: '-'}]}\n"
                                   "- {name: b, source: in.mp4, report: in.mp4, outputs: [{publish: '-'}]}\n");
    CHECK_CONTAINS(report, "no is not there; make it first");
    CHECK_CONTAINS(report, "in.mp4: is a file; give the name of a folder");
    CHECK_CONTAINS(report, "report needs `track:`");
}

// One folder for two streams, however it is written, and whether it is there or not.
static void a_report_is_one_streams(void) {
    static const char *const same[][2] = {{"new", "new"}, {"new", "./new/"}, {"rep", "rep/."}};
    char path[1200];
    snprintf(path, sizeof path, "%s/rep", folder);
    CHECK(!mkdir(path, 0755));
    for (size_t i = 0; i <= sizeof same / sizeof same[0]; i++) {
        bool is_last = i == sizeof same / sizeof same[0];
        char text[600];
        snprintf(text, sizeof text,
                 "fovea: 1\nstreams:\n"
                 "- {name: a, source: in.mp4, detect: m.onnx, track: sort, report: %s, outputs: [{publish: '-'}]}\n"
                 "- {name: b, source: in.mp4, detect: m.onnx, track: sort, report: %s, outputs: [{publish: x}]}\n",
                 is_last ? "rep" : same[i][0], is_last ? "new" : same[i][1]);
        const char *report = read_text(text);
        if (is_last)
            CHECK_TEXT(report, "");
        else
            CHECK_CONTAINS(report, "is the report of stream a already; give each a folder");
    }
    rmdir(path);
}

static void long_forms_and_models(void) {
    CHECK_TEXT(read_text("fovea: 1\n"
                         "models: {street: {file: m.onnx, threshold: 0.4, every: 2}}\n"
                         "streams:\n"
                         "- name: gate\n"
                         "  source: {uri: 'rtsp://cam/1', timeout: 10s}\n"
                         "  detect: {model: street, every: 3, classes: [person, car]}\n"
                         "  track: {method: bytetrack}\n"
                         "  events: [{line: a, points: [[0, 0], [1, 1]]}]\n"
                         "  overlay: false\n"
                         "  outputs: [{file: {path: o.mkv, codec: vp9, audio: no}}]\n"),
               "");
    const fv_desc_stream *s = stream(0);
    char path[1200];
    snprintf(path, sizeof path, "%s/m.onnx", folder);
    CHECK_TEXT(setting(s->detect, "model"), path);
    CHECK_TEXT(setting(s->detect, "every"), "3");
    CHECK_TEXT(setting(s->detect, "threshold"), "0.4");
    CHECK_TEXT(setting(s->detect, "classes"), "person,car");
    CHECK(!s->overlay);
    CHECK_TEXT(s->events, "[{\"line\": \"a\", \"points\": [[0, 0], [1, 1]]}]");
    const fv_desc_file *f = ((const fv_desc_output *)s->outputs.v)->file;
    CHECK(f->codec == FV_CODEC_VP9 && !f->audio);
}

static void assignments_win(void) {
    CHECK_TEXT(
        read_with(
            "fovea: 1\nstreams:\n- {name: gate, source: in.mp4, detect: m.onnx, outputs: [{publish: '-'}]}\n",
            "streams.gate.detect.every=7"),
        "");
    CHECK_TEXT(setting(stream(0)->detect, "every"), "7");
    CHECK_CONTAINS(setting(stream(0)->detect, "model"), "m.onnx");
    CHECK_CONTAINS(
        read_with(
            "fovea: 1\nstreams:\n- {name: gate, source: in.mp4, detect: m.onnx, outputs: [{publish: '-'}]}\n",
            "streams.gate.detect.every=700"),
        "--set:1:27: error: every: 700 is out of range, allowed is 1 to 100\n    streams.gate.detect.every=700\n                              ^");
}

static void all_mistakes_in_one_pass(void) {
    const char *report = read_text("fovea: 2\n"
                                   "model: {}\n"
                                   "models: {street: none.onnx}\n"
                                   "streams:\n"
                                   "- name: gate way\n"
                                   "  source: nowhere.mp4\n"
                                   "  detect: {model: stret, treshold: 0.4, every: often}\n"
                                   "  track: kcf\n"
                                   "  outputs:\n"
                                   "  - file: missing/o.mp4\n"
                                   "  - file: o.avi\n"
                                   "  - publish: {too: x}\n"
                                   "- source: .\n"
                                   "  events: none.yaml\n"
                                   "  outputs: []\n"
                                   "- outputs: 3\n"
                                   "  sorce: in.mp4\n");
    CHECK_CONTAINS(report,
                   "d.yaml:1:8: error: version 2 of the format is not known; this Fovea reads 1");
    CHECK_CONTAINS(
        report,
        "d.yaml:2:1: error: unknown key 'model', did you mean 'models'?\n    model: {}\n    ^\n");
    CHECK_CONTAINS(report, "d.yaml:3:18: error: ");
    CHECK_CONTAINS(report, "none.onnx: cannot be read: No such file or directory");
    CHECK_CONTAINS(report, "d.yaml:5:9: error: name: 'gate way' must be");
    CHECK_CONTAINS(report, "d.yaml:6:11: error: ");
    CHECK_CONTAINS(report, "d.yaml:7:19: error: unknown model 'stret', did you mean 'street'?");
    CHECK_CONTAINS(report, "d.yaml:7:26: error: unknown key 'treshold', did you mean 'threshold'?");
    CHECK_CONTAINS(report, "d.yaml:7:48: error: every: 'often' is not a whole number");
    CHECK_CONTAINS(report, "d.yaml:8:10: error: method: 'kcf' is not one of sort, bytetrack");
    CHECK_CONTAINS(report, "d.yaml:10:11: error: ");
    CHECK_CONTAINS(report, "missing is not there; make it first");
    CHECK_CONTAINS(report,
                   "d.yaml:11:11: error: o.avi: the ending says the container; known are .mp4");
    CHECK_CONTAINS(report, "d.yaml:12:15: error: unknown key 'too', did you mean 'to'?");
    CHECK_CONTAINS(report, "is a folder, not a file");
    CHECK_CONTAINS(report, "none.yaml: error: cannot be read");
    CHECK_CONTAINS(report, "d.yaml:14:11: error: events need `track:`");
    CHECK_CONTAINS(report, "d.yaml:15:12: error: outputs: at least 1 needed, got 0");
    CHECK_CONTAINS(report, "d.yaml:16:3: error: the stream lacks 'source'");
    CHECK_CONTAINS(report, "d.yaml:16:12: error: outputs: expected a list");
    CHECK_CONTAINS(report, "d.yaml:17:3: error: unknown key 'sorce', did you mean 'source'?");
}

static void outputs_do_not_collide(void) {
    CHECK_CONTAINS(read_text("fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: in.mp4}]}\n"),
                   "is the source; write to another file");
    CHECK_CONTAINS(
        read_text(
            "fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: a.mp4}, {publish: a.mp4}]}\n"),
        "is written by another output already");
    CHECK_CONTAINS( // by another way, before it is there
        read_text("fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: a.mp4}]}\n"
                  "- {source: in.mp4, name: b, outputs: [{file: ./a.mp4}]}\n"),
        "./a.mp4 is written by another output already");
    CHECK_CONTAINS(
        read_text("fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: a.mp4, publish: b}]}\n"),
        "an output is one of file, publish and display");
    CHECK_CONTAINS(
        read_text(
            "fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{file: {path: a.webm, codec: h264}}]}\n"),
        "d.yaml:3:59: error: .webm cannot hold h264");
    CHECK_CONTAINS(
        read_text(
            "fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{publish: a}]}\n- {source: in.mp4, outputs: [{publish: b}]}\n"),
        "another stream has the name 'in'");
}

static void formats_fit_what_is_asked_of_them(void) {
    static const struct {
        const char *stream, *publish, *mistake; // NULL: none
    } cases[] = {
        {"", "format: coco", NULL},
        {"track: sort,", "format: frigate", NULL},
        {"", "format: frigate", "format frigate says nothing of objects without a track; add `track:`"},
        {"", "format: mot", "format mot says nothing of objects without a track"},
        {"", "format: coco, what: events", "format coco has no place for events"},
        {"track: sort,", "format: mot, what: frames", NULL},
        {"", "format: onvif, append: yes", "a file of format onvif is closed at its end"},
        {"", "format: savant, append: yes", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[400];
        snprintf(text, sizeof text,
                 "fovea: 1\nstreams:\n- {source: in.mp4, detect: m.onnx, %s outputs: "
                 "[{publish: {to: a, %s}}]}\n",
                 cases[i].stream, cases[i].publish);
        const char *report = read_text(text);
        if (cases[i].mistake)
            CHECK_CONTAINS(report, cases[i].mistake);
        else
            CHECK_TEXT(report ? report : "", "");
    }
}

static void addresses_of_publishers(void) {
    CHECK_CONTAINS(
        read_text("fovea: 1\nstreams:\n- {source: in.mp4, outputs: [{publish: {to: mqqt://b/x}}]}\n"),
        "d.yaml:3:45: error: mqqt://b/x: unknown target 'mqqt:', did you mean 'mqtt:'");
    CHECK_CONTAINS(
        read_text("fovea: 1\nstreams:\n- source: in.mp4\n  outputs:\n  - publish: tcp://host\n"),
        "d.yaml:5:14: error: tcp://host: the port is missing");
    CHECK_TEXT(read_text("fovea: 1\nstreams:\n- source: in.mp4\n  outputs:\n"
                         "  - publish: tcp://h:1\n  - publish: tcp://h:1\n  - publish: unix:a\n"),
               "");
    char path[1200];
    snprintf(path, sizeof path, "unix:%s/a", folder);
    const fv_desc_stream *s = desc.streams.v;
    CHECK_TEXT(setting(((const fv_desc_output *)s->outputs.v)[2].publish, "to"), path);
}

// A stream that has no name of its own.
static void names_come_from_sources(void) {
    static const char *const rows[][2] = {
        {"in.mp4", "in"},
        {"rtsp://127.0.0.1:8554/a", "a"},
        {"rtsp://127.0.0.1:8554/live/yard.sdp", "yard"},
        {"rtsp://cam/Streaming/Channels/101?profile=/x/y", "101"},
        {"rtsp://127.0.0.1:8554", "127-0-0-1"},
        {"rtsp://127.0.0.1:8554/?a=/b", "127-0-0-1"},
        {"rtsp://me:se.cret@cam-2.local:554/", "cam-2-local"},
        {"rtsp://me:se.cret@cam-2.local:554", "cam-2-local"},
        {"http://[fe80::1]:80/", "fe80--1"},
        {"rtsp://cam/gate/", "gate"},
        {"udp://@239.0.0.1:5000", "239-0-0-1"},
        {"udp://:5000", "stream"},
        {"srt://", "stream"},
        {"/dev/video0", "video0"},
        {"lavfi:testsrc", "lavfi-testsrc"},
        {"in/%03d.png", "stream"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[300];
        snprintf(text, sizeof text, "fovea: 1\nstreams:\n- {source: \"%s\", outputs: [{publish: '-'}]}\n", rows[i][0]);
        CHECK_TEXT(read_text(text), "");
        CHECK_TEXT(stream(0)->name, rows[i][1]);
    }
}

static void rules_of_a_file_report_into_the_same_list(void) {
    read_text("a: 1");
    char path[1200];
    snprintf(path, sizeof path, "%s/r.yaml", folder);
    FILE *f = fopen(path, "w");
    fputs("rules:\n- {lne: a}\n", f);
    fclose(f);
    const char *report = read_text(
        "fovea: 1\nstreams:\n- {source: in.mp4, detect: m.onnx, track: sort, events: r.yaml, outputs: [{publish: a}]}\n");
    CHECK_CONTAINS(
        report,
        "r.yaml:2:4: error: unknown key 'lne', did you mean 'line'?\n    - {lne: a}\n       ^");
    fv_arena_destroy(&arena);
}

const fv_suite desc_suite = {"desc",
                             (const fv_case[]){CASE(short_forms),
                                               CASE(reports_go_to_folders), CASE(a_report_is_one_streams),
                                               CASE(long_forms_and_models),
                                               CASE(assignments_win),
                                               CASE(all_mistakes_in_one_pass),
                                               CASE(outputs_do_not_collide),
                                               CASE(formats_fit_what_is_asked_of_them),
                                               CASE(addresses_of_publishers),
                                               CASE(names_come_from_sources),
                                               CASE(rules_of_a_file_report_into_the_same_list),
                                               {0}}};
