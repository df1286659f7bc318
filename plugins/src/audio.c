#include "plugins/src/audio.h"

enum { MAX_ITEMS = 16384 };

struct fv_audio {
    GstElement *parent;
    GstPad *pad;
    GMutex lock;
    GCond changed;
    GQueue items;
    bool stopped;
    GstFlowReturn flow;
};

// The next item; NULL when stopped.
static GstMiniObject *take(fv_audio *a) {
    g_mutex_lock(&a->lock);
    while (!a->stopped && g_queue_is_empty(&a->items))
        g_cond_wait(&a->changed, &a->lock);
    GstMiniObject *item = a->stopped ? NULL : g_queue_pop_head(&a->items);
    g_cond_broadcast(&a->changed);
    g_mutex_unlock(&a->lock);
    return item;
}

static void push_next(gpointer user) {
    fv_audio *a = user;
    GstMiniObject *item = take(a);
    if (!item) {
        gst_pad_pause_task(a->pad);
    } else if (GST_IS_EVENT(item)) {
        gst_pad_push_event(a->pad, GST_EVENT(item));
    } else {
        GstFlowReturn flow = gst_pad_push(a->pad, GST_BUFFER(item));
        g_mutex_lock(&a->lock);
        a->flow = flow;
        g_mutex_unlock(&a->lock);
    }
}

static gboolean activate(GstPad *pad, GstObject *parent, GstPadMode mode, gboolean active) {
    (void)parent;
    fv_audio *a = gst_pad_get_element_private(pad);
    if (mode != GST_PAD_MODE_PUSH)
        return FALSE;
    if (active)
        fv_audio_start(a);
    else
        fv_audio_stop(a);
    return active || gst_pad_stop_task(pad);
}

fv_audio *fv_audio_create(GstElement *parent, GstPadTemplate *pad_template, const char *name,
                          GstPad *like) {
    fv_audio *a = g_new0(fv_audio, 1);
    a->parent = parent;
    g_mutex_init(&a->lock);
    g_cond_init(&a->changed);
    a->pad = gst_pad_new_from_template(pad_template, name);
    gst_pad_set_element_private(a->pad, a);
    gst_pad_set_event_function(a->pad, GST_PAD_EVENTFUNC(like));
    gst_pad_set_query_function(a->pad, GST_PAD_QUERYFUNC(like));
    gst_pad_set_activatemode_function(a->pad, activate);
    gst_pad_use_fixed_caps(a->pad);
    gst_pad_set_active(a->pad, TRUE);
    return a;
}

GstPad *fv_audio_pad(const fv_audio *a) {
    return a->pad;
}

GstFlowReturn fv_audio_put(fv_audio *a, GstMiniObject *item) {
    g_mutex_lock(&a->lock);
    while (!a->stopped && a->items.length >= MAX_ITEMS)
        g_cond_wait(&a->changed, &a->lock);
    GstFlowReturn flow = a->stopped ? GST_FLOW_FLUSHING : a->flow;
    bool wanted = !a->stopped &&
                  (GST_IS_EVENT(item) || flow == GST_FLOW_OK || flow == GST_FLOW_NOT_LINKED);
    if (wanted)
        g_queue_push_tail(&a->items, item);
    else
        gst_mini_object_unref(item);
    g_cond_broadcast(&a->changed);
    g_mutex_unlock(&a->lock);
    return flow;
}

void fv_audio_stop(fv_audio *a) {
    g_mutex_lock(&a->lock);
    a->stopped = true;
    g_queue_clear_full(&a->items, (GDestroyNotify)gst_mini_object_unref);
    g_cond_broadcast(&a->changed);
    g_mutex_unlock(&a->lock);
    gst_pad_pause_task(a->pad);
    GST_PAD_STREAM_LOCK(a->pad); // waits for the push that runs now
    GST_PAD_STREAM_UNLOCK(a->pad);
}

void fv_audio_start(fv_audio *a) {
    g_mutex_lock(&a->lock);
    a->stopped = false;
    a->flow = GST_FLOW_OK;
    g_mutex_unlock(&a->lock);
    gst_pad_start_task(a->pad, push_next, a, NULL);
}

void fv_audio_destroy(fv_audio **a) {
    if (!a || !*a)
        return;
    gst_pad_set_active((*a)->pad, FALSE);
    gst_element_remove_pad((*a)->parent, (*a)->pad);
    g_queue_clear_full(&(*a)->items, (GDestroyNotify)gst_mini_object_unref);
    g_mutex_clear(&(*a)->lock);
    g_cond_clear(&(*a)->changed);
    g_free(*a);
    *a = NULL;
}
