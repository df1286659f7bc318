// fvmp4: what mp4mux cannot say in a file's index, said in passing (boxes.h).
//
//     gst-launch-1.0 fvsrc name=s uri=in.mp4 ! x264enc ! mp4mux name=m ! fvmp4 orientation=rotate-90 !
//       filesink location=out.mp4  s.audio_0 ! queue ! aacparse ! m.
//
// Everything but the index passes as it is, seeks of the muxer included. Thread-safety: properties may be
// set at any time and counts for the next index.
#include "plugins/mp4/boxes.h"

#include "plugins/common/props.h"
#include "plugins/elements.h"

typedef struct {
    int orientation, encoded;
} mp4_params;

typedef struct {
    GstElement element;
    GstPad *sink, *src;
    mp4_params params; // under the object lock
} mp4;

static const fv_option options[] = {
    FV_OPTION_ENUM(mp4_params, orientation, "orientation", fv_orientation_names, FV_UPRIGHT,
                   "how a player is to turn the picture"),
    FV_OPTION_INT(mp4_params, encoded, "encoded", 0, (1 << FV_MP4_MAX_SOUNDS) - 1, 0,
                  "sounds that come from avenc_aac, bit 0 the first: 1024 samples lie before time 0"),
    {0},
};
static const fv_prop_group groups[FV_PROP_GROUPS] = {{options, 0}};

static void set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec) {
    (void)spec;
    GST_OBJECT_LOCK(object);
    fv_props_set(&((mp4 *)object)->params, groups, id - 1, value);
    GST_OBJECT_UNLOCK(object);
}

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec) {
    (void)spec;
    GST_OBJECT_LOCK(object);
    fv_props_get(&((mp4 *)object)->params, groups, id - 1, value);
    GST_OBJECT_UNLOCK(object);
}

static bool is_index(GstBuffer *buffer) {
    GstMapInfo map;
    if (!gst_buffer_map(buffer, &map, GST_MAP_READ))
        return false;
    bool found = fv_mp4_index_size(map.data, map.size) > 0;
    gst_buffer_unmap(buffer, &map);
    return found;
}

static GstBuffer *patched(mp4 *m, GstBuffer *buffer) {
    GstMapInfo map;
    GST_OBJECT_LOCK(m);
    mp4_params params = m->params;
    GST_OBJECT_UNLOCK(m);
    buffer = gst_buffer_make_writable(buffer);
    if (gst_buffer_map(buffer, &map, GST_MAP_READWRITE)) {
        fv_mp4_index_patch(map.data, fv_mp4_index_size(map.data, map.size), (fv_orientation)params.orientation,
                           (unsigned)params.encoded);
        gst_buffer_unmap(buffer, &map);
    }
    return buffer;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
    (void)pad;
    mp4 *m = (mp4 *)parent;
    return gst_pad_push(m->src, is_index(buffer) ? patched(m, buffer) : buffer);
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
    mp4 *m = (mp4 *)instance;
    fv_props_default(&m->params, groups);
    m->sink = add_pad(&m->element, "sink");
    m->src = add_pad(&m->element, "src");
    gst_pad_set_chain_function(m->sink, chain);
}

static void class_init(gpointer klass, gpointer data) {
    (void)data;
    GObjectClass *object = klass;
    object->set_property = set_property;
    object->get_property = get_property;
    fv_props_install(object, "FvMp4", groups, 1, false);
    GstCaps *caps = gst_caps_new_empty_simple("video/quicktime");
    gst_element_class_add_pad_template(
        klass, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
    gst_element_class_add_pad_template(
        klass, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(
        klass, "Fovea MP4 index", "Formatter",
        "Behind mp4mux: how the picture is to be turned, and where sound begins", "Fovea");
}

bool fv_mp4_register(GstPlugin *plugin) {
    GTypeInfo info = {.class_size = sizeof(GstElementClass),
                      .class_init = class_init,
                      .instance_size = sizeof(mp4),
                      .instance_init = instance_init};
    GType type = g_type_register_static(GST_TYPE_ELEMENT, "FvMp4", &info, 0);
    return gst_element_register(plugin, "fvmp4", GST_RANK_NONE, type);
}
