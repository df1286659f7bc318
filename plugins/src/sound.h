// Encoded audio passes as it is; this says its caps.
#pragma once

#include <gst/gst.h>
#include <libavformat/avformat.h>

// NULL for a codec that has no row in the table.
GstCaps *fv_sound_caps(const AVStream *stream);

// Samples at the end of a packet of Opus that are no sound of the file, only what its encoder filled up with: as the
// container says them, or by a packet's length (RFC 6716, 3.1) beyond its duration. 0 for other codecs.
int64_t fv_sound_surplus(const AVStream *stream, const AVPacket *packet);
