// What people write: cards, descriptions, rules, addresses, names.
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/address.h"
#include "pipeline/desc/card.h"
#include "pipeline/desc/desc.h"
#include "pipeline/desc/record_read.h"
#include "pipeline/desc/rules.h"
#include "pipeline/detect/labels.h"
#include "pipeline/vision/mot.h"
#include "pipeline/vision/rules.h"
#include "tests/hostile/targets.h"

int hostile_take_card(const uint8_t *data, size_t size) {
    fv_arena *arena = fv_arena_create();
    fv_card card = {0};
    fv_err err = {0};
    bool ok = fv_card_load(&card, arena, hostile_file(data, size), &err);
    fv_arena_destroy(&arena);
    return ok;
}

// As text: up to the first NUL, as a file is read.
static char *text_of(const uint8_t *data, size_t size) {
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = 0;
    return text;
}

int hostile_take_desc(const uint8_t *data, size_t size) {
    fv_arena *arena = fv_arena_create();
    fv_yaml *y = fv_yaml_create(arena);
    fv_yaml_node *root = fv_yaml_load(y, hostile_file(data, size));
    fv_desc desc;
    if (root) {
        fv_desc_read(&desc, &(fv_schema_reader){.yaml = y}, root);
        fv_yaml_json(y, root);
    }
    bool ok = !*fv_yaml_report(y);
    fv_arena_destroy(&arena);
    return ok;
}

int hostile_take_rules(const uint8_t *data, size_t size) {
    static const char *const names[] = {"person", "bicycle", "car"};
    static const fv_labels labels = {3, names};
    fv_arena *arena = fv_arena_create();
    fv_rules rules;
    fv_err err = {0};
    bool ok = fv_rules_load(&rules, arena, hostile_file(data, size), &err);
    fv_watch *watch = ok ? fv_watch_create(&rules, &labels, &err) : NULL;
    fv_watch_destroy(&watch);
    fv_arena_destroy(&arena);
    return ok;
}

// A line an assignment.
int hostile_take_set(const uint8_t *data, size_t size) {
    fv_arena *arena = fv_arena_create();
    fv_yaml *y = fv_yaml_create(arena);
    fv_yaml_node *root = fv_yaml_parse(y, "description", "", "streams: [{name: gate, detect: m}]", NULL);
    char *text = text_of(data, size), *rest = text;
    for (char *line; (line = strsep(&rest, "\n"));)
        fv_yaml_set(y, &root, line);
    fv_yaml_json(y, root);
    bool ok = !*fv_yaml_report(y);
    free(text);
    fv_arena_destroy(&arena);
    return ok;
}

int hostile_take_address(const uint8_t *data, size_t size) {
    char *text = text_of(data, size), *rest = text, shown[64];
    fv_address a;
    fv_err err = {0};
    int ok = 0;
    for (char *line; (line = strsep(&rest, "\n"));)
        if (fv_address_parse(&a, line, &err))
            ok = fv_address_show(&a, shown, sizeof shown) != NULL;
    free(text);
    return ok;
}

// A file of names, and the same as the text in a model's metadata.
int hostile_take_names(const uint8_t *data, size_t size) {
    fv_arena *arena = fv_arena_create();
    fv_labels labels;
    fv_err err = {0};
    char *text = text_of(data, size);
    bool ok = fv_labels_load(&labels, arena, hostile_file(data, size), &err);
    fv_labels_from_metadata(text, arena);
    free(text);
    fv_arena_destroy(&arena);
    return ok;
}

int hostile_take_records(const uint8_t *data, size_t size) {
    fv_err err = {0};
    fv_record_reader *r = fv_record_reader_open(hostile_file(data, size), &err);
    int n = 0;
    while (r && fv_record_reader_next(r, &err))
        n++;
    fv_record_reader_destroy(&r);
    return n > 0 && !err.code;
}

// Rows against themselves, and the same text as a sequence's description.
int hostile_take_mot(const uint8_t *data, size_t size) {
    fv_err err = {0};
    fv_mot_rows rows, again;
    fv_mot_sequence sequence;
    const char *path = hostile_file(data, size);
    bool ok = fv_mot_read(path, &rows, &err) && fv_mot_read(path, &again, &err);
    if (ok) {
        fv_mot_prepare(&rows, &again);
        fv_mot_cut(&again, 1, 2);
        fv_mot_finish(&again);
    }
    fv_mot_finish(&rows);
    fv_mot_read_sequence(path, &sequence, &err);
    return ok;
}
