#include "pipeline/desc/schema.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_NAMES = 128 };

static const char *kind_name(const fv_yaml_node *node) {
    return (const char *[]){"a value", "a list", "a mapping"}[node->kind];
}

static bool is_plain_word(const fv_yaml_node *node, const char *const *words) {
    if (node->kind != FV_YAML_SCALAR || node->quoted)
        return false;
    for (; *words; words++)
        if (!strcmp(node->text, *words))
            return true;
    return false;
}

static bool is_true(const fv_yaml_node *node) {
    return is_plain_word(node, (const char *const[]){"true", "yes", "on", NULL});
}

static bool is_false(const fv_yaml_node *node) {
    return is_plain_word(node, (const char *const[]){"false", "no", "off", NULL});
}

static void *member(void *block, size_t offset) {
    return (char *)block + offset;
}

static const fv_field *field_find(const fv_schema *s, const char *name) {
    for (const fv_field *f = s->fields; f && f->name; f++)
        if (!strcmp(f->name, name))
            return f;
    return NULL;
}

// ---- lists of plain things ----------------------------------------------------------------------

static int count_commas(const char *text) {
    int n = 0;
    for (; *text; text++)
        n += *text == ',';
    return n;
}

static fv_words split_words(fv_arena *arena, const char *text) {
    const char **v = FV_ARENA_NEW(arena, const char *, count_commas(text) + 1);
    int n = 0;
    for (const char *p = text; p;) {
        const char *end = strchr(p, ','), *next = end ? end + 1 : NULL;
        end = end ? end : p + strlen(p);
        while (p < end && isspace((unsigned char)*p))
            p++;
        while (end > p && isspace((unsigned char)end[-1]))
            end--;
        if (end > p)
            v[n++] = fv_arena_strndup(arena, p, (size_t)(end - p));
        p = next;
    }
    return (fv_words){n, v};
}

static fv_words read_words(const fv_schema_reader *r, const fv_yaml_node *node, const char *name) {
    fv_arena *arena = fv_yaml_arena(r->yaml);
    if (node->kind == FV_YAML_SCALAR)
        return split_words(arena, node->text);
    const char **v = FV_ARENA_NEW(arena, const char *, node->n + 1);
    int n = 0;
    if (node->kind == FV_YAML_MAP)
        fv_yaml_mistake(r->yaml, node, "%s: expected a word or a list of words, got a mapping",
                        name);
    for (int i = 0; node->kind == FV_YAML_LIST && i < node->n; i++) {
        if (node->item[i]->kind == FV_YAML_SCALAR)
            v[n++] = node->item[i]->text;
        else
            fv_yaml_mistake(r->yaml, node->item[i], "%s: expected a word, got %s", name,
                            kind_name(node->item[i]));
    }
    return (fv_words){n, v};
}

static bool read_number(const fv_schema_reader *r, const fv_yaml_node *node, const char *name,
                        float *v) {
    char *end = NULL;
    double d = node->kind == FV_YAML_SCALAR ? strtod(node->text, &end) : 0;
    if (end && end != node->text && !*end && isfinite((float)d)) {
        *v = (float)d;
        return true;
    }
    fv_yaml_mistake(r->yaml, node, "%s: expected a number, got %s%s%s", name, end ? "'" : "",
                    end ? node->text : kind_name(node), end ? "'" : "");
    return false;
}

static void put_numbers(const fv_schema_reader *r, const fv_yaml_node *node, const char *name,
                        float *v, int *n) {
    if (node->kind == FV_YAML_LIST)
        for (int i = 0; i < node->n; i++)
            put_numbers(r, node->item[i], name, v, n);
    else if (read_number(r, node, name, &v[*n]))
        ++*n;
}

static fv_numbers read_numbers(const fv_schema_reader *r, const fv_yaml_node *node,
                               const char *name) {
    float *v = FV_ARENA_NEW(fv_yaml_arena(r->yaml), float, node->weight + 1);
    int n = 0;
    put_numbers(r, node, name, v, &n);
    return (fv_numbers){n, v};
}

static fv_points read_points(const fv_schema_reader *r, const fv_yaml_node *node,
                             const char *name) {
    fv_points points = {
        0, fv_arena_alloc(fv_yaml_arena(r->yaml), sizeof points.v[0] * (size_t)(node->n + 1))};
    if (node->kind != FV_YAML_LIST)
        fv_yaml_mistake(r->yaml, node,
                        "%s: expected a list of points like [[0.1, 0.5], [0.9, 0.5]], got %s", name,
                        kind_name(node));
    for (int i = 0; node->kind == FV_YAML_LIST && i < node->n; i++) {
        const fv_yaml_node *p = node->item[i];
        if (p->kind != FV_YAML_LIST || p->n != 2)
            fv_yaml_mistake(r->yaml, p, "%s: a point is [x, y]", name);
        else if (read_number(r, p->item[0], name, &points.v[points.n][0]) &
                 read_number(r, p->item[1], name, &points.v[points.n][1]))
            points.n++;
    }
    return points;
}

// ---- settings -----------------------------------------------------------------------------------

static void check_setting(const fv_schema_reader *r, const fv_option *rows, const fv_setting *s,
                          const fv_yaml_node *key) {
    const fv_option *row = fv_option_find(rows, s->name);
    if (!row) {
        fv_yaml_unknown(r->yaml, key, "key", rows, sizeof rows[0]);
        return;
    }
    union {
        double number;
        int64_t integer;
        const char *text;
    } scratch;
    fv_option at_zero = *row;
    at_zero.offset = 0;
    fv_err err;
    if (!fv_option_parse(&scratch, &at_zero, s->text, &err))
        fv_yaml_mistake(r->yaml, s->node, "%s", err.text);
}

static const char *joined(const fv_schema_reader *r, const fv_yaml_node *node, const char *name) {
    if (node->kind == FV_YAML_SCALAR)
        return node->text;
    fv_words words = read_words(r, node, name);
    const char *text = words.n ? words.v[0] : "";
    for (int i = 1; i < words.n; i++)
        text = fv_arena_printf(fv_yaml_arena(r->yaml), "%s,%s", text, words.v[i]);
    return text;
}

static void add_setting(const fv_schema_reader *r, const fv_field *f, const fv_yaml_node *key,
                        const char *name, const fv_yaml_node *value, fv_settings *out) {
    if (fv_yaml_is_null(value)) {
        fv_yaml_mistake(r->yaml, key, "'%s' has no value; give one or leave the key out", name);
        return;
    }
    if (f->alias && !strcmp(name, f->alias))
        name = f->scalar;
    fv_setting s = {name, joined(r, value, name), value};
    const fv_option *rows = r->rows ? r->rows(r->user, f->element) : NULL;
    if (rows)
        check_setting(r, rows, &s, key);
    out->v[out->n++] = s;
}

static void read_settings(const fv_schema_reader *r, const fv_field *f, const fv_yaml_node *node,
                          fv_settings *out) {
    out->given.node = node;
    out->v = FV_ARENA_NEW(fv_yaml_arena(r->yaml), fv_setting,
                          node->kind == FV_YAML_MAP ? node->n + 1 : 1);
    if (node->kind == FV_YAML_MAP) {
        for (int i = 0; i < node->n; i++) {
            const fv_yaml_pair *p = &node->pair[i];
            bool short_form = !p->key->text[0];
            if (short_form && (is_true(p->value) || is_false(p->value) || !f->scalar ||
                               fv_yaml_get(node, f->scalar)))
                continue;
            add_setting(r, f, p->key, short_form ? f->scalar : p->key->text, p->value, out);
        }
    } else if (!is_true(node)) {
        if (node->kind == FV_YAML_SCALAR && f->scalar)
            add_setting(r, f, node, f->scalar, node, out);
        else
            fv_yaml_mistake(r->yaml, node, "%s: expected a mapping of settings, got %s", f->name,
                            kind_name(node));
    }
}

const fv_setting *fv_settings_find(const fv_settings *s, const char *name) {
    for (int i = 0; s && i < s->n; i++)
        if (!strcmp(s->v[i].name, name))
            return &s->v[i];
    return NULL;
}

static fv_items read_named_settings(const fv_schema_reader *r, const fv_field *f,
                                    const fv_yaml_node *node) {
    if (node->kind != FV_YAML_MAP) {
        fv_yaml_mistake(r->yaml, node, "%s: expected a mapping from names to settings, got %s",
                        f->name, kind_name(node));
        return (fv_items){0};
    }
    fv_settings *v = FV_ARENA_NEW(fv_yaml_arena(r->yaml), fv_settings, node->n + 1);
    for (int i = 0; i < node->n; i++) {
        v[i].name = node->pair[i].key->text;
        read_settings(r, f, node->pair[i].value, &v[i]);
    }
    return (fv_items){node->n, v};
}

// ---- fields and blocks --------------------------------------------------------------------------

static fv_items read_blocks(const fv_schema_reader *r, const fv_field *f,
                            const fv_yaml_node *node) {
    if (node->kind != FV_YAML_LIST) {
        fv_yaml_mistake(r->yaml, node, "%s: expected a list (lines that begin with '- '), got %s",
                        f->name, kind_name(node));
        return (fv_items){0};
    }
    char *v = fv_arena_alloc(fv_yaml_arena(r->yaml), f->block->size * (size_t)(node->n + 1));
    for (int i = 0; i < node->n; i++)
        fv_schema_read(r, f->block, node->item[i], v + f->block->size * (size_t)i);
    return (fv_items){node->n, v};
}

static void *read_block(const fv_schema_reader *r, const fv_schema *block,
                        const fv_yaml_node *node) {
    if (is_false(node))
        return NULL;
    void *v = fv_arena_alloc(fv_yaml_arena(r->yaml), block->size);
    fv_schema_read(r, block, node, v);
    return v;
}

static int read_items(const fv_schema_reader *r, const fv_field *f, const fv_yaml_node *node,
                      void *p) {
    switch (f->type) {
    case FV_FIELD_BLOCKS: return (*(fv_items *)p = read_blocks(r, f, node)).n;
    case FV_FIELD_NAMED_SETTINGS: return (*(fv_items *)p = read_named_settings(r, f, node)).n;
    case FV_FIELD_WORDS: return (*(fv_words *)p = read_words(r, node, f->name)).n;
    case FV_FIELD_NUMBERS: return (*(fv_numbers *)p = read_numbers(r, node, f->name)).n;
    case FV_FIELD_POINTS: return (*(fv_points *)p = read_points(r, node, f->name)).n;
    default: return 0;
    }
}

// Counts are judged only where the items themselves are right.
static void read_counted(const fv_schema_reader *r, const fv_field *f, const fv_yaml_node *node,
                         void *p) {
    int before = fv_yaml_mistakes(r->yaml), n = read_items(r, f, node, p);
    if (fv_yaml_mistakes(r->yaml) > before)
        return;
    if (n < f->min)
        fv_yaml_mistake(r->yaml, node, "%s: at least %d needed, got %d", f->name, f->min, n);
    if (f->max && n > f->max)
        fv_yaml_mistake(r->yaml, node, "%s: at most %d allowed, got %d", f->name, f->max, n);
}

static void read_field(const fv_schema_reader *r, const fv_field *f, const fv_yaml_node *node,
                       void *out) {
    void *p = member(out, f->offset);
    if (f->type == FV_FIELD_BLOCK) {
        *(void **)p = read_block(r, f->block, node);
    } else if (f->type == FV_FIELD_NODE) {
        *(const fv_yaml_node **)p = is_false(node) ? NULL : node;
    } else if (f->type == FV_FIELD_SETTINGS && !is_false(node)) {
        *(fv_settings **)p = FV_ARENA_NEW(fv_yaml_arena(r->yaml), fv_settings, 1);
        read_settings(r, f, node, *(fv_settings **)p);
    } else if (f->type != FV_FIELD_SETTINGS) {
        read_counted(r, f, node, p);
    }
}

static void read_option(const fv_schema_reader *r, const fv_schema *s, const fv_option *row,
                        const fv_yaml_node *value, void *out) {
    fv_err err;
    if (value->kind != FV_YAML_SCALAR)
        fv_yaml_mistake(r->yaml, value, "%s: expected one value, got %s", row->name,
                        kind_name(value));
    else if (!fv_option_parse(out, row, value->text, &err))
        fv_yaml_mistake(r->yaml, value, "%s", err.text);
    else
        ((fv_given *)out)->options |= UINT64_C(1) << (row - s->options);
}

static void unknown_key(const fv_schema_reader *r, const fv_schema *s, const fv_yaml_node *key) {
    const char *names[MAX_NAMES] = {NULL};
    int n = 0;
    for (const fv_option *o = s->options; o && o->name && n < MAX_NAMES - 1; o++)
        names[n++] = o->name;
    for (const fv_field *f = s->fields; f && f->name && n < MAX_NAMES - 1; f++)
        names[n++] = f->name;
    fv_yaml_unknown(r->yaml, key, "key", names, sizeof names[0]);
}

static void read_key(const fv_schema_reader *r, const fv_schema *s, const char *name,
                     const fv_yaml_node *key, const fv_yaml_node *value, void *out) {
    const fv_option *row = s->options ? fv_option_find(s->options, name) : NULL;
    const fv_field *field = field_find(s, name);
    if (!row && !field)
        unknown_key(r, s, key);
    else if (fv_yaml_is_null(value))
        fv_yaml_mistake(r->yaml, key, "'%s' has no value; give one or leave the key out", name);
    else if (row)
        read_option(r, s, row, value, out);
    else
        read_field(r, field, value, out);
}

static void check_required(const fv_schema_reader *r, const fv_schema *s, const fv_yaml_node *map) {
    for (const char *const *name = s->required; name && *name; name++) {
        bool short_form = s->scalar && !strcmp(s->scalar, *name) && fv_yaml_get(map, "");
        if (!short_form && !fv_yaml_get(map, *name))
            fv_yaml_mistake(r->yaml, map, "the %s lacks '%s'", s->what, *name);
    }
}

void fv_schema_read(const fv_schema_reader *r, const fv_schema *s, const fv_yaml_node *node,
                    void *out) {
    memset(out, 0, s->size);
    if (s->options)
        fv_options_default(out, s->options);
    ((fv_given *)out)->node = node;
    if (node->kind == FV_YAML_MAP) {
        for (int i = 0; i < node->n; i++) {
            const fv_yaml_pair *p = &node->pair[i];
            bool short_form = !p->key->text[0] && s->scalar;
            if (!short_form || !fv_yaml_get(node, s->scalar))
                read_key(r, s, short_form ? s->scalar : p->key->text, p->key, p->value, out);
        }
        check_required(r, s, node);
    } else if (s->scalar) {
        read_key(r, s, s->scalar, node, node, out);
    } else if (!is_true(node)) {
        fv_yaml_mistake(r->yaml, node, "expected a %s (`key: value` lines), got %s", s->what,
                        kind_name(node));
    }
}

bool fv_schema_given(const fv_schema *s, const void *block, const char *option) {
    const fv_option *row = fv_option_find(s->options, option);
    return row && ((const fv_given *)block)->options >> (row - s->options) & 1;
}

const fv_yaml_node *fv_schema_node(const fv_schema *s, const void *block, const char *key) {
    const fv_yaml_node *node = ((const fv_given *)block)->node;
    if (!node || node->kind != FV_YAML_MAP)
        return node;
    const fv_yaml_node *value = fv_yaml_get(node, key);
    if (!value && s->scalar && !strcmp(s->scalar, key))
        value = fv_yaml_get(node, "");
    return value ? value : node;
}
