#include "pipeline/desc/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

const fv_format_row fv_format_rows[FV_N_FORMATS] = {
    [FV_FORMAT_FOVEA] = {.name = "fovea",
                         .help = "JSON Lines of frames and events, schema fovea/1",
                         .extension = ".jsonl",
                         .mime = "application/json",
                         .open = "",
                         .between = "",
                         .close = "",
                         .frame = fv_format_fovea_frame,
                         .events = fv_format_fovea_events},
};

const char *const fv_format_names[FV_N_FORMATS + 1] = {[FV_FORMAT_FOVEA] = "fovea"};

fv_formatter *fv_formatter_create(fv_format format, unsigned what, fv_message_take *take,
                                  void *user) {
    const fv_format_row *row = &fv_format_rows[format];
    fv_formatter *f = calloc(1, sizeof *f);
    *f = (fv_formatter){.row = row, .what = what, .take = take, .user = user};
    f->state = calloc(1, row->state_size + 1);
    return f;
}

void fv_formatter_frame(fv_formatter *f, const fv_record *record, const fv_event *events, int n) {
    f->row->frame(f, record, events, f->what & FV_WHAT_EVENTS ? n : 0);
}

void fv_formatter_events(fv_formatter *f, const fv_record *record, const fv_event *events, int n) {
    if (f->what & FV_WHAT_EVENTS)
        f->row->events(f, record, events, n);
}

void fv_formatter_finish(fv_formatter *f) {
    if (f->row->finish)
        f->row->finish(f);
}

void fv_formatter_destroy(fv_formatter **f) {
    if (!f || !*f)
        return;
    free((*f)->state);
    free(*f);
    *f = NULL;
}

void fv_format_level(const char *name, char *level, size_t size) {
    snprintf(level, size, "%s", name && *name ? name : "stream");
    for (char *p = level; *p; p++)
        if (strchr("/+#", *p) || (unsigned char)*p < ' ')
            *p = '_';
}

void fv_formatter_say(fv_formatter *f, const char *stream, fv_message m, char *body) {
    char level[FV_LEVEL_BYTES], topic[2 * FV_LEVEL_BYTES], id[2 * FV_LEVEL_BYTES];
    bool own = f->row->own_topics;
    if (!body)
        return;
    fv_format_level(stream, level, sizeof level);
    snprintf(topic, sizeof topic, "%s%s%s", own ? "" : level, own ? "" : "/", m.topic);
    snprintf(id, sizeof id, "%s/%s", level, m.id);
    m.topic = topic, m.id = id;
    m.key = stream && *stream ? stream : level;
    m.body = m.line = body, m.size = m.line_size = strlen(body);
    char *line = own ? fv_json_topic_line(topic, body) : NULL;
    if (line)
        m.line = line, m.line_size = strlen(line);
    f->take(f->user, &m);
    free(line);
    free(body);
}
