#define _GNU_SOURCE
#include "pipeline/run/loop.h"

#include <glib-unix.h>
#include <gst/gst.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "pipeline/desc/address.h"
#include "pipeline/run/message.h"
#include "pipeline/run/meter.h"
#include "pipeline/run/progress.h"

enum { PROGRESS_MS = 200, CHECK_MS = 100, STUCK_US = 10000000 };

// A sink of one stream: where an output ends.
typedef struct {
    GstElement *sink;
    int stream, output; // output -1: the sink of a stream without pictures
    bool failed, ended;
} ending;

typedef struct {
    const fv_loop_params *params;
    GstElement *pipeline;
    GMainLoop *loop;
    int n_streams, n_endings;
    fv_meter **meters;
    const char **names;
    ending *endings;
    fv_progress progress;
    int exit_code, interrupts;
    int64_t done, done_us; // work that was seen after an interrupt, and when it last grew
    bool started;
} supervisor;

static const fv_desc_stream *stream_at(const supervisor *s, int i) {
    return (const fv_desc_stream *)s->params->desc->streams.v + i;
}

static void say(supervisor *s, const char *kind, const char *text) {
    fv_progress_clear(&s->progress);
    fprintf(stderr, "fovea: %s: %s\n", kind, text);
}

static void fail_with(supervisor *s, int code) {
    s->exit_code = s->exit_code ? s->exit_code : code;
}

// ---- outputs ------------------------------------------------------------------------------------

static GstElement *named(GstElement *pipeline, const char *stream, const char *what, int i) {
    g_autofree char *name = i < 0 ? g_strdup_printf("%s-%s", stream, what)
                                  : g_strdup_printf("%s-%s-%d", stream, what, i);
    return gst_bin_get_by_name(GST_BIN(pipeline), name);
}

static void find_endings(supervisor *s) {
    for (int i = 0; i < s->n_streams; i++) {
        const fv_desc_stream *stream = stream_at(s, i);
        for (int k = -1; k < stream->outputs.n; k++) {
            GstElement *sink = named(s->pipeline, stream->name, k < 0 ? "end" : "file", k);
            if (!sink && k >= 0)
                sink = named(s->pipeline, stream->name, "display", k);
            if (!sink)
                continue;
            s->endings = g_renew(ending, s->endings, s->n_endings + 1);
            s->endings[s->n_endings++] = (ending){sink, i, k, false, false};
        }
    }
}

// Upstream from an element to the head of its branch; NULL when it is in none.
static GstElement *branch_of(GstElement *from, int depth) {
    GstElement *found = NULL;
    if (strstr(GST_OBJECT_NAME(from), "-branch-"))
        return gst_object_ref(from);
    for (GList *l = from->sinkpads; l && !found && depth < 32; l = l->next) {
        g_autoptr(GstPad) peer = gst_pad_get_peer(l->data);
        g_autoptr(GstElement) up = peer ? gst_pad_get_parent_element(peer) : NULL;
        if (up)
            found = branch_of(up, depth + 1);
    }
    return found;
}

static ending *ending_of(supervisor *s, GstObject *source) {
    GstElement *branch =
        GST_IS_ELEMENT(source) && !GST_IS_BIN(source) ? branch_of(GST_ELEMENT(source), 0) : NULL;
    ending *result = NULL;
    for (int i = 0; branch && i < s->n_endings; i++) {
        g_autofree char *name = g_strdup_printf(
            "%s-branch-%d", stream_at(s, s->endings[i].stream)->name, s->endings[i].output);
        const char *found = GST_OBJECT_NAME(branch);
        if (g_str_has_prefix(found, name) && strchr("-", found[strlen(name)]))
            result = &s->endings[i];
    }
    gst_clear_object(&branch);
    return result;
}

// Nobody is left to wait for: every stream has ended, every sink too or it has failed.
static bool all_ended(const supervisor *s) {
    bool any_works = false;
    for (int i = 0; i < s->n_endings; i++) {
        if (!s->endings[i].failed && !s->endings[i].ended)
            return false;
        any_works |= !s->endings[i].failed;
    }
    for (int i = 0; i < s->n_streams && !any_works; i++)
        if (!fv_meter_get(s->meters[i]).ended)
            return false;
    return true;
}

static bool has_publisher(const fv_desc_stream *stream) {
    for (int k = 0; k < stream->outputs.n; k++)
        if (((const fv_desc_output *)stream->outputs.v)[k].publish)
            return true;
    return false;
}

// Is there anything left that a stream works for?
static bool all_failed(const supervisor *s) {
    for (int i = 0; i < s->n_endings; i++)
        if (!s->endings[i].failed || has_publisher(stream_at(s, s->endings[i].stream)))
            return false;
    return true;
}

// ---- messages -----------------------------------------------------------------------------------

static void on_error(supervisor *s, GstMessage *message) {
    fv_err err = {0};
    ending *e = ending_of(s, GST_MESSAGE_SRC(message));
    if (e && (e->failed || e->ended))
        return;
    fv_message_error(message, &err);
    say(s, "error", err.text);
    fail_with(s, fv_err_exit_code(&err));
    for (int i = 0; i < s->n_endings; i++)
        if (e == &s->endings[i] || GST_OBJECT(s->endings[i].sink) == GST_MESSAGE_SRC(message))
            s->endings[i].failed = true;
    if (!e || !s->started || all_failed(s))
        g_main_loop_quit(s->loop);
}

// A pad of the source came that nothing takes: a muxer would wait for it for ever.
static bool is_broken_link(supervisor *s, GstMessage *message) {
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;
    gst_message_parse_warning(message, &error, &debug);
    if (!g_error_matches(error, GST_PARSE_ERROR, GST_PARSE_ERROR_DELAYED_LINK))
        return false;
    const char *where = debug ? strrchr(debug, '\n') : NULL;
    g_autofree char *text = g_strdup_printf("what the source gives does not fit behind it (%s); name another container, "
                                            ".mkv holds most, or say `audio: no`", where ? where + 1 : error->message);
    say(s, "error", text);
    fail_with(s, 1);
    g_main_loop_quit(s->loop);
    return true;
}

static void on_warning(supervisor *s, GstMessage *message) {
    fv_err err = {0};
    if (is_broken_link(s, message))
        return;
    fv_message_error(message, &err);
    bool is_output = strstr(GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), "-publish-");
    bool is_source = strstr(GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), "-source");
    say(s, is_output ? "error" : "warning", err.text);
    if (is_output || (is_source && err.code == FV_BAD_INPUT))
        fail_with(s, fv_err_exit_code(&err));
}

// News of our elements, a broker that does not answer for instance: nothing is lost.
static void on_info(supervisor *s, GstMessage *message) {
    fv_err err = {0};
    if (!strstr(GST_OBJECT_NAME(GST_MESSAGE_SRC(message)), "-publish-"))
        return;
    fv_message_error(message, &err);
    say(s, "note", err.text);
}

// Sinks' own messages come wrapped; of them the end of each sink counts.
static void on_forwarded(supervisor *s, GstMessage *message) {
    const GstStructure *t = gst_message_get_structure(message);
    g_autoptr(GstMessage) inner = NULL;
    if (!t || !gst_structure_has_name(t, "GstBinForwarded"))
        return;
    gst_structure_get(t, "message", GST_TYPE_MESSAGE, &inner, NULL);
    for (int i = 0; inner && GST_MESSAGE_TYPE(inner) == GST_MESSAGE_EOS && i < s->n_endings; i++)
        if (GST_MESSAGE_SRC(inner) == GST_OBJECT(s->endings[i].sink))
            s->endings[i].ended = true;
}

// Frames that left, bytes that were written.
static int64_t work(const supervisor *s) {
    int64_t sum = 0;
    for (int i = 0; i < s->n_streams; i++)
        sum += (int64_t)fv_meter_get(s->meters[i]).frames;
    for (int i = 0; i < s->n_endings; i++) {
        gint64 bytes = 0;
        if (gst_element_query_position(s->endings[i].sink, GST_FORMAT_BYTES, &bytes))
            sum += bytes;
    }
    return sum;
}

// After an interrupt streams that do not move are not waited for. Publishers may: they have their own limit.
static void watch_the_end(supervisor *s) {
    int64_t now = g_get_monotonic_time(), done = work(s);
    bool is_stuck = s->done_us && done == s->done && now - s->done_us > STUCK_US;
    for (int i = 0; i < s->n_streams && is_stuck; i++)
        is_stuck = !has_publisher(stream_at(s, i)) || !fv_meter_get(s->meters[i]).frames;
    if (!s->done_us || done != s->done)
        s->done = done, s->done_us = now;
    if (!is_stuck)
        return;
    say(s, "error", "nothing moves any more; files that were being written are not finished");
    fail_with(s, 1);
    g_main_loop_quit(s->loop);
}

static gboolean on_tick(gpointer user) {
    supervisor *s = user;
    if (s->interrupts)
        watch_the_end(s);
    fv_progress_show(&s->progress, s->meters, s->params->probes, s->names, s->n_streams);
    if (all_ended(s))
        g_main_loop_quit(s->loop);
    return G_SOURCE_CONTINUE;
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer user) {
    (void)bus;
    supervisor *s = user;
    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_ERROR: on_error(s, message); break;
    case GST_MESSAGE_WARNING: on_warning(s, message); break;
    case GST_MESSAGE_INFO: on_info(s, message); break;
    case GST_MESSAGE_ELEMENT: on_forwarded(s, message); break;
    case GST_MESSAGE_EOS: on_tick(s); break;
    case GST_MESSAGE_LATENCY: gst_bin_recalculate_latency(GST_BIN(s->pipeline)); break;
    default: break;
    }
    return G_SOURCE_CONTINUE;
}

static void end_streams(supervisor *s) {
    for (int i = 0; i < s->n_streams; i++) {
        GstElement *source = named(s->pipeline, s->names[i], "source", -1);
        gst_element_send_event(source, gst_event_new_eos());
        gst_object_unref(source);
    }
}

static gboolean on_signal(gpointer user) {
    supervisor *s = user;
    if (s->interrupts++) {
        say(s, "error", "stopped at once; files that were being written are not finished");
        fail_with(s, 1);
        g_main_loop_quit(s->loop);
    } else {
        say(s, "note", "finishing files; once more stops at once");
        end_streams(s);
    }
    return G_SOURCE_CONTINUE;
}

// The terminal is gone; shells tell it a second time.
static gboolean on_hangup(gpointer user) {
    supervisor *s = user;
    if (!s->interrupts++)
        end_streams(s);
    return G_SOURCE_CONTINUE;
}

// What `nohup` ignores stays ignored.
static guint watch_hangup(supervisor *s) {
    struct sigaction old;
    bool ignored = sigaction(SIGHUP, NULL, &old) || old.sa_handler == SIG_IGN;
    return ignored ? 0 : g_unix_signal_add(SIGHUP, on_hangup, s);
}

// ---- from start to end --------------------------------------------------------------------------

static bool make_pipeline(supervisor *s, fv_arena *arena) {
    GError *error = NULL;
    s->pipeline = gst_parse_launch_full(fv_build_text(arena, s->params->words), NULL,
                                        GST_PARSE_FLAG_FATAL_ERRORS, &error);
    if (s->pipeline)
        return true;
    say(s, "error", error->message);
    g_error_free(error);
    fail_with(s, 1);
    return false;
}

// A live source that is open already.
static void hand_over(supervisor *s, int i) {
    g_autoptr(GstElement) source = named(s->pipeline, s->names[i], "source", -1);
    if (s->params->probes[i].session)
        gst_element_set_context(source, s->params->probes[i].session);
}

static void prepare(supervisor *s) {
    const fv_desc *d = s->params->desc;
    g_object_set(s->pipeline, "message-forward", TRUE, NULL);
    s->n_streams = d->streams.n;
    s->meters = g_new0(fv_meter *, s->n_streams);
    s->names = g_new0(const char *, s->n_streams);
    for (int i = 0; i < s->n_streams; i++) {
        s->names[i] = stream_at(s, i)->name;
        hand_over(s, i);
        s->meters[i] = fv_meter_create(s->pipeline, s->names[i], &s->params->probes[i]);
    }
    find_endings(s);
}

// Models and rules are loaded before any file is opened for writing: when they are wrong, what was there
// before stays.
static bool load_first(supervisor *s) {
    static const char *const loaded[] = {"detect", "track", "events", "overlay"};
    for (int i = 0; i < s->n_streams; i++) {
        for (size_t k = 0; k < G_N_ELEMENTS(loaded); k++) {
            g_autoptr(GstElement) e = named(s->pipeline, s->names[i], loaded[k], -1);
            if (e && gst_element_set_state(e, GST_STATE_PAUSED) == GST_STATE_CHANGE_FAILURE)
                return false;
        }
    }
    return true;
}

static void run(supervisor *s) {
    GstBus *bus = gst_element_get_bus(s->pipeline);
    s->loop = g_main_loop_new(NULL, FALSE);
    guint hangup = watch_hangup(s);
    guint sources[] = {hangup, gst_bus_add_watch(bus, on_message, s),
                       g_unix_signal_add(SIGINT, on_signal, s),
                       g_unix_signal_add(SIGTERM, on_signal, s),
                       g_timeout_add(s->progress.on ? PROGRESS_MS : CHECK_MS, on_tick, s)};
    bool loaded = load_first(s);
    s->started = loaded && gst_element_set_state(s->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
    // A failure comes as a message.
    g_main_loop_run(s->loop);
    fv_progress_clear(&s->progress);
    if (loaded) // at rest, for the summary
        gst_element_set_state(s->pipeline, GST_STATE_PAUSED);
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        if (sources[i])
            g_source_remove(sources[i]);
    if (hangup)
        signal(SIGHUP, SIG_IGN); // the shell's word of a lost terminal may come behind the kernel's
    g_main_loop_unref(s->loop);
    gst_object_unref(bus);
}

typedef struct {
    guint64 sent, lost, lost_events, waiting;
} publisher_counts;

static publisher_counts count_publisher(const supervisor *s, int stream, int k) {
    g_autoptr(GstElement) publisher = named(s->pipeline, s->names[stream], "publish", k);
    g_autoptr(GstStructure) stats = NULL;
    publisher_counts c = {0};
    if (publisher)
        g_object_get(publisher, "stats", &stats, NULL);
    if (stats)
        gst_structure_get(stats, "lines", G_TYPE_UINT64, &c.sent, "lost", G_TYPE_UINT64, &c.lost,
                          "lost-events", G_TYPE_UINT64, &c.lost_events, "waiting", G_TYPE_UINT64,
                          &c.waiting, NULL);
    return c;
}

// "gate: wrote gate.jsonl", "gate: sent 120 records to mqtt://broker; 3 wait in the spool",
// "gate: broke off gate.jsonl: 80 records; 40 could not be written"
static void print_published(const supervisor *s, int stream, int k, const fv_address *a) {
    publisher_counts c = count_publisher(s, stream, k);
    bool is_file = a->kind == FV_TO_FILE, is_local = is_file || a->kind == FV_TO_STDOUT;
    bool all = !c.lost && !c.waiting;
    const char *name = s->names[stream];
    char shown[1200];
    if (all && is_local) {
        if (is_file)
            fprintf(stderr, "%s: wrote %s\n", name, a->path);
        return;
    }
    if (is_local)
        fprintf(stderr, "%s: broke off %s: %" PRIu64 " records", name,
                is_file ? a->path : "standard output", c.sent);
    else
        fprintf(stderr, "%s: sent %" PRIu64 " records to %s", name, c.sent,
                fv_address_show(a, shown, sizeof shown));
    if (c.lost)
        fprintf(stderr, "; %" PRIu64 " were lost, %" PRIu64 " of them events", c.lost,
                c.lost_events);
    if (c.waiting)
        fprintf(stderr, "; %" PRIu64 " %s", c.waiting,
                is_local ? "could not be written" : "wait in the spool");
    fputc('\n', stderr);
}

static void print_output(const supervisor *s, int stream, int k) {
    const fv_desc_output *o = (const fv_desc_output *)stream_at(s, stream)->outputs.v + k;
    const fv_setting *to = o->publish ? fv_settings_find(o->publish, "to") : NULL;
    fv_address address;
    bool failed = false;
    if (to && fv_address_parse(&address, to->text, NULL))
        print_published(s, stream, k, &address);
    for (int i = 0; i < s->n_endings; i++)
        failed |=
            s->endings[i].stream == stream && s->endings[i].output == k && s->endings[i].failed;
    if (o->file)
        fprintf(stderr, "%s: %s %s\n", s->names[stream], failed ? "broke off" : "wrote",
                o->file->path);
}

static void print_summary(const supervisor *s) {
    for (int i = 0; i < s->n_streams; i++) {
        if (s->exit_code && !fv_meter_get(s->meters[i]).frames)
            continue;
        fv_meter_print(s->meters[i], stderr);
        for (int k = 0; k < stream_at(s, i)->outputs.n; k++)
            print_output(s, i, k);
    }
}

static void finish(supervisor *s) {
    if (s->params->summary && s->meters)
        print_summary(s);
    if (s->pipeline)
        gst_element_set_state(s->pipeline, GST_STATE_NULL);
    for (int i = 0; i < s->n_streams; i++)
        fv_meter_destroy(&s->meters[i]);
    for (int i = 0; i < s->n_endings; i++)
        gst_object_unref(s->endings[i].sink);
    g_free(s->endings);
    g_free(s->meters);
    g_free(s->names);
    gst_clear_object(&s->pipeline);
}

int fv_loop_run(const fv_loop_params *params) {
    supervisor s = {.params = params};
    fv_arena *arena = fv_arena_create();
    fv_progress_init(&s.progress, params->progress);
    if (make_pipeline(&s, arena)) {
        prepare(&s);
        run(&s);
    }
    finish(&s);
    fv_arena_destroy(&arena);
    return s.exit_code;
}
