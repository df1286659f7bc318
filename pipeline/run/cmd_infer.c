#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "pipeline/graph/ops.h"
#include "pipeline/infer/infer.h"
#include "pipeline/run/args.h"
#include "pipeline/run/cmd.h"
#include "pipeline/run/npy.h"

enum { MAX_INPUTS = 64 };

typedef struct {
    const char *model, *out_dir, *device, *in;
    int precision;
    const char *name[MAX_INPUTS]; // NULL: the only input
    const char *path[MAX_INPUTS];
    fv_tensor given[MAX_INPUTS];
    int n;
    fv_arena *arena;
} arguments;

static const fv_option rows[] = {
    FV_OPTION_STRING(arguments, in, "in", NULL,
                     "FILE.npy, or NAME=FILE.npy where there are several; once for each input"),
    FV_OPTION_STRING(arguments, out_dir, "out-dir", NULL, "folder for OUTPUT.npy"),
    FV_OPTION_STRING(arguments, device, "device", NULL,
                     "number or part of a name of `fovea devices`, or reference"),
    FV_OPTION_ENUM(arguments, precision, "precision", fv_precision_names, FV_PRECISION_AUTO,
                   "numbers on the device; fp16 is checked against fp32 first"),
    {0},
};

static bool take_input(arguments *a, const char *text, fv_err *err) {
    const char *sign = strchr(text, '=');
    if (a->n == MAX_INPUTS)
        return fv_fail(err, FV_BAD_INPUT, "more than %d inputs", MAX_INPUTS);
    a->name[a->n] = sign ? fv_arena_strndup(a->arena, text, (size_t)(sign - text)) : NULL;
    a->path[a->n++] = sign ? sign + 1 : text;
    return true;
}

// "--in" may stand there again and again: these are taken out, the rest are rows.
static bool take_arguments(arguments *a, int argc, char **argv, fv_err *err) {
    char **other = FV_ARENA_NEW(a->arena, char *, argc + 1);
    const char **models = FV_ARENA_NEW(a->arena, const char *, argc + 1);
    int n = 0, n_models = 0;
    for (int i = 0; i < argc; i++) {
        if (i && !strcmp(argv[i], "--in") && i + 1 < argc) {
            if (!take_input(a, argv[++i], err))
                return false;
        } else {
            other[n++] = argv[i];
        }
    }
    if (!fv_args_take(a, rows, n, other, models, &n_models, err))
        return false;
    if (a->in && !take_input(a, a->in, err)) // --in=FILE
        return false;
    a->model = n_models == 1 ? models[0] : NULL;
    return (a->model && a->out_dir) ||
           fv_fail(err, FV_BAD_INPUT,
                   n_models > 1 ? "one model at a time; give arrays with --in FILE.npy"
                                : "give a model and --out-dir DIR");
}

// Open sizes of the graph come from the first picture-like array.
static fv_graph *load_graph(const arguments *a, fv_err *err) {
    fv_graph_params params = {0};
    for (int i = 0; i < a->n && !params.width; i++) {
        const fv_tensor *t = &a->given[i];
        bool last = t->n_dims == 4 && t->dim[3] <= 4 && t->dim[1] > 4;
        if (t->n_dims == 4)
            params.height = t->dim[last ? 1 : 2], params.width = t->dim[last ? 2 : 3];
    }
    fv_graph *g = fv_graph_load(a->model, &params, err);
    if (g && !fv_graph_optimize(g, err))
        fv_graph_destroy(&g);
    return g;
}

static int given_for(const arguments *a, const char *name) {
    for (int i = 0; i < a->n; i++)
        if (!a->name[i] ? a->n == 1 : !strcmp(a->name[i], name))
            return i;
    return -1;
}

static bool bind_input(const arguments *a, const fv_tensor *want, const void **data, fv_err *err) {
    char wanted[96], got[96];
    fv_tensor_shape_text(want, wanted, sizeof wanted);
    int i = given_for(a, want->name);
    if (i < 0)
        return fv_fail(err, FV_BAD_INPUT, "input %s (%s %s) is missing; give --in %s=FILE.npy",
                       want->name, fv_dtype_name(want->dtype), wanted, want->name);
    const fv_tensor *t = &a->given[i];
    bool same =
        t->n_dims == want->n_dims && !memcmp(t->dim, want->dim, sizeof *t->dim * (size_t)t->n_dims);
    if (!same)
        return fv_fail(err, FV_BAD_INPUT, "%s is %s, input %s wants %s", a->path[i],
                       fv_tensor_shape_text(t, got, sizeof got), want->name, wanted);
    void *converted = fv_arena_alloc(a->arena, fv_tensor_bytes(want) + 1);
    fv_convert(converted, want->dtype, t->data, t->dtype, (size_t)fv_tensor_count(t));
    *data = converted;
    return true;
}

static bool bind_inputs(const arguments *a, const fv_graph *g, const void **data, fv_err *err) {
    if (g->n_inputs > MAX_INPUTS)
        return fv_fail(err, FV_UNSUPPORTED, "%s: %d inputs, at most %d", a->model, g->n_inputs,
                       MAX_INPUTS);
    for (int i = 0; i < a->n; i++) {
        bool known = !a->name[i] && a->n == 1;
        for (int k = 0; k < g->n_inputs && !known; k++)
            known = a->name[i] && !strcmp(g->tensor[g->input[k]].name, a->name[i]);
        if (!known)
            return fv_fail(err, FV_BAD_INPUT, "%s has no input '%s'; `fovea model` lists them",
                           a->model, a->name[i] ? a->name[i] : a->path[i]);
    }
    for (int k = 0; k < g->n_inputs; k++)
        if (!bind_input(a, &g->tensor[g->input[k]], &data[k], err))
            return false;
    return true;
}

static bool save_output(const arguments *a, const fv_tensor *t, fv_err *err) {
    char path[4096], shape[96], *name = fv_arena_strdup(a->arena, t->name);
    for (char *c = name; *c; c++)
        *c = *c == '/' || *c == ':' ? '_' : *c;
    snprintf(path, sizeof path, "%s/%s.npy", a->out_dir, name);
    if (!fv_npy_save(path, t, err))
        return false;
    printf("%s  %s %s\n", path, fv_dtype_name(t->dtype),
           fv_tensor_shape_text(t, shape, sizeof shape));
    return true;
}

static bool save_outputs(const arguments *a, const fv_tensor *out, int n, fv_err *err) {
    if (mkdir(a->out_dir, 0777) && errno != EEXIST)
        return fv_fail(err, FV_BAD_INPUT, "%s: cannot be made: %s", a->out_dir, strerror(errno));
    for (int i = 0; i < n; i++)
        if (!save_output(a, &out[i], err))
            return false;
    return true;
}

static bool run_reference(const arguments *a, const fv_graph *g, const void *const *in,
                          fv_err *err) {
    fv_tensor *out = FV_ARENA_NEW(a->arena, fv_tensor, g->n_outputs + 1);
    void **data = FV_ARENA_NEW(a->arena, void *, g->n_outputs + 1);
    for (int i = 0; i < g->n_outputs; i++) {
        out[i] = g->tensor[g->output[i]];
        out[i].data = data[i] = fv_arena_alloc(a->arena, fv_tensor_bytes(&out[i]) + 1);
    }
    return fv_graph_run(g, in, data, err) && save_outputs(a, out, g->n_outputs, err);
}

static bool run_device(const arguments *a, const fv_graph *g, const void *const *in, fv_err *err) {
    fv_gpu *gpu = fv_gpu_create(&(fv_gpu_params){.device = a->device}, err);
    fv_plan *plan = gpu ? fv_plan_create(gpu, g, &(fv_plan_params){.tune = true, .precision = (fv_precision)a->precision}, err) : NULL;
    fv_session *session = plan ? fv_session_create(plan, NULL, 1, err) : NULL;
    fv_result r;
    bool ok = session && fv_session_push_tensors(session, in, NULL, err) &&
              fv_session_pull(session, &r, err) && save_outputs(a, r.tensor, r.n, err);
    fv_session_destroy(&session);
    fv_plan_destroy(&plan);
    fv_gpu_destroy(&gpu);
    return ok;
}

static bool run(arguments *a, fv_err *err) {
    const void *in[MAX_INPUTS];
    for (int i = 0; i < a->n; i++)
        if (!fv_npy_load(a->path[i], a->arena, &a->given[i], err))
            return false;
    fv_graph *g = load_graph(a, err);
    bool reference = a->device && !strcmp(a->device, "reference");
    bool ok =
        g && bind_inputs(a, g, in, err) && (reference ? run_reference : run_device)(a, g, in, err);
    fv_graph_destroy(&g);
    return ok;
}

int fv_cmd_infer(int argc, char **argv) {
    arguments a = {.arena = fv_arena_create()};
    fv_err err = {0};
    int code = 0;
    if (fv_args_help("infer M.onnx --in [NAME=]FILE.npy... --out-dir DIR [OPTION...]", rows, argc,
                     argv)) {
        fv_arena_destroy(&a.arena);
        return 0;
    }
    if (!take_arguments(&a, argc, argv, &err))
        code = fv_cmd_usage("infer", err.text);
    else if (!run(&a, &err)) {
        fprintf(stderr, "fovea infer: %s\n", err.text);
        code = fv_err_exit_code(&err);
    }
    fv_arena_destroy(&a.arena);
    return code;
}
