#include "pipeline/infer/session.h"

#include <stdlib.h>
#include <string.h>

static bool check_input(const fv_session *s, fv_err *err) {
    const fv_plan *p = s->plan;
    if (p->graph->n_inputs != 1 || p->frame_root < 0)
        return fv_fail(err, FV_UNSUPPORTED, "the model's input is no picture (1x3xHxW); push tensors instead");
    const fv_tensor *t = fv_plan_tensor(p, p->graph->input[0]);
    const int64_t *d = t->dim;
    bool nhwc = s->input.nhwc;
    if (d[0] != 1 || d[nhwc ? 3 : 1] != 3 || d[nhwc ? 1 : 2] != s->input.height || d[nhwc ? 2 : 3] != s->input.width)
        return fv_fail(err, FV_BAD_INPUT, "input '%s' is %lldx%lldx%lldx%lld, frames would give 3 channels of %d x %d",
                       t->name, (long long)d[0], (long long)d[1], (long long)d[2], (long long)d[3], s->input.width,
                       s->input.height);
    return true;
}

fv_session *fv_session_create_picking(const fv_plan *p, const fv_input *input, const fv_candidates *c, int slots,
                                      fv_err *err) {
    fv_session *s = calloc(1, sizeof *s);
    if (!s) {
        fv_fail(err, FV_MEMORY, "out of memory");
        return NULL;
    }
    s->plan = p;
    s->arena = fv_arena_create();
    s->n_slots = slots > 0 ? slots : 1;
    s->slot = FV_ARENA_NEW(s->arena, fv_slot, s->n_slots);
    s->has_input = input != NULL;
    if (input)
        s->input = *input;
    bool ok = (!input || check_input(s, err)) && (!c || fv_picker_init(&s->picker, p, c, err));
    for (int i = 0; ok && i < s->n_slots; i++)
        ok = fv_slot_init(s, &s->slot[i], err);
    if (!ok)
        fv_session_destroy(&s);
    return s;
}

fv_session *fv_session_create(const fv_plan *p, const fv_input *input, int slots, fv_err *err) {
    return fv_session_create_picking(p, input, NULL, slots, err);
}

static fv_slot *next_slot(fv_session *s, fv_err *err) {
    if (s->n_pending == s->n_slots) {
        fv_fail(err, FV_BAD_INPUT, "all %d slots are in flight; pull a result first", s->n_slots);
        return NULL;
    }
    return &s->slot[(s->first + s->n_pending) % s->n_slots];
}

static bool start(fv_session *s, fv_slot *slot, bool frame, void *user, fv_err *err) {
    slot->user = user;
    slot->frame_pushed = frame;
    if (!fv_gpu_program_submit(frame ? slot->frame : slot->program[0], &slot->ticket, err))
        return false;
    s->n_pending++;
    return true;
}

bool fv_session_push(fv_session *s, const fv_frame *frame, float par, void *user, fv_err *err) {
    fv_slot *slot = next_slot(s, err);
    if (!slot)
        return false;
    if (!s->has_input)
        return fv_fail(err, FV_BAD_INPUT, "the session was made for tensors; give fv_session_create an fv_input");
    if (!fv_slot_record_frame(s, slot, frame, par, err))
        return false;
    fv_slot_bring_frame(s, slot, frame);
    return start(s, slot, true, user, err);
}

bool fv_session_push_tensors(fv_session *s, const void *const in[], void *user, fv_err *err) {
    const fv_plan *p = s->plan;
    fv_slot *slot = next_slot(s, err);
    if (!slot || !fv_slot_grow_upload(s, slot, p->upload_bytes, err))
        return false;
    fv_plan_import(p, in, &(fv_import_blocks){fv_gpu_buffer_map(slot->activations), fv_gpu_buffer_map(slot->upload),
                                              slot->host});
    return start(s, slot, false, user, err);
}

static void note_times(const fv_plan *p, const fv_slot *slot, int segment) {
    const fv_gpu_program *program = slot->program[segment];
    int skip = segment ? 0 : p->n_import;
    if (!segment && slot->frame_pushed)
        program = slot->frame, skip = !slot->preprocess;
    float ms[4096];
    int n = (int)fv_gpu_program_times(program, ms, 4096);
    for (int i = skip; i < n; i++) { // of the segment before the exports also these
        fv_step *step = &p->step[p->segment[segment].first + i - skip];
        step->ms = step->ms == 0 || ms[i] < step->ms ? ms[i] : step->ms;
    }
}

static bool run_segment(fv_session *s, fv_slot *slot, int i, fv_err *err) {
    const fv_plan *p = s->plan;
    if (p->segment[i].host)
        return fv_host_step_run(s, slot, i, err);
    if (i > 0 && !fv_gpu_program_submit(slot->program[i], &slot->ticket, err))
        return false;
    if (!fv_gpu_wait_awake(p->gpu, slot->ticket, err))
        return false;
    if (p->params.profile)
        note_times(p, slot, i);
    return true;
}

// What was found among the frame's cells; all outputs when that were too many.
static bool take_candidates(fv_session *s, fv_slot *slot, fv_result *result, fv_err *err) {
    const float *readback = fv_gpu_buffer_map(slot->readback);
    int n = s->picker.room ? fv_picker_take(&s->picker, readback, slot->output, slot->candidate) : 0;
    if (n < 0)
        return run_segment(s, slot, s->plan->n_segments - 1, err);
    result->candidate = s->picker.room ? slot->candidate : NULL;
    result->n_candidates = n;
    return true;
}

bool fv_session_pull(fv_session *s, fv_result *result, fv_err *err) {
    if (!s->n_pending)
        return fv_fail(err, FV_BAD_INPUT, "nothing was pushed");
    fv_slot *slot = &s->slot[s->first];
    s->first = (s->first + 1) % s->n_slots;
    s->n_pending--;
    for (int i = 0; i < s->plan->n_segments - (s->plan->n_exports > 0); i++)
        if (!run_segment(s, slot, i, err))
            return false;
    if (s->plan->n_collects)
        fv_plan_collect_run(s->plan, fv_gpu_buffer_map(slot->activations));
    if (!s->settled)
        fv_gpu_settle(s->plan->gpu);
    s->settled = true;
    *result = (fv_result){.n = s->plan->graph->n_outputs, .tensor = slot->output, .user = slot->user,
                          .fit = slot->frame_pushed ? slot->fit : (fv_fit){1, 1, 0, 0}};
    return take_candidates(s, slot, result, err);
}

int fv_session_pending(const fv_session *s) {
    return s->n_pending;
}

void fv_session_destroy(fv_session **session) {
    fv_session *s = *session;
    *session = NULL;
    if (!s)
        return;
    for (int i = 0; i < s->n_slots; i++)
        fv_slot_finish(&s->slot[i], s->plan->n_segments);
    fv_picker_finish(&s->picker, s->plan->gpu);
    fv_arena_destroy(&s->arena);
    free(s);
}
