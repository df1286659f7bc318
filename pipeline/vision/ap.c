#include "pipeline/vision/ap.h"

#include <stdlib.h>
#include <string.h>

enum { N_IOUS = 10, N_RECALLS = 101 };

typedef struct {
    float score;
    int order;         // of arrival: ties keep it
    unsigned correct;  // bit t: matched at IoU 0.5 + 0.05 t
} hit;

typedef struct {
    int n, capacity, n_truth;
    hit *v;
} class_hits;

struct fv_ap {
    int n_classes;
    class_hits *of;
};

fv_ap *fv_ap_create(int n_classes) {
    fv_ap *ap = calloc(1, sizeof *ap);
    if (!ap)
        return NULL;
    ap->n_classes = n_classes;
    ap->of = calloc((size_t)(n_classes > 0 ? n_classes : 1), sizeof *ap->of);
    if (!ap->of)
        fv_ap_destroy(&ap);
    return ap;
}

void fv_ap_destroy(fv_ap **ap) {
    if (!ap || !*ap)
        return;
    for (int i = 0; (*ap)->of && i < (*ap)->n_classes; i++)
        free((*ap)->of[i].v);
    free((*ap)->of);
    free(*ap);
    *ap = NULL;
}

static bool labels_in_range(const fv_ap *ap, const fv_objects *objects, const char *what,
                            fv_err *err) {
    for (int i = 0; i < objects->n; i++)
        if (objects->v[i].label < 0 || objects->v[i].label >= ap->n_classes)
            return fv_fail(err, FV_BAD_INPUT, "%s of class %d, but there are %d classes", what,
                           objects->v[i].label, ap->n_classes);
    return true;
}

static hit *hit_add(class_hits *c) {
    if (c->n == c->capacity) {
        int capacity = c->capacity ? 2 * c->capacity : 64;
        hit *v = realloc(c->v, (size_t)capacity * sizeof *v);
        if (!v)
            return NULL;
        c->v = v;
        c->capacity = capacity;
    }
    hit *h = &c->v[c->n];
    *h = (hit){.order = c->n++};
    return h;
}

static int by_score(const void *a, const void *b) {
    const hit *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->order > y->order) - (x->order < y->order);
}

static unsigned match(const fv_object *found, const fv_objects *truth, unsigned *taken) {
    unsigned correct = 0;
    for (int t = 0; t < N_IOUS; t++) {
        float least = 0.5f + 0.05f * (float)t, most = 0;
        int best = -1;
        for (int k = 0; k < truth->n; k++) {
            float iou = truth->v[k].label == found->label && !(taken[k] & 1u << t)
                            ? fv_box_iou(found->box, truth->v[k].box)
                            : -1;
            if (iou >= least && iou > most)
                most = iou, best = k;
        }
        if (best >= 0) {
            taken[best] |= 1u << t;
            correct |= 1u << t;
        }
    }
    return correct;
}

static bool add_hits(fv_ap *ap, const fv_objects *truth, const fv_objects *found, const hit *order,
                     unsigned *taken) {
    for (int i = 0; i < found->n; i++) {
        const fv_object *o = &found->v[order[i].order];
        hit *h = hit_add(&ap->of[o->label]);
        if (!h)
            return false;
        h->score = o->score;
        h->correct = match(o, truth, taken);
    }
    return true;
}

bool fv_ap_add(fv_ap *ap, const fv_objects *truth, const fv_objects *found, fv_err *err) {
    if (!labels_in_range(ap, truth, "a label", err) ||
        !labels_in_range(ap, found, "a detection", err))
        return false;
    for (int i = 0; i < truth->n; i++)
        ap->of[truth->v[i].label].n_truth++;
    hit *order = calloc((size_t)found->n + 1, sizeof *order);
    unsigned *taken = calloc((size_t)truth->n + 1, sizeof *taken);
    bool ok = order && taken;
    for (int i = 0; ok && i < found->n; i++)
        order[i] = (hit){.score = found->v[i].score, .order = i};
    if (ok) {
        qsort(order, (size_t)found->n, sizeof *order, by_score);
        ok = add_hits(ap, truth, found, order, taken);
    }
    free(order);
    free(taken);
    return ok || fv_fail(err, FV_MEMORY, "out of memory for %d detections", found->n);
}

static double average_precision(const class_hits *c, int t) {
    double precision[N_RECALLS] = {0}; // best at each recall or beyond
    int correct = 0;
    for (int i = 0; i < c->n; i++) {
        correct += c->v[i].correct >> t & 1;
        double p = (double)correct / (i + 1);
        int reached = (int)((double)correct * (N_RECALLS - 1) / c->n_truth + 1e-9);
        if (correct && precision[reached] < p)
            precision[reached] = p;
    }
    double best = 0, sum = 0;
    for (int r = N_RECALLS - 1; r >= 0; r--) {
        best = precision[r] > best ? precision[r] : best;
        sum += best;
    }
    return sum / N_RECALLS;
}

static fv_ap_class class_result(class_hits *c) {
    fv_ap_class result = {.n_truth = c->n_truth, .n_detected = c->n};
    if (!c->n_truth)
        return result;
    if (c->n)
        qsort(c->v, (size_t)c->n, sizeof *c->v, by_score);
    for (int i = 0; i < c->n; i++)
        c->v[i].order = i;
    result.ap50 = average_precision(c, 0);
    for (int t = 0; t < N_IOUS; t++)
        result.ap += average_precision(c, t) / N_IOUS;
    return result;
}

fv_ap_class fv_ap_result(fv_ap *ap, fv_ap_class *by_class) {
    fv_ap_class mean = {0};
    int present = 0;
    for (int i = 0; i < ap->n_classes; i++) {
        fv_ap_class c = class_result(&ap->of[i]);
        if (by_class)
            by_class[i] = c;
        mean.n_truth += c.n_truth;
        mean.n_detected += c.n_detected;
        mean.ap50 += c.ap50;
        mean.ap += c.ap;
        present += c.n_truth > 0;
    }
    if (present) {
        mean.ap50 /= present;
        mean.ap /= present;
    }
    return mean;
}
