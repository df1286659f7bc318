// The cards of models/README.md: each family has a row, each example is a card that loads.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/card.h"
#include "pipeline/detect/model.h"
#include "pipeline/vision/head.h"
#include "tests/test.h"

static bool is_family(const char *name) {
    const char *family;
    for (int i = 0; (family = fv_head_family(i, NULL)); i++)
        if (!strcmp(family, name))
            return true;
    return false;
}

// The last text between backticks in a line; false when there is none.
static bool last_quoted(const char *line, const char *end, char *text, size_t size) {
    const char *close = end - 1, *open;
    while (close > line && *close != '`')
        close--;
    for (open = close - 1; open > line && *open != '`'; open--)
        ;
    snprintf(text, size, "%.*s", (int)(close - open - 1), open + 1);
    return open > line;
}

static void check_example(const char *text) {
    char path[600];
    fv_err err = {0};
    fv_card card = {0};
    fv_arena *arena = fv_arena_create();
    const char *dir = fv_test_tmp("cards");
    static const char *const names[] = {"card.yaml", "my.names"};
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[1 - i]);
        FILE *f = fopen(path, "w");
        fprintf(f, "%s\n", i ? text : "thing");
        fclose(f);
    }
    CHECK_OK(fv_card_load(&card, arena, path, &err), err);
    CHECK(card.family && is_family(card.family));
    fv_arena_destroy(&arena);
}

static void every_example_is_a_card(void) {
    char *readme = fv_test_read(fv_test_source("models/README.md")), text[600];
    int n = 0;
    CHECK(readme != NULL);
    const char *table = readme ? strstr(readme, "| family | outputs | a card |") : NULL;
    CHECK(table != NULL);
    for (const char *line = table; line && *line == '|'; n++) {
        const char *end = strchr(line, '\n');
        if (n > 1 && last_quoted(line, end, text, sizeof text))
            check_example(text);
        line = end + 1;
    }
    CHECK(n > 25);
    free(readme);
}

static void every_family_has_a_row(void) {
    char *readme = fv_test_read(fv_test_source("models/README.md")), text[64];
    const char *family;
    for (int i = 0; readme && (family = fv_head_family(i, NULL)); i++) {
        snprintf(text, sizeof text, "`%s`", family);
        CHECK_CONTAINS(readme, text);
    }
    free(readme);
}

// The card beside a model is found, and what it says comes before what is recognised.
static void a_card_overrules(void) {
    fv_err err = {0};
    char path[600];
    const char *dir = fv_test_tmp("overrule"), *whole = fv_test_shared("models/yolox_nano.onnx");
    if (!whole)
        return;
    snprintf(path, sizeof path, "%s/m.yaml", dir);
    FILE *f = fopen(path, "w");
    fprintf(f, "head: {family: yolox-decoded, classes: 3}\ninput: {fit: stretch, channels: rgb, "
               "std: 255}\n"
               "labels: [a, b, c]\nthreshold: 0.7\n");
    fclose(f);
    fv_graph *g = fv_graph_load(whole, NULL, &err);
    fv_model m;
    snprintf(path, sizeof path, "%s/m.onnx", dir);
    CHECK_OK(g != NULL, err);
    CHECK_OK(fv_model_begin(&m, path, NULL, &err), err);
    CHECK_OK(fv_model_settle(&m, g, NULL, &err), err);
    CHECK_TEXT(m.head.family, "yolox-decoded");
    CHECK_EQUAL(m.head.n_classes, 3);
    CHECK(m.input.fit == FV_FIT_STRETCH && !m.input.bgr && m.input.width == 416);
    CHECK_NEAR(m.input.scale[1], 1 / 255.0, 1e-7);
    CHECK_EQUAL(m.labels.n, 3);
    CHECK_TEXT(m.labels.v[2], "c");
    CHECK_NEAR(m.card.threshold, 0.7, 1e-6);
    fv_model_finish(&m);
    fv_graph_destroy(&g);
}

static void ultralytics_names_are_read(void) {
    fv_err err = {0};
    const char *path = fv_test_shared("models/yolov8n_640.onnx");
    if (!path)
        return;
    fv_graph *g = fv_graph_load(path, NULL, &err);
    fv_model m;
    CHECK_OK(g != NULL, err);
    CHECK_OK(fv_model_begin(&m, path, NULL, &err), err);
    CHECK_OK(fv_model_settle(&m, g, NULL, &err), err);
    CHECK_TEXT(m.labels_from, "the model's metadata");
    CHECK_EQUAL(m.labels.n, 80);
    CHECK_TEXT(m.labels.v[79], "toothbrush");
    CHECK_TEXT(fv_graph_metadata(g, "stride"), "32");
    CHECK(fv_graph_metadata(g, "nothing of the kind") == NULL);
    fv_model_finish(&m);
    fv_graph_destroy(&g);
}

const fv_suite cards_suite = {"cards", (const fv_case[]){
    CASE(every_example_is_a_card), CASE(every_family_has_a_row), CASE(a_card_overrules),
    CASE(ultralytics_names_are_read), {0}}};
