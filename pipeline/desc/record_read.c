#define _GNU_SOURCE
#include "pipeline/desc/record_read.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/base/arena.h"

enum { MAX_LABEL = 100000, MAX_OBJECTS = 100000, FIRST_YEAR = 1678, LAST_YEAR = 2261 };

typedef struct {
    const char *name;
    bool begun;
    uint64_t frame; // of the last record
    int64_t pts_ns; // the latest; FV_TIME_NONE: none yet
} stream;

struct fv_record_reader {
    fv_arena *arena;
    char *path;
    FILE *file;
    int line;
    char *text; // of the line
    size_t text_size;
    fv_record record;
    fv_labels labels;
    const char **names;
    stream *streams;
    int n_streams;
    uint64_t *ids; // of a frame's objects, as many as the record has room for
};

fv_record_reader *fv_record_reader_open(const char *path, fv_err *err) {
    FILE *file = fopen(path, "r");
    if (!file) {
        fv_fail(err, FV_BAD_INPUT, "%s: %s", path, strerror(errno));
        return NULL;
    }
    return fv_record_reader_take(file, path);
}

fv_record_reader *fv_record_reader_take(FILE *file, const char *path) {
    fv_arena *arena = fv_arena_create();
    fv_record_reader *r = FV_ARENA_NEW(arena, fv_record_reader, 1);
    *r = (fv_record_reader){.arena = arena, .path = fv_arena_strdup(arena, path), .file = file};
    return r;
}

void fv_record_reader_destroy(fv_record_reader **r) {
    if (!*r)
        return;
    fclose((*r)->file);
    free((*r)->text);
    free((*r)->record.objects.v);
    free((*r)->names);
    free((*r)->streams);
    free((*r)->ids);
    fv_arena *arena = (*r)->arena;
    *r = NULL;
    fv_arena_destroy(&arena);
}

static void *grow(void *block, size_t bytes) {
    void *grown = realloc(block, bytes);
    if (!grown)
        abort();
    return grown;
}

static bool wrong(const fv_record_reader *r, const char *key, const char *what, fv_err *err) {
    return fv_fail(err, FV_BAD_INPUT, "%s:%d: \"%s\" must be %s (schema fovea/1)", r->path, r->line,
                   key, what);
}

static stream *stream_of(fv_record_reader *r, const char *name) {
    for (int i = 0; i < r->n_streams; i++)
        if (!strcmp(r->streams[i].name, name))
            return &r->streams[i];
    r->streams = grow(r->streams, sizeof *r->streams * (size_t)(r->n_streams + 1));
    r->streams[r->n_streams] = (stream){fv_arena_strdup(r->arena, name), .pts_ns = FV_TIME_NONE};
    return &r->streams[r->n_streams++];
}

static bool check_order(const fv_record_reader *r, stream *s, fv_err *err) {
    const fv_record *now = &r->record;
    if (s->begun && now->frame <= s->frame)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s:%d: frame %" PRIu64 " of stream %s comes after frame %" PRIu64
                       ": records must be in order, and of one run; split a file of several runs",
                       r->path, r->line, now->frame, s->name, s->frame);
    if (now->pts_ns != FV_TIME_NONE && s->pts_ns != FV_TIME_NONE && now->pts_ns < s->pts_ns)
        return fv_fail(err, FV_BAD_INPUT,
                       "%s:%d: frame %" PRIu64 " of stream %s goes back in time, from pts_ns "
                       "%" PRId64 " to %" PRId64 "; split the file there",
                       r->path, r->line, now->frame, s->name, s->pts_ns, now->pts_ns);
    s->begun = true;
    s->frame = now->frame;
    s->pts_ns = now->pts_ns == FV_TIME_NONE ? s->pts_ns : now->pts_ns;
    return true;
}

static int compare_ids(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static bool check_ids(fv_record_reader *r, fv_err *err) {
    const fv_objects *objects = &r->record.objects;
    size_t n = 0;
    for (int i = 0; i < objects->n; i++)
        if (objects->v[i].id)
            r->ids[n++] = objects->v[i].id;
    if (n)
        qsort(r->ids, n, sizeof *r->ids, compare_ids);
    for (size_t i = 1; i < n; i++)
        if (r->ids[i] == r->ids[i - 1])
            return fv_fail(err, FV_BAD_INPUT,
                           "%s:%d: two objects of frame %" PRIu64 " have the id %" PRIu64, r->path,
                           r->line, r->record.frame, r->ids[i]);
    return true;
}

static bool learn_label(fv_record_reader *r, int64_t id, const char *name, fv_err *err) {
    if (id < 0 || id > MAX_LABEL)
        return wrong(r, "label_id", "a number from 0 to 100000", err);
    if (id >= r->labels.n) {
        r->names = grow(r->names, sizeof *r->names * (size_t)(id + 1));
        for (int i = r->labels.n; i <= id; i++)
            r->names[i] = fv_arena_printf(r->arena, "class %d", i);
        r->labels = (fv_labels){(int)id + 1, r->names};
    }
    if (strcmp(r->names[id], name))
        r->names[id] = fv_arena_strdup(r->arena, name);
    return true;
}

static bool read_box(const fv_record_reader *r, const json_t *j, fv_box *box, fv_err *err) {
    float v[4];
    for (size_t i = 0; i < 4; i++) {
        const json_t *n = json_array_get(j, i);
        if (!json_is_number(n))
            return wrong(r, "box", "[x, y, width, height]", err);
        v[i] = (float)json_number_value(n);
    }
    *box = (fv_box){v[0], v[1], v[2], v[3]};
    return true;
}

static int index_of(const char *const *names, int n, const json_t *text) {
    for (int i = 0; json_is_string(text) && i < n; i++)
        if (!strcmp(names[i], json_string_value(text)))
            return i;
    return -1;
}

static bool read_object(fv_record_reader *r, const json_t *j, fv_object *o, fv_err *err) {
    const json_t *id = json_object_get(j, "id"), *label = json_object_get(j, "label"),
                 *label_id = json_object_get(j, "label_id");
    int state = index_of(fv_state_names, FV_N_STATES, json_object_get(j, "state"));
    *o = (fv_object){.detection = -1};
    if (!json_is_null(id) && (!json_is_integer(id) || json_integer_value(id) < 1))
        return wrong(r, "id", "a number from 1, or null", err);
    if (!json_is_string(label) || !json_is_integer(label_id))
        return wrong(r, "label", "a text with a \"label_id\" beside it", err);
    if (state < 0)
        return wrong(r, "state", "detected, tentative, confirmed or lost", err);
    if (!learn_label(r, json_integer_value(label_id), json_string_value(label), err) ||
        !read_box(r, json_object_get(j, "box"), &o->box, err))
        return false;
    o->id = (uint64_t)json_integer_value(id);
    o->label = (int)json_integer_value(label_id);
    o->score = (float)json_number_value(json_object_get(j, "score"));
    o->state = (fv_state)state;
    o->predicted = json_is_true(json_object_get(j, "predicted"));
    o->age = (int)json_integer_value(json_object_get(j, "age"));
    return true;
}

static int64_t utc_of(const json_t *j) {
    struct tm t = {0};
    double seconds;
    if (!json_is_string(j) || sscanf(json_string_value(j), "%4d-%2d-%2dT%2d:%2d:%lf", &t.tm_year, &t.tm_mon,
                                     &t.tm_mday, &t.tm_hour, &t.tm_min, &seconds) != 6)
        return FV_TIME_NONE;
    if (t.tm_year < FIRST_YEAR || t.tm_year > LAST_YEAR || !(seconds >= 0 && seconds <= 60))
        return FV_TIME_NONE; // what an int64_t of nanoseconds cannot hold
    t.tm_year -= 1900;
    t.tm_mon--;
    return (int64_t)timegm(&t) * 1000000000 + (int64_t)llround(seconds * 1e9);
}

static bool read_frame(fv_record_reader *r, const json_t *j, fv_err *err) {
    const json_t *name = json_object_get(j, "stream"), *frame = json_object_get(j, "frame"),
                 *pts = json_object_get(j, "pts_ns");
    const json_t *objects = json_object_get(j, "objects");
    int inference = index_of(fv_inference_names, FV_N_INFERENCES, json_object_get(j, "inference"));
    int source = index_of(fv_utc_source_names, FV_N_UTC_SOURCES, json_object_get(j, "utc_source"));
    if (!json_is_string(name))
        return wrong(r, "stream", "a text", err);
    if (!json_is_integer(frame) || json_integer_value(frame) < 0)
        return wrong(r, "frame", "a number from 0", err);
    if (!json_is_array(objects) || json_array_size(objects) > MAX_OBJECTS)
        return wrong(r, "objects", "a list", err);
    fv_objects list = r->record.objects;
    int n = (int)json_array_size(objects);
    if (n > list.capacity) {
        list = (fv_objects){0, n, grow(list.v, sizeof *list.v * (size_t)n)};
        r->ids = grow(r->ids, sizeof *r->ids * (size_t)n);
    }
    list.n = n;
    stream *s = stream_of(r, json_string_value(name));
    r->record = (fv_record){
        .stream = s->name,
        .frame = (uint64_t)json_integer_value(frame),
        .pts_ns = json_is_integer(pts) ? json_integer_value(pts) : FV_TIME_NONE,
        .utc_ns = utc_of(json_object_get(j, "utc")),
        .utc_source = source < 0 ? FV_UTC_NONE : (fv_utc_source)source,
        .width = (int)json_integer_value(json_object_get(j, "width")),
        .height = (int)json_integer_value(json_object_get(j, "height")),
        .inference = inference < 0 ? FV_INFERRED : (fv_inference)inference,
        .objects = list,
        .labels = &r->labels,
    };
    for (int i = 0; i < n; i++)
        if (!read_object(r, json_array_get(objects, (size_t)i), &list.v[i], err))
            return false;
    return check_order(r, s, err) && check_ids(r, err);
}

// 1: a frame, 0: a line of something else, -1: a mistake.
static int read_line(fv_record_reader *r, fv_err *err) {
    json_error_t fault;
    json_t *j = json_loads(r->text, JSON_REJECT_DUPLICATES, &fault);
    int result = -1;
    const char *schema = json_string_value(json_object_get(j, "schema")),
               *type = json_string_value(json_object_get(j, "type"));
    if (!j && !strchr(r->text, '\n'))
        fv_fail(err, FV_BAD_INPUT,
                "%s:%d: the last line is cut off, as by a run that was killed: take it out",
                r->path, r->line);
    else if (!j)
        fv_fail(err, FV_BAD_INPUT, "%s:%d:%d: not JSON: %s", r->path, r->line, fault.column,
                fault.text);
    else if (!schema || strcmp(schema, "fovea/1") || !type)
        fv_fail(err, FV_BAD_INPUT,
                "%s:%d: not a record: \"schema\" must be \"fovea/1\", with a \"type\"", r->path,
                r->line);
    else
        result = strcmp(type, "frame") ? 0 : read_frame(r, j, err) ? 1 : -1;
    json_decref(j);
    return result;
}

const fv_record *fv_record_reader_next(fv_record_reader *r, fv_err *err) {
    while (getline(&r->text, &r->text_size, r->file) >= 0) {
        r->line++;
        int kind = r->text[strspn(r->text, " \t\r\n")] ? read_line(r, err) : 0;
        if (kind)
            return kind > 0 ? &r->record : NULL;
    }
    if (ferror(r->file))
        fv_fail(err, FV_IO, "%s: cannot be read: %s", r->path, strerror(errno));
    return NULL;
}
