// Families of maps, distributions, pairs and faces.
#include "tests/vision/head_case.h"

static float *at(float *v, int channels_per_box, int box, int cells, int cell) {
    return v + (int64_t)box * channels_per_box * cells + cell; // channel k is [k * cells]
}

static void put_darknet(float *p, int cells, float fx, float fy, float w, float h, float objectness,
                        float score, int label) {
    p[0] = logit(fx), p[cells] = logit(fy), p[2 * cells] = logf(w), p[3 * cells] = logf(h);
    p[4 * cells] = logit(objectness);
    p[(5 + label) * cells] = logit(score);
}

static void darknet_two_levels(void) {
    head_case c = case_begin("data", 320, 320);
    float *v = case_output(&c, "l120", "1x21x10x10", -20); // 3 x (5 + 2), large stride first
    case_output(&c, "l129", "1x21x20x20", -20);
    put_darknet(at(v, 7, 2, 100, 9 * 10 + 4), 100, 0.25f, 0.75f, 0.5f, 0.25f, 0.9f, 0.8f, 1);
    float x = 4.25f * 32, y = 9.75f * 32, w = 121, h = 59.5f; // anchor 242 x 238
    case_expect(&c, "yolo-fastest", 2, 0.25f, 1, 0.72f, x - w / 2, y - h / 2, x + w / 2, y + h / 2);
}

static void darknet_three_levels_and_cards(void) {
    head_case c = case_begin("input", 416, 416);
    float *v = case_output(&c, "a", "1x18x52x52", -20);
    case_output(&c, "b", "1x18x26x26", -20);
    case_output(&c, "c", "1x18x13x13", -20);
    put_darknet(at(v, 6, 1, 52 * 52, 0), 52 * 52, 0.5f, 0.5f, 1, 1, 0.9f, 0.9f, 0);
    case_expect(&c, "yolov3", 1, 0.25f, 0, 0.81f, 4 - 8, 4 - 15, 4 + 8, 4 + 15); // anchor 16 x 30

    c = case_begin("input", 416, 416); // yolov4: 1.2 s - 0.1
    v = case_output(&c, "a", "1x18x52x52", -20);
    case_output(&c, "b", "1x18x26x26", -20);
    case_output(&c, "c", "1x18x13x13", -20);
    put_darknet(at(v, 6, 1, 52 * 52, 0), 52 * 52, 0.25f, 0.5f, 1, 1, 0.9f, 0.9f, 0);
    c.head = (fv_head){.family = "yolov4"};
    case_expect(&c, "yolov4", 1, 0.25f, 0, 0.81f, 1.6f - 9.5f, 4 - 18, 1.6f + 9.5f,
                4 + 18); // anchor 19 x 36

    c = case_begin("input", 416, 416); // own anchors
    v = case_output(&c, "a", "1x18x26x26", -20);
    case_output(&c, "b", "1x18x13x13", -20);
    put_darknet(at(v, 6, 2, 26 * 26, 26 * 26 - 1), 26 * 26, 0.5f, 0.5f, 1, 1, 0.9f, 0.9f, 0);
    c.head = (fv_head){.family = "yolov3-tiny", .n_anchors = 6, .anchor = {{1, 1}, {2, 2}, {6, 8}}};
    case_expect(&c, "yolov3-tiny", 1, 0.25f, 0, 0.81f, 408 - 3, 408 - 4, 408 + 3, 408 + 4);
}

static void yolov5_raw_boxes(void) {
    head_case c = case_begin("images", 64, 64);
    float *v = case_output(&c, "a", "1x3x8x8x7", -20);
    case_output(&c, "b", "1x3x4x4x7", -20);
    case_output(&c, "c", "1x3x2x2x7", -20);
    float *p = v + ((2 * 8 + 7) * 8 + 3) * 7; // third anchor 33 x 23, row 7, column 3
    const float row[] = {logit(0.75f), logit(0.5f), logit(0.5f), logit(0.25f),
                         logit(0.9f),  -9,          logit(0.5f)};
    memcpy(p, row, sizeof row);
    float x = (1.5f - 0.5f + 3) * 8, y = (1 - 0.5f + 7) * 8, w = 33, h = 23 / 4.f;
    case_expect(&c, "yolov5-raw", 2, 0.25f, 1, 0.45f, x - w / 2, y - h / 2, x + w / 2, y + h / 2);
}

static void fastest2_shared_classes(void) {
    head_case c = case_begin("input.1", 352, 352);
    float *v = case_output(&c, "794", "1x22x22x17", 0);
    case_output(&c, "796", "1x11x11x17", 0);
    float *p = v + (21 * 22 + 20) * 17;
    const float box[] = {0.75f, 0.5f, 0.5f, 0.25f};
    memcpy(p + 4, box, sizeof box); // second anchor 37.88 x 51.48
    p[12 + 1] = 0.9f, p[16] = 0.8f;
    float x = 21 * 16, y = 21.5f * 16, w = 37.88f, h = 51.48f / 4;
    case_expect(&c, "yolo-fastestv2", 2, 0.25f, 1, 0.72f, x - w / 2, y - h / 2, x + w / 2,
                y + h / 2);
}

static void yolov2_softmax(void) {
    head_case c = case_begin("image", 416, 416);
    float *v = case_output(&c, "grid", "1x35x13x13", -9);
    float *p = at(v, 7, 0, 169, 14);
    put_darknet(p, 169, 0.5f, 0.5f, 1, 1, 0.9f, 0.5f, 0);
    p[5 * 169] = logf(3), p[6 * 169] = logf(1);
    case_expect(&c, "yolov2", 2, 0.25f, 0, 0.9f * 0.75f, 48 - 17.28f, 48 - 19.04f, 48 + 17.28f,
                48 + 19.04f);
}

static void put_bins(float *v) { // distances 1, 2, 3, 4.5 strides
    static const float distance[] = {1, 2, 3, 4.5f};
    for (int side = 0; side < 4; side++)
        for (int k = 0; k < 8; k++)
            v[side * 8 + k] = logf(fmaxf(0, 1 - fabsf(distance[side] - (float)k)) + 1e-9f);
}

static void nanodet_pairs(void) {
    head_case c = case_begin("image", 320, 320);
    case_output(&c, "cls0", "1600x2", 0);
    float *score = case_output(&c, "box0", "400x2", 0);
    case_output(&c, "cls1", "100x2", 0);
    case_output(&c, "box1", "1600x32", 0);
    float *box = case_output(&c, "cls2", "400x32", 0);
    case_output(&c, "box2", "100x32", 0);
    int cell = 19 * 20 + 7;
    score[cell * 2 + 1] = 0.6f;
    put_bins(box + cell * 32);
    float x = 7.5f * 16, y = 19.5f * 16;
    case_expect(&c, "nanodet", 2, 0.25f, 1, 0.6f, x - 16, y - 32, x + 48, y + 72);
}

static void nanodet_plus_rounds_cells_up(void) {
    head_case c = case_begin("data", 416, 416); // 52, 26, 13 and 7 cells a side
    float *v = case_output(&c, "output", "1x3598x34", 0);
    float *p = v + 3597 * 34;
    p[1] = 0.6f;
    put_bins(p + 2);
    case_expect(&c, "nanodet-plus", 2, 0.25f, 1, 0.6f, 384 - 64, 384 - 128, 384 + 192, 384 + 288);
}

static void picodet_pairs(void) {
    head_case c = case_begin("image", 320, 320);
    static const char *const scores[] = {"1x1600x2", "1x400x2", "1x100x2", "1x25x2"};
    static const char *const boxes[] = {"1x1600x32", "1x400x32", "1x100x32", "1x25x32"};
    float *score = NULL, *box = NULL;
    for (int i = 0; i < 4; i++)
        score = case_output(&c, "s", scores[i], 0);
    for (int i = 0; i < 4; i++)
        box = case_output(&c, "b", boxes[i], 0);
    score[24 * 2] = 0.6f;
    put_bins(box + 24 * 32);
    case_expect(&c, "picodet", 2, 0.25f, 0, 0.6f, 288 - 64, 288 - 128, 288 + 192, 288 + 288);
}

static void fovea_maps(void) {
    head_case c = case_begin("images", 96, 64);
    case_output(&c, "p8", "1x10x8x12", -20);
    float *v = case_output(&c, "p16", "1x10x4x6", -20);
    case_output(&c, "p32", "1x10x2x3", -20);
    int cell = 3 * 6 + 5;
    static const float distance[] = {1, 2, 0.5f, 30};
    for (int k = 0; k < 4; k++)
        v[k * 24 + cell] = k == 3 ? 30 : logf(expf(distance[k]) - 1);
    v[9 * 24 + cell] = logit(0.8f);
    case_expect(&c, "fovea", 6, 0.25f, 5, 0.8f, 88 - 16, 56 - 32, 88 + 8, 56 + 480);
}

static void fastestdet_map(void) {
    head_case c = case_begin("input.1", 352, 352);
    float *v = case_output(&c, "758", "1x7x22x22", 0);
    int cell = 21 * 22;
    v[cell] = 0.9f, v[484 + cell] = atanhf(0.5f), v[2 * 484 + cell] = 0;
    v[3 * 484 + cell] = logit(0.25f), v[4 * 484 + cell] = logit(0.5f), v[6 * 484 + cell] = 0.8f;
    float x = 0.5f * 16, y = 21 * 16, w = 88, h = 176;
    case_expect(&c, "fastestdet", 2, 0.25f, 1, powf(0.9f, 0.6f) * powf(0.8f, 0.4f), x - w / 2,
                y - h / 2, x + w / 2, y + h / 2);
}

static void yunet_levels(void) {
    head_case c = case_begin("input", 64, 32);
    static const char *const shapes[] = {"1x32x", "1x8x", "1x2x"};
    float *v[3][4];
    static const int channels[] = {1, 1, 4, 10};
    for (int k = 0; k < 4; k++)
        for (int s = 0; s < 3; s++) {
            char shape[32];
            snprintf(shape, sizeof shape, "%s%d", shapes[s], channels[k]);
            v[s][k] = case_output(&c, "x", shape, 0);
        }
    const float box[] = {0.5f, 0.25f, logf(2), 0};
    v[1][0][7] = 0.9f, v[1][1][7] = 0.4f; // stride 16, column 3, row 1
    memcpy(v[1][2] + 28, box, sizeof box);
    v[1][3][70 + 2] = 1.5f, v[1][3][70 + 3] = -0.5f;
    float x = 56, y = 20;
    fv_object o = case_expect(&c, "yunet", 1, 0.25f, 0, 0.6f, x - 16, y - 8, x + 16, y + 8);
    CHECK_EQUAL(o.n_keypoints, 5);
    CHECK_NEAR(o.keypoint[1][0], (4.5f * 16 - 4) * 2, 1e-3);
    CHECK_NEAR(o.keypoint[1][1], (0.5f * 16 - 6) * 2, 1e-3);
}

static void scrfd_two_boxes_a_cell(void) {
    head_case c = case_begin("input.1", 64, 64);
    case_output(&c, "448", "128x1", 0);
    float *score = case_output(&c, "471", "32x1", 0);
    case_output(&c, "494", "8x1", 0);
    case_output(&c, "451", "128x4", 0);
    float *box = case_output(&c, "474", "32x4", 0);
    case_output(&c, "497", "8x4", 0);
    case_output(&c, "454", "128x10", 0);
    float *point = case_output(&c, "477", "32x10", 0);
    case_output(&c, "500", "8x10", 0);
    int i = (2 * 4 + 1) * 2 + 1; // column 1, row 2, second box
    const float d[] = {0.5f, 1, 1.5f, 2};
    score[i] = 0.6f;
    memcpy(box + 4 * i, d, sizeof d);
    point[10 * i + 8] = 0.25f;
    fv_object o = case_expect(&c, "scrfd", 1, 0.25f, 0, 0.6f, 16 - 8, 32 - 16, 16 + 24, 32 + 32);
    CHECK_NEAR(o.keypoint[4][0], (20 - 4) * 2, 1e-3);
}

static void retinaface_priors(void) {
    head_case c = case_begin("input0", 64, 64); // 2 x 84
    float *box = case_output(&c, "loc", "1x168x4", 0);
    float *score = case_output(&c, "conf", "1x168x2", 0);
    float *point = case_output(&c, "landms", "1x168x10", 0);
    int i = 128 + (3 * 4 + 2) * 2 + 1; // stride 16, column 2, row 3, prior 128
    const float t[] = {1, -1, 5 * logf(0.5f), 0};
    memcpy(box + 4 * i, t, sizeof t);
    score[2 * i + 1] = 0.6f;
    point[10 * i] = 0.5f;
    float x = 40 + 12.8f, y = 56 - 12.8f;
    fv_object o = case_expect(&c, "retinaface", 1, 0.25f, 0, 0.6f, x - 32, y - 64, x + 32, y + 64);
    CHECK_NEAR(o.keypoint[0][0], (40 + 6.4f - 4) * 2, 1e-3);
}

static void pairs_of_boxes_and_scores(void) {
    static const struct {
        const char *family, *box_name, *box_shape, *score_name, *score_shape;
        float box[4], best, score;
        int classes, label_at, label;
    } rows[] = {
        {"ultralight", "boxes", "1x4420x4", "scores", "1x4420x2", {0.1f, 0.2f, 0.3f, 0.5f}, 0.7f, 0.7f, 1, 1, 0},
        {"ssd", "boxes", "1x3000x4", "scores", "1x3000x21", {0.1f, 0.2f, 0.3f, 0.5f}, 0.7f, 0.7f, 20, 20, 19},
        {"yolov4-boxes", "boxes", "1x10647x1x4", "confs", "1x10647x3", {0.1f, 0.2f, 0.3f, 0.5f}, 0.7f, 0.7f, 3, 2, 2},
        {"yolo-nas", "913", "1x1580x4", "904", "1x1580x3", {32, 48, 96, 120}, 0.7f, 0.7f, 3, 2, 2},
        {"detr-sigmoid", "pred_boxes", "1x300x4", "logits", "1x300x3", {0.2f, 0.35f, 0.2f, 0.3f}, 0.8472979f, 0.7f, 3, 2, 2},
        {"detr", "pred_boxes", "1x100x4", "logits", "1x100x3", {0.2f, 0.35f, 0.2f, 0.3f}, 0.8472979f, 0.7f, 2, 1, 1},
    };
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
        head_case c = case_begin("input", 320, 240);
        // detr: the third logit is "no object"; elsewhere it stays far below
        float *score = case_output(&c, rows[r].score_name, rows[r].score_shape,
                                   strstr(rows[r].family, "detr") ? -30 : 0);
        float *box = case_output(&c, rows[r].box_name, rows[r].box_shape, 0);
        int64_t n = c.out[1].dim[1], classes = c.out[0].dim[2];
        if (!strcmp(rows[r].family, "detr")) {
            for (int64_t i = 0; i < n; i++)
                score[i * classes + 2] = 0;
        }
        memcpy(box + (n - 1) * 4, rows[r].box, sizeof rows[r].box);
        score[(n - 1) * classes + rows[r].label_at] = rows[r].best;
        case_expect(&c, rows[r].family, rows[r].classes, 0.25f, rows[r].label, rows[r].score, 32,
                    48, 96, 120);
    }
}

static void ppyoloe_columns_and_lists(void) {
    head_case c = case_begin("image", 320, 240);
    float *box = case_output(&c, "boxes", "1x1580x4", 0);
    float *score = case_output(&c, "scores", "1x3x1580", 0);
    const float b[] = {32, 48, 96, 120};
    memcpy(box + 1579 * 4, b, sizeof b);
    score[2 * 1580 + 1579] = 0.7f;
    case_expect(&c, "ppyoloe", 3, 0.25f, 2, 0.7f, 32, 48, 96, 120);

    c = case_begin("image", 320, 240);
    box = case_output(&c, "detection_boxes", "1x100x4", 0);
    score = case_output(&c, "detection_scores", "1x100", 0);
    float *label = case_output(&c, "detection_classes", "1x100", 0);
    const float yx[] = {0.2f, 0.1f, 0.5f, 0.3f};
    memcpy(box + 99 * 4, yx, sizeof yx);
    score[99] = 0.7f, label[99] = 17;
    case_expect(&c, "lists", 0, 0.25f, 17, 0.7f, 32, 48, 96, 120);

    c = case_begin("images", 320, 240);
    label = case_output(&c, "labels", "1x300", 0);
    box = case_output(&c, "boxes", "1x300x4", 0);
    score = case_output(&c, "scores", "1x300", 0);
    memcpy(box + 4, b, sizeof b);
    score[1] = 0.7f, label[1] = 3;
    case_expect(&c, "corner-lists", 0, 0.25f, 3, 0.7f, 32, 48, 96, 120);
}

const fv_suite head_grid_suite = {"head_grid", (const fv_case[]){
    CASE(darknet_two_levels), CASE(darknet_three_levels_and_cards), CASE(yolov5_raw_boxes),
    CASE(fastest2_shared_classes), CASE(yolov2_softmax), CASE(nanodet_pairs),
    CASE(nanodet_plus_rounds_cells_up), CASE(picodet_pairs), CASE(fastestdet_map),
    CASE(fovea_maps), CASE(yunet_levels), CASE(scrfd_two_boxes_a_cell), CASE(retinaface_priors),
    CASE(pairs_of_boxes_and_scores), CASE(ppyoloe_columns_and_lists), {0}}};
