// From a description to the words of a GStreamer pipeline. What `fovea run` runs and what `fovea
// launch` prints are the same words.
//
//     fvsrc ! queue ! fvdetect ! fvtrack ! fvevents ! fvpublish ! fvoverlay ! encoder ! muxer ! filesink
//
// Elements are named <stream>-<what>: gate-source, gate-detect, gate-file-0, ... `publish` outputs
// sit before the overlay, in the order of the description. Several pictures go apart at gate-tee.
// Where there is more than one output, a picture's branch begins with gate-branch-N, which keeps
// its failure from the others (fv_loop then counts it as failed). Audio is passed on as it is to
// every file that can hold it, and encoded anew for the others. Frames keep their timestamps: nothing is duplicated or dropped.
// A picture that is stored turned (a phone's) is set upright behind the source: it is detected, drawn and recorded as
// it is shown. A file that can say so holds it as it came.
#pragma once

#include "pipeline/desc/desc.h"
#include "pipeline/run/probe.h"

typedef struct {
    int n;
    const char **v; // an element, a property, "!", ... each as gst-launch-1.0 reads it
    int n_notes;
    const char **notes; // what the user should know: sound that does not stay as it is
} fv_words_out;

// `probes`: one per stream. Texts live in the arena. Fails when an encoder or muxer is not
// installed.
bool fv_build(fv_words_out *words, fv_arena *arena, const fv_desc *desc, const fv_probe *probes, fv_err *err);

// For gst_parse_launch.
const char *fv_build_text(fv_arena *arena, const fv_words_out *words);

// For a shell: "gst-launch-1.0 -e ...", quoted where needed.
const char *fv_build_shell(fv_arena *arena, const fv_words_out *words);
