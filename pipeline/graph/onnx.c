#include "pipeline/graph/onnx.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_NODES = 1 << 18, MAX_FUNCTIONS = 4096, DEFAULT_SIZE = 640 };
#define DEFAULT_MAX_BYTES ((size_t)4 << 30)
#define MAX_FOLDED ((size_t)512 << 20) // bytes of constants that no file holds
#define MAX_FOLD_WORK 2e9 // elementary steps that folding may take in all

// ---- growing ------------------------------------------------------------------------------------

// Doubles an array of the arena; what it leaves behind is as much again at most.
static void *grow(fv_arena *arena, void *old, int n, int *capacity, size_t size) {
    if (n < *capacity)
        return old;
    *capacity = *capacity ? *capacity * 2 : 64;
    void *p = fv_arena_alloc(arena, size * (size_t)*capacity);
    if (n)
        memcpy(p, old, size * (size_t)n);
    return p;
}

static int add_tensor(fv_importer *im, const fv_tensor *t) {
    fv_graph *g = im->g;
    g->tensor = grow(g->arena, g->tensor, g->n_tensors, &im->tensor_capacity, sizeof *g->tensor);
    g->tensor[g->n_tensors] = *t;
    return g->n_tensors++;
}

static bool spend(fv_importer *im, const fv_tensor *t) {
    size_t bytes = fv_tensor_bytes(t);
    if (bytes > im->left)
        return fv_fail(im->err, FV_BAD_INPUT, "computed constants need more than %zu MiB",
                       (im->params->max_bytes < MAX_FOLDED ? im->params->max_bytes : MAX_FOLDED) >> 20);
    im->left -= bytes;
    return true;
}

// ---- inputs -------------------------------------------------------------------------------------

static bool is_image(const Fovea__Onnx__Shape *s, bool *channels_last) {
    *channels_last = s->n_dim == 4 && s->dim[3]->dim_value == 3 && s->dim[1]->dim_value != 3;
    return s->n_dim == 4;
}

// Whether dimension d of an image is its height (1), width (2) or channels (3); 0 for the batch.
static int image_role(int d, bool channels_last) {
    static const int first[] = {0, 3, 1, 2}, last[] = {0, 1, 2, 3};
    return (channels_last ? last : first)[d];
}

static int64_t default_dim(const fv_graph_params *p, const Fovea__Onnx__Shape *s, int d) {
    bool channels_last;
    if (!is_image(s, &channels_last))
        return 1;
    int64_t size = p->default_size ? p->default_size : DEFAULT_SIZE;
    const int64_t of_role[] = {1, p->height ? p->height : size, p->width ? p->width : size, 3};
    return of_role[image_role(d, channels_last)];
}

static int64_t solve_dim(const fv_graph_params *p, const Fovea__Onnx__Shape *s, int d) {
    const Fovea__Onnx__Dimension *dim = s->dim[d];
    if (dim->has_dim_value && dim->dim_value > 0)
        return dim->dim_value;
    for (int i = 0; dim->dim_param && i < p->n_dims; i++)
        if (!strcmp(p->dim[i].name, dim->dim_param))
            return p->dim[i].value;
    return dim->has_dim_value && dim->dim_value == 0 && !dim->dim_param && s->n_dim != 4
               ? 0
               : default_dim(p, s, d);
}

static bool read_input(fv_importer *im, const Fovea__Onnx__ValueInfo *v, fv_tensor *t) {
    const Fovea__Onnx__TensorType *type = v->type ? v->type->tensor_type : NULL;
    if (!type)
        return fv_fail(im->err, FV_UNSUPPORTED, "input '%s' is no tensor", v->name);
    if (!type->shape)
        return fv_fail(im->err, FV_UNSUPPORTED,
                       "input '%s' has no shape; export the model with one", v->name);
    *t = (fv_tensor){.name = fv_arena_strdup(im->g->arena, v->name),
                     .dtype = fv_onnx_dtype(type->elem_type)};
    if (t->dtype == FV_N_DTYPES)
        return fv_fail(im->err, FV_UNSUPPORTED, "input '%s' is of type %s, which is not supported",
                       v->name, fv_onnx_dtype_text(type->elem_type));
    if (type->shape->n_dim > FV_MAX_DIMS)
        return fv_fail(im->err, FV_UNSUPPORTED, "input '%s' has more than %d dimensions", v->name,
                       FV_MAX_DIMS);
    t->n_dims = (int)type->shape->n_dim;
    for (int d = 0; d < t->n_dims; d++)
        t->dim[d] = solve_dim(im->params, type->shape, d);
    return fv_shape_check(t, im->max_tensor, im->err);
}

static bool bind_constant(fv_importer *im, fv_tensor *t) {
    for (int i = 0; i < im->params->n_constants; i++) {
        const fv_tensor *from = &im->params->constant[i];
        if (!from->name || strcmp(from->name, t->name))
            continue;
        const char *name = t->name;
        *t = *from;
        t->name = name;
        if (!fv_shape_check(t, im->max_tensor, im->err) || !spend(im, t))
            return false;
        t->data = fv_arena_alloc(im->g->data, fv_tensor_bytes(t) + 1);
        memcpy(t->data, from->data, fv_tensor_bytes(t));
        return true;
    }
    return true;
}

static bool import_inputs(fv_importer *im, const Fovea__Onnx__Graph *p) {
    fv_graph *g = im->g;
    g->input = FV_ARENA_NEW(g->arena, int, p->n_input);
    for (size_t i = 0; i < p->n_input; i++) {
        fv_tensor t;
        if (!p->input[i]->name || fv_names_find(&im->names, p->input[i]->name) >= 0)
            continue; // files before IR version 4 list their weights as inputs, too
        if (!read_input(im, p->input[i], &t) || !bind_constant(im, &t))
            return false;
        int index = add_tensor(im, &t);
        fv_names_add(&im->names, t.name, index);
        if (!t.data)
            g->input[g->n_inputs++] = index;
    }
    return true;
}

bool fv_import_initializers(fv_importer *im, const Fovea__Onnx__Graph *p) {
    for (size_t i = 0; i < p->n_initializer; i++) {
        fv_tensor t;
        if (!fv_onnx_tensor(p->initializer[i], &im->externals, im->g->data, im->max_tensor,
                            &t, im->err))
            return false;
        t.name = fv_arena_strdup(im->g->arena, t.name);
        int index = add_tensor(im, &t);
        fv_names_add(&im->names, t.name, index);
        if (fv_onnx_is_packed(p->initializer[i]))
            fv_names_add(&im->packed, t.name, index);
    }
    return true;
}

// ---- nodes --------------------------------------------------------------------------------------

bool fv_import_find(fv_importer *im, const char *name, int *index) {
    *index = -1;
    if (!*name)
        return true;
    *index = fv_names_find(&im->names, name);
    if (*index == -1)
        return fv_fail(im->err, FV_BAD_INPUT, "its input '%s' is made by no node before it", name);
    *index = *index == FV_LEFT_OUT ? -1 : *index;
    return true;
}

static bool node_ports(fv_importer *im, const Fovea__Onnx__Node *p, fv_node *n) {
    fv_arena *a = im->g->arena;
    for (n->n_in = (int)p->n_input; n->n_in && !*p->input[n->n_in - 1];)
        n->n_in--;
    for (n->n_out = (int)p->n_output; n->n_out && !*p->output[n->n_out - 1];)
        n->n_out--;
    if (n->n_in < n->op->min_in || n->n_in > n->op->max_in)
        return fv_fail(im->err, FV_BAD_INPUT, "it has %d inputs; the op takes %d to %d", n->n_in,
                       n->op->min_in, n->op->max_in);
    if (n->n_out < 1 || n->n_out > n->op->max_out)
        return fv_fail(im->err, FV_UNSUPPORTED, "it has %d outputs; supported are 1 to %d",
                       n->n_out, n->op->max_out);
    n->in = FV_ARENA_NEW(a, int, n->n_in);
    n->out = FV_ARENA_NEW(a, int, n->n_out);
    for (int k = 0; k < n->n_in; k++)
        if (!fv_import_find(im, p->input[k], &n->in[k]))
            return false;
    if (!strcmp(n->op->name, "QuantizeLinear") && n->n_in > 2 && fv_names_find(&im->packed, p->input[2]) >= 0)
        return fv_fail(im->err, FV_UNSUPPORTED, "it makes four bits an element; only weights may have so few");
    for (int k = 0; k < n->op->min_in; k++)
        if (n->in[k] < 0)
            return fv_fail(im->err, FV_BAD_INPUT, "its input %d is missing", k);
    for (int k = 0; k < n->n_out; k++) {
        fv_tensor t = {.name = fv_arena_strdup(a, p->output[k]), .n_dims = -1};
        n->out[k] = *t.name ? add_tensor(im, &t) : -1;
    }
    return true;
}

static fv_call node_call(fv_importer *im, const fv_node *n) {
    fv_graph *g = im->g;
    const fv_tensor **in = FV_ARENA_NEW(g->arena, const fv_tensor *, n->n_in);
    fv_tensor **out = FV_ARENA_NEW(g->arena, fv_tensor *, n->n_out);
    for (int k = 0; k < n->n_in; k++)
        in[k] = n->in[k] < 0 ? NULL : &g->tensor[n->in[k]];
    for (int k = 0; k < n->n_out; k++)
        out[k] = n->out[k] < 0 ? NULL : &g->tensor[n->out[k]];
    return (fv_call){.op = n->op,
                     .arena = g->arena,
                     .opset = g->opset,
                     .attr = n->attr,
                     .n_in = n->n_in,
                     .n_out = n->n_out,
                     .in = in,
                     .out = out,
                     .err = im->err};
}

static bool node_types(fv_importer *im, const fv_call *c) {
    unsigned types = c->op->types;
    for (int k = 0; k < c->n_in; k++) {
        const fv_tensor *t = c->in[k];
        if (t && !(types & FV_TYPE(t->dtype)))
            return fv_fail(im->err, FV_UNSUPPORTED, "input '%s' of type %s is not supported",
                           t->name, fv_dtype_name(t->dtype));
        if (!c->op->as_float || c->op->mixed)
            return true;
        types &= t && !(FV_TYPES_FLOAT & FV_TYPE(t->dtype)) ? FV_TYPE(t->dtype)
                 : t                                        ? FV_TYPES_FLOAT
                                                            : types;
    }
    return true;
}

static bool node_shapes(fv_importer *im, const fv_call *c) {
    if (!node_types(im, c))
        return false;
    if (!(c->op->shape ? c->op->shape(c) : fv_shape_like(c, 0, c->in[0])))
        return false;
    for (int k = 0; k < c->n_out; k++) {
        if (!c->out[k])
            continue;
        if (c->out[k]->n_dims < 0)
            return fv_fail(im->err, FV_UNSUPPORTED, "output %d is not supported", k);
        if (!fv_shape_check(c->out[k], im->max_tensor, im->err))
            return false;
    }
    return true;
}

static double call_work(const fv_call *c) {
    double work = 1;
    for (int k = 0; k < c->n_in; k++)
        work += c->in[k] ? (double)fv_tensor_count(c->in[k]) : 0;
    for (int k = 0; k < c->n_out; k++)
        work += c->out[k] ? (double)fv_tensor_count(c->out[k]) : 0;
    return c->op->work ? work + c->op->work(c) : work;
}

static bool can_fold(fv_importer *im, const fv_call *c) {
    for (int k = 0; k < c->n_in; k++)
        if (c->in[k] && !c->in[k]->data && !c->op->of_shape)
            return false;
    double work = call_work(c);
    if (work > im->work_left)
        return false;
    im->work_left -= work;
    return true;
}

static bool fold(fv_importer *im, const fv_node *n, const fv_call *c) {
    for (int k = 0; k < c->n_out; k++) {
        if (!c->out[k])
            continue;
        if (!spend(im, c->out[k]))
            return false;
        c->out[k]->data = fv_arena_alloc(im->g->data, fv_tensor_bytes(c->out[k]) + 1);
    }
    return fv_node_run(im->g, n, c->in, c->out, im->err);
}

static bool import_known(fv_importer *im, const Fovea__Onnx__Node *p, fv_node *n) {
    fv_graph *g = im->g;
    if (!node_ports(im, p, n))
        return false;
    fv_attrs attrs = {.node = p,
                      .caller = im->caller,
                      .externals = &im->externals,
                      .op = n->op,
                      .arena = g->arena,
                      .opset = g->opset,
                      .max_bytes = im->max_tensor,
                      .err = im->err};
    n->attr = n->op->attr_size ? fv_arena_alloc(g->arena, n->op->attr_size) : NULL;
    if (n->op->parse)
        n->op->parse(&attrs, n->attr);
    if (im->err->code)
        return false;
    fv_call c = node_call(im, n);
    if (!node_shapes(im, &c))
        return false;
    for (int k = 0; k < n->n_out; k++)
        if (n->out[k] >= 0)
            fv_names_add(&im->names, g->tensor[n->out[k]].name, n->out[k]);
    if (can_fold(im, &c))
        return fold(im, n, &c);
    g->node = grow(g->arena, g->node, g->n_nodes, &im->node_capacity, sizeof *g->node);
    g->node[g->n_nodes++] = *n;
    return true;
}

static bool unknown_op(fv_importer *im, const char *node, const char *domain, const char *type) {
    if (fv_onnx_is_standard(domain))
        return fv_fail(im->err, FV_UNSUPPORTED,
                       "node '%s': op '%s' (opset %lld) is not supported; end the graph before it, or export "
                       "to an opset that writes it as other ops; `fovea model` lists every such node",
                       node, type, (long long)im->g->opset);
    return fv_fail(im->err, FV_UNSUPPORTED,
                   "node '%s': op '%s' of domain '%s' is not supported: it is no op of ONNX itself; "
                   "export without that runtime's optimisations, or end the graph before the node",
                   node, type, domain);
}

bool fv_import_node(fv_importer *im, const Fovea__Onnx__Node *p) {
    const char *type = p->op_type ? p->op_type : "";
    bool standard = fv_onnx_is_standard(p->domain), is_if = standard && !strcmp(type, "If");
    fv_node n = {.op = standard ? fv_op_find(type) : NULL};
    const Fovea__Onnx__Function *f = n.op || is_if ? NULL : fv_onnx_function(im->model, p);
    int number = im->n_seen++;
    if (number > MAX_NODES)
        return fv_fail(im->err, FV_BAD_INPUT, "the model has more than %d nodes", MAX_NODES);
    n.name = p->name && *p->name ? fv_arena_strdup(im->g->arena, p->name)
                                 : fv_arena_printf(im->g->arena, "%s_%d", type, number);
    if (!n.op && !is_if && !f)
        return unknown_op(im, n.name, p->domain, type);
    bool ok = n.op ? import_known(im, p, &n) : f ? fv_import_call(im, p, f) : fv_import_if(im, p);
    if (!ok && !strstr(im->err->text, "node '"))
        fv_fail_in(im->err, im->err->code == FV_UNSUPPORTED ? "node '%s' (%s, opset %lld)" : "node '%s' (%s)",
                   n.name, type, (long long)im->g->opset);
    return ok;
}

// ---- the file -----------------------------------------------------------------------------------

static bool import_outputs(fv_importer *im, const Fovea__Onnx__Graph *p) {
    fv_graph *g = im->g;
    g->output = FV_ARENA_NEW(g->arena, int, p->n_output);
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = p->output[i]->name ? p->output[i]->name : "";
        int index = fv_names_find(&im->names, name);
        if (index < 0)
            return fv_fail(im->err, FV_BAD_INPUT, "output '%s' is made by no node", name);
        if (strcmp(g->tensor[index].name, name))
            g->tensor[index].name = fv_arena_strdup(g->arena, name);
        g->output[g->n_outputs++] = index;
    }
    return g->n_outputs ? true : fv_fail(im->err, FV_BAD_INPUT, "the graph has no outputs");
}

static bool import_graph(fv_importer *im, const Fovea__Onnx__Graph *p) {
    im->g->name = fv_arena_strdup(im->g->arena, p->name ? p->name : "");
    if (im->model->n_functions > MAX_FUNCTIONS)
        return fv_fail(im->err, FV_BAD_INPUT, "the model has more than %d functions",
                       MAX_FUNCTIONS);
    if (!fv_import_initializers(im, p) || !import_inputs(im, p))
        return false;
    return fv_import_nodes(im, p->node, p->n_node) && import_outputs(im, p);
}

static void import_metadata(fv_graph *g, const Fovea__Onnx__Model *m) {
    g->metadata = fv_arena_alloc(g->arena, sizeof *g->metadata * (m->n_metadata_props + 1));
    for (size_t i = 0; i < m->n_metadata_props; i++) {
        const Fovea__Onnx__StringStringEntry *e = m->metadata_props[i];
        if (!e->key || !e->value)
            continue;
        g->metadata[g->n_metadata][0] = fv_arena_strdup(g->arena, e->key);
        g->metadata[g->n_metadata++][1] = fv_arena_strdup(g->arena, e->value);
    }
}

static fv_graph *import_model(const Fovea__Onnx__Model *m, const char *path,
                              const fv_graph_params *params, fv_err *err) {
    fv_arena *arena = fv_arena_create();
    size_t folded = params->max_bytes < MAX_FOLDED ? params->max_bytes : MAX_FOLDED;
    fv_importer im = {.params = params,
                      .model = m,
                      .externals = {.model_path = path},
                      .max_tensor = params->max_bytes / 4,
                      .left = folded,
                      .err = err,
                      .work_left = MAX_FOLD_WORK < 8.0 * (double)folded ? MAX_FOLD_WORK
                                                                        : 8.0 * (double)folded};
    im.g = FV_ARENA_NEW(arena, fv_graph, 1);
    *im.g = (fv_graph){.arena = arena, .data = fv_arena_create(), .opset = fv_onnx_opset(m->opset_import, m->n_opset_import)};
    import_metadata(im.g, m);
    bool ok = import_graph(&im, m->graph);
    fv_names_finish(&im.names);
    fv_names_finish(&im.packed);
    fv_externals_finish(&im.externals);
    if (ok && !params->keep_half)
        fv_graph_widen(im.g);
    if (!ok)
        fv_graph_destroy(&im.g);
    return im.g;
}

static fv_graph *load(const void *data, size_t size, const char *path,
                      const fv_graph_params *params, fv_err *err) {
    fv_err own = {0};
    fv_graph_params p = params ? *params : (fv_graph_params){0};
    if (!p.max_bytes)
        p.max_bytes = DEFAULT_MAX_BYTES;
    fv_budget b;
    Fovea__Onnx__Model *m = fv_onnx_unpack(data, size, &b, &own);
    fv_graph *g = m ? import_model(m, path, &p, &own) : NULL;
    if (m)
        fovea__onnx__model__free_unpacked(m, &b.allocator);
    if (!g && err)
        *err = own;
    return g;
}

fv_graph *fv_graph_load_memory(const void *data, size_t size, const fv_graph_params *params,
                               fv_err *err) {
    return load(data, size, NULL, params, err);
}

fv_graph *fv_graph_load(const char *path, const fv_graph_params *params, fv_err *err) {
    fv_mapping m;
    if (!fv_mapping_open(&m, path, err))
        return NULL;
    fv_graph *g = load(m.data, m.size, path, params, err);
    fv_mapping_close(&m);
    if (!g)
        fv_fail_in(err, "%s", path);
    return g;
}
