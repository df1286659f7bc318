#include <stdlib.h>

#include "pipeline/graph/graph.h"
#include "pipeline/graph/op_shape.h"
#include "tests/graph/build.h"
#include "tests/test.h"

static fv_graph *load(build *b, int opset, const fv_graph_params *params, fv_err *err) {
    size_t size;
    uint8_t *file = build_finish(b, opset, &size);
    *err = (fv_err){0};
    fv_graph *g = fv_graph_load_memory(file, size, params, err);
    free(file);
    return g;
}

static void check_input(const fv_graph_params *params, const char *shape) {
    fv_err err;
    build b = {0};
    char text[64];
    build_input(&b, "image", 1, 4, (const char *[]){"batch", "3", "height", "width"});
    build_node(&b, "Relu", "image", "y", "");
    build_output(&b, "y");
    fv_graph *g = load(&b, 13, params, &err);
    CHECK_OK(g, err);
    if (g)
        CHECK_TEXT(fv_tensor_shape_text(&g->tensor[g->input[0]], text, sizeof text), shape);
    fv_graph_destroy(&g);
}

static void open_dimensions(void) {
    check_input(NULL, "1x3x640x640");
    check_input(&(fv_graph_params){.default_size = 320}, "1x3x320x320");
    check_input(&(fv_graph_params){.width = 640, .height = 384}, "1x3x384x640");
    check_input(&(fv_graph_params){.dim = (fv_dim[]){{"batch", 4}, {"width", 96}}, .n_dims = 2},
                "4x3x640x96");
}

// Shape -> Gather -> Mul -> Concat -> Reshape, as exporters write it.
static void shape_arithmetic_is_folded(void) {
    fv_err err;
    build b = {0};
    build_longs(&b, "one", 1, (int64_t[]){1});
    build_longs(&b, "minus", 1, (int64_t[]){-1});
    build_input(&b, "x", 1, 3, (const char *[]){"2", "3", "4"});
    build_node(&b, "Shape", "x", "shape", "");
    build_node(&b, "Gather", "shape one", "three", "axis=0");
    build_node(&b, "Mul", "three three", "nine", "");
    build_node(&b, "Sub", "nine three", "six", "");
    build_node(&b, "Concat", "six minus", "target", "axis=0");
    build_node(&b, "Reshape", "x target", "y", "");
    build_output(&b, "y");
    fv_graph *g = load(&b, 13, NULL, &err);
    CHECK_OK(g, err);
    if (!g)
        return;
    CHECK_EQUAL(g->n_nodes, 1);
    CHECK_EQUAL(g->tensor[g->output[0]].dim[0], 6);
    CHECK_EQUAL(g->tensor[g->output[0]].dim[1], 4);
    fv_graph_destroy(&g);
}

// Converters put nodes behind those that need them; the others keep their places.
static void nodes_in_any_order(void) {
    fv_err err;
    build b = {0};
    const char *const want[] = {"Neg", "Relu", "Abs", "Add"};
    build_input(&b, "x", 1, 1, (const char *[]){"4"});
    build_node(&b, "Relu", "n", "r", "");
    build_node(&b, "Add", "r a", "y", "");
    build_node(&b, "Abs", "r", "a", "");
    build_node(&b, "Neg", "x", "n", "");
    build_output(&b, "y");
    fv_graph *g = load(&b, 13, NULL, &err);
    CHECK_OK(g, err);
    for (int i = 0; g && i < 4; i++)
        CHECK_TEXT(fv_node_op(&g->node[i]), want[i]);
    const float x[] = {-1, 2, -3, 4}, *in[] = {x};
    float y[4], *out[] = {y};
    CHECK_OK(g && fv_graph_run(g, (const void *const *)in, (void *const *)out, &err), err);
    CHECK(y[0] == 2 && y[1] == 0 && y[2] == 6 && y[3] == 0);
    fv_graph_destroy(&g);
}

static void if_becomes_its_branch(void) {
    for (int64_t condition = 0; condition < 2; condition++) {
        fv_err err;
        build b = {0}, yes = {0}, no = {0};
        build_node(&yes, "Neg", "x", "same", "");
        build_output(&yes, "same");
        build_node(&no, "Abs", "x", "same", "");
        build_output(&no, "same");
        build_longs(&b, "c", 1, &condition);
        build_input(&b, "x", 1, 1, (const char *[]){"2"});
        build_if(&b, "c", "y", &yes, &no);
        build_output(&b, "y");
        free(yes.data);
        free(no.data);
        fv_graph *g = load(&b, 13, NULL, &err);
        CHECK_OK(g, err);
        float y[2] = {0};
        if (g)
            CHECK_OK(fv_graph_run(g, (const void *[]){(float[]){-3, 2}}, (void *[]){y}, &err), err);
        CHECK_NEAR(y[0], 3, 0);
        CHECK_NEAR(y[1], condition ? -2 : 2, 0);
        fv_graph_destroy(&g);
    }
}

static fv_graph *resized(const char *width, float scale, const char *attributes, int opset) {
    fv_err err;
    build b = {0};
    build_floats(&b, "scales", 1, (int64_t[]){2}, (float[]){1, scale});
    build_input(&b, "x", 1, 2, (const char *[]){"1", width});
    build_node(&b, "Resize", opset < 11 ? "x scales" : "x - scales", "y", attributes);
    build_output(&b, "y");
    fv_graph *g = load(&b, opset, NULL, &err);
    CHECK_OK(g, err);
    return g;
}

static void sizes_of_resizes(void) {
    fv_graph *g = resized("10", 2.3f, "mode=linear", 10); // 10 * 2.3 is 23 in float32 only
    CHECK_EQUAL(g ? g->tensor[g->output[0]].dim[1] : 0, 23);
    fv_graph_destroy(&g);
    fv_err err = {0};
    float y[2] = {0};
    g = resized("4", 0.6f, "mode=linear antialias=1", 18); // beyond the edge its value goes on
    if (g)
        CHECK_OK(fv_graph_run(g, (const void *[]){(float[]){1, 2, 3, 4}}, (void *[]){y}, &err), err);
    CHECK_NEAR(y[0], 1.375, 1e-6);
    CHECK_NEAR(y[1], 3, 1e-6);
    fv_graph_destroy(&g);
}

static void inputs_can_be_bound(void) {
    fv_err err;
    build b = {0};
    build_input(&b, "x", 1, 1, (const char *[]){"6"});
    build_input(&b, "shape", 7, 1, (const char *[]){"2"});
    build_node(&b, "Reshape", "x shape", "y", "");
    build_output(&b, "y");
    int64_t shape[] = {2, -1};
    fv_tensor bound = {.name = "shape", .dtype = FV_I64, .n_dims = 1, .dim = {2}, .data = shape};
    fv_graph *g = load(&b, 13, &(fv_graph_params){.constant = &bound, .n_constants = 1}, &err);
    CHECK_OK(g, err);
    if (g)
        CHECK_EQUAL(g->n_inputs, 1);
    fv_graph_destroy(&g);
}

// A detector with its suppression in the graph: as many rows as can be selected, behind the
// last what gathers nothing.
static void suppression_fills_its_room(void) {
    fv_err err;
    build b = {0};
    int64_t y[4][3], most = 4;
    float boxes[] = {0, 0, 1, 1, 0, 0, 1, 1.01f, 5, 5, 6, 6, 8, 8, 9, 9},
          scores[] = {0.9f, 0.8f, 0.7f, 0.1f};
    build_longs(&b, "most", 1, &most);
    build_floats(&b, "iou", 1, (int64_t[]){1}, (float[]){0.5f});
    build_floats(&b, "least", 1, (int64_t[]){1}, (float[]){0.25f});
    build_input(&b, "boxes", 1, 3, (const char *[]){"1", "4", "4"});
    build_input(&b, "scores", 1, 3, (const char *[]){"1", "1", "4"});
    build_node(&b, "NonMaxSuppression", "boxes scores most iou least", "y", "");
    build_output(&b, "y");
    fv_graph *g = load(&b, 11, NULL, &err);
    CHECK_OK(g, err);
    if (!g)
        return;
    CHECK_EQUAL(g->tensor[g->output[0]].dim[0], 4);
    CHECK_OK(fv_graph_run(g, (const void *[]){boxes, scores}, (void *[]){y}, &err), err);
    CHECK_EQUAL(y[0][2], 0);
    CHECK_EQUAL(y[1][2], 2);
    CHECK_EQUAL(y[2][2], FV_INDEX_NONE);
    CHECK_EQUAL(y[3][0], FV_INDEX_NONE);
    fv_graph_destroy(&g);
}

static void half_becomes_float(void) {
    fv_err err;
    build b = {0};
    float y[2] = {0};
    build_floats(&b, "factor", 1, (int64_t[]){1}, (float[]){0.1f});
    build_input(&b, "x", 10, 1, (const char *[]){"2"});
    build_node(&b, "Cast", "factor", "half", "to=10");
    build_node(&b, "Mul", "x half", "y", "");
    build_output(&b, "y");
    fv_graph *g = load(&b, 13, NULL, &err);
    CHECK_OK(g, err);
    if (!g)
        return;
    CHECK_EQUAL(g->tensor[g->input[0]].dtype, FV_F32);
    CHECK_EQUAL(g->tensor[g->output[0]].dtype, FV_F32);
    CHECK_OK(fv_graph_run(g, (const void *[]){(float[]){100, 3}}, (void *[]){y}, &err), err);
    CHECK_NEAR(y[0], 9.99756, 1e-4); // 0.1 as the nearest half
    fv_graph_destroy(&g);
}

static void refuse(void (*make)(build *b), const char *part) {
    fv_err err;
    build b = {0};
    build_input(&b, "x", 1, 2, (const char *[]){"2", "3"});
    make(&b);
    build_output(&b, "y");
    fv_graph *g = load(&b, 13, NULL, &err);
    CHECK(!g);
    CHECK_CONTAINS(err.text, part);
    fv_graph_destroy(&g);
}

static void foreign_op(build *b) {
    build_node(b, "Bar", "x", "y", "");
}

static void foreign_domain(build *b) {
    build_node(b, "microsoft.FusedConv", "x", "y", "");
}

static void missing_input(build *b) {
    build_node(b, "Relu", "nothing", "y", "");
}

static void wrong_shapes(build *b) {
    build_floats(b, "w", 2, (int64_t[]){2, 1}, (float[2]){0});
    build_node(b, "MatMul", "x w", "y", "");
}

static void run_time_shape(build *b) {
    build_node(b, "Cast", "x", "n", "to=7");
    build_node(b, "ConstantOfShape", "n", "y", "");
}

static void external(build *b) {
    build_external(b, "w", 4, "weights.bin", "0");
    build_node(b, "Add", "x w", "y", "");
}

static void circle(build *b) {
    build_node(b, "Relu", "z", "y", "");
    build_node(b, "Neg", "y", "z", "");
}

static void no_output(build *b) {
    build_node(b, "Relu", "x", "z", "");
}

static void mixed_types(build *b) {
    build_longs(b, "w", 1, (int64_t[]){1});
    build_node(b, "Gemm", "x w", "y", "");
}

static void huge(build *b) {
    build_longs(b, "n", 2, (int64_t[]){1 << 30, 1 << 30});
    build_node(b, "ConstantOfShape", "n", "y", "");
}

static void what_is_refused(void) {
    refuse(foreign_domain, "node 'FusedConv_0': op 'FusedConv' of domain 'microsoft' is not "
                           "supported: it is no op of ONNX itself");
    refuse(foreign_op,
           "node 'Bar_0': op 'Bar' (opset 13) is not supported; end the graph before it, or export");
    refuse(missing_input, "node 'Relu_0' (Relu): its input 'nothing' is made by no node before it");
    refuse(circle, "node 'Neg_0' (Neg): its input 'y' is made by no node before it");
    refuse(wrong_shapes, "node 'MatMul_0' (MatMul): 2x3 times 2x1 does not fit");
    refuse(run_time_shape,
           "node 'ConstantOfShape_1' (ConstantOfShape, opset 13): input 'n' is computed at run time");
    refuse(external, "'w' lies in another file");
    refuse(no_output, "output 'y' is made by no node");
    refuse(mixed_types, "input 'w' of type int64 is not supported");
    refuse(huge, "is larger than");
}

static void list_node(void *user, const char *node, const char *op) {
    snprintf(user, 64, "%s/%s", node, op);
}

static void unsupported_nodes_are_listed(void) {
    fv_err err = {0};
    build b = {0};
    char seen[64] = "", path[1100];
    size_t size;
    build_input(&b, "x", 1, 1, (const char *[]){"1"});
    build_node(&b, "Relu", "x", "z", "");
    build_node(&b, "Bar", "z", "y", "");
    build_output(&b, "y");
    uint8_t *file = build_finish(&b, 13, &size);
    snprintf(path, sizeof path, "%s/bar.onnx", fv_test_tmp("graph"));
    FILE *f = fopen(path, "wb");
    fwrite(file, 1, size, f);
    fclose(f);
    free(file);
    CHECK_EQUAL(fv_graph_unsupported(path, list_node, seen, &err), 1);
    CHECK_TEXT(seen, "Bar_1/Bar");
}

const fv_suite import_suite = {
    "import",
    (const fv_case[]){CASE(open_dimensions),
                      CASE(shape_arithmetic_is_folded),
                      CASE(nodes_in_any_order),
                      CASE(if_becomes_its_branch),
                      CASE(sizes_of_resizes),
                      CASE(inputs_can_be_bound),
                      CASE(suppression_fills_its_room),
                      CASE(half_becomes_float),
                      CASE(what_is_refused),
                      CASE(unsupported_nodes_are_listed),
                      {0}},
};
