#include <string.h>

#include "pipeline/graph/onnx.h"

// What is counted, and how: nodes without a name are numbered as the importer numbers them.
typedef struct {
    fv_survey_fn each;
    void *user;
    const Fovea__Onnx__Model *model;
    int n_seen;
} survey;

enum { MAX_DEPTH = 8, MAX_NODES = 1 << 18 };

static void survey_graph(survey *s, const Fovea__Onnx__Graph *g, int depth);

static void survey_branches(survey *s, const Fovea__Onnx__Node *n, int depth) {
    for (size_t i = 0; depth < MAX_DEPTH && i < n->n_attribute; i++) {
        const Fovea__Onnx__Attribute *a = n->attribute[i];
        if (!a->has_g)
            continue;
        fv_budget b;
        fv_budget_init(&b, a->g.len);
        Fovea__Onnx__Graph *body = fovea__onnx__graph__unpack(&b.allocator, a->g.len, a->g.data);
        if (body)
            survey_graph(s, body, depth + 1);
        if (body)
            fovea__onnx__graph__free_unpacked(body, &b.allocator);
    }
}

static void survey_node(survey *s, const Fovea__Onnx__Node *n, int depth) {
    const char *type = n->op_type ? n->op_type : "", *domain = n->domain ? n->domain : "";
    bool standard = fv_onnx_is_standard(domain), is_if = standard && !strcmp(type, "If");
    bool known = is_if || (standard && fv_op_find(type));
    const Fovea__Onnx__Function *f = known ? NULL : fv_onnx_function(s->model, n);
    char name[256], op[256];
    snprintf(name, sizeof name, "%.120s", n->name ? n->name : "");
    if (!*name)
        snprintf(name, sizeof name, "%.120s_%d", type, s->n_seen);
    s->n_seen++;
    if (is_if)
        survey_branches(s, n, depth);
    for (size_t i = 0; f && depth < MAX_DEPTH && s->n_seen < MAX_NODES && i < f->n_node; i++)
        survey_node(s, f->node[i], depth + 1);
    if (f)
        return;
    snprintf(op, sizeof op, "%.100s%s%.100s", standard ? "" : domain, standard ? "" : ".", type);
    s->each(s->user, name, op, known);
}

static void survey_graph(survey *s, const Fovea__Onnx__Graph *g, int depth) {
    for (size_t i = 0; i < g->n_node; i++)
        survey_node(s, g->node[i], depth);
}

int fv_graph_survey(const char *path, fv_survey_fn each, void *user, fv_err *err) {
    fv_mapping m;
    fv_budget b;
    if (!fv_mapping_open(&m, path, err))
        return -1;
    survey s = {.each = each, .user = user};
    Fovea__Onnx__Model *model = fv_onnx_unpack(m.data, m.size, &b, err);
    if (model) {
        s.model = model;
        survey_graph(&s, model->graph, 0);
        fovea__onnx__model__free_unpacked(model, &b.allocator);
    } else {
        fv_fail_in(err, "%s", path);
    }
    fv_mapping_close(&m);
    return model ? s.n_seen : -1;
}

typedef struct {
    fv_unsupported_fn each;
    void *user;
    int n;
} filter;

static void filter_node(void *user, const char *node, const char *op, bool supported) {
    filter *f = user;
    if (supported)
        return;
    f->n++;
    f->each(f->user, node, op);
}

int fv_graph_unsupported(const char *path, fv_unsupported_fn each, void *user, fv_err *err) {
    filter f = {.each = each, .user = user};
    return fv_graph_survey(path, filter_node, &f, err) < 0 ? -1 : f.n;
}
