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

static bool suppressed(const fv_object *o, const fv_object *kept, int n, float iou,
                       bool class_agnostic) {
    for (int i = 0; i < n; i++)
        if ((class_agnostic || kept[i].label == o->label) && fv_box_iou(kept[i].box, o->box) > iou)
            return true;
    return false;
}

void fv_nms(fv_objects *objects, float iou, bool class_agnostic) {
    sort_by_score(objects);
    int kept = 0;
    for (int i = 0; i < objects->n; i++)
        if (!suppressed(&objects->v[i], objects->v, kept, iou, class_agnostic))
            objects->v[kept++] = objects->v[i];
    objects->n = kept;
}
