#include <stdlib.h>

#include "pipeline/infer/infer.h"
#include "pipeline/infer/plan.h"
#include "pipeline/infer/preprocess.h"
#include "tests/allocations.h"
#include "tests/infer/compare.h"
#include "tests/infer/one_node.h"
#include "tests/test.h"

// ---- a small network -------------------------------------------------------------------------------

enum { WIDTH = 40, HEIGHT = 32 };

typedef struct {
    fv_graph *g;
    fv_plan *plan;
    fv_session *s;
    fv_input input;
    fv_err err;
} bench;

static bool set_up_with(bench *b, bool frames, int slots, const fv_plan_params *params) {
    const fv_one_node chain[] = {{"Conv", "1x3x32x40 c6x3x3x3 c6", "pads:ints=1,1,1,1 strides:ints=2,2", 0},
                                 {"Relu", "@", "", 0}, {"MaxPool", "@", "kernel_shape:ints=2,2 strides:ints=2,2", 0}};
    size_t size;
    *b = (bench){.input = {.width = WIDTH, .height = HEIGHT, .fit = FV_FIT_LETTERBOX, .pad = 114,
                           .scale = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}}};
    if (!fv_compare_gpu())
        return false;
    void *model = fv_one_node_model(chain, 3, 13, &size);
    b->g = fv_graph_load_memory(model, size, NULL, &b->err);
    free(model);
    b->plan = b->g && fv_graph_optimize(b->g, &b->err) ? fv_plan_create(fv_compare_gpu(), b->g, params, &b->err) : NULL;
    b->s = b->plan ? fv_session_create(b->plan, frames ? &b->input : NULL, slots, &b->err) : NULL;
    CHECK_OK(b->s != NULL, b->err);
    return b->s != NULL;
}

static bool set_up(bench *b, bool frames, int slots) {
    return set_up_with(b, frames, slots, NULL);
}

static void tear_down(bench *b) {
    fv_session_destroy(&b->s);
    fv_plan_destroy(&b->plan);
    fv_graph_destroy(&b->g);
    CHECK_OK(fv_gpu_check(fv_compare_gpu(), &b->err), b->err);
}

static double worst(const fv_tensor *t, const float *reference) {
    double d = 0;
    for (int64_t i = 0; i < fv_tensor_count(t); i++)
        d = fmax(d, fabs((double)((const float *)t->data)[i] - (double)reference[i]));
    return d;
}

// ---- frames ----------------------------------------------------------------------------------------

static uint8_t pixels[3][128 * 128 * 4];

static fv_frame make_frame(fv_pixels format, int width, int height, unsigned seed) {
    fv_frame f = {.format = format, .width = width, .height = height, .matrix = seed % 3, .full_range = seed & 1};
    for (int i = 0; i < fv_pixels_rows[format].n_planes; i++) {
        f.stride[i] = ((width + 1) >> fv_pixels_rows[format].plane[i].sub_x) * fv_pixels_rows[format].plane[i].pixel_bytes + 5;
        f.plane[i] = pixels[i];
        for (int k = 0; k < 128 * 128 * 4; k++)
            pixels[i][k] = (uint8_t)(fv_random(&seed) * 127 + 128);
    }
    return f;
}

typedef struct {
    int width, height;
    float par;
    fv_fit_mode fit;
    fv_filter filter;
    bool bgr;
} sight;

static void frame_meets_twin(fv_pixels format, const sight *size, unsigned seed, bool on_device) {
    bench b;
    fv_result r;
    float in[3 * WIDTH * HEIGHT], out[6 * WIDTH * HEIGHT / 16];
    if (!set_up_with(&b, true, 1, &(fv_plan_params){.device_preprocess = on_device}))
        return;
    fv_session_destroy(&b.s);
    b.input.fit = size->fit, b.input.bgr = size->bgr, b.input.filter = size->filter;
    b.s = fv_session_create(b.plan, &b.input, 1, &b.err);
    fv_frame f = make_frame(format, size->width, size->height, seed);
    fv_fit fit = fv_preprocess_reference(&f, size->par, &b.input, in);
    CHECK_OK(fv_graph_run(b.g, (const void *[]){in}, (void *[]){out}, &b.err), b.err);
    CHECK_OK(b.s && fv_session_push(b.s, &f, size->par, &b, &b.err) && fv_session_pull(b.s, &r, &b.err), b.err);
    CHECK_NEAR(worst(&r.tensor[0], out), 0, 1e-3);
    CHECK(!memcmp(&fit, &r.fit, sizeof fit) && r.user == &b);
    tear_down(&b);
}

// Every raw format, odd and tiny sizes: the preprocess of the device and of the host against their slow twin.
static void frames_are_preprocessed(void) {
    const sight sizes[] = {
        {40, 32, 1, FV_FIT_STRETCH, FV_FILTER_BILINEAR, false}, {97, 61, 1, FV_FIT_LETTERBOX, FV_FILTER_BILINEAR, true},
        {1, 1, 1, FV_FIT_LETTERBOX, FV_FILTER_AREA, false}, {17, 120, 1.5f, FV_FIT_LETTERBOX_TOP_LEFT, FV_FILTER_BILINEAR, false},
        {211, 93, 1, FV_FIT_LETTERBOX, FV_FILTER_AREA, false}, {53, 41, 1, FV_FIT_STRETCH, FV_FILTER_AREA, true}};
    for (int format = 0; format < FV_N_PIXELS; format++)
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
            for (int on_device = 0; on_device < 2; on_device++)
                frame_meets_twin((fv_pixels)format, &sizes[i], (unsigned)(format * 7) + (unsigned)i, on_device);
}

static void sizes_may_change_midway(void) {
    bench b;
    fv_result r;
    float in[3 * WIDTH * HEIGHT], out[6 * WIDTH * HEIGHT / 16];
    if (!set_up(&b, true, 2))
        return;
    for (int i = 0; i < 6; i++) {
        fv_frame f = make_frame(i & 1 ? FV_NV12 : FV_BGRA, 30 + 15 * i, 100 - 13 * i, (unsigned)i);
        fv_preprocess_reference(&f, 1, &b.input, in);
        CHECK_OK(fv_graph_run(b.g, (const void *[]){in}, (void *[]){out}, &b.err), b.err);
        CHECK_OK(fv_session_push(b.s, &f, 1, NULL, &b.err) && fv_session_pull(b.s, &r, &b.err), b.err);
        CHECK_NEAR(worst(&r.tensor[0], out), 0, 1e-3);
    }
    tear_down(&b);
}

// Planes smaller than the tensor first, so that the upload block grows under the frames' program.
static void tensors_and_frames_take_turns(void) {
    float in[3 * WIDTH * HEIGHT], out[6 * WIDTH * HEIGHT / 16];
    for (int on_device = 0; on_device < 2; on_device++) {
        bench b;
        fv_result r;
        if (!set_up_with(&b, true, 1, &(fv_plan_params){.device_preprocess = on_device}))
            return;
        fv_frame f = make_frame(FV_I420, 20, 16, 8);
        fv_preprocess_reference(&f, 1, &b.input, in);
        CHECK_OK(fv_graph_run(b.g, (const void *[]){in}, (void *[]){out}, &b.err), b.err);
        for (int i = 0; i < 5; i++) {
            CHECK_OK(i & 1 ? fv_session_push_tensors(b.s, (const void *[]){in}, NULL, &b.err)
                           : fv_session_push(b.s, &f, 1, NULL, &b.err), b.err);
            CHECK_OK(fv_session_pull(b.s, &r, &b.err), b.err);
            CHECK_NEAR(worst(&r.tensor[0], out), 0, 1e-3);
        }
        tear_down(&b);
    }
}

static fv_plan *plan_of(const fv_one_node *chain, int n, const fv_plan_params *params, fv_graph **g) {
    fv_err err = {0};
    size_t size;
    void *model = fv_one_node_model(chain, n, 13, &size);
    *g = fv_graph_load_memory(model, size, NULL, &err);
    free(model);
    fv_plan *plan = *g && fv_graph_optimize(*g, &err) ? fv_plan_create(fv_compare_gpu(), *g, params, &err) : NULL;
    CHECK_OK(plan != NULL, err);
    return plan;
}

// Pictures of three, one and four channels, two each, of more pixels than are brought at a time.
static void pushed_tensors_need_no_kernel_on_a_cpu(void) {
    const fv_one_node chain[] = {{"Concat", "2x3x17x23 2x1x17x23 2x4x17x23", "axis:i=1", 0},
                                 {"Conv", "@ c8x8x3x3", "pads:ints=1,1,1,1", 0}};
    for (int half = 0; half < 2 && fv_compare_gpu(); half++) {
        const fv_gpu_caps *caps = fv_gpu_get_caps(fv_compare_gpu());
        fv_graph *g;
        fv_plan *plan = plan_of(chain, 2, NULL, &g);
        CHECK_EQUAL(plan ? plan->n_import : -1, caps->cpu ? 0 : 3);
        fv_plan_destroy(&plan);
        double loss = g ? (half ? fv_compare_half : fv_compare_run)(g, 1, 0, NULL) : -1;
        CHECK(loss >= 0 && loss < (half ? 2 * FV_HALF_LOSS : 1e-4));
        fv_graph_destroy(&g);
    }
}

static void an_input_that_nobody_reads_has_room(void) {
    const fv_one_node chain[] = {{"Shape", "64x40", "", 0}};
    static const float in[64 * 40] = {0};
    fv_graph *g = NULL;
    fv_result r;
    fv_err err = {0};
    fv_plan *plan = fv_compare_gpu() ? plan_of(chain, 1, NULL, &g) : NULL;
    fv_session *s = plan ? fv_session_create(plan, NULL, 1, &err) : NULL;
    if (plan) {
        CHECK(plan->activation_bytes >= 64 * 40 * sizeof(float));
        CHECK_OK(s && fv_session_push_tensors(s, (const void *[]){in}, NULL, &err) && fv_session_pull(s, &r, &err), err);
        CHECK_EQUAL(((const int64_t *)r.tensor[0].data)[1], 40);
    }
    fv_session_destroy(&s);
    fv_plan_destroy(&plan);
    fv_graph_destroy(&g);
}

// ---- slots -----------------------------------------------------------------------------------------

static void slots_keep_order_and_apart(void) {
    enum { SLOTS = 3, ROUNDS = 8 };
    static float in[ROUNDS][3 * WIDTH * HEIGHT], out[ROUNDS][6 * WIDTH * HEIGHT / 16];
    bench b;
    fv_result r;
    unsigned seed = 3;
    if (!set_up(&b, false, SLOTS))
        return;
    for (int i = 0; i < ROUNDS; i++) {
        for (int k = 0; k < 3 * WIDTH * HEIGHT; k++)
            in[i][k] = fv_random(&seed);
        CHECK_OK(fv_graph_run(b.g, (const void *[]){in[i]}, (void *[]){out[i]}, &b.err), b.err);
    }
    for (int i = 0; i < ROUNDS + SLOTS; i++) {
        if (i >= SLOTS) {
            CHECK_OK(fv_session_pull(b.s, &r, &b.err), b.err);
            CHECK(r.user == in[i - SLOTS]);
            CHECK_NEAR(worst(&r.tensor[0], out[i - SLOTS]), 0, 1e-4);
        }
        if (i < ROUNDS)
            CHECK_OK(fv_session_push_tensors(b.s, (const void *[]){in[i]}, in[i], &b.err), b.err);
        if (i == SLOTS - 1) {
            CHECK_EQUAL(fv_session_pending(b.s), SLOTS);
            CHECK_FAILS(fv_session_push_tensors(b.s, (const void *[]){in[i]}, NULL, &b.err), b.err, "pull a result first");
        }
    }
    CHECK_FAILS(fv_session_pull(b.s, &r, &b.err), b.err, "nothing was pushed");
    tear_down(&b);
}

static void inputs_that_do_not_fit_are_refused(void) {
    bench b;
    if (!set_up(&b, false, 1))
        return;
    fv_frame f = make_frame(FV_RGB, 8, 8, 1);
    CHECK_FAILS(fv_session_push(b.s, &f, 1, NULL, &b.err), b.err, "made for tensors");
    b.input.width = 41;
    CHECK_FAILS(fv_session_create(b.plan, &b.input, 1, &b.err), b.err, "3 channels of 41 x 32");
    tear_down(&b);
}

static void frames_allocate_nothing(void) {
    bench b;
    fv_result r;
    if (!set_up(&b, true, 2))
        return;
    bool counting = true;
    fv_frame f = make_frame(FV_I420, 64, 48, 5);
    for (int i = 0; i < 10 && counting; i++) {
        if (i == 4) // both slots are warm
            counting = fv_allocations_begin();
        CHECK(fv_session_push(b.s, &f, 1, NULL, &b.err));
        CHECK(fv_session_pull(b.s, &r, &b.err));
    }
    if (counting) {
        CHECK_EQUAL(fv_allocations_now().own, 0);
        fv_err err;
        fv_session *other = fv_session_create(b.plan, NULL, 1, &err);
        CHECK(fv_allocations_now().own > 0); // the counter counts
        fv_session_destroy(&other);
    }
    tear_down(&b);
}

// ---- memory ----------------------------------------------------------------------------------------

static void roots_that_live_together_do_not_overlap(void) {
    enum { N = 60 };
    unsigned seed = 11;
    for (int round = 0; round < 20; round++) {
        fv_root roots[N];
        size_t sum = 0;
        for (int i = 0; i < N; i++) {
            int first = (int)(fv_random(&seed) * 50 + 50);
            roots[i] = (fv_root){.bytes = 64 * (size_t)(fv_random(&seed) * 20 + 21), .first = first,
                                 .last = first + (int)(fv_random(&seed) * 10 + 10)};
            sum += roots[i].bytes;
        }
        size_t total = fv_roots_place(roots, N);
        CHECK(total < sum / 2);
        for (int i = 0; i < N; i++) {
            CHECK(roots[i].offset + roots[i].bytes <= total);
            for (int k = 0; k < i; k++) {
                bool together = roots[i].first <= roots[k].last && roots[k].first <= roots[i].last;
                bool overlap = roots[i].offset < roots[k].offset + roots[k].bytes &&
                               roots[k].offset < roots[i].offset + roots[i].bytes;
                CHECK(!(together && overlap));
            }
        }
    }
}

// The convolution's weights go, the constants of the host's node and the constant output stay.
static void a_plan_needs_no_weights_of_the_graph(void) {
    const fv_one_node chain[] = {{"Conv", "1x3x6x6 c8x3x3x3", "pads:ints=1,1,1,1", 0}, {"GatherND", "@ i[0]", "", 0}};
    fv_err err = {0};
    fv_result r;
    size_t size;
    float in[3 * 6 * 6], out[8 * 6 * 6];
    unsigned seed = 5;
    if (!fv_compare_gpu())
        return;
    for (int i = 0; i < 3 * 6 * 6; i++)
        in[i] = fv_random(&seed);
    void *model = fv_one_node_model(chain, 2, 13, &size);
    fv_graph *g = fv_graph_load_memory(model, size, NULL, &err);
    fv_plan *plan = g ? fv_plan_create(fv_compare_gpu(), g, NULL, &err) : NULL;
    CHECK_OK(plan && fv_plan_get_stats(plan).n_host_steps == 1, err);
    CHECK_OK(g && fv_graph_run(g, (const void *[]){in}, (void *[]){out}, &err), err);
    if (plan) {
        const fv_node *conv = &g->node[0], *gather = &g->node[1];
        fv_plan_take_weights(plan, g);
        CHECK(!g->tensor[conv->in[1]].data && g->tensor[gather->in[1]].data);
        fv_session *s = fv_session_create(plan, NULL, 1, &err);
        CHECK_OK(s && fv_session_push_tensors(s, (const void *[]){in}, NULL, &err) && fv_session_pull(s, &r, &err), err);
        CHECK_NEAR(worst(&r.tensor[0], out), 0, 1e-4);
        fv_session_destroy(&s);
    }
    fv_plan_destroy(&plan);
    fv_graph_destroy(&g);
    free(model);
}

const fv_suite session_suite = {"session", (const fv_case[]){
    CASE(frames_are_preprocessed), CASE(sizes_may_change_midway), CASE(tensors_and_frames_take_turns),
    CASE(pushed_tensors_need_no_kernel_on_a_cpu), CASE(an_input_that_nobody_reads_has_room), CASE(slots_keep_order_and_apart),
    CASE(inputs_that_do_not_fit_are_refused), CASE(frames_allocate_nothing),
    CASE(roots_that_live_together_do_not_overlap), CASE(a_plan_needs_no_weights_of_the_graph), {0}}};
