#include "tests/onnx_cases.h"

#include <dirent.h>
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOT "/usr/share/libonnx-testdata/data"
enum { MAX_PORTS = 32, MAX_OPS = 256 };

// Cases of ops in our table that do not run, with the reason. Everything else must pass.
static const struct {
    const char *pattern, *reason;
} skips[] = {
    {"*_3d_default", "three-dimensional pooling"},
    {"test_convtranspose_3d", "three-dimensional convolution"},
    {"test_Conv3d*", "three-dimensional convolution"},
    {"test_*Pool3d*", "three-dimensional pooling"},
    {"test_batchnorm_*_training_mode", "training"},
    {"test_training_dropout", "training: random numbers"},
    {"test_training_dropout_default*", "training: random numbers"},
    {"test_training_dropout_mask", "training: random numbers"},
    {"test_cast*_to_BFLOAT16*", "bfloat16 is computed in float32, unrounded"},
    {"test_cast*BFLOAT16_to*", "its input is stored as uint16, not as bfloat16"},
    {"test_cast*STRING*", "strings"},
    {"test_identity_opt", "optional types"},
    {"test_identity_sequence", "sequences"},
    {"test_resize_downsample_scales_*_align_corners",
     "expects the output size not to be rounded; ONNX Runtime rounds as we do"},
};

static const char *skip_reason(const char *name) {
    for (size_t i = 0; i < sizeof skips / sizeof skips[0]; i++)
        if (skips[i].reason && !fnmatch(skips[i].pattern, name, 0))
            return skips[i].reason;
    return NULL;
}

void fv_cases_print_skips(void) {
    for (size_t i = 0; i < sizeof skips / sizeof skips[0]; i++)
        if (skips[i].reason)
            printf("skip %-44s %s\n", skips[i].pattern, skips[i].reason);
}

// ---- one data set -------------------------------------------------------------------------------

typedef struct {
    fv_arena *arena;
    int n_in, n_out;
    fv_tensor in[MAX_PORTS], out[MAX_PORTS];
} data_set;

static int load_ports(const char *folder, const char *kind, fv_arena *arena, fv_tensor *t,
                      fv_err *err) {
    int n = 0;
    char path[1024];
    for (; n < MAX_PORTS; n++) {
        snprintf(path, sizeof path, "%s/%s_%d.pb", folder, kind, n);
        if (access(path, R_OK))
            break;
        if (!fv_tensor_load(path, arena, &t[n], err))
            return -1;
    }
    return n;
}

static bool same_shape(const fv_tensor *a, const fv_tensor *b) {
    bool same = a->n_dims == b->n_dims && a->dtype == b->dtype;
    for (int d = 0; same && d < a->n_dims; d++)
        same = a->dim[d] == b->dim[d];
    return same;
}

static double value(const fv_tensor *t, int64_t i) {
    static const double half_unit = 0x1p-24;
    const void *p = t->data;
    switch (t->dtype) {
    case FV_F32: return (double)((const float *)p)[i];
    case FV_F64: return ((const double *)p)[i];
    case FV_I64: return (double)((const int64_t *)p)[i];
    case FV_I32: return ((const int32_t *)p)[i];
    case FV_I16: return ((const int16_t *)p)[i];
    case FV_I8: return ((const int8_t *)p)[i];
    case FV_U64: return (double)((const uint64_t *)p)[i];
    case FV_U32: return ((const uint32_t *)p)[i];
    case FV_U16: return ((const uint16_t *)p)[i];
    case FV_F16: {
        int bits = ((const uint16_t *)p)[i], e = bits >> 10 & 31, m = bits & 1023;
        double v = e == 0    ? m * half_unit
                   : e == 31 ? (m ? NAN : INFINITY)
                             : ldexp(1024 + m, e - 25);
        return bits & 0x8000 ? -v : v;
    }
    default: return ((const uint8_t *)p)[i];
    }
}

static bool equal(double a, double b, fv_dtype dtype) {
    bool real = dtype == FV_F32 || dtype == FV_F64 || dtype == FV_F16;
    if (a == b || (a != a && b != b))
        return true;
    return real && fabs(a - b) <= (dtype == FV_F16 ? 2e-3 : 1e-5) + 1e-3 * fabs(b);
}

static bool compare(const fv_tensor *ours, const fv_tensor *expected, fv_err *err) {
    char a[128], b[128];
    if (!same_shape(ours, expected)) // NonMaxSuppression: exact once its inputs are constant
        return fv_fail(err, FV_UNSUPPORTED, "output '%s' is %s %s, expected %s %s", ours->name,
                       fv_dtype_name(ours->dtype), fv_tensor_shape_text(ours, a, sizeof a),
                       fv_dtype_name(expected->dtype), fv_tensor_shape_text(expected, b, sizeof b));
    for (int64_t i = 0; i < fv_tensor_count(ours); i++)
        if (!equal(value(ours, i), value(expected, i), ours->dtype))
            return fv_fail(err, FV_BAD_INPUT, "output '%s'[%lld] is %.9g, expected %.9g",
                           ours->name, (long long)i, value(ours, i), value(expected, i));
    return true;
}

// Data of graph input i: the port of its name, else of its place.
static const fv_tensor *port_of(const fv_graph *g, int i, const data_set *d) {
    const fv_tensor *t = &g->tensor[g->input[i]];
    for (int k = 0; k < d->n_in; k++)
        if (!strcmp(d->in[k].name, t->name))
            return &d->in[k];
    return g->n_inputs == d->n_in ? &d->in[i] : NULL;
}

typedef struct {
    fv_executor_fn run;
    void *user;
} executor;

static bool run_graph(fv_graph *g, const data_set *d, const executor *x, fv_err *err) {
    const void *in[MAX_PORTS] = {0};
    void *out[MAX_PORTS] = {0};
    fv_tensor result[MAX_PORTS];
    if (g->n_inputs > MAX_PORTS || g->n_outputs > MAX_PORTS || g->n_outputs < d->n_out)
        return fv_fail(err, FV_BAD_INPUT, "%d outputs for %d files", g->n_outputs, d->n_out);
    for (int i = 0; i < g->n_inputs; i++) {
        const fv_tensor *port = port_of(g, i, d);
        if (!port || !same_shape(port, &g->tensor[g->input[i]]))
            return fv_fail(err, FV_UNSUPPORTED, "input '%s' has another shape than its file",
                           g->tensor[g->input[i]].name);
        in[i] = port->data;
    }
    for (int i = 0; i < g->n_outputs; i++) {
        result[i] = g->tensor[g->output[i]];
        result[i].data = out[i] = calloc(1, fv_tensor_bytes(&result[i]) + 1);
    }
    bool ok = x->run(x->user, g, in, out, err);
    for (int i = 0; ok && i < d->n_out; i++)
        ok = compare(&result[i], &d->out[i], err);
    for (int i = 0; i < g->n_outputs; i++)
        free(out[i]);
    return ok;
}

// Loads with the first `free_inputs` inputs as inputs and the others as constants.
static bool attempt(const char *model, const data_set *d, int free_inputs, const executor *x,
                    fv_err *err) {
    fv_graph_params params = {
        .constant = d->in + free_inputs, .n_constants = d->n_in - free_inputs, .keep_half = true};
    *err = (fv_err){0};
    fv_graph *g = fv_graph_load(model, &params, err);
    bool ok = g && run_graph(g, d, x, err);
    fv_graph_destroy(&g);
    return ok;
}

static bool run_set(const char *model, const char *folder, const executor *x, fv_err *err) {
    data_set d = {.arena = fv_arena_create()};
    d.n_in = load_ports(folder, "input", d.arena, d.in, err);
    d.n_out = d.n_in < 0 ? -1 : load_ports(folder, "output", d.arena, d.out, err);
    bool ok = d.n_out >= 0 && attempt(model, &d, d.n_in, x, err);
    // where shapes depend on inputs, these become constants: all but the first, then all
    if (!ok && d.n_out >= 0 && err->code == FV_UNSUPPORTED && d.n_in > 1)
        ok = attempt(model, &d, 1, x, err);
    if (!ok && d.n_out >= 0 && err->code == FV_UNSUPPORTED && d.n_in > 0)
        ok = attempt(model, &d, 0, x, err);
    fv_arena_destroy(&d.arena);
    return ok;
}

// ---- the walk -----------------------------------------------------------------------------------

typedef struct {
    char op[64];
    fv_cases_tally n;
} row;

typedef struct {
    row rows[MAX_OPS];
    int n_rows;
} table;

static row *table_row(table *t, const char *op) {
    for (int i = 0; i < t->n_rows; i++)
        if (!strcmp(t->rows[i].op, op))
            return &t->rows[i];
    row *r = &t->rows[t->n_rows < MAX_OPS - 1 ? t->n_rows++ : t->n_rows - 1];
    *r = (row){0};
    snprintf(r->op, sizeof r->op, "%s", op);
    return r;
}

typedef struct {
    char op[64];
    int n;
    bool foreign;
} kind;

static void look(void *user, const char *node, const char *op, bool supported) {
    kind *k = user;
    (void)node;
    if (k->n++ == 0 || !strcmp(k->op, "Constant"))
        snprintf(k->op, sizeof k->op, "%s", op);
    else if (strcmp(op, "Constant") && strcmp(op, k->op))
        snprintf(k->op, sizeof k->op, "(several)");
    k->foreign |= !supported;
}

static bool run_case(const char *folder, const executor *x, fv_err *err) {
    char model[900], set[900];
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    for (int i = 0;; i++) {
        snprintf(set, sizeof set, "%s/test_data_set_%d", folder, i);
        if (access(set, R_OK))
            return i > 0 || fv_fail(err, FV_BAD_INPUT, "no data sets");
        if (!run_set(model, set, x, err))
            return false;
    }
}

static void count_case(const char *folder, const char *name, const executor *x, table *t) {
    char model[900];
    kind k = {0};
    fv_err err = {0};
    snprintf(model, sizeof model, "%s/model.onnx", folder);
    if (fv_graph_survey(model, look, &k, &err) < 0)
        snprintf(k.op, sizeof k.op, "(unreadable)");
    row *r = table_row(t, k.op);
    if (k.foreign)
        r->n.foreign++;
    else if (skip_reason(name))
        r->n.skipped++;
    else if (run_case(folder, x, &err))
        r->n.passed++;
    else {
        r->n.failed++;
        printf("FAIL %s: %s\n", name, err.text);
    }
}

static int by_op(const void *a, const void *b) {
    return strcmp(((const row *)a)->op, ((const row *)b)->op);
}

static void print_table(const char *set, table *t, fv_cases_tally *sum) {
    qsort(t->rows, (size_t)t->n_rows, sizeof *t->rows, by_op);
    *sum = (fv_cases_tally){0};
    printf("%s\n  %-28s passed failed skipped\n", set, "op");
    for (int i = 0; i < t->n_rows; i++) {
        const fv_cases_tally *n = &t->rows[i].n;
        if (n->passed + n->failed + n->skipped)
            printf("  %-28s %6d %6d %7d\n", t->rows[i].op, n->passed, n->failed, n->skipped);
        sum->passed += n->passed, sum->failed += n->failed, sum->skipped += n->skipped,
            sum->foreign += n->foreign;
    }
    printf("  %-28s %6d %6d %7d; %d need ops that are not ours\n", "together", sum->passed,
           sum->failed, sum->skipped, sum->foreign);
    fflush(stdout);
}

bool fv_cases_run(const char *set, const char *filter, fv_executor_fn run, void *user,
                  fv_cases_tally *tally) {
    char root[512], folder[800];
    struct dirent **entry;
    snprintf(root, sizeof root, "%s/%s", ROOT, set);
    int n = scandir(root, &entry, NULL, alphasort);
    if (n < 0)
        return false;
    table *t = calloc(1, sizeof *t);
    for (int i = 0; i < n; i++) {
        snprintf(folder, sizeof folder, "%s/%s", root, entry[i]->d_name);
        if (entry[i]->d_name[0] != '.' && (!filter || strstr(entry[i]->d_name, filter)))
            count_case(folder, entry[i]->d_name, &(executor){run, user}, t);
        free(entry[i]);
    }
    free(entry);
    print_table(set, t, tally);
    free(t);
    return true;
}
