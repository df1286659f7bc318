#include "pipeline/detect/labels.h"

#include "pipeline/detect/classes.h"
#include "tests/test.h"

static void names_of_a_dictionary(void) {
    fv_arena *arena = fv_arena_create();
    fv_labels l =
        fv_labels_from_metadata("{0: 'person', 2: \"driver's cab\", 1: 'a\\'b, c'}", arena);
    CHECK_EQUAL(l.n, 3);
    CHECK_TEXT(l.v[0], "person");
    CHECK_TEXT(l.v[1], "a'b, c");
    CHECK_TEXT(l.v[2], "driver's cab");
    l = fv_labels_from_metadata("{3: 'x'}", arena);
    CHECK_EQUAL(l.n, 4);
    CHECK_TEXT(l.v[0], "class 0");
    l = fv_labels_from_metadata("['a', 'b']", arena);
    CHECK_EQUAL(l.n, 2);
    CHECK_TEXT(l.v[1], "b");
    fv_arena_destroy(&arena);
}

static void what_is_no_dictionary(void) {
    fv_arena *arena = fv_arena_create();
    static const char *const texts[] = {
        NULL, "", "person", "{", "{0: 'person", "{'x'}", "{99999999999: 'x'}", "{-1: }"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_EQUAL(fv_labels_from_metadata(texts[i], arena).n, 0);
    fv_arena_destroy(&arena);
}

static void coco_in_order(void) {
    CHECK_EQUAL(fv_labels_coco.n, 80);
    CHECK_TEXT(fv_labels_coco.v[0], "person");
    CHECK_TEXT(fv_labels_coco.v[5], "bus");
    CHECK_TEXT(fv_labels_coco.v[79], "toothbrush");
}

static void classes_by_name_and_number(void) {
    fv_arena *arena = fv_arena_create();
    fv_err err = {0};
    fv_classes c;
    CHECK_OK(fv_classes_parse(&c, arena, " person , traffic light,7,", &fv_labels_coco, 80, &err),
             err);
    CHECK(fv_classes_has(&c, 0) && fv_classes_has(&c, 9) && fv_classes_has(&c, 7));
    CHECK(!fv_classes_has(&c, 1) && !fv_classes_has(&c, -1) && !fv_classes_has(&c, 1 << 20));
    CHECK_OK(fv_classes_parse(&c, arena, NULL, &fv_labels_coco, 80, &err), err);
    CHECK(fv_classes_has(&c, 79));
    CHECK_FAILS(fv_classes_parse(&c, arena, "persn", &fv_labels_coco, 80, &err), err,
                "did you mean 'person'");
    CHECK_FAILS(fv_classes_parse(&c, arena, "80", &fv_labels_coco, 80, &err), err, "no class '80'");
    CHECK_OK(fv_classes_parse(&c, arena, "80", &(fv_labels){0}, 0, &err), err);
    fv_arena_destroy(&arena);
}

const fv_suite labels_suite = {"labels", (const fv_case[]){
    CASE(names_of_a_dictionary), CASE(what_is_no_dictionary), CASE(coco_in_order),
    CASE(classes_by_name_and_number), {0}}};
