// fvdetect: frames into a detector (pipeline/detect), objects onto the buffers. The picture is
// untouched.
//
//     gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! fvdetect model=m.onnx ! fvtrack !
//       fvoverlay ! autovideosink
//
// Up to `slots` frames are computed at once; buffers come out in the order they came in. Between
// the frames that are computed (`every`) and when a live stream is late (`late`) buffers pass with
// inference "skipped", for a tracker to fill in. Every frame that came in is in the ledger.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/detect.h"
#include "plugins/common/frame.h"
#include "plugins/elements.h"

typedef enum { LATE_SKIP, LATE_DROP, LATE_KEEP } late_policy;
static const char *const late_names[] = {"skip", "drop", "keep", NULL};

typedef struct {
    const char *model, *card, *labels, *classes, *device, *roi;
    float threshold, iou_threshold;
    int every, slots, max_objects, late, precision;
    bool validate;
} params;

static const fv_option options[] = {
    FV_OPTION_STRING(params, model, "model", NULL, "an .onnx file (unset: the default detector)"),
    FV_OPTION_STRING(params, card, "card", NULL,
                     "model card, YAML (unset: the .yaml beside the model, if there)"),
    FV_OPTION_STRING(params, labels, "labels", NULL,
                     "file with one class name a line (unset: the card, the model's metadata, the "
                     ".names beside it)"),
    FV_OPTION_FLOAT(params, threshold, "threshold", 0, 1, 0,
                    "lowest score that is kept (0: the card's, or 0.25)"),
    FV_OPTION_FLOAT(params, iou_threshold, "iou-threshold", 0, 1, 0,
                    "of two overlapping boxes of a class the better stays, from this overlap on "
                    "(0: the card's, or 0.45)"),
    FV_OPTION_STRING(params, classes, "classes", NULL,
                     "comma-separated names or numbers to keep (unset: all)"),
    FV_OPTION_INT(params, max_objects, "max-objects", 1, FV_ELEMENT_OBJECTS, 300,
                  "at most so many objects a frame, the best"),
    FV_OPTION_INT(params, every, "every", 1, 10000, 1,
                  "compute every Nth frame; the others pass as skipped"),
    FV_OPTION_STRING(params, device, "device", NULL,
                     "Vulkan device, a number or a part of its name; `reference` computes in plain "
                     "C (unset: the best)"),
    FV_OPTION_ENUM(params, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device: float32, float16 after a check against float32, or float16 only "
                   "where that pays (the card's, if it names one)"),
    FV_OPTION_INT(params, slots, "slots", 1, 16, 2,
                  "frames computed at once; a live stream is slots - 1 frames later"),
    FV_OPTION_STRING(
        params, roi, "roi", NULL,
        "look only here: x,y,width,height in fractions of the picture or, above 1, pixels"),
    FV_OPTION_ENUM(params, late, "late", late_names, LATE_SKIP,
                   "a frame that is late (live, or the sink says so): skip its inference, drop it, "
                   "or keep up regardless"),
    FV_OPTION_BOOL(params, validate, "validate", false, "with Vulkan's validation layer"),
    {0},
};

enum { N_LATENCIES = 4096, MAX_IN_FLIGHT = 16 };

typedef struct {
    GstBuffer *buffer;
    bool inferred;
    int64_t pushed_us;
    int corner[2];
} item;

typedef struct {
    fv_detector *detector;
    fv_meta_labels *labels;
    GQueue queue;                  // of item *, oldest first
    fv_objects found;
    float roi[4];
    bool has_roi;
    uint64_t since_inferred;       // frames since the last one that was computed
    GstClockTime earliest;         // running time before which the sink has no use for frames
    fv_ledger ledger;
    uint64_t late;
    float latency_ms[N_LATENCIES]; // a ring
    uint64_t n_latencies;
    uint64_t n_objects;
} state;

// ---- start and stop ----------------------------------------------------------------------------

static bool parse_roi(const char *text, float roi[4], fv_err *err) {
    char extra;
    if (sscanf(text, "%f , %f , %f , %f %c", &roi[0], &roi[1], &roi[2], &roi[3], &extra) != 4 ||
        !(roi[0] >= 0) || !(roi[1] >= 0) || !(roi[2] > 0) || !(roi[3] > 0))
        return fv_fail(err, FV_BAD_INPUT,
                       "fvdetect roi=%s: give x,y,width,height, for example 0,0.5,1,0.5", text);
    return true;
}

static const char *or_null(const char *text) {
    return text && *text ? text : NULL;
}

static bool start(fv_element *e, fv_err *err) {
    const params *p = e->params;
    state *s = e->state;
    g_queue_init(&s->queue);
    s->has_roi = or_null(p->roi) != NULL;
    if (s->has_roi && !parse_roi(p->roi, s->roi, err))
        return false;
    s->detector = fv_detector_create(
        &(fv_detector_params){
            .model = or_null(p->model), .card = or_null(p->card), .labels = or_null(p->labels),
            .device = or_null(p->device), .classes = or_null(p->classes), .threshold = p->threshold,
            .iou_threshold = p->iou_threshold, .max_objects = p->max_objects, .slots = p->slots,
            .precision = (fv_precision)p->precision, .validate = p->validate,
        }, err);
    if (!s->detector)
        return false;
    s->labels = fv_meta_labels_create(fv_detector_labels(s->detector));
    s->found = (fv_objects){.capacity = p->max_objects, .v = g_new0(fv_object, p->max_objects)};
    s->since_inferred = UINT64_MAX;
    return true;
}

static void item_free(item *i) {
    gst_clear_buffer(&i->buffer);
    g_free(i);
}

static void stop(fv_element *e) {
    state *s = e->state;
    g_queue_clear_full(&s->queue, (GDestroyNotify)item_free);
    fv_detector_destroy(&s->detector);
    fv_meta_labels_unref(s->labels);
    g_free(s->found.v);
}

// ---- which frames are computed -----------------------------------------------------------------

static void src_event(fv_element *e, GstEvent *event) {
    if (GST_EVENT_TYPE(event) != GST_EVENT_QOS)
        return;
    GstClockTimeDiff diff;
    GstClockTime at;
    gst_event_parse_qos(event, NULL, NULL, &diff, &at);
    g_mutex_lock(&e->lock);
    bool lags = GST_CLOCK_TIME_IS_VALID(at) && diff > 0; // the formula is GstBaseTransform's
    ((state *)e->state)->earliest = lags ? at + 2 * (GstClockTime)diff : 0;
    g_mutex_unlock(&e->lock);
}

// Late: the sink has no use for it, or a live stream has fallen back by three frames.
static bool is_late(fv_element *e, const GstBuffer *buffer) {
    GstClockTime due = gst_segment_to_running_time(&e->base.segment, GST_FORMAT_TIME,
                                                   GST_BUFFER_PTS(buffer));
    g_mutex_lock(&e->lock);
    GstClockTime earliest = ((state *)e->state)->earliest;
    g_mutex_unlock(&e->lock);
    if (GST_CLOCK_TIME_IS_VALID(due) && due < earliest)
        return true;
    GstClockTimeDiff tolerance = (GstClockTimeDiff)MAX(100 * GST_MSECOND,
                                                       3 * fv_element_frame_duration(e));
    return fv_element_lateness(e, buffer) > tolerance;
}

// ---- frames ------------------------------------------------------------------------------------

static void narrow(const state *s, fv_frame *frame, int corner[2]) {
    float scale[4] = {1, 1, 1, 1};
    bool fractions = s->roi[0] <= 1 && s->roi[1] <= 1 && s->roi[2] <= 1 && s->roi[3] <= 1;
    for (int i = 0; fractions && i < 4; i++)
        scale[i] = (float)(i % 2 ? frame->height : frame->width);
    fv_frame_crop(frame, (int)lroundf(s->roi[0] * scale[0]), (int)lroundf(s->roi[1] * scale[1]),
                  (int)lroundf(s->roi[2] * scale[2]), (int)lroundf(s->roi[3] * scale[3]), corner);
}

static bool compute(fv_element *e, item *i, fv_err *err) {
    state *s = e->state;
    fv_mapped m;
    if (!fv_frame_map(&m, &e->info, i->buffer, GST_MAP_READ, err))
        return false;
    if (s->has_roi)
        narrow(s, &m.frame, i->corner);
    i->inferred = fv_detector_push(s->detector, &m.frame, m.par, i, err);
    fv_frame_unmap(&m);
    return i->inferred;
}

static bool push(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)record;
    const params *p = e->params;
    state *s = e->state;
    bool late = p->late != LATE_KEEP && is_late(e, buffer);
    g_mutex_lock(&e->lock);
    s->ledger.decoded++;
    s->late += late;
    s->ledger.dropped[FV_DROP_QOS] += late && p->late == LATE_DROP;
    g_mutex_unlock(&e->lock);
    if (late && p->late == LATE_DROP) {
        gst_buffer_unref(buffer);
        return true;
    }
    item *i = g_new0(item, 1);
    i->buffer = buffer;
    i->pushed_us = g_get_monotonic_time();
    g_queue_push_tail(&s->queue, i);
    bool due = s->since_inferred >= (uint64_t)p->every - 1;
    s->since_inferred = due && !late ? 0 : s->since_inferred + (s->since_inferred < UINT64_MAX);
    return !due || late || compute(e, i, err);
}

static void book(fv_element *e, const item *i) {
    state *s = e->state;
    g_mutex_lock(&e->lock);
    if (i->inferred) {
        s->ledger.inferred++;
        s->n_objects += (uint64_t)s->found.n;
        s->latency_ms[s->n_latencies++ % N_LATENCIES] =
            (float)(g_get_monotonic_time() - i->pushed_us) / 1000;
    } else {
        s->ledger.skipped++;
    }
    g_mutex_unlock(&e->lock);
}

static bool collect(state *s, item *i, fv_err *err) {
    void *user;
    if (!fv_detector_pull(s->detector, &s->found, &user, err))
        return false;
    g_assert(user == i);
    for (int k = 0; k < s->found.n; k++) {
        s->found.v[k].box.x += (float)i->corner[0];
        s->found.v[k].box.y += (float)i->corner[1];
        for (int j = 0; j < s->found.v[k].n_keypoints; j++) {
            s->found.v[k].keypoint[j][0] += (float)i->corner[0];
            s->found.v[k].keypoint[j][1] += (float)i->corner[1];
        }
    }
    return true;
}

static GstBuffer *pull(fv_element *e, fv_err *err) {
    state *s = e->state;
    item *i = g_queue_pop_head(&s->queue);
    GstBuffer *buffer = NULL;
    s->found.n = 0;
    if (!i->inferred || collect(s, i, err)) {
        fv_frame_meta *m = fv_meta_get(i->buffer);
        m->inference = i->inferred ? FV_INFERRED : FV_SKIPPED;
        fv_meta_set_labels(m, s->labels);
        fv_meta_set_objects(i->buffer, m, &s->found);
        buffer = g_steal_pointer(&i->buffer);
        book(e, i);
    }
    item_free(i);
    return buffer;
}

static int pending(fv_element *e) {
    return (int)((state *)e->state)->queue.length;
}

// Offline the frames between two that are computed wait as well, so that the device is never idle.
static int depth(fv_element *e) {
    const params *p = e->params;
    return e->is_live ? p->slots : (p->slots - 1) * MIN(p->every, MAX_IN_FLIGHT) + 1;
}

static void flush(fv_element *e) {
    state *s = e->state;
    fv_err err = {0};
    g_mutex_lock(&e->lock);
    s->ledger.dropped[FV_DROP_FLUSH] += s->queue.length;
    s->earliest = 0;
    g_mutex_unlock(&e->lock);
    g_queue_clear_full(&s->queue, (GDestroyNotify)item_free);
    while (fv_detector_pending(s->detector) > 0 &&
           fv_detector_pull(s->detector, &s->found, NULL, &err)) {
    }
    s->since_inferred = UINT64_MAX;
}

// ---- statistics --------------------------------------------------------------------------------

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static GstStructure *stats(fv_element *e) {
    const state *s = e->state;
    size_t n = MIN(s->n_latencies, N_LATENCIES);
    float *sorted = g_memdup2(s->latency_ms, sizeof *sorted * n);
    if (n)
        qsort(sorted, n, sizeof *sorted, by_value);
    GstStructure *t = gst_structure_new(
        "fvdetect-stats", "decoded", G_TYPE_UINT64, s->ledger.decoded, "inferred", G_TYPE_UINT64,
        s->ledger.inferred, "predicted", G_TYPE_UINT64, s->ledger.predicted, "skipped",
        G_TYPE_UINT64, s->ledger.skipped, "late", G_TYPE_UINT64, s->late, "objects", G_TYPE_UINT64,
        s->n_objects, "latency-p50-ms", G_TYPE_DOUBLE, n ? (double)sorted[n / 2] : 0.0,
        "latency-p99-ms", G_TYPE_DOUBLE, n ? (double)sorted[n * 99 / 100] : 0.0, NULL);
    for (int i = 0; i < FV_N_DROPS; i++) {
        char name[64];
        g_snprintf(name, sizeof name, "dropped-%s", fv_drop_names[i]);
        gst_structure_set(t, name, G_TYPE_UINT64, s->ledger.dropped[i], NULL);
    }
    g_free(sorted);
    return t;
}

const fv_element_row fv_detect_element = {
    .name = "fvdetect",
    .type_name = "FvDetect",
    .long_name = "Fovea detector",
    .klass = "Filter/Analyzer/Video",
    .description = "Finds objects with an ONNX model on Vulkan; the picture passes untouched, "
                   "objects are metadata",
    .options = {{options, 0}},
    .params_size = sizeof(params),
    .state_size = sizeof(state),
    .start = start,
    .stop = stop,
    .push = push,
    .pull = pull,
    .pending = pending,
    .depth = depth,
    .flush = flush,
    .stats = stats,
    .src_event = src_event,
};
