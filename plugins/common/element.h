// An element is data: a row says its names, options and callbacks; this file makes a GStreamer type
// of it. What every element needs is done here once: properties, caps, metadata in and out, frame
// numbers, draining, latency, statistics, errors.
//
//     static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) { ... }
//     const fv_element_row fv_track_element = {
//         .name = "fvtrack", .type_name = "FvTrack", .long_name = "Fovea tracker", ...
//         .options = {{fv_track_options, 0}}, .params_size = sizeof(fv_track_params),
//         .frame = frame,
//     };
//
// Every element takes all of FV_VIDEO_CAPS and hands out what it took, in place; nothing has to be
// converted around it. All have the properties `stream` and, with a stats callback, `stats`.
// Thread-safety: callbacks run in the streaming thread or in a state change, never two at a time,
// but `stats`, which any thread may ask for: e->lock is held around it, and a callback that writes
// what it reads holds e->lock too.
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "pipeline/base/err.h"
#include "pipeline/base/value.h"
#include "plugins/common/meta.h"
#include "plugins/common/props.h"

typedef struct fv_element fv_element;

typedef struct {
    const char *name;        // of the factory: "fvtrack"
    const char *type_name;   // of the GObject: "FvTrack"
    const char *long_name, *klass, *description;

    fv_prop_group options[FV_PROP_GROUPS];
    size_t params_size;      // e->params; filled from the options' defaults and the properties
    size_t state_size;       // e->state; zeroed before start
    bool writes_pixels;      // frame() maps for writing

    // READY -> PAUSED. Load, create. On failure stop() is called as well.
    bool (*start)(fv_element *e, fv_err *err);
    // PAUSED -> READY; everything that start and caps made. Called once per start.
    void (*stop)(fv_element *e);
    // New caps are in e->info. NULL: nothing to do.
    bool (*caps)(fv_element *e, fv_err *err);
    // Properties changed while running; e->params has the new values. NULL: only start reads them.
    bool (*changed)(fv_element *e, fv_err *err);

    // One frame: `record` is what the buffer's metadata says (objects are the element's array, up
    // to FV_ELEMENT_OBJECTS). Metadata of `buffer` may be changed.
    bool (*frame)(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err);

    // Or, for an element that keeps frames in flight, push and pull instead of frame: push takes
    // the buffer (also on failure); pull gives the oldest (NULL with *err on failure). After a push
    // frames are pulled until depth - 1 are left, and all of them before EOS, caps or another
    // serialised event passes. The latency of depth - 1 frames is reported by itself. `depth` is
    // called with e->lock held.
    bool (*push)(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err);
    GstBuffer *(*pull)(fv_element *e, fv_err *err);
    int (*pending)(fv_element *e);
    int (*depth)(fv_element *e);

    // A flush: forget what belongs to the frames before it, frames in flight first of all.
    void (*flush)(fv_element *e);
    // End of the stream, after draining, before EOS passes on.
    void (*finish)(fv_element *e);
    // Name and fields of the `stats` property, also posted as element message at EOS.
    GstStructure *(*stats)(fv_element *e);
    // More events of either pad, seen before they pass on. NULL: none.
    void (*sink_event)(fv_element *e, GstEvent *event);
    void (*src_event)(fv_element *e, GstEvent *event);
} fv_element_row;

enum { FV_ELEMENT_OBJECTS = 1024 };

struct fv_element {
    GstBaseTransform base;
    const fv_element_row *row;
    void *params;            // what callbacks read: a copy that changes between frames only
    void *state;
    GstVideoInfo info;       // of the caps
    bool is_live;            // the sources upstream are live (known from the first frame on)
    GstClockTime upstream_latency; // of live sources
    GMutex lock;

    // private to element.c
    void *set_params;        // what the properties say now; under the object lock
    bool params_changed, failed, latency_known;
    const char *stream;      // interned; NULL: the element's name
    uint64_t next_frame;
    fv_objects objects;
};

// Registers the type and the element factory. `row` must live for ever.
bool fv_element_register(GstPlugin *plugin, const fv_element_row *row);

// Posts the error on the bus in one line; the caller returns an error flow.
void fv_element_error(GstElement *element, const fv_err *err);
// The same for what does not stop the stream.
void fv_element_warning(GstElement *element, const fv_err *err);
// And for news: nothing is lost.
void fv_element_info(GstElement *element, const fv_err *err);

// How late the buffer is at this element against the pipeline's clock, beyond the latency that live
// sources announced; 0 when not live, not playing or without time.
GstClockTimeDiff fv_element_lateness(fv_element *e, const GstBuffer *buffer);

// Duration of one frame by the caps; 0: variable or unknown.
GstClockTime fv_element_frame_duration(const fv_element *e);
