// One plugin, `fovea`; a row per element.
#include <gst/gst.h>

#include "fovea-config.h"
#include "plugins/elements.h"

// An element is a row of its own or, where it is no filter, registers itself.
static const struct {
    const fv_element_row *row;
    bool (*add)(GstPlugin *plugin);
} elements[] = {
    {.add = fv_src_register},
    {.row = &fv_detect_element},
    {.row = &fv_track_element},
    {.row = &fv_events_element},
    {.row = &fv_overlay_element},
    {.row = &fv_publish_element},
    {.add = fv_mp4_register},
    {.add = fv_mkv_register},
    {.add = fv_priming_register},
    {0},
};

static gboolean plugin_init(GstPlugin *plugin) {
    for (int i = 0; elements[i].row || elements[i].add; i++)
        if (elements[i].row ? !fv_element_register(plugin, elements[i].row)
                            : !elements[i].add(plugin))
            return FALSE;
    return TRUE;
}

#define PACKAGE "fovea"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, fovea,
                  "Streaming perception: source, detector, tracker, events, overlay, publisher",
                  plugin_init, FV_VERSION, "MIT/X11", "Fovea", "Fovea")
