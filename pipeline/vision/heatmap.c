#include "pipeline/vision/heatmap.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/base/arena.h"
#include "pipeline/vision/chart.h"
#include "pipeline/vision/grow.h"
#include "pipeline/vision/png.h"

enum { COLUMNS = FV_HEATMAP_COLUMNS, ROWS = FV_HEATMAP_ROWS, MAX_KNOWN = 1 << 24 };
enum { WIDTH = 768, BARS_HEIGHT = 240 }; // of the pictures
static const int64_t minute_ns = INT64_C(60000000000), longest_stay_ns = INT64_C(1000000000);

typedef struct {
    const char *name;
    double seconds[ROWS][COLUMNS];
    int now; // objects in the current frame
} class_map;

typedef struct {
    int64_t minute;
    const char *label;
    int64_t frames, objects; // frames of the minute, sum of objects over them
    int most, fresh;
} occupancy;

typedef struct {
    int64_t minute;
    const char *rule, *event, *direction;
    int64_t count;
} tally;

struct fv_heatmap {
    fv_arena *arena; // texts
    class_map **classes;
    occupancy *minutes;
    tally *tallies;
    uint8_t *known; // bit set of ids
    int n_classes, classes_capacity, n_minutes, minutes_capacity, n_tallies, tallies_capacity,
        known_capacity;
    int64_t minute, frames; // the current minute and its frames so far
    int first_of_minute;    // in `minutes`
    int64_t last_ns;
    int width, height; // of the first picture
};

fv_heatmap *fv_heatmap_create(void) {
    fv_arena *arena = fv_arena_create();
    fv_heatmap *h = FV_ARENA_NEW(arena, fv_heatmap, 1);
    *h = (fv_heatmap){.arena = arena, .minute = -1, .last_ns = FV_TIME_NONE};
    return h;
}

void fv_heatmap_destroy(fv_heatmap **h) {
    if (!*h)
        return;
    free((*h)->classes);
    free((*h)->minutes);
    free((*h)->tallies);
    free((*h)->known);
    fv_arena *arena = (*h)->arena;
    *h = NULL;
    fv_arena_destroy(&arena);
}

static class_map *class_of(fv_heatmap *h, const char *name) {
    for (int i = 0; i < h->n_classes; i++)
        if (!strcmp(h->classes[i]->name, name))
            return h->classes[i];
    FV_GROW(h->classes, h->classes_capacity, h->n_classes + 1);
    class_map *c = h->classes[h->n_classes++] = FV_ARENA_NEW(h->arena, class_map, 1);
    c->name = fv_arena_strdup(h->arena, name);
    return c;
}

static bool is_new(fv_heatmap *h, uint64_t id) {
    if (id >= MAX_KNOWN)
        return false;
    int byte = (int)(id / 8), had = h->known_capacity;
    FV_GROW(h->known, h->known_capacity, byte + 1);
    memset(h->known + had, 0, (size_t)(h->known_capacity - had));
    bool fresh = !(h->known[byte] >> id % 8 & 1);
    h->known[byte] |= (uint8_t)(1u << id % 8);
    return fresh;
}

static occupancy *minute_of(fv_heatmap *h, const char *label) {
    for (int i = h->first_of_minute; i < h->n_minutes; i++)
        if (h->minutes[i].label == label)
            return &h->minutes[i];
    FV_GROW(h->minutes, h->minutes_capacity, h->n_minutes + 1);
    h->minutes[h->n_minutes] = (occupancy){.minute = h->minute, .label = label};
    return &h->minutes[h->n_minutes++];
}

static void close_minute(fv_heatmap *h, int64_t minute) {
    for (int i = h->first_of_minute; i < h->n_minutes; i++)
        h->minutes[i].frames = h->frames;
    h->first_of_minute = h->n_minutes;
    h->minute = minute;
    h->frames = 0;
}

static int cell(double fraction, int n) {
    return (int)fmin(n - 1, fmax(0, floor(fraction * n)));
}

static void add_object(fv_heatmap *h, const fv_record *r, const fv_object *o, double stay_s) {
    class_map *c = class_of(h, fv_label_get(r->labels, o->label));
    fv_box b = fv_box_round(o->box);
    double x = ((double)b.x + (double)b.w / 2) / r->width,
           y = ((double)b.y + (double)b.h) / r->height;
    c->seconds[cell(y, ROWS)][cell(x, COLUMNS)] += stay_s;
    c->now++;
    minute_of(h, c->name)->fresh += is_new(h, o->id);
}

static const char *keep(fv_heatmap *h, const char *text) {
    for (int i = 0; text && i < h->n_tallies; i++) {
        const char *const had[] = {h->tallies[i].rule, h->tallies[i].event,
                                   h->tallies[i].direction};
        for (int k = 0; k < 3; k++)
            if (!strcmp(had[k], text))
                return had[k];
    }
    return text ? fv_arena_strdup(h->arena, text) : "";
}

static void add_event(fv_heatmap *h, const fv_event *e) {
    const char *direction = e->direction ? e->direction : "";
    if (e->phase != FV_PHASE_MOMENT && e->phase != FV_PHASE_START)
        return;
    int64_t minute = e->pts_ns == FV_TIME_NONE ? h->minute : e->pts_ns / minute_ns;
    int at = h->n_tallies; // events may come a little late
    for (int i = h->n_tallies - 1; i >= 0 && h->tallies[i].minute >= minute; i--) {
        tally *t = &h->tallies[i];
        if (t->minute > minute)
            at = i;
        else if (!strcmp(t->rule, e->rule) && !strcmp(t->event, e->event) &&
            !strcmp(t->direction, direction)) {
            t->count++;
            return;
        }
    }
    tally t = {minute, keep(h, e->rule), keep(h, e->event), keep(h, e->direction), 1};
    FV_GROW(h->tallies, h->tallies_capacity, h->n_tallies + 1);
    memmove(h->tallies + at + 1, h->tallies + at, sizeof t * (size_t)(h->n_tallies++ - at));
    h->tallies[at] = t;
}

void fv_heatmap_add_events(fv_heatmap *h, const fv_event *events, int n) {
    for (int i = 0; i < n; i++)
        add_event(h, &events[i]);
}

void fv_heatmap_add(fv_heatmap *h, const fv_record *r, const fv_event *events, int n_events) {
    int64_t now = r->pts_ns == FV_TIME_NONE ? (int64_t)(r->frame * UINT64_C(1000000000) / 30)
                                            : r->pts_ns;
    int64_t step = h->last_ns == FV_TIME_NONE || now <= h->last_ns ? 0 : now - h->last_ns;
    double stay_s = (double)(step < longest_stay_ns ? step : longest_stay_ns) * 1e-9;
    h->last_ns = now;
    if (now / minute_ns != h->minute)
        close_minute(h, now / minute_ns);
    h->frames++;
    if (!h->width && r->width > 0 && r->height > 0) {
        h->width = r->width;
        h->height = r->height;
    }
    for (int i = 0; i < h->n_classes; i++)
        h->classes[i]->now = 0;
    for (int i = 0; r->width > 0 && r->height > 0 && i < r->objects.n; i++)
        if (r->objects.v[i].id)
            add_object(h, r, &r->objects.v[i], stay_s);
    for (int i = 0; i < h->n_classes; i++) {
        if (!h->classes[i]->now)
            continue;
        occupancy *o = minute_of(h, h->classes[i]->name);
        o->objects += h->classes[i]->now;
        o->most = o->most > h->classes[i]->now ? o->most : h->classes[i]->now;
    }
    fv_heatmap_add_events(h, events, n_events);
}

// ---- files --------------------------------------------------------------------------------------

static FILE *open_in(const char *folder, const char *name, char *path, size_t size, fv_err *err) {
    snprintf(path, size, "%s/%s", folder, name);
    FILE *f = fopen(path, "w");
    if (!f)
        fv_fail(err, FV_IO, "%s: cannot be written: %s", path, strerror(errno));
    return f;
}

static bool close_file(FILE *f, const char *path, fv_err *err) {
    bool bad = ferror(f);
    bad |= fclose(f) != 0;
    return !bad || fv_fail(err, FV_IO, "%s: writing failed: %s", path, strerror(errno));
}

static bool write_cells(const class_map *c, const char *folder, const char *name, fv_err *err) {
    char path[4096];
    FILE *f = open_in(folder, name, path, sizeof path, err);
    if (!f)
        return false;
    for (int y = 0; y < ROWS; y++)
        for (int x = 0; x < COLUMNS; x++)
            fprintf(f, "%.3f%c", c->seconds[y][x], x + 1 < COLUMNS ? ',' : '\n');
    return close_file(f, path, err);
}

static bool write_heat(const fv_heatmap *h, const class_map *c, const char *path, fv_err *err) {
    int height = (int)fmin(4 * WIDTH, fmax(1, round((double)WIDTH * h->height / h->width)));
    uint8_t *rgb = malloc((size_t)WIDTH * (size_t)height * 3);
    if (!rgb)
        return fv_fail(err, FV_MEMORY, "heat map: out of memory");
    fv_chart_cells(c->seconds[0], COLUMNS, ROWS, rgb, WIDTH, height);
    bool ok = fv_png_write(path, rgb, WIDTH, height, err);
    free(rgb);
    return ok;
}

static double mean_of(const fv_heatmap *h, int i) {
    int64_t frames = i < h->first_of_minute ? h->minutes[i].frames : h->frames;
    return (double)h->minutes[i].objects / (double)(frames ? frames : 1);
}

static bool write_bars(const fv_heatmap *h, const class_map *c, const char *path, fv_err *err) {
    fv_chart_bar bars[WIDTH] = {{0}};
    uint8_t *rgb = malloc((size_t)WIDTH * BARS_HEIGHT * 3);
    if (!rgb)
        return fv_fail(err, FV_MEMORY, "occupancy: out of memory");
    int64_t first = h->minute + 1 > WIDTH ? h->minute + 1 - WIDTH : 0;
    for (int i = 0; i < h->n_minutes; i++)
        if (h->minutes[i].minute >= first && !strcmp(h->minutes[i].label, c->name))
            bars[h->minutes[i].minute - first] =
                (fv_chart_bar){mean_of(h, i), h->minutes[i].most};
    fv_chart_bars(bars, (int)(h->minute + 1 - first), rgb, WIDTH, BARS_HEIGHT);
    bool ok = fv_png_write(path, rgb, WIDTH, BARS_HEIGHT, err);
    free(rgb);
    return ok;
}

static bool write_class(const fv_heatmap *h, const class_map *c, const char *folder, fv_err *err) {
    char safe[64], name[96], path[4096];
    size_t n = 0;
    for (const char *p = c->name; *p && n + 1 < sizeof safe; p++)
        safe[n++] = isalnum((unsigned char)*p) || *p == '-' ? *p : '_';
    safe[n] = 0;
    snprintf(name, sizeof name, "heatmap-%s.csv", safe);
    if (!write_cells(c, folder, name, err))
        return false;
    snprintf(path, sizeof path, "%s/heatmap-%s.png", folder, safe);
    if (!write_heat(h, c, path, err))
        return false;
    snprintf(path, sizeof path, "%s/occupancy-%s.png", folder, safe);
    return write_bars(h, c, path, err);
}

// A field of RFC 4180.
static void put_field(FILE *f, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, f);
        return;
    }
    putc('"', f);
    for (; *text; text++)
        fprintf(f, *text == '"' ? "\"\"" : "%c", *text);
    putc('"', f);
}

static bool write_occupancy(const fv_heatmap *h, const char *folder, fv_err *err) {
    char path[4096];
    FILE *f = open_in(folder, "occupancy.csv", path, sizeof path, err);
    if (!f)
        return false;
    fputs("minute,label,mean,max,new\n", f);
    for (int i = 0; i < h->n_minutes; i++) {
        const occupancy *o = &h->minutes[i];
        fprintf(f, "%lld,", (long long)o->minute);
        put_field(f, o->label);
        fprintf(f, ",%.3f,%d,%d\n", mean_of(h, i), o->most, o->fresh);
    }
    return close_file(f, path, err);
}

static bool write_tallies(const fv_heatmap *h, const char *folder, fv_err *err) {
    char path[4096];
    FILE *f = open_in(folder, "events.csv", path, sizeof path, err);
    if (!f)
        return false;
    fputs("minute,rule,event,direction,count\n", f);
    for (int i = 0; i < h->n_tallies; i++) {
        const tally *t = &h->tallies[i];
        fprintf(f, "%lld,", (long long)t->minute);
        put_field(f, t->rule);
        fprintf(f, ",%s,", t->event);
        put_field(f, t->direction);
        fprintf(f, ",%lld\n", (long long)t->count);
    }
    return close_file(f, path, err);
}

bool fv_heatmap_write(const fv_heatmap *h, const char *folder, fv_err *err) {
    if (mkdir(folder, 0777) && errno != EEXIST)
        return fv_fail(err, FV_IO, "%s: cannot be made: %s", folder, strerror(errno));
    for (int i = 0; i < h->n_classes; i++)
        if (!write_class(h, h->classes[i], folder, err))
            return false;
    return write_occupancy(h, folder, err) && write_tallies(h, folder, err);
}
