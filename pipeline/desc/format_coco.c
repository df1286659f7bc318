// COCO results (cocodataset.org, "Results Format"): image_id, category_id, bbox [x, y, width,
// height] in pixels, score; and track_id, which evaluators ignore, where there is one. image_id is
// the frame number.
//
// category_id is COCO's own (1..90, with gaps) where every class of the model has the name of one
// of COCO's 80, else the class number + 1.
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

static const struct {
    const char *name;
    int id;
} categories[] = {
    {"person", 1},        {"bicycle", 2},        {"car", 3},           {"motorcycle", 4},
    {"airplane", 5},      {"bus", 6},            {"train", 7},         {"truck", 8},
    {"boat", 9},          {"traffic light", 10}, {"fire hydrant", 11}, {"stop sign", 13},
    {"parking meter", 14}, {"bench", 15},        {"bird", 16},         {"cat", 17},
    {"dog", 18},          {"horse", 19},         {"sheep", 20},        {"cow", 21},
    {"elephant", 22},     {"bear", 23},          {"zebra", 24},        {"giraffe", 25},
    {"backpack", 27},     {"umbrella", 28},      {"handbag", 31},      {"tie", 32},
    {"suitcase", 33},     {"frisbee", 34},       {"skis", 35},         {"snowboard", 36},
    {"sports ball", 37},  {"kite", 38},          {"baseball bat", 39}, {"baseball glove", 40},
    {"skateboard", 41},   {"surfboard", 42},     {"tennis racket", 43}, {"bottle", 44},
    {"wine glass", 46},   {"cup", 47},           {"fork", 48},         {"knife", 49},
    {"spoon", 50},        {"bowl", 51},          {"banana", 52},       {"apple", 53},
    {"sandwich", 54},     {"orange", 55},        {"broccoli", 56},     {"carrot", 57},
    {"hot dog", 58},      {"pizza", 59},         {"donut", 60},        {"cake", 61},
    {"chair", 62},        {"couch", 63},         {"potted plant", 64}, {"bed", 65},
    {"dining table", 67}, {"toilet", 70},        {"tv", 72},           {"laptop", 73},
    {"mouse", 74},        {"remote", 75},        {"keyboard", 76},     {"cell phone", 77},
    {"microwave", 78},    {"oven", 79},          {"toaster", 80},      {"sink", 81},
    {"refrigerator", 82}, {"book", 84},          {"clock", 85},        {"vase", 86},
    {"scissors", 87},     {"teddy bear", 88},    {"hair drier", 89},   {"toothbrush", 90},
    // what the same classes are called in widespread lists of 80 names
    {"motorbike", 4},     {"aeroplane", 5},      {"sofa", 63},         {"pottedplant", 64},
    {"diningtable", 67},  {"tvmonitor", 72},
};

static int category_of(const char *name) {
    for (size_t i = 0; i < sizeof categories / sizeof categories[0]; i++)
        if (!strcmp(categories[i].name, name))
            return categories[i].id;
    return 0;
}

static bool are_coco(const fv_labels *labels) {
    bool all = labels && labels->n;
    for (int i = 0; all && i < labels->n; i++)
        all = category_of(labels->v[i]);
    return all;
}

static json_t *result(const fv_record *r, const fv_object *o, bool coco) {
    double box[4] = {o->box.x, o->box.y, o->box.w, o->box.h};
    int category = coco ? category_of(fv_label_get(r->labels, o->label)) : 0;
    json_t *j = json_object();
    json_object_set_new(j, "image_id", json_integer((json_int_t)r->frame));
    json_object_set_new(j, "category_id", json_integer(category ? category : o->label + 1));
    json_object_set_new(j, "bbox", fv_json_numbers(box, 4, FV_PIXEL_DIGITS));
    json_object_set_new(j, "score", fv_json_number(o->score, FV_SCORE_DIGITS));
    if (o->id)
        json_object_set_new(j, "track_id", json_integer((json_int_t)o->id));
    return j;
}

// The results of a frame without the list's brackets, which are the document's.
void fv_coco_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    (void)events, (void)n;
    if (!r->objects.n)
        return;
    bool coco = are_coco(r->labels);
    json_t *list = json_array();
    for (int i = 0; i < r->objects.n; i++)
        json_array_append_new(list, result(r, &r->objects.v[i], coco));
    char *body = fv_json_dump(list), id[96];
    size_t bytes = body ? strlen(body) : 0;
    if (body) {
        memmove(body, body + 1, bytes - 2);
        body[bytes - 2] = 0;
    }
    fv_message m = {.topic = "results", .id = fv_format_frame_id(f, r, id, sizeof id)};
    fv_formatter_say(f, r->stream, m, body);
}
