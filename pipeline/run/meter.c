#define _GNU_SOURCE
#include "pipeline/run/meter.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "plugins/common/meta.h"

enum { MAX_LATENCIES = 1 << 16, MAX_WAITING = 4096 };

typedef struct {
    uint64_t boxes, tracks;
} class_count;

struct fv_meter {
    char *stream;
    const fv_probe *probe;
    GstElement *source, *last;
    GMutex lock;
    fv_ledger ledger;
    uint64_t frames;
    int64_t position_ns, begun_us, last_us;
    bool ended;
    GHashTable *waiting; // time stamp -> microseconds when the frame left the source
    GHashTable *classes; // name -> class_count
    GHashTable *events;  // name -> guint count
    GHashTable *tracks;  // ids seen
    float latency_ms[MAX_LATENCIES];
    uint64_t n_latencies;
};

// ---- counting -----------------------------------------------------------------------------------

static GstPadProbeReturn at_source(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
    (void)pad;
    fv_meter *m = user;
    gint64 pts = (gint64)GST_BUFFER_PTS(GST_PAD_PROBE_INFO_BUFFER(info)),
           now = g_get_monotonic_time();
    g_mutex_lock(&m->lock);
    m->ledger.decoded++;
    if (!m->begun_us)
        m->begun_us = now;
    if (g_hash_table_size(m->waiting) < MAX_WAITING)
        g_hash_table_insert(m->waiting, g_memdup2(&pts, sizeof pts), g_memdup2(&now, sizeof now));
    g_mutex_unlock(&m->lock);
    return GST_PAD_PROBE_OK;
}

static class_count *count_of(GHashTable *table, const char *name) {
    class_count *c = g_hash_table_lookup(table, name);
    if (!c)
        g_hash_table_insert(table, g_strdup(name), c = g_new0(class_count, 1));
    return c;
}

static void count_objects(fv_meter *m, const fv_frame_meta *meta) {
    const fv_labels *labels = meta->labels ? &meta->labels->labels : NULL;
    for (int i = 0; i < meta->n_objects; i++) {
        const fv_object *o = &meta->objects[i];
        class_count *c = count_of(m->classes, fv_label_get(labels, o->label));
        c->boxes++;
        gint64 id = (gint64)o->id;
        if (id && g_hash_table_add(m->tracks, g_memdup2(&id, sizeof id)))
            c->tracks++;
    }
    for (int i = 0; i < meta->n_events; i++)
        count_of(m->events, meta->events[i].event)->boxes++;
}

static void count_frame(fv_meter *m, GstBuffer *buffer) {
    static const size_t counts[FV_N_INFERENCES] = {[FV_INFERRED] = offsetof(fv_ledger, inferred),
                                                   [FV_PREDICTED] = offsetof(fv_ledger, predicted),
                                                   [FV_SKIPPED] = offsetof(fv_ledger, skipped)};
    const fv_frame_meta *meta = fv_meta_get(buffer);
    gint64 pts = (gint64)GST_BUFFER_PTS(buffer), *left = g_hash_table_lookup(m->waiting, &pts);
    m->last_us = g_get_monotonic_time();
    if (left)
        m->latency_ms[m->n_latencies++ % MAX_LATENCIES] = (float)(m->last_us - *left) / 1000;
    g_hash_table_remove(m->waiting, &pts);
    ++*(uint64_t *)((char *)&m->ledger + counts[meta ? meta->inference : FV_SKIPPED]);
    m->frames++;
    m->position_ns =
        GST_BUFFER_PTS_IS_VALID(buffer) ? (int64_t)GST_BUFFER_PTS(buffer) : m->position_ns;
    if (meta)
        count_objects(m, meta);
}

// Events of the end of the stream come on their own (plugins/events).
static void count_late_events(fv_meter *m, GstEvent *event) {
    const GstStructure *t = gst_event_get_structure(event);
    g_autoptr(GstBuffer) buffer = NULL;
    if (!t || !gst_structure_has_name(t, "fovea-events") ||
        !gst_structure_get(t, "meta", GST_TYPE_BUFFER, &buffer, NULL))
        return;
    const fv_frame_meta *meta = fv_meta_get(buffer);
    for (int i = 0; meta && i < meta->n_events; i++)
        count_of(m->events, meta->events[i].event)->boxes++;
}

static GstPadProbeReturn at_end(GstPad *pad, GstPadProbeInfo *info, gpointer user) {
    (void)pad;
    fv_meter *m = user;
    g_mutex_lock(&m->lock);
    if (info->type & GST_PAD_PROBE_TYPE_BUFFER)
        count_frame(m, GST_PAD_PROBE_INFO_BUFFER(info));
    else if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) == GST_EVENT_EOS)
        m->ended = true;
    else
        count_late_events(m, GST_PAD_PROBE_INFO_EVENT(info));
    g_mutex_unlock(&m->lock);
    return GST_PAD_PROBE_OK;
}

// ---- where --------------------------------------------------------------------------------------

static GstElement *element_of(GstElement *pipeline, const char *stream, const char *what) {
    g_autofree char *name = g_strdup_printf("%s-%s", stream, what);
    return gst_bin_get_by_name(GST_BIN(pipeline), name);
}

static void probe_pad(GstElement *element, const char *name, int types, GstPadProbeCallback call,
                      fv_meter *m) {
    GstPad *pad = gst_element_get_static_pad(element, name);
    if (pad) {
        gst_pad_add_probe(pad, (GstPadProbeType)types, call, m, NULL);
        gst_object_unref(pad);
    }
}

// The last element of the analysis: all before the picture is drawn or goes apart.
static GstElement *last_element(GstElement *pipeline, const char *stream) {
    static const char *const order[] = {"events", "track", "detect", "source"};
    for (int i = 31; i >= 0; i--) {
        g_autofree char *what = g_strdup_printf("publish-%d", i);
        GstElement *e = element_of(pipeline, stream, what);
        if (e)
            return e;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(order); i++) {
        GstElement *e = element_of(pipeline, stream, order[i]);
        if (e)
            return e;
    }
    return NULL;
}

fv_meter *fv_meter_create(GstElement *pipeline, const char *stream, const fv_probe *probe) {
    fv_meter *m = g_new0(fv_meter, 1);
    m->stream = g_strdup(stream);
    m->probe = probe;
    g_mutex_init(&m->lock);
    m->waiting = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    m->classes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    m->events = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    m->tracks = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
    m->source = element_of(pipeline, stream, "source");
    m->last = last_element(pipeline, stream);
    probe_pad(m->source, "video", GST_PAD_PROBE_TYPE_BUFFER, at_source, m);
    probe_pad(m->last, m->last == m->source ? "video" : "src",
              GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, at_end, m);
    return m;
}

void fv_meter_destroy(fv_meter **m) {
    if (!m || !*m)
        return;
    gst_clear_object(&(*m)->source);
    gst_clear_object(&(*m)->last);
    GHashTable *tables[] = {(*m)->waiting, (*m)->classes, (*m)->events, (*m)->tracks};
    for (size_t i = 0; i < G_N_ELEMENTS(tables); i++)
        g_hash_table_destroy(tables[i]);
    g_mutex_clear(&(*m)->lock);
    g_free((*m)->stream);
    g_free(*m);
    *m = NULL;
}

// ---- reading ------------------------------------------------------------------------------------

fv_meter_state fv_meter_get(fv_meter *m) {
    g_mutex_lock(&m->lock);
    double seconds = (double)(m->last_us - m->begun_us) / 1e6;
    fv_meter_state s = {m->frames, m->position_ns,
                        m->frames && seconds > 0 ? (double)m->frames / seconds : 0, m->ended};
    g_mutex_unlock(&m->lock);
    return s;
}

// A field of an element's `stats`; 0 where there is none.
static uint64_t stat_of(GstElement *element, const char *name) {
    g_autoptr(GstStructure) s = NULL;
    guint64 n = 0;
    if (!element || !g_object_class_find_property(G_OBJECT_GET_CLASS(element), "stats"))
        return 0;
    g_object_get(element, "stats", &s, NULL);
    if (s)
        gst_structure_get_uint64(s, name, &n);
    return n;
}

// What an element counts as dropped, into the ledger.
static void add_drops(GstElement *element, fv_ledger *ledger) {
    for (int i = 0; i < FV_N_DROPS; i++) {
        g_autofree char *name = g_strdup_printf("dropped-%s", fv_drop_names[i]);
        ledger->dropped[i] += stat_of(element, name);
    }
}

fv_ledger fv_meter_ledger(fv_meter *m) {
    g_mutex_lock(&m->lock);
    fv_ledger ledger = m->ledger;
    bool ended = m->ended;
    g_mutex_unlock(&m->lock);
    g_autoptr(GstObject) pipeline = gst_object_get_parent(GST_OBJECT(m->source));
    GstElement *detect = pipeline ? element_of(GST_ELEMENT(pipeline), m->stream, "detect") : NULL;
    uint64_t before = fv_ledger_dropped(&ledger);
    ledger.dropped[FV_DROP_QOS] += stat_of(m->source, "dropped-late");
    ledger.decoded += fv_ledger_dropped(&ledger) - before; // these never left the source
    add_drops(detect, &ledger);
    gst_clear_object(&detect);
    uint64_t known =
        ledger.inferred + ledger.predicted + ledger.skipped + fv_ledger_dropped(&ledger);
    if (!ended && ledger.decoded > known) // on their way when the run was broken off
        ledger.dropped[FV_DROP_FLUSH] += ledger.decoded - known;
    return ledger;
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void print_table(FILE *out, GHashTable *table, const char *none, bool with_tracks) {
    GList *names = g_list_sort(g_hash_table_get_keys(table), (GCompareFunc)strcmp);
    if (!names)
        fputs(none, out);
    for (GList *l = names; l; l = l->next) {
        const class_count *c = g_hash_table_lookup(table, l->data);
        fprintf(out, "%s%s %" PRIu64, l == names ? "" : ", ", (const char *)l->data, c->boxes);
        if (with_tracks && c->tracks)
            fprintf(out, " (%" PRIu64 " track%s)", c->tracks, c->tracks == 1 ? "" : "s");
    }
    g_list_free(names);
}

static void print_ledger(FILE *out, const char *stream, const fv_ledger *l) {
    fprintf(out,
            "%s: %" PRIu64 " frames decoded = %" PRIu64 " inferred + %" PRIu64
            " predicted + %" PRIu64 " skipped + %" PRIu64 " dropped",
            stream, l->decoded, l->inferred, l->predicted, l->skipped, fv_ledger_dropped(l));
    const char *before = " (";
    for (int i = 0; i < FV_N_DROPS; i++) {
        if (l->dropped[i])
            fprintf(out, "%s%s %" PRIu64, before, fv_drop_names[i], l->dropped[i]);
        before = l->dropped[i] ? ", " : before;
    }
    fprintf(out, "%s%s\n", fv_ledger_dropped(l) ? ")" : "",
            fv_ledger_balances(l) ? "" : "; this does not balance");
}

// What fvevents calls `gate.right` of its stats, as "rules: gate right 3, left 2; yard inside 0".
static void print_rules(FILE *out, const char *stream, GstElement *events) {
    g_autoptr(GstStructure) s = NULL;
    g_autofree char *last = NULL;
    g_object_get(events, "stats", &s, NULL);
    for (int i = 0; s && i < gst_structure_n_fields(s); i++) {
        const char *name = gst_structure_nth_field_name(s, (guint)i), *dot = strrchr(name, '.');
        guint64 n = 0;
        if (!dot || !gst_structure_get_uint64(s, name, &n))
            continue;
        g_autofree char *rule = g_strndup(name, (gsize)(dot - name));
        bool same = last && !strcmp(last, rule);
        if (!last)
            fprintf(out, "%s: rules: ", stream);
        fprintf(out, "%s%s%s%s %" G_GUINT64_FORMAT, same ? ", " : last ? "; " : "", same ? "" : rule,
                same ? "" : " ", dot + 1, n);
        g_free(last);
        last = g_steal_pointer(&rule);
    }
    if (last)
        fputc('\n', out);
}

void fv_meter_print(fv_meter *m, FILE *out) {
    fv_ledger ledger = fv_meter_ledger(m);
    fv_meter_state s = fv_meter_get(m);
    print_ledger(out, m->stream, &ledger);
    g_mutex_lock(&m->lock);
    size_t n = MIN(m->n_latencies, MAX_LATENCIES);
    float *sorted = g_memdup2(m->latency_ms, sizeof *sorted * n);
    fprintf(out, "%s: objects: ", m->stream);
    print_table(out, m->classes, "none", true);
    fprintf(out, "; tracks: %u; events: ", g_hash_table_size(m->tracks));
    print_table(out, m->events, "none", false);
    g_mutex_unlock(&m->lock);
    if (n)
        qsort(sorted, n, sizeof *sorted, by_value);
    uint64_t corrupt = stat_of(m->source, "corrupt-packets");
    g_autoptr(GstObject) pipeline = gst_object_get_parent(GST_OBJECT(m->source));
    GstElement *watch = pipeline ? element_of(GST_ELEMENT(pipeline), m->stream, "events") : NULL;
    fputc('\n', out);
    if (watch)
        print_rules(out, m->stream, watch);
    gst_clear_object(&watch);
    fprintf(out, "%s: %.1f fps; latency from decoder to result: p50 %.1f ms, p99 %.1f ms\n",
            m->stream, s.fps, n ? (double)sorted[n / 2] : 0.0,
            n ? (double)sorted[n * 99 / 100] : 0.0);
    if (corrupt)
        fprintf(out, "%s: %" PRIu64 " packets of the source could not be decoded\n", m->stream,
                corrupt);
    g_free(sorted);
}
