#include <math.h>
#include <stdio.h>

#include "pipeline/vision/rules_priv.h"

static void tell(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_phase phase, fv_lasting *l,
                 const fv_guest *g, fv_evidence e) {
    const fv_event_row *row = &fv_event_rows[kind];
    char value[64] = "";
    if (!isnan(e.value))
        snprintf(value, sizeof value, ", %.2f %s", e.value, row->unit);
    if (g)
        fv_rules_say(w, g, s, "%s: %s%s%s", row->name, fv_phase_names[phase], value,
                     fv_rules_wants(s, kind) ? "" : " (not told: `events` does not ask for it)");
    if (!fv_rules_wants(s, kind))
        return;
    fv_event *v = fv_rules_report(w, s, kind, phase, l->id, g);
    l->id = v->id;
    l->count = v->count = e.count;
    v->value = e.value;
    fv_rules_put_points(v, e.before, e.after);
}

void fv_rules_last(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_lasting *l,
                   const fv_guest *g, fv_evidence e) {
    int64_t every = s->rule->update_ns;
    if (e.is_so && !l->on) {
        tell(w, s, kind, FV_PHASE_START, l, g, e);
        l->on = true;
        l->next_ns = w->now_ns + every;
    } else if (e.is_so) {
        bool due = every > 0 && w->now_ns >= l->next_ns;
        if (due || (l->id && e.count != l->count))
            tell(w, s, kind, FV_PHASE_UPDATE, l, g, e);
        if (due)
            l->next_ns += ((w->now_ns - l->next_ns) / every + 1) * every;
    } else if (l->on) {
        tell(w, s, kind, FV_PHASE_END, l, g, e);
        *l = (fv_lasting){0};
    }
}

void fv_rules_hold(fv_watch *w, const fv_shape *s, fv_event_kind kind, fv_held *h, bool is_so,
                   int64_t count) {
    if (is_so && h->since_ns == FV_TIME_NONE)
        h->since_ns = w->now_ns;
    int64_t held_ns = h->since_ns == FV_TIME_NONE ? 0 : w->now_ns - h->since_ns;
    fv_rules_last(w, s, kind, &h->event, NULL,
                  (fv_evidence){.is_so = is_so && held_ns >= s->hold_ns,
                                .count = count,
                                .value = fv_rules_seconds(held_ns),
                                .before = fv_rules_nowhere,
                                .after = fv_rules_nowhere});
    if (!is_so)
        h->since_ns = FV_TIME_NONE;
}
