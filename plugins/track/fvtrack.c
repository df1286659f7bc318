// fvtrack: ids on detections, by pipeline/vision/track.h. Replaces the objects of a frame by its
// tracks; on frames that the detector skipped it puts predicted ones, and says so in the frame's
// metadata.
#include "pipeline/vision/track.h"
#include "plugins/elements.h"

typedef struct {
    fv_tracker *tracker;
    fv_object *tracks;
    bool detector_is_ours; // a frame was marked as inferred: the others really were skipped
    uint64_t inferred, predicted, last_id;
} state;

static bool start(fv_element *e, fv_err *err) {
    state *s = e->state;
    s->tracks = g_new(fv_object, FV_ELEMENT_OBJECTS);
    s->tracker = fv_tracker_create(e->params, err);
    return s->tracker;
}

static void stop(fv_element *e) {
    state *s = e->state;
    fv_tracker_destroy(&s->tracker);
    g_clear_pointer(&s->tracks, g_free);
}

static bool was_inferred(state *s, const fv_record *record) {
    s->detector_is_ours |= record->inference == FV_INFERRED;
    return record->inference == FV_INFERRED || record->objects.n || !s->detector_is_ours;
}

static bool frame(fv_element *e, GstBuffer *buffer, fv_record *record, fv_err *err) {
    (void)err;
    state *s = e->state;
    fv_frame_meta *meta = fv_meta_get(buffer);
    bool inferred = was_inferred(s, record);
    fv_objects tracks = {.capacity = FV_ELEMENT_OBJECTS, .v = s->tracks};
    fv_tracker_set_picture(s->tracker, record->width, record->height);
    fv_tracker_update(s->tracker, inferred ? &record->objects : NULL, record->pts_ns, &tracks);
    if (!inferred && tracks.n)
        meta->inference = FV_PREDICTED;
    fv_meta_set_objects(buffer, meta, &tracks);
    g_mutex_lock(&e->lock);
    s->inferred += inferred;
    s->predicted += meta->inference == FV_PREDICTED;
    for (int i = 0; i < tracks.n; i++)
        s->last_id = MAX(s->last_id, tracks.v[i].id);
    g_mutex_unlock(&e->lock);
    return true;
}

static void flush(fv_element *e) {
    fv_tracker_reset(((state *)e->state)->tracker);
}

static GstStructure *stats(fv_element *e) {
    const state *s = e->state;
    return gst_structure_new("fvtrack-stats", "tracks", G_TYPE_UINT64, s->last_id, "inferred",
                             G_TYPE_UINT64, s->inferred, "predicted", G_TYPE_UINT64, s->predicted,
                             NULL);
}

const fv_element_row fv_track_element = {
    .name = "fvtrack",
    .type_name = "FvTrack",
    .long_name = "Fovea tracker",
    .klass = "Analyzer/Video",
    .description = "Gives detected objects ids that stay with them (SORT, ByteTrack, OC-SORT); "
                   "predicts them on skipped frames",
    .options = {{fv_track_options, 0}},
    .params_size = sizeof(fv_track_params),
    .state_size = sizeof(state),
    .start = start,
    .stop = stop,
    .frame = frame,
    .flush = flush,
    .stats = stats,
};
