#include "pipeline/graph/onnx.h"

#include <string.h>

enum { MAX_DEPTH = 8 };

// ---- If -----------------------------------------------------------------------------------------

static const Fovea__Onnx__Attribute *branch_of(const Fovea__Onnx__Node *p, const char *name) {
    for (size_t i = 0; i < p->n_attribute; i++)
        if (p->attribute[i]->name && !strcmp(p->attribute[i]->name, name) && p->attribute[i]->has_g)
            return p->attribute[i];
    return NULL;
}

static bool import_body(fv_importer *im, const Fovea__Onnx__Graph *body, int *result) {
    if (!fv_import_initializers(im, body) || !fv_import_nodes(im, body->node, body->n_node))
        return false;
    for (size_t i = 0; i < body->n_output; i++) {
        const char *name = body->output[i]->name ? body->output[i]->name : "";
        result[i] = fv_names_find(&im->names, name);
        if (result[i] < 0)
            return fv_fail(im->err, FV_BAD_INPUT, "its branch does not make '%s'", name);
    }
    return true;
}

static bool import_branch(fv_importer *im, const Fovea__Onnx__Node *p,
                          const Fovea__Onnx__Graph *body) {
    if (body->n_output != p->n_output)
        return fv_fail(im->err, FV_BAD_INPUT, "its branch has %zu outputs, not %zu", body->n_output,
                       p->n_output);
    int *result = FV_ARENA_NEW(im->g->arena, int, body->n_output), outer = im->names.n;
    if (!import_body(im, body, result))
        return false;
    fv_names_cut(&im->names, outer);
    for (size_t i = 0; i < p->n_output; i++) {
        const char *name = fv_arena_strdup(im->g->arena, p->output[i]);
        fv_names_add(&im->names, name, result[i]);
    }
    return true;
}

// The condition must be constant: the If becomes the nodes of its branch.
bool fv_import_if(fv_importer *im, const Fovea__Onnx__Node *p) {
    int index;
    if (p->n_input != 1 || !fv_import_find(im, p->input[0], &index) || index < 0)
        return im->err->code ? false : fv_fail(im->err, FV_BAD_INPUT, "it has no condition");
    const fv_tensor *condition = &im->g->tensor[index];
    if (!condition->data || fv_tensor_count(condition) < 1)
        return fv_fail(im->err, FV_UNSUPPORTED,
                       "its condition '%s' is computed at run time; supported is a constant one",
                       p->input[0]);
    const Fovea__Onnx__Attribute *a =
        branch_of(p, fv_element_get(condition, 0) != 0 ? "then_branch" : "else_branch");
    if (!a || im->depth >= MAX_DEPTH)
        return fv_fail(im->err, FV_BAD_INPUT,
                       a ? "branches lie too deep in each other" : "it lacks a branch");
    fv_budget b;
    fv_budget_init(&b, a->g.len);
    Fovea__Onnx__Graph *body = fovea__onnx__graph__unpack(&b.allocator, a->g.len, a->g.data);
    if (!body)
        return fv_fail(im->err, FV_BAD_INPUT, "its branch cannot be read");
    im->depth++;
    bool ok = import_branch(im, p, body);
    im->depth--;
    fovea__onnx__graph__free_unpacked(body, &b.allocator);
    return ok;
}

// ---- functions ----------------------------------------------------------------------------------

// Inside, the function's own names stand for what the call gives.
static bool bind_call(fv_importer *im, const Fovea__Onnx__Node *p,
                      const Fovea__Onnx__Function *f) {
    int *given = FV_ARENA_NEW(im->g->arena, int, f->n_input);
    if (p->n_input > f->n_input || p->n_output > f->n_output)
        return fv_fail(im->err, FV_BAD_INPUT, "it has %zu inputs and %zu outputs; its function %zu and %zu",
                       p->n_input, p->n_output, f->n_input, f->n_output);
    for (size_t i = 0; i < f->n_input; i++)
        if (!fv_import_find(im, i < p->n_input ? p->input[i] : "", &given[i]))
            return false;
    for (size_t i = 0; i < f->n_input; i++)
        fv_names_add(&im->names, fv_arena_strdup(im->g->arena, f->input[i]),
                     given[i] < 0 ? FV_LEFT_OUT : given[i]);
    return true;
}

static bool import_call_body(fv_importer *im, const Fovea__Onnx__Node *p,
                             const Fovea__Onnx__Function *f, int *result) {
    if (!bind_call(im, p, f) || !fv_import_nodes(im, f->node, f->n_node))
        return false;
    for (size_t i = 0; i < p->n_output; i++)
        if (!fv_import_find(im, f->output[i], &result[i]))
            return false;
    return true;
}

bool fv_import_call(fv_importer *im, const Fovea__Onnx__Node *p, const Fovea__Onnx__Function *f) {
    if (im->depth >= MAX_DEPTH)
        return fv_fail(im->err, FV_BAD_INPUT, "functions call each other too deep");
    if (f->n_opset_import && fv_onnx_opset(f->opset_import, f->n_opset_import) != im->g->opset)
        return fv_fail(im->err, FV_UNSUPPORTED, "its function is of opset %lld, the model of opset %lld",
                       (long long)fv_onnx_opset(f->opset_import, f->n_opset_import),
                       (long long)im->g->opset);
    int *result = FV_ARENA_NEW(im->g->arena, int, p->n_output), outer = im->names.n;
    fv_caller caller = {.node = p, .function = f, .outer = im->caller};
    im->caller = &caller;
    im->depth++;
    bool ok = import_call_body(im, p, f, result);
    im->depth--;
    im->caller = caller.outer;
    fv_names_cut(&im->names, outer);
    for (size_t i = 0; ok && i < p->n_output; i++)
        if (*p->output[i])
            fv_names_add(&im->names, fv_arena_strdup(im->g->arena, p->output[i]), result[i]);
    return ok;
}
