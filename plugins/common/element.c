#include "plugins/common/element.h"

#include <string.h>

#include "plugins/common/frame.h"

GST_DEBUG_CATEGORY_STATIC(fovea_element_debug);
#define GST_CAT_DEFAULT fovea_element_debug

typedef struct {
    GstBaseTransformClass base;
    const fv_element_row *row;
    GstBaseTransformClass *parent;
    guint n_options;
} element_class;

enum { PROP_STREAM = 1, PROP_STATS, PROP_OPTIONS };

static element_class *class_of(void *e) {
    return (element_class *)G_OBJECT_GET_CLASS(e);
}

// ---- errors ------------------------------------------------------------------------------------

static const struct {
    GQuark (*domain)(void);
    int code;
} gst_codes[] = {
    [FV_OK] = {gst_library_error_quark, GST_LIBRARY_ERROR_FAILED},
    [FV_BAD_INPUT] = {gst_resource_error_quark, GST_RESOURCE_ERROR_SETTINGS},
    [FV_UNSUPPORTED] = {gst_stream_error_quark, GST_STREAM_ERROR_NOT_IMPLEMENTED},
    [FV_IO] = {gst_resource_error_quark, GST_RESOURCE_ERROR_FAILED},
    [FV_GPU] = {gst_library_error_quark, GST_LIBRARY_ERROR_FAILED},
    [FV_MEMORY] = {gst_resource_error_quark, GST_RESOURCE_ERROR_NO_SPACE_LEFT},
};

static void post(GstElement *element, GstMessageType type, const fv_err *err) {
    gst_element_message_full(element, type, gst_codes[err->code].domain(),
                             gst_codes[err->code].code, g_strdup(err->text), NULL, __FILE__,
                             __func__, __LINE__);
}

void fv_element_error(GstElement *element, const fv_err *err) {
    post(element, GST_MESSAGE_ERROR, err);
}

void fv_element_warning(GstElement *element, const fv_err *err) {
    post(element, GST_MESSAGE_WARNING, err);
}

void fv_element_info(GstElement *element, const fv_err *err) {
    post(element, GST_MESSAGE_INFO, err);
}

// An error is posted once; what follows from it is silent.
static GstFlowReturn fail(fv_element *e, const fv_err *err) {
    if (!e->failed)
        fv_element_error(GST_ELEMENT(e), err);
    e->failed = true;
    return GST_FLOW_ERROR;
}

// ---- properties --------------------------------------------------------------------------------

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    (void)spec;
    fv_element *e = (fv_element *)object;
    GST_OBJECT_LOCK(e);
    if (id == PROP_STREAM)
        e->stream = g_intern_string(g_value_get_string(value));
    else
        fv_props_set(e->set_params, e->row->options, id - PROP_OPTIONS, value);
    e->params_changed = true;
    GST_OBJECT_UNLOCK(e);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
    (void)spec;
    fv_element *e = (fv_element *)object;
    if (id == PROP_STATS) {
        g_mutex_lock(&e->lock);
        g_value_take_boxed(value, e->state ? e->row->stats(e) : NULL);
        g_mutex_unlock(&e->lock);
        return;
    }
    GST_OBJECT_LOCK(e);
    if (id == PROP_STREAM)
        g_value_set_static_string(value, e->stream);
    else
        fv_props_get(e->set_params, e->row->options, id - PROP_OPTIONS, value);
    GST_OBJECT_UNLOCK(e);
}

static bool take_params(fv_element *e) {
    GST_OBJECT_LOCK(e);
    bool changed = e->params_changed;
    if (changed && e->row->params_size)
        memcpy(e->params, e->set_params, e->row->params_size);
    e->params_changed = false;
    GST_OBJECT_UNLOCK(e);
    return changed;
}

// ---- start and stop ----------------------------------------------------------------------------

static void state_free(fv_element *e) {
    if (e->row->stop)
        e->row->stop(e);
    g_mutex_lock(&e->lock);
    g_clear_pointer(&e->state, g_free);
    g_mutex_unlock(&e->lock);
}

static gboolean start(GstBaseTransform *base) {
    fv_element *e = (fv_element *)base;
    fv_err err = {0};
    e->params_changed = true;
    take_params(e);
    e->failed = e->is_live = e->latency_known = false;
    e->next_frame = 0;
    gst_video_info_init(&e->info);
    void *state = g_malloc0(MAX(e->row->state_size, 1));
    g_mutex_lock(&e->lock);
    e->state = state;
    g_mutex_unlock(&e->lock);
    if (!e->row->start || e->row->start(e, &err))
        return TRUE;
    fail(e, &err);
    state_free(e);
    return FALSE;
}

static gboolean stop(GstBaseTransform *base) {
    fv_element *e = (fv_element *)base;
    if (e->state)
        state_free(e);
    return TRUE;
}

// ---- frames ------------------------------------------------------------------------------------

static const char *stream_name(fv_element *e) {
    if (e->stream && *e->stream)
        return e->stream;
    return g_intern_string(GST_OBJECT_NAME(e));
}

// Wall clock of a frame: what RTCP or PTP told a source (GstReferenceTimestampMeta), else, of a
// live source, when it arrived here.
static void stamp_utc(fv_element *e, GstBuffer *buffer, fv_frame_meta *m) {
    static const struct {
        const char *caps;
        int64_t epoch_ns; // of the clock, before the Unix epoch
        fv_utc_source source;
    } clocks[] = {
        {"timestamp/x-ntp", 2208988800 * (int64_t)GST_SECOND, FV_UTC_RTCP},
        {"timestamp/x-unix", 0, FV_UTC_NTP},
    };
    const GstReferenceTimestampMeta *r = gst_buffer_get_reference_timestamp_meta(buffer, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(clocks); i++) {
        if (!r || !gst_structure_has_name(gst_caps_get_structure(r->reference, 0), clocks[i].caps))
            continue;
        m->utc_ns = (int64_t)r->timestamp - clocks[i].epoch_ns;
        m->utc_source = clocks[i].source;
        return;
    }
    if (e->is_live) {
        m->utc_ns = g_get_real_time() * 1000;
        m->utc_source = FV_UTC_ARRIVAL;
    }
}

static fv_frame_meta *meta_of(fv_element *e, GstBuffer *buffer) {
    fv_frame_meta *m = fv_meta_get(buffer);
    if (!m) {
        int width = e->info.width, height = e->info.height;
        const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta(buffer);
        if (crop && crop->width && crop->height)
            width = (int)crop->width, height = (int)crop->height;
        m = fv_meta_add(buffer, stream_name(e), e->next_frame, width, height);
        stamp_utc(e, buffer, m);
    } else if (e->stream && *e->stream) {
        m->stream = e->stream;
    }
    e->next_frame = m->frame + 1;
    return m;
}

static int64_t stream_time(fv_element *e, const GstBuffer *buffer) {
    GstClockTime t = gst_segment_to_stream_time(&e->base.segment, GST_FORMAT_TIME,
                                                GST_BUFFER_PTS(buffer));
    return GST_CLOCK_TIME_IS_VALID(t) ? (int64_t)t : FV_TIME_NONE;
}

static void read_record(fv_element *e, GstBuffer *buffer, fv_record *record) {
    fv_frame_meta *m = meta_of(e, buffer);
    fv_meta_get_objects(buffer, m, &e->objects);
    *record = (fv_record){
        .stream = m->stream,
        .frame = m->frame,
        .pts_ns = stream_time(e, buffer),
        .utc_ns = m->utc_ns,
        .utc_source = m->utc_source,
        .width = m->width,
        .height = m->height,
        .inference = m->inference,
        .objects = e->objects,
        .labels = m->labels ? &m->labels->labels : NULL,
    };
}

static void ask_live(fv_element *e) {
    GstQuery *q = gst_query_new_latency();
    gboolean live = FALSE;
    GstClockTime min = 0;
    if (gst_pad_peer_query(e->base.sinkpad, q))
        gst_query_parse_latency(q, &live, &min, NULL);
    gst_query_unref(q);
    e->latency_known = true;
    e->is_live = live;
    e->upstream_latency = live && GST_CLOCK_TIME_IS_VALID(min) ? min : 0;
}

// Everything before a callback sees the frame.
static bool frame_begin(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    if (!e->latency_known)
        ask_live(e);
    if (take_params(e) && e->row->changed && !e->row->changed(e, err))
        return false;
    read_record(e, buffer, record);
    return true;
}

static GstFlowReturn transform_ip(GstBaseTransform *base, GstBuffer *buffer) {
    fv_element *e = (fv_element *)base;
    fv_err err = {0};
    fv_record record;
    if (!frame_begin(e, buffer, &record, &err) || !e->row->frame(e, buffer, &record, &err))
        return fail(e, &err);
    return GST_FLOW_OK;
}

// ---- frames in flight --------------------------------------------------------------------------

static GstFlowReturn pull_one(fv_element *e, GstBuffer **out) {
    fv_err err = {0};
    *out = e->row->pull(e, &err);
    return *out ? GST_FLOW_OK : fail(e, &err);
}

static GstFlowReturn submit(GstBaseTransform *base, gboolean discont, GstBuffer *input) {
    fv_element *e = (fv_element *)base;
    GstFlowReturn flow = class_of(e)->parent->submit_input_buffer(base, discont, input);
    GstBuffer *buffer = base->queued_buf;
    base->queued_buf = NULL;
    if (flow != GST_FLOW_OK || !buffer) {
        gst_clear_buffer(&buffer);
        return flow;
    }
    buffer = gst_buffer_make_writable(buffer);
    fv_err err = {0};
    fv_record record;
    if (!frame_begin(e, buffer, &record, &err)) {
        gst_buffer_unref(buffer);
        return fail(e, &err);
    }
    return e->row->push(e, buffer, &record, &err) ? GST_FLOW_OK : fail(e, &err);
}

static GstFlowReturn generate(GstBaseTransform *base, GstBuffer **out) {
    fv_element *e = (fv_element *)base;
    *out = NULL;
    return e->row->pending(e) < e->row->depth(e) ? GST_FLOW_OK : pull_one(e, out);
}

static GstFlowReturn drain(fv_element *e) {
    GstFlowReturn flow = GST_FLOW_OK;
    while (e->row->pull && e->state && e->row->pending(e) > 0 && !e->failed) {
        GstBuffer *buffer;
        if ((flow = pull_one(e, &buffer)) != GST_FLOW_OK)
            return flow;
        flow = gst_pad_push(e->base.srcpad, buffer);
    }
    return flow;
}

// ---- events and queries ------------------------------------------------------------------------

static void finish(fv_element *e) {
    if (e->row->finish)
        e->row->finish(e);
    if (!e->row->stats)
        return;
    g_mutex_lock(&e->lock);
    GstStructure *s = e->row->stats(e);
    g_mutex_unlock(&e->lock);
    if (s)
        gst_element_post_message(GST_ELEMENT(e), gst_message_new_element(GST_OBJECT(e), s));
}

static gboolean sink_event(GstBaseTransform *base, GstEvent *event) {
    fv_element *e = (fv_element *)base;
    GstEventType type = GST_EVENT_TYPE(event);
    if (e->state && GST_EVENT_IS_SERIALIZED(event) && type != GST_EVENT_FLUSH_STOP)
        drain(e);
    if (e->state && e->row->sink_event)
        e->row->sink_event(e, event);
    if (e->state && type == GST_EVENT_FLUSH_STOP && e->row->flush)
        e->row->flush(e);
    if (e->state && type == GST_EVENT_EOS)
        finish(e);
    return class_of(e)->parent->sink_event(base, event);
}

static gboolean src_event(GstBaseTransform *base, GstEvent *event) {
    fv_element *e = (fv_element *)base;
    if (GST_EVENT_TYPE(event) == GST_EVENT_LATENCY)
        e->latency_known = false; // ask again with the next frame
    if (e->state && e->row->src_event)
        e->row->src_event(e, event);
    return class_of(e)->parent->src_event(base, event);
}

GstClockTime fv_element_frame_duration(const fv_element *e) {
    if (e->info.fps_n <= 0 || e->info.fps_d <= 0)
        return 0;
    return gst_util_uint64_scale_int(GST_SECOND, e->info.fps_d, e->info.fps_n);
}

static int depth(fv_element *e) {
    g_mutex_lock(&e->lock);
    int n = e->state ? e->row->depth(e) : 1;
    g_mutex_unlock(&e->lock);
    return n;
}

static gboolean query(GstBaseTransform *base, GstPadDirection direction, GstQuery *q) {
    fv_element *e = (fv_element *)base;
    gboolean ok = class_of(e)->parent->query(base, direction, q);
    if (!ok || GST_QUERY_TYPE(q) != GST_QUERY_LATENCY || direction != GST_PAD_SRC || !e->row->depth)
        return ok;
    gboolean live;
    GstClockTime min, max, own = fv_element_frame_duration(e);
    own = (own ? own : GST_SECOND / 30) * (GstClockTime)(depth(e) - 1);
    gst_query_parse_latency(q, &live, &min, &max);
    gst_query_set_latency(q, live, min + own, GST_CLOCK_TIME_IS_VALID(max) ? max + own : max);
    return TRUE;
}

GstClockTimeDiff fv_element_lateness(fv_element *e, const GstBuffer *buffer) {
    GstClock *clock = e->is_live ? gst_element_get_clock(GST_ELEMENT(e)) : NULL;
    if (!clock)
        return 0;
    GstClockTime now = gst_clock_get_time(clock),
                 base_time = gst_element_get_base_time(GST_ELEMENT(e));
    gst_object_unref(clock);
    GstClockTime due = gst_segment_to_running_time(&e->base.segment, GST_FORMAT_TIME,
                                                   GST_BUFFER_PTS(buffer));
    if (!GST_CLOCK_TIME_IS_VALID(due) || now < base_time || GST_STATE(e) != GST_STATE_PLAYING)
        return 0;
    GstClockTimeDiff late = GST_CLOCK_DIFF(due + e->upstream_latency, now - base_time);
    return MAX(late, 0);
}

// ---- caps and allocation -----------------------------------------------------------------------

static gboolean set_caps(GstBaseTransform *base, GstCaps *in, GstCaps *out) {
    (void)out;
    fv_element *e = (fv_element *)base;
    fv_err err = {0};
    if (!gst_video_info_from_caps(&e->info, in))
        return FALSE;
    if (e->row->caps && !e->row->caps(e, &err)) {
        fail(e, &err);
        return FALSE;
    }
    if (e->row->depth) // latency depends on the frame rate
        gst_element_post_message(GST_ELEMENT(e), gst_message_new_latency(GST_OBJECT(e)));
    return TRUE;
}

// Buffers pass through as they are, so what may be allocated is for the elements downstream to say.
// Frames in flight are held here in addition.
static gboolean propose_allocation(GstBaseTransform *base, GstQuery *decide, GstQuery *q) {
    (void)decide;
    fv_element *e = (fv_element *)base;
    if (!gst_pad_peer_query(base->srcpad, q))
        return FALSE;
    guint more = e->row->depth ? (guint)depth(e) : 0;
    for (guint i = 0; more && i < gst_query_get_n_allocation_pools(q); i++) {
        GstBufferPool *pool;
        guint size, min, max;
        gst_query_parse_nth_allocation_pool(q, i, &pool, &size, &min, &max);
        gst_query_set_nth_allocation_pool(q, i, pool, size, min + more, max ? max + more : 0);
        gst_clear_object(&pool);
    }
    return TRUE;
}

// ---- the type ----------------------------------------------------------------------------------

static void finalize(GObject *object) {
    fv_element *e = (fv_element *)object;
    g_free(e->params);
    g_free(e->set_params);
    g_free(e->objects.v);
    g_mutex_clear(&e->lock);
    G_OBJECT_CLASS(class_of(e)->parent)->finalize(object);
}

static void install_properties(GObjectClass *object, element_class *klass) {
    const fv_element_row *row = klass->row;
    object->set_property = set_property;
    object->get_property = get_property;
    g_object_class_install_property(
        object, PROP_STREAM,
        g_param_spec_string(
            "stream", "stream",
            "name of the stream in records and events (unset: as the first Fovea element is named)",
            NULL, G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING));
    if (row->stats)
        g_object_class_install_property(
            object, PROP_STATS,
            g_param_spec_boxed("stats", "stats", "counts and latencies so far", GST_TYPE_STRUCTURE,
                               G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
    fv_props_install(object, row->type_name, row->options, PROP_OPTIONS, row->changed != NULL);
}

static void class_init(gpointer g_class, gpointer data) {
    element_class *klass = g_class;
    GstBaseTransformClass *base = g_class;
    klass->row = data;
    klass->parent = g_type_class_peek_parent(g_class);
    G_OBJECT_CLASS(g_class)->finalize = finalize;
    install_properties(G_OBJECT_CLASS(g_class), klass);
    const fv_element_row *row = klass->row;
    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(g_class), row->long_name, row->klass,
                                          row->description, "The Fovea authors");
    GstCaps *caps = gst_caps_from_string(FV_VIDEO_CAPS);
    gst_element_class_add_pad_template(
        GST_ELEMENT_CLASS(g_class),
        gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
    gst_element_class_add_pad_template(
        GST_ELEMENT_CLASS(g_class), gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    base->start = start;
    base->stop = stop;
    base->set_caps = set_caps;
    base->sink_event = sink_event;
    base->src_event = src_event;
    base->query = query;
    base->propose_allocation = propose_allocation;
    base->transform_ip_on_passthrough = TRUE;
    base->transform_ip = transform_ip;
    if (row->push) {
        base->submit_input_buffer = submit;
        base->generate_output = generate;
    }
}

static void instance_init(GTypeInstance *instance, gpointer g_class) {
    fv_element *e = (fv_element *)instance;
    e->row = ((element_class *)g_class)->row;
    e->params = g_malloc0(MAX(e->row->params_size, 1));
    e->set_params = g_malloc0(MAX(e->row->params_size, 1));
    fv_props_default(e->set_params, e->row->options);
    e->objects = (fv_objects){.capacity = FV_ELEMENT_OBJECTS,
                              .v = g_new0(fv_object, FV_ELEMENT_OBJECTS)};
    g_mutex_init(&e->lock);
    gst_video_info_init(&e->info);
    gst_base_transform_set_in_place(&e->base, TRUE);
    gst_base_transform_set_qos_enabled(&e->base, FALSE);
}

bool fv_element_register(GstPlugin *plugin, const fv_element_row *row) {
    GST_DEBUG_CATEGORY_INIT(fovea_element_debug, "fovea", 0, "Fovea elements");
    GTypeInfo info = {
        .class_size = sizeof(element_class), .class_init = class_init, .class_data = row,
        .instance_size = sizeof(fv_element), .instance_init = instance_init,
    };
    GType type = g_type_register_static(GST_TYPE_BASE_TRANSFORM, row->type_name, &info, 0);
    return gst_element_register(plugin, row->name, GST_RANK_NONE, type);
}
