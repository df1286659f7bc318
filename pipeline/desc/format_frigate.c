// What Frigate says over MQTT (its documentation, "MQTT"), topics below `frigate/` or wherever the
// target puts them:
//
//     events                   {"type":"new"|"update"|"end","before":{..},"after":{..}}: a life
//                              of an object. "new" with its track's id; "update" when its zones or
//                              its rest changed, and every 5 s at most for a better score; "end"
//                              when it was not seen for 2 s, or with the stream
//     CAMERA/LABEL, CAMERA/all how many there are, when it changes; retained
//     CAMERA/LABEL/active      those that are not at rest
//     ZONE/LABEL, ...          the same for each zone
//     tracked_object_update    {"type":"rule",...}: every other event of a rule
//
// Ids are STARTTIME-TRACK, so the same on every run. Zones come from the rules: enter and appear,
// leave and disappear. An object is at rest ("stationary") when its box has overlapped one place
// (IoU 0.6) for 10 s. Boxes are [left, top, right, bottom], whole pixels inside the picture. Times
// are seconds as fv_format_time counts them. Speeds (km/h) and the way (degrees, 0 to the right, 90
// down) are those of the rules' speed events, else 0 as Frigate has them where it does not
// estimate. There are no pictures: has_snapshot and has_clip are false.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/base/rule.h"
#include "pipeline/desc/format_priv.h"
#include "pipeline/desc/json.h"

enum { LABEL_BYTES = 64 };

static const int64_t rest_after_ns = INT64_C(10000000000), say_after_ns = INT64_C(5000000000);
static const float rest_iou = 0.6f;

typedef struct {
    int64_t time_ns;
    fv_box box;
    float score;
} sight;

typedef struct fv_life {
    uint64_t id;
    char text[64]; // the id that is said
    char label[LABEL_BYTES];
    sight last, best;
    int64_t start_ns, said_ns;
    float said_score;
    fv_box rest_box; // where it has been since rest_ns
    int64_t rest_ns;
    int motionless, position_changes;
    bool stationary, changed;
    double speed, speed_sum, angle; // of speed events
    int n_speeds;
    json_t *current, *entered; // zones: lists of names
    json_t *before;            // what was said last; NULL: nothing yet
} life;

typedef struct fv_tally {
    char place[FV_LEVEL_BYTES], label[LABEL_BYTES];
    int all, active, said_all, said_active;
} tally;

static void *grown(void *v, int *capacity, int n, size_t size) {
    if (n < *capacity)
        return v;
    *capacity = n < 8 ? 8 : 2 * n;
    void *block = realloc(v, size * (size_t)*capacity);
    if (!block)
        abort();
    return block;
}

static double seconds(int64_t ns) {
    return round((double)ns / 1e4) / 1e5; // 15 digits hold hundredths of a millisecond
}

// ---- lists of zones -----------------------------------------------------------------------------

static int index_in(const json_t *list, const char *name) {
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!strcmp(json_string_value(json_array_get(list, i)), name))
            return (int)i;
    return -1;
}

static bool add_name(json_t *list, const char *name) {
    json_t *text = fv_json_text(name);
    bool is_new = index_in(list, json_string_value(text)) < 0;
    if (is_new)
        json_array_append(list, text);
    json_decref(text);
    return is_new;
}

static bool drop_name(json_t *list, const char *name) {
    json_t *text = fv_json_text(name);
    int i = index_in(list, json_string_value(text));
    json_decref(text);
    return i >= 0 && !json_array_remove(list, (size_t)i);
}

// ---- lives --------------------------------------------------------------------------------------

static life *life_of(fv_frigate_state *s, uint64_t id) {
    for (int i = 0; i < s->n_lives; i++)
        if (s->lives[i].id == id)
            return &s->lives[i];
    return NULL;
}

// Six letters and digits of the track's id, as Frigate's ids end.
static void name_life(life *l) {
    char tail[7] = "000000";
    uint64_t id = l->id;
    for (int i = 5; i >= 0; i--, id /= 36)
        tail[i] = "0123456789abcdefghijklmnopqrstuvwxyz"[id % 36];
    snprintf(l->text, sizeof l->text, "%" PRId64 ".%06" PRId64 "-%s", l->start_ns / 1000000000,
             l->start_ns % 1000000000 / 1000, tail);
}

static life *begin_life(fv_frigate_state *s, const fv_record *r, const fv_object *o) {
    s->lives = grown(s->lives, &s->lives_capacity, s->n_lives, sizeof *s->lives);
    life *l = &s->lives[s->n_lives++];
    *l = (life){.id = o->id,
                .start_ns = s->now_ns,
                .rest_box = o->box,
                .rest_ns = s->now_ns,
                .changed = true,
                .current = json_array(),
                .entered = json_array()};
    json_t *label = fv_json_text(fv_label_get(r->labels, o->label));
    snprintf(l->label, sizeof l->label, "%s", json_string_value(label));
    json_decref(label);
    name_life(l);
    return l;
}

static void end_life(fv_frigate_state *s, life *l) {
    json_decref(l->current);
    json_decref(l->entered);
    json_decref(l->before);
    s->n_lives--;
    memmove(l, l + 1, sizeof *l * (size_t)(s->lives + s->n_lives - l));
}

static void watch_rest(life *l, fv_box box, int64_t now_ns) {
    if (fv_box_iou(l->rest_box, box) < rest_iou) {
        l->rest_box = box;
        l->rest_ns = now_ns;
        l->motionless = 0;
    } else {
        l->motionless++;
    }
    bool stationary = now_ns - l->rest_ns >= rest_after_ns;
    l->position_changes += l->stationary && !stationary;
    l->changed |= l->stationary != stationary;
    l->stationary = stationary;
}

// A predicted box keeps a life going; place and score are what was seen.
static void see(fv_frigate_state *s, const fv_record *r, const fv_object *o) {
    life *known = life_of(s, o->id), *l = known ? known : begin_life(s, r, o);
    l->last.time_ns = s->now_ns;
    if (known && o->predicted)
        return;
    l->last = (sight){s->now_ns, o->box, o->score};
    if (!known || o->score > l->best.score)
        l->best = l->last;
    if (known)
        watch_rest(l, o->box, s->now_ns);
}

// ---- what is said of a life ---------------------------------------------------------------------

static json_t *corners(const fv_frigate_state *s, fv_box box) {
    int c[4];
    fv_format_corners(&(fv_record){.width = s->width, .height = s->height}, box, c);
    return json_pack("[i,i,i,i]", c[0], c[1], c[2], c[3]);
}

static double area(const fv_frigate_state *s, fv_box box) {
    fv_box b = fv_box_clip(box, (float)s->width, (float)s->height);
    return round((double)b.w * (double)b.h);
}

static json_t *snapshot(const fv_frigate_state *s, const sight *best) {
    json_t *j = json_object();
    json_object_set_new(j, "frame_time", json_real(seconds(best->time_ns)));
    json_object_set_new(j, "box", corners(s, best->box));
    json_object_set_new(j, "area", json_integer((json_int_t)area(s, best->box)));
    json_object_set_new(j, "region", json_pack("[i,i,i,i]", 0, 0, s->width, s->height));
    json_object_set_new(j, "score", fv_json_number(best->score, FV_SCORE_DIGITS));
    json_object_set_new(j, "attributes", json_array());
    return j;
}

static void add_place(json_t *j, const fv_frigate_state *s, const life *l) {
    double h = l->last.box.h;
    json_object_set_new(j, "box", corners(s, l->last.box));
    json_object_set_new(j, "area", json_integer((json_int_t)area(s, l->last.box)));
    json_object_set_new(j, "ratio", fv_json_number(h > 0 ? l->last.box.w / h : NAN, 2));
    json_object_set_new(j, "region", json_pack("[i,i,i,i]", 0, 0, s->width, s->height));
    json_object_set_new(j, "current_zones", json_deep_copy(l->current));
    json_object_set_new(j, "entered_zones", json_deep_copy(l->entered));
    json_object_set_new(j, "active", json_boolean(!l->stationary));
    json_object_set_new(j, "stationary", json_boolean(l->stationary));
    json_object_set_new(j, "motionless_count", json_integer(l->motionless));
    json_object_set_new(j, "position_changes", json_integer(l->position_changes));
    double average = l->n_speeds ? l->speed_sum / l->n_speeds : 0;
    json_object_set_new(j, "current_estimated_speed", fv_json_number(l->speed, FV_VALUE_DIGITS));
    json_object_set_new(j, "average_estimated_speed", fv_json_number(average, FV_VALUE_DIGITS));
    json_object_set_new(j, "velocity_angle", fv_json_number(l->angle, 1));
}

static json_t *life_json(const fv_frigate_state *s, const life *l, bool ended) {
    json_t *j = json_object();
    json_object_set_new(j, "id", json_string(l->text));
    json_object_set_new(j, "camera", fv_json_text(s->stream));
    json_object_set_new(j, "frame_time", json_real(seconds(l->last.time_ns)));
    json_object_set_new(j, "snapshot", snapshot(s, &l->best));
    json_object_set_new(j, "label", fv_json_text(l->label));
    json_object_set_new(j, "sub_label", json_null());
    json_object_set_new(j, "top_score", fv_json_number(l->best.score, FV_SCORE_DIGITS));
    json_object_set_new(j, "false_positive", json_false());
    json_object_set_new(j, "start_time", json_real(seconds(l->start_ns)));
    json_object_set_new(j, "end_time",
                        ended ? json_real(seconds(l->last.time_ns)) : json_null());
    json_object_set_new(j, "score", fv_json_number(l->last.score, FV_SCORE_DIGITS));
    add_place(j, s, l);
    json_object_set_new(j, "thumbnail", json_null());
    json_object_set_new(j, "has_snapshot", json_false());
    json_object_set_new(j, "has_clip", json_false());
    json_object_set_new(j, "attributes", json_object());
    json_object_set_new(j, "current_attributes", json_array());
    return j;
}

static void say_life(fv_formatter *f, life *l, const char *type) {
    fv_frigate_state *s = f->state;
    char id[160];
    json_t *after = life_json(s, l, !strcmp(type, "end"));
    if (!l->before) { // as Frigate does: before it was believed
        l->before = json_deep_copy(after);
        json_object_set_new(l->before, "false_positive", json_true());
    }
    json_t *j = json_object();
    json_object_set_new(j, "type", json_string(type));
    json_object_set(j, "before", l->before);
    json_object_set(j, "after", after);
    json_decref(l->before);
    l->before = after;
    l->changed = false;
    l->said_ns = s->now_ns;
    l->said_score = l->best.score;
    snprintf(id, sizeof id, "life/%s/%s/%" PRIu64, l->text, type, s->frame);
    if (f->what & FV_WHAT_EVENTS)
        fv_formatter_say(f, s->stream,
                         (fv_message){.topic = "events", .id = id, .is_event = true},
                         fv_json_dump(j));
    else
        json_decref(j);
}

static void say_lives(fv_formatter *f) {
    fv_frigate_state *s = f->state;
    for (int i = 0; i < s->n_lives;) {
        life *l = &s->lives[i];
        bool gone = s->now_ns - l->last.time_ns >= FV_RULE_FORGET_NS;
        bool better = l->best.score > l->said_score && s->now_ns - l->said_ns >= say_after_ns;
        if (!l->before)
            say_life(f, l, "new");
        else if (!gone && (l->changed || better))
            say_life(f, l, "update");
        if (gone) {
            say_life(f, l, "end");
            end_life(s, l);
        } else {
            i++;
        }
    }
}

// ---- events of rules ----------------------------------------------------------------------------

static const struct {
    const char *event;
    bool inside;
} zone_events[] = {{"enter", true}, {"appear", true}, {"leave", false}, {"disappear", false}};

static bool move_between_zones(fv_frigate_state *s, const fv_event *e) {
    for (size_t i = 0; i < sizeof zone_events / sizeof zone_events[0]; i++) {
        if (strcmp(zone_events[i].event, e->event))
            continue;
        life *l = e->has_object ? life_of(s, e->object.id) : NULL;
        if (l && zone_events[i].inside) {
            l->changed |= add_name(l->current, e->rule);
            add_name(l->entered, e->rule);
        } else if (l) {
            l->changed |= drop_name(l->current, e->rule);
        }
        return true;
    }
    return false;
}

static void note_speed(fv_frigate_state *s, const fv_event *e) {
    life *l = e->has_object && !strcmp(e->event, "speed") ? life_of(s, e->object.id) : NULL;
    if (!l)
        return;
    double dx = (double)(e->after[0] - e->before[0]), dy = (double)(e->after[1] - e->before[1]);
    double angle = atan2(dy, dx) * 180 / acos(-1);
    bool ended = e->phase == FV_PHASE_END;
    l->changed = true;
    l->speed = ended || isnan(e->value) ? 0 : 3.6 * e->value;
    l->speed_sum += l->speed;
    l->n_speeds += !ended;
    l->angle = ended || isnan(angle) ? 0 : fmod(angle + 360, 360);
}

static void say_rule(fv_formatter *f, const fv_record *r, const fv_event *e) {
    fv_frigate_state *s = f->state;
    const life *l = e->has_object ? life_of(s, e->object.id) : NULL;
    char id[96];
    json_t *j = json_object();
    json_object_set_new(j, "type", json_string("rule"));
    json_object_set_new(j, "id", l ? json_string(l->text) : json_null());
    json_object_set_new(j, "camera", fv_json_text(s->stream));
    json_object_set_new(j, "timestamp",
                        json_real(seconds(fv_format_time(e->utc_ns, e->pts_ns))));
    json_object_set_new(j, "name", fv_json_text(e->rule));
    fv_format_add_events(j, r, e, 1);
    fv_message m = {.topic = "tracked_object_update",
                    .id = fv_format_event_id(e, id, sizeof id),
                    .is_event = true};
    fv_formatter_say(f, s->stream, m, fv_json_dump(j));
}

// ---- counts -------------------------------------------------------------------------------------

static tally *tally_of(fv_frigate_state *s, const char *place, const char *label) {
    for (int i = 0; i < s->n_tallies; i++)
        if (!strcmp(s->tallies[i].place, place) && !strcmp(s->tallies[i].label, label))
            return &s->tallies[i];
    s->tallies = grown(s->tallies, &s->tallies_capacity, s->n_tallies, sizeof *s->tallies);
    tally *t = &s->tallies[s->n_tallies++];
    *t = (tally){.said_all = -1, .said_active = -1};
    snprintf(t->place, sizeof t->place, "%s", place);
    snprintf(t->label, sizeof t->label, "%s", label);
    return t;
}

static void count_life(fv_frigate_state *s, const char *place, const life *l) {
    char level[FV_LEVEL_BYTES], label[LABEL_BYTES];
    fv_format_level(place, level, sizeof level);
    fv_format_level(l->label, label, sizeof label);
    const char *const names[] = {label, "all"};
    for (int i = 0; i < 2; i++) {
        tally *t = tally_of(s, level, names[i]);
        t->all++;
        t->active += !l->stationary;
    }
}

static void say_count(fv_formatter *f, const tally *t, const char *end, int count) {
    const fv_frigate_state *s = f->state;
    char topic[2 * FV_LEVEL_BYTES], id[3 * FV_LEVEL_BYTES], number[16];
    snprintf(topic, sizeof topic, "%s/%s%s", t->place, t->label, end);
    snprintf(id, sizeof id, "count/%s/%" PRIu64, topic, s->frame);
    snprintf(number, sizeof number, "%d", count);
    fv_formatter_say(f, s->stream, (fv_message){.topic = topic, .id = id, .retain = true},
                     strdup(number));
}

static void say_counts(fv_formatter *f) {
    fv_frigate_state *s = f->state;
    for (int i = 0; i < s->n_tallies; i++)
        s->tallies[i].all = s->tallies[i].active = 0;
    for (int i = 0; i < s->n_lives; i++) {
        const life *l = &s->lives[i];
        count_life(s, s->stream, l);
        for (size_t z = 0; z < json_array_size(l->current); z++)
            count_life(s, json_string_value(json_array_get(l->current, z)), l);
    }
    for (int i = 0; i < s->n_tallies && f->what & FV_WHAT_FRAMES; i++) {
        tally *t = &s->tallies[i];
        if (t->all != t->said_all)
            say_count(f, t, "", t->said_all = t->all);
        if (t->active != t->said_active)
            say_count(f, t, "/active", t->said_active = t->active);
    }
}

// ---- the row's functions ------------------------------------------------------------------------

void fv_frigate_events(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    fv_frigate_state *s = f->state;
    for (int i = 0; i < n; i++) {
        note_speed(s, &events[i]);
        if (!move_between_zones(s, &events[i]) && f->what & FV_WHAT_EVENTS)
            say_rule(f, r, &events[i]);
    }
}

void fv_frigate_frame(fv_formatter *f, const fv_record *r, const fv_event *events, int n) {
    fv_frigate_state *s = f->state;
    snprintf(s->stream, sizeof s->stream, "%s", r->stream ? r->stream : "");
    s->width = r->width;
    s->height = r->height;
    s->frame = r->frame;
    s->now_ns = fv_format_time(r->utc_ns, r->pts_ns);
    for (int i = 0; i < r->objects.n; i++)
        if (r->objects.v[i].id)
            see(s, r, &r->objects.v[i]);
    fv_frigate_events(f, r, events, n);
    say_lives(f);
    say_counts(f);
}

void fv_frigate_finish(fv_formatter *f) {
    fv_frigate_state *s = f->state;
    while (s->n_lives) {
        say_life(f, &s->lives[0], "end");
        end_life(s, &s->lives[0]);
    }
    s->frame++; // counts may have been said with the last frame
    say_counts(f);
    fv_frigate_clear(f);
}

void fv_frigate_clear(fv_formatter *f) {
    fv_frigate_state *s = f->state;
    while (s->n_lives)
        end_life(s, &s->lives[0]);
    free(s->lives);
    free(s->tallies);
    *s = (fv_frigate_state){0};
}
