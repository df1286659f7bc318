// The boxes of an MP4 index (`moov`, ISO/IEC 14496-12), changed in place.
#pragma once

#include <stddef.h>
#include <stdint.h>

// How a picture is to be turned to be upright, as GStreamer's image-orientation says it: "rotate-90" by 90
// degrees clockwise; "flip-rotate-90" mirrored left to right, then turned.
typedef enum {
    FV_UPRIGHT,
    FV_ROTATE_90,
    FV_ROTATE_180,
    FV_ROTATE_270,
    FV_FLIP,
    FV_FLIP_ROTATE_90,
    FV_FLIP_ROTATE_180,
    FV_FLIP_ROTATE_270,
    FV_N_ORIENTATIONS
} fv_orientation;
extern const char *const fv_orientation_names[FV_N_ORIENTATIONS + 1]; // "rotate-0", ...; NULL ends them

// What avenc_aac puts before the first sample, which no time of its packets says (AVCodecContext.initial_padding).
enum { FV_MP4_PRIMING = 1024, FV_MP4_MAX_SOUNDS = 16 };

// Does a whole `moov` begin in `data`? Its size, or 0.
size_t fv_mp4_index_size(const uint8_t *data, size_t size);

// Changes the index (of fv_mp4_index_size bytes):
//  - tracks with a picture get the matrix of `orientation`, unless that is FV_UPRIGHT;
//  - the last edit of a track with a picture reaches to the end of its last picture, also where times have gaps;
//  - tracks with sound lose their composition offsets: sound is presented in the order in which it is decoded,
//    and what the edit list leaves out at the start (priming) counts from the first sample. The edit and
//    the track are shorter by it;
//  - sounds whose bit is set in `encoded` (bit 0: the first one), that say no priming, have FV_MP4_PRIMING samples.
//  - Opus' header has its numbers in the order of bytes of an MP4.
// Boxes that are torn or unknown are left alone.
void fv_mp4_index_patch(uint8_t *data, size_t size, fv_orientation orientation, unsigned encoded);
