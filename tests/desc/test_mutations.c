// Descriptions are untrusted: whatever bytes come, mistakes are told and nothing crashes.
#include <stdint.h>
#include <stdlib.h>

#include "pipeline/desc/desc.h"
#include "pipeline/desc/rules.h"
#include "tests/test.h"

static uint32_t random_next(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

// One to four changes: a byte, a cut, a part said twice, a bracket.
static void mutate(char *text, size_t room, uint32_t *random) {
    for (uint32_t i = random_next(random) % 4 + 1; i; i--) {
        size_t n = strlen(text), at = n ? random_next(random) % n : 0;
        size_t length = random_next(random) % 40;
        switch (random_next(random) % 4) {
        case 0: text[at] = (char)(random_next(random) % 255 + 1); break;
        case 1: text[at] = "{}[]:&*-#|>'\"\n\t $"[random_next(random) % 17]; break;
        case 2:
            memmove(text + at, text + (at + length < n ? at + length : n),
                    n - (at + length < n ? at + length : n) + 1);
            break;
        default:
            length = at + length < n ? length : n - at;
            if (n + length < room) {
                memmove(text + at + length, text + at, n - at + 1);
            }
        }
    }
}

static void mutate_file(const char *path, int rounds) {
    char *original = fv_test_read(path);
    CHECK(original != NULL);
    if (!original)
        return;
    size_t room = strlen(original) + 1000;
    char *text = malloc(room);
    uint32_t random = 7;
    int right = 0;
    for (int i = 0; i < rounds; i++) {
        strcpy(text, original);
        mutate(text, room, &random);
        fv_arena *arena = fv_arena_create();
        fv_yaml *y = fv_yaml_create(arena);
        fv_yaml_node *root = fv_yaml_parse(y, "mutant", "", text, NULL);
        fv_desc desc;
        fv_rules rules;
        if (root) {
            fv_desc_read(&desc, &(fv_schema_reader){.yaml = y}, root);
            if (root->kind != FV_YAML_SCALAR)
                fv_rules_read(&rules, y, root);
            CHECK(fv_yaml_json(y, root) != NULL);
        }
        const char *report = fv_yaml_report(y);
        right += !*report;
        CHECK(root || *report);
        fv_arena_destroy(&arena);
    }
    CHECK(right < rounds);
    free(text);
    free(original);
}

static void mutated_descriptions(void) {
    mutate_file(fv_test_source("config/annotate.yaml"), 1000);
    mutate_file(fv_test_source("config/two-streams.yaml"), 1000);
    mutate_file(fv_test_source("config/rules/every-key.yaml"), 1000);
}

const fv_suite mutations_suite = {"mutations", (const fv_case[]){CASE(mutated_descriptions), {0}}};
