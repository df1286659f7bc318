#define _GNU_SOURCE
#include "pipeline/desc/desc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pipeline/base/paths.h"
#include "pipeline/desc/address.h"
#include "pipeline/desc/format.h"
#include "pipeline/desc/rules.h"

const char *const fv_codec_names[FV_N_CODECS + 1] = {"auto", "h264", "h265", "vp9", "mjpeg", NULL};

enum { VERSION = 1, MAX_STREAMS = 256, MAX_OUTPUTS = 32, MAX_NAME = 64 };

static const fv_option file_options[] = {
    FV_OPTION_STRING(
        fv_desc_file, path, "path", NULL,
        "the file that is written; its ending says the container: mp4, mov, mkv, webm"),
    FV_OPTION_ENUM(fv_desc_file, codec, "codec", fv_codec_names, FV_CODEC_AUTO,
                   "auto: H.264, VP9 in webm"),
    FV_OPTION_INT(fv_desc_file, quality, "quality", 1, 100, 60, "of the picture, 100 is best"),
    FV_OPTION_INT(fv_desc_file, bitrate, "bitrate", 0, 1000000, 0,
                  "kbit/s; 0: what the quality needs"),
    FV_OPTION_INT(fv_desc_file, speed, "speed", 0, 9, 7,
                  "0 is the smallest file, 9 the fastest encoder"),
    FV_OPTION_TIME(fv_desc_file, key_ns, "keyframes", 0, 600e9, 2e9, "time between key frames"),
    FV_OPTION_BOOL(fv_desc_file, audio, "audio", true,
                   "pass the source's audio on, not encoded again"),
    {0},
};
static const fv_schema file_schema = {
    "file", sizeof(fv_desc_file), file_options,
    NULL,   .scalar = "path",     .required = (const char *const[]){"path", NULL}};

static const fv_field output_fields[] = {
    {"file", "annotated video", FV_FIELD_BLOCK, offsetof(fv_desc_output, file),
     .block = &file_schema},
    {"publish", "frames and events", FV_FIELD_SETTINGS, offsetof(fv_desc_output, publish),
     .element = "fvpublish", .scalar = "to"},
    {"display", "a window", FV_FIELD_SETTINGS, offsetof(fv_desc_output, display),
     .element = "autovideosink", .scalar = NULL},
    {0},
};
static const fv_schema output_schema = {"output", sizeof(fv_desc_output), NULL, output_fields,
                                        .scalar = NULL};

static const fv_option stream_options[] = {
    FV_OPTION_STRING(fv_desc_stream, name, "name", NULL,
                     "letters, digits, - and _; in records, and as default of paths"),
    FV_OPTION_STRING(fv_desc_stream, report, "report", NULL,
                     "folder for heat maps, occupancy and counts per minute, written at the end"),
    {0},
};
static const fv_field stream_fields[] = {
    {"source", "where the video comes from", FV_FIELD_SETTINGS, offsetof(fv_desc_stream, source),
     .element = "fvsrc", .scalar = "uri"},
    {"detect", "which detector", FV_FIELD_SETTINGS, offsetof(fv_desc_stream, detect),
     .element = "fvdetect", .scalar = "model"},
    {"track", "which tracker", FV_FIELD_SETTINGS, offsetof(fv_desc_stream, track),
     .element = "fvtrack", .scalar = "method"},
    {"events", "rules: a path, or the rules in place", FV_FIELD_NODE,
     offsetof(fv_desc_stream, events_node), .min = 0},
    {"overlay", "what is drawn", FV_FIELD_SETTINGS, offsetof(fv_desc_stream, overlay),
     .element = "fvoverlay", .scalar = NULL},
    {"outputs", "where the results go", FV_FIELD_BLOCKS, offsetof(fv_desc_stream, outputs),
     .min = 1, .max = MAX_OUTPUTS, .block = &output_schema},
    {0},
};
static const fv_schema stream_schema = {
    "stream", sizeof(fv_desc_stream), stream_options, stream_fields,
    .required = (const char *const[]){"source", "outputs", NULL}};

static const fv_option desc_options[] = {
    FV_OPTION_INT(fv_desc, version, "fovea", 1, 1000, VERSION, "version of this format"),
    {0},
};
static const fv_field desc_fields[] = {
    {"models", "detectors by name", FV_FIELD_NAMED_SETTINGS, offsetof(fv_desc, models),
     .element = "fvdetect", .scalar = "model", .alias = "file"},
    {"streams", "what runs", FV_FIELD_BLOCKS, offsetof(fv_desc, streams), .min = 1,
     .max = MAX_STREAMS, .block = &stream_schema},
    {0},
};
static const fv_schema desc_schema = {"description", sizeof(fv_desc), desc_options, desc_fields,
                                      .required = (const char *const[]){"fovea", "streams", NULL}};

// ---- paths --------------------------------------------------------------------------------------

bool fv_desc_is_local_file(const char *uri) {
    size_t scheme =
        strspn(uri, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");
    return !(scheme > 1 && uri[scheme] == ':') && strncmp(uri, "/dev/", 5) != 0 &&
           !strpbrk(uri, "%*?");
}

// An existing thing that can be read and is (not) a folder.
static void check_readable(fv_yaml *y, const fv_yaml_node *node, const char *path) {
    struct stat info;
    if (stat(path, &info) || access(path, R_OK))
        fv_yaml_mistake(y, node, "%s: cannot be read: %s", path, strerror(errno));
    else if (S_ISDIR(info.st_mode))
        fv_yaml_mistake(y, node, "%s: is a folder, not a file", path);
}

static void check_writable(fv_yaml *y, const fv_yaml_node *node, const char *path) {
    const char *slash = strrchr(path, '/');
    const char *folder =
        slash ? fv_arena_strndup(fv_yaml_arena(y), path, (size_t)(slash - path) + (slash == path))
              : ".";
    struct stat info;
    if (stat(folder, &info))
        fv_yaml_mistake(y, node, "%s: the folder %s is not there; make it first", path, folder);
    else if (!S_ISDIR(info.st_mode))
        fv_yaml_mistake(y, node, "%s: %s is not a folder", path, folder);
    else if (!stat(path, &info) ? S_ISDIR(info.st_mode) : false)
        fv_yaml_mistake(y, node, "%s: is a folder; give the name of a file", path);
    else if (access(stat(path, &info) ? folder : path, W_OK))
        fv_yaml_mistake(y, node, "%s: cannot be written: %s", path, strerror(errno));
}

// Makes the setting's path whole and, for files that must be there, looks.
static void resolve(fv_yaml *y, fv_settings *s, const char *name) {
    fv_setting *setting = (fv_setting *)fv_settings_find(s, name);
    if (!setting)
        return;
    setting->text = fv_yaml_path(y, setting->node, setting->text);
    check_readable(y, setting->node, setting->text);
}

// ---- models -------------------------------------------------------------------------------------

static fv_settings *find_model(const fv_desc *d, const char *name) {
    fv_settings *models = d->models.v;
    for (int i = 0; i < d->models.n; i++)
        if (!strcmp(models[i].name, name))
            return &models[i];
    return NULL;
}

static void resolve_model_files(fv_yaml *y, fv_settings *s) {
    static const char *const files[] = {"model", "card", "labels"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        resolve(y, s, files[i]);
}

// What the stream says goes before what the model's entry says.
static void merge_model(fv_yaml *y, fv_settings *detect, const fv_settings *model) {
    fv_setting *v = FV_ARENA_NEW(fv_yaml_arena(y), fv_setting, detect->n + model->n + 1);
    int n = 0;
    for (int i = 0; i < model->n; i++)
        if (!strcmp(model->v[i].name, "model") || !fv_settings_find(detect, model->v[i].name))
            v[n++] = model->v[i];
    for (int i = 0; i < detect->n; i++)
        if (strcmp(detect->v[i].name, "model") != 0)
            v[n++] = detect->v[i];
    detect->v = v;
    detect->n = n;
}

// `model` is the name of an entry, or a file.
static void resolve_detect(fv_yaml *y, const fv_desc *d, fv_settings *detect) {
    fv_setting *model = (fv_setting *)fv_settings_find(detect, "model");
    const fv_settings *entry = model ? find_model(d, model->text) : NULL;
    const char *path = model ? fv_yaml_path(y, model->node, model->text) : NULL;
    bool is_name = model && !strpbrk(model->text, "/.");
    if (model && !entry && is_name && access(path, F_OK)) {
        const char *names[MAX_STREAMS + 1] = {NULL};
        for (int i = 0; i < d->models.n && i < MAX_STREAMS; i++)
            names[i] = ((const fv_settings *)d->models.v)[i].name;
        if (names[0])
            fv_yaml_unknown(y, model->node, "model", names, sizeof names[0]);
        else
            fv_yaml_mistake(y, model->node, "model: no entry '%s' under `models:` and no such file",
                            model->text);
        return;
    }
    if (!entry) {
        resolve_model_files(y, detect);
        return;
    }
    resolve(y, detect, "card");
    resolve(y, detect, "labels");
    merge_model(y, detect, entry);
}

// ---- streams ------------------------------------------------------------------------------------

static void resolve_source(fv_yaml *y, fv_settings *source) {
    fv_setting *uri = (fv_setting *)fv_settings_find(source, "uri");
    if (!uri) {
        fv_yaml_mistake(y, source->given.node, "the source lacks 'uri'");
        return;
    }
    if (!fv_desc_is_local_file(uri->text)) {
        if (strpbrk(uri->text, "%*?") && !strstr(uri->text, ":"))
            uri->text = fv_yaml_path(y, uri->node, uri->text);
        return;
    }
    uri->text = fv_yaml_path(y, uri->node, uri->text);
    check_readable(y, uri->node, uri->text);
}

static bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

// What names a source: the last element of its path up to the first dot; of a URL without a path its host, without
// user, password and port.
static const char *naming_part(const char *uri, size_t *length) {
    const char *scheme = strstr(uri, "://"), *start = scheme ? scheme + 3 : uri,
               *end = start + (scheme ? strcspn(start, "?#") : strlen(start)), *part;
    while (scheme && end > start && end[-1] == '/')
        end--;
    for (part = end; part > start && part[-1] != '/'; part--) {
    }
    if (!scheme || part > start) {
        *length = strcspn(part, ".?%*");
        *length = *length < (size_t)(end - part) ? *length : (size_t)(end - part);
        return part;
    }
    for (const char *p = start; p < end; p++)
        part = *p == '@' ? p + 1 : part;
    part += *part == '[';
    *length = strcspn(part, part > start && part[-1] == '[' ? "]" : ":/?#");
    return part;
}

// "in/gate 1.mp4" -> "gate-1", "rtsp://10.0.0.7:554/" -> "10-0-0-7"; "stream" when nothing is left.
static const char *name_from_source(fv_yaml *y, const fv_settings *source) {
    const fv_setting *uri = fv_settings_find(source, "uri");
    size_t n = 0;
    const char *part = naming_part(uri ? uri->text : "", &n);
    char *name = fv_arena_strndup(fv_yaml_arena(y), part, n < MAX_NAME ? n : MAX_NAME);
    for (char *p = name; *p; p++)
        if (!is_name_letter(*p))
            *p = '-';
    return *name ? name : "stream";
}

static void check_name(fv_yaml *y, const fv_desc *d, fv_desc_stream *s, int index) {
    const fv_yaml_node *node = fv_schema_node(&stream_schema, s, "name");
    if (!s->name)
        s->name = name_from_source(y, s->source);
    size_t n = strlen(s->name), good = 0;
    while (good < n && is_name_letter(s->name[good]))
        good++;
    if (!n || good < n || n > MAX_NAME)
        fv_yaml_mistake(y, node, "name: '%s' must be 1 to %d letters, digits, '-' or '_'", s->name,
                        MAX_NAME);
    const fv_desc_stream *all = d->streams.v;
    for (int i = 0; i < index; i++)
        if (!strcmp(all[i].name, s->name))
            fv_yaml_mistake(
                y, node,
                "another stream has the name '%s' already; give this one a `name:` of its own",
                s->name);
}

static void resolve_events(fv_yaml *y, fv_desc_stream *s) {
    if (!s->events_node)
        return;
    fv_rules rules;
    fv_rules_read(&rules, y, s->events_node);
    s->events = s->events_node->kind == FV_YAML_SCALAR
                    ? fv_yaml_path(y, s->events_node, s->events_node->text)
                    : fv_yaml_json(y, s->events_node);
    if (!s->track)
        fv_yaml_mistake(y, s->events_node, "events need `track:`, which gives objects their ids");
}

// A folder that is there, or can be made where its parent is.
static void resolve_report(fv_yaml *y, fv_desc_stream *s) {
    const fv_yaml_node *node = fv_schema_node(&stream_schema, s, "report");
    struct stat info;
    if (!s->report)
        return;
    s->report = fv_yaml_path(y, node, s->report);
    if (stat(s->report, &info))
        check_writable(y, node, s->report);
    else if (!S_ISDIR(info.st_mode))
        fv_yaml_mistake(y, node, "%s: is a file; give the name of a folder", s->report);
    else if (access(s->report, W_OK))
        fv_yaml_mistake(y, node, "%s: cannot be written: %s", s->report, strerror(errno));
    if (!s->track)
        fv_yaml_mistake(y, node, "report needs `track:`, which gives objects their ids");
}

static void check_order(fv_yaml *y, const fv_desc_stream *s) {
    if (s->track && !s->detect)
        fv_yaml_mistake(y, s->track->given.node, "track needs `detect:`, which finds the objects");
}

// ---- outputs ------------------------------------------------------------------------------------

static const struct {
    const char *ending;
    fv_box_format format;
} containers[] = {{".mp4", FV_BOX_MP4},
                  {".m4v", FV_BOX_MP4},
                  {".mov", FV_BOX_MP4},
                  {".mkv", FV_BOX_MATROSKA},
                  {".webm", FV_BOX_WEBM}};

// Codecs that a container takes: bit 1 << fv_codec.
static const unsigned codecs_of[FV_N_BOXES] = {
    [FV_BOX_MP4] = 1u << FV_CODEC_AUTO | 1u << FV_CODEC_H264 | 1u << FV_CODEC_H265,
    [FV_BOX_MATROSKA] = (1u << FV_N_CODECS) - 1,
    [FV_BOX_WEBM] = 1u << FV_CODEC_AUTO | 1u << FV_CODEC_VP9,
};

fv_box_format fv_desc_container(const char *path, const char **known) {
    if (known)
        *known = ".mp4, .m4v, .mov, .mkv, .webm";
    size_t n = strlen(path);
    for (size_t i = 0; i < sizeof containers / sizeof containers[0]; i++) {
        size_t e = strlen(containers[i].ending);
        if (n > e && !strcasecmp(path + n - e, containers[i].ending))
            return containers[i].format;
    }
    return FV_N_BOXES;
}

static void resolve_file(fv_yaml *y, fv_desc_file *f) {
    const fv_yaml_node *node = fv_schema_node(&file_schema, f, "path");
    const char *known;
    if (!f->path)
        return;
    fv_box_format format = fv_desc_container(f->path, &known);
    if (format == FV_N_BOXES)
        fv_yaml_mistake(y, node, "%s: the ending says the container; known are %s", f->path, known);
    else if (!(codecs_of[format] & 1u << f->codec))
        fv_yaml_mistake(y, fv_schema_node(&file_schema, f, "codec"), "%s cannot hold %s",
                        strrchr(f->path, '.'), fv_codec_names[f->codec]);
    f->path = fv_yaml_path(y, node, f->path);
    check_writable(y, node, f->path);
}

static void resolve_publish_files(fv_yaml *y, fv_settings *publish) {
    static const char *const files[] = {"tls-ca", "tls-cert", "tls-key", "password-file",
                                        "hmac-file"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++)
        resolve(y, publish, files[i]);
    fv_setting *spool = (fv_setting *)fv_settings_find(publish, "spool");
    if (spool)
        spool->text = fv_yaml_path(y, spool->node, spool->text);
}

static void resolve_publish(fv_yaml *y, fv_settings *publish) {
    resolve_publish_files(y, publish);
    fv_setting *to = (fv_setting *)fv_settings_find(publish, "to");
    if (!to) {
        fv_yaml_mistake(y, publish->given.node,
                        "publish lacks 'to': a file, - for standard output, or an address");
        return;
    }
    fv_address a;
    fv_err err;
    if (!fv_address_parse(&a, to->text, &err))
        fv_yaml_mistake(y, to->node, "%s", err.text);
    else if (a.kind == FV_TO_FILE)
        check_writable(y, to->node, to->text = fv_yaml_path(y, to->node, to->text));
    else if (a.kind == FV_TO_UNIX)
        to->text = fv_arena_printf(fv_yaml_arena(y), "unix:%s", fv_yaml_path(y, to->node, a.path));
}

// What the element would refuse at its start, or take and then never write.
static void check_format(fv_yaml *y, const fv_desc_stream *stream, const fv_settings *publish) {
    typedef struct {
        int format, what;
        bool append;
    } choice;
    static const char *const whats[] = {"all", "frames", "events", NULL};
    static const unsigned masks[] = {FV_WHAT_ALL, FV_WHAT_FRAMES, FV_WHAT_EVENTS};
    static const fv_option rows[] = {
        FV_OPTION_ENUM(choice, format, "format", fv_format_names, FV_FORMAT_FOVEA, ""),
        FV_OPTION_ENUM(choice, what, "what", whats, 0, ""),
        FV_OPTION_BOOL(choice, append, "append", false, ""),
        {0}};
    choice c;
    fv_err err = {0};
    fv_options_default(&c, rows);
    for (int i = 0; rows[i].name; i++) {
        const fv_setting *s = fv_settings_find(publish, rows[i].name);
        if (s && !fv_option_parse(&c, &rows[i], s->text, &err))
            return; // told already
    }
    const fv_setting *format = fv_settings_find(publish, "format");
    const fv_yaml_node *node = format ? format->node : publish->given.node;
    if (!fv_format_check((fv_format)c.format, masks[c.what], c.append, &err))
        fv_yaml_mistake(y, node, "%s", err.text);
    if (fv_format_rows[c.format].needs_tracks && !stream->track)
        fv_yaml_mistake(y, node, "format %s says nothing of objects without a track; add `track:` "
                        "to the stream", fv_format_names[c.format]);
}

static const char *output_path(const fv_desc_output *o) {
    const fv_setting *to = o->publish ? fv_settings_find(o->publish, "to") : NULL;
    fv_address a;
    if (o->file)
        return o->file->path;
    return to && fv_address_parse(&a, to->text, NULL) && a.kind == FV_TO_FILE ? to->text : NULL;
}

static const fv_yaml_node *output_node(const fv_desc_output *o) {
    const fv_setting *to = o->publish ? fv_settings_find(o->publish, "to") : NULL;
    return o->file ? fv_schema_node(&file_schema, o->file, "path") : to ? to->node : o->given.node;
}

static void resolve_output(fv_yaml *y, fv_desc_output *o) {
    int n = (o->file != NULL) + (o->publish != NULL) + (o->display != NULL);
    if (n > 1)
        fv_yaml_mistake(y, o->given.node,
                        "an output is one of file, publish and display; begin another with '- '");
    if (n == 0 && o->given.node->kind == FV_YAML_MAP && !o->given.node->n)
        fv_yaml_mistake(y, o->given.node, "an output is one of file, publish and display");
    if (o->file)
        resolve_file(y, o->file);
    if (o->publish)
        resolve_publish(y, o->publish);
}

// The reports of two streams have files of the same names.
static void check_reports(fv_yaml *y, const fv_desc *d) {
    const fv_desc_stream *streams = d->streams.v;
    for (int i = 1; i < d->streams.n; i++)
        for (int k = 0; k < i; k++)
            if (streams[i].report && streams[k].report &&
                fv_path_same_folder(streams[i].report, streams[k].report)) {
                fv_yaml_mistake(y, fv_schema_node(&stream_schema, &streams[i], "report"),
                                "%s is the report of stream %s already; give each a folder",
                                streams[i].report, streams[k].name);
                break;
            }
}

// Two outputs into one file, or into the source, would destroy it.
static void check_collisions(fv_yaml *y, const fv_desc *d) {
    const fv_desc_stream *streams = d->streams.v;
    const char *seen[MAX_STREAMS * 4];
    int n = 0;
    for (int i = 0; i < d->streams.n; i++) {
        const fv_setting *uri = fv_settings_find(streams[i].source, "uri");
        for (int k = 0; k < streams[i].outputs.n; k++) {
            const fv_desc_output *o = (const fv_desc_output *)streams[i].outputs.v + k;
            const char *path = output_path(o);
            if (!path)
                continue;
            if (uri && fv_path_same_file(uri->text, path))
                fv_yaml_mistake(y, output_node(o), "%s is the source; write to another file", path);
            for (int j = 0; j < n; j++)
                if (fv_path_same_file(seen[j], path))
                    fv_yaml_mistake(y, output_node(o), "%s is written by another output already",
                                    path);
            if (n < MAX_STREAMS * 4)
                seen[n++] = path;
        }
    }
}

void fv_desc_read(fv_desc *d, const fv_schema_reader *r, const fv_yaml_node *root) {
    fv_yaml *y = r->yaml;
    fv_schema_read(r, &desc_schema, root, d);
    if (d->version != VERSION)
        fv_yaml_mistake(y, fv_schema_node(&desc_schema, d, "fovea"),
                        "version %d of the format is not known; this Fovea reads %d", d->version,
                        VERSION);
    for (int i = 0; i < d->models.n; i++)
        resolve_model_files(y, (fv_settings *)d->models.v + i);
    for (int i = 0; i < d->streams.n; i++) {
        fv_desc_stream *s = (fv_desc_stream *)d->streams.v + i;
        if (s->source)
            resolve_source(y, s->source);
        check_name(y, d, s, i);
        if (s->detect)
            resolve_detect(y, d, s->detect);
        check_order(y, s);
        resolve_events(y, s);
        resolve_report(y, s);
        for (int k = 0; k < s->outputs.n; k++) {
            fv_desc_output *o = (fv_desc_output *)s->outputs.v + k;
            resolve_output(y, o);
            if (o->publish)
                check_format(y, s, o->publish);
        }
    }
    check_collisions(y, d);
    check_reports(y, d);
}
