// How pushed tensors come in: through the upload block and a kernel, or, where the device is the CPU, by the
// host, which saves it a copy and a dispatch.
#include <string.h>

#include "pipeline/infer/plan.h"
#include "pipeline/infer/preprocess_host.h"

enum { CHUNK = 256 }; // pixels

static size_t align16(size_t n) {
    return (n + 15) / 16 * 16;
}

static bool has_room(const fv_tensor *t) {
    return t->dtype == FV_F32 && fv_tensor_count(t) > 0;
}

void fv_plan_place_inputs(fv_plan *p) {
    const fv_graph *g = p->graph;
    bool by_host = fv_gpu_get_caps(p->gpu)->cpu && !p->half;
    p->upload_at = FV_ARENA_NEW(p->arena, size_t, g->n_inputs + 1);
    p->brought = by_host ? FV_ARENA_NEW(p->arena, fv_view, g->n_inputs + 1) : NULL;
    for (int i = 0; i < g->n_inputs; i++) {
        const fv_tensor *t = &g->tensor[g->input[i]];
        if (!has_room(t))
            continue;
        bool picture = t->n_dims == 4;
        fv_view in = fv_plan_scratch(p, t->n_dims, t->dim, picture && t->dim[1] <= 4);
        if (by_host) {
            p->brought[i] = in;
            p->root[in.root].brought = true;
        } else {
            p->upload_at[i] = p->upload_bytes;
            p->upload_bytes += align16(fv_tensor_bytes(t));
            fv_view up = fv_view_dense(FV_SPACE_UPLOAD, 0, (int64_t)p->upload_at[i] / 4, t->n_dims, t->dim);
            fv_plan_copy(p, NULL, &up, &in, "input");
        }
        fv_plan_add_view(p, g->input[i], &in);
        if (i == 0 && picture) {
            p->frame_root = in.root;
            p->frame_view = in;
        }
    }
    p->n_import = p->n_steps;
}

// ---- by the host -----------------------------------------------------------------------------------

// Planes of up to four channels to pixels of four, zeros behind the last channel.
static void bring_pixels(const fv_pixel_view *v, const float *from, float *to) {
    static const float zeros[CHUNK];
    int64_t plane = v->h * v->w;
    for (int64_t i = 0; i < v->n; i++, from += v->c * plane, to += 4 * plane)
        for (int64_t at = 0; at < plane; at += CHUNK) {
            const float *channel[4];
            for (int64_t c = 0; c < 4; c++)
                channel[c] = c < v->c ? from + c * plane + at : zeros;
            fv_host_interleave(channel, to + 4 * at, (int)(plane - at < CHUNK ? plane - at : CHUNK));
        }
}

static void bring(const fv_plan *p, const fv_tensor *t, const fv_view *view, const void *from, char *activations) {
    float *to = (float *)(activations + p->root[view->root].offset) + view->at;
    fv_pixel_view pixels;
    if (fv_view_is_dense(view))
        memcpy(to, from, fv_tensor_bytes(t));
    else if (fv_view_as_pixels(view, &pixels))
        bring_pixels(&pixels, from, to);
}

void fv_plan_import(const fv_plan *p, const void *const in[], const fv_import_blocks *to) {
    for (int i = 0; i < p->graph->n_inputs; i++) {
        const fv_tensor *t = fv_plan_tensor(p, p->graph->input[i]);
        size_t host_at = p->place[p->graph->input[i]].host_at;
        if (host_at != SIZE_MAX)
            memcpy(to->host + host_at, in[i], fv_tensor_bytes(t));
        else if (has_room(t) && p->brought)
            bring(p, t, &p->brought[i], in[i], to->activations);
        else if (has_room(t))
            memcpy(to->upload + p->upload_at[i], in[i], fv_tensor_bytes(t));
    }
}
