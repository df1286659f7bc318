#include "tests/vision/head_case.h"

static void yolov8_columns(void) {
    head_case c = case_begin("images", 640, 640);
    float *v = case_output(&c, "output0", "1x84x8400", 0);
    const float box[] = {100, 60, 40, 20};
    for (int k = 0; k < 4; k++)
        v[k * 8400 + 8399] = box[k]; // the last cell
    v[(4 + 79) * 8400 + 8399] = 0.9f;
    v[(4 + 3) * 8400 + 8399] = 0.8f;
    case_expect(&c, "yolov8", 80, 0.25f, 79, 0.9f, 80, 50, 120, 70);
}

static void yolov8_with_masks_and_card(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "output0", "1x38x84", 0); // 4 + 2 + 32
    case_output(&c, "output1", "1x32x16x16", 9);
    v[0] = 10, v[84] = 12, v[2 * 84] = 4, v[3 * 84] = 6, v[5 * 84] = 0.5f;
    v[6 * 84] = 7; // a mask coefficient, no class
    case_expect(&c, "yolov8", 2, 0.25f, 1, 0.5f, 8, 9, 12, 15);

    c = case_begin("images", 64,
                   64); // one class and key points look like 6 classes; the card says 1
    v = case_output(&c, "output0", "1x10x84", 0);
    c.head = (fv_head){.family = "yolov8", .n_classes = 1};
    v[3] = 10, v[84 + 3] = 12, v[2 * 84 + 3] = 4, v[3 * 84 + 3] = 6, v[4 * 84 + 3] = 0.5f,
    v[5 * 84 + 3] = 44;
    case_expect(&c, "yolov8", 1, 0.25f, 0, 0.5f, 8, 9, 12, 15);
}

static void yolov10_list(void) {
    head_case c = case_begin("images", 640, 640);
    float *v = case_output(&c, "output0", "1x300x6", 0);
    const float row[] = {10, 20, 110, 220, 0.7f, 5};
    memcpy(v + 299 * 6, row, sizeof row);
    fv_object o = case_expect(&c, "yolov10", 0, 0.25f, 5, 0.7f, 10, 20, 110, 220);
    CHECK_EQUAL(o.n_keypoints, 0);
    CHECK(fv_head_is_final(&c.head));
}

static void rows_that_the_graph_suppressed(void) {
    head_case c = case_begin("images", 640, 640);
    float *v = case_output(&c, "output", "100x7", 0);
    for (int i = 0; i < 100; i++) // room that is left over
        v[i * 7] = -1, v[i * 7 + 3] = v[i * 7 + 4] = 50, v[i * 7 + 6] = 0.9f;
    const float row[] = {0, 10, 20, 110, 220, 5, 0.7f};
    memcpy(v, row, sizeof row);
    case_expect(&c, "end-to-end", 0, 0.25f, 5, 0.7f, 10, 20, 110, 220);
    CHECK(fv_head_is_final(&c.head));

    c = case_begin("image", 640, 640);
    v = case_output(&c, "multiclass_nms3_0.tmp_0", "100x6", 0);
    case_output(&c, "multiclass_nms3_0.tmp_2", "1", 1);
    for (int i = 0; i < 100; i++)
        v[i * 6] = -1, v[i * 6 + 1] = 0.9f, v[i * 6 + 4] = v[i * 6 + 5] = 50;
    const float other[] = {3, 0.8f, 10, 20, 110, 220};
    memcpy(v, other, sizeof other);
    case_expect(&c, "paddle-rows", 0, 0.25f, 3, 0.8f, 10, 20, 110, 220);
}

static void yolov5_rows_beside_raw_maps(void) {
    head_case c = case_begin("images", 64, 32); // 3 x (8 x 4 + 4 x 2 + 2 x 1) = 126
    case_output(&c, "raw", "1x3x4x8x7", 0);
    float *v = case_output(&c, "output", "1x126x7", 0);
    const float row[] = {30, 16, 20, 8, 0.5f, 0.4f, 0.8f};
    memcpy(v + 125 * 7, row, sizeof row);
    c.n_out = 2;
    fv_tensor swap = c.out[0];
    c.out[0] = c.out[1], c.out[1] = swap;
    case_expect(&c, "yolov5", 2, 0.25f, 1, 0.4f, 20, 12, 40, 20);
}

static void yolov5_with_masks(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "output0", "1x252x39", 0); // 5 + 2 + 32
    case_output(&c, "output1", "1x32x16x16", 9);
    const float row[] = {30, 16, 20, 8, 0.5f, 0.4f, 0.8f, 7};
    memcpy(v + 251 * 39, row, sizeof row);
    case_expect(&c, "yolov5", 2, 0.25f, 1, 0.4f, 20, 12, 40, 20);
}

static void yolov6_rows(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "outputs", "1x84x7", 0);
    const float row[] = {30, 16, 20, 8, 1, 0.4f, 0.8f};
    memcpy(v + 83 * 7, row, sizeof row);
    case_expect(&c, "yolov6", 2, 0.25f, 1, 0.8f, 20, 12, 40, 20);
}

static void yolox_offsets(void) {
    head_case c = case_begin("images", 96, 64); // cells: 12 x 8, 6 x 4, 3 x 2
    float *v = case_output(&c, "output", "1x126x7", 0);
    int cell = 96 + 2 * 6 + 5; // stride 16, column 5, row 2
    const float row[] = {0.25f, 0.5f, logf(2), logf(1), 0.9f, 0.5f, 0.1f};
    memcpy(v + cell * 7, row, sizeof row);
    case_expect(&c, "yolox", 2, 0.3f, 0, 0.45f, 84 - 16, 40 - 8, 84 + 16, 40 + 8);

    c = case_begin("images", 96, 64);
    v = case_output(&c, "output", "1x126x7", 0);
    c.head = (fv_head){.family = "yolox-decoded"};
    const float decoded[] = {84, 40, 32, 16, 0.9f, 0.5f, 0.1f};
    memcpy(v + cell * 7, decoded, sizeof decoded);
    case_expect(&c, "yolox-decoded", 2, 0.3f, 0, 0.45f, 84 - 16, 40 - 8, 84 + 16, 40 + 8);
}

static void yolox_last_cell_of_each_level(void) {
    for (int level = 0; level < 3; level++) {
        static const int last[] = {95, 119, 125}, w[] = {12, 6, 3}, h[] = {8, 4, 2};
        head_case c = case_begin("images", 96, 64);
        float *v = case_output(&c, "output", "1x126x6", 0);
        v[last[level] * 6 + 4] = v[last[level] * 6 + 5] = 1;
        float s = (float)(8 << level), x = (float)(w[level] - 1) * s, y = (float)(h[level] - 1) * s;
        case_expect(&c, "yolox", 1, 0.3f, 0, 1, x - s / 2, y - s / 2, x + s / 2, y + s / 2);
    }
}

static void yolo5face_landmarks(void) {
    head_case c = case_begin("input", 64, 64);
    float *v = case_output(&c, "output", "1x252x16", 0);
    const float row[] = {30, 16, 20, 8, 0.9f, 21, 13, 31, 13, 26, 15, 22, 18, 30, 19, 0.8f};
    memcpy(v + 7 * 16, row, sizeof row);
    fv_object o = case_expect(&c, "yolo5face", 1, 0.25f, 0, 0.72f, 20, 12, 40, 20);
    CHECK_EQUAL(o.n_keypoints, 5);
    CHECK_NEAR(o.keypoint[4][0], (30 - 4) * 2, 1e-4);
    CHECK_NEAR(o.keypoint[4][1], (19 - 6) * 2, 1e-4);
}

static void rtdetr_queries(void) {
    head_case c = case_begin("images", 640, 320);
    float *v = case_output(&c, "output0", "1x300x84", 0);
    const float box[] = {0.5f, 0.25f, 0.1f, 0.2f};
    memcpy(v + 299 * 84, box, sizeof box);
    v[299 * 84 + 4 + 79] = 0.6f;
    case_expect(&c, "rtdetr", 80, 0.25f, 79, 0.6f, 288, 48, 352, 112);
}

// Distances 1, 2, 3 and 4.5 strides as distributions of two neighbouring bins.
static void put_bins(float *v, int step, int bins) {
    static const float distance[] = {1, 2, 3, 4.5f};
    for (int side = 0; side < 4; side++)
        for (int k = 0; k < bins; k++) {
            float share = fmaxf(0, 1 - fabsf(distance[side] - (float)k));
            v[(side * bins + k) * step] = logf(share + 1e-9f);
        }
}

static void yolov8_raw_maps(void) {
    head_case c = case_begin("images", 64, 64);
    case_output(&c, "p5", "1x67x2x2", -20);
    float *v = case_output(&c, "p4", "1x67x4x4", -20);
    case_output(&c, "p3", "1x67x8x8", -20);
    int cell = 2 * 4 + 3;
    put_bins(v + cell, 16, 16);
    v[65 * 16 + cell] = logit(0.8f);
    case_expect(&c, "yolov8-raw", 3, 0.25f, 1, 0.8f, 56 - 16, 40 - 32, 56 + 48, 40 + 72);

    c = case_begin("images", 64, 64); // in pairs
    case_output(&c, "box3", "1x64x8x8", 0);
    case_output(&c, "cls3", "1x3x8x8", -20);
    v = case_output(&c, "box4", "1x64x4x4", 0);
    put_bins(v + cell, 16, 16);
    v = case_output(&c, "cls4", "1x3x4x4", -20);
    v[2 * 16 + cell] = logit(0.8f);
    case_expect(&c, "yolov8-raw", 3, 0.25f, 2, 0.8f, 56 - 16, 40 - 32, 56 + 48, 40 + 72);
}

// Forms that look like another family: told apart by the number of maps, the name and the number of queries.
static void look_alikes(void) {
    static const struct { const char *a, *a_shape, *b, *b_shape, *family; } rows[] = {
        {"794", "1x22x22x95", "796", "1x11x11x95", "yolo-fastestv2"}, // 95 = 12 + 3 + 80 = 64 + 31
        {"labels", "1x30x7", "dets", "1x30x4", "detr-sigmoid"},
        {"logits", "1x30x7", "pred_boxes", "1x30x4", "detr"},
        {"logits", "1x300x7", "pred_boxes", "1x300x4", "detr-sigmoid"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        head_case c = case_begin("input", 352, 352);
        case_output(&c, rows[i].a, rows[i].a_shape, 0);
        case_output(&c, rows[i].b, rows[i].b_shape, 0);
        CHECK_OK(case_recognise(&c), c.err);
        CHECK_TEXT(c.head.family, rows[i].family);
        case_end(&c);
    }
}

const fv_suite head_yolo_suite = {"head_yolo", (const fv_case[]){
    CASE(yolov8_columns), CASE(yolov8_with_masks_and_card), CASE(yolov10_list), CASE(rows_that_the_graph_suppressed),
    CASE(yolov5_rows_beside_raw_maps), CASE(yolov5_with_masks), CASE(yolov6_rows),
    CASE(yolox_offsets), CASE(yolox_last_cell_of_each_level), CASE(yolo5face_landmarks),
    CASE(rtdetr_queries), CASE(yolov8_raw_maps), CASE(look_alikes), {0}}};
