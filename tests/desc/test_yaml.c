#define _GNU_SOURCE
#include "pipeline/desc/yaml.h"

#include <stdlib.h>

#include "tests/test.h"

static fv_arena *arena;
static fv_yaml *y;

static fv_yaml_node *parse(const char *text) {
    fv_arena_destroy(&arena);
    arena = fv_arena_create();
    y = fv_yaml_create(arena);
    return fv_yaml_parse(y, "t.yaml", "/d", text, NULL);
}

static const char *mistakes_of(const char *text) {
    parse(text);
    return fv_yaml_report(y);
}

static void nodes_know_their_place(void) {
    const fv_yaml_node *root = parse("a: 1\nb:\n  - x\n  - {c: 'two words'}\n"),
                       *list = fv_yaml_get(root, "b");
    CHECK(root && root->kind == FV_YAML_MAP && root->n == 2);
    CHECK(list && list->kind == FV_YAML_LIST && list->n == 2);
    const fv_yaml_node *c = fv_yaml_get(list->item[1], "c");
    CHECK_TEXT(c->text, "two words");
    CHECK(c->line == 4 && c->column == 9 && c->quoted);
    CHECK(!fv_yaml_get(root, "c"));
    CHECK_TEXT(fv_yaml_report(y), "");
}

static void caret_stands_under_the_place(void) {
    const fv_yaml_node *root = parse("caf\xc3\xa9: {k: \xc3\xa9t\xc3\xa9}\n");
    fv_yaml_mistake(y, root->pair[0].value->pair[0].value, "no %s", "good");
    CHECK_TEXT(
        fv_yaml_report(y),
        "t.yaml:1:11: error: no good\n    caf\xc3\xa9: {k: \xc3\xa9t\xc3\xa9}\n              ^\n");
}

static void several_mistakes_come_in_order_and_once(void) {
    const fv_yaml_node *root = parse("a: 1\nb: 2\n");
    fv_yaml_mistake(y, root->pair[1].value, "second");
    fv_yaml_mistake(y, root->pair[0].value, "first");
    fv_yaml_mistake(y, root->pair[0].value, "first");
    CHECK_EQUAL(fv_yaml_mistakes(y), 2);
    const char *report = fv_yaml_report(y);
    CHECK(strstr(report, "first") < strstr(report, "second"));
    fv_err err = {0};
    CHECK_FAILS(fv_yaml_finish(y, &err), err, "t.yaml:1:4: error: first");
    CHECK_EQUAL(err.code, FV_BAD_INPUT);
}

static void syntax_errors_have_a_place(void) {
    CHECK_CONTAINS(mistakes_of("a: [1, 2\nb: 3\n"), "t.yaml:2:");
    CHECK_CONTAINS(mistakes_of("a: 1\n\tb: 2\n"),
                   "t.yaml:2:1: error: found a tab character that violates indentation");
    CHECK_CONTAINS(mistakes_of(""), "the file is empty");
    CHECK_CONTAINS(mistakes_of("a: 1\n---\nb: 2\n"), "t.yaml:2:1: error: a second document");
    CHECK_CONTAINS(mistakes_of("a: !python/object x\n"), "tags like !name mean nothing here");
    CHECK_CONTAINS(mistakes_of("[a]: 1\n"), "a key must be a plain name");
    CHECK_CONTAINS(mistakes_of("a: 1\nb: \xff\xfe\n"), "t.yaml:2:4: error: ");
    CHECK_CONTAINS(mistakes_of("a: 1\nb: 2\na: 3\n"),
                   "t.yaml:3:1: error: 'a' is given twice, first in line 1");
}

static void aliases_and_merges(void) {
    const fv_yaml_node *root = parse("base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n");
    CHECK_TEXT(fv_yaml_get(fv_yaml_get(root, "one"), "x")->text, "1");
    CHECK_TEXT(fv_yaml_get(fv_yaml_get(root, "one"), "y")->text, "3");
    CHECK(fv_yaml_get(root, "two") == fv_yaml_get(root, "base"));
    CHECK_CONTAINS(mistakes_of("a: *nobody\n"), "unknown alias '*nobody'");
    CHECK_CONTAINS(mistakes_of("a: &a [*a]\n"), "unknown alias '*a'");
}

// Each line holds the one above ten times: a billion words from a few bytes.
static void bounded(void) {
    char bomb[2000] = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i < 10; i++) {
        char line[100];
        snprintf(line, sizeof line,
                 "a%d: &a%d [*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d,*a%d]\n", i, i, i - 1,
                 i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
        strcat(bomb, line);
    }
    CHECK_CONTAINS(mistakes_of(bomb), "the aliases unfold to too much");
    char deep[300];
    memset(deep, '[', sizeof deep);
    deep[sizeof deep - 1] = 0;
    CHECK_CONTAINS(mistakes_of(deep), "nested too deeply");
}

static void values_from_the_environment(void) {
    setenv("FV_TEST_CAM", "rtsp://cam/1", 1);
    unsetenv("FV_TEST_NONE");
    const fv_yaml_node *root = parse("a: ${FV_TEST_CAM}\nb: x-${FV_TEST_NONE:-no one}$$\n");
    CHECK_TEXT(fv_yaml_get(root, "a")->text, "rtsp://cam/1");
    CHECK_TEXT(fv_yaml_get(root, "b")->text, "x-no one$");
    CHECK(fv_yaml_get(root, "a")->from_shell && !fv_yaml_get(root, "b")->from_shell);
    CHECK_CONTAINS(mistakes_of("a: ${FV_TEST_NONE}\n"),
                   "t.yaml:1:4: error: the environment variable FV_TEST_NONE is not set");
    CHECK_CONTAINS(mistakes_of("a: ${FV\n"), "without '}'");
}

static void paths_start_at_their_text(void) {
    setenv("FV_TEST_PATH", "in.mp4", 1);
    const fv_yaml_node *root = parse("a: m.onnx\nb: /abs\nc: ${FV_TEST_PATH}\nd: ${FV_TEST_NO:-x}\n");
    CHECK_TEXT(fv_yaml_path(y, root->pair[0].value, "m.onnx"), "/d/m.onnx");
    CHECK_TEXT(fv_yaml_path(y, root->pair[1].value, "/abs"), "/abs");
    CHECK_TEXT(fv_yaml_path(y, root->pair[2].value, "in.mp4"), "in.mp4");
    CHECK_TEXT(fv_yaml_path(y, root->pair[3].value, "x"), "/d/x");
}

static void assignments(void) {
    fv_yaml_node *root = parse("streams:\n  - {name: gate, detect: m.onnx}\n");
    fv_yaml_set(y, &root, "streams.gate.detect.every=2");
    fv_yaml_set(y, &root, "streams.0.outputs=[{publish: '-'}]");
    fv_yaml_set(y, &root, "models.a.file=b.onnx");
    CHECK_TEXT(
        fv_yaml_json(y, root),
        "{\"streams\": [{\"name\": \"gate\", \"detect\": {\"\": \"m.onnx\", \"every\": 2}, "
        "\"outputs\": [{\"publish\": \"-\"}]}], \"models\": {\"a\": {\"file\": \"b.onnx\"}}}");
    CHECK_EQUAL(fv_yaml_mistakes(y), 0);
    fv_yaml_set(y, &root, "streams.door.every=2");
    fv_yaml_set(y, &root, "nonsense");
    const char *report = fv_yaml_report(y);
    CHECK_CONTAINS(report, "--set:1:9: error: no item 'door' in this list of 1");
    CHECK_CONTAINS(report, "    streams.door.every=2\n            ^\n");
    CHECK_CONTAINS(report, "--set wants KEY=VALUE");
}

static void json_is_yaml_again(void) {
    const fv_yaml_node *root = parse("a: \"q\\\"\\\\ \\t\"\nb: [1.5, '2', x y]\n");
    char *json = fv_arena_strdup(arena, fv_yaml_json(y, root));
    CHECK_TEXT(json, "{\"a\": \"q\\\"\\\\ \\u0009\", \"b\": [1.5, \"2\", \"x y\"]}");
    const fv_yaml_node *again = fv_yaml_parse(y, "again", "", json, NULL);
    CHECK_TEXT(fv_yaml_get(again, "a")->text, "q\"\\ \t");
}

static void files_that_cannot_be_read(void) {
    parse("a: 1");
    CHECK(!fv_yaml_load(y, "/nowhere/x.yaml"));
    CHECK_TEXT(fv_yaml_report(y),
               "/nowhere/x.yaml: error: cannot be read: No such file or directory\n");
    parse("a: 1");
    CHECK(!fv_yaml_load(y, "/tmp"));
    CHECK_CONTAINS(fv_yaml_report(y), "it is a folder");
    parse("a: 1");
    CHECK(!fv_yaml_load(y, "/dev/zero"));
    CHECK_CONTAINS(fv_yaml_report(y), "/dev/zero: error: cannot be read");
}

static void release(void) {
    fv_arena_destroy(&arena);
}

const fv_suite yaml_suite = {"yaml",
                             (const fv_case[]){CASE(nodes_know_their_place),
                                               CASE(caret_stands_under_the_place),
                                               CASE(several_mistakes_come_in_order_and_once),
                                               CASE(syntax_errors_have_a_place),
                                               CASE(aliases_and_merges),
                                               CASE(bounded),
                                               CASE(values_from_the_environment),
                                               CASE(paths_start_at_their_text),
                                               CASE(assignments),
                                               CASE(json_is_yaml_again),
                                               CASE(files_that_cannot_be_read),
                                               CASE(release),
                                               {0}}};
