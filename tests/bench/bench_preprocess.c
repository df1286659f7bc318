// 1080p I420 -> letterboxed, normalised 640 x 640 network input: a session's push and pull (preprocess and
// a network that only looks at one value) beside libswscale (bilinear, RGB24, two threads) and the
// normalisation in C, on two threads too. On a CPU device also with the device's kernel, which other
// devices use. Run by ./dev bench.
#include <libswscale/swscale.h>
#include <libavutil/frame.h>
#include <libavutil/opt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pipeline/gpu/gpu.h"
#include "pipeline/infer/infer.h"
#include "tests/infer/one_node.h"

enum { WIDTH = 1920, HEIGHT = 1080, SIDE = 640, SHOWN = 360, TOP = (SIDE - SHOWN) / 2, ROUNDS = 200, THREADS = 2 };

static double now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

// ---- libswscale and a loop -------------------------------------------------------------------------

typedef struct {
    struct SwsContext *scale;
    AVFrame *from, *to;
    float *tensor; // 3 x SIDE x SIDE
} rival;

static AVFrame *make_frame(enum AVPixelFormat format, int width, int height) {
    AVFrame *f = av_frame_alloc();
    if (f) {
        f->format = format, f->width = width, f->height = height;
        if (av_frame_get_buffer(f, 64) < 0)
            av_frame_free(&f);
    }
    return f;
}

static bool rival_init(rival *r) {
    *r = (rival){.scale = sws_alloc_context(), .from = make_frame(AV_PIX_FMT_YUV420P, WIDTH, HEIGHT),
                 .to = make_frame(AV_PIX_FMT_RGB24, SIDE, SHOWN),
                 .tensor = malloc(3 * SIDE * SIDE * sizeof *r->tensor)};
    if (!r->scale || !r->from || !r->to || !r->tensor)
        return false;
    av_opt_set_int(r->scale, "srcw", WIDTH, 0);
    av_opt_set_int(r->scale, "srch", HEIGHT, 0);
    av_opt_set_int(r->scale, "src_format", AV_PIX_FMT_YUV420P, 0);
    av_opt_set_int(r->scale, "dstw", SIDE, 0);
    av_opt_set_int(r->scale, "dsth", SHOWN, 0);
    av_opt_set_int(r->scale, "dst_format", AV_PIX_FMT_RGB24, 0);
    av_opt_set_int(r->scale, "sws_flags", SWS_BILINEAR, 0);
    av_opt_set_int(r->scale, "threads", THREADS, 0);
    return sws_init_context(r->scale, NULL, NULL) >= 0;
}

static void rival_finish(rival *r) {
    sws_freeContext(r->scale);
    av_frame_free(&r->from);
    av_frame_free(&r->to);
    free(r->tensor);
}

typedef struct {
    const rival *r;
    int first, end; // rows of the tensor
} part;

static void *normalise(void *user) {
    const part *p = user;
    for (int y = p->first; y < p->end; y++) {
        bool shown = y >= TOP && y < TOP + SHOWN;
        const uint8_t *from = p->r->to->data[0] + (shown ? y - TOP : 0) * p->r->to->linesize[0];
        float *to = p->r->tensor + y * SIDE;
        for (int c = 0; c < 3; c++)
            for (int x = 0; x < SIDE; x++)
                to[c * SIDE * SIDE + x] = (shown ? (float)from[3 * x + c] : 114.0f) * (1 / 255.0f);
    }
    return NULL;
}

static bool rival_run(rival *r) {
    pthread_t other;
    part low = {r, 0, SIDE / 2}, high = {r, SIDE / 2, SIDE};
    if (sws_scale_frame(r->scale, r->to, r->from) < 0 || pthread_create(&other, NULL, normalise, &high))
        return false;
    normalise(&low);
    return !pthread_join(other, NULL);
}

// ---- a session -------------------------------------------------------------------------------------

typedef struct {
    fv_gpu *gpu;
    fv_graph *g;
    fv_plan *plan;
    fv_session *s;
    fv_err err;
} ours;

static bool ours_init(ours *o, bool on_device) {
    static const fv_input input = {.width = SIDE, .height = SIDE, .fit = FV_FIT_LETTERBOX, .pad = 114,
                                   .scale = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};
    const fv_one_node corner[] = {{"Conv", "1x3x640x640 c4x3x1x1", "strides:ints=640,640", 0}};
    size_t size;
    *o = (ours){0};
    void *model = fv_one_node_model(corner, 1, 13, &size);
    o->g = fv_graph_load_memory(model, size, NULL, &o->err);
    free(model);
    o->gpu = o->g ? fv_gpu_create(NULL, &o->err) : NULL;
    o->plan = o->gpu ? fv_plan_create(o->gpu, o->g, &(fv_plan_params){.device_preprocess = on_device}, &o->err) : NULL;
    o->s = o->plan ? fv_session_create(o->plan, &input, 1, &o->err) : NULL;
    return o->s != NULL;
}

static void ours_finish(ours *o) {
    fv_session_destroy(&o->s);
    fv_plan_destroy(&o->plan);
    fv_gpu_destroy(&o->gpu);
    fv_graph_destroy(&o->g);
}

static bool ours_run(ours *o, const fv_frame *frame) {
    fv_result result;
    return fv_session_push(o->s, frame, 1, NULL, &o->err) && fv_session_pull(o->s, &result, &o->err);
}

// ---- in turns --------------------------------------------------------------------------------------

static void fill(AVFrame *f) {
    for (int p = 0; p < 3; p++)
        for (int i = 0; i < f->linesize[p] * (p ? HEIGHT / 2 : HEIGHT); i++)
            f->data[p][i] = (uint8_t)((uint32_t)i * 2654435761u >> 24);
}

static fv_frame as_frame(const AVFrame *f) {
    fv_frame frame = {.format = FV_I420, .width = WIDTH, .height = HEIGHT};
    for (int p = 0; p < 3; p++)
        frame.stride[p] = f->linesize[p], frame.plane[p] = f->data[p];
    return frame;
}

// Medians; what disturbs one disturbs all.
static bool compare(ours *o, ours *device, rival *r) {
    static double ms[3][ROUNDS];
    fill(r->from);
    fv_frame frame = as_frame(r->from);
    for (int i = -10; i < ROUNDS; i++) {
        double at[4] = {now_ms()};
        if (!ours_run(o, &frame))
            return false;
        at[1] = now_ms();
        if (!rival_run(r))
            return fv_fail(&o->err, FV_IO, "libswscale failed");
        at[2] = now_ms();
        if (!ours_run(device, &frame))
            return fv_fail(&o->err, FV_GPU, "%s", device->err.text);
        at[3] = now_ms();
        for (int k = 0; k < 3 && i >= 0; k++)
            ms[k][i] = at[k + 1] - at[k];
    }
    for (int k = 0; k < 3; k++)
        qsort(ms[k], ROUNDS, sizeof ms[k][0], by_value);
    double a = ms[0][ROUNDS / 2], b = ms[1][ROUNDS / 2], c = ms[2][ROUNDS / 2];
    printf("preprocess 1080p I420 -> 640x640: %.2f ms, libswscale and C %.2f ms, ratio %.2f; by the device's kernel "
           "%.2f ms, ratio %.2f (medians of %d)\n", a, b, a / b, c, c / b, ROUNDS);
    return true;
}

int main(void) {
    ours o, device = {0};
    rival r = {0};
    bool ok = ours_init(&o, false) && (ours_init(&device, true) || fv_fail(&o.err, FV_GPU, "%s", device.err.text)) &&
              (rival_init(&r) || fv_fail(&o.err, FV_IO, "libswscale does not start")) && compare(&o, &device, &r);
    if (!ok)
        fprintf(stderr, "bench-preprocess: %s\n", o.err.text);
    rival_finish(&r);
    ours_finish(&device);
    ours_finish(&o);
    return ok ? 0 : 1;
}
