#include "pipeline/infer/candidates.h"

#include "shaders/push.h"

enum { MARK, LIST, BRING, N_STAGES, LOCAL = 256, MAX_ROOM = 1024, MAX_CELLS = 1 << 20 };

static uint32_t row_floats(const fv_cell_part *part) {
    uint32_t n = 0;
    for (int k = 0; k < FV_CELL_MATRICES; k++)
        n += (uint32_t)part->matrix[k].c;
    return n;
}

static bool is_on_device(const fv_plan *p, const fv_cell_part *part) {
    for (int k = 0; k < FV_CELL_MATRICES; k++)
        if (part->matrix[k].c && !p->output[part->matrix[k].output].exported)
            return false;
    return part->n < MAX_CELLS;
}

bool fv_picker_init(fv_picker *k, const fv_plan *p, const fv_candidates *c, fv_err *err) {
    int64_t n_cells = 0;
    uint32_t row = 0;
    for (int i = 0; i < c->n; i++) {
        if (!is_on_device(p, &c->part[i]))
            return true;
        n_cells += c->part[i].n;
        row = row_floats(&c->part[i]) > row ? row_floats(&c->part[i]) : row;
    }
    if (!p->params.candidates || p->params.profile || n_cells < 1 || n_cells >= MAX_CELLS)
        return true;
    k->of = *c;
    k->n_cells = (uint32_t)n_cells;
    k->row = row;
    k->room = n_cells < MAX_ROOM ? (uint32_t)n_cells : MAX_ROOM;
    k->scratch_at = (p->activation_bytes + 63) / 64 * 64 / p->element;
    k->out_at = p->readback_bytes / 4;
    k->activation_bytes = (k->scratch_at + k->n_cells + 2 + 2 * (size_t)k->room) * p->element;
    k->readback_bytes = (k->out_at + 1 + k->room + (size_t)k->room * row) * 4;
    for (uint32_t i = 0; i < N_STAGES; i++)
        if (!(k->kernel[i] = fv_gpu_kernel_get(p->gpu, p->half ? "candidates_half" : "candidates",
                                               (uint32_t[]){i, k->room, row}, 3, err)))
            return false;
    return true;
}

void fv_picker_finish(fv_picker *k, fv_gpu *gpu) {
    for (int i = 0; i < N_STAGES; i++)
        fv_gpu_kernel_put(gpu, k->kernel[i]);
}

static const fv_view *source_of(const fv_plan *p, const fv_cell_matrix *m) {
    return &p->output[m->output].source;
}

static fv_push_candidates push_of(const fv_picker *k, const fv_plan *p, const fv_cell_part *part, uint32_t first) {
    fv_push_candidates push = {
        .first = first, .n = (uint32_t)part->n, .total = k->n_cells, .scratch_at = (uint32_t)k->scratch_at,
        .out_at = (uint32_t)k->out_at, .least_score = part->least_score, .least_gate = part->least_gate};
    for (int i = 0; i < FV_CELL_MATRICES; i++) {
        const fv_cell_matrix *m = &part->matrix[i];
        const fv_view *v = source_of(p, m);
        if (m->c)
            push.at[i] = (uint32_t)(p->root[v->root].offset / p->element + (size_t)(v->at + m->at));
        push.cell[i] = (int)m->cell;
        push.channel[i] = (int)m->channel;
        push.c[i] = (uint32_t)m->c;
    }
    return push;
}

// The outputs that the part reads; returns how many spans.
static uint32_t read_spans(const fv_plan *p, const fv_cell_part *part, fv_gpu_span *spans) {
    uint32_t n = 0;
    for (int i = 0; i < FV_CELL_MATRICES; i++) {
        const fv_view *v = source_of(p, &part->matrix[i]);
        if (part->matrix[i].c)
            spans[n++] = (fv_gpu_span){FV_GPU_ACTIVATIONS, p->root[v->root].offset + (size_t)v->at * p->element,
                                       (size_t)fv_view_count(v) * p->element, false};
    }
    return n;
}

static fv_gpu_span scratch_span(const fv_picker *k, const fv_plan *p, size_t first, size_t n, bool written) {
    return (fv_gpu_span){FV_GPU_ACTIVATIONS, (k->scratch_at + first) * p->element, n * p->element, written};
}

static void add_parts(const fv_picker *k, const fv_plan *p, fv_gpu_program *program, int stage) {
    uint32_t first = 0;
    for (int i = 0; i < k->of.n; i++) {
        const fv_cell_part *part = &k->of.part[i];
        fv_push_candidates push = push_of(k, p, part, first);
        fv_gpu_span spans[FV_CELL_MATRICES + 1];
        uint32_t n = read_spans(p, part, spans), groups[3];
        int64_t invocations = stage == MARK ? part->n : (int64_t)k->room * k->row;
        // Parts write different rows, so that what they bring back needs no order among them and no span.
        spans[n++] = stage == MARK ? scratch_span(k, p, first, (size_t)part->n, true)
                                   : scratch_span(k, p, k->n_cells, 2 + 2 * (size_t)k->room, false);
        fv_groups((invocations + LOCAL - 1) / LOCAL, groups);
        fv_gpu_program_add(program, k->kernel[stage], spans, n, &push, sizeof push, groups);
        first += (uint32_t)part->n;
    }
}

void fv_picker_add(const fv_picker *k, const fv_plan *p, fv_gpu_program *program) {
    fv_push_candidates push = push_of(k, p, &(fv_cell_part){0}, 0);
    fv_gpu_span spans[] = {scratch_span(k, p, 0, k->n_cells, false),
                           scratch_span(k, p, k->n_cells, 2 + 2 * (size_t)k->room, true)};
    add_parts(k, p, program, MARK);
    fv_gpu_program_add(program, k->kernel[LIST], spans, 2, &push, sizeof push, (uint32_t[]){1, 1, 1});
    add_parts(k, p, program, BRING);
}

static void put_row(const fv_cell_part *part, int64_t i, const float *row, const fv_tensor *output) {
    for (int r = 0; r < FV_CELL_MATRICES; r++) {
        const fv_cell_matrix *m = &part->matrix[r];
        float *to = m->c ? (float *)output[m->output].data + m->at + i * m->cell : NULL;
        for (int c = 0; c < m->c; c++)
            to[c * m->channel] = *row++;
    }
}

int fv_picker_take(const fv_picker *k, const float *readback, const fv_tensor *output, uint32_t *cell) {
    const float *list = readback + k->out_at, *rows = list + 1 + k->room;
    int part = 0;
    int64_t first = 0;
    if (!(list[0] <= (float)k->room))
        return -1;
    for (int i = 0; i < (int)list[0]; i++) {
        cell[i] = (uint32_t)list[1 + i];
        while (cell[i] >= first + k->of.part[part].n)
            first += k->of.part[part++].n;
        put_row(&k->of.part[part], cell[i] - first, rows + (size_t)i * k->row, output);
    }
    return (int)list[0];
}
