// TopK on lines long enough to be selected from instead of sorted.
#include <stdlib.h>

#include "pipeline/graph/graph.h"
#include "tests/graph/build.h"
#include "tests/test.h"

enum { N = 3000, K = 300 };

// The place of value i in the order: how many come before it, equal ones by their index.
static int rank_of(const float *v, int i, bool largest) {
    int rank = 0;
    for (int j = 0; j < N; j++)
        rank += largest ? v[j] > v[i] : v[j] < v[i];
    for (int j = 0; j < i; j++)
        rank += v[j] == v[i];
    return rank;
}

static bool top_k(const float *v, const char *attributes, float values[K], int64_t indices[K]) {
    build b = {0};
    fv_err err = {0};
    size_t size;
    build_longs(&b, "k", 1, (int64_t[]){K});
    build_input(&b, "x", 1, 2, (const char *[]){"1", "3000"});
    build_node(&b, "TopK", "x k", "y i", attributes);
    build_output(&b, "y");
    build_output(&b, "i");
    uint8_t *file = build_finish(&b, 13, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, &err);
    free(file);
    bool ok = g && fv_graph_run(g, (const void *[]){v}, (void *[]){values, indices}, &err);
    CHECK_OK(ok, err);
    fv_graph_destroy(&g);
    return ok;
}

static void compare(const float *v, const char *attributes, bool largest) {
    float values[K];
    int64_t indices[K];
    bool ok = top_k(v, attributes, values, indices);
    for (int k = 0; ok && k < K; k++) {
        CHECK(indices[k] >= 0 && indices[k] < N && rank_of(v, (int)indices[k], largest) == k);
        CHECK(values[k] == v[indices[k]]);
    }
}

static void the_first_k_in_order(void) {
    static float mixed[N], rising[N], few[N];
    unsigned state = 5;
    for (int i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        mixed[i] = (float)(state >> 20) / 4096; // many of them are equal
        rising[i] = (float)i;
        few[i] = i % 7 == 0 ? (float)(i % 5) : 0; // mostly equal
    }
    const float *const lines[] = {mixed, rising, few};
    for (int i = 0; i < 3; i++) {
        compare(lines[i], "axis=1", true);
        compare(lines[i], "axis=1 largest=0", false);
    }
}

// They have no order, but nothing breaks.
static void not_a_number_ends(void) {
    static float v[N];
    float values[K];
    int64_t indices[K];
    for (int i = 0; i < N; i++)
        v[i] = i % 3 ? NAN : (float)i;
    bool ok = top_k(v, "axis=1", values, indices);
    for (int k = 0; ok && k < K; k++)
        CHECK(indices[k] >= 0 && indices[k] < N);
}

// What is chosen while the graph runs fills the front of the room that was made for it; what is gathered for the
// rest is 0, also where the index was reckoned with and where it goes through a second choice.
static void rest_of_a_choice_is_zero(void) {
    build b = {0};
    fv_err err = {0};
    size_t size;
    const float least = 0.5f, scores[] = {0.25f, 0.75f, 0.5f, 1, 0.875f}, overlap = 0.5f,
                boxes[] = {0, 0, 1, 1, 0, 0, 4, 4, 0, 0, 9, 9, 6, 6, 9, 9, 0, 0, 4, 5};
    build_input(&b, "x", 1, 1, (const char *[]){"5"});
    build_floats(&b, "least", 1, (int64_t[]){1}, &least);
    build_floats(&b, "iou", 1, (int64_t[]){1}, &overlap);
    build_floats(&b, "boxes", 2, (int64_t[]){5, 4}, boxes);
    build_longs(&b, "many", 1, (int64_t[]){100});
    build_longs(&b, "first", 1, (int64_t[]){0});
    build_longs(&b, "both", 2, (int64_t[]){0, 1});
    build_longs(&b, "one", 1, (int64_t[]){1});
    build_longs(&b, "two", 1, (int64_t[]){2});
    build_longs(&b, "three", 1, (int64_t[]){3});
    build_node(&b, "Greater", "x least", "mask", "");
    build_node(&b, "NonZero", "mask", "at", "");
    build_node(&b, "Transpose", "at", "rows", "");
    build_node(&b, "GatherND", "x rows", "score", "");
    build_node(&b, "GatherND", "boxes rows", "box", "");
    build_node(&b, "Unsqueeze", "score both", "score3", "");
    build_node(&b, "Unsqueeze", "box first", "box3", "");
    build_node(&b, "NonMaxSuppression", "box3 score3 many iou", "picked", "");
    build_node(&b, "Slice", "picked two three one", "column", "");
    build_node(&b, "Mul", "column two", "double", "");
    build_node(&b, "Div", "double two", "again", "");
    build_node(&b, "Squeeze", "again", "k", "axes=1,");
    build_node(&b, "Gather", "score k", "y", "");
    build_output(&b, "score");
    build_output(&b, "y");
    uint8_t *file = build_finish(&b, 12, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, &err);
    free(file);
    float masked[5], y[5];
    CHECK_OK(g && fv_graph_run(g, (const void *[]){scores}, (void *[]){masked, y}, &err), err);
    const float passed[] = {0.75f, 1, 0.875f, 0, 0}, kept[] = {1, 0.875f, 0, 0, 0};
    for (int i = 0; g && i < 5; i++)
        CHECK(masked[i] == passed[i] && y[i] == kept[i]);
    fv_graph_destroy(&g);
}

const fv_suite sort_suite = {"sort", (const fv_case[]){CASE(the_first_k_in_order), CASE(not_a_number_ends),
                                                       CASE(rest_of_a_choice_is_zero), {0}}};
