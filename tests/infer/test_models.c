// Whole models on the device against the plain-C reference.
#include "tests/infer/compare.h"
#include "tests/test.h"

static void compare(const char *path, float scale, float shift) {
    fv_err err = {0};
    const char *file = fv_test_shared(path);
    if (!file || !fv_compare_gpu())
        return;
    fv_graph *g = fv_graph_load(file, NULL, &err);
    CHECK_OK(g && fv_graph_optimize(g, &err), err);
    int n_host = -1;
    double worst = g ? fv_compare_run(g, scale, shift, &n_host) : -1;
    printf("     %s: max|a-b| / max|ref| = %.2g\n", path, worst);
    CHECK(worst >= 0 && worst <= 1e-4);
    CHECK_EQUAL(n_host, 0);
    fv_graph_destroy(&g);
}

static void fastestdet(void) { compare("models/FastestDet.onnx", 0.5f, 0.5f); }
static void yolox_nano(void) { compare("models/yolox_nano.onnx", 127, 128); }
static void yolov8n(void) { compare("models/yolov8n_640.onnx", 0.5f, 0.5f); }
static void yolov5n(void) { compare("models/yolov5n_640.onnx", 0.5f, 0.5f); }
static void nanodet_m(void) { compare("models/nanodet_m_320.onnx", 1, 0); }
static void yolo_fastest(void) { compare("models/yolo-fastest-1.1.onnx", 0.5f, 0.5f); }
static void yunet(void) { compare("models/yunet_n_320_320.onnx", 127, 128); }
static void ultralight(void) { compare("models/version-RFB-320.onnx", 1, 0); }

const fv_suite models_suite = {"models", (const fv_case[]){
    CASE(fastestdet), CASE(yolox_nano), CASE(yolov8n), CASE(nanodet_m), CASE(yolo_fastest), CASE(yunet),
    CASE(ultralight), CASE(yolov5n), {0}}};
