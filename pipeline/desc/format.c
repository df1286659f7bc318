#include "pipeline/desc/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/desc/format_priv.h"

enum { NAME_BYTES = 512 };

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

// What means something in MQTT's topics: levels and wildcards.
static void clean_level(char *name) {
    for (char *p = name; *p; p++)
        if (strchr("/+#", *p) || (unsigned char)*p < ' ')
            *p = '_';
}

void fv_formatter_say(fv_formatter *f, const fv_record *record, const char *topic, const char *id,
                      fv_message m, char *body) {
    const char *stream = record->stream && *record->stream ? record->stream : "stream";
    char level[NAME_BYTES], topic_text[2 * NAME_BYTES], id_text[2 * NAME_BYTES];
    snprintf(level, sizeof level, "%s", stream);
    clean_level(level);
    snprintf(topic_text, sizeof topic_text, "%s/%s", level, topic);
    snprintf(id_text, sizeof id_text, "%s/%s", stream, id);
    m.topic = topic_text, m.key = stream, m.id = id_text;
    m.body = body, m.size = body ? strlen(body) : 0;
    if (body)
        f->take(f->user, &m);
    free(body);
}
