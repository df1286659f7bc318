#include "plugins/common/meta.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LABELS = 4096 };

// ---- labels ------------------------------------------------------------------------------------

static void labels_clear(fv_meta_labels *l) {
    for (int i = 0; i < l->labels.n; i++)
        g_free((char *)l->labels.v[i]);
    g_free((void *)l->labels.v);
}

fv_meta_labels *fv_meta_labels_create(const fv_labels *labels) {
    fv_meta_labels *l = g_atomic_rc_box_new0(fv_meta_labels);
    const char **names = g_new0(const char *, labels ? labels->n + 1 : 1);
    for (int i = 0; labels && i < labels->n; i++)
        names[i] = g_strdup(labels->v[i]);
    l->labels = (fv_labels){labels ? labels->n : 0, names};
    return l;
}

fv_meta_labels *fv_meta_labels_ref(fv_meta_labels *labels) {
    return labels ? g_atomic_rc_box_acquire(labels) : NULL;
}

void fv_meta_labels_unref(fv_meta_labels *labels) {
    if (labels)
        g_atomic_rc_box_release_full(labels, (GDestroyNotify)labels_clear);
}

void fv_meta_set_labels(fv_frame_meta *meta, fv_meta_labels *labels) {
    fv_meta_labels_ref(labels);
    fv_meta_labels_unref(meta->labels);
    meta->labels = labels;
}

// Puts `name` at `index`; places that open up before it get no name of their own.
static void label_put(fv_frame_meta *meta, int index, const char *name) {
    const fv_labels *old = meta->labels ? &meta->labels->labels : &(fv_labels){0};
    int n = MAX(old->n, index + 1);
    const char **names = g_new(const char *, n);
    for (int i = 0; i < n; i++)
        names[i] = i == index ? name : i < old->n ? old->v[i] : "";
    fv_meta_labels *grown = fv_meta_labels_create(&(fv_labels){n, names});
    fv_meta_set_labels(meta, grown);
    fv_meta_labels_unref(grown);
    g_free(names);
}

// The index of another detector's label: its own number where that is free, else the name's.
static int label_index(fv_frame_meta *meta, int id, const char *name) {
    const fv_labels *labels = meta->labels ? &meta->labels->labels : &(fv_labels){0};
    if (id >= 0 && id < labels->n && !strcmp(labels->v[id], name))
        return id;
    for (int i = 0; i < labels->n; i++)
        if (!strcmp(labels->v[i], name))
            return i;
    bool is_free = id >= 0 && id < MAX_LABELS && (id >= labels->n || !labels->v[id][0]);
    int index = is_free ? id : labels->n;
    label_put(meta, index, name);
    return index;
}

// ---- the meta ----------------------------------------------------------------------------------

GType fv_frame_meta_api_get_type(void) {
    static GType type;
    static const gchar *tags[] = {GST_META_TAG_VIDEO_STR, GST_META_TAG_VIDEO_ORIENTATION_STR,
                                  GST_META_TAG_VIDEO_SIZE_STR, NULL};
    if (g_once_init_enter(&type)) {
        GType known = g_type_from_name(
            "FvFrameMetaAPI"); // the plugin and a program that links this file
        g_once_init_leave(&type,
                          known ? known : gst_meta_api_type_register("FvFrameMetaAPI", tags));
    }
    return type;
}

static gboolean meta_init(GstMeta *meta, gpointer params, GstBuffer *buffer) {
    (void)params, (void)buffer;
    memset((char *)meta + sizeof *meta, 0, sizeof(fv_frame_meta) - sizeof *meta);
    return TRUE;
}

static void meta_free(GstMeta *meta, GstBuffer *buffer) {
    (void)buffer;
    fv_frame_meta *m = (fv_frame_meta *)meta;
    fv_meta_labels_unref(m->labels);
    g_free(m->objects);
    g_free(m->roi_ids);
    g_free(m->events);
    g_free(m->counts);
}

static void object_scale(fv_object *o, float x, float y) {
    o->box = (fv_box){o->box.x * x, o->box.y * y, o->box.w * x, o->box.h * y};
    for (int i = 0; i < o->n_keypoints; i++) {
        o->keypoint[i][0] *= x;
        o->keypoint[i][1] *= y;
    }
}

static void meta_scale(fv_frame_meta *m, const GstVideoInfo *in, const GstVideoInfo *out) {
    float x = (float)out->width / (float)in->width, y = (float)out->height / (float)in->height;
    m->width = out->width;
    m->height = out->height;
    for (int i = 0; i < m->n_objects; i++)
        object_scale(&m->objects[i], x, y);
    for (int i = 0; i < m->n_events; i++) {
        fv_event *e = &m->events[i];
        object_scale(&e->object, x, y);
        e->before[0] *= x, e->before[1] *= y;
        e->after[0] *= x, e->after[1] *= y;
    }
}

static const GstMetaInfo *meta_info(void);

static gboolean meta_transform(GstBuffer *to, GstMeta *meta, GstBuffer *from, GQuark type,
                               gpointer data) {
    (void)from;
    bool scale = GST_VIDEO_META_TRANSFORM_IS_SCALE(type);
    if (!scale && !GST_META_TRANSFORM_IS_COPY(type))
        return FALSE;
    const fv_frame_meta *m = (fv_frame_meta *)meta;
    fv_frame_meta *copy = (fv_frame_meta *)gst_buffer_add_meta(to, meta_info(), NULL);
    GstMeta head = copy->meta;
    *copy = *m;
    copy->meta = head;
    fv_meta_labels_ref(copy->labels);
    copy->objects = g_memdup2(m->objects, sizeof *m->objects * (size_t)m->n_objects);
    copy->roi_ids = g_memdup2(m->roi_ids, sizeof *m->roi_ids * (size_t)m->n_objects);
    copy->events = g_memdup2(m->events, sizeof *m->events * (size_t)m->n_events);
    copy->counts = g_memdup2(m->counts, sizeof *m->counts * (size_t)m->n_counts);
    const GstVideoMetaTransform *t = data;
    if (scale)
        meta_scale(copy, t->in_info, t->out_info);
    return TRUE;
}

static const GstMetaInfo *meta_info(void) {
    static const GstMetaInfo *info;
    if (g_once_init_enter(&info)) {
        const GstMetaInfo *known = gst_meta_get_info("FvFrameMeta");
        g_once_init_leave(&info, known ? known
                                       : gst_meta_register(fv_frame_meta_api_get_type(),
                                                           "FvFrameMeta", sizeof(fv_frame_meta),
                                                           meta_init, meta_free, meta_transform));
    }
    return info;
}

fv_frame_meta *fv_meta_get(GstBuffer *buffer) {
    return (fv_frame_meta *)gst_buffer_get_meta(buffer, fv_frame_meta_api_get_type());
}

fv_frame_meta *fv_meta_add(GstBuffer *buffer, const char *stream, uint64_t frame, int width,
                           int height) {
    fv_frame_meta *m = (fv_frame_meta *)gst_buffer_add_meta(buffer, meta_info(), NULL);
    m->stream = g_intern_string(stream);
    m->frame = frame;
    m->utc_ns = FV_TIME_NONE;
    m->inference = FV_SKIPPED;
    m->width = width;
    m->height = height;
    return m;
}

void fv_meta_add_event(fv_frame_meta *meta, const fv_event *event) {
    meta->events = g_renew(fv_event, meta->events, meta->n_events + 1);
    fv_event *e = &meta->events[meta->n_events++];
    *e = *event;
    e->event = g_intern_string(event->event);
    e->rule = g_intern_string(event->rule);
    e->direction = g_intern_string(event->direction);
}

void fv_meta_set_counts(fv_frame_meta *meta, const fv_rule_count *counts, int n) {
    g_free(meta->counts);
    meta->counts = g_memdup2(counts, sizeof *counts * (size_t)n);
    meta->n_counts = n;
}

// ---- objects <-> regions -----------------------------------------------------------------------

static gboolean drop_region(GstBuffer *buffer, GstMeta **meta, gpointer user) {
    (void)buffer, (void)user;
    if ((*meta)->info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) {
        const fv_frame_meta *m = user;
        GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)*meta;
        bool ours = gst_video_region_of_interest_meta_get_param(roi, "detection") != NULL;
        for (int i = 0; i < m->n_objects && !ours; i++)
            ours = m->roi_ids[i] == (uint32_t)roi->id;
        if (ours)
            *meta = NULL;
    }
    return TRUE;
}

static void region_bounds(fv_box box, int width, int height, int out[4]) {
    fv_box b = fv_box_clip(box, (float)width, (float)height);
    int x0 = (int)lroundf(b.x), y0 = (int)lroundf(b.y);
    out[0] = x0, out[1] = y0;
    out[2] = (int)lroundf(b.x + b.w) - x0;
    out[3] = (int)lroundf(b.y + b.h) - y0;
}

static uint32_t add_region(GstBuffer *buffer, const fv_frame_meta *m, const fv_object *o) {
    int r[4];
    region_bounds(o->box, m->width, m->height, r);
    const char *label = fv_label_get(m->labels ? &m->labels->labels : &(fv_labels){0}, o->label);
    GstVideoRegionOfInterestMeta *roi = gst_buffer_add_video_region_of_interest_meta(
        buffer, label, (guint)r[0], (guint)r[1], (guint)r[2], (guint)r[3]);
    fv_box b = fv_box_clip(o->box, (float)m->width, (float)m->height);
    double w = m->width, h = m->height;
    gst_video_region_of_interest_meta_add_param(
        roi, gst_structure_new("detection", "label_id", G_TYPE_INT, o->label, "confidence",
                               G_TYPE_DOUBLE, (double)o->score, "x_min", G_TYPE_DOUBLE, b.x / w,
                               "y_min", G_TYPE_DOUBLE, b.y / h, "x_max", G_TYPE_DOUBLE,
                               (b.x + b.w) / w, "y_max", G_TYPE_DOUBLE, (b.y + b.h) / h, NULL));
    if (o->id)
        gst_video_region_of_interest_meta_add_param(
            roi, gst_structure_new("object_id", "id", G_TYPE_INT, (int)(o->id & G_MAXINT), NULL));
    roi->id = (gint)gst_util_seqnum_next();
    return (uint32_t)roi->id;
}

void fv_meta_set_objects(GstBuffer *buffer, fv_frame_meta *meta, const fv_objects *objects) {
    gst_buffer_foreach_meta(buffer, drop_region, meta);
    g_free(meta->objects);
    g_free(meta->roi_ids);
    meta->n_objects = objects->n;
    meta->objects = g_memdup2(objects->v, sizeof *objects->v * (size_t)objects->n);
    meta->roi_ids = g_new(uint32_t, objects->n);
    for (int i = 0; i < objects->n; i++)
        meta->roi_ids[i] = add_region(buffer, meta, &objects->v[i]);
}

static bool region_moved(const GstVideoRegionOfInterestMeta *roi, const fv_object *o,
                         const fv_frame_meta *m) {
    int r[4];
    region_bounds(o->box, m->width, m->height, r);
    return abs((int)roi->x - r[0]) > 2 || abs((int)roi->y - r[1]) > 2 ||
           abs((int)roi->w - r[2]) > 2 || abs((int)roi->h - r[3]) > 2;
}

static fv_object foreign_object(GstVideoRegionOfInterestMeta *roi, fv_frame_meta *m) {
    double score = 1;
    int id = 0, label = -1;
    const GstStructure *d = gst_video_region_of_interest_meta_get_param(roi, "detection");
    if (d) {
        gst_structure_get_double(d, "confidence", &score);
        gst_structure_get_int(d, "label_id", &label);
    }
    const GstStructure *t = gst_video_region_of_interest_meta_get_param(roi, "object_id");
    if (t)
        gst_structure_get_int(t, "id", &id);
    return (fv_object){
        .box = {(float)roi->x, (float)roi->y, (float)roi->w, (float)roi->h},
        .score = (float)score,
        .label = label_index(m, label, g_quark_to_string(roi->roi_type)),
        .id = (uint64_t)MAX(0, id),
        .state = id > 0 ? FV_STATE_CONFIRMED : FV_STATE_DETECTED,
        .detection = -1,
    };
}

static bool own_object(const GstVideoRegionOfInterestMeta *roi, const fv_frame_meta *m, int *cursor,
                       fv_object *o) {
    for (int k = 0; k < m->n_objects;
         k++) { // regions come in the order of the objects: the first guess fits
        int i = (*cursor + k) % m->n_objects;
        if (m->roi_ids[i] != (uint32_t)roi->id)
            continue;
        *cursor = i + 1;
        *o = m->objects[i];
        if (region_moved(roi, o, m))
            o->box = (fv_box){(float)roi->x, (float)roi->y, (float)roi->w, (float)roi->h};
        return true;
    }
    return false;
}

void fv_meta_get_objects(GstBuffer *buffer, fv_frame_meta *meta, fv_objects *objects) {
    objects->n = 0;
    int cursor = 0;
    gpointer state = NULL;
    GstMeta *m;
    while (objects->n < objects->capacity &&
           (m = gst_buffer_iterate_meta_filtered(buffer, &state,
                                                 GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE))) {
        GstVideoRegionOfInterestMeta *roi = (GstVideoRegionOfInterestMeta *)m;
        fv_object *o = &objects->v[objects->n];
        if (!own_object(roi, meta, &cursor, o)) {
            if (!gst_video_region_of_interest_meta_get_param(roi, "detection"))
                continue; // an encoder's hint, not a detection
            *o = foreign_object(roi, meta);
        }
        objects->n++;
    }
}
