#define _GNU_SOURCE
#include "pipeline/desc/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool fv_yaml_is_null(const fv_yaml_node *node) {
    return node && node->kind == FV_YAML_SCALAR && !node->quoted &&
           (!node->text[0] || !strcmp(node->text, "~") || !strcmp(node->text, "null"));
}

const char *fv_yaml_path(fv_yaml *y, const fv_yaml_node *node, const char *path) {
    const char *folder = node->from_shell ? "" : node->source->folder;
    if (path[0] == '/' || !strcmp(path, "-") || !folder[0])
        return path;
    return fv_arena_printf(fv_yaml_arena(y), "%s%s%s", folder, strcmp(folder, "/") ? "/" : "",
                           path);
}

// ---- assignments from the command line ----------------------------------------------------------

// What an assignment walks with.
typedef struct {
    fv_yaml *y;
    const fv_yaml_source *source;
    const char *key; // the part of the path that is looked for now
    int line, column;
} walk;

static fv_yaml_node *node_at(const walk *w, fv_yaml_kind kind, const char *text) {
    fv_yaml_node *node = FV_ARENA_NEW(fv_yaml_arena(w->y), fv_yaml_node, 1);
    *node = (fv_yaml_node){.kind = kind,
                           .source = w->source,
                           .line = w->line,
                           .column = w->column,
                           .text = text,
                           .weight = 1};
    return node;
}

// The item of that number or that `name`; NULL after a mistake.
static fv_yaml_node **find_item(const walk *w, fv_yaml_node *list) {
    char *end;
    long number = strtol(w->key, &end, 10);
    if (!*end && end != w->key && number >= 0 && number < list->n)
        return &list->item[number];
    for (int i = 0; i < list->n; i++) {
        const fv_yaml_node *name = fv_yaml_get(list->item[i], "name");
        if (name && name->kind == FV_YAML_SCALAR && !strcmp(name->text, w->key))
            return &list->item[i];
    }
    fv_yaml_mistake(w->y, node_at(w, FV_YAML_SCALAR, ""),
                    "no item '%s' in this list of %d; give its number from 0 or its name", w->key,
                    list->n);
    return NULL;
}

// The place of the key in `*at`, made when it is not there. A scalar becomes the map {"": scalar}:
// the key of an option's short form, see schema.h.
static fv_yaml_node **find_place(const walk *w, fv_yaml_node **at) {
    if ((*at)->kind == FV_YAML_LIST)
        return find_item(w, *at);
    if ((*at)->kind == FV_YAML_SCALAR) {
        fv_yaml_node *map = node_at(w, FV_YAML_MAP, NULL);
        if (!fv_yaml_is_null(*at))
            fv_yaml_add(w->y, map, node_at(w, FV_YAML_SCALAR, ""), *at);
        *at = map;
    }
    for (int i = 0; i < (*at)->n; i++)
        if (!strcmp((*at)->pair[i].key->text, w->key))
            return &(*at)->pair[i].value;
    fv_yaml_add(w->y, *at, node_at(w, FV_YAML_SCALAR, w->key), node_at(w, FV_YAML_SCALAR, ""));
    return &(*at)->pair[(*at)->n - 1].value;
}

static fv_yaml_node **find_path(walk *w, fv_yaml_node **root, char *path) {
    fv_yaml_node **at = root;
    char *rest = path;
    while (at && rest) {
        w->column = (int)(rest - path) + 1;
        w->key = strsep(&rest, ".");
        at = find_place(w, at);
    }
    return at;
}

void fv_yaml_put(fv_yaml *y, fv_yaml_node **root, const char *key, const char *text,
                 const char *shown) {
    fv_arena *arena = fv_yaml_arena(y);
    fv_yaml_node *value = fv_yaml_parse(y, shown, "", text ? "''" : "{}", "");
    walk w = {y, value->source, "", 0, 0};
    fv_yaml_node **at = find_path(&w, root, fv_arena_strdup(arena, key));
    value->line = value->column = 0;
    value->quoted = false;
    value->text = fv_arena_strdup(arena, text);
    if (at)
        *at = value;
}

void fv_yaml_set(fv_yaml *y, fv_yaml_node **root, const char *assignment) {
    const char *equals = strchr(assignment, '=');
    size_t n = equals ? (size_t)(equals - assignment) : 0;
    bool whole = n && equals[1];
    // Blanks stand for the key, so that columns are those of the whole argument.
    char *blanked = fv_arena_strdup(fv_yaml_arena(y), whole ? assignment : "''");
    memset(blanked, ' ', whole ? n + 1 : 0);
    fv_yaml_node *value = fv_yaml_parse(y, "--set", "", blanked, assignment);
    if (value && !whole)
        fv_yaml_mistake(y, value, "--set wants KEY=VALUE, like streams.gate.detect.every=2");
    if (!value || !whole)
        return;
    walk w = {y, value->source, "", 1, 1};
    fv_yaml_node **at = find_path(&w, root, fv_arena_strndup(fv_yaml_arena(y), assignment, n));
    if (at)
        *at = value;
}

// ---- as JSON ------------------------------------------------------------------------------------

static void put_string(FILE *out, const char *text) {
    fputc('"', out);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p < ' ')
            fprintf(out, "\\u%04x", *p);
        else if (*p == '"' || *p == '\\')
            fprintf(out, "\\%c", *p);
        else
            fputc(*p, out);
    }
    fputc('"', out);
}

static bool is_number(const char *text) {
    size_t n = strspn(text, "+-.0123456789eE");
    char *end;
    strtod(text, &end);
    return n && !text[n] && end == text + n;
}

static void put_node(FILE *out, const fv_yaml_node *node) {
    if (node->kind == FV_YAML_SCALAR) {
        if (!node->quoted && is_number(node->text))
            fputs(node->text, out);
        else
            put_string(out, node->text);
        return;
    }
    bool map = node->kind == FV_YAML_MAP;
    fputc(map ? '{' : '[', out);
    for (int i = 0; i < node->n; i++) {
        fputs(i ? ", " : "", out);
        if (map) {
            put_string(out, node->pair[i].key->text);
            fputs(": ", out);
        }
        put_node(out, map ? node->pair[i].value : node->item[i]);
    }
    fputc(map ? '}' : ']', out);
}

char *fv_yaml_json(fv_yaml *y, const fv_yaml_node *node) {
    char *buffer = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&buffer, &size);
    put_node(out, node);
    fclose(out);
    char *json = fv_arena_strdup(fv_yaml_arena(y), buffer);
    free(buffer);
    return json;
}
