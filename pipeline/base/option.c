#include "pipeline/base/option.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void *field(void *params, const fv_option *row) {
    return (char *)params + row->offset;
}

static void store_number(void *params, const fv_option *row, double v) {
    void *p = field(params, row);
    switch (row->type) {
    case FV_OPT_INT:
    case FV_OPT_ENUM: *(int *)p = (int)v; break;
    case FV_OPT_FLOAT: *(float *)p = (float)v; break;
    case FV_OPT_BOOL: *(bool *)p = v != 0; break;
    case FV_OPT_TIME: *(int64_t *)p = (int64_t)llround(v); break;
    case FV_OPT_STRING: break;
    }
}

void fv_options_default(void *params, const fv_option *rows) {
    for (const fv_option *row = rows; row->name; row++) {
        if (row->type == FV_OPT_STRING)
            *(const char **)field(params, row) = row->def_string;
        else
            store_number(params, row, row->def);
    }
}

const fv_option *fv_option_find(const fv_option *rows, const char *name) {
    for (const fv_option *row = rows; row->name; row++)
        if (!strcmp(row->name, name))
            return row;
    return NULL;
}

// Levenshtein distance over two rolling rows; names longer than the rows count as far.
static size_t edit_distance(const char *a, const char *b) {
    enum { MAX = 64 };
    size_t na = strlen(a), nb = strlen(b), row[MAX + 1];
    if (na > MAX || nb > MAX)
        return MAX;
    for (size_t j = 0; j <= nb; j++)
        row[j] = j;
    for (size_t i = 1; i <= na; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
            best = up + 1 < best ? up + 1 : best;
            row[j] = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
            diagonal = up;
        }
    }
    return row[nb];
}

const char *fv_name_nearest(const char *name, const void *rows, size_t stride) {
    const char *best = NULL;
    size_t best_distance = strlen(name) / 3 + 1;
    for (const char *p = rows;; p += stride) {
        const char *candidate;
        memcpy(&candidate, p, sizeof candidate);
        if (!candidate)
            return best;
        size_t d = edit_distance(name, candidate);
        if (d <= best_distance && (!best || d < best_distance)) {
            best = candidate;
            best_distance = d;
        }
    }
}

bool fv_time_parse(const char *text, int64_t *ns) {
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"", 1e9}, {"ns", 1}, {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}};
    char *end;
    double v = strtod(text, &end);
    if (end == text || !isfinite(v))
        return false;
    while (isspace((unsigned char)*end))
        end++;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        if (!strcmp(end, units[i].unit) && fabs(v * units[i].ns) < 9.2e18) {
            *ns = (int64_t)llround(v * units[i].ns);
            return true;
        }
    }
    return false;
}

static bool parse_number(const fv_option *row, const char *text, double *v) {
    if (row->type == FV_OPT_TIME) {
        int64_t ns;
        if (!fv_time_parse(text, &ns))
            return false;
        *v = (double)ns;
        return true;
    }
    char *end;
    *v = strtod(text, &end);
    return end != text && !*end && isfinite(*v) && (row->type != FV_OPT_INT || *v == floor(*v));
}

static bool parse_bool(const char *text, double *v) {
    static const char *const words[2][4] = {{"false", "no", "off", "0"}, {"true", "yes", "on", "1"}};
    for (int value = 0; value < 2; value++)
        for (int i = 0; i < 4; i++)
            if (!strcmp(text, words[value][i])) {
                *v = value;
                return true;
            }
    return false;
}

static char *list_choices(const fv_option *row, char *all, size_t size) {
    all[0] = 0;
    for (int i = 0; row->choices[i]; i++) {
        size_t n = strlen(all);
        snprintf(all + n, size - n, "%s%s", i ? ", " : "", row->choices[i]);
    }
    return all;
}

static bool parse_enum(void *params, const fv_option *row, const char *text, fv_err *err) {
    char all[256];
    for (int i = 0; row->choices[i]; i++) {
        if (!strcmp(text, row->choices[i])) {
            store_number(params, row, i);
            return true;
        }
    }
    return fv_fail(err, FV_BAD_INPUT, "%s: '%s' is not one of %s", row->name, text,
                   list_choices(row, all, sizeof all));
}

bool fv_option_parse(void *params, const fv_option *row, const char *text, fv_err *err) {
    static const char *const kinds[] = {
        [FV_OPT_INT] = "a whole number", [FV_OPT_FLOAT] = "a number",
        [FV_OPT_BOOL] = "true or false", [FV_OPT_TIME] = "a time like 10s or 250ms",
    };
    if (row->type == FV_OPT_ENUM)
        return parse_enum(params, row, text, err);
    if (row->type == FV_OPT_STRING) {
        *(const char **)field(params, row) = text;
        return true;
    }
    double v;
    if (!(row->type == FV_OPT_BOOL ? parse_bool(text, &v) : parse_number(row, text, &v)))
        return fv_fail(err, FV_BAD_INPUT, "%s: '%s' is not %s", row->name, text, kinds[row->type]);
    double unit = row->type == FV_OPT_TIME ? 1e9 : 1;
    if (v < row->min || v > row->max)
        return fv_fail(err, FV_BAD_INPUT, "%s: %s is out of range, allowed is %g to %g%s", row->name,
                       text, row->min / unit, row->max / unit, row->type == FV_OPT_TIME ? " seconds" : "");
    store_number(params, row, v);
    return true;
}

void fv_option_describe(const fv_option *row, char *text, size_t size) {
    char all[256];
    switch (row->type) {
    case FV_OPT_BOOL:
        snprintf(text, size, "%s (default %s)", row->help, row->def != 0 ? "true" : "false");
        break;
    case FV_OPT_STRING:
        snprintf(text, size, "%s%s%s%s", row->help, row->def_string ? " (default " : "",
                 row->def_string ? row->def_string : "", row->def_string ? ")" : "");
        break;
    case FV_OPT_ENUM:
        snprintf(text, size, "%s (%s; default %s)", row->help, list_choices(row, all, sizeof all),
                 row->choices[(int)row->def]);
        break;
    case FV_OPT_TIME:
        snprintf(text, size, "%s (default %gs)", row->help, row->def / 1e9);
        break;
    case FV_OPT_INT:
    case FV_OPT_FLOAT:
        snprintf(text, size, "%s (%g .. %g, default %g)", row->help, row->min, row->max, row->def);
        break;
    }
}
