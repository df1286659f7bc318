// A look at a source before the pipeline is built: what is in it decides how outputs are made.
#pragma once

#include <gst/gst.h>
#include <stdint.h>

#include "pipeline/base/arena.h"
#include "pipeline/base/err.h"
#include "pipeline/desc/schema.h"

enum { FV_PROBE_MAX_AUDIO = 8 };

typedef struct {
    bool is_live;
    int width, height;        // of the upright picture
    int par_n, par_d;         // of its pixels, width to height
    const char *colorimetry;  // as in caps; NULL: not said
    int fps_n, fps_d;         // 0/1: variable or not known
    int64_t duration_ns;      // 0: not known
    int64_t frames;           // by duration and rate; 0: not known
    const char *orientation;  // as the image-orientation tag: "rotate-90", ...: what is to be done to what the
                              // source gives; NULL: it is upright
    GstContext *session;      // a live source, open: the run's fvsrc goes on with it; else NULL
    int n_audio;
    const char *audio_caps[FV_PROBE_MAX_AUDIO]; // of the pads audio_0, audio_1, ...
} fv_probe;

// Opens the source by fvsrc with the description's settings, up to the first frame. The texts live in
// the arena. Waits for a camera's first frame too, and leaves it open: some cameras let themselves be
// opened only once. FV_BAD_INPUT when the source is not there, is no video or has no frame.
bool fv_probe_source(fv_probe *probe, fv_arena *arena, const fv_settings *source, fv_err *err);
void fv_probe_finish(fv_probe *probe); // closes a session that nobody took
