#include "pipeline/detect/detect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/classes.h"
#include "pipeline/detect/engine.h"
#include "pipeline/detect/model.h"
#include "pipeline/detect/twin.h"
#include "pipeline/graph/ops.h"
#include "pipeline/vision/nms.h"

enum { N_CANDIDATES = 8192, MAX_SLOTS = 64, WORTH_PICKING = 64 << 10 };

typedef struct {
    int width, height; // of the pushed picture
    void *user;
} pushed;

struct fv_detector {
    fv_model model;
    const fv_engine *engine;
    fv_session *session; // one of the two
    fv_twin *twin;
    float threshold, iou;
    bool unclipped;
    int max_objects, slots, first;
    pushed *in_flight;
    fv_classes classes, exclusive;
    fv_objects candidates;
    char about[512];
};

static float first_positive(float a, float b, float c) {
    return a > 0 ? a : b > 0 ? b : c;
}

// Outputs in other dtypes get room to be converted into.
static void make_rooms(fv_detector *d) {
    const fv_graph *g = d->engine->graph;
    for (int i = 0; i < d->model.n_outputs; i++)
        if (g->tensor[g->output[i]].dtype != FV_F32)
            d->model.out[i].data =
                fv_arena_alloc(d->model.arena, fv_tensor_bytes(&d->model.out[i]));
}

static size_t output_bytes(const fv_model *m) {
    size_t bytes = 0;
    for (int i = 0; i < m->n_outputs; i++)
        bytes += fv_tensor_bytes(&m->out[i]);
    return bytes;
}

static bool open_session(fv_detector *d, fv_readback readback, fv_err *err) {
    const fv_model *m = &d->model;
    fv_candidates c;
    bool pick = readback == FV_READBACK_CANDIDATES ||
                (readback == FV_READBACK_AUTO && output_bytes(m) >= WORTH_PICKING);
    if (pick && !fv_head_candidates(&m->head, &m->input, m->out, m->n_outputs, d->threshold, &c, err))
        return false;
    d->session = fv_session_create_picking(d->engine->plan, &m->input, pick ? &c : NULL, d->slots, err);
    return d->session != NULL;
}

static bool open_engine(fv_detector *d, const fv_detector_params *p, fv_err *err) {
    const fv_card *card = &d->model.card;
    int width = p->width ? p->width : card->has_size ? card->input.width : 0;
    int height = p->height ? p->height : card->has_size ? card->input.height : width;
    d->engine = fv_engine_get(d->model.path, p->device, width ? width : height, height,
                              p->precision ? p->precision : card->precision, p->readback, p->validate,
                              err);
    if (!d->engine || !fv_model_settle(&d->model, d->engine->graph, p->labels, err) ||
        !fv_engine_prepare(d->engine, &d->model.input, err))
        return false;
    make_rooms(d);
    d->threshold =
        first_positive(p->threshold, d->model.card.threshold, fv_head_threshold(&d->model.head));
    if (d->engine->plan)
        return open_session(d, p->readback, err);
    d->twin = fv_twin_create(d->engine->graph, &d->model.input, d->slots, err);
    return d->twin != NULL;
}

static bool fill(fv_detector *d, const fv_detector_params *p, fv_err *err) {
    d->slots = p->slots > 0 ? p->slots : 2;
    d->unclipped = p->unclipped;
    d->max_objects = p->max_objects > 0 ? p->max_objects : 300;
    if (d->slots > MAX_SLOTS)
        return fv_fail(err, FV_BAD_INPUT, "%d slots are too many, at most %d", d->slots, MAX_SLOTS);
    if (!fv_model_begin(&d->model, p->model, p->card, err) || !open_engine(d, p, err))
        return false;
    d->iou = first_positive(p->iou_threshold, d->model.card.iou_threshold, 0.45f);
    d->in_flight = FV_ARENA_NEW(d->model.arena, pushed, d->slots);
    int room = d->max_objects > N_CANDIDATES ? d->max_objects : N_CANDIDATES;
    d->candidates =
        (fv_objects){.capacity = room, .v = FV_ARENA_NEW(d->model.arena, fv_object, room)};
    snprintf(d->about, sizeof d->about, "%s (%s)", d->model.head.family, d->model.head.why);
    const fv_model *m = &d->model;
    if (!fv_classes_list(&d->exclusive, m->arena, &m->card.exclusive, &m->labels, m->head.n_classes, err))
        return fv_fail_in(err, "%s: exclusive", m->card.path);
    return fv_classes_parse(&d->classes, m->arena, p->classes, &m->labels, m->head.n_classes, err);
}

fv_detector *fv_detector_create(const fv_detector_params *params, fv_err *err) {
    fv_detector *d = calloc(1, sizeof *d);
    if (!d)
        fv_fail(err, FV_MEMORY, "out of memory for a detector");
    else if (!fill(d, params, err))
        fv_detector_destroy(&d);
    return d;
}

void fv_detector_destroy(fv_detector **d) {
    if (!d || !*d)
        return;
    fv_session_destroy(&(*d)->session);
    fv_twin_destroy(&(*d)->twin);
    fv_engine_put(&(*d)->engine);
    fv_model_finish(&(*d)->model);
    free(*d);
    *d = NULL;
}

int fv_detector_pending(const fv_detector *d) {
    return d->session ? fv_session_pending(d->session) : fv_twin_pending(d->twin);
}

bool fv_detector_push(fv_detector *d, const fv_frame *frame, float par, void *user, fv_err *err) {
    int at = (d->first + fv_detector_pending(d)) % d->slots;
    if (!(d->session ? fv_session_push(d->session, frame, par, NULL, err)
                     : fv_twin_push(d->twin, frame, par, err)))
        return false;
    d->in_flight[at] = (pushed){frame->width, frame->height, user};
    return true;
}

static void take_outputs(fv_detector *d, const fv_result *r) {
    for (int i = 0; i < r->n; i++) {
        fv_tensor *out = &d->model.out[i];
        if (r->tensor[i].dtype == FV_F32)
            out->data = r->tensor[i].data;
        else
            fv_convert(out->data, FV_F32, r->tensor[i].data, r->tensor[i].dtype,
                       (size_t)fv_tensor_count(out));
    }
}

static void keep_classes(const fv_classes *classes, fv_objects *objects) {
    int n = 0;
    for (int i = 0; i < objects->n; i++)
        if (fv_classes_has(classes, objects->v[i].label))
            objects->v[n++] = objects->v[i];
    objects->n = n;
}

static void hand_out(const fv_detector *d, const pushed *p, fv_objects *objects) {
    int room = objects->capacity < d->max_objects ? objects->capacity : d->max_objects;
    objects->n = 0;
    for (int i = 0; i < d->candidates.n && objects->n < room; i++) {
        fv_object o = d->candidates.v[i];
        if (!d->unclipped)
            o.box = fv_box_clip(o.box, (float)p->width, (float)p->height);
        if (o.box.w > 0 && o.box.h > 0)
            objects->v[objects->n++] = o;
    }
}

bool fv_detector_pull(fv_detector *d, fv_objects *objects, void **user, fv_err *err) {
    fv_result r;
    pushed p = d->in_flight[d->first];
    if (user)
        *user = p.user;
    d->first = (d->first + (fv_detector_pending(d) > 0)) % d->slots;
    if (!(d->session ? fv_session_pull(d->session, &r, err) : fv_twin_pull(d->twin, &r, err)))
        return false;
    take_outputs(d, &r);
    fv_objects *c = &d->candidates;
    if (!fv_head_decode_candidates(&d->model.head, &d->model.input, d->model.out, d->model.n_outputs,
                                   r.candidate, r.n_candidates, d->threshold, r.fit, c, err))
        return false;
    keep_classes(&d->classes, c);
    if (!fv_head_is_final(&d->model.head))
        fv_nms(c, d->iou, d->exclusive.keep, d->exclusive.n);
    hand_out(d, &p, objects);
    return true;
}

int fv_detector_slots(const fv_detector *d) {
    return d->slots;
}

const fv_labels *fv_detector_labels(const fv_detector *d) {
    return &d->model.labels;
}

const fv_input *fv_detector_input(const fv_detector *d) {
    return &d->model.input;
}

int fv_detector_classes(const fv_detector *d) {
    return d->model.head.n_classes;
}

const char *fv_detector_head(const fv_detector *d) {
    return d->about;
}
