#include "pipeline/infer/lower.h"

#include <stddef.h>

#include "pipeline/graph/op_deform.h"
#include "shaders/push.h"

enum { LOCAL = 64 };

static bool fits(const fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    const fv_deform_attr *a = n->attr;
    int64_t channels = fv_plan_tensor(p, n->in[0])->dim[1];
    return channels / a->conv.group % 4 == 0 && channels / a->offset_group % 4 == 0;
}

static bool find(fv_plan *p, int tensor, fv_view *view, fv_pixel_view *pixels) {
    const fv_view *v = fv_plan_pixels(p, tensor);
    if (!v)
        return false;
    *view = *v;
    return fv_view_as_pixels(view, pixels);
}

static void lower(fv_plan *p, const fv_node *n, uint32_t kind) {
    (void)kind;
    enum { X, OFFSET, MASK, N_INPUTS };
    const fv_deform_attr *a = n->attr;
    const fv_conv_attr *c = &a->conv;
    fv_view view[N_INPUTS], to;
    fv_pixel_view in[N_INPUTS] = {0}, out;
    bool masked = n->n_in > MASK && n->in[MASK] >= 0;
    for (int k = 0; k < (masked ? N_INPUTS : MASK); k++)
        if (!find(p, n->in[k], &view[k], &in[k]))
            return;
    to = fv_plan_make_pixels(p, n->out[0]);
    fv_view_as_pixels(&to, &out);
    fv_push_deform push = {
        .in_at4 = (uint32_t)in[X].at4, .in_pitch4 = (uint32_t)in[X].pitch4, .offset_at4 = (uint32_t)in[OFFSET].at4,
        .offset_pitch4 = (uint32_t)in[OFFSET].pitch4, .mask_at4 = (uint32_t)in[MASK].at4,
        .mask_pitch4 = (uint32_t)in[MASK].pitch4, .out_at4 = (uint32_t)out.at4, .out_pitch4 = (uint32_t)out.pitch4,
        .n_pixels = (uint32_t)out.n_pixels, .c4 = (uint32_t)out.c4, .group_channels4 = (uint32_t)(in[X].c / c->group / 4),
        .moved_channels4 = (uint32_t)(in[X].c / a->offset_group / 4),
        .win = {.in_w = (int)in[X].w, .in_h = (int)in[X].h, .out_w = (int)out.w, .out_h = (int)out.h,
                .kernel_x = c->kernel[1], .kernel_y = c->kernel[0], .stride_x = c->stride[1], .stride_y = c->stride[0],
                .pad_x = c->pad[1], .pad_y = c->pad[0], .dilation_x = c->dilation[1], .dilation_y = c->dilation[0]}};
    uint32_t spec[] = {masked};
    fv_step *s = fv_plan_dispatch(p, n, "deform", spec, 1, &push, sizeof push, out.n_pixels * out.c4, LOCAL);
    fv_step_reads(s, &view[X], offsetof(fv_push_deform, in_at4), 16);
    fv_step_reads(s, &view[OFFSET], offsetof(fv_push_deform, offset_at4), 16);
    if (masked)
        fv_step_reads(s, &view[MASK], offsetof(fv_push_deform, mask_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_deform, out_at4), 16);
}

const fv_lowering fv_lower_deform_rows[] = {{"DeformColumns", 0, fits, lower}, {0}};
