// Channel shuffles that go into the weights of the convolutions around them.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/graph/graph.h"
#include "pipeline/graph/op_conv.h"
#include "pipeline/graph/op_shape.h"
#include "tests/graph/build.h"
#include "tests/test.h"

enum { W = 4, H = 4, IN = 8, MOST = 100000 };

// ---- models ----------------------------------------------------------------------------------------

// Weights w<name> and a bias.
static void conv(build *b, const char *in, const char *out, int from, int to, int kernel, int group, int stride) {
    static unsigned state = 1;
    char w[32], c[32], inputs[96], attributes[128];
    int count = to * from / group * kernel * kernel;
    float *v = malloc((size_t)(count + to) * sizeof *v);
    if (!v)
        abort();
    for (int i = 0; i < count + to; i++) {
        state = state * 1664525u + 1013904223u;
        v[i] = (float)(state >> 8) / 8388608.0f - 1;
    }
    snprintf(w, sizeof w, "w%s", out);
    snprintf(c, sizeof c, "c%s", out);
    build_floats(b, w, 4, (int64_t[]){to, from / group, kernel, kernel}, v);
    build_floats(b, c, 1, (int64_t[]){to}, v + count);
    free(v);
    int pad = kernel / 2;
    snprintf(inputs, sizeof inputs, "%s %s %s", in, w, c);
    snprintf(attributes, sizeof attributes, "group=%d strides=%d,%d pads=%d,%d,%d,%d", group, stride, stride, pad, pad, pad,
             pad);
    build_node(b, "Conv", inputs, out, attributes);
}

// Stages of ShuffleNetV2: `half` is kept, `half` goes through a 1 x 1, a depthwise and a 1 x 1.
static void unit(build *b, int half, const char *kept, const char *taken, const char *out) {
    char name[4][32], both[64];
    for (int i = 0; i < 4; i++)
        snprintf(name[i], sizeof name[i], "%s%d", out, i);
    conv(b, taken, name[0], half, half, 1, 1, 1);
    build_node(b, "LeakyRelu", name[0], name[1], "alpha=0.1");
    conv(b, name[1], name[2], half, half, 3, half, 1);
    conv(b, name[2], name[3], half, half, 1, 1, 1);
    snprintf(both, sizeof both, "%s %s", kept, name[3]);
    build_node(b, "Concat", both, out, "axis=1");
}

static void roots(build *b, int half) {
    conv(b, "x", "p", IN, half, 1, 1, 1);
    conv(b, "x", "q", IN, half, 3, 1, 1);
    build_node(b, "Concat", "p q", "t", "axis=1");
    build_longs(b, "groups", 5, (int64_t[]){1, 2, half, H, W});
    build_longs(b, "flat", 4, (int64_t[]){1, 2 * half, H, W});
    build_longs(b, "pairs", 3, (int64_t[]){half, 2, H * W});
    build_longs(b, "halves", 5, (int64_t[]){2, 1, half, H, W});
    build_raw(b, "first", 7, 0, NULL, (int64_t[]){0}, sizeof(int64_t));
    build_raw(b, "second", 7, 0, NULL, (int64_t[]){1}, sizeof(int64_t));
}

// Channels of two groups take turns, as nanodet has it; `out` and its halves.
static void take_turns(build *b, const char *in, const char *out) {
    char a[32], c[32], text[96];
    snprintf(a, sizeof a, "%sa", out);
    snprintf(c, sizeof c, "%sc", out);
    snprintf(text, sizeof text, "%s groups", in);
    build_node(b, "Reshape", text, a, "");
    build_node(b, "Transpose", a, c, "perm=0,2,1,3,4");
    snprintf(text, sizeof text, "%s flat", c);
    build_node(b, "Reshape", text, out, "");
    snprintf(text, sizeof text, "%sl %sr", out, out);
    build_node(b, "Split", out, text, "axis=1");
}

// Even and odd channels go apart, as FastestDet has it: into `even` and `odd`.
static void go_apart(build *b, const char *in) {
    char text[64];
    snprintf(text, sizeof text, "%s pairs", in);
    build_node(b, "Reshape", text, "a", "");
    build_node(b, "Transpose", "a", "c", "perm=1,0,2");
    build_node(b, "Reshape", "c halves", "d", "");
    build_node(b, "Gather", "d first", "even", "axis=0");
    build_node(b, "Gather", "d second", "odd", "axis=0");
}

// Two units of 58 channels a half, and what follows a stage: a step down and a 1 x 1 beside it.
static void stage(build *b) {
    roots(b, 58);
    take_turns(b, "t", "s");
    unit(b, 58, "sl", "sr", "u");
    take_turns(b, "u", "v");
    unit(b, 58, "vl", "vr", "i");
    take_turns(b, "i", "j");
    conv(b, "j", "down", 116, 116, 3, 116, 2);
    conv(b, "down", "y", 116, 24, 1, 1, 1);
    conv(b, "j", "side", 116, 20, 1, 1, 1);
}

static void even_and_odd(build *b) {
    roots(b, 16);
    go_apart(b, "t");
    conv(b, "odd", "o", 16, 16, 1, 1, 1);
    build_node(b, "Concat", "even o", "u", "axis=1");
    conv(b, "u", "y", 32, 12, 1, 1, 1);
    conv(b, "u", "side", 32, 8, 1, 1, 1);
}

// Weights of a channel that is read twice are added.
static void read_twice(build *b) {
    roots(b, 16);
    go_apart(b, "t");
    build_node(b, "Concat", "odd even odd", "u", "axis=1");
    conv(b, "u", "y", 48, 12, 1, 1, 1);
    conv(b, "u", "side", 48, 8, 1, 1, 1);
}

static void is_an_output(build *b) {
    roots(b, 16);
    take_turns(b, "t", "y");
    conv(b, "yr", "side", 16, 8, 1, 1, 1);
}

static void is_pooled_too(build *b) {
    roots(b, 16);
    take_turns(b, "t", "s");
    conv(b, "sr", "y", 16, 8, 1, 1, 1);
    build_node(b, "GlobalMaxPool", "sl", "side", "");
}

static void moves_pixels(build *b) {
    roots(b, 16);
    build_longs(b, "turned", 4, (int64_t[]){1, 32, W, H});
    build_node(b, "Reshape", "t groups", "a", "");
    build_node(b, "Transpose", "a", "c", "perm=0,2,1,4,3");
    build_node(b, "Reshape", "c turned", "s", "");
    conv(b, "s", "y", 32, 8, 1, 1, 1);
    conv(b, "s", "side", 32, 8, 1, 1, 1);
}

// Reading so many pieces would cost more than the shuffle.
static void too_scattered(build *b) {
    roots(b, 6);
    take_turns(b, "t", "s");
    unit(b, 6, "sl", "sr", "u");
    take_turns(b, "u", "v");
    conv(b, "vr", "y", 6, 8, 1, 1, 1);
    conv(b, "vl", "side", 6, 8, 1, 1, 1);
}

// ---- checks ----------------------------------------------------------------------------------------

static fv_graph *make(void (*nodes)(build *b), fv_err *err) {
    build b = {0};
    size_t size;
    build_input(&b, "x", 1, 4, (const char *[]){"1", "8", "4", "4"});
    nodes(&b);
    build_output(&b, "y");
    build_output(&b, "side");
    uint8_t *file = build_finish(&b, 13, &size);
    fv_graph *g = fv_graph_load_memory(file, size, NULL, err);
    free(file);
    return g;
}

static int count(const fv_graph *g, const char *op) {
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        n += !strcmp(fv_node_op(&g->node[i]), op);
    return n;
}

// Channels that come together for convolutions.
static int channels_read(const fv_graph *g) {
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++)
        if (!strcmp(fv_node_op(&g->node[i]), "Concat"))
            n += (int)g->tensor[g->node[i].out[0]].dim[1];
    return n;
}

static void run(const fv_graph *g, float *y, float *side) {
    fv_err err = {0};
    float x[IN * H * W];
    for (int i = 0; i < IN * H * W; i++)
        x[i] = (float)((i * 37 + 11) % 101) / 50 - 1;
    CHECK_OK(fv_graph_run(g, (const void *[]){x}, (void *[]){y, side}, &err), err);
}

// The same numbers with so many Transposes; gives the channels that are read.
static int check(void (*nodes)(build *b), int n_transposes) {
    fv_err err = {0};
    int n = 0;
    float *v = calloc((size_t)4 * MOST, sizeof *v);
    fv_graph *g = make(nodes, &err);
    CHECK_OK(g && v, err);
    if (g && v) {
        run(g, v, v + MOST);
        CHECK_OK(fv_graph_optimize(g, &err), err);
        run(g, v + 2 * MOST, v + 3 * MOST);
        double largest = 0, differs = 0;
        for (int i = 0; i < 2 * MOST; i++) {
            largest = fabs(v[i]) > largest ? fabs(v[i]) : largest;
            differs = fabs(v[i] - v[i + 2 * MOST]) > differs ? fabs(v[i] - v[i + 2 * MOST]) : differs;
        }
        CHECK(largest > 0.1 && differs <= 1e-5 * largest);
        CHECK_EQUAL(count(g, "Transpose"), n_transposes);
        n = channels_read(g);
    }
    fv_graph_destroy(&g);
    free(v);
    return n;
}

static void halves_that_end_within_a_block(void) {
    // what is needed and a little more, since whole blocks of four are read
    int n = check(stage, 0), needed = 58 + 58 + 116 + 116;
    CHECK(n >= needed && n <= needed * 1.1);
}

static void even_and_odd_channels(void) {
    CHECK_EQUAL(check(even_and_odd, 0), 16 + 32 + 32); // nothing in vain: they are computed in the order of their readers
}

static void channels_read_twice(void) {
    CHECK_EQUAL(check(read_twice, 0), 32 + 32);
}

static void others_stay(void) {
    CHECK_EQUAL(check(is_an_output, 1), 32);
    CHECK_EQUAL(check(is_pooled_too, 1), 32);
    CHECK_EQUAL(check(moves_pixels, 1), 32);
    CHECK_EQUAL(check(too_scattered, 2), 12 + 12);
}

const fv_suite shuffle_suite = {"shuffle", (const fv_case[]){
    CASE(halves_that_end_within_a_block), CASE(even_and_odd_channels), CASE(channels_read_twice),
    CASE(others_stay), {0}}};
