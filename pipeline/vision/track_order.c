#include "pipeline/vision/track_order.h"

#include <math.h>

static bool is_after(const fv_objects *d, int a, int b) {
    return d->v[a].box.x > d->v[b].box.x || (d->v[a].box.x == d->v[b].box.x && a > b);
}

static void sink(const fv_objects *d, int *heap, int from, int n) {
    for (int child; (child = 2 * from + 1) < n; from = child) {
        if (child + 1 < n && is_after(d, heap[child + 1], heap[child]))
            child++;
        if (!is_after(d, heap[child], heap[from]))
            return;
        int swap = heap[from];
        heap[from] = heap[child];
        heap[child] = swap;
    }
}

float fv_track_order(const fv_objects *d, int *order) {
    float widest = 0;
    for (int i = 0; i < d->n; i++) {
        order[i] = i;
        widest = fmaxf(widest, d->v[i].box.w);
    }
    for (int i = d->n / 2 - 1; i >= 0; i--)
        sink(d, order, i, d->n);
    for (int i = d->n - 1; i > 0; i--) {
        int largest = order[0];
        order[0] = order[i];
        order[i] = largest;
        sink(d, order, 0, i);
    }
    return widest;
}

int fv_track_order_find(const fv_objects *d, const int *order, float x) {
    int low = 0, high = d->n;
    while (low < high) {
        int middle = (low + high) / 2;
        if (d->v[order[middle]].box.x < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}
