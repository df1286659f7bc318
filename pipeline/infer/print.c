#include "pipeline/infer/plan.h"

#include <string.h>

static void print_shape(const fv_plan *p, const fv_node *n, FILE *out) {
    char text[64] = "";
    if (n && n->n_out && n->out[0] >= 0)
        fv_tensor_shape_text(fv_plan_tensor(p, n->out[0]), text, sizeof text);
    fprintf(out, " %-18s", text);
}

void fv_plan_print(const fv_plan *p, FILE *out) {
    double total = 0, macs = 0;
    fprintf(out, "%4s %-16s %-28s %-18s %-22s %9s %9s\n", "step", "kernel", "node", "output", "note", "ms", "GFLOP/s");
    for (int i = 0; i < p->n_steps; i++) {
        const fv_step *s = &p->step[i];
        fprintf(out, "%4d %-16s %-28.28s", i, s->kernel ? s->kernel : "host", s->node ? s->node->name : "-");
        print_shape(p, s->node, out);
        fprintf(out, " %-22.22s", s->note ? s->note : "");
        if (s->ms > 0)
            fprintf(out, " %9.3f", (double)s->ms);
        if (s->ms > 0 && s->macs > 0)
            fprintf(out, " %9.1f", s->macs * 2e-6 / (double)s->ms);
        fprintf(out, "\n");
        total += (double)s->ms;
        macs += s->macs;
    }
    fv_plan_stats stats = fv_plan_get_stats(p);
    fprintf(out, "%d dispatches, %d barriers, %d host steps; %.1f MiB weights, %.1f MiB activations", stats.n_dispatches,
            stats.n_barriers, stats.n_host_steps, (double)stats.weight_bytes / 1048576,
            (double)stats.activation_bytes / 1048576);
    if (total > 0)
        fprintf(out, "; %.2f ms, %.1f GFLOP/s", total, macs * 2e-6 / total);
    fprintf(out, "\n");
}

int fv_plan_layers(const fv_plan *p, fv_plan_layer *v, int max) {
    for (int i = 0; i < p->n_steps && i < max; i++) {
        const fv_step *s = &p->step[i];
        v[i] = (fv_plan_layer){.op = s->node ? fv_node_op(s->node) : "copy", .node = s->node ? s->node->name : "",
                               .row = s->note ? s->note : s->kernel ? s->kernel : "host", .ms = s->ms, .macs = s->macs,
                               .bytes = s->bytes / 4 * (double)p->element};
        if (s->node && s->node->n_out && s->node->out[0] >= 0)
            fv_tensor_shape_text(fv_plan_tensor(p, s->node->out[0]), v[i].shape, sizeof v[i].shape);
    }
    return p->n_steps;
}
