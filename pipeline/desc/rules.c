#include "pipeline/desc/rules.h"

#include <string.h>

#include "pipeline/desc/schema.h"

static const char *const unit_names[] = {"fraction", "pixels", NULL};

enum { MAX_POINTS = 1000, MAX_RULES = 1000 };

// A rule as written; `names` are the three spellings of its name, one per kind.
typedef struct {
    fv_given given;
    const char *names[FV_N_RULE_KINDS], *condition;
    int units, anchor, overcrowding;
    float hysteresis, heading, heading_tolerance, speed;
    int64_t dwell_ns, hold_ns, stopped_ns, settle_ns, update_ns;
    bool repeat;
    fv_points points;
    fv_words classes, directions, events;
} rule_text;

#define LINE (1u << FV_RULE_LINE)
#define ZONE (1u << FV_RULE_ZONE)
#define WHEN (1u << FV_RULE_WHEN)
#define HOUR 3600e9

static const fv_option rule_options[] = {
    FV_OPTION_STRING(rule_text, names[FV_RULE_LINE], "line", NULL,
                     "name of a line: a polyline that objects cross"),
    FV_OPTION_STRING(rule_text, names[FV_RULE_ZONE], "zone", NULL,
                     "name of a zone: a polygon that objects are in or out of"),
    FV_OPTION_STRING(rule_text, names[FV_RULE_WHEN], "when", NULL,
                     "name of a condition over the zones"),
    FV_OPTION_ENUM(rule_text, units, "units", unit_names, 0,
                   "of the points: fractions of the picture's width and height, or pixels"),
    FV_OPTION_ENUM(
        rule_text, anchor, "anchor", fv_anchor_names, FV_ANCHOR_BOTTOM,
        "the point of an object that counts: middle of the box's bottom edge, centre, middle of the top edge"),
    FV_OPTION_FLOAT(rule_text, hysteresis, "hysteresis", 0, 10, FV_RULE_HYSTERESIS,
                    "fraction of the box's height that the anchor must be clear of the border"),
    FV_OPTION_BOOL(rule_text, repeat, "repeat", false,
                   "count an object each time it comes back, not once per direction"),
    FV_OPTION_TIME(rule_text, settle_ns, "settle", 0, HOUR, FV_RULE_SETTLE_NS,
                   "a crossing counts when it is not taken back within this time"),
    FV_OPTION_TIME(rule_text, dwell_ns, "dwell", 0, 24 * HOUR, 0,
                   "report objects that stay inside this long"),
    FV_OPTION_INT(rule_text, overcrowding, "overcrowding", 0, 100000, 0,
                  "report this many objects or more inside"),
    FV_OPTION_TIME(rule_text, hold_ns, "hold", 0, 24 * HOUR, 0,
                   "overcrowding, empty and conditions count after this long"),
    FV_OPTION_TIME(rule_text, update_ns, "update", 0, 24 * HOUR, FV_RULE_UPDATE_NS,
                   "what lasts is told again each time this has passed; 0s: start and end only"),
    FV_OPTION_TIME(rule_text, stopped_ns, "stopped", 0, 24 * HOUR, 0,
                   "report objects at rest this long"),
    FV_OPTION_FLOAT(rule_text, heading, "heading", -360, 360, 0,
                    "the right way in degrees: 0 to the right of the picture, 90 down"),
    FV_OPTION_FLOAT(rule_text, heading_tolerance, "heading-tolerance", 0, 180, 90,
                    "degrees to either side that still are the right way"),
    FV_OPTION_FLOAT(rule_text, speed, "speed", 0, 1000, 0,
                    "report objects faster than this, metres per second; needs the calibration"),
    FV_OPTION_STRING(rule_text, condition, "condition", NULL,
                     "when it holds, like count(yard, person) >= 3"),
    {0},
};

static const fv_field rule_fields[] = {
    {"points", "corners, [x, y] each", FV_FIELD_POINTS, offsetof(rule_text, points),
     .max = MAX_POINTS},
    {"classes", "labels that count", FV_FIELD_WORDS, offsetof(rule_text, classes), .min = 1},
    {"directions", "names of left-to-right and right-to-left", FV_FIELD_WORDS,
     offsetof(rule_text, directions), .min = 2, .max = 2},
    {"events", "which events to report", FV_FIELD_WORDS, offsetof(rule_text, events), .min = 1},
    {0},
};

static const fv_schema rule_schema = {"rule", sizeof(rule_text), rule_options, rule_fields,
                                      .scalar = NULL};

// Keys that only some kinds have.
static const struct {
    const char *key;
    unsigned kinds;
} keys_of_kinds[] = {
    {"units", LINE | ZONE},   {"points", LINE | ZONE},
    {"anchor", LINE | ZONE},  {"hysteresis", LINE | ZONE},
    {"classes", LINE | ZONE}, {"repeat", LINE},
    {"directions", LINE},     {"dwell", ZONE},
    {"overcrowding", ZONE},   {"stopped", ZONE},
    {"heading", ZONE},        {"heading-tolerance", ZONE},
    {"speed", ZONE},          {"hold", ZONE | WHEN},
    {"settle", LINE},         {"update", ZONE | WHEN},
    {"condition", WHEN},
};
enum { N_KEYS_OF_KINDS = sizeof keys_of_kinds / sizeof keys_of_kinds[0] };

typedef struct {
    fv_given given;
    int units;
    fv_points picture, ground;
} calibration_text;

static const fv_option calibration_options[] = {
    FV_OPTION_ENUM(calibration_text, units, "units", unit_names, 0, "of the picture's points"),
    {0},
};
static const fv_field calibration_fields[] = {
    {"picture", "four points of the picture", FV_FIELD_POINTS, offsetof(calibration_text, picture),
     .min = 4, .max = 4},
    {"ground", "where they lie on the ground, metres", FV_FIELD_POINTS,
     offsetof(calibration_text, ground), .min = 4, .max = 4},
    {0},
};
static const fv_schema calibration_schema = {
    "calibration", sizeof(calibration_text), calibration_options, calibration_fields,
    .required = (const char *const[]){"picture", "ground", NULL}};

typedef struct {
    fv_given given;
    int version;
    int64_t forget_ns;
    fv_items rules;
    calibration_text *calibration;
} file_text;

static const fv_option file_options[] = {
    FV_OPTION_INT(file_text, version, "fovea", 1, 1, 1, "version of the format"),
    FV_OPTION_TIME(file_text, forget_ns, "forget", 0, HOUR, FV_RULE_FORGET_NS,
                   "an object that is not seen for this long has gone"),
    {0},
};
static const fv_field file_fields[] = {
    {"rules", "the rules", FV_FIELD_BLOCKS, offsetof(file_text, rules), .max = MAX_RULES,
     .block = &rule_schema},
    {"calibration", "four points of the picture on the ground", FV_FIELD_BLOCK,
     offsetof(file_text, calibration), .block = &calibration_schema},
    {0},
};
static const fv_schema file_schema = {
    "set of rules", sizeof(file_text), file_options,
    file_fields,    .scalar = "rules", .required = (const char *const[]){"rules", NULL}};

// ---- from text to rules -------------------------------------------------------------------------

// The kind by the name key that was given; FV_N_RULE_KINDS after a mistake.
static fv_rule_kind kind_of(fv_yaml *y, const rule_text *t) {
    fv_rule_kind kind = FV_N_RULE_KINDS;
    int n = 0;
    for (int i = 0; i < FV_N_RULE_KINDS; i++) {
        if (t->names[i]) {
            kind = (fv_rule_kind)i;
            n++;
        }
    }
    if (n == 1)
        return kind;
    fv_yaml_mistake(y, t->given.node,
                    n ? "a rule is one of line, zone and when, not several"
                      : "a rule begins with `line: NAME`, `zone: NAME` or `when: NAME`");
    return FV_N_RULE_KINDS;
}

static void check_keys(fv_yaml *y, const rule_text *t, fv_rule_kind kind) {
    for (int i = 0; i < N_KEYS_OF_KINDS; i++) {
        const fv_yaml_node *value = fv_yaml_get(t->given.node, keys_of_kinds[i].key);
        if (value && !(keys_of_kinds[i].kinds & 1u << kind))
            fv_yaml_mistake(y, value, "a %s has no '%s'", fv_rule_kind_names[kind],
                            keys_of_kinds[i].key);
    }
}

static void check_points(fv_yaml *y, const fv_yaml_node *node, const fv_points *points, int units) {
    for (int i = 0; node && node->kind == FV_YAML_LIST && i < points->n && units == 0; i++) {
        const float *p = points->v[i];
        if (p[0] < 0 || p[0] > 1 || p[1] < 0 || p[1] > 1) {
            fv_yaml_mistake(y, node,
                            "the point [%g, %g] is outside 0..1; for pixels write `units: pixels`",
                            (double)p[0], (double)p[1]);
            return;
        }
    }
}

static unsigned event_mask(fv_yaml *y, const rule_text *t, fv_rule_kind kind) {
    struct {
        const char *name;
    } known[FV_N_EVENTS + 1] = {0};
    unsigned mask = 0;
    int n = 0;
    for (int e = 0; e < FV_N_EVENTS; e++)
        if (fv_event_rows[e].kinds & 1u << kind)
            known[n++].name = fv_event_rows[e].name;
    for (int i = 0; i < t->events.n; i++) {
        unsigned bit = 0;
        for (int e = 0; e < FV_N_EVENTS; e++)
            if (fv_event_rows[e].kinds & 1u << kind &&
                !strcmp(fv_event_rows[e].name, t->events.v[i]))
                bit = FV_EVENT_BIT(e);
        const fv_yaml_node *node = fv_yaml_get(t->given.node, "events");
        fv_yaml_node at = node->kind == FV_YAML_LIST ? *node->item[i] : *node;
        at.text = t->events.v[i];
        if (!bit)
            fv_yaml_unknown(y, &at, "event", known, sizeof known[0]);
        mask |= bit;
    }
    return mask;
}

static fv_rule rule_from(fv_yaml *y, const rule_text *t, fv_rule_kind kind) {
    int least = kind == FV_RULE_LINE ? 2 : kind == FV_RULE_ZONE && t->points.n ? 3 : 0;
    const fv_yaml_node *points = fv_yaml_get(t->given.node, "points");
    check_keys(y, t, kind);
    check_points(y, points, &t->points, t->units);
    if (t->points.n < least)
        fv_yaml_mistake(y, points ? points : t->given.node, "a %s needs at least %d points",
                        fv_rule_kind_names[kind], least);
    if (kind == FV_RULE_WHEN && !t->condition)
        fv_yaml_mistake(y, t->given.node, "a `when` needs a `condition`");
    return (fv_rule){
        .name = t->names[kind],
        .kind = kind,
        .n_points = t->points.n,
        .point = t->points.v,
        .relative = t->units == 0,
        .n_classes = t->classes.n,
        .classes = t->classes.v,
        .anchor = (fv_anchor)t->anchor,
        .hysteresis = t->hysteresis,
        .direction_names = {t->directions.n == 2 ? t->directions.v[0] : "in",
                            t->directions.n == 2 ? t->directions.v[1] : "out"},
        .events = event_mask(y, t, kind),
        .dwell_ns = t->dwell_ns,
        .overcrowding = t->overcrowding,
        .hold_ns = t->hold_ns,
        .repeat = t->repeat,
        .settle_ns = t->settle_ns,
        .update_ns = t->update_ns,
        .stopped_ns = t->stopped_ns,
        .has_heading = fv_schema_given(&rule_schema, t, "heading"),
        .heading = t->heading,
        .heading_tolerance = t->heading_tolerance,
        .speed_limit = t->speed,
        .when = t->condition,
    };
}

static void check_name(fv_yaml *y, const fv_rules *rules, const fv_rule *rule, const rule_text *t) {
    const fv_yaml_node *node = fv_yaml_get(t->given.node, fv_rule_kind_names[rule->kind]);
    for (int i = 0; i < rules->n; i++)
        if (!strcmp(rules->v[i].name, rule->name))
            fv_yaml_mistake(y, node, "there is another rule with the name '%s'", rule->name);
    if (!rule->name[0])
        fv_yaml_mistake(y, node, "a rule needs a name");
}

static const fv_calibration *calibration_from(fv_yaml *y, const calibration_text *t) {
    if (!t || t->picture.n != 4 || t->ground.n != 4)
        return NULL;
    check_points(y, fv_yaml_get(t->given.node, "picture"), &t->picture, t->units);
    fv_calibration *c = FV_ARENA_NEW(fv_yaml_arena(y), fv_calibration, 1);
    c->relative = t->units == 0;
    memcpy(c->picture, t->picture.v, sizeof c->picture);
    memcpy(c->ground, t->ground.v, sizeof c->ground);
    return c;
}

void fv_rules_read(fv_rules *rules, fv_yaml *y, const fv_yaml_node *node) {
    *rules = (fv_rules){0};
    if (node->kind == FV_YAML_SCALAR &&
        !(node = fv_yaml_load(y, fv_yaml_path(y, node, node->text))))
        return;
    file_text t;
    fv_schema_read(&(fv_schema_reader){.yaml = y}, &file_schema, node, &t);
    fv_rule *v = FV_ARENA_NEW(fv_yaml_arena(y), fv_rule, t.rules.n + 1);
    *rules = (fv_rules){
        .v = v, .calibration = calibration_from(y, t.calibration), .forget_ns = t.forget_ns};
    for (int i = 0; i < t.rules.n; i++) {
        const rule_text *r = (const rule_text *)t.rules.v + i;
        fv_rule_kind kind = kind_of(y, r);
        if (kind == FV_N_RULE_KINDS)
            continue;
        fv_rule rule = rule_from(y, r, kind);
        check_name(y, rules, &rule, r);
        if (rule.speed_limit > 0 && !rules->calibration)
            fv_yaml_mistake(
                y, fv_yaml_get(r->given.node, "speed"),
                "'speed' needs a `calibration`: four points of the picture and where they lie on the ground");
        v[rules->n++] = rule;
    }
}

// ---- on their own -------------------------------------------------------------------------------

bool fv_rules_load(fv_rules *rules, fv_arena *arena, const char *source, fv_err *err) {
    bool is_text = source[0] == '{' || source[0] == '[' || strchr(source, '\n');
    fv_yaml *y = fv_yaml_create(arena);
    fv_yaml_node *root =
        is_text ? fv_yaml_parse(y, "rules", "", source, NULL) : fv_yaml_load(y, source);
    *rules = (fv_rules){0};
    if (root && root->kind == FV_YAML_SCALAR)
        fv_yaml_mistake(y, root, "expected rules (`rules:` and a list), got a value");
    else if (root)
        fv_rules_read(rules, y, root);
    return fv_yaml_finish(y, err);
}
