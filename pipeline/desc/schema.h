// What a mapping may hold, as rows; one walk turns YAML into structs and notes every mistake.
//
//     typedef struct { fv_given given; const char *name; float threshold; fv_words classes; } gate;
//     static const fv_option gate_options[] = {FV_OPTION_STRING(gate, name, "name", NULL, "..."),
//                                              FV_OPTION_FLOAT(gate, threshold, "threshold", 0, 1, 0.25, "..."), {0}};
//     static const fv_field gate_fields[] = {{"classes", "which are kept", FV_FIELD_WORDS, offsetof(gate, classes)}, {0}};
//     static const fv_schema gate_schema = {"gate", sizeof(gate), gate_options, gate_fields, .scalar = "name"};
//
// Scalars are option rows, the rest are field rows. Unknown keys, wrong types, values out of range,
// keys without a value and missing required keys are mistakes.
#pragma once

#include "pipeline/base/option.h"
#include "pipeline/desc/yaml.h"

// Every struct that a schema fills begins with this.
typedef struct {
    const fv_yaml_node *node; // where it was written
    uint64_t options;         // bit i: row i of the schema's options was given
} fv_given;

typedef struct { int n; void *v; } fv_items; // n structs of the field's block, one behind the other
typedef struct { int n; const char *const *v; } fv_words;
typedef struct { int n; const float *v; } fv_numbers;
typedef struct { int n; float (*v)[2]; } fv_points;

// Settings of an element: whatever its rows allow. `text` is what the row parses; a list of words
// is joined by commas.
typedef struct {
    const char *name, *text;
    const fv_yaml_node *node; // of the value
} fv_setting;

typedef struct {
    fv_given given;
    const char *name; // FV_FIELD_NAMED_SETTINGS: the key
    int n;
    fv_setting *v;
} fv_settings;

typedef enum {
    FV_FIELD_BLOCK,          // block *: NULL when it is absent or `false`; `true` is all defaults
    FV_FIELD_BLOCKS,         // fv_items: a list of blocks
    FV_FIELD_WORDS,          // fv_words: `person`, `person, car` or `[person, car]`
    FV_FIELD_NUMBERS,        // fv_numbers: `1` or `[1, 2]`; lists in lists are flattened
    FV_FIELD_POINTS,         // fv_points: `[[x, y], ...]`
    FV_FIELD_NODE,           // const fv_yaml_node *: as it is
    FV_FIELD_SETTINGS,       // fv_settings *: as FV_FIELD_BLOCK
    FV_FIELD_NAMED_SETTINGS, // fv_items of fv_settings: `name: settings`
} fv_field_type;

typedef struct fv_schema fv_schema;

typedef struct {
    const char *name, *help;
    fv_field_type type;
    size_t offset;
    int min, max;           // of items, words, numbers, points; max 0: any number
    const fv_schema *block; // FV_FIELD_BLOCK, FV_FIELD_BLOCKS
    const char *element;    // settings: whose rows
    const char *scalar;     // settings: the setting that the short form gives, NULL: there is none
    const char *alias;      // settings: another name of `scalar`
} fv_field;

struct fv_schema {
    const char *what; // "stream": how mistakes call it
    size_t size;
    const fv_option *options; // may be NULL
    const fv_field *fields;   // may be NULL
    const char *scalar;       // the option or field that a scalar or list instead of a mapping gives; NULL: none
    const char *const *required; // NULL-terminated names; may be NULL
};

typedef struct {
    fv_yaml *yaml;
    // The rows of an element's settings; NULL when it is not known, then settings go unchecked.
    const fv_option *(*rows)(void *user, const char *element);
    void *user;
} fv_schema_reader;

// Fills `out` (schema->size bytes) with defaults, then with what the node says. Structs, lists and
// texts live in the document's arena. Mistakes are noted in the document; the result is then
// incomplete.
void fv_schema_read(const fv_schema_reader *r, const fv_schema *schema, const fv_yaml_node *node, void *out);

// Was the option of that name given?
bool fv_schema_given(const fv_schema *schema, const void *block, const char *option);

// The node of a key's value in a filled block, its short form included; the block's own node when
// absent.
const fv_yaml_node *fv_schema_node(const fv_schema *schema, const void *block, const char *key);

// NULL when not given.
const fv_setting *fv_settings_find(const fv_settings *s, const char *name);
