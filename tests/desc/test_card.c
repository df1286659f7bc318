#include "pipeline/desc/card.h"

#include "tests/test.h"

static fv_card card;
static fv_err err;

static const char *write_file(const char *name, const char *text) {
    static char path[1200];
    snprintf(path, sizeof path, "%s/%s", fv_test_tmp("card"), name);
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    return path;
}

static bool load(fv_arena *a, const char *text) {
    err = (fv_err){0};
    card = (fv_card){.input = {.pad = 7, .scale = {9, 9, 9}}};
    return fv_card_load(&card, a, write_file("m.yaml", text), &err);
}

static void a_full_card(void) {
    fv_arena *a = fv_arena_create();
    write_file("three.names", "person\n bike \r\ncaf\xc3\xa9\n\n");
    CHECK_OK(
        load(
            a,
            "input: {size: [416, 256], fit: letterbox-top-left, channels: bgr, mean: [1, 2, 3], std: 255}\n"
            "head: {family: yolo-anchors, anchors: [[12, 18], [37, 49]], strides: [16, 32], classes: 3}\n"
            "labels: three.names\nthreshold: 0.3\nexclusive: [bike, person]\nprecision: fp32\n"),
        err);
    CHECK(card.has_input && card.has_size && card.input.width == 416 && card.input.height == 256);
    CHECK(card.has_fit && card.input.fit == FV_FIT_LETTERBOX_TOP_LEFT && card.has_bgr &&
          card.input.bgr);
    CHECK(!card.has_pad && card.input.pad == 7 && !card.has_nhwc);
    CHECK_NEAR(card.input.mean[2], 3, 0);
    CHECK_NEAR(card.input.scale[1], 1 / 255.0, 1e-9);
    CHECK_TEXT(card.family, "yolo-anchors");
    CHECK(card.n_anchor_numbers == 4 && card.anchor_number[3] == 49 && card.n_strides == 2 &&
          card.stride[1] == 32 && card.n_classes == 3);
    CHECK_EQUAL(card.labels.n, 3);
    CHECK_TEXT(card.labels.v[1], "bike");
    CHECK_NEAR(card.threshold, 0.3, 1e-6);
    CHECK_EQUAL(card.exclusive.n, 2);
    CHECK_TEXT(card.exclusive.v[0], "bike");
    CHECK(card.iou_threshold <= 0);
    CHECK_EQUAL(card.precision, FV_PRECISION_FP32);
    fv_arena_destroy(&a);
}

static void a_short_card_leaves_the_rest(void) {
    fv_arena *a = fv_arena_create();
    CHECK_OK(load(a, "head: yolox\nlabels: [car, bus]\n"), err);
    CHECK(!card.has_input && !card.has_scale && card.input.scale[0] == 9 && card.n_strides == 0);
    CHECK_TEXT(card.family, "yolox");
    CHECK_TEXT(card.labels.v[1], "bus");
    fv_arena_destroy(&a);
}

static void wrong_cards(void) {
    static const struct {
        const char *text, *error;
    } rows[] = {
        {"inputs: {size: 1}\n", "m.yaml:1:1: error: unknown key 'inputs', did you mean 'input'?"},
        {"input: {size: 0}\n", "size: expected whole numbers from 1 to 16384"},
        {"input: {size: [1, 2, 3]}\n", "size: at most 2 allowed, got 3"},
        {"input: {std: [1, 0, 1]}\n", "cannot be divided by"},
        {"input: {std: 1, scale: 1}\n", "'std' and 'scale' say the same"},
        {"input: {fit: crop}\n", "'crop' is not one of stretch, letterbox"},
        {"head: {anchors: [1, 2, 3]}\n", "pairs of width and height"},
        {"labels: none.names\n", "labels cannot be read"},
        {"threshold: 7\n", "out of range"},
        {"precision: half\n", "auto, fp32, fp16"},
        {"exclusive: car\n", "exclusive: at least 2 needed, got 1"},
        {"head:\n", "'head' has no value"},
    };
    fv_arena *a = fv_arena_create();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        CHECK_FAILS(load(a, rows[i].text), err, rows[i].error);
    fv_labels labels;
    CHECK_FAILS(fv_labels_load(&labels, a, write_file("empty.names", "\n\n"), &err), err,
                "no names in it");
    CHECK_FAILS(fv_labels_load(&labels, a, "/tmp", &err), err, "not a file");
    fv_arena_destroy(&a);
}

const fv_suite card_suite = {
    "card", (const fv_case[]){
                CASE(a_full_card), CASE(a_short_card_leaves_the_rest), CASE(wrong_cards), {0}}};
