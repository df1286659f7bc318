// Concatenations that are not made: kernels of 1 x 1 convolutions read a list of places (shaders/lib/parts.glsl).
#include "pipeline/infer/lower.h"

#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/op_shape.h"

// MAX_PIXELS: a row of conv_row.c fits in any case. The others: of the list, as lib/parts.glsl reads it.
enum { MAX_PIXELS = 1 << 20, BASE = 2048, PLACE_DIGITS = 3, ENTRY = 8 };

static bool is(const fv_node *n, const char *op) {
    return !strcmp(fv_node_op(n), op);
}

static int64_t pixels(const fv_tensor *t) {
    return fv_tensor_count(t) / t->dim[1];
}

static bool reads_lists(const fv_plan *p, const fv_node *n) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    if (!is(n, "Conv") || !fv_lower_find(p, n) || pixels(fv_plan_tensor(p, n->in[0])) > MAX_PIXELS ||
        !caps->shuffle || caps->subgroup < 4 || caps->subgroup > 64)
        return false;
    return fv_conv_is_pointwise(n->attr) ? !fv_joint_conv_pool.find(p, n) : fv_joint_separable.find(p, n) != NULL;
}

// A part of something else, or one behind which the next would begin within a vec4.
static bool stays(const fv_plan *p, const fv_node *concat, int k) {
    if (k < concat->n_in - 1 && fv_plan_tensor(p, concat->in[k])->dim[1] % 4)
        return true;
    for (const fv_node *n = p->graph->node; n < concat; n++)
        if (n->out[0] == concat->in[k])
            return is(n, "Slice");
    return false;
}

bool fv_parts_stay(const fv_plan *p, const fv_node *concat) {
    const fv_tensor *t = fv_plan_tensor(p, concat->out[0]);
    if (((const fv_axis_attr *)concat->attr)->axis != 1 || t->n_dims < 3 || t->n_dims > 4 || concat->n_in > FV_MAX_PARTS)
        return false;
    bool any = false;
    for (int k = 0; k < concat->n_in; k++) {
        if (fv_plan_tensor(p, concat->in[k])->data)
            return false;
        any = any || stays(p, concat, k);
    }
    const fv_node *reader = any ? fv_joint_reader(p, concat) : NULL;
    return reader && reads_lists(p, reader);
}

static const fv_parts *find(fv_plan *p, const int *tensor, int n) {
    fv_parts *parts = FV_ARENA_NEW(p->arena, fv_parts, 1);
    for (int k = 0; k < n; k++) {
        const fv_view *v = fv_plan_pixels(p, tensor[k]);
        if (!v)
            return NULL;
        parts->view[k] = *v;
        fv_view_as_pixels(v, &parts->pixels[k]);
        parts->c4 += parts->pixels[k].c4;
    }
    parts->n = n;
    return parts;
}

void fv_parts_find(fv_plan *p, const fv_node *concat) {
    p->place[concat->out[0]].parts = find(p, concat->in, concat->n_in);
}

const fv_parts *fv_parts_of(fv_plan *p, const fv_node *conv) {
    const fv_place *place = &p->place[conv->in[0]];
    bool one = p->lists && !place->parts && !place->near && reads_lists(p, conv);
    return one ? find(p, conv->in, 1) : place->parts;
}

float *fv_parts_spread(const fv_parts *parts, const float *values, int64_t rows, int64_t size) {
    float *spread = calloc((size_t)(rows * 4 * parts->c4 * size), sizeof *spread);
    if (!spread)
        abort();
    float *to = spread;
    for (int64_t r = 0; r < rows; r++)
        for (int k = 0; k < parts->n; k++) {
            int64_t n = parts->pixels[k].c * size;
            memcpy(to, values, (size_t)n * sizeof *to);
            values += n;
            to += 4 * parts->pixels[k].c4 * size;
        }
    return spread;
}

static void add_ref(fv_plan *p, int64_t at, int root) {
    if (p->n_weight_refs == p->weight_refs_room) {
        p->weight_refs_room = 2 * p->weight_refs_room + 64;
        p->weight_ref = realloc(p->weight_ref, (size_t)p->weight_refs_room * sizeof *p->weight_ref);
        if (!p->weight_ref)
            abort();
    }
    p->weight_ref[p->n_weight_refs++] = (fv_weight_ref){at, root};
}

static void write_digits(float *to, int64_t value, int n) {
    for (int i = 0; i < n; i++, value /= BASE)
        to[i] = (float)(value % BASE);
}

uint32_t fv_parts_list(fv_plan *p, const fv_parts *parts) {
    int64_t at;
    float *to = fv_plan_weights(p, ENTRY * (size_t)parts->n, &at);
    for (int k = 0; k < parts->n; k++) {
        const fv_pixel_view *v = &parts->pixels[k];
        float *entry = to + ENTRY * k;
        write_digits(entry, v->at4, PLACE_DIGITS);
        write_digits(entry + 4, v->c4, 2);
        write_digits(entry + 6, v->pitch4, 2);
        add_ref(p, at + ENTRY * k, v->root);
    }
    return (uint32_t)(at / 4);
}

void fv_parts_resolve(fv_plan *p) {
    for (int i = 0; i < p->n_weight_refs; i++) {
        float *digits = &p->weights[p->weight_ref[i].at];
        int64_t at4 = 0;
        for (int d = PLACE_DIGITS - 1; d >= 0; d--)
            at4 = BASE * at4 + (int64_t)digits[d];
        at4 += (int64_t)(p->root[p->weight_ref[i].root].offset / (4 * p->element));
        write_digits(digits, at4, PLACE_DIGITS);
    }
}

void fv_parts_read(fv_step *s, const fv_parts *parts) {
    for (int k = 0; k < parts->n; k++)
        fv_step_reads_listed(s, &parts->view[k]);
}
