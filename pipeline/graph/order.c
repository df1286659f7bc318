#include "pipeline/graph/onnx.h"

#include <stdlib.h>

enum { UNSEEN, WAITING, DONE };

typedef struct {
    Fovea__Onnx__Node **node;
    fv_names maker;     // of a name: the number of the first node that makes it
    unsigned char *state;
    size_t *input;      // of a node that waits: the input that is looked at
    int *waiting, *order, n_waiting, n_ordered;
} sorter;

static void wait_for(sorter *s, int i) {
    s->state[i] = WAITING;
    s->input[i] = 0;
    s->waiting[s->n_waiting++] = i;
}

// Depth first, with a stack of its own: files may be deep.
static void visit(sorter *s, int first) {
    wait_for(s, first);
    while (s->n_waiting) {
        int i = s->waiting[s->n_waiting - 1];
        const Fovea__Onnx__Node *p = s->node[i];
        int maker = -1;
        while (maker < 0 && s->input[i] < p->n_input) {
            maker = fv_names_find(&s->maker, p->input[s->input[i]++]);
            maker = maker >= 0 && s->state[maker] == UNSEEN ? maker : -1; // waiting: a circle, which the import refuses
        }
        if (maker >= 0) {
            wait_for(s, maker);
            continue;
        }
        s->state[i] = DONE;
        s->order[s->n_ordered++] = i;
        s->n_waiting--;
    }
}

static bool sort(sorter *s, int n) {
    if (!s->state || !s->input || !s->waiting || !s->order)
        return false;
    for (int i = n; i-- > 0;)
        for (size_t k = 0; k < s->node[i]->n_output; k++)
            if (*s->node[i]->output[k])
                fv_names_add(&s->maker, s->node[i]->output[k], i);
    for (int i = 0; i < n; i++)
        if (s->state[i] == UNSEEN)
            visit(s, i);
    return true;
}

bool fv_import_nodes(fv_importer *im, Fovea__Onnx__Node **node, size_t n_nodes) {
    size_t room = n_nodes + 1;
    sorter s = {.node = node, .state = calloc(room, 1), .input = malloc(room * sizeof *s.input),
                .waiting = malloc(room * sizeof *s.waiting), .order = malloc(room * sizeof *s.order)};
    bool ok = sort(&s, (int)n_nodes) || fv_fail(im->err, FV_MEMORY, "out of memory for %zu nodes", n_nodes);
    for (int i = 0; ok && i < s.n_ordered; i++)
        ok = fv_import_node(im, node[s.order[i]]);
    fv_names_finish(&s.maker);
    free(s.state), free(s.input), free(s.waiting), free(s.order);
    return ok;
}
