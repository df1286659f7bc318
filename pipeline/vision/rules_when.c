#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/option.h"
#include "pipeline/vision/rules_priv.h"

typedef struct {
    const fv_shape *zone;
    const char *class_name; // NULL: everything inside
    int compare;            // row of comparisons
    long number;
    bool begins_or; // joined to what is before by `or`
} term;

struct fv_condition {
    int n;
    term *terms;
};

static const struct {
    const char *text; // longer ones first
} comparisons[] = {{">="}, {"<="}, {"=="}, {"!="}, {">"}, {"<"}};
enum { N_COMPARISONS = sizeof comparisons / sizeof comparisons[0] };

static bool compare(int row, long a, long b) {
    const bool results[N_COMPARISONS] = {a >= b, a <= b, a == b, a != b, a > b, a < b};
    return results[row];
}

typedef struct {
    const fv_watch *w;
    const fv_rule *rule;
    const char *at;
    fv_err *err;
} parser;

static bool complain(parser *p, const char *what) {
    return fv_fail(p->err, FV_BAD_INPUT, "rule %s: condition \"%s\", at column %d: %s",
                   p->rule->name, p->rule->when, (int)(p->at - p->rule->when) + 1, what);
}

static void skip(parser *p) {
    while (isspace((unsigned char)*p->at))
        p->at++;
}

static bool take(parser *p, const char *text) {
    size_t n = strlen(text);
    skip(p);
    bool is_word = isalpha((unsigned char)text[0]);
    if (strncmp(p->at, text, n) || (is_word && isalnum((unsigned char)p->at[n])))
        return false;
    p->at += n;
    return true;
}

// Up to , or ), without the spaces around it.
static const char *take_name(parser *p) {
    skip(p);
    const char *start = p->at, *end = start + strcspn(start, ",)");
    p->at = end;
    while (end > start && isspace((unsigned char)end[-1]))
        end--;
    return end > start ? fv_arena_strndup(p->w->arena, start, (size_t)(end - start)) : NULL;
}

static const fv_shape *find_zone(parser *p, const char *name) {
    for (int i = 0; name && i < p->w->rules->n; i++)
        if (p->w->rules->v[i].kind == FV_RULE_ZONE && !strcmp(p->w->rules->v[i].name, name))
            return &p->w->shapes[i];
    return NULL;
}

static bool take_term(parser *p, term *t) {
    *t = (term){.compare = -1};
    if (!take(p, "count") || !take(p, "("))
        return complain(p, "expected count(ZONE) or count(ZONE, CLASS)");
    const char *start = p->at, *name = take_name(p);
    if (!(t->zone = find_zone(p, name))) {
        p->at = start;
        return complain(p, "there is no zone of this name");
    }
    if (take(p, ",") && !(t->class_name = take_name(p)))
        return complain(p, "expected a class after the comma");
    if (!take(p, ")"))
        return complain(p, "expected )");
    for (int i = 0; t->compare < 0 && i < N_COMPARISONS; i++)
        if (take(p, comparisons[i].text))
            t->compare = i;
    if (t->compare < 0)
        return complain(p, "expected one of >= > <= < == !=");
    char *end;
    t->number = strtol(p->at, &end, 10);
    if (end == p->at)
        return complain(p, "expected a whole number");
    p->at = end;
    return true;
}

static bool take_hold(parser *p, int64_t *hold_ns) {
    char text[32] = "";
    size_t n = 0;
    for (; *p->at && n + 1 < sizeof text; p->at++)
        if (!isspace((unsigned char)*p->at))
            text[n++] = *p->at;
    return fv_time_parse(text, hold_ns) || complain(p, "expected a time after `for`, like 10s");
}

bool fv_rules_when_compile(fv_watch *w, fv_shape *s, fv_err *err) {
    parser p = {w, s->rule, s->rule->when ? s->rule->when : "", err};
    size_t most = strlen(p.at) / 8 + 1; // count(a)
    s->condition = FV_ARENA_NEW(w->arena, struct fv_condition, 1);
    s->condition->terms = FV_ARENA_NEW(w->arena, term, most);
    for (bool is_or = false;;) {
        term *t = &s->condition->terms[s->condition->n++];
        if (!take_term(&p, t))
            return false;
        t->begins_or = is_or;
        if (take(&p, "for"))
            return take_hold(&p, &s->hold_ns);
        skip(&p);
        if (!*p.at)
            return true;
        is_or = take(&p, "or");
        if (!is_or && !take(&p, "and"))
            return complain(&p, "expected and, or, or the end");
    }
}

static bool counts(const fv_watch *w, const term *t, const fv_guest *g) {
    return g->visit[t->zone->index].inside &&
           (!t->class_name ||
            !strcmp(fv_label_get(w->labels_now, g->object.label), t->class_name));
}

static long count_inside(const fv_watch *w, const term *t) {
    if (!t->class_name)
        return t->zone->count->inside;
    long n = 0;
    for (int i = 0; i < w->n_guests; i++)
        n += counts(w, t, w->guests[i]);
    return n;
}

// Objects that one term or another counts.
static int64_t count_all(const fv_watch *w, const struct fv_condition *c) {
    int64_t n = 0;
    for (int i = 0; i < w->n_guests; i++) {
        bool counted = false;
        for (int k = 0; k < c->n && !counted; k++)
            counted = counts(w, &c->terms[k], w->guests[i]);
        n += counted;
    }
    return n;
}

static bool holds(const fv_watch *w, const struct fv_condition *c) {
    bool group = true;
    for (int i = 0; i < c->n; i++) {
        const term *t = &c->terms[i];
        if (t->begins_or) {
            if (group)
                return true;
            group = true;
        }
        group = group && compare(t->compare, count_inside(w, t), t->number);
    }
    return group;
}

void fv_rules_when(fv_watch *w, fv_shape *s) {
    bool is_so = holds(w, s->condition);
    int64_t count = is_so || s->held.event.on ? count_all(w, s->condition) : 0;
    fv_rules_hold(w, s, FV_EVENT_WHEN, &s->held, is_so, count);
}
