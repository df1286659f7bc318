#include "pipeline/vision/nms.h"

static void sort_by_score(fv_objects *objects) { // stable; linear when sorted already
    for (int i = 1; i < objects->n; i++) {
        fv_object moving = objects->v[i];
        int at = i;
        for (; at > 0 && objects->v[at - 1].score < moving.score; at--)
            objects->v[at] = objects->v[at - 1];
        if (at != i)
            objects->v[at] = moving;
    }
}

typedef struct {
    float iou;
    const bool *exclusive;
    int n;
} limits;

static bool is_exclusive(const limits *l, int label) {
    return label >= 0 && label < l->n && l->exclusive[label];
}

static bool suppressed(const fv_object *o, const fv_object *kept, int n, const limits *l) {
    bool any = is_exclusive(l, o->label);
    for (int i = 0; i < n; i++)
        if ((kept[i].label == o->label || (any && is_exclusive(l, kept[i].label))) &&
            fv_box_iou(kept[i].box, o->box) > l->iou)
            return true;
    return false;
}

void fv_nms(fv_objects *objects, float iou, const bool *exclusive, int n) {
    limits l = {iou, exclusive, n};
    sort_by_score(objects);
    int kept = 0;
    for (int i = 0; i < objects->n; i++)
        if (!suppressed(&objects->v[i], objects->v, kept, &l))
            objects->v[kept++] = objects->v[i];
    objects->n = kept;
}
