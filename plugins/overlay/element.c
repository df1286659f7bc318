// fvoverlay: what the metadata says, drawn into the picture (plugins/common/draw).
//
//     gst-launch-1.0 v4l2src ! fvdetect ! fvtrack ! fvoverlay trails=true ! autovideosink
#include "plugins/common/draw.h"
#include "plugins/common/frame.h"
#include "plugins/elements.h"

static bool start(fv_element *e, fv_err *err) {
    fv_drawer **drawer = e->state;
    *drawer = fv_drawer_create(e->params, err);
    return *drawer != NULL;
}

static bool changed(fv_element *e, fv_err *err) {
    (void)err;
    fv_drawer_set_style(*(fv_drawer **)e->state, e->params);
    return true;
}

static void stop(fv_element *e) {
    fv_drawer_destroy(e->state);
}

static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    fv_drawer *drawer = *(fv_drawer **)e->state;
    const fv_frame_meta *m = fv_meta_get(buffer);
    fv_mapped mapped;
    if (!fv_frame_map(&mapped, &e->info, buffer, GST_MAP_READWRITE, err))
        return false;
    fv_drawer_draw(drawer, &mapped.frame, record, m->events, m->n_events);
    fv_frame_unmap(&mapped);
    return true;
}

static void flush(fv_element *e) {
    fv_drawer_reset(*(fv_drawer **)e->state);
}

const fv_element_row fv_overlay_element = {
    .name = "fvoverlay", .type_name = "FvOverlay", .long_name = "Fovea overlay",
    .klass = "Filter/Effect/Analyzer/Visualization/Video",
    .description = "Draws boxes, labels, trails, lines, zones and counts into the picture, and hides what must not be seen",
    .options = {{fv_draw_options, 0}}, .params_size = sizeof(fv_draw_style), .state_size = sizeof(fv_drawer *),
    .writes_pixels = true, .start = start, .changed = changed, .stop = stop, .frame = frame, .flush = flush,
};
