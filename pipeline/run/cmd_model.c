#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/detect/load.h"
#include "pipeline/detect/model.h"
#include "pipeline/infer/infer.h"
#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"

enum { MAX_OPS = 128 };

typedef struct {
    const char *card, *labels, *device;
    int size, precision;
    bool steps, nodes;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, card, "card", NULL,
                     "model card; <model>.yaml without it, if it is there"),
    FV_OPTION_STRING(arguments, labels, "labels", NULL, "file with one class name a line"),
    FV_OPTION_STRING(arguments, device, "device", NULL,
                     "number or part of a name of `fovea devices`, or reference"),
    FV_OPTION_ENUM(arguments, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; fp16 is checked against fp32 first"),
    FV_OPTION_INT(arguments, size, "size", 0, 8192, 0, "input size for models that leave it open"),
    FV_OPTION_BOOL(arguments, nodes, "nodes", 0, "also every node of the graph"),
    FV_OPTION_BOOL(arguments, steps, "steps", 0, "also every step of the plan"),
    {0},
};

// A picture of bytes is float32 in the graph by now.
static void print_tensors(const char *title, const fv_graph *g, const int *index, int n) {
    char shape[96];
    for (int i = 0; i < n; i++) {
        const fv_tensor *t = &g->tensor[index[i]];
        bool bytes = index == g->input && t->n_dims == 4 && g->picture == FV_PICTURE_BYTES;
        printf("%-11s %s  %s %s\n", i ? "" : title, t->name, fv_dtype_name(bytes ? FV_U8 : t->dtype),
               fv_tensor_shape_text(t, shape, sizeof shape));
    }
}

static void print_input(const fv_input *in) {
    static const char *const fits[] = {"stretched", "letterboxed in the centre",
                                       "letterboxed top left"};
    printf("%-11s %dx%d, %s", "preprocess", in->width, in->height, fits[in->fit]);
    if (in->fit != FV_FIT_STRETCH)
        printf(" with pad %g", (double)in->pad);
    printf(", %s, %s, (pixel - [%g %g %g]) * [%.6g %.6g %.6g]\n", in->bgr ? "BGR" : "RGB",
           in->nhwc ? "NHWC" : "NCHW", (double)in->mean[0], (double)in->mean[1],
           (double)in->mean[2], (double)in->scale[0], (double)in->scale[1], (double)in->scale[2]);
}

static void print_head(const fv_model *m) {
    const fv_head *h = &m->head;
    printf("%-11s %s (%s)\n", "head", h->family, h->why);
    if (h->n_classes || h->n_strides || h->n_anchors)
        printf("%-11s", "");
    if (h->n_classes)
        printf(" %d class%s", h->n_classes, h->n_classes > 1 ? "es" : "");
    for (int i = 0; i < h->n_strides; i++)
        printf("%s%d", i ? ", " : h->n_classes ? ", strides " : " strides ", h->stride[i]);
    for (int i = 0; i < m->head.n_anchors; i++)
        printf("%s%gx%g", i ? ", " : "; anchors ", (double)m->head.anchor[i][0],
               (double)m->head.anchor[i][1]);
    if (h->n_classes || h->n_strides || h->n_anchors)
        printf("\n");
    print_input(&m->input);
    printf("%-11s %d, from %s", "labels", m->labels.n, m->labels_from);
    for (int i = 0; i < m->labels.n && i < 6; i++)
        printf("%s%s", i ? ", " : ": ", m->labels.v[i]);
    printf("%s\n", m->labels.n > 6 ? ", ..." : "");
}

typedef struct {
    const char *name;
    int n;
    int64_t macs;
} op_row;

static int by_macs(const void *a, const void *b) {
    const op_row *x = a, *y = b;
    if (x->macs != y->macs)
        return x->macs < y->macs ? 1 : -1;
    return x->n != y->n ? y->n - x->n : strcmp(x->name, y->name);
}

static void print_ops(const fv_graph *g) {
    op_row ops[MAX_OPS];
    int n = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        int k = 0;
        while (k < n && strcmp(ops[k].name, fv_node_op(&g->node[i])))
            k++;
        if (k == MAX_OPS)
            continue;
        if (k == n)
            ops[n++] = (op_row){.name = fv_node_op(&g->node[i])};
        ops[k].n++;
        ops[k].macs += fv_node_macs(g, &g->node[i]);
    }
    qsort(ops, (size_t)n, sizeof *ops, by_macs);
    printf("%-11s %d nodes\n", "ops", g->n_nodes);
    for (int i = 0; i < n; i++) {
        printf("%-11s %-20s %5d", "", ops[i].name, ops[i].n);
        if (ops[i].macs)
            printf("  %10.2f MMAC", (double)ops[i].macs / 1e6);
        printf("\n");
    }
    printf("%-11s %.2f MMAC a frame, %.2f MB of weights\n", "work", (double)fv_graph_macs(g) / 1e6,
           (double)fv_graph_constant_bytes(g) / 1e6);
}

// A device that was asked for and is not there is a mistake; without one, the plan is left out.
static bool print_plan(const arguments *a, const char *path, const fv_graph *g,
                       const fv_input *input, fv_err *failure) {
    fv_err err = {0};
    fv_plan_params params = {.precision = (fv_precision)a->precision, .input = input, .name = path};
    if (a->device && !strcmp(a->device, "reference")) {
        printf("%-11s none: the reference runs node by node\n", "plan");
        return true;
    }
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.device = a->device}, &err);
    fv_plan *plan = gpu ? fv_plan_create(gpu, g, &params, &err) : NULL;
    fv_session *session = plan ? fv_session_create(plan, NULL, 1, &err) : NULL; // records: barriers
    if (session) {
        fv_plan_stats s = fv_plan_get_stats(plan);
        printf("%-11s %s: %s, %d dispatches, %d barriers, %d steps on the host, %.2f MB of weights, "
               "%.2f MB of activations\n",
               "plan", fv_gpu_get_caps(gpu)->name, s.half ? "fp16" : "fp32", s.n_dispatches, s.n_barriers, s.n_host_steps,
               (double)s.weight_bytes / 1e6, (double)s.activation_bytes / 1e6);
        if (a->steps)
            fv_plan_print(plan, stdout);
    }
    bool ok = gpu || !a->device;
    if (ok && !session)
        printf("%-11s none: %s\n", "plan", err.text);
    if (!ok)
        *failure = err;
    fv_session_destroy(&session);
    fv_plan_destroy(&plan);
    fv_gpu_destroy(&gpu);
    return ok;
}

static void print_unsupported(void *user, const char *node, const char *op) {
    (void)user;
    printf("%-11s %s (node '%s')\n", "unsupported", op, node);
}

// The ops that are in the way are listed before the loader's own error ends it.
static bool describe(const arguments *a, const char *path, fv_err *err) {
    fv_model m;
    fv_err no_head = {0};
    bool ok = fv_model_begin(&m, path, a->card, err);
    const fv_card *card = &m.card;
    int width = a->size ? a->size : card->has_size ? card->input.width : 0;
    int height = a->size ? a->size : card->has_size ? card->input.height : 0;
    ok = ok && fv_graph_unsupported(m.path, print_unsupported, NULL, err) >= 0;
    fv_graph *g = ok ? fv_detect_load(m.path, width, height, err) : NULL;
    if (g) {
        printf("%-11s %s, opset %lld\n", "model", m.path, (long long)g->opset);
        print_tensors("inputs", g, g->input, g->n_inputs);
        print_tensors("outputs", g, g->output, g->n_outputs);
        if (fv_model_settle(&m, g, a->labels, &no_head))
            print_head(&m);
        else
            printf("%-11s none: %s\n", "head", no_head.text);
        print_ops(g);
        if (no_head.code == FV_BAD_INPUT) // what the card or --labels says cannot be
            *err = no_head;
        ok = !err->code && fv_graph_optimize(g, err);
    }
    if (g && ok) {
        printf("%-11s %d nodes\n", "fused to", g->n_nodes);
        if (a->nodes)
            fv_graph_print(g, stdout);
        ok = print_plan(a, m.path, g, m.head.family[0] ? &m.input : NULL, err);
    }
    ok = ok && g;
    fv_graph_destroy(&g);
    fv_model_finish(&m);
    return ok;
}

int fv_cmd_model(int argc, char **argv) {
    arguments a;
    fv_err err = {0};
    int n = 0;
    if (fv_args_help("model [OPTION...] [MODEL.onnx]", rows, argc, argv))
        return 0;
    const char **paths = calloc((size_t)argc, sizeof *paths);
    fv_options_default(&a, rows);
    if (paths && fv_args_take(&a, rows, argc, argv, paths, &n, &err) && n > 1)
        fv_fail(&err, FV_BAD_INPUT, "one model at a time");
    int code = !paths ? 1 : err.code ? fv_cmd_usage("model", err.text) : 0;
    if (paths && !err.code && !describe(&a, n ? paths[0] : NULL, &err)) {
        fflush(stdout);
        fprintf(stderr, "fovea model: %s\n", err.text);
        code = fv_err_exit_code(&err);
    }
    free(paths);
    return code;
}
