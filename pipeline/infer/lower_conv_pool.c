#include "pipeline/infer/lower.h"

#include <stddef.h>
#include <string.h>

#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/op_pool.h"
#include "pipeline/infer/conv_row.h"
#include "shaders/act.h"

// PIXELS x ROWS pooled pixels a lane, so that few columns and rows of the convolution are computed twice; other devices
// than CPUs have more lanes to fill. The kernel is unrolled, which only a network's first layer can bear.
enum { PIXELS = 2, ROWS = 8, MAX_BLOCK = 24, MAX_KERNEL = 3, MAX_STRIDE = 2 };

static bool fits_conv(const fv_plan *p, const fv_node *n) {
    const fv_conv_attr *a = n->attr;
    const fv_tensor *x = fv_plan_tensor(p, n->in[0]);
    return fv_lower_conv_fits(p, n, 0) && x->n_dims == 4 && x->dim[1] <= 4 && a->group == 1 &&
           a->dilation[0] * a->dilation[1] == 1 && a->residual == FV_RESIDUAL_NONE && a->kernel[0] <= MAX_KERNEL &&
           a->kernel[1] <= MAX_KERNEL && a->stride[0] <= MAX_STRIDE && a->stride[1] <= MAX_STRIDE;
}

static bool fits_pool(const fv_plan *p, const fv_node *n) {
    const fv_pool_attr *a = n->attr;
    int kernel = a->kernel[0], stride = a->stride[0];
    return fv_lower_find(p, n) && a->kernel[1] == kernel && a->stride[1] == stride &&
           a->dilation[0] * a->dilation[1] == 1 && stride > 1 && stride <= MAX_STRIDE &&
           (kernel == stride || kernel == stride + 1);
}

static const fv_node *find(const fv_plan *p, const fv_node *n) {
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    if (strcmp(fv_node_op(n), "Conv") || !caps->shuffle || caps->subgroup < 4 || !fits_conv(p, n))
        return NULL;
    const fv_node *b = fv_joint_reader(p, n);
    return b && !strcmp(fv_node_op(b), "MaxPool") && fits_pool(p, b) ? b : NULL;
}

static fv_push_conv_pool make_push(const fv_conv_attr *a, const fv_pool_attr *b, const fv_tensor *between,
                                   const fv_pixel_view *in, const fv_pixel_view *out, uint32_t rows) {
    return (fv_push_conv_pool){
        .in_at4 = (uint32_t)in->at4, .in_pitch4 = (uint32_t)in->pitch4,
        .width = (int)in->w, .height = (int)in->h, .pad_x = a->pad[1], .pad_y = a->pad[0],
        .between_width = (int)between->dim[3], .between_height = (int)between->dim[2], .pool_pad_x = b->pad[1],
        .pool_pad_y = b->pad[0], .out_at4 = (uint32_t)out->at4, .out_pitch4 = (uint32_t)out->pitch4,
        .out_channels = (uint32_t)out->c, .out_width = (int)out->w, .out_height = (int)out->h,
        .pictures = (uint32_t)out->n, .blocks_x = ((uint32_t)out->w + PIXELS - 1) / PIXELS,
        .blocks_y = ((uint32_t)out->h + rows - 1) / rows, .alpha = a->activation.alpha, .beta = a->activation.beta};
}

static void pack(fv_plan *p, const fv_node *n, const fv_conv_row *row, const fv_conv_shape *shape, fv_push_conv_pool *push) {
    int64_t at;
    float *to = fv_plan_weights(p, fv_conv_row_weights(row, shape), &at);
    fv_conv_row_pack(row, shape, fv_plan_tensor(p, n->in[1])->data, to);
    push->weights_at4 = (uint32_t)(at / 4);
    to = fv_plan_weights(p, (size_t)shape->out_channels, &at);
    if (n->n_in > 2 && n->in[2] >= 0)
        memcpy(to, fv_plan_tensor(p, n->in[2])->data, (size_t)shape->out_channels * sizeof *to);
    push->bias_at4 = (uint32_t)(at / 4);
}

static void lower(fv_plan *p, const fv_node *conv, const fv_node *pool) {
    const fv_conv_attr *a = conv->attr;
    const fv_pool_attr *b = pool->attr;
    const fv_gpu_caps *caps = fv_gpu_get_caps(p->gpu);
    const fv_view *in_view = fv_plan_pixels(p, conv->in[0]);
    if (!in_view)
        return;
    fv_view from = *in_view, to = fv_plan_make_pixels(p, pool->out[0]);
    fv_pixel_view in, out;
    fv_view_as_pixels(&from, &in), fv_view_as_pixels(&to, &out);
    uint32_t rows = caps->cpu ? ROWS : 1;
    fv_push_conv_pool push = make_push(a, b, fv_plan_tensor(p, conv->out[0]), &in, &out, rows);
    const fv_conv_row row = {.kernel = FV_CONV_TILE, .x = PIXELS, .y = MAX_BLOCK};
    const fv_conv_shape shape = {.in_channels = (int)in.c, .out_channels = (int)out.c, .groups = 1,
                                 .kernel_x = a->kernel[1], .kernel_y = a->kernel[0]};
    pack(p, conv, &row, &shape, &push);
    uint32_t block = (uint32_t)fv_conv_row_block(&row, &shape), pieces = push.pictures * push.blocks_y * push.blocks_x;
    uint32_t local = fv_conv_local(pieces, caps);
    uint32_t spec[] = {local, caps->subgroup, PIXELS, rows, block, (uint32_t)a->kernel[1], (uint32_t)a->kernel[0],
                       (uint32_t)a->stride[1], (uint32_t)a->stride[0], a->activation.kind, (uint32_t)b->kernel[0],
                       (uint32_t)b->stride[0], (uint32_t)in.c, out.c % block == 0};
    fv_step *s = fv_plan_dispatch(p, conv, a->activation.kind <= ACT_LAST_OF_FEW ? "conv_pool" : "conv_pool_any", spec,
                                  sizeof spec / sizeof *spec, &push, sizeof push, 1, 1);
    s->groups[0] = ((uint32_t)out.c + block - 1) / block;
    s->groups[1] = (pieces + local - 1) / local;
    s->note = "convolution + pool";
    fv_step_reads(s, &from, offsetof(fv_push_conv_pool, in_at4), 16);
    fv_step_writes(s, &to, offsetof(fv_push_conv_pool, out_at4), 16);
    s->macs = (double)fv_node_macs(p->graph, conv);
}

const fv_joint fv_joint_conv_pool = {find, lower};
