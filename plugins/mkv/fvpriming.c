// fvpriming: sound before time 0 keeps its packets in a container without times below 0.
//
//     gst-launch-1.0 fvsrc name=s uri=in.mp4 ! x264enc ! matroskamux name=m ! fvmkv ! filesink location=out.mkv
//       s.audio_0 ! queue ! aacparse ! fvpriming ! m.
//
// What is decoded before the segment begins (fvsrc's priming) moves all packets by as much, so that the first one
// is at 0; fvmkv has the file say by how much. Sound of an encoder whose times do not say its priming lies where
// it should when that is said: `samples`. Thread-safety: properties may be set at any time before the first buffer.
#include "plugins/common/props.h"
#include "plugins/elements.h"
#include "plugins/mkv/priming.h"

typedef struct {
    int samples;
} priming_params;

typedef struct {
    GstElement element;
    GstPad *sink, *src;
    priming_params params; // under the object lock, as `said` is
    guint64 said;          // ns, once `known`
    GstSegment segment;    // the streaming thread's, as what follows
    int rate;
    guint64 shift;
    bool known;
} priming;

static const fv_option options[] = {
    FV_OPTION_INT(priming_params, samples, "samples", 0, 1 << 20, 0,
                  "samples an encoder puts before the first one without saying so in its times; avenc_aac: 1024"),
    {0},
};
static const fv_prop_group groups[FV_PROP_GROUPS] = {{options, 0}};

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    (void)spec;
    GST_OBJECT_LOCK(object);
    fv_props_set(&((priming *)object)->params, groups, id - 1, value);
    GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
    (void)spec;
    GST_OBJECT_LOCK(object);
    fv_props_get(&((priming *)object)->params, groups, id - 1, value);
    GST_OBJECT_UNLOCK(object);
}

// The first buffer tells.
static void find_priming(priming *p, const GstBuffer *buffer) {
    GstClockTime dts = GST_BUFFER_DTS(buffer);
    bool timed = GST_CLOCK_TIME_IS_VALID(dts) && p->segment.format == GST_FORMAT_TIME;
    p->known = true;
    p->shift = timed && dts < p->segment.start ? p->segment.start - dts : 0;
    GST_OBJECT_LOCK(p);
    guint64 samples = (guint64)p->params.samples;
    p->said = p->shift || p->rate <= 0 ? p->shift : gst_util_uint64_scale_round(samples, GST_SECOND, (guint64)p->rate);
    GST_OBJECT_UNLOCK(p);
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
    (void)pad;
    priming *p = (priming *)parent;
    if (!p->known)
        find_priming(p, buffer);
    if (p->shift) {
        buffer = gst_buffer_make_writable(buffer);
        if (GST_BUFFER_DTS_IS_VALID(buffer))
            GST_BUFFER_PTS(buffer) = GST_BUFFER_DTS(buffer); // sound is presented in the order in which it is decoded
        if (GST_BUFFER_PTS_IS_VALID(buffer))
            GST_BUFFER_PTS(buffer) += p->shift;
        GST_BUFFER_DTS(buffer) = GST_BUFFER_PTS(buffer);
    }
    return gst_pad_push(p->src, buffer);
}

static gboolean sink_event(GstPad *pad, GstObject *parent, GstEvent *event) {
    priming *p = (priming *)parent;
    GstCaps *caps;
    if (GST_EVENT_TYPE(event) == GST_EVENT_SEGMENT)
        gst_event_copy_segment(event, &p->segment);
    if (GST_EVENT_TYPE(event) == GST_EVENT_STREAM_START)
        p->known = false;
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        gst_event_parse_caps(event, &caps);
        gst_structure_get_int(gst_caps_get_structure(caps, 0), "rate", &p->rate);
    }
    return gst_pad_event_default(pad, parent, event);
}

static gboolean src_query(GstPad *pad, GstObject *parent, GstQuery *query) {
    const GstStructure *s = gst_query_get_structure(query);
    if (GST_QUERY_TYPE(query) != GST_QUERY_CUSTOM || !s || !gst_structure_has_name(s, FV_PRIMING_QUERY))
        return gst_pad_query_default(pad, parent, query);
    GST_OBJECT_LOCK(parent);
    guint64 ns = ((priming *)parent)->said;
    GST_OBJECT_UNLOCK(parent);
    gst_structure_set(gst_query_writable_structure(query), "ns", G_TYPE_UINT64, ns, NULL);
    return TRUE;
}

static GstPad *add_pad(GstElement *element, const char *name) {
    GstPad *pad = gst_pad_new_from_template(gst_element_get_pad_template(element, name), name);
    GST_PAD_SET_PROXY_CAPS(pad);
    GST_PAD_SET_PROXY_ALLOCATION(pad);
    gst_element_add_pad(element, pad);
    return pad;
}

static void instance_init(GTypeInstance *instance, gpointer klass) {
    (void)klass;
    priming *p = (priming *)instance;
    fv_props_default(&p->params, groups);
    gst_segment_init(&p->segment, GST_FORMAT_UNDEFINED);
    p->sink = add_pad(&p->element, "sink");
    p->src = add_pad(&p->element, "src");
    gst_pad_set_chain_function(p->sink, chain);
    gst_pad_set_event_function(p->sink, sink_event);
    gst_pad_set_query_function(p->src, src_query);
}

static void class_init(gpointer klass, gpointer data) {
    (void)data;
    GObjectClass *object = klass;
    object->set_property = set_property;
    object->get_property = get_property;
    fv_props_install(object, "FvPriming", groups, 1, false);
    GstCaps *caps = gst_caps_new_any();
    gst_element_class_add_pad_template(klass, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
    gst_element_class_add_pad_template(klass, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(klass, "Fovea priming", "Filter/Audio",
                                          "Before matroskamux: sound that begins before time 0 keeps its packets", "Fovea");
}

bool fv_priming_register(GstPlugin *plugin) {
    GTypeInfo info = {.class_size = sizeof(GstElementClass),
                      .class_init = class_init,
                      .instance_size = sizeof(priming),
                      .instance_init = instance_init};
    GType type = g_type_register_static(GST_TYPE_ELEMENT, "FvPriming", &info, 0);
    return gst_element_register(plugin, "fvpriming", GST_RANK_NONE, type);
}
