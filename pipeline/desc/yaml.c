#define _GNU_SOURCE
#include "pipeline/desc/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <yaml.h>

#include "pipeline/base/log.h"
#include "pipeline/base/option.h"
#include "pipeline/desc/mistake.h"

enum {
    MAX_BYTES = 4 << 20,
    MAX_DEPTH = 40,
    MAX_WEIGHT = 200000,
    MAX_KEYS = 2000,
    MAX_ANCHORS = 1000
};

typedef struct {
    const char *name;
    fv_yaml_node *node;
} anchor;

struct fv_yaml {
    fv_arena *arena;
    int n_sources;
    fv_mistakes mistakes;
};

// What one parse needs beside the document.
typedef struct {
    fv_yaml *y;
    const fv_yaml_source *source;
    yaml_parser_t parser;
    int n_anchors, weight;
    anchor anchors[MAX_ANCHORS];
    bool failed;
} reader;

// A source remembers its place in the order of loading.
typedef struct {
    fv_yaml_source source;
    int order;
} ordered_source;

fv_yaml *fv_yaml_create(fv_arena *arena) {
    fv_yaml *y = FV_ARENA_NEW(arena, fv_yaml, 1);
    y->arena = arena;
    return y;
}

fv_arena *fv_yaml_arena(fv_yaml *y) {
    return y->arena;
}

// ---- mistakes -----------------------------------------------------------------------------------

static void mistake_at(fv_yaml *y, const fv_yaml_source *source, int line, int column,
                       const char *text) {
    int order = ((const ordered_source *)(const void *)source)->order;
    fv_mistakes_add(&y->mistakes, (fv_mistake){source, order, line, column, text});
}

void fv_yaml_mistake(fv_yaml *y, const fv_yaml_node *node, const char *format, ...) {
    char text[1000];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    mistake_at(y, node->source, node->line, node->column, fv_arena_strdup(y->arena, text));
}

void fv_yaml_unknown(fv_yaml *y, const fv_yaml_node *node, const char *what, const void *rows,
                     size_t stride) {
    const char *name = node->text ? node->text : "";
    const char *near = fv_name_nearest(name, rows, stride);
    if (near) {
        fv_yaml_mistake(y, node, "unknown %s '%s', did you mean '%s'?", what, name, near);
        return;
    }
    char all[600] = "";
    size_t n = 0;
    for (const char *p = rows;; p += stride) {
        const char *known;
        memcpy(&known, p, sizeof known);
        if (!known || n + strlen(known) + 3 > sizeof all)
            break;
        n += (size_t)snprintf(all + n, sizeof all - n, "%s%s", n ? ", " : "", known);
    }
    fv_yaml_mistake(y, node, "unknown %s '%s'; known are %s", what, name, all);
}

int fv_yaml_mistakes(const fv_yaml *y) {
    return y->mistakes.n;
}

const char *fv_yaml_report(fv_yaml *y) {
    return fv_mistakes_report(&y->mistakes, y->arena);
}

bool fv_yaml_finish(fv_yaml *y, fv_err *err) {
    if (!y->mistakes.n)
        return true;
    for (int i = 1; i < y->mistakes.n; i++)
        fv_log(FV_LOG_ERROR, "%s", fv_mistake_line(y->arena, &y->mistakes.v[i]));
    return fv_fail(err, FV_BAD_INPUT, "%s", fv_mistake_line(y->arena, &y->mistakes.v[0]));
}

// ---- values from the environment ----------------------------------------------------------------

// Appends what ${...} at `p` (behind the brace) stands for; returns the end, NULL after a mistake.
static const char *put_variable(fv_yaml *y, fv_yaml_node *node, const char *p, FILE *out) {
    const char *end = strchr(p, '}');
    if (!end) {
        fv_yaml_mistake(y, node, "'${' without '}'; write $$ for a dollar sign");
        return NULL;
    }
    char *name = fv_arena_strndup(y->arena, p, (size_t)(end - p)), *other = strstr(name, ":-");
    if (other)
        *other = 0;
    const char *value = getenv(name);
    if (value && *value)
        node->from_shell |= p == node->text + 2;
    else if (other)
        value = other + 2;
    if (!value) {
        fv_yaml_mistake(y, node,
                        "the environment variable %s is not set; set it or write ${%s:-DEFAULT}",
                        name, name);
        return NULL;
    }
    fputs(value, out);
    return end + 1;
}

static void replace_variables(fv_yaml *y, fv_yaml_node *node) {
    if (!strchr(node->text, '$'))
        return;
    char *buffer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buffer, &size);
    for (const char *p = node->text; p && *p;) {
        if (!strncmp(p, "${", 2)) {
            p = put_variable(y, node, p + 2, out);
            continue;
        }
        p += !strncmp(p, "$$", 2);
        fputc(*p++, out);
    }
    fclose(out);
    node->text = fv_arena_strdup(y->arena, buffer);
    free(buffer);
}

// ---- from events to nodes -----------------------------------------------------------------------

static fv_yaml_node *read_node(reader *r, yaml_event_t *event, int depth);

static fv_yaml_node *node_new(reader *r, fv_yaml_kind kind, const yaml_mark_t *mark) {
    fv_yaml_node *node = FV_ARENA_NEW(r->y->arena, fv_yaml_node, 1);
    *node = (fv_yaml_node){.kind = kind,
                           .source = r->source,
                           .line = (int)mark->line + 1,
                           .column = (int)mark->column + 1,
                           .weight = 1};
    return node;
}

// A fault after which reading cannot go on.
static fv_yaml_node *stop(reader *r, const yaml_mark_t *mark, const char *text) {
    if (!r->failed)
        mistake_at(r->y, r->source, (int)mark->line + 1, (int)mark->column + 1, text);
    r->failed = true;
    return NULL;
}

static bool next_event(reader *r, yaml_event_t *event) {
    if (yaml_parser_parse(&r->parser, event))
        return true;
    const yaml_parser_t *p = &r->parser;
    const char *why = p->problem ? p->problem : "not YAML";
    const char *text = p->context ? fv_arena_printf(r->y->arena, "%s (%s)", why, p->context)
                                  : fv_arena_strdup(r->y->arena, why);
    yaml_mark_t mark = p->problem_mark;
    if (p->error == YAML_READER_ERROR) // bytes that are not UTF-8: the parser knows the offset only
        for (size_t i = 0; i < p->problem_offset && r->source->text[i]; i++) {
            mark.line += r->source->text[i] == '\n';
            mark.column = r->source->text[i] == '\n' ? 0 : mark.column + 1;
        }
    stop(r, &mark, text);
    return false;
}

static void remember(reader *r, const unsigned char *name, fv_yaml_node *node) {
    if (name && r->n_anchors < MAX_ANCHORS)
        r->anchors[r->n_anchors++] =
            (anchor){fv_arena_strdup(r->y->arena, (const char *)name), node};
}

static fv_yaml_node *read_alias(reader *r, const yaml_event_t *event) {
    const char *name = (const char *)event->data.alias.anchor;
    for (int i = r->n_anchors - 1; i >= 0; i--)
        if (!strcmp(r->anchors[i].name, name)) {
            r->weight += r->anchors[i].node->weight;
            return r->weight > MAX_WEIGHT
                       ? stop(r, &event->start_mark, "the aliases unfold to too much")
                       : r->anchors[i].node;
        }
    return stop(r, &event->start_mark, fv_arena_printf(r->y->arena, "unknown alias '*%s'", name));
}

static fv_yaml_node *read_scalar(reader *r, const yaml_event_t *event) {
    fv_yaml_node *node = node_new(r, FV_YAML_SCALAR, &event->start_mark);
    node->text = fv_arena_strndup(r->y->arena, (const char *)event->data.scalar.value,
                                  event->data.scalar.length);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    if (strlen(node->text) != event->data.scalar.length)
        return stop(r, &event->start_mark, "a zero byte inside a text");
    replace_variables(r->y, node);
    remember(r, event->data.scalar.anchor, node);
    return node;
}

static void *grown(fv_arena *arena, void *v, int n, size_t size) {
    if (n && (n & (n - 1)))
        return v;
    void *more = fv_arena_alloc(arena, size * (size_t)(n ? 2 * n : 1));
    if (n)
        memcpy(more, v, size * (size_t)n);
    return more;
}

static fv_yaml_node *read_list(reader *r, const yaml_event_t *start, int depth) {
    fv_yaml_node *list = node_new(r, FV_YAML_LIST, &start->start_mark);
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        fv_yaml_node *item = end ? NULL : read_node(r, &event, depth);
        yaml_event_delete(&event);
        if (end || !item)
            break;
        list->item = grown(r->y->arena, list->item, list->n, sizeof list->item[0]);
        list->item[list->n++] = item;
        list->weight += item->weight;
    }
    remember(r, start->data.sequence_start.anchor, list);
    return r->failed ? NULL : list;
}

void fv_yaml_add(fv_yaml *y, fv_yaml_node *map, fv_yaml_node *key, fv_yaml_node *value) {
    map->pair = grown(y->arena, map->pair, map->n, sizeof map->pair[0]);
    map->pair[map->n++] = (fv_yaml_pair){key, value};
    map->weight += 1 + value->weight;
}

fv_yaml_node *fv_yaml_get(const fv_yaml_node *map, const char *key) {
    for (int i = 0; map && map->kind == FV_YAML_MAP && i < map->n; i++)
        if (!strcmp(map->pair[i].key->text, key))
            return map->pair[i].value;
    return NULL;
}

// `<<: *other` or `<<: [*a, *b]`: what the map does not say itself.
static void merge(fv_yaml *y, fv_yaml_node *map, const fv_yaml_node *key,
                  const fv_yaml_node *from) {
    if (from->kind == FV_YAML_LIST) {
        for (int i = 0; i < from->n; i++)
            merge(y, map, key, from->item[i]);
        return;
    }
    if (from->kind != FV_YAML_MAP)
        fv_yaml_mistake(y, key, "'<<' wants a mapping to merge in, like *name");
    for (int i = 0; from->kind == FV_YAML_MAP && i < from->n && map->n < MAX_KEYS; i++)
        if (!fv_yaml_get(map, from->pair[i].key->text))
            fv_yaml_add(y, map, from->pair[i].key, from->pair[i].value);
}

static bool is_merge_key(const fv_yaml_node *key) {
    return !key->quoted && !strcmp(key->text, "<<");
}

static void add_pair(reader *r, fv_yaml_node *map, fv_yaml_node *key, fv_yaml_node *value) {
    const fv_yaml_node *first = NULL;
    for (int i = 0; i < map->n && !first; i++)
        if (!strcmp(map->pair[i].key->text, key->text))
            first = map->pair[i].key;
    if (first)
        fv_yaml_mistake(r->y, key, "'%s' is given twice, first in line %d", key->text, first->line);
    else
        fv_yaml_add(r->y, map, key, value);
}

static void apply_merges(fv_yaml *y, fv_yaml_node *map) {
    for (int i = 0; i < map->n; i++) {
        if (!is_merge_key(map->pair[i].key))
            continue;
        fv_yaml_pair pair = map->pair[i];
        memmove(map->pair + i, map->pair + i + 1, sizeof pair * (size_t)(map->n - i - 1));
        map->n--;
        merge(y, map, pair.key, pair.value);
        return;
    }
}

static fv_yaml_node *read_map(reader *r, const yaml_event_t *start, int depth) {
    fv_yaml_node *map = node_new(r, FV_YAML_MAP, &start->start_mark);
    for (;;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        bool end = event.type == YAML_MAPPING_END_EVENT;
        fv_yaml_node *key = end ? NULL : read_node(r, &event, depth), *value = NULL;
        yaml_mark_t mark = event.start_mark;
        yaml_event_delete(&event);
        if (end || !key)
            break;
        if (key->kind != FV_YAML_SCALAR)
            return stop(r, &mark, "a key must be a plain name");
        if (map->n == MAX_KEYS)
            return stop(r, &mark, "too many keys in one mapping");
        if (!next_event(r, &event))
            return NULL;
        value = read_node(r, &event, depth);
        yaml_event_delete(&event);
        if (!value)
            break;
        add_pair(r, map, key, value);
    }
    apply_merges(r->y, map);
    remember(r, start->data.mapping_start.anchor, map);
    return r->failed ? NULL : map;
}

static bool has_foreign_tag(const yaml_event_t *event) {
    const unsigned char *tag =
        event->type == YAML_SCALAR_EVENT           ? event->data.scalar.tag
        : event->type == YAML_SEQUENCE_START_EVENT ? event->data.sequence_start.tag
        : event->type == YAML_MAPPING_START_EVENT  ? event->data.mapping_start.tag
                                                   : NULL;
    return tag && strncmp((const char *)tag, "tag:yaml.org,2002:", 18) != 0;
}

static fv_yaml_node *read_node(reader *r, yaml_event_t *event, int depth) {
    if (depth > MAX_DEPTH)
        return stop(r, &event->start_mark, "nested too deeply");
    if (++r->weight > MAX_WEIGHT)
        return stop(r, &event->start_mark, "too many values in one file");
    if (has_foreign_tag(event))
        return stop(r, &event->start_mark, "tags like !name mean nothing here; leave it out");
    switch (event->type) {
    case YAML_ALIAS_EVENT: return read_alias(r, event);
    case YAML_SCALAR_EVENT: return read_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT: return read_list(r, event, depth + 1);
    case YAML_MAPPING_START_EVENT: return read_map(r, event, depth + 1);
    default: return stop(r, &event->start_mark, "expected a value");
    }
}

static fv_yaml_node *read_document(reader *r) {
    fv_yaml_node *root = NULL;
    for (bool more = true; more && !r->failed;) {
        yaml_event_t event;
        if (!next_event(r, &event))
            return NULL;
        more = event.type != YAML_STREAM_END_EVENT;
        if (event.type == YAML_DOCUMENT_START_EVENT && root)
            stop(r, &event.start_mark, "a second document; one file holds one");
        else if (event.type != YAML_STREAM_START_EVENT && event.type != YAML_DOCUMENT_START_EVENT &&
                 event.type != YAML_DOCUMENT_END_EVENT && more)
            root = read_node(r, &event, 0);
        if (!more && !root)
            stop(r, &event.start_mark, "the file is empty");
        yaml_event_delete(&event);
    }
    return r->failed ? NULL : root;
}

static ordered_source *source_new(fv_yaml *y, const char *name, const char *folder,
                                  const char *text) {
    ordered_source *s = FV_ARENA_NEW(y->arena, ordered_source, 1);
    s->source = (fv_yaml_source){fv_arena_strdup(y->arena, name), fv_arena_strdup(y->arena, folder),
                                 fv_arena_strdup(y->arena, text)};
    s->order = y->n_sources++;
    return s;
}

static fv_yaml_node *parse(fv_yaml *y, const ordered_source *source, const char *text) {
    reader *r = calloc(1, sizeof *r);
    r->y = y;
    r->source = &source->source;
    yaml_parser_initialize(&r->parser);
    yaml_parser_set_encoding(&r->parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r->parser, (const unsigned char *)text, strlen(text));
    fv_yaml_node *root = read_document(r);
    yaml_parser_delete(&r->parser);
    free(r);
    return root;
}

fv_yaml_node *fv_yaml_parse(fv_yaml *y, const char *name, const char *folder, const char *text,
                            const char *shown) {
    const ordered_source *source = source_new(y, name, folder, shown ? shown : text);
    return parse(y, source, shown ? fv_arena_strdup(y->arena, text) : source->source.text);
}

// ---- files --------------------------------------------------------------------------------------

// The file as text in the arena; NULL with `why` filled.
static char *read_text(fv_arena *arena, const char *path, const char **why) {
    FILE *f = fopen(path, "rb");
    struct stat info;
    if (!f || fstat(fileno(f), &info)) {
        *why = strerror(errno);
    } else if (S_ISDIR(info.st_mode)) {
        *why = "it is a folder, not a file";
    } else {
        char *text = fv_arena_alloc(arena, MAX_BYTES + 2);
        size_t n = fread(text, 1, MAX_BYTES + 1, f);
        *why = n > MAX_BYTES        ? "it is larger than 4 MiB"
               : memchr(text, 0, n) ? "it is not a text file"
                                    : NULL;
        fclose(f);
        return *why ? NULL : text;
    }
    if (f)
        fclose(f);
    return NULL;
}

fv_yaml_node *fv_yaml_load(fv_yaml *y, const char *path) {
    const char *why, *slash = strrchr(path, '/');
    fv_arena *scratch = fv_arena_create();
    char *text = read_text(scratch, path, &why);
    fv_yaml_node *root = NULL;
    if (text) {
        const char *folder =
            slash ? fv_arena_strndup(scratch, path, (size_t)(slash - path) + (slash == path)) : "";
        root = fv_yaml_parse(y, path, folder, text, NULL);
    } else {
        mistake_at(y, &source_new(y, path, "", "")->source, 0, 0,
                   fv_arena_printf(y->arena, "cannot be read: %s", why));
    }
    fv_arena_destroy(&scratch);
    return root;
}
