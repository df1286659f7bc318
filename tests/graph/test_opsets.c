// What opsets 21 to 24 brought: one node each, and what of it is refused. tests/tools/ops.sh compares more of
// them with ONNX Runtime.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/graph.h"
#include "tests/graph/build.h"
#include "tests/test.h"

// Two queries, three keys; the mask lets the first see two of them. Products over the root of the size, 2.
static void attention(void) {
    build b = {0};
    const float q[2][4] = {{1, 0, 2, 0}, {0, 1, 0, 1}}, k[3][4] = {{1, 1, 0, 0}, {0, 2, 1, 0}, {3, 0, 0, 1}},
                v[3] = {1, 10, 100}, mask[2][3] = {{0, 0, -INFINITY}, {0, 0, 0}};
    float expected[2];
    build_input(&b, "x", 1, 4, (const char *[]){"1", "1", "2", "4"});
    build_floats(&b, "k", 4, (int64_t[]){1, 1, 3, 4}, &k[0][0]);
    build_floats(&b, "v", 4, (int64_t[]){1, 1, 3, 1}, v);
    build_floats(&b, "mask", 2, (int64_t[]){2, 3}, &mask[0][0]);
    build_node(&b, "Attention", "x k v mask", "y", "");
    for (int i = 0; i < 2; i++) {
        double sum = 0, all = 0;
        for (int j = 0; j < 3; j++) {
            double product = 0;
            for (int d = 0; d < 4; d++)
                product += (double)(q[i][d] * k[j][d]);
            double weight = exp(product / 2 + (double)mask[i][j]);
            sum += weight, all += weight * (double)v[j];
        }
        expected[i] = (float)(all / sum);
    }
    build_check(&b, 23, &q[0][0], expected, 2);
}

static void root_mean_square(void) {
    build b = {0};
    const float x[] = {3, 4, 0, 0}, scale[] = {1, 2, 1, 1}, expected[] = {1.2f, 3.2f, 0, 0}; // root of 25 / 4: 2.5
    build_input(&b, "x", 1, 2, (const char *[]){"1", "4"});
    build_floats(&b, "scale", 1, (int64_t[]){4}, scale);
    build_node(&b, "RMSNormalization", "x scale", "y", "epsilon=0.0");
    build_check(&b, 23, x, expected, 4);
}

// One scale for all, and a bias for each of two rows.
static void repeated_scales(void) {
    build b = {0};
    const float x[] = {1, 3, 1, 3}, scale[] = {2}, bias[] = {10, 20}, expected[] = {8, 12, 18, 22};
    build_input(&b, "x", 1, 3, (const char *[]){"1", "2", "2"});
    build_floats(&b, "scale", 1, (int64_t[]){1}, scale);
    build_floats(&b, "bias", 2, (int64_t[]){2, 1}, bias);
    build_node(&b, "LayerNormalization", "x scale bias", "y", "axis=1 epsilon=0.0");
    build_check(&b, 17, x, expected, 4);
    const float wide[] = {1, 1, 1, 1};
    fv_err err = {0};
    build_input(&b, "x", 1, 2, (const char *[]){"1", "2"});
    build_floats(&b, "scale", 2, (int64_t[]){2, 2}, wide);
    build_node(&b, "RMSNormalization", "x scale", "y", "");
    fv_graph *g = build_load(&b, 23, &err);
    CHECK_EQUAL(err.code, FV_BAD_INPUT);
    CHECK_CONTAINS(err.text, "'scale' is larger than what it scales");
    fv_graph_destroy(&g);
}

// Two elements of three share a scale, the third has its own; -8 .. 7, the lower half of a byte first.
static void blocks_of_four_bits(void) {
    build b = {0};
    const uint8_t w[] = {0x81, 0x27, 0x0f}; // 1 -8 7 2 -1
    const float x[] = {0, 0, 0, 0, 0}, scale[] = {1, 10, 100}, expected[] = {1, -8, 70, 20, -100};
    build_input(&b, "x", 1, 2, (const char *[]){"1", "5"});
    build_raw(&b, "w", 22, 2, (int64_t[]){1, 5}, w, sizeof w);
    build_floats(&b, "scale", 2, (int64_t[]){1, 3}, scale);
    build_node(&b, "DequantizeLinear", "w scale", "f", "axis=1 block_size=2");
    build_node(&b, "Add", "x f", "y", "");
    build_check(&b, 21, x, expected, 5);
}

// Eight in a row, four to a scale: nothing has a second dimension.
static void blocks_of_a_row(void) {
    build b = {0};
    const float x[] = {0.26f, 0.5f, 3, 200, 0.26f, 0.5f, 3, 200}, scale[] = {0.5f, 2},
                expected[] = {0.5f, 0.5f, 3, 127.5f, 0, 0, 4, 200};
    build_input(&b, "x", 1, 1, (const char *[]){"8"});
    build_floats(&b, "scale", 1, (int64_t[]){2}, scale);
    build_node(&b, "QuantizeLinear", "x scale", "q", "axis=0 block_size=4");
    build_node(&b, "DequantizeLinear", "q scale", "y", "axis=0 block_size=4");
    build_check(&b, 21, x, expected, 8);
}

// Without channels, keys or values there is nothing to do, and it is done in no time.
static void of_nothing(void) {
    build b = {0};
    const float x[] = {1, 2};
    build_input(&b, "x", 1, 4, (const char *[]){"1", "2", "1", "1"});
    build_longs(&b, "zero", 1, (int64_t[]){0});
    build_longs(&b, "one", 1, (int64_t[]){1});
    build_floats(&b, "none", 1, (int64_t[]){0}, x);
    build_node(&b, "Slice", "x zero zero one", "e", "");
    build_node(&b, "GroupNormalization", "e none none", "n", "num_groups=1");
    build_node(&b, "Concat", "x n", "y", "axis=1");
    build_check(&b, 21, x, x, 2);
    build_input(&b, "x", 1, 1, (const char *[]){"2"});
    build_floats(&b, "rows", 4, (int64_t[]){1, 1, 1 << 26, 0}, x);
    build_node(&b, "Attention", "rows rows rows", "a", "");
    build_node(&b, "ReduceSum", "a", "sum", "keepdims=0");
    build_node(&b, "Add", "x sum", "y", "");
    build_check(&b, 23, x, x, 2);
}

// As many groups as channels, however many these are.
static void a_million_channels(void) {
    enum { CHANNELS = 1 << 20 };
    fv_err err = {0};
    build b = {0};
    size_t size;
    float *x = malloc(CHANNELS * sizeof *x), *y = malloc(CHANNELS * sizeof *y);
    for (int i = 0; i < CHANNELS; i++)
        x[i] = (float)(i % 3);
    build_input(&b, "x", 1, 3, (const char *[]){"1", "1048576", "1"});
    build_floats(&b, "c", 1, (int64_t[]){CHANNELS}, x);
    build_node(&b, "InstanceNormalization", "x c c", "y", "");
    build_output(&b, "y");
    uint8_t *file = build_finish(&b, 13, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, &err);
    CHECK_OK(g && fv_graph_run(g, (const void *[]){x}, (void *[]){y}, &err), err);
    CHECK(!memcmp(x, y, CHANNELS * sizeof *x)); // of one value nothing but the bias is left
    fv_graph_destroy(&g);
    free(file);
    free(x);
    free(y);
}

static void refuse(build *b, const char *text) {
    fv_err err = {0};
    CHECK_FAILS(build_load(b, 23, &err), err, text);
}

static void what_is_refused(void) {
    static const char *const rows[] = {"1", "1", "2", "4"};
    const uint8_t zero[] = {0};
    const float one = 1;
    build b = {0};
    build_input(&b, "x", 1, 4, rows);
    build_node(&b, "RotaryEmbedding", "x x x", "y", "");
    refuse(&b, "node 'RotaryEmbedding_0': op 'RotaryEmbedding' (opset 23) is not supported; end the graph before it, "
               "or export to an opset that writes it as other ops");
    build_input(&b, "x", 1, 4, rows);
    build_node(&b, "Attention", "x x x - x x", "y", "");
    refuse(&b, "node 'Attention_0' (Attention, opset 23): input 'x' (keys and values of earlier calls) is not "
               "supported; export the model without a cache");
    build_input(&b, "x", 1, 4, rows);
    build_node(&b, "Attention", "x x x", "y", "softcap=20.0");
    refuse(&b, "(Attention, opset 23): attribute 'softcap' is not supported; write it as");
    build_input(&b, "x", 1, 4, rows);
    build_node(&b, "QuantizeLinear", "x x", "y", "axis=3 block_size=3");
    refuse(&b, "node 'QuantizeLinear_0' (QuantizeLinear): 'x' does not fit blocks of 3");
    build_input(&b, "x", 1, 4, rows);
    build_floats(&b, "one", 0, NULL, &one);
    build_raw(&b, "zero", 21, 0, NULL, zero, 1);
    build_node(&b, "QuantizeLinear", "x one zero", "y", "");
    refuse(&b, "(QuantizeLinear, opset 23): it makes four bits an element; only weights may have so few");
}

const fv_suite opsets_suite = {"opsets", (const fv_case[]){CASE(attention), CASE(root_mean_square), CASE(repeated_scales), CASE(blocks_of_four_bits),
                                                           CASE(blocks_of_a_row), CASE(of_nothing), CASE(a_million_channels),
                                                           CASE(what_is_refused), {0}}};
