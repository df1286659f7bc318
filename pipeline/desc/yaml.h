// YAML as a tree of nodes that know where they were written, and the list of mistakes that a reader
// finds in it: all in one pass, each as
//
//     gate.yaml:7:5: error: unknown key 'treshold', did you mean 'threshold'?
//         treshold: 0.4
//         ^
//
// The text is untrusted: size, depth, nodes, keys of a mapping and what aliases unfold to are
// bounded. Known YAML: mappings, lists, scalars, anchors and aliases, `<<` merge keys; one
// document; no tags. ${NAME} in a value is replaced by the environment variable, ${NAME:-text} by
// `text` when it is not set, $$ is a dollar sign.
// Thread-safety: a document belongs to one thread at a time.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"

// Where a text came from. `folder` is what relative paths in it start at: "" is the current folder.
typedef struct {
    const char *name, *folder, *text;
} fv_yaml_source;

typedef enum { FV_YAML_SCALAR, FV_YAML_LIST, FV_YAML_MAP } fv_yaml_kind;

typedef struct fv_yaml_node fv_yaml_node;
typedef struct {
    fv_yaml_node *key, *value; // the key is a scalar
} fv_yaml_pair;

struct fv_yaml_node {
    fv_yaml_kind kind;
    const fv_yaml_source *source;
    int line, column; // from 1; the column counts characters
    const char *text; // FV_YAML_SCALAR, after ${} was replaced
    bool quoted;      // the scalar stood in quotes or was a block of text: never null, true or a number by look
    bool from_shell;  // it began with a ${NAME} that is set: a relative path starts at the current folder
    int n;            // pairs or items
    fv_yaml_pair *pair;
    fv_yaml_node **item;
    int weight;       // nodes below and itself, aliases unfolded
};

typedef struct fv_yaml fv_yaml;

// The document, its nodes and texts live in the arena, and so may everything that readers build.
fv_yaml *fv_yaml_create(fv_arena *arena);
fv_arena *fv_yaml_arena(fv_yaml *y);

// The root, or NULL with the mistakes noted (a file that cannot be read is one). Several texts may
// be loaded into one document: their mistakes come out together. Texts are copied. `shown` is what
// mistakes show instead of `text`, same places in both; NULL: `text`.
fv_yaml_node *fv_yaml_load(fv_yaml *y, const char *path);
fv_yaml_node *fv_yaml_parse(fv_yaml *y, const char *name, const char *folder, const char *text, const char *shown);

// NULL where the map has no such key, or `map` is no map.
fv_yaml_node *fv_yaml_get(const fv_yaml_node *map, const char *key);
bool fv_yaml_is_null(const fv_yaml_node *node); // `key:`, `key: ~` or `key: null`

void fv_yaml_add(fv_yaml *y, fv_yaml_node *map, fv_yaml_node *key, fv_yaml_node *value);

// Applies "streams.gate.detect.every=2" to the tree: keys by name, items of a list by number (from
// 0) or by their `name`. Missing maps on the way are made. The value is YAML (`a`, `[a, b]`, `{k:
// v}`). Paths in it start at the current folder. A scalar on the way becomes the map {"": scalar},
// which schema.h reads as the short form. A fault is a mistake at its place in the argument.
void fv_yaml_set(fv_yaml *y, fv_yaml_node **root, const char *assignment);

// The same with a text that is taken as it is, for command-line options: mistakes in it are told as
// "<shown>: error: ...". NULL text: only makes the place (a map).
void fv_yaml_put(fv_yaml *y, fv_yaml_node **root, const char *key, const char *text, const char *shown);

// The node as one line of JSON (which is YAML): to hand a part of a description on as text.
char *fv_yaml_json(fv_yaml *y, const fv_yaml_node *node);

// A path as written in `node`, from the folder it counts from. Absolute paths and "-" stay.
const char *fv_yaml_path(fv_yaml *y, const fv_yaml_node *node, const char *path);

// ---- mistakes -----------------------------------------------------------------------------------

// Notes a mistake at the node. At most 100 are kept; the same line at the same place only once.
void fv_yaml_mistake(fv_yaml *y, const fv_yaml_node *node, const char *format, ...) __attribute__((format(printf, 3, 4)));

// "unknown <what> 'name', did you mean 'near'?" or "; known are a, b, c". `rows` as
// fv_name_nearest.
void fv_yaml_unknown(fv_yaml *y, const fv_yaml_node *node, const char *what, const void *rows, size_t stride);

int fv_yaml_mistakes(const fv_yaml *y);

// All mistakes in the order of the text, with line and caret; "" when there are none.
const char *fv_yaml_report(fv_yaml *y);

// True when there are no mistakes. Else the first is in err as "file:line:column: error: ...", the
// others go to the log.
bool fv_yaml_finish(fv_yaml *y, fv_err *err);
