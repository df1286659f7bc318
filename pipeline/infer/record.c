#include "pipeline/infer/session.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/infer/preprocess.h"
#include "shaders/push_conv.h"

// ---- programs --------------------------------------------------------------------------------------

static void add_step(const fv_plan *p, fv_gpu_program *program, const fv_step *s) {
    fv_gpu_span spans[FV_STEP_MAX_TOUCHES];
    for (int i = 0; i < s->n_touches; i++) {
        const fv_touch *t = &s->touch[i];
        bool readback = t->space == FV_SPACE_READBACK;
        size_t base = readback ? 0 : p->root[t->root].offset;
        spans[i] = (fv_gpu_span){readback ? FV_GPU_READ_BACK : FV_GPU_ACTIVATIONS, base + (size_t)t->lo,
                                 (size_t)(t->hi - t->lo), t->written};
    }
    fv_gpu_program_add(program, s->pipeline, spans, (uint32_t)s->n_touches, s->push, 4 * s->n_words, s->groups);
}

static uint32_t plane_rows(const fv_frame *f, int plane) {
    int sub = fv_pixels_rows[f->format].plane[plane].sub_y;
    return (uint32_t)((f->height + sub) >> sub);
}

// Where the planes of a frame lie in the upload block; returns the bytes of all.
static size_t plane_places(const fv_frame *f, uint32_t at[3]) {
    size_t bytes = 0;
    for (int i = 0; i < fv_pixels_rows[f->format].n_planes; i++) {
        at[i] = (uint32_t)bytes;
        bytes += ((size_t)f->stride[i] * plane_rows(f, i) + 63) / 64 * 64;
    }
    return bytes;
}

static fv_layout frame_layout(const fv_session *s) {
    fv_pixel_view pixels;
    return fv_view_as_pixels(&s->plan->frame_view, &pixels) ? FV_LAYOUT_FOUR
           : s->input.nhwc                                  ? FV_LAYOUT_THREE
                                                            : FV_LAYOUT_PLANES;
}

static bool add_preprocess(fv_session *s, fv_slot *slot, fv_gpu_program *program, const fv_frame *f, fv_err *err) {
    enum { LOCAL = 64, ROWS = 4 };
    const fv_plan *p = s->plan;
    const fv_pixels_row *row = &fv_pixels_rows[f->format];
    const fv_input *in = &s->input;
    const fv_fit *fit = &slot->fit;
    fv_window w = fv_fit_window(in, fit, f);
    fv_color c = fv_color_compute(f);
    uint32_t spec[] = {LOCAL, (uint32_t)row->n_planes, row->plane[0].pixel_bytes, (uint32_t)row->r, (uint32_t)row->g,
                       (uint32_t)row->b, in->bgr, frame_layout(s),
                       (uint32_t)fv_taps(in->filter, fit->scale_x), (uint32_t)fv_taps(in->filter, fit->scale_y),
                       (uint32_t)fv_taps(in->filter, 2 * fit->scale_x), (uint32_t)fv_taps(in->filter, 2 * fit->scale_y)};
    const char *name = p->half ? "preprocess_half" : fv_gpu_get_caps(p->gpu)->int64 ? "preprocess_wide" : "preprocess";
    fv_gpu_kernel *kernel = fv_gpu_kernel_get(p->gpu, name, spec, sizeof spec / sizeof *spec, err);
    if (!kernel)
        return false;
    fv_push_preprocess push = {
        .width = f->width, .height = f->height, .out_width = in->width, .out_height = in->height,
        .x0 = w.x0, .y0 = w.y0, .x1 = w.x1, .y1 = w.y1,
        .scale_x = fit->scale_x, .scale_y = fit->scale_y, .offset_x = fit->offset_x, .offset_y = fit->offset_y,
        .y_scale = c.y_scale, .y_add = -c.y_offset * c.y_scale, .cr_r = c.cr_r * c.c_scale,
        .cb_g = c.cb_g * c.c_scale, .cr_g = c.cr_g * c.c_scale, .cb_b = c.cb_b * c.c_scale, .pad = in->pad,
        .out_at = (uint32_t)(p->root[p->frame_root].offset / p->element + (size_t)p->frame_view.at)};
    plane_places(f, push.plane_at);
    for (int i = 0; i < 3; i++) {
        push.stride[i] = (uint32_t)f->stride[i];
        push.mean[i] = in->mean[i];
        push.gain[i] = in->scale[i];
    }
    int64_t lo, hi;
    fv_view_extent(&p->frame_view, &lo, &hi);
    size_t base = p->root[p->frame_root].offset;
    fv_gpu_span span = {FV_GPU_ACTIVATIONS, base + (size_t)lo * p->element, (size_t)(hi - lo) * p->element, true};
    uint32_t groups[3];
    fv_groups(((int64_t)in->width * ((in->height + ROWS - 1) / ROWS) + LOCAL - 1) / LOCAL, groups);
    fv_gpu_program_add(program, kernel, &span, 1, &push, sizeof push, groups);
    return true;
}

// What follows the network: candidates are found, or all outputs are brought back.
static void add_last(const fv_session *s, fv_gpu_program *program) {
    const fv_plan *p = s->plan;
    if (s->picker.room)
        fv_picker_add(&s->picker, p, program);
    for (int i = s->picker.room ? p->n_steps : p->n_steps - p->n_exports; i < p->n_steps; i++)
        add_step(p, program, &p->step[i]);
}

// Steps of a segment; the first one has `frame` or the imports before it.
static fv_gpu_program *record(fv_session *s, fv_slot *slot, int segment, const fv_frame *frame, fv_err *err) {
    const fv_plan *p = s->plan;
    fv_gpu_blocks blocks = {slot->activations, p->weight_buffer, slot->upload, slot->readback, p->half};
    fv_gpu_program *program = fv_gpu_program_begin(p->gpu, &blocks, err);
    if (!program)
        return NULL;
    if (p->params.profile)
        fv_gpu_program_profile(program, (uint32_t)(p->n_steps + 1));
    bool ok = !frame || slot->preprocess || add_preprocess(s, slot, program, frame, err);
    for (int i = segment || frame ? p->n_steps : 0; i < p->n_import; i++)
        add_step(p, program, &p->step[i]);
    for (int i = p->segment[segment].first; ok && i < p->segment[segment].end; i++)
        add_step(p, program, &p->step[i]);
    if (ok && p->n_exports && segment == p->n_segments - 2)
        add_last(s, program);
    if (!ok || !fv_gpu_program_end(program, err))
        fv_gpu_program_destroy(&program);
    return program;
}

static bool record_all(fv_session *s, fv_slot *slot, fv_err *err) {
    const fv_plan *p = s->plan;
    *p->n_barriers = 0;
    for (int i = 0; i < p->n_segments; i++) {
        if (p->segment[i].host)
            continue;
        fv_gpu_program_destroy(&slot->program[i]);
        slot->program[i] = record(s, slot, i, NULL, err);
        if (!slot->program[i])
            return false;
        *p->n_barriers += (int)fv_gpu_program_barriers(slot->program[i]);
    }
    return true;
}

bool fv_slot_grow_upload(fv_session *s, fv_slot *slot, size_t bytes, fv_err *err) {
    if (slot->upload && fv_gpu_buffer_bytes(slot->upload) >= bytes)
        return true;
    fv_gpu_program_destroy(&slot->frame);
    fv_gpu_buffer_destroy(&slot->upload);
    slot->upload = fv_gpu_buffer_create(s->plan->gpu, bytes, FV_GPU_UPLOAD, err);
    if (!slot->upload)
        return false;
    return record_all(s, slot, err); // every program knows the old block
}

// ---- slots -----------------------------------------------------------------------------------------

static void place_outputs(fv_session *s, fv_slot *slot) {
    const fv_plan *p = s->plan;
    char *map = fv_gpu_buffer_map(slot->activations), *readback = fv_gpu_buffer_map(slot->readback);
    slot->output = FV_ARENA_NEW(s->arena, fv_tensor, p->graph->n_outputs + 1);
    for (int i = 0; i < p->graph->n_outputs; i++) {
        const fv_output *o = &p->output[i];
        int tensor = p->graph->output[i];
        slot->output[i] = *fv_plan_tensor(p, tensor);
        if (o->place == FV_OUTPUT_ACTIVATIONS)
            slot->output[i].data = map + p->root[o->view.root].offset + (size_t)o->view.at * 4;
        else if (o->place == FV_OUTPUT_READBACK)
            slot->output[i].data = readback + (size_t)o->view.at * 4;
        else if (o->place == FV_OUTPUT_HOST)
            slot->output[i].data = slot->host + p->place[tensor].host_at;
    }
}

bool fv_slot_init(fv_session *s, fv_slot *slot, fv_err *err) {
    const fv_plan *p = s->plan;
    const fv_picker *k = &s->picker;
    size_t bytes = k->room ? k->activation_bytes : p->activation_bytes;
    size_t readback_bytes = k->room ? k->readback_bytes : p->readback_bytes;
    slot->activations = fv_gpu_buffer_create(p->gpu, bytes, FV_GPU_DEVICE, err);
    slot->readback = slot->activations ? fv_gpu_buffer_create(p->gpu, readback_bytes, FV_GPU_READBACK, err) : NULL;
    slot->candidate = FV_ARENA_NEW(s->arena, uint32_t, k->room + 1);
    slot->host = fv_arena_alloc(s->arena, p->host_bytes + 16);
    slot->program = FV_ARENA_NEW(s->arena, fv_gpu_program *, p->n_segments);
    slot->host_step = FV_ARENA_NEW(s->arena, fv_host_step, p->n_segments);
    if (!slot->readback || !fv_host_steps_prepare(s, slot, err))
        return false;
    place_outputs(s, slot);
    return s->has_input ? record_all(s, slot, err) : fv_slot_grow_upload(s, slot, p->upload_bytes, err);
}

void fv_slot_finish(fv_slot *slot, int n_segments) {
    fv_host_preprocess_destroy(&slot->preprocess);
    fv_gpu_program_destroy(&slot->frame);
    for (int i = 0; slot->program && i < n_segments; i++)
        fv_gpu_program_destroy(&slot->program[i]);
    fv_gpu_buffer_destroy(&slot->activations);
    fv_gpu_buffer_destroy(&slot->upload);
    fv_gpu_buffer_destroy(&slot->readback);
}

// ---- frames ----------------------------------------------------------------------------------------

static bool prepared_by_host(const fv_plan *p, const fv_slot *slot) {
    return fv_gpu_get_caps(p->gpu)->cpu && fv_gpu_buffer_map(slot->activations) && !p->half &&
           !p->params.device_preprocess;
}

bool fv_slot_record_frame(fv_session *s, fv_slot *slot, const fv_frame *f, float par, fv_err *err) {
    fv_geometry g;
    memset(&g, 0, sizeof g);
    g.format = f->format, g.width = f->width, g.height = f->height, g.par = par;
    g.matrix = f->matrix, g.full_range = f->full_range;
    memcpy(g.stride, f->stride, sizeof g.stride);
    if (slot->frame && !memcmp(&g, &slot->geometry, sizeof g))
        return true;
    uint32_t at[3];
    fv_gpu_program_destroy(&slot->frame);
    fv_host_preprocess_destroy(&slot->preprocess);
    if (f->width < 1 || f->height < 1)
        return fv_fail(err, FV_BAD_INPUT, "a frame of %d x %d pixels", f->width, f->height);
    slot->geometry = g;
    slot->fit = fv_fit_compute(&s->input, f->width, f->height, par);
    if (prepared_by_host(s->plan, slot))
        slot->preprocess = fv_host_preprocess_create(f, &slot->fit, &s->input, frame_layout(s));
    else if (!fv_slot_grow_upload(s, slot, plane_places(f, at), err))
        return false;
    slot->frame = record(s, slot, 0, f, err);
    return slot->frame != NULL;
}

static void copy_planes(fv_slot *slot, const fv_frame *f) {
    uint32_t at[3];
    char *map = fv_gpu_buffer_map(slot->upload);
    plane_places(f, at);
    for (int i = 0; i < fv_pixels_rows[f->format].n_planes; i++) {
        // The last row may end before its stride does.
        int sub = fv_pixels_rows[f->format].plane[i].sub_x;
        size_t row = (size_t)((f->width + sub) >> sub) * fv_pixels_rows[f->format].plane[i].pixel_bytes;
        memcpy(map + at[i], f->plane[i], (size_t)f->stride[i] * (plane_rows(f, i) - 1) + row);
    }
}

void fv_slot_bring_frame(const fv_session *s, fv_slot *slot, const fv_frame *f) {
    const fv_plan *p = s->plan;
    char *map = fv_gpu_buffer_map(slot->activations);
    if (slot->preprocess)
        fv_host_preprocess_run(slot->preprocess, f, (float *)(map + p->root[p->frame_root].offset) + p->frame_view.at);
    else
        copy_planes(slot, f);
}
