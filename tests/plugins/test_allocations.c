// What a frame allocates once everything is warm: nothing by our own code, in the session, the detector
// and the elements. What the driver and GStreamer allocate is printed beside it.
#include <gst/check/gstharness.h>
#include <stdlib.h>

#include "pipeline/detect/detect.h"
#include "pipeline/gpu/gpu.h"
#include "pipeline/infer/infer.h"
#include "tests/allocations.h"
#include "tests/test.h"

enum { WIDTH = 320, HEIGHT = 240, BYTES = WIDTH * HEIGHT * 3 / 2, WARM = 30, COUNTED = 40 };

static uint8_t picture[BYTES];

static fv_frame make_frame(void) {
    for (int i = 0; i < BYTES; i++)
        picture[i] = (uint8_t)((uint32_t)i * 2654435761u >> 24);
    return (fv_frame){.format = FV_I420, .width = WIDTH, .height = HEIGHT, .stride = {WIDTH, WIDTH / 2, WIDTH / 2},
                      .plane = {picture, picture + WIDTH * HEIGHT, picture + WIDTH * HEIGHT * 5 / 4}};
}

static void tell(const char *what, fv_allocations a) {
    printf("     %s: %.2f allocations a frame by fovea, %.2f by all\n", what, a.own / (double)COUNTED, a.all / (double)COUNTED);
}

// FastestDet on the device, frames in, tensors out.
static void a_session_allocates_nothing(void) {
    const char *model = fv_test_shared("models/FastestDet.onnx");
    fv_err err = {0};
    fv_result result;
    fv_frame frame = make_frame();
    fv_input input = {.width = 352, .height = 352, .scale = {1 / 255.0f, 1 / 255.0f, 1 / 255.0f}};
    fv_graph *g = model ? fv_graph_load(model, NULL, &err) : NULL;
    fv_gpu *gpu = g && fv_graph_optimize(g, &err) ? fv_gpu_create(NULL, &err) : NULL;
    fv_plan *plan = gpu ? fv_plan_create(gpu, g, NULL, &err) : NULL;
    fv_session *s = plan ? fv_session_create(plan, &input, 2, &err) : NULL;
    CHECK_OK(s || !model, err);
    bool counting = true;
    for (int i = 0; s && counting && i < WARM + COUNTED; i++) {
        if (i == WARM)
            counting = fv_allocations_begin();
        CHECK_OK(fv_session_push(s, &frame, 1, NULL, &err) && fv_session_pull(s, &result, &err), err);
    }
    if (s && counting) {
        fv_allocations a = fv_allocations_now();
        tell("session", a);
        CHECK_EQUAL(a.own, 0);
    }
    fv_session_destroy(&s);
    fv_plan_destroy(&plan);
    fv_gpu_destroy(&gpu);
    fv_graph_destroy(&g);
}

static void a_detector_allocates_nothing(void) {
    enum { ROOM = 300 };
    static fv_object v[ROOM];
    fv_objects objects = {.capacity = ROOM, .v = v};
    fv_err err = {0};
    fv_frame frame = make_frame();
    const char *model = fv_test_shared("models/FastestDet.onnx");
    if (!model)
        return;
    // A threshold that lets cells through, so that decoding and NMS have something to do.
    fv_detector *d = fv_detector_create(&(fv_detector_params){.model = model, .threshold = 0.001f}, &err);
    CHECK_OK(d != NULL, err);
    bool counting = true;
    for (int i = 0; d && counting && i < WARM + COUNTED; i++) {
        if (i == WARM)
            counting = fv_allocations_begin();
        CHECK_OK(fv_detector_push(d, &frame, 1, NULL, &err) && fv_detector_pull(d, &objects, NULL, &err), err);
    }
    if (d && counting) {
        fv_allocations a = fv_allocations_now();
        tell("detector", a);
        CHECK(objects.n > 10);
        CHECK_EQUAL(a.own, 0);
        fv_detector *other = fv_detector_create(&(fv_detector_params){.model = model}, &err);
        CHECK(fv_allocations_now().own > 0); // the counter counts
        fv_detector_destroy(&other);
    }
    fv_detector_destroy(&d);
}

static GstBuffer *next_buffer(int i) {
    GstBuffer *buffer = gst_buffer_new_wrapped_full(GST_MEMORY_FLAG_READONLY, picture, BYTES, 0, BYTES, NULL, NULL);
    GST_BUFFER_PTS(buffer) = (GstClockTime)i * 40 * GST_MSECOND;
    GST_BUFFER_DURATION(buffer) = 40 * GST_MSECOND;
    return buffer;
}

static void the_elements_allocate_nothing(void) {
    char line[2048];
    const char *model = fv_test_shared("models/FastestDet.onnx");
    if (!model)
        return;
    make_frame();
    snprintf(line, sizeof line, "fvdetect model=%s threshold=0.02 slots=1 ! fvtrack ! fvoverlay", model);
    GstHarness *h = gst_harness_new_parse(line);
    gst_harness_set_src_caps_str(h, "video/x-raw,format=I420,width=320,height=240,framerate=25/1");
    bool counting = true;
    for (int i = 0; counting && i < WARM + COUNTED; i++) {
        if (i == WARM)
            counting = fv_allocations_begin();
        CHECK(gst_harness_push(h, next_buffer(i)) == GST_FLOW_OK);
        GstBuffer *out = gst_harness_try_pull(h);
        if (out)
            gst_buffer_unref(out);
    }
    if (counting) {
        fv_allocations a = fv_allocations_now();
        tell("fvdetect ! fvtrack ! fvoverlay", a);
        CHECK_EQUAL(a.own, 0);
    }
    gst_harness_teardown(h);
}

static const fv_suite allocations_suite = {"allocations", (const fv_case[]){
    CASE(a_session_allocates_nothing), CASE(a_detector_allocates_nothing), CASE(the_elements_allocate_nothing), {0}}};

int main(int argc, char **argv) {
    gst_init(NULL, NULL);
    return fv_test_main(argc, argv, (const fv_suite *const[]){&allocations_suite, NULL});
}
