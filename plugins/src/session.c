#include "plugins/src/session.h"

// What the context holds: references share one session.
typedef struct {
    gatomicrefcount references;
    GMutex lock;
    fv_session session; // reader NULL: taken
} shared;

static gpointer hold(gpointer boxed) {
    g_atomic_ref_count_inc(&((shared *)boxed)->references);
    return boxed;
}

static void release(gpointer boxed) {
    shared *s = boxed;
    if (!g_atomic_ref_count_dec(&s->references))
        return;
    fv_reader_destroy(&s->session.reader);
    g_mutex_clear(&s->lock);
    g_free(s);
}

static GType session_type(void) {
    GType known = g_type_from_name("FvSession");
    return known ? known : g_boxed_type_register_static("FvSession", hold, release);
}

bool fv_session_is_wanted(GstElement *element) {
    GstContext *context = gst_element_get_context(element, FV_SESSION_CONTEXT);
    bool wanted = context;
    if (context)
        gst_context_unref(context);
    return wanted;
}

void fv_session_leave(GstElement *element, fv_session *session) {
    GstContext *context = gst_context_new(FV_SESSION_CONTEXT, TRUE);
    shared *s = g_new0(shared, 1);
    g_atomic_ref_count_init(&s->references);
    g_mutex_init(&s->lock);
    s->session = *session;
    *session = (fv_session){0};
    gst_structure_set(gst_context_writable_structure(context), "session", session_type(), s, NULL);
    release(s);
    gst_element_set_context(element, context);
    gst_context_unref(context);
}

bool fv_session_take(GstElement *element, fv_session *session) {
    *session = (fv_session){0};
    GstContext *context = gst_element_get_context(element, FV_SESSION_CONTEXT);
    shared *s = NULL;
    if (context && gst_structure_get(gst_context_get_structure(context), "session", session_type(),
                                     &s, NULL)) {
        g_mutex_lock(&s->lock);
        *session = s->session;
        s->session = (fv_session){0};
        g_mutex_unlock(&s->lock);
        release(s);
    }
    if (context)
        gst_context_unref(context);
    return session->reader;
}
