// fvmkv: what matroskamux cannot say in a file's header, said in passing: how much of each sound lies before
// time 0 (tracks.h). It asks the pads of the muxer in front of it (priming.h); without fvpriming there it changes
// nothing. Everything but the header passes as it is, seeks of the muxer included.
#include "plugins/elements.h"
#include "plugins/mkv/priming.h"
#include "plugins/mkv/tracks.h"

typedef struct {
    GstElement element;
    GstPad *sink, *src;
} mkv;

static guint64 ask(GstPad *pad) {
    guint64 ns = 0;
    GstQuery *query = gst_query_new_custom(GST_QUERY_CUSTOM, gst_structure_new_empty(FV_PRIMING_QUERY));
    if (gst_pad_peer_query(pad, query))
        gst_structure_get_uint64(gst_query_get_structure(query), "ns", &ns);
    gst_query_unref(query);
    return ns;
}

// Of the muxer's sounds, in the order of their tracks, which is that of the pads.
static int ask_all(mkv *m, guint64 *ns) {
    int n = 0;
    GstPad *peer = gst_pad_get_peer(m->sink);
    GstElement *muxer = peer ? gst_pad_get_parent_element(peer) : NULL;
    GList *pads = NULL;
    if (muxer) {
        GST_OBJECT_LOCK(muxer);
        for (const GList *p = muxer->sinkpads; p; p = p->next)
            if (g_str_has_prefix(GST_PAD_NAME(p->data), "audio"))
                pads = g_list_append(pads, gst_object_ref(p->data));
        GST_OBJECT_UNLOCK(muxer);
    }
    for (const GList *p = pads; p && n < FV_MKV_MAX_SOUNDS; p = p->next)
        ns[n++] = ask(p->data);
    g_list_free_full(pads, gst_object_unref);
    gst_clear_object(&muxer);
    gst_clear_object(&peer);
    return n;
}

static bool is_header(GstBuffer *buffer) {
    static const guint8 marks[][4] = {{0x1a, 0x45, 0xdf, 0xa3}, {0x18, 0x53, 0x80, 0x67}, {0x16, 0x54, 0xae, 0x6b}};
    for (size_t i = 0; i < G_N_ELEMENTS(marks); i++)
        if (gst_buffer_memcmp(buffer, 0, marks[i], sizeof marks[i]) == 0)
            return true;
    return false;
}

static GstBuffer *patched(mkv *m, GstBuffer *buffer) {
    GstMapInfo map;
    guint64 ns[FV_MKV_MAX_SOUNDS];
    int n = ask_all(m, ns);
    buffer = gst_buffer_make_writable(buffer);
    if (gst_buffer_map(buffer, &map, GST_MAP_READWRITE)) {
        fv_mkv_delays_patch(map.data, map.size, ns, n);
        gst_buffer_unmap(buffer, &map);
    }
    return buffer;
}

static GstFlowReturn chain(GstPad *pad, GstObject *parent, GstBuffer *buffer) {
    (void)pad;
    mkv *m = (mkv *)parent;
    return gst_pad_push(m->src, is_header(buffer) ? patched(m, buffer) : buffer);
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
    mkv *m = (mkv *)instance;
    m->sink = add_pad(&m->element, "sink");
    m->src = add_pad(&m->element, "src");
    gst_pad_set_chain_function(m->sink, chain);
}

static void class_init(gpointer klass, gpointer data) {
    (void)data;
    GstCaps *caps = gst_caps_from_string("video/x-matroska; audio/x-matroska");
    gst_element_class_add_pad_template(klass, gst_pad_template_new("sink", GST_PAD_SINK, GST_PAD_ALWAYS, caps));
    gst_element_class_add_pad_template(klass, gst_pad_template_new("src", GST_PAD_SRC, GST_PAD_ALWAYS, caps));
    gst_caps_unref(caps);
    gst_element_class_set_static_metadata(klass, "Fovea Matroska header", "Formatter",
                                          "Behind matroskamux: how much of each sound lies before time 0", "Fovea");
}

bool fv_mkv_register(GstPlugin *plugin) {
    GTypeInfo info = {.class_size = sizeof(GstElementClass),
                      .class_init = class_init,
                      .instance_size = sizeof(mkv),
                      .instance_init = instance_init};
    GType type = g_type_register_static(GST_TYPE_ELEMENT, "FvMkv", &info, 0);
    return gst_element_register(plugin, "fvmkv", GST_RANK_NONE, type);
}
