// Encoders and containers, as rows.
#pragma once

#include "pipeline/desc/desc.h"
#include "pipeline/run/probe.h"

// An encoder with its settings, as words: "x264enc speed-preset=3 ..."; the first row of the codec
// whose element is installed. The error says what to install.
const char *fv_encode_words(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe, fv_err *err);

// "mp4mux", "matroskamux", "webmmux" with what makes a file usable when writing stops half way.
const char *fv_encode_muxer(fv_arena *arena, const fv_desc_file *file);

// What stands behind the muxer, with "!": "fvmp4 orientation=rotate-90 encoded=1 !" or "". Of the sounds of
// the file those are `encoded` that fv_encode_audio encodes anew.
const char *fv_encode_index(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe);

// Before the encoder, with "!", or "": a file that can say how it is to be turned holds the picture as it came, the
// others hold it upright.
const char *fv_encode_turn(fv_arena *arena, const fv_desc_file *file, const fv_probe *probe);

// What becomes of a sound. `anew`: the container's muxer does not take it as it is, so it is decoded and encoded
// anew; its `channels` are then mixed into `mixed` ones where the encoder takes no more, else that is 0.
typedef struct {
    bool anew;
    int channels, mixed;
} fv_encode_fate;

// What stands between sound of these caps and the muxer, with "!" behind each. NULL: what would do that is not
// there, or nobody knows it.
const char *fv_encode_audio(fv_arena *arena, const fv_desc_file *file, const char *caps, fv_encode_fate *fate);
